# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A batch that runs out of credits half way, with submissions whose answers are lost: what is sent, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.hooks.cutx import CutxHook
from tests.support.batch import items

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def fails(batch: BatchRig, given: Any, **fields: Any) -> str:
    with pytest.raises((AirflowFailException, AdGenError)) as stopped:
        batch.run(batch.batch(given, **fields))
    return str(stopped.value)


def lose(batch: BatchRig, number: int, vendor: str = "adsumo", **rules: Any) -> None:
    """Lose the answers of the first submissions, and refuse what follows: the account is out of credits."""
    batch.sandbox.fault("drop", vendor, method="POST", times=number, **rules)
    batch.sandbox.fault("status", vendor, method="POST", status=402, times=-1)


def posts(batch: BatchRig) -> list[str]:
    """Return the idempotency keys of all submissions."""
    return [one["headers"]["idempotency-key"] for one in batch.sandbox.requests("adsumo", method="POST")]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_lost_submission_is_repeated_although_its_account_is_stopped(batch: BatchRig, deferrable: bool) -> None:
    batch.sandbox.fault("drop", "adsumo", method="POST", times=2)
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=4)
    fails(batch, items(6), deferrable=deferrable)
    assert sorted(batch.statuses().values()) == ["completed"] * 2 + ["waiting"] * 4
    assert len(batch.charges) == 2, "their own; nothing new is bought from an account that is stopped"


def test_what_a_refused_repeat_leaves_unknown_is_settled_by_the_next_try(batch: BatchRig) -> None:
    lose(batch, 2)
    text = fails(batch, items(4))
    assert "4 items: 2 unknown, 2 waiting." in text
    assert "2 unknown submissions need nobody to decide" in text
    lost = {key: one["reason"] for key, one in batch.lines().items() if one["status"] == "unknown"}
    for reason in lost.values():
        assert "It was sent again with the same idempotency key" in reason
        assert "Top up the account" in reason and "clear the task before 20" in reason
    for _ in range(3):  # a key that was refused three times still tells
        before = len(posts(batch))
        batch.clock.move(600)
        batch.retry()
        fails(batch, items(4))
        assert {key for key, status in batch.statuses().items() if status == "unknown"} == set(lost)
        assert len(posts(batch)) - before <= 4, "once for each item, not again and again"
    batch.sandbox.clear_faults()
    batch.retry()
    assert batch.run(batch.batch(items(4)))["counts"]["completed"] == 4
    assert len(batch.charges) == 4


def test_with_wait_a_refused_repeat_waits_for_credits(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "adsumo", method="POST", when="before")
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=4)
    assert batch.run(batch.batch(items(1), on_insufficient="wait"))["counts"]["completed"] == 1
    assert len(set(posts(batch))) == 1
    assert len(batch.charges) == 1


def test_a_lost_submission_is_repeated_after_an_item_failed_with_stop(batch: BatchRig) -> None:
    batch.run(batch.batch(items(1)))
    batch.retry()
    batch.sandbox.fault("drop", "adsumo", method="POST")
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, message="This is not allowed")
    fails(batch, items(6), on_item_failure="stop", max_in_flight=1)
    assert list(batch.statuses().values()) == ["completed", "completed", "refused", *["waiting"] * 3]
    assert len(batch.charges) == 2


def test_a_new_key_of_the_account_leaves_it_to_a_person(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "adsumo", method="POST", times=2)
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    fails(batch, items(2))
    batch.sandbox.clear_faults()
    batch.connect(password=batch.sandbox.add_account("adsumo", "others"))
    batch.clock.move(600)
    batch.retry()
    text = fails(batch, items(2))
    assert "nobody to decide" not in text
    assert "ledger list campaign" in text and "ledger dismiss campaign" in text
    assert "None of the vendor's" in batch.lines()["product-0000/hero"]["reason"]
    assert len(batch.charges) == 2


def test_a_budget_that_is_used_up_does_not_hide_that_it_was_sent(batch: BatchRig) -> None:
    lose(batch, 1)
    fails(batch, items(1))
    batch.sandbox.clear_faults()
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 0}}')
    batch.clock.move(600)
    batch.retry()
    text = fails(batch, items(1))
    said = batch.lines()["product-0000/hero"]["reason"]
    assert said.startswith(
        "It was sent before and may have been accepted; it was not sent again: 1 credit does not fit"
    )
    assert "1 unknown submission needs nobody to decide" in text


def test_where_no_key_tells_nothing_is_repeated(batch: BatchRig) -> None:
    lose(batch, 2, "sume")
    text = fails(batch, items(4, "sume"))
    assert len(batch.sandbox.requests("sume", method="POST")) == 4
    assert "2 unknown, 2 waiting" in text


def test_a_key_that_tells_for_seconds_only_leaves_it_to_a_person(batch: BatchRig) -> None:
    hook = CutxHook()
    project = next(iter(hook.list_projects())).id
    product = next(iter(hook.list_products(project))).id
    request = {"kind": "video", "project_id": project, "product_id": product, "script": "Hey! You need this."}
    lose(batch, 1, "cutx", path="*/generate/*")
    text = fails(batch, [{"key": "a", "conn_id": "cutx_default", "request": request}])
    assert batch.statuses() == {"a": "unknown"}
    assert len(batch.charges) == 1
    assert "ledger attach" in text or "ledger attach" in batch.lines()["a"]["reason"]


def lines_of(text: str) -> list[str]:
    """Return the lines of a message between its first one and the one that says where the results are."""
    lines = text.split("\n")
    (end,) = [number for number, line in enumerate(lines) if line.startswith("All items and reasons are in ")]
    return lines[1:end]


def test_each_reason_is_told_once(batch: BatchRig) -> None:
    lose(batch, 2, "sume")
    text = fails(batch, items(12, "sume"))
    assert text.startswith("12 items: 2 unknown, 10 waiting.\n")
    account, *reasons = lines_of(text)
    assert account.startswith("Nothing new was sent to connection 'sume_default': Sume answered 402 ")
    found = {line.partition(" (")[0]: line for line in reasons}
    assert set(found) == {"10 items waiting", "2 items unknown"}, "the times and jobs of the items make no difference"
    waiting = found["10 items waiting"]
    assert waiting.count("product-00") == 5 and " and 5 more): Nothing was submitted: connection " in waiting
    assert "; of the first: Nobody knows whether Sume accepted" in found["2 items unknown"]


def test_one_item_is_one_item(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo")
    text = fails(batch, items(1))
    assert text.startswith("1 item: 1 failed.\n")
    (line,) = lines_of(text)
    assert line.startswith("product-0000/hero (failed): Adsumo job ")


def test_the_budget_stays_the_reason(batch: BatchRig) -> None:
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"month": 2}}')
    budget = "1 credit does not fit into the budget of 'adsumo_default' for this month: 2 credits ([adgen] budgets)."
    for _ in range(2):  # each ends when the next month has begun
        text = fails(batch, items(8), on_insufficient="wait", submit_timeout=600)
        reasons = {one["reason"] for one in batch.lines().values() if one["status"] == "waiting"}
        assert reasons == {f"Nothing was submitted: submit_timeout (600 s) is over. Until then it waited: {budget}"}
        assert len(lines_of(text)) == 1
        batch.retry()
    fails(batch, items(8))
    (reason,) = {one["reason"] for one in batch.lines().values() if one["status"] == "waiting"}
    assert reason.startswith(f"Nothing was submitted: {budget}")


def test_how_a_job_ended_is_told_alike_in_each_try(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo")
    told = []
    for _ in range(2):
        fails(batch, items(1))
        told.append(batch.lines()["product-0000/hero"]["reason"])
        batch.retry()
    assert told[0] == told[1]
    assert "Whether Adsumo refunds it is not documented." in told[0]


def test_what_an_item_waits_for_is_told_meanwhile(batch: BatchRig) -> None:
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"month": 2}}')
    with pytest.raises(TaskDeferred):
        batch.batch(items(3), on_insufficient="wait").execute(batch.context())
    reasons = {one["reason"] for one in batch.lines().values() if one["status"] == "waiting"}
    assert len(reasons) == 1
    assert "budget of 'adsumo_default'" in reasons.pop()
