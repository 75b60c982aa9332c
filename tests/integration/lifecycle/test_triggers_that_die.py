# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The trigger of a paid job dies, or is told late: the worker asks the vendor and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import TRIGGER_FAILED, AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
from tests.support.tasks import first_event

if TYPE_CHECKING:
    from tests.support.rig import Rig


def submitted(rig: Rig, **fields: Any) -> tuple[Any, dict[str, Any], TaskDeferred]:
    """Run the first leg of a deferrable task."""
    operator, context = rig.operator(deferrable=True, **fields), rig.context()
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context)
    return operator, context, caught.value


def failing(operator: Any, context: dict[str, Any], why: str = "Trigger timeout") -> Any:
    return operator.resume_execution(TRIGGER_FAILED, {"error": why}, context)


def test_the_word_is_airflows_own() -> None:
    try:
        from airflow.sdk.definitions._internal.types import TRIGGER_FAIL_REPR
    except ImportError:
        from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
    assert TRIGGER_FAIL_REPR == TRIGGER_FAILED


@pytest.mark.parametrize("why", ["Trigger timeout", "Trigger failure", "unknown"])
def test_a_job_that_ended_meanwhile_is_delivered(anywhere: Rig, why: str) -> None:
    operator, context, _ = submitted(anywhere, destination=anywhere.destination)
    anywhere.clock.move(60)
    result = failing(operator, context, why)
    assert result["status"] == "completed" and result["creatives"][0]["uri"]
    assert len(anywhere.charges) == 1


def test_a_job_that_still_runs_is_waited_for_again(anywhere: Rig) -> None:
    anywhere.sandbox.settings(adsumo={"job_seconds": 600})
    operator, context, first = submitted(anywhere)
    with pytest.raises(TaskDeferred) as again:
        failing(operator, context)
    assert again.value.trigger.serialize()[1]["job_ids"] == first.trigger.serialize()[1]["job_ids"]
    assert len(anywhere.charges) == 1


def test_a_job_that_failed_is_told(anywhere: Rig) -> None:
    anywhere.sandbox.fail_next("adsumo", message="content policy")
    operator, context, _ = submitted(anywhere)
    anywhere.clock.move(60)
    with pytest.raises(GenerationFailed):
        failing(operator, context)
    assert len(anywhere.charges) == 1


def test_the_deadline_holds_however_often_the_trigger_dies(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 1e9})
    operator, context, first = submitted(rig, timeout=1000)
    for _ in range(3):
        rig.clock.move(200)
        with pytest.raises(TaskDeferred) as again:
            failing(operator, context)
    until = again.value.trigger.until
    assert until == pytest.approx(first.trigger.until)
    assert again.value.timeout.total_seconds() == pytest.approx(until - rig.clock.now() + 120, abs=5)
    rig.clock.move(200)
    with pytest.raises(GenerationTimeout):
        failing(operator, context)
    assert len(rig.charges) == 1


def test_a_trigger_that_always_dies_is_tried_again_less_and_less(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 1e9})
    operator, context, _ = submitted(rig, timeout=7200, poll_interval=30)
    began, times = rig.clock.now(), 0
    while rig.clock.now() < began + 3600:
        rig.clock.move(3)  # what Airflow takes from deferral to failure
        with pytest.raises(TaskDeferred):
            failing(operator, context)
        times += 1
    assert times < 40, "not every few seconds"
    assert len(rig.charges) == 1


@pytest.mark.parametrize("records", ["none", "state"])
def test_a_vendor_that_only_the_triggerer_cannot_reach_is_tried_less_and_less(
    make_rig: Callable[..., Rig], records: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(records=records)
    rig.sandbox.settings(adsumo={"job_seconds": 1e9})
    operator, context, first = submitted(rig, timeout=7200)

    async def unreadable(*_args: Any, **_more: Any) -> Any:
        raise RuntimeError("the secrets backend does not answer here")

    monkeypatch.setattr("airflow_provider_adgen.triggers.connection.LiveConnection.look_up", unreadable)
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    deferral, fires = first, 0
    while rig.clock.now() < first.trigger.since + 3600:
        rig.clock.move(3)
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", nap)
            event = asyncio.run(first_event(deferral.trigger))
        assert event["status"] == "unreachable"
        rig.clock.move(naps[-1])
        fires += 1
        with pytest.raises(TaskDeferred) as again:
            operator.execute_complete(context, event)
        deferral = again.value
        assert deferral.trigger.until == pytest.approx(first.trigger.until), "its deadline is kept"
    assert 5 < fires < 40 and max(naps) == 300
    assert len(rig.charges) == 1


def test_airflows_own_timeout_comes_after_the_triggers(rig: Rig) -> None:
    _, _, deferral = submitted(rig, timeout=1000)
    until = deferral.trigger.serialize()[1]["until"] - rig.clock.now()
    assert until == pytest.approx(1000, abs=5)
    assert deferral.timeout.total_seconds() > until + 60
    assert not deferral.kwargs, "a test run of a DAG drops them"


@pytest.mark.parametrize("status", ["completed", "timeout", "unreachable", "failed", "whatever", ""])
def test_an_events_word_is_not_believed_but_asked_after(rig: Rig, status: str) -> None:
    operator, context, _ = submitted(rig)
    rig.clock.move(60)
    job = rig.charges[0]["job_id"]
    assert operator.execute_complete(context, {"id": job, "status": status})["status"] == "completed"
    assert len(rig.charges) == 1


def test_an_event_of_another_shape_is_survived(rig: Rig) -> None:
    for event in (None, {}, {"status": "x"}):
        operator, context, _ = submitted(rig)
        rig.clock.move(60)
        assert operator.execute_complete(context, event)["status"] == "completed"
        rig.clear()
    assert len(rig.charges) == 3


def test_a_submission_that_waits_for_a_rate_limit_and_whose_trigger_dies_submits_once(anywhere: Rig) -> None:
    # On a slow machine the worker may wait for a moment before it defers; the job must not end within that.
    anywhere.sandbox.settings(adsumo={"job_seconds": 1e6})
    anywhere.sandbox.fault("status", "adsumo", method="POST", status=429, retry_after=600)
    operator, context, deferral = submitted(anywhere)
    assert "SubmitQueueTrigger" in deferral.trigger.serialize()[0]
    anywhere.clock.move(700)
    with pytest.raises(TaskDeferred):
        failing(operator, context)
    assert len(anywhere.charges) == 1


def test_a_key_that_was_changed_while_it_waited(rig: Rig) -> None:
    operator, context, _ = submitted(rig)
    rig.clock.move(60)
    rig.sandbox.set_key("adsumo", status="revoked")
    rig.connect(password=rig.sandbox.add_account("adsumo", "team", key="adsumo_sk_rotated"))
    job = rig.charges[0]["job_id"]
    assert operator.execute_complete(context, {"id": job, "status": "completed"})["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_trigger_that_meets_a_changed_key_reads_the_connection_again(rig: Rig) -> None:
    _, _, deferral = submitted(rig)
    rig.sandbox.set_key("adsumo", status="revoked")
    rig.connect(password=rig.sandbox.add_account("adsumo", "team", key="adsumo_sk_rotated"))
    event = asyncio.run(asyncio.wait_for(first_event(deferral.trigger), 10))
    assert event == {"id": rig.charges[0]["job_id"], "status": "completed"}


def test_a_waiting_worker_that_meets_a_changed_key_reads_the_connection_again(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 300})
    sleep = rig.clock.sleep

    def rotate(seconds: float) -> None:
        sleep(seconds)
        number = len(rig.clock.slept)
        if number in {2, 4}:
            old = "adsumo_sk_sandbox" if number == 2 else "adsumo_sk_2"
            key = rig.sandbox.add_account("adsumo", "team", key=f"adsumo_sk_{number}")
            rig.sandbox.set_key("adsumo", key=old, status="revoked")
            rig.connect(password=key)

    rig.patch.setattr("time.sleep", rotate)
    assert rig.run(rig.operator(poll_interval=50))["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_key_that_is_gone_for_good_leaves_the_job_to_a_later_try(rig: Rig, deferrable: bool) -> None:
    # Nothing is lost: whoever puts the key right and clears the task gets the job that is paid for.
    rig.sandbox.settings(adsumo={"job_seconds": 1})
    operator, context, _ = submitted(rig)
    rig.sandbox.set_key("adsumo", status="revoked")
    with pytest.raises(AirflowFailException, match="401"):
        operator.execute_complete(context, {"id": rig.charges[0]["job_id"], "status": "unreachable"})
    rig.sandbox.set_key("adsumo", status="active")
    rig.clear()
    assert rig.run(rig.operator(deferrable=deferrable))["status"] == "completed"
    assert len(rig.charges) == 1


def test_without_a_record_the_trigger_carries_what_is_paid_for(
    make_rig: Callable[..., Rig], promising: Callable[..., None]
) -> None:
    promising()
    rig = make_rig(records="none")
    assert rig.run(rig.operator(deferrable=True))["status"] == "completed"
    assert len(rig.charges) == 1
