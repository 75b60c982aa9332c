# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Retries, clears, and items that change between tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from tests.support.batch import REQUESTS, item, items
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def fails(batch: BatchRig, given: Any, **fields: Any) -> str:
    with pytest.raises((AirflowFailException, AdGenError)) as stopped:
        batch.run(batch.batch(given, **fields))
    return str(stopped.value)


def test_a_retry_goes_on_with_what_has_no_result(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=2)
    text = fails(batch, items(6))
    assert "4 completed" in text
    assert "2 failed" in text
    batch.retry()
    assert batch.run(batch.batch(items(6), on_failed="resubmit"))["counts"]["completed"] == 6
    assert len(batch.charges) == 8


def test_after_a_clear_only_what_is_missing_is_paid_for(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=2)
    fails(batch, items(6))
    batch.clear()
    assert batch.run(batch.batch(items(6)))["counts"]["completed"] == 6
    assert len(batch.charges) == 8
    batch.clear()
    assert batch.run(batch.batch(items(6)))["counts"]["completed"] == 6
    assert len(batch.charges) == 8


def test_a_clear_that_wants_everything_fresh(batch: BatchRig) -> None:
    batch.run(batch.batch(items(3)))
    batch.clear()
    told = batch.run(batch.batch(items(3), on_clear="fresh"))
    assert told["counts"]["completed"] == 3
    assert len(batch.charges) == 6
    batch.retry()
    batch.run(batch.batch(items(3), on_clear="fresh"))
    assert len(batch.charges) == 6, "a retry of the cleared task pays nothing more"


def test_items_are_frozen_in_a_try(batch: BatchRig) -> None:
    context = batch.context()
    with pytest.raises(TaskDeferred):
        batch.batch(items(3)).execute(context)
    # Meanwhile the upstream task says something else.
    later = batch.batch(items(5))
    told = run_task(later, context, passing=batch.clock.move, resumed=True)
    assert told["items"] == 3
    assert len(batch.charges) == 3


def test_what_left_the_list_is_collected(batch: BatchRig) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch(items(4)).execute(batch.context())
    batch.retry()
    told = batch.run(batch.batch(items(2)))
    assert told["counts"]["completed"] == 2
    assert told["counts"]["removed"] == 2
    assert len(batch.files()) == 4
    assert len(batch.charges) == 4


@pytest.mark.parametrize("under_way", [True, False], ids=["under way", "delivered"])
@pytest.mark.parametrize(
    ("policy", "status", "charges"), [("fail", "failed", 3), ("reattach", "completed", 3), ("fresh", "completed", 4)]
)
def test_an_item_that_changed(batch: BatchRig, policy: str, status: str, charges: int, under_way: bool) -> None:
    given = items(3)
    if under_way:
        with pytest.raises(TaskDeferred):
            batch.batch(given).execute(batch.context())
    else:
        batch.run(batch.batch(given))
    batch.retry()
    changed = [*given[:2], item(given[2]["key"], prompt="A blue bottle")]
    if status == "failed":
        text = fails(batch, changed, on_changed_input=policy)
        assert "on_changed_input" in text
    else:
        batch.run(batch.batch(changed, on_changed_input=policy))
    line = batch.lines()[given[2]["key"]]
    assert line["status"] == status
    assert line["conn_id"] == "adsumo_default", "also where the job is none of the list's requests"
    assert len(batch.charges) == charges
    assert len(batch.files()) == charges, "what was paid for is stored"


@pytest.mark.parametrize("gone", [True, False], ids=["one left", "none left"])
def test_an_item_without_a_key_that_is_new_may_be_a_changed_one(batch: BatchRig, gone: bool) -> None:
    def keyless(prompt: str) -> dict[str, Any]:
        return {"conn_id": "adsumo_default", "request": {**REQUESTS["adsumo"], "prompt": prompt}}

    first = [keyless("one"), keyless("two")]
    batch.run(batch.batch(first))
    changed = [*first[: 1 if gone else 2], keyless("three")]
    for _ in range(2):
        batch.retry()
        assert "1 failed" in fails(batch, changed)
        assert "on_changed_input" in next(one for one in batch.lines().values() if one["status"] == "failed")["reason"]
    assert len(batch.charges) == 2
    batch.retry()
    assert batch.run(batch.batch(changed, on_changed_input="fresh"))["counts"]["completed"] == len(changed)
    assert len(batch.charges) == 3
    batch.retry()
    assert batch.run(batch.batch(changed))["counts"]["completed"] == len(changed), "it is paid for"


def test_order_and_additions_do_not_matter(batch: BatchRig) -> None:
    given = items(4)
    batch.run(batch.batch(given))
    batch.retry()
    told = batch.run(batch.batch([*reversed(given), item("new")]))
    assert told["counts"]["completed"] == 5
    assert len(batch.charges) == 5


def test_a_lost_answer_is_settled_by_the_key(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "adsumo", method="POST", times=3)
    told = batch.run(batch.batch(items(8)))
    assert told["counts"]["completed"] == 8
    assert len(batch.charges) == 8


def test_what_nobody_knows_is_told_with_what_to_do(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", times=2)
    text = fails(batch, items(5, "sume"))
    assert "2 unknown" in text
    lines = [one for one in batch.lines().values() if one["status"] == "unknown"]
    assert len(lines) == 2
    for line in lines:
        assert f"--key {line['key']}" in line["reason"]
        assert "attach" in line["reason"]
    assert len(batch.files()) == 3
    batch.retry()
    fails(batch, items(5, "sume"))
    assert len(batch.charges) == 5, "nothing more is sent until a person decides"


def test_one_percent_may_be_sent_again(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", times=3)
    text = fails(batch, items(9, "sume"), on_unknown_submission="resubmit")
    assert "2 unknown" in text
    assert "7 completed" in text
