# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Checking that an account can pay, in every mode; nothing is reserved and nothing is charged."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import TRIGGER_FAILED, AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_provider_adgen.core.errors import ServerError
from airflow_provider_adgen.core.vocabulary import CreditBalance
from airflow_provider_adgen.operators.credits import CreditCheckOperator

if TYPE_CHECKING:
    from tests.support.rig import Rig

PRO = {"kind": "text-to-image", "prompt": "p", "model": "pro", "aspect_ratio": "1:1", "resolution": "4k"}
FAST = {"kind": "text-to-image", "prompt": "p", "model": "fast", "aspect_ratio": "1:1"}
VIDEO = {"kind": "ai-video", "model": "sora-2", "prompt": "p"}


def check(rig: Rig, **fields: Any) -> dict[str, Any]:
    given = {"task_id": "gate", "conn_id": "adsumo_default", "deferrable": False, **fields}
    found: dict[str, Any] = rig.run(CreditCheckOperator(**given))
    return found


@pytest.fixture
def rig(rig: Rig) -> Any:
    rig.sandbox.set_credits("adsumo", 10)
    yield rig
    assert rig.charges == []
    assert {one["method"] for one in rig.sandbox.requests("adsumo")} <= {"GET"}


@pytest.mark.parametrize("required", [10, "10", 0])
def test_enough(rig: Rig, required: Any) -> None:
    report = check(rig, required=required)
    assert report == {
        "remaining": 10,
        "required": int(required),
        "unpriced": 0,
        "sufficient": True,
        "requests": [],
        "affordable": [],
    }


@pytest.mark.parametrize("required", [11, "11", 10**9])
def test_not_enough_fails_in_one_sentence(rig: Rig, required: Any) -> None:
    with pytest.raises(
        AirflowFailException, match=f"^{required} credits are needed at Adsumo and 10 remain. Nothing was"
    ):
        check(rig, required=required)


def test_a_reserve_must_be_left_over(rig: Rig) -> None:
    assert check(rig, required=7, reserve="3")["sufficient"]
    with pytest.raises(AirflowFailException, match="7 credits are needed"):
        check(rig, required=7, reserve=4)


def test_a_plan_is_priced_from_the_documented_prices(rig: Rig) -> None:
    report = check(rig, requests=[PRO, {**FAST, "quantity": "2"}])
    assert (report["required"], report["sufficient"]) == (6, True)
    assert [(one["kind"], one["price"], one["affordable"]) for one in report["requests"]] == [
        ("text-to-image", 4, True),
        ("text-to-image", 2, True),
    ]
    assert report["affordable"] == [PRO, {**FAST, "quantity": "2"}], "as they were passed in"
    assert json.loads(json.dumps(report)) == report


def test_an_undocumented_price_is_refused_unless_assumed(rig: Rig) -> None:
    with pytest.raises(AirflowFailException, match=r"Request 1 of the plan \(ai-video\) has no documented price"):
        check(rig, requests=[PRO, VIDEO])
    assert check(rig, requests=[PRO, VIDEO], assume_credits="6")["required"] == 10
    with pytest.raises(AirflowFailException, match="11 credits"):
        check(rig, requests=[PRO, VIDEO], assume_credits=7)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Give either required or requests"),
        ({"required": 1, "requests": []}, "Give either required or requests"),
        ({"required": "many"}, "required must be a whole number"),
        ({"required": -1}, "required must not be negative"),
        ({"required": 1, "reserve": "x"}, "reserve must be a whole number"),
        ({"required": 1, "on_unknown_price": "guess"}, "on_unknown_price must be one of"),
        ({"required": 1, "on_unknown_balance": "guess"}, "on_unknown_balance must be one of"),
        ({"required": 1, "on_insufficient": "beg"}, "on_insufficient must be one of"),
        ({"requests": [PRO, {**PRO, "quantity": 9}]}, "Request 1 of the plan: Invalid text-to-image request: quantity"),
        ({"requests": [{"prompt": "p"}]}, "Request 0 of the plan: A request needs a"),
        ({"requests": [PRO], "assume_credits": "x"}, "assume_credits must be a whole number"),
    ],
)
def test_a_wrong_plan_is_refused_before_anything_is_sent(rig: Rig, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match="Nothing was sent") as caught:
        check(rig, **fields)
    assert said in str(caught.value)
    assert rig.sandbox.requests("adsumo") == []


def test_an_assumed_price_is_told_from_a_documented_one(rig: Rig) -> None:
    report = check(rig, requests=[PRO, VIDEO], assume_credits=6)
    assert [(one["price"], one["assumed"]) for one in report["requests"]] == [(4, False), (6, True)]


def test_a_price_that_is_not_known_is_never_nothing(rig: Rig, diary: Any) -> None:
    report = check(rig, requests=[PRO, VIDEO, FAST], on_unknown_price="allow")
    assert (report["required"], report["unpriced"], report["sufficient"]) == (5, 1, None)
    assert [(one["price"], one["affordable"]) for one in report["requests"]] == [(4, True), (None, None), (1, True)]
    assert report["affordable"] == [PRO, VIDEO, FAST]
    assert "1 request of the plan has no known price" in diary.text()
    with pytest.raises(AirflowFailException, match="12 credits are needed"):
        check(rig, requests=[PRO, PRO, PRO, VIDEO], on_unknown_price="allow")
    report = check(rig, requests=[VIDEO, PRO, PRO, PRO, VIDEO], on_unknown_price="allow", on_insufficient="trim")
    assert report["affordable"] == [VIDEO, PRO, PRO]
    assert [one["affordable"] for one in report["requests"]] == [None, True, True, False, False]


def test_an_empty_plan_is_affordable(rig: Rig) -> None:
    assert check(rig, requests=[])["sufficient"]


def test_skip(rig: Rig) -> None:
    with pytest.raises(AirflowSkipException, match="11 credits are needed"):
        check(rig, required=11, on_insufficient="skip")
    assert check(rig, required=10, on_insufficient="skip")["sufficient"]


def test_trim_goes_on_with_what_fits_in_the_order_given(rig: Rig) -> None:
    report = check(rig, requests=[PRO, PRO, PRO, FAST], on_insufficient="trim")
    assert report["affordable"] == [PRO, PRO]
    assert [one["affordable"] for one in report["requests"]] == [True, True, False, False]
    assert not report["sufficient"]
    assert check(rig, requests=[PRO, FAST], on_insufficient="trim")["affordable"] == [PRO, FAST]


def test_trim_obeys_the_reserve(rig: Rig) -> None:
    assert len(check(rig, requests=[FAST] * 20, reserve=4, on_insufficient="trim")["affordable"]) == 6


@pytest.mark.parametrize("fields", [{"requests": [{**PRO, "quantity": 8}]}, {"required": 11}])
def test_trim_skips_where_nothing_fits(rig: Rig, fields: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException):
        check(rig, on_insufficient="trim", **fields)


def test_wait_on_the_worker(rig: Rig) -> None:
    sleep = rig.clock.sleep

    def top_up(seconds: float) -> None:
        sleep(seconds)
        if len(rig.clock.slept) == 3:
            rig.sandbox.set_credits("adsumo", 50)

    rig.patch.setattr("time.sleep", top_up)
    assert check(rig, required=20, on_insufficient="wait", poll_interval=timedelta(seconds=30))["remaining"] == 50
    assert rig.clock.slept == pytest.approx([30.0] * 3, rel=0.07)


def test_wait_in_the_triggerer(rig: Rig) -> None:
    timer = threading.Timer(0.3, rig.sandbox.set_credits, ("adsumo", 50))
    timer.start()
    try:
        report = check(rig, required=20, on_insufficient="wait", deferrable=True, poll_interval=0.05)
    finally:
        timer.join()
    assert report["remaining"] == 50


def test_wait_counts_the_reserve(rig: Rig) -> None:
    with pytest.raises(TaskDeferred) as caught:
        CreditCheckOperator(
            task_id="g", conn_id="adsumo_default", required=20, reserve=5, on_insufficient="wait", deferrable=True
        ).execute(rig.context())
    path, kwargs = caught.value.trigger.serialize()
    assert path.endswith("triggers.credits.CreditTrigger") and kwargs["required"] == 25
    assert "adsumo_sk" not in json.dumps(kwargs)
    assert caught.value.timeout.total_seconds() > 86400


@pytest.mark.parametrize("deferrable", [False, True])
def test_wait_ends(rig: Rig, deferrable: bool) -> None:
    timing: dict[str, Any] = {"timeout": 0.3, "poll_interval": 0.05} if deferrable else {"timeout": 300}
    with pytest.raises(AirflowFailException, match="20 credits are needed at Adsumo and 10 remain"):
        check(rig, required=20, on_insufficient="wait", deferrable=deferrable, **timing)
    assert rig.clock.ahead <= 300


@pytest.mark.parametrize("on_insufficient", ["fail", "skip", "wait", "trim"])
def test_a_vendor_that_does_not_tell_is_not_guessed_at(
    rig: Rig, on_insufficient: str, monkeypatch: pytest.MonkeyPatch, diary: Any
) -> None:
    from airflow_provider_adgen.vendors.adsumo import VENDOR, api

    call = api.get_credits()
    silent = type(call)(method="GET", path=call.path, endpoint=call.endpoint, parse=lambda _answer: CreditBalance())
    monkeypatch.setattr(VENDOR, "credits", lambda: silent)
    report = check(rig, requests=[PRO, PRO], on_insufficient=on_insufficient)
    assert report["remaining"] is None and report["sufficient"] is None and len(report["affordable"]) == 2
    assert [one["affordable"] for one in report["requests"]] == [None, None]
    assert "does not tell its balance" in diary.text()
    with pytest.raises(AirflowFailException, match="Adsumo does not tell its balance"):
        check(rig, requests=[PRO], on_insufficient=on_insufficient, on_unknown_balance="fail")


def test_a_refused_key_fails_and_a_vendor_in_trouble_is_tried_again(rig: Rig) -> None:
    rig.sandbox.fault("status", "adsumo", method="GET", status=500, times=2)
    assert check(rig, required=1)["sufficient"]
    rig.sandbox.fault("status", "adsumo", method="GET", status=500, times=-1)
    with pytest.raises(ServerError):
        check(rig, required=1)
    rig.sandbox.clear_faults()
    rig.connect(password="adsumo_sk_wrong")
    with pytest.raises(AirflowFailException, match="401"):
        check(rig, required=1)


def test_templates(rig: Rig) -> None:
    operator = CreditCheckOperator(
        task_id="g",
        conn_id="{{ params.conn }}",
        requests=[{**PRO, "quantity": "{{ params.quantity }}"}],
        reserve="{{ params.reserve }}",
    )
    params = {"conn": "adsumo_default", "quantity": 2, "reserve": 2}
    operator.render_template_fields({**rig.context(), "params": params})
    assert rig.run(operator)["required"] == 8


def test_it_can_be_mapped_over() -> None:
    from airflow.sdk import DAG

    with DAG("d", schedule=None, default_args={"conn_id": "c", "on_insufficient": "skip"}):
        mapped = CreditCheckOperator.partial(task_id="m").expand(required=[1, 2])
        one = mapped.unmap({"required": 2})
    assert (one.conn_id, one.on_insufficient, one.required) == ("c", "skip", 2)


# --- one timeout over all legs, and triggers that die -----------------------------------------------------------------


def deferred(rig: Rig, **fields: Any) -> tuple[CreditCheckOperator, dict[str, Any], TaskDeferred]:
    given = {"task_id": "g", "conn_id": "adsumo_default", "required": 20, "on_insufficient": "wait", **fields}
    operator = CreditCheckOperator(deferrable=True, **given)
    context = rig.context()
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context)
    return operator, context, caught.value


def test_the_timeout_is_counted_from_the_first_leg(rig: Rig) -> None:
    operator, context, first = deferred(rig, timeout=1000)
    for _ in range(3):
        rig.clock.move(300)
        with pytest.raises(TaskDeferred) as again:
            operator.execute_complete(context, {"id": "", "status": "enough"})
        assert again.value.trigger.until == pytest.approx(first.trigger.until, abs=1)
    rig.clock.move(150)
    with pytest.raises(AirflowFailException, match="20 credits are needed"):
        operator.execute_complete(context, {"id": "", "status": "unreachable"})


def test_a_retry_has_all_of_its_time(rig: Rig) -> None:
    operator, _, first = deferred(rig, timeout=1000)
    rig.clock.move(900)
    with pytest.raises(TaskDeferred) as again:
        operator.execute(rig.context())
    assert again.value.trigger.until == pytest.approx(first.trigger.until + 900, abs=5)


@pytest.mark.parametrize("why", [{"error": "Trigger failure", "traceback": ["it broke"]}, {"error": "timeout"}, None])
def test_a_trigger_that_fails_does_not_fail_the_check(rig: Rig, why: dict[str, Any] | None) -> None:
    operator, context, first = deferred(rig, timeout=1000)
    with pytest.raises(TaskDeferred) as again:
        operator.resume_execution(TRIGGER_FAILED, why, context)
    assert again.value.trigger.until == pytest.approx(first.trigger.until, abs=1)
    rig.sandbox.set_credits("adsumo", 50)
    assert operator.resume_execution(TRIGGER_FAILED, why, context)["remaining"] == 50
