# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A sensor's timeout is counted from the first leg of its try, however often it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import TRIGGER_FAILED, AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow_provider_adgen.sensors.generation import GenerationSensor

if TYPE_CHECKING:
    from tests.support.rig import Rig


def waiting(rig: Rig) -> tuple[GenerationSensor, dict[str, Any], TaskDeferred]:
    rig.sandbox.settings(adsumo={"job_seconds": 1e9})
    job = rig.run(rig.operator(wait_for_completion=False))["id"]
    sensor = GenerationSensor(
        task_id="wait", conn_id="adsumo_default", generation_id=job, deferrable=True, timeout=1000, poke_interval=30
    )
    context = rig.context(task_id="wait")
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute(context)
    return sensor, context, caught.value


def test_a_vendor_that_the_triggerer_cannot_reach_does_not_lengthen_it(rig: Rig) -> None:
    sensor, context, first = waiting(rig)
    began = first.trigger.since
    for _ in range(3):
        rig.clock.move(300)
        with pytest.raises(TaskDeferred) as again:
            sensor.execute_complete(context, {"id": "x", "status": "unreachable"})
        assert again.value.trigger.until == pytest.approx(first.trigger.until)
        assert again.value.trigger.since == pytest.approx(began, abs=1), "its rests grow with the time it waits"
        assert not again.value.kwargs, "a test run of a DAG drops them"
    rig.clock.move(200)
    with pytest.raises(AirflowSensorTimeout, match="1000 s"):
        sensor.execute_complete(context, {"id": "x", "status": "unreachable"})


def test_a_retry_has_all_of_its_time(rig: Rig) -> None:
    sensor, _, first = waiting(rig)
    rig.clock.move(900)
    with pytest.raises(TaskDeferred) as again:
        sensor.execute(rig.context(task_id="wait"))
    assert again.value.trigger.until == pytest.approx(first.trigger.until + 900, abs=5)


FAILURES = [{"error": "Trigger failure", "traceback": ["it broke"]}, {"error": "Trigger timeout"}, None]


@pytest.mark.parametrize("why", FAILURES)
def test_a_trigger_that_fails_does_not_fail_what_is_waited_for(rig: Rig, why: dict[str, Any] | None) -> None:
    sensor, context, first = waiting(rig)
    rig.clock.move(100)
    with pytest.raises(TaskDeferred) as again:
        sensor.resume_execution(TRIGGER_FAILED, why, context)
    assert again.value.trigger.until == pytest.approx(first.trigger.until)
    rig.sandbox.set_job(sensor.generation_id, "completed")
    assert sensor.resume_execution(TRIGGER_FAILED, why, context)["status"] == "completed"


def test_a_trigger_that_always_fails_is_tried_less_and_less_and_not_beyond_the_deadline(rig: Rig) -> None:
    sensor, context, first = waiting(rig)
    times = 0
    with pytest.raises(AirflowSensorTimeout, match="1000 s"):
        while rig.clock.now() < first.trigger.until + 100:
            rig.clock.move(3)
            times += 1
            with pytest.raises(TaskDeferred):
                sensor.resume_execution(TRIGGER_FAILED, {"error": "Trigger failure"}, context)
    assert 5 < times < 40


@pytest.mark.parametrize("lenient", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("leg", ["first", "later", "after a failure"])
def test_a_refused_key_skips_a_lenient_sensor_on_every_leg(rig: Rig, lenient: str, leg: str) -> None:
    sensor, context, _ = waiting(rig)
    setattr(sensor, lenient, True)
    rig.sandbox.set_key("adsumo", status="revoked")
    legs = {
        "first": lambda: sensor.execute(context),
        "later": lambda: sensor.resume_execution("execute_complete", {"event": {"status": "failed"}}, context),
        "after a failure": lambda: sensor.resume_execution(TRIGGER_FAILED, {"error": "Trigger failure"}, context),
    }
    with pytest.raises(AirflowSkipException):
        legs[leg]()
