# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A try whose list or options are wrong buys nothing, and collects what earlier ones bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from tests.support.batch import item, items
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from tests.support.batch import BatchRig

WRONG: dict[str, Any] = {"key": "new", "conn_id": "adsumo_default", "request": {"kind": "nope"}}


def under_way(batch: BatchRig, count: int, **fields: Any) -> list[dict[str, Any]]:
    """Let a first try submit so many items, and die while their jobs are under way."""
    given = items(count, meta={"shelf": 4})
    with pytest.raises(TaskDeferred):
        batch.batch(given, **fields).execute(batch.context())
    assert len(batch.charges) == count
    batch.retry()
    return given


@pytest.mark.parametrize(
    ("change", "fields", "said"),
    [
        (lambda given: [*given, WRONG], {}, "no request of kind 'nope'"),
        (lambda given: [*given, given[0]], {}, "the same key as item 0"),
        (lambda given: None, {}, "not NoneType"),
        (lambda given: "file:///there/is/no/list.jsonl", {}, "cannot be read"),
        (lambda given: given, {"max_credits": {"another": 1}}, "max_credits says nothing of adsumo_default"),
        (lambda given: given, {"max_credits": "many"}, "max_credits must be a whole number"),
        (lambda given: given, {"assume_credits": {"adsumo_default": "many"}}, "assume_credits['adsumo_default'] must"),
        (
            lambda given: [*given, item("new", meta={"shelf": 5})],
            {"max_credits": 3},
            "3 credits of connection 'adsumo_default'",
        ),
    ],
    ids=["item", "twice", "none", "file", "account", "number", "assumed", "price"],
)
def test_what_was_bought_is_collected(batch: BatchRig, change: Any, fields: dict[str, Any], said: str) -> None:
    given = under_way(batch, 3, filename="{shelf}/{id}-{n}.{ext}")
    with pytest.raises(AirflowFailException) as stopped:
        batch.run(batch.batch(change(given), filename="{shelf}/{id}-{n}.{ext}", **fields))
    text = str(stopped.value)
    assert said in text
    assert "3 completed" in text
    assert batch.statuses() == {one["key"]: "completed" for one in given}
    assert {line["meta"]["shelf"] for line in batch.lines().values()} == {4}
    assert len(batch.files()) == 3
    assert all(path.startswith("4/") for path in batch.files())
    assert len(batch.posts()) == 3
    batch.retry()
    told = batch.run(batch.batch([*given, item("new")], filename="{id}-{n}.{ext}"))
    assert told["counts"]["completed"] == 4
    assert len(batch.charges) == 4


def test_nothing_of_the_list_before_is_bought_either(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, skip=2, message="This is not allowed")
    with pytest.raises(AirflowFailException, match="1 failed, 1 refused"):
        batch.run(batch.batch(items(4), max_in_flight=1))
    assert len(batch.charges) == 3
    batch.clear()
    with pytest.raises(AirflowFailException, match="nope"):
        batch.run(batch.batch([*items(4), WRONG], on_failed="resubmit", on_clear="fresh"))
    assert sorted(batch.statuses().values()) == ["completed", "completed", "waiting", "waiting"]
    assert len(batch.posts()) == 4
    batch.retry()
    assert batch.run(batch.batch(items(4), on_failed="resubmit"))["counts"]["completed"] == 4


def test_a_job_that_is_still_under_way_is_collected_by_the_next_retry(batch: BatchRig) -> None:
    batch.sandbox.settings(adsumo={"job_seconds": 3000})
    given = under_way(batch, 1)
    with pytest.raises(AdGenError, match="1 submitted") as stopped:
        batch.run(batch.batch([*given, WRONG], timeout=1))
    assert not isinstance(stopped.value, AirflowFailException)
    batch.sandbox.advance(9000)
    batch.retry()
    with pytest.raises(AirflowFailException, match="1 completed"):
        batch.run(batch.batch([*given, WRONG]))
    assert len(batch.files()) == 1


def test_the_refusal_holds_for_all_legs_of_its_try(batch: BatchRig) -> None:
    given = under_way(batch, 2)
    with pytest.raises(TaskDeferred):
        batch.batch([*given, WRONG]).execute(batch.context())
    for path in (batch.folder / "ledger").rglob("snapshot-*"):
        path.unlink()
    # Meanwhile the list is right again: that is for the next try.
    with pytest.raises(AirflowFailException, match="nope"):
        run_task(batch.batch([*given, item("new")]), batch.context(), passing=batch.clock.move, resumed=True)
    assert len(batch.charges) == 2
    assert len(batch.files()) == 2


def test_options_that_turn_wrong_in_a_later_leg(batch: BatchRig) -> None:
    batch.patch.setattr("airflow_provider_adgen.lifecycle.batch.leg.LINGER", 0.0)
    with pytest.raises(TaskDeferred):
        batch.batch(items(3), max_in_flight=1).execute(batch.context())
    later = batch.batch(items(3), max_in_flight=1, max_credits="many")
    with pytest.raises(AirflowFailException, match="max_credits must be a whole number"):
        run_task(later, batch.context(), passing=batch.clock.move, resumed=True)
    assert sorted(batch.statuses().values()) == ["completed", "waiting", "waiting"]
    assert len(batch.charges) == 1
    batch.retry()
    assert batch.run(batch.batch(items(3)))["counts"]["completed"] == 3


def test_with_nothing_on_record_it_fails_at_once(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=401, times=-1)
    with pytest.raises(AirflowFailException):
        batch.run(batch.batch(items(2)))
    batch.sandbox.clear_faults()
    asked = len(batch.posts())
    batch.retry()
    with pytest.raises(AirflowFailException, match="nope"):
        batch.run(batch.batch([*items(2), WRONG]))
    assert list(batch.statuses().values()) == ["waiting"] * 2, "the results are those of the try before"
    assert len(batch.posts()) == asked


def test_spent_and_planned_count_together(batch: BatchRig) -> None:
    def dear(key: str) -> dict[str, Any]:
        one = item(key)
        one["choices"][0]["request"]["quantity"] = 8
        return one

    batch.run(batch.batch([item("a")], max_credits=9))
    batch.retry()
    given = [item("a"), dear("b"), dear("c")]
    with pytest.raises(AirflowFailException, match=r"has spent 1 credits.*costs 16 more.*max_credits of 9"):
        batch.run(batch.batch(given, max_credits=9))
    assert batch.statuses() == {"a": "completed"}
    assert batch.spent == 1
    batch.retry()
    assert batch.run(batch.batch(given, max_credits=17))["counts"]["completed"] == 3
    batch.clear()
    with pytest.raises(AirflowFailException, match="costs 17 credits"):
        batch.run(batch.batch(given, max_credits=16, on_clear="fresh"))
    assert batch.spent == 17
    batch.retry()
    told = batch.run(batch.batch(given, max_credits=0, on_clear="reattach"))
    assert told["counts"]["completed"] == 3, "what buys nothing needs no credits"
