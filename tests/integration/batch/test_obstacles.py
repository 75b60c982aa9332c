# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Choices of which it is known before the batch that they cannot be sent in this try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.lifecycle.batch.failure import BatchFailed
from tests.support.batch import item, items

if TYPE_CHECKING:
    from tests.support.batch import BatchRig

REFUSED = {"reason": "CutX cannot read the page of product P-2.", "moves": True, "retry_helps": False}
OUT = {"reason": "CutX answered 503.", "moves": False, "retry_helps": True}


def with_obstacle(given: dict[str, Any], obstacle: dict[str, Any], at: int = 0) -> dict[str, Any]:
    """Return an item whose choice waits for an id of the vendor's, and does not get it."""
    told = given["choices"][at]
    request = {"kind": "product-shots", "product_id": {"of_product": "P-2"}, "style_id": "a", "model": "fast"}
    if told["conn_id"].startswith("adsumo"):
        told["request"] = {**request, "aspect_ratio": "1:1"}
    told["obstacle"] = obstacle
    return given


def test_a_refused_choice_is_passed_over(batch: BatchRig) -> None:
    given = [*items(2, "adsumo", "sume"), with_obstacle(item("bad", "adsumo", "sume"), REFUSED)]
    told = batch.run(batch.batch(given))
    assert told["counts"]["completed"] == 3
    # The number of a choice is that of the item's own list, whatever cannot be sent.
    assert [batch.lines()[one["key"]]["choice"] for one in given] == [0, 0, 1]
    assert batch.lines()["bad"]["conn_id"] == "sume_default"
    assert len(batch.charges) == 3


def test_an_item_without_another_choice_is_refused(batch: BatchRig) -> None:
    given = [*items(2), with_obstacle(item("bad"), REFUSED)]
    with pytest.raises(AirflowFailException, match="2 completed, 1 refused"):
        batch.run(batch.batch(given))
    assert batch.lines()["bad"]["reason"] == REFUSED["reason"]
    assert batch.statuses()["bad"] == "refused"
    assert len(batch.charges) == len(batch.files()) == 2


@pytest.mark.parametrize("fail_when", ["any", 0.9])
def test_an_outage_moves_nothing_and_a_retry_goes_on(batch: BatchRig, fail_when: Any) -> None:
    given = [*items(2, "adsumo", "sume"), with_obstacle(item("late", "adsumo", "sume"), OUT)]
    with pytest.raises(BatchFailed, match="2 completed, 1 waiting") as stopped:
        batch.run(batch.batch(given, fail_when=fail_when))
    assert stopped.value.retry_helps
    assert batch.lines()["late"]["reason"] == "Nothing was submitted: CutX answered 503."
    assert batch.lines()["late"]["conn_id"] == "adsumo_default"
    assert batch.sandbox.requests("sume", method="POST") == []
    batch.retry()
    told = batch.run(batch.batch([*given[:2], item("late", "adsumo", "sume")], fail_when=fail_when))
    assert told["counts"]["completed"] == len(batch.charges) == 3


def test_a_retry_is_not_promised_to_help_where_it_cannot(batch: BatchRig) -> None:
    given = [item("a"), with_obstacle(item("late"), {**OUT, "retry_helps": False})]
    with pytest.raises(AirflowFailException, match="1 completed, 1 waiting"):
        batch.run(batch.batch(given))


def test_a_later_choice_that_cannot_be_sent_disturbs_nobody(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "sume", method="POST", status=400, times=1, message="This prompt is not allowed")
    given = [with_obstacle(item(f"p-{number}", "sume", "adsumo"), OUT, 1) for number in range(3)]
    with pytest.raises(BatchFailed, match="2 completed, 1 waiting"):
        batch.run(batch.batch(given))
    (late,) = [line for line in batch.lines().values() if line["status"] == "waiting"]
    assert (late["choice"], late["conn_id"]) == (1, "adsumo_default")
    assert {one["vendor"] for one in batch.charges} == {"sume"}


def test_what_is_paid_for_is_collected_whatever_cannot_be_sent_now(batch: BatchRig) -> None:
    given = items(3, "adsumo", "sume")
    with pytest.raises(TaskDeferred):
        batch.batch(given).execute(batch.context())
    assert len(batch.charges) == 3
    batch.retry()
    now = [with_obstacle({**one, "choices": [*reversed(one["choices"])]}, REFUSED, 0) for one in given]
    told = batch.run(batch.batch(now))
    assert told["counts"]["completed"] == len(batch.charges) == len(batch.files()) == 3
    assert {line["choice"] for line in batch.lines().values()} == {1}


def test_no_failure_moves_an_item_to_a_choice_that_is_refused(batch: BatchRig) -> None:
    """CutX refunds what fails. What is left of the choices was tried: it is for the next try."""
    batch.sandbox.fail_next("cutx")
    from airflow_provider_adgen.hooks.cutx import CutxHook

    hook = CutxHook()
    (project,) = hook.list_projects()
    (product,) = hook.list_products(project.id)
    image = {"kind": "static-ad", "project_id": project.id, "product_id": product.id}
    given = with_obstacle(item("p", "adsumo"), REFUSED)
    given["choices"].append({"conn_id": "cutx_default", "request": image})
    with pytest.raises(BatchFailed, match="1 failed"):
        batch.run(batch.batch([given]))
    assert len(batch.charges) == 1
    batch.retry()
    assert batch.run(batch.batch([given]))["counts"]["completed"] == 1
    assert len(batch.charges) == 2


@pytest.mark.parametrize(
    "obstacle", ["no", {}, {"reason": 1}, {"reason": "a", "moves": "yes"}, {"reason": "a", "because": "b"}]
)
def test_an_obstacle_that_says_something_else_is_refused(batch: BatchRig, obstacle: Any) -> None:
    given = item("a")
    given["choices"][0]["obstacle"] = obstacle
    with pytest.raises(AirflowFailException, match=r"an obstacle is \{"):
        batch.run(batch.batch([given]))


def test_a_library_has_nothing_of_a_choice_that_cannot_be_sent_and_its_item_goes_on(batch: BatchRig) -> None:
    library = f"file://{batch.folder / 'library'}"
    given = [item("a", "adsumo", "sume"), with_obstacle(item("bad", "adsumo", "sume"), REFUSED)]
    assert batch.run(batch.batch(given, library=library))["counts"]["completed"] == 2
    assert len(batch.charges) == 2
    batch.try_number, batch.max_tries = 1, 0
    assert batch.run(batch.batch(given, library=library), run_id="week-2")["counts"]["reused"] == 2
    assert [batch.lines()[key]["choice"] for key in ("a", "bad")] == [0, 1]
    assert len(batch.charges) == 2


@pytest.mark.parametrize("obstacle", [REFUSED, OUT])
def test_what_may_have_been_accepted_is_settled_whatever_cannot_be_sent_now(
    batch: BatchRig, obstacle: dict[str, Any]
) -> None:
    given = items(2, "adsumo", "sume")
    batch.sandbox.fault("drop", "adsumo", method="POST", times=2)
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    with pytest.raises(BatchFailed, match="2 unknown"):
        batch.run(batch.batch(given))
    batch.sandbox.clear_faults()
    batch.clock.move(600)
    batch.retry()
    now = [{**one, "choices": [{**one["choices"][0], "obstacle": obstacle}, *one["choices"][1:]]} for one in given]
    assert batch.run(batch.batch(now))["counts"]["completed"] == 2
    assert {line["conn_id"] for line in batch.lines().values()} == {"adsumo_default"}
    assert [one["vendor"] for one in batch.charges] == ["adsumo", "adsumo"]


@pytest.mark.parametrize(("obstacle", "ends"), [(REFUSED, "refused"), (OUT, "waiting")])
def test_what_cannot_be_sent_does_not_count_among_what_a_try_is_going_to_buy(
    batch: BatchRig, obstacle: dict[str, Any], ends: str
) -> None:
    given = [*items(2), with_obstacle(item("bad"), obstacle)]
    with pytest.raises((AirflowFailException, BatchFailed), match=f"2 completed, 1 {ends}"):
        batch.run(batch.batch(given, max_credits=2, assume_credits=1))
    assert len(batch.charges) == 2


# --- together with a list that is wrong, a budget, max_credits --------------------------------------------------------

WRONG: dict[str, Any] = {"key": "new", "conn_id": "adsumo_default", "request": {"kind": "nope"}}


def test_with_a_wrong_list_what_is_paid_for_is_collected_and_nothing_moves(batch: BatchRig) -> None:
    given = [
        *items(2, "adsumo", "sume"),
        with_obstacle(item("late", "adsumo", "sume"), OUT),
        with_obstacle(item("bad", "adsumo", "sume"), REFUSED),
    ]
    with pytest.raises(TaskDeferred):
        batch.batch(given[:3]).execute(batch.context())
    assert len(batch.charges) == 2
    batch.retry()
    with pytest.raises(AirflowFailException, match="2 completed, 1 waiting") as stopped:
        batch.run(batch.batch([*(with_obstacle(one, REFUSED) for one in items(2, "adsumo", "sume")), WRONG]))
    assert "late (waiting): Nothing was submitted: this try buys nothing." in str(stopped.value)
    batch.retry()
    with pytest.raises(BatchFailed, match="3 completed, 1 waiting"):
        batch.run(batch.batch(given))
    assert [one["vendor"] for one in batch.charges] == ["adsumo", "adsumo", "sume"]
    batch.retry()
    with pytest.raises(AirflowFailException, match="3 completed, 1 waiting"):
        batch.run(batch.batch([*given, WRONG]))
    assert batch.lines()["bad"]["conn_id"] == "sume_default"
    assert len(batch.charges) == 3


@pytest.mark.parametrize("obstacle", [REFUSED, OUT])
def test_with_a_wrong_list_what_may_have_been_accepted_is_settled_whatever_cannot_be_sent_now(
    batch: BatchRig, obstacle: dict[str, Any]
) -> None:
    given = [{**one, "choices": [{**one["choices"][0]}, *one["choices"][1:]]} for one in items(2, "adsumo", "sume")]
    batch.sandbox.fault("drop", "adsumo", method="POST", times=2)
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    for now in (given, [{**one, "choices": [{**one["choices"][0], "obstacle": obstacle}]} for one in given]):
        with pytest.raises(BatchFailed, match="2 unknown"):
            batch.run(batch.batch(now))
        batch.clock.move(600)
        batch.retry()
    batch.sandbox.clear_faults()
    with pytest.raises(AirflowFailException, match="2 completed"):
        batch.run(batch.batch([*given, WRONG]))
    assert [one["vendor"] for one in batch.charges] == ["adsumo", "adsumo"]


@pytest.mark.parametrize(("obstacle", "ends"), [(REFUSED, "refused"), (OUT, "waiting")])
def test_no_budget_is_taken_up_for_what_cannot_be_sent(batch: BatchRig, obstacle: dict[str, Any], ends: str) -> None:
    from airflow_provider_adgen.ledger.purse import Purse

    asked: list[int] = []
    fill = Purse.fill
    batch.patch.setattr(Purse, "fill", lambda purse, prices: (asked.append(len(prices)), fill(purse, prices))[1])
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 2}}')
    one, other = items(2)
    given = [one, *(with_obstacle(item(f"bad-{number}"), obstacle) for number in range(3)), other]
    with pytest.raises((AirflowFailException, BatchFailed), match=f"2 completed, 3 {ends}"):
        batch.run(batch.batch(given, assume_credits=1))
    assert len(batch.charges) == 2
    assert asked[0] == 2


def test_a_full_budget_and_an_obstacle_at_once(batch: BatchRig) -> None:
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 1}}')
    assumed = {"adsumo_default": 1, "sume_default": 1}
    given = [*items(2), with_obstacle(item("late"), OUT), with_obstacle(item("bad", "adsumo", "sume"), REFUSED)]
    with pytest.raises(AirflowFailException, match="2 completed, 2 waiting"):
        batch.run(batch.batch(given, assume_credits=assumed))
    assert sorted(one["vendor"] for one in batch.charges) == ["adsumo", "sume"]
    batch.retry()
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 9}}')
    told = batch.run(batch.batch([*items(2), item("late"), given[3]], assume_credits=assumed))
    assert told["counts"]["completed"] == len(batch.charges) == 4


def test_an_obstacle_moves_nothing_beyond_max_credits(batch: BatchRig) -> None:
    given = [*items(2), with_obstacle(item("bad", "adsumo", "sume"), REFUSED)]
    limits: dict[str, Any] = {
        "max_credits": {"adsumo_default": 2, "sume_default": 0},
        "assume_credits": {"adsumo_default": 1, "sume_default": 1},
    }
    with pytest.raises(AirflowFailException, match="2 completed, 1 refused"):
        batch.run(batch.batch(given, **limits))
    assert "It costs 1 credit of connection 'sume_default'" in batch.lines()["bad"]["reason"]
    assert [one["vendor"] for one in batch.charges] == ["adsumo", "adsumo"]


def test_over_max_credits_beside_obstacles_what_is_paid_for_is_collected(batch: BatchRig) -> None:
    given = items(2)
    with pytest.raises(TaskDeferred):
        batch.batch(given, max_credits=2).execute(batch.context())
    batch.retry()
    late = with_obstacle(item("late"), OUT)
    limits: dict[str, Any] = {"max_credits": 2, "assume_credits": 1}
    with pytest.raises(AirflowFailException, match="2 completed"):
        batch.run(batch.batch([*given, late, item("new")], **limits))
    batch.retry()
    with pytest.raises(BatchFailed, match="2 completed, 1 waiting"):
        batch.run(batch.batch([*given, late], **limits))
    assert len(batch.charges) == 2
