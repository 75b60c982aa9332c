# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The poll loop, the wait on a worker and the sensors come to the same verdict about the same answers and errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.lifecycle.legs import Wait
from airflow_provider_adgen.operators._legs import LegRunner
from airflow_provider_adgen.sensors.generation import GenerationSensor
from airflow_provider_adgen.triggers.generation import GenerationTrigger
from tests.support.tasks import first_event

if TYPE_CHECKING:
    from tests.support.rig import Rig

FOUND, GAVE_UP = "completed", "unreachable"
INTERVAL = 0.05


def trigger(rig: Rig, job: str, age: float) -> GenerationTrigger:
    now = rig.clock.now()
    return GenerationTrigger(
        conn_id="adsumo_default",
        vendor="adsumo",
        job_ids=(job,),
        kind="image",
        poll_interval=INTERVAL,
        since=now - age,
        until=now + 500,
        first_fire_delay=0.0,
    )


def in_the_poll_loop(rig: Rig, job: str, age: float) -> str:
    event = asyncio.run(asyncio.wait_for(first_event(trigger(rig, job, age)), 30))
    found: str = event["status"]
    return found


def on_the_worker(rig: Rig, job: str, age: float) -> str:
    with AdGenHook("adsumo_default") as hook:
        task = BaseOperator(task_id="wait")
        runner = LegRunner(task, rig.context(), hook, deferrable=False, poll_interval=INTERVAL)
        now = rig.clock.now()
        return runner._wait_here(trigger(rig, job, age), Wait(since=now - age, until=now + 500), now + 500).status


def by_a_sensor(rig: Rig, job: str, age: float) -> str:
    sensor = GenerationSensor(
        task_id="wait", conn_id="adsumo_default", generation_id=job, deferrable=False, poke_interval=INTERVAL
    )
    sensor._poked_at = rig.clock.now() - age
    for _ in range(50):
        try:
            seen: Any = sensor.poke(rig.context())
        except (AirflowFailException, AdGenError):
            return GAVE_UP
        if seen:
            found: str = seen.xcom_value["status"]
            return found
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("way", [in_the_poll_loop, on_the_worker, by_a_sensor])
@pytest.mark.parametrize(
    ("faults", "age", "verdict"),
    [
        ([], 1.0, FOUND),
        ([], 1e5, FOUND),
        ([{"status": 404, "times": 2}], 1.0, FOUND),
        ([{"status": 404, "times": 2}], 100.0, GAVE_UP),
        ([{"status": 400, "times": 1}], 1.0, GAVE_UP),
        ([{"status": 403, "times": 1}], 1.0, GAVE_UP),
        ([{"status": 409, "times": 1}], 1.0, GAVE_UP),
        ([{"status": 500, "times": 2}], 1e5, FOUND),
        ([{"status": 502, "times": 1}, {"status": 503, "times": 1}], 1.0, FOUND),
        ([{"status": 408, "times": 1}], 1.0, FOUND),
        ([{"status": 429, "times": 1, "retry_after": 0}], 1.0, FOUND),
        ([{"kind": "not_json", "times": 2}], 1.0, FOUND),
        ([{"kind": "drop", "times": 2}], 1e5, FOUND),
    ],
    ids=str,
)
def test_the_same_answers_have_the_same_verdict(
    rig: Rig, way: Any, faults: list[dict[str, Any]], age: float, verdict: str
) -> None:
    job = rig.run(rig.operator(wait_for_completion=False))["id"]
    rig.sandbox.set_job(job, "completed")
    for fault in faults:
        given = {"kind": "status", **fault}
        rig.sandbox.fault(given.pop("kind"), "adsumo", method="GET", **given)
    assert way(rig, job, age) == verdict


@pytest.mark.parametrize("way", [in_the_poll_loop, on_the_worker, by_a_sensor])
def test_a_key_that_stays_refused_ends_it(rig: Rig, way: Any) -> None:
    job = rig.run(rig.operator(wait_for_completion=False))["id"]
    rig.sandbox.set_key("adsumo", status="revoked")
    assert way(rig, job, 1.0) == GAVE_UP
