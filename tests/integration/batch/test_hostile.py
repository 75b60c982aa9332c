# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Histories in which a batch could pay twice, lose what is paid for, or succeed too early."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch import leg
from airflow_provider_adgen.lifecycle.batch.failure import BatchFailed
from airflow_provider_adgen.lifecycle.batch.member import Held, Members
from airflow_provider_adgen.lifecycle.batch.results import summary
from airflow_provider_adgen.lifecycle.resolution import NOT_SUBMITTED, variable_name
from tests.support.batch import item, items
from tests.support.batch_death import Dead, Death

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


VOICE = "EXAVITQu4vr4xnSDxMaL"


def fails(batch: BatchRig, given: Any, **fields: Any) -> str:
    with pytest.raises((AirflowFailException, AdGenError)) as stopped:
        batch.run(batch.batch(given, **fields))
    return str(stopped.value)


def dies(batch: BatchRig, given: Any, point: str, number: int = 1, **fields: Any) -> None:
    """Run a try whose worker dies."""
    with pytest.MonkeyPatch.context() as patch:
        death = Death(patch, point, number)
        operator = death.operator = batch.batch(given, **fields)
        with pytest.raises(Dead):
            batch.run(operator)
    batch.retry()


def wrong(one: dict[str, Any]) -> dict[str, Any]:
    """Return an item whose request is invalid."""
    request = {**one["choices"][0]["request"], "aspect_ratio": "wide"}
    return {**one, "choices": [{**one["choices"][0], "request": request}]}


def records(batch: BatchRig) -> dict[str, Any]:
    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.ledger.batch import BatchStore

    identity = TaskIdentity("campaign", "manual__2026-01-01T00:00:00+00:00", "make")
    return BatchStore(batch.ledger_path, identity).load()


def dismiss(batch: BatchRig) -> int:
    """Say of each unknown submission that it started nothing."""
    found = [one.open for one in records(batch).values() if one.open is not None]
    for attempt in found:
        batch.patch.setenv(f"AIRFLOW_VAR_{variable_name(attempt.uid).upper()}", NOT_SUBMITTED)
    return len(found)


def test_a_skipped_item_whose_job_is_under_way_is_collected(batch: BatchRig) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch(items(3)).execute(batch.context())
    batch.retry()
    given = items(3)
    batch.run(batch.batch([*given[:2], wrong(given[2])], on_invalid="skip"))
    assert len(batch.charges) == 3
    assert len(batch.files()) == 3, "what is paid for is stored"


def test_a_removed_item_whose_record_cannot_be_read_is_no_success(batch: BatchRig) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch(items(3)).execute(batch.context())
    given = items(3)
    folder = item_folder(given[2]["key"])
    (submitted,) = (batch.folder / "ledger").rglob(f"{folder}/*-submitted-*.json")
    submitted.write_text("{")
    for snapshot in (batch.folder / "ledger").rglob("snapshot-*"):
        snapshot.unlink()
    batch.retry()
    text = fails(batch, given[:2])
    assert "1 unknown" in text


def test_a_lost_submission_stays_unknown_when_nothing_more_is_sent(batch: BatchRig) -> None:
    given = items(4, "sume")
    dies(batch, given, "before-record")
    lost = sum(one.open is not None for one in records(batch).values())
    assert lost
    batch.clock.move(3600)
    text = fails(batch, given, submit_timeout=1, fail_when=0.99)
    assert f"{lost} unknown" in text


def test_a_lost_submission_stays_unknown_when_its_account_is_out(batch: BatchRig) -> None:
    given = items(12, "sume")
    dies(batch, given, "before-record", 3)
    lost = sum(one.open is not None for one in records(batch).values())
    batch.clock.move(3600)
    batch.sandbox.fault("status", "sume", method="POST", status=401, times=-1)
    fails(batch, list(reversed(given)))
    assert list(batch.statuses().values()).count("unknown") == lost


@pytest.mark.parametrize("on_insufficient", ["fail", "wait"])
def test_a_lost_submission_is_settled_although_the_budget_is_used_up(batch: BatchRig, on_insufficient: str) -> None:
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 2}}')
    dies(batch, items(2), "before-record")
    assert any(one.open is not None for one in records(batch).values())
    batch.clock.move(60)
    fails(batch, [item("new"), *items(2)], on_insufficient=on_insufficient, submit_timeout=600)
    assert batch.statuses() == {"new": "waiting", **{one["key"]: "completed" for one in items(2)}}
    assert len(batch.charges) == 2


@pytest.mark.parametrize("on_insufficient", ["fail", "wait"])
@pytest.mark.parametrize("max_in_flight", [1, 100])
def test_what_was_refused_leaves_room_in_a_budget(batch: BatchRig, on_insufficient: str, max_in_flight: int) -> None:
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 1}}')
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, message="This is not allowed")
    policy: dict[str, Any] = {"on_insufficient": on_insufficient, "max_in_flight": max_in_flight}
    fails(batch, items(2), submit_timeout=600, **policy)
    assert sorted(batch.statuses().values()) == ["completed", "refused"]
    assert len(batch.charges) == 1


def test_nothing_is_paid_for_a_removed_item_when_its_submission_is_dismissed(batch: BatchRig) -> None:
    given = items(3, "sume")
    batch.sandbox.fault("drop", "sume", method="POST", when="before")
    fails(batch, given)
    assert dismiss(batch) == 1
    (lost,) = [key for key, status in batch.statuses().items() if status == "unknown"]
    charges = len(batch.charges)
    batch.retry()
    told = batch.run(batch.batch([one for one in given if one["key"] != lost]))
    assert len(batch.charges) == charges, "nobody wants it any more"
    assert told["counts"]["removed"] == 1


def test_nothing_is_risked_for_a_removed_item(batch: BatchRig) -> None:
    given = items(3, "sume")
    batch.sandbox.fault("drop", "sume", method="POST")
    fails(batch, given)
    (lost,) = [key for key, status in batch.statuses().items() if status == "unknown"]
    batch.retry()
    text = fails(batch, [one for one in given if one["key"] != lost], on_unknown_submission="resubmit")
    assert len(batch.charges) == 3
    assert "1 unknown" in text


def test_stop_holds_for_what_its_account_had_put_off(batch: BatchRig) -> None:
    batch.run(batch.batch(items(1)))
    batch.retry()
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, message="This is not allowed")
    batch.sandbox.fault("status", "adsumo", method="POST", status=429, times=3, retry_after=20)
    fails(batch, items(5), on_item_failure="stop")
    assert len(batch.charges) == 1
    assert sorted(batch.statuses().values()) == ["completed", "refused", "waiting", "waiting", "waiting"]


def test_a_lost_submission_that_may_not_be_risked_is_unknown(batch: BatchRig) -> None:
    given = items(2, "sume")
    fields: dict[str, Any] = {
        "max_credits": 2,
        "assume_credits": 1,
        "on_unknown_submission": "resubmit",
        "fail_when": 0.9,
    }
    dies(batch, given, "before-record", **fields)
    batch.clock.move(3600)
    text = fails(batch, given, **fields)
    assert "1 unknown" in text or "2 unknown" in text
    assert len(batch.charges) <= 2


def test_a_lost_submission_is_settled_by_its_key_within_max_credits(batch: BatchRig) -> None:
    given = items(2)
    fields: dict[str, Any] = {"max_credits": 2, "on_unknown_submission": "resubmit"}
    dies(batch, given, "before-record", **fields)
    batch.clock.move(3600)
    told = batch.run(batch.batch(given, **fields))
    assert told["counts"]["completed"] == 2
    assert len(batch.charges) == 2


def test_a_moved_item_that_is_put_off_stays_moved(batch: BatchRig, promising_refunds: None) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    batch.sandbox.fault("status", "sume", method="POST", status=429, times=1, retry_after=30)
    told = batch.run(batch.batch([item("a", "adsumo", "sume")]))
    assert told["counts"]["completed"] == 1
    assert batch.lines()["a"]["choice"] == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_moved_item_is_paid_for_once(batch: BatchRig, promising_refunds: None, deferrable: bool) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    most = {"adsumo_default": 10, "sume_default": 30}
    counted = {"adsumo_default": 10, "sume_default": 10}
    moving = batch.batch([item("a", "adsumo", "sume")], deferrable=deferrable, max_credits=most, assume_credits=counted)
    told = batch.run(moving)
    assert told["counts"]["completed"] == 1
    assert [one["vendor"] for one in batch.charges] == ["adsumo", "sume"]


def test_a_canceled_job_is_not_submitted_again(batch: BatchRig) -> None:
    batch.sandbox.fail_next("sume", times=1, status="canceled")
    fails(batch, [item("a", "sume")], on_failed="resubmit")
    batch.retry()
    text = fails(batch, [item("a", "sume")], on_failed="resubmit")
    assert "1 failed" in text
    assert len(batch.charges) == 1
    batch.clear()
    assert batch.run(batch.batch([item("a", "sume")]))["counts"]["completed"] == 1


def test_a_recorded_request_that_is_refused_goes_to_what_is_wanted_now(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", when="before")
    fails(batch, [item("a", "sume")])
    assert dismiss(batch) == 1
    batch.retry()
    batch.clock.move(
        3
    )  # of the 5 s for which the first request may still be under way: what was said counts after that
    batch.sandbox.fault("status", "sume", method="POST", status=400, times=1, message="This is not allowed")
    told = batch.run(batch.batch([item("a", "sume", prompt="A blue bottle")]))
    assert told["counts"]["completed"] == 1
    (job,) = batch.sandbox.jobs("sume")
    assert job["request"]["prompt"] == "A blue bottle a"


def test_what_was_dismissed_is_made_as_it_is_wanted_now(batch: BatchRig) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", when="before")
    fails(batch, [item("a", "sume")])
    assert dismiss(batch) == 1
    batch.retry()
    batch.clock.move(60)
    assert batch.run(batch.batch([item("a", "sume", prompt="A blue bottle")]))["counts"]["completed"] == 1
    (job,) = batch.sandbox.jobs("sume")
    assert job["request"]["prompt"] == "A blue bottle a"


def test_a_job_that_was_dismissed_and_is_given_again_counts_with_its_price(batch: BatchRig) -> None:
    hook = CutxHook()
    project = next(iter(hook.list_projects())).id
    product = next(iter(hook.list_products(project))).id
    request = {"kind": "static-ad", "project_id": project, "product_id": product}
    given = [{"key": "a", "conn_id": "cutx_default", "request": request}]
    batch.sandbox.fail_next("cutx", status="completed", seconds=100_000)
    batch.sandbox.fault("drop", "cutx", method="POST")
    fails(batch, given)
    batch.clock.move(60)
    assert dismiss(batch) == 1  # which is wrong
    batch.retry()
    with pytest.raises(TaskDeferred):
        batch.batch(given).execute(batch.context())
    (record,) = records(batch).values()
    assert len(batch.charges) == 1, "CutX knows the key of a job that runs, and charges nothing"
    assert record.spent(None) == 3


@pytest.fixture
def promising_refunds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adsumo documents that it refunds jobs that failed."""
    from dataclasses import replace

    from airflow_provider_adgen.vendors.adsumo import VENDOR

    monkeypatch.setattr(VENDOR, "promises", replace(VENDOR.promises, refunded=frozenset({"failed"})))


def test_the_risks_are_those_of_the_try_not_of_each_leg(batch: BatchRig) -> None:
    for fault in ({"kind": "drop", "times": 2}, {"kind": "status", "status": 429, "retry_after": 60}, {"kind": "drop"}):
        rules = dict(fault)
        batch.sandbox.fault(rules.pop("kind"), "sume", method="POST", **rules)
    text = fails(batch, items(2, "sume"), on_unknown_submission="resubmit", max_in_flight=1)
    assert "2 unknown" in text
    assert len(batch.charges) == 3


def test_an_empty_list_is_no_success_on_a_retry(batch: BatchRig) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch(items(2)).execute(batch.context())
    batch.retry()
    fails(batch, [])
    assert len(batch.files()) == 2


@pytest.mark.parametrize("point", ["before-record", "after-record", "before-store", "before-done", "after-done"])
def test_a_voice_that_came_with_the_answer(batch: BatchRig, point: str) -> None:
    request = {"kind": "text-to-speech", "voice_id": VOICE}
    given = [
        {"key": f"v{n}", "conn_id": "adsumo_default", "request": {**request, "text": f"Hello {n}"}} for n in range(3)
    ]
    dies(batch, given, point)
    batch.clock.move(60)
    told = batch.run(batch.batch(given))
    assert told["counts"]["completed"] == 3
    assert len(batch.charges) == 3


def test_the_summary_is_small_in_any_script() -> None:
    keys = ["鍵" * 190 + str(n) for n in range(20)]
    told = summary("x" * 500, [(key, ItemStatus.FAILED, "許" * 300) for key in keys], {})
    assert len(json.dumps(told)) < 16_384
    assert told["counts"]["failed"] == 20
    assert len(told["failures"]) > 3


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x1c"])
def test_a_line_of_a_file_ends_where_json_lines_end(batch: BatchRig, separator: str) -> None:
    path = batch.folder / "items.jsonl"
    path.write_text(json.dumps(item("a", prompt=f"One{separator}two"), ensure_ascii=False) + "\n")
    assert batch.run(batch.batch(f"file://{path}"))["counts"]["completed"] == 1


def test_an_end_that_is_written_down_is_not_waited_for_again(batch: BatchRig) -> None:
    request = {"kind": "workflow", "workflow_type": "cinematic", "concept": "A bottle"}
    given = [{"key": "a", "conn_id": "cinematicads_default", "request": request}]
    dies(batch, given, "before-store")
    heard = [one.heard for record in records(batch).values() for one in record.attempts]
    assert all(heard)
    before = len(batch.sandbox.requests("cinematicads"))
    told = batch.run(batch.batch(given))
    assert told["counts"]["completed"] == 1
    assert len(batch.charges) == 1
    later = [one["path"] for one in batch.sandbox.requests("cinematicads")[before:]]
    assert not [path for path in later if "stream" in path]


def test_a_result_that_arrives_as_the_leg_ends_is_written_down(batch: BatchRig) -> None:
    operator = batch.batch(items(2))
    context = batch.context()
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    running = operator._leg
    (state, *_) = [one for one in running._board.states if one.job is not None]
    running._inbox.put((state, ("completed", "sealed")))
    running._drain()
    assert state.ledger.record().counting.heard == "sealed"


def test_an_error_of_a_job_moves_nothing_although_a_rival_withdrew_later(batch: BatchRig) -> None:
    given = [item("a", "adsumo", "sume")]
    with pytest.raises(TaskDeferred):
        batch.batch(given).execute(batch.context())
    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.ledger.batch import BatchStore

    store = BatchStore(batch.ledger_path, TaskIdentity("campaign", "manual__2026-01-01T00:00:00+00:00", "make"))
    store.load()
    ledger = store.ledger("a")
    paid = ledger.record().counting
    changes = {"uid": "rival", "phase": "withdrawn", "job_ids": [], "intended_at": paid.intended_at + 1}
    ledger.write(paid.model_copy(update=changes))
    batch.retry()
    batch.sandbox.fault("status", "adsumo", method="GET", status=400, times=-1, message="Not now")
    text = fails(batch, given, on_changed_input="fresh", timeout=2)
    assert "1 submitted" in text
    assert len(batch.charges) == 1


def test_a_retry_settles_what_its_key_can_still_tell(batch: BatchRig) -> None:
    given = items(2)
    dies(batch, given, "before-record")
    batch.clock.move(600)
    with pytest.raises(BatchFailed, match="unknown"):  # Airflow tries again
        batch.run(batch.batch(given, submit_timeout=0.001))
    batch.retry()
    assert batch.run(batch.batch(given))["counts"]["completed"] == 2
    assert len(batch.charges) == 2


def test_the_next_leg_goes_on_at_once_where_there_is_room(batch: BatchRig) -> None:
    run = Members.run

    def slowly(self: Members, *given: Any) -> Any:
        found = run(self, *given)
        batch.clock.move(leg.LEG_SECONDS)
        return found

    batch.patch.setattr(Members, "run", slowly)
    batch.sandbox.settings(sume={"job_seconds": 100_000})
    with pytest.raises(TaskDeferred) as deferred:
        batch.batch(items(12, "sume")).execute(batch.context())
    trigger = deferred.value.trigger
    assert 0 < len(trigger.jobs) < 12
    assert [one[1] - batch.clock.now() < 5 for one in trigger.resume] == [True], "not when jobs are over"


@pytest.mark.parametrize("times", [1, 2])
def test_what_one_try_may_risk_is_counted_over_its_legs(batch: BatchRig, times: int) -> None:
    """Two items: one may be sent again although nobody knows about it. Each gets a leg of its own."""
    batch.patch.setattr(leg, "LINGER", 0.0)
    batch.sandbox.fault("drop", "sume", method="POST", when="before", times=1)
    if times == 2:
        batch.sandbox.fault("drop", "sume", method="POST", when="before", times=1, skip=1)
    legs: list[int] = []
    run = leg.BatchLeg.run
    batch.patch.setattr(leg.BatchLeg, "run", lambda self, resumed: (legs.append(1), run(self, resumed))[1])
    given = {"max_in_flight": 1, "on_unknown_submission": "resubmit"}
    if times == 2:
        assert "1 unknown" in fails(batch, items(2, "sume"), **given)
        assert len(batch.charges) == 1
    else:
        assert batch.run(batch.batch(items(2, "sume"), **given))["counts"]["completed"] == 2
        assert len(batch.charges) == 2
    assert len(legs) >= 2


def test_what_is_to_be_made_anew_waits_where_a_budget_does_not_allow_it(batch: BatchRig) -> None:
    """It was delivered before the clear, and is no failure: nothing was sent."""
    batch.run(batch.batch(items(3)))
    made = len(batch.charges)
    batch.clear()
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", json.dumps({"adsumo_default": {"day": 0}}))
    text = fails(batch, items(3), on_clear="fresh")
    assert set(batch.statuses().values()) == {"waiting"}
    assert "not fit into the budget" in text
    assert len(batch.charges) == made


def test_what_is_to_be_made_anew_waits_where_nothing_may_be_submitted_any_more(batch: BatchRig) -> None:
    batch.run(batch.batch(items(1)))
    batch.clear()
    batch.patch.setattr(Members, "_stopped", lambda *_: Held("Nothing was submitted: an item failed."))
    fails(batch, items(1), on_clear="fresh")
    assert set(batch.statuses().values()) == {"waiting"}
