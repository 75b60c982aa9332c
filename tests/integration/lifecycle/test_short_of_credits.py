# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Every vendor's 402: it fails at once, or is waited out, and it never spends anything that was not meant to be."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.lifecycle import submit_window
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.triggers.credits import CreditTrigger
from tests.support.tasks import first_event

if TYPE_CHECKING:
    from tests.support.rig import Rig

REQUESTS: dict[str, dict[str, Any]] = {
    "adsumo": {"kind": "text-to-image", "prompt": "a shoe", "model": "pro", "aspect_ratio": "1:1", "resolution": "4k"},
    "cutx": {"kind": "video", "script": "Shoes. Now."},
    "sume": {"kind": "image", "prompt": "a shoe"},
    "cinematicads": {"kind": "workflow", "workflow_type": "factory", "url": "https://example.com/shoe"},
}


@pytest.fixture(params=sorted(REQUESTS))
def vendor(request: pytest.FixtureRequest, rig: Rig) -> str:
    name: str = request.param
    connect(rig, name)
    rig.sandbox.set_credits(name, 0)
    return name


def connect(rig: Rig, vendor: str) -> None:
    rig.patch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", rig.sandbox.connection_json(vendor))


def operator(vendor: str, **options: Any) -> GenerateOperator:
    request = dict(REQUESTS[vendor])
    if vendor == "cutx":
        hook = CutxHook()
        request["project_id"] = next(iter(hook.list_projects())).id
        request["product_id"] = next(iter(hook.list_products(request["project_id"]))).id
    return GenerateOperator(task_id="make", conn_id=f"{vendor}_default", request=request, poll_interval=0.05, **options)


def refused(rig: Rig, vendor: str) -> int:
    return [one["status"] for one in rig.sandbox.requests(vendor, method="POST")].count(402)


def test_it_fails_at_once(rig: Rig, vendor: str, deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match=r"answered 402 ") as caught:
        rig.run(operator(vendor, deferrable=deferrable))
    # Said where the vendor says it.
    assert ("Nothing was started" in str(caught.value)) == (vendor in {"adsumo", "cutx"})
    assert rig.charges == [] and rig.phases == ["withdrawn"] and refused(rig, vendor) == 1


def test_it_waits_until_the_balance_suffices(rig: Rig, vendor: str, deferrable: bool) -> None:
    task = operator(vendor, deferrable=deferrable, on_insufficient="wait")
    if deferrable:
        rig.patch.setattr(submit_window, "CREDIT_PAUSE", 0.1)
        timer = threading.Timer(0.5, rig.sandbox.set_credits, (vendor, 100))
        timer.start()
        try:
            result = rig.run(task)
        finally:
            timer.join()
    else:
        sleep = rig.clock.sleep

        def top_up(seconds: float) -> None:
            sleep(seconds)
            if len(rig.clock.slept) == 3:
                rig.sandbox.set_credits(vendor, 100)

        rig.patch.setattr("time.sleep", top_up)
        result = rig.run(task)
    assert result["status"] == "completed" and len(rig.charges) == 1
    assert refused(rig, vendor) == 1, "the balance is asked for, not the submission tried"


def test_a_trial_that_is_over_is_not_waited_out(rig: Rig, deferrable: bool) -> None:
    connect(rig, "cinematicads")
    rig.sandbox.set_account("cinematicads", data={"trial_expired": True})
    with pytest.raises(AirflowFailException, match=r"Trial expired.*waiting for credits would not help"):
        rig.run(operator("cinematicads", deferrable=deferrable, on_insufficient="wait"))
    assert rig.charges == [] and refused(rig, "cinematicads") == 2 and set(rig.phases) == {"withdrawn"}


def test_a_trial_that_is_over_is_told_after_the_top_up_that_did_not_help(rig: Rig) -> None:
    connect(rig, "cinematicads")
    rig.sandbox.set_account("cinematicads", data={"trial_expired": True})
    rig.sandbox.set_credits("cinematicads", 0)
    task = operator("cinematicads", deferrable=True, on_insufficient="wait")
    with pytest.raises(TaskDeferred) as caught:
        task.execute(rig.context())
    assert isinstance(caught.value.trigger, CreditTrigger) and caught.value.trigger.required == 3
    rig.sandbox.set_credits("cinematicads", 3)
    with pytest.raises(AirflowFailException, match="Trial expired"):
        task.execute_complete(rig.last_context, {"id": "", "status": "enough"})


def waiting(required: int = 5, **fields: Any) -> CreditTrigger:
    given = {"conn_id": "adsumo_default", "poll_interval": 0.5, "since": 0.0, "until": 1e11, "first_fire_delay": 0.0}
    return CreditTrigger(required=required, **(given | fields))


@pytest.mark.parametrize("claims", [False, True])
async def test_a_hundred_who_wait_ask_about_twice_an_interval(rig: Rig, claims: bool) -> None:
    rig.sandbox.set_credits("adsumo", 0)
    waiters = [asyncio.create_task(first_event(waiting(5 + number, claims=claims))) for number in range(100)]
    await asyncio.sleep(2.0)
    asked = len(rig.sandbox.requests("adsumo", method="GET"))
    assert 2 <= asked <= 12, "in four intervals"
    for one in waiters:
        one.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)


async def test_only_as_many_are_let_go_as_the_balance_pays_for(rig: Rig) -> None:
    rig.sandbox.set_credits("adsumo", 17)
    waiters = [asyncio.create_task(first_event(waiting(5, claims=True))) for _ in range(10)]
    done, rest = await asyncio.wait(waiters, timeout=2.0)
    assert len(done) == 3 and {one.result()["status"] for one in done} == {"enough"}
    for one in rest:
        one.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def test_who_only_looks_claims_nothing(rig: Rig) -> None:
    rig.sandbox.set_credits("adsumo", 5)
    found = await asyncio.gather(*(first_event(waiting(5)) for _ in range(10)))
    assert {one["status"] for one in found} == {"enough"}


def test_what_a_failed_submission_cost_and_gave_back_is_in_the_result(rig: Rig) -> None:
    from airflow_provider_adgen.core.errors import GenerationFailed

    connect(rig, "cutx")
    rig.sandbox.fail_next("cutx")
    task = operator("cutx", deferrable=False)
    with pytest.raises(GenerationFailed):
        rig.run(task)
    rig.retry()
    result = rig.run(task)
    assert result["credits"] == {"quoted": 40, "charged": 80, "refunded": 40}
    assert result["details"]["earlier_submissions"] == 1
    assert rig.spent == 40 and sum(one["credits"] for one in rig.charges) == 80
    rig.clear()
    assert rig.run(task)["credits"]["charged"] == 40, "a cleared task intends another one"


def test_a_refused_repeat_is_settled_by_the_same_key_after_a_top_up(rig: Rig, deferrable: bool) -> None:
    connect(rig, "adsumo")
    rig.sandbox.fault("drop", "adsumo", method="POST")
    rig.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    for tries in (3, 4, 5, 6):
        with pytest.raises(AirflowFailException, match="It was sent again with the same idempotency key") as caught:
            rig.run(operator("adsumo", deferrable=deferrable))
        assert refused(rig, "adsumo") == tries, "three times, and then once in each try"
        assert "Top up the account" in str(caught.value) and "clear the task before 20" in str(caught.value)
        assert rig.phases == ["intent"]
        rig.clock.move(600)
        rig.clear()
    rig.sandbox.clear_faults()
    assert rig.run(operator("adsumo", deferrable=deferrable))["id"] == rig.charges[0]["job_id"]
    assert len(rig.charges) == 1
