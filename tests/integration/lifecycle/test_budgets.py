# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Budgets, the spending switch and the report, with operators and hooks over HTTP against the sandbox."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.cli import definition
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import (
    AdGenError,
    BudgetExceeded,
    GenerationTimeout,
    InsufficientCredits,
    SpendingForbidden,
    WireError,
)
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.operators.adsumo import AdsumoTextToSpeechOperator, AdsumoVideoOperator
from airflow_provider_adgen.vendors.adsumo.requests import TextToImage
from tests.support.rig import IMAGE
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.rig import Rig

KIND = {"prompt": "A red bottle", "model": "fast", "aspect_ratio": "1:1"}


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(records="objects")


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def of(name: str = "adsumo_default", **limits: int) -> None:
        monkeypatch.setenv("AIRFLOW__ADGEN__BUDGETS", json.dumps({name: limits}))

    return of


def marks(rig: Rig) -> list[str]:
    """Return what the reservations say, in the order of their making."""
    names = sorted(path.name.split("_") for path in (rig.folder / "ledger" / "_spend").rglob("*_*.json"))
    return [
        f"{name[5]} {name[6]}" if name[5] in {"settled", "unknown"} else name[5] for name in names if len(name) == 8
    ]


# --- spending -----------------------------------------------------------------------------------------------------


def test_where_spending_is_forbidden_nothing_is_sent_or_intended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "forbidden")
    with pytest.raises(AirflowFailException, match=r"\[adgen\] spending is .*Nothing was sent or charged for it"):
        rig.run(rig.operator())
    assert rig.posts() == [] and rig.phases == []


def test_a_word_that_is_not_known_refuses(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "forbiden")
    with pytest.raises(AirflowFailException, match="'forbiden', which is none of allowed, sandbox, forbidden"):
        rig.run(rig.operator())
    assert rig.posts() == []


def test_sandbox_allows_this_machine(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "sandbox")
    assert rig.run(rig.operator())["status"] == "completed"


def test_what_is_paid_for_is_still_collected_and_stored(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.run(rig.operator(wait_for_completion=False))
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "forbidden")
    rig.retry()
    found = rig.run(rig.operator(destination=rig.destination))
    assert found["status"] == "completed" and found["creatives"][0]["sha256"]
    assert len(rig.charges) == 1


def test_a_voice_is_collected_by_its_key_because_that_is_documented_not_to_pay(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"text": "Hello", "voice_id": "EXAVITQu4vr4xnSDxMaL"}
    rig.run(rig.operator(AdsumoTextToSpeechOperator, **fields))
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "forbidden")
    rig.retry()
    assert rig.run(rig.operator(AdsumoTextToSpeechOperator, **fields))["status"] == "completed"
    assert len(rig.posts()) == 2 and len(rig.charges) == 1


def test_an_unresolved_submission_is_not_repeated(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, killed: Callable[[str], Any]
) -> None:
    with killed("before-post"):
        rig.run(rig.operator())
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "forbidden")
    rig.retry()
    rig.clock.move(100)
    with pytest.raises(AirflowFailException, match="spending"):
        rig.run(rig.operator())
    assert rig.posts() == [] and rig.phases == ["intent"]
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "allowed")
    rig.retry()
    rig.run(rig.operator())
    assert len(rig.charges) == 1


def test_a_hook_is_refused_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__SPENDING", "forbidden")
    with pytest.raises(SpendingForbidden):
        AdsumoHook().submit(TextToImage(**KIND))
    hook = AdsumoHook()
    hook.account()
    with pytest.raises(SpendingForbidden):  # whatever way the call takes
        hook.run_blocking(lambda wire: wire.call(hook.vendor.submit(TextToImage(**KIND), None)))
    assert rig.posts() == []
    assert AdsumoHook().get_credits().remaining is not None


# --- budgets ------------------------------------------------------------------------------------------------------


def test_a_task_is_paid_from_a_reservation(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=2)
    rig.run(rig.operator())
    assert marks(rig) == ["held", "intended", "settled 1"]
    (attempt,) = rig.record().attempts
    assert attempt.reservation is not None and attempt.host == rig.sandbox.host_for("adsumo").split("/")[2]
    rig.retry()
    rig.run(rig.operator())  # its result is recorded: nothing is reserved
    assert len(marks(rig)) == 3
    for _ in range(2):
        rig.clear()
        if len(rig.charges) < 2:
            rig.run(rig.operator())
    with pytest.raises(AirflowFailException, match=r"1 credit does not fit into the budget of 'adsumo_default'"):
        rig.run(rig.operator())
    assert len(rig.charges) == len(rig.posts()) == 2


def test_with_wait_it_goes_on_the_next_day(rig: Rig, budget: Callable[..., None], deferrable: bool) -> None:
    budget(day=1)
    rig.run(rig.operator(on_insufficient="wait"))
    before = rig.clock.now()
    rig.clear()
    rig.run(rig.operator(on_insufficient="wait", deferrable=deferrable))
    assert len(rig.charges) == 2
    assert before // 86400 < rig.clock.now() // 86400
    days = sorted(path.name for path in (rig.folder / "ledger" / "_spend").glob("*/*"))
    assert len(days) == 2


def test_nobody_waits_for_longer_than_allowed(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=1)
    rig.run(rig.operator())
    rig.clear()
    with pytest.raises(GenerationTimeout, match=r"not allowed to submit.*budget"):
        rig.run(rig.operator(on_insufficient="wait", submit_timeout=1))


def test_an_unknown_price_is_refused_unless_something_is_assumed(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=100)
    fields = {"prompt": "p", "model": "sora-2"}
    with pytest.raises(AirflowFailException, match="assume_credits"):
        rig.run(rig.operator(AdsumoVideoOperator, **fields))
    assert rig.phases == []
    rig.run(rig.operator(AdsumoVideoOperator, assume_credits=40, **fields))
    assert marks(rig) == ["held", "intended", "settled 40"]


def test_a_budget_without_a_ledger_refuses(make_rig: Callable[..., Rig], budget: Callable[..., None]) -> None:
    rig = make_rig(records="state")
    budget(day=100)
    with pytest.raises(AirflowFailException, match=r"ledger_path is not set.*Nothing was sent"):
        rig.run(rig.operator())
    assert rig.posts() == []


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ({"kind": "status", "status": 429, "retry_after": 1, "times": 1}, 1),
        ({"kind": "status", "status": 402, "times": 1}, 0),
        ({"kind": "status", "status": 400, "times": 1}, 0),
    ],
)
def test_a_refused_submission_holds_nothing(
    rig: Rig, budget: Callable[..., None], fault: dict[str, Any], left: int
) -> None:
    budget(day=10)
    rig.sandbox.fault(fault.pop("kind"), "adsumo", method="POST", **fault)
    try:
        rig.run(rig.operator())
    except (AdGenError, AirflowFailException):
        assert left == 0
    assert marks(rig)[:3] == ["held", "intended", "settled 0"]
    assert sum(int(one.split()[1]) for one in marks(rig) if " " in one) == left


def test_an_account_without_credits_holds_nothing_while_it_waits(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=10)
    rig.sandbox.set_credits("adsumo", 0)
    with pytest.raises((GenerationTimeout, InsufficientCredits, AirflowFailException)):
        rig.run(rig.operator(on_insufficient="wait", submit_timeout=10))
    assert marks(rig) == ["held", "intended", "settled 0"]


def test_an_answer_that_is_lost_is_repeated_from_the_same_reservation(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=1)
    rig.sandbox.fault("drop", "adsumo", method="POST", times=1)
    rig.run(rig.operator())
    assert len(rig.charges) == 1
    assert marks(rig) == ["held", "intended", "settled 1"]


@pytest.mark.parametrize("point", ["before-intent", "after-intent", "before-post", "before-record", "after-record"])
def test_who_dies_goes_on_within_the_budget(
    rig: Rig, budget: Callable[..., None], killed: Callable[[str], Any], point: str
) -> None:
    budget(day=1)
    with killed(point):
        rig.run(rig.operator())
    rig.retry()
    rig.clock.move(400)
    rig.run(rig.operator())
    assert len(rig.charges) == 1
    assert rig.record().attempts[-1].phase == "done"


def test_an_intent_whose_reservation_was_given_to_others_is_repeated_from_another(
    rig: Rig, budget: Callable[..., None], killed: Callable[[str], Any]
) -> None:
    budget(day=5)
    with killed("after-intent"):
        rig.run(rig.operator())
    # As if somebody had released it before the intent was written.
    for path in (rig.folder / "ledger" / "_spend").rglob("*_held_*.json"):
        name = path.name.replace("_0_held_", "_1_settled_")
        path.with_name(name).write_text("{}")
    rig.retry()
    rig.clock.move(100)
    rig.run(rig.operator())
    assert len(rig.charges) == 1
    assert marks(rig) == ["held", "settled 0", "held", "intended", "settled 1"]


def test_mapped_tasks_that_race_buy_exactly_what_the_budget_pays_for(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=10, month=1000)

    def run(number: int) -> str:
        context = task_context(None, map_index=number)
        try:
            return str(run_task(rig.operator(quantity=2), context)["status"])
        except AirflowFailException as error:
            return "exceeded" if "do not fit into the budget" in str(error) else str(error)

    with ThreadPoolExecutor(16) as threads:
        told = Counter(threads.map(run, range(16)))
    assert told == {"completed": 5, "exceeded": 11}
    assert sum(one["credits"] for one in rig.charges) == 10
    assert len(rig.posts()) == 5, "nobody was refused by the vendor"


# --- hooks --------------------------------------------------------------------------------------------------------


def test_a_hooks_submission_is_recorded_and_counted(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=2)
    AdsumoHook().submit(TextToImage(**KIND))
    with pytest.raises(BudgetExceeded):
        AdsumoHook().submit(TextToImage(**{**KIND, "quantity": 2}))
    rig.sandbox.fault("status", "adsumo", method="POST", status=400, times=1)
    with pytest.raises(AdGenError):
        AdsumoHook().submit(TextToImage(**KIND))
    rig.run(rig.operator())
    with pytest.raises(BudgetExceeded):
        AdsumoHook().submit(TextToImage(**KIND))
    assert len(rig.charges) == 2
    assert len(list((rig.folder / "ledger" / "_hooks").glob("*/*"))) == 2


async def test_an_asynchronous_hook_does_the_same(rig: Rig, budget: Callable[..., None]) -> None:
    budget(day=1)
    await AdsumoHook().asubmit(TextToImage(**KIND))
    with pytest.raises(BudgetExceeded):
        await AdsumoHook().asubmit(TextToImage(**KIND))
    rig.sandbox.fault("drop", "adsumo", method="POST", times=1)
    budget(day=2)
    with pytest.raises(WireError):
        await AdsumoHook().asubmit(TextToImage(**KIND))
    with pytest.raises(BudgetExceeded):  # nobody knows whether the other one was accepted: it stays counted
        await AdsumoHook().asubmit(TextToImage(**KIND))


# --- the report ---------------------------------------------------------------------------------------------------


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        definition.main(["report", "-o", "json", *words])
    assert caught.value.code == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_report_is_what_the_vendors_own_ledger_says(
    rig: Rig, promising: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Charges, a failure with a refund, a refusal, a hook's submission; and one that nobody knows of."""
    promising(refunded=frozenset({"failed"}))
    for number in range(3):
        rig.run(rig.operator(task_id="make"), map_index=number)
    rig.sandbox.fail_next("adsumo", refund=True)
    with pytest.raises(Exception, match="failed"):
        rig.run(rig.operator(), task_id="fails")
    rig.sandbox.fail_next("adsumo", refund=True)
    with pytest.raises(Exception, match="failed"):
        rig.run(rig.operator(quantity=3), task_id="again")
    rig.retry()
    rig.run(rig.operator(quantity=3), task_id="again")
    rig.sandbox.fault("status", "adsumo", method="POST", status=400, times=1)
    with pytest.raises(AirflowFailException):
        rig.run(rig.operator(), task_id="refused")
    AdsumoHook().submit(TextToImage(**KIND))
    charged = sum(one["credits"] for one in rig.charges)
    refunded = sum(one["credits"] for one in rig.sandbox.refunds)
    assert (charged, refunded) == (3 + 1 + 3 + 3 + 1, 4)
    (row,) = rows(capsys, "--by", "conn")
    assert (row["charged"], row["refunded"], row["purchases"]) == (charged, refunded, 7)
    assert row["estimated"] == row["quoted"] == charged, "Adsumo does not tell what it charges"
    assert row["unknown"] == 0
    rig.sandbox.fault("drop", "adsumo", method="POST", times=1)
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator(), task_id="lost")
    (row,) = rows(capsys, "--by", "vendor")
    assert (row["unknown"], row["unknown_credits"]) == (1, 1)
    assert row["charged"] + row["unknown_credits"] == sum(one["credits"] for one in rig.charges)
    by_task = {(one["dag"], one["task"]): one["charged"] for one in rows(capsys, "--by", "task")}
    assert by_task == {
        ("(hook)", "(hook)"): 1,
        ("campaign", "again"): 6,
        ("campaign", "fails"): 1,
        ("campaign", "lost"): 0,
        ("campaign", "make"): 3,
    }


def test_credits_of_two_accounts_are_never_added_up(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.connect("other")
    rig.run(rig.operator())
    rig.run(rig.operator(conn_id="other", **IMAGE), task_id="second")
    found = rows(capsys, "--by", "dag")
    assert [(one["dag"], one["conn_id"], one["charged"]) for one in found] == [
        ("campaign", "adsumo_default", 1),
        ("campaign", "other", 1),
    ]
