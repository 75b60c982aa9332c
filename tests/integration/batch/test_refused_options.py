# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A retry whose options are wrong buys nothing, and collects what it can without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import TRIGGER_FAILED, AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.lifecycle.batch.failure import BatchRefused
from tests.support.batch import item, items
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def under_way(batch: BatchRig, given: list[dict[str, Any]], **fields: Any) -> None:
    """Let a first try submit these items, and die while their jobs are under way."""
    with pytest.raises(TaskDeferred):
        batch.batch(given, **fields).execute(batch.context())
    assert len(batch.charges) == len(given)
    batch.retry()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"library": "None"}, "is 'None', which is what a template makes of a missing value"),
        ({"library": ""}, "is empty"),
        ({"library": "nope://bucket/library"}, "Nothing can be stored under nope://bucket/"),
        ({"reuse_max_age": "old"}, "reuse_max_age must be seconds or a timedelta"),
        ({"max_in_flight": "many"}, "max_in_flight must be a whole number"),
        ({"on_invalid": "x"}, "on_invalid must be one of"),
        ({"fail_when": "x"}, "fail_when must be one of"),
        ({"on_item_failure": "x"}, "on_item_failure must be one of"),
        ({"on_failed": "x"}, "on_failed must be one of"),
        ({"on_clear": "x"}, "on_clear must be one of"),
        ({"on_suspended": "x"}, "on_suspended must be one of"),
        ({"on_changed_input": "x"}, "on_changed_input must be one of"),
        ({"on_unknown_submission": "x"}, "on_unknown_submission must be one of"),
        ({"on_insufficient": "x"}, "on_insufficient must be one of"),
        ({"timeout": "x"}, "timeout must be seconds"),
        ({"submit_timeout": 0}, "submit_timeout must be more than 0 seconds"),
        ({"poll_interval": "x"}, "poll_interval must be seconds"),
        ({"filename": "{id}"}, "filename must hold {id} and {n}"),
        ({"filename": None}, "filename is no template"),
        ({"max_credits": "many", "library": "None"}, "max_credits must be a whole number"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_was_bought_is_collected_whatever_option_is_wrong(
    batch: BatchRig, fields: dict[str, Any], said: str
) -> None:
    given = items(2)
    under_way(batch, given)
    batch.patch.setenv("AIRFLOW__ADGEN__POLL_INTERVAL", "0.05")
    with pytest.raises(AirflowFailException) as stopped:
        batch.run(batch.batch([*given, item("new")], **fields))
    assert said in str(stopped.value)
    assert "2 completed" in str(stopped.value)
    assert batch.statuses() == {one["key"]: "completed" for one in given}
    assert len(batch.files()) == 2
    batch.retry()
    assert batch.run(batch.batch([*given, item("new")]))["counts"]["completed"] == 3
    assert len(batch.charges) == len(batch.posts()) == 3


@pytest.mark.parametrize("destination", ["", "None", "nope://bucket/ads", "s3://", "{{ a }}"])
def test_what_cannot_be_stored_stays_on_record(batch: BatchRig, destination: str) -> None:
    given = items(3)
    under_way(batch, given)
    with pytest.raises(AirflowFailException) as stopped:
        batch.run(batch.batch(given, destination=destination))
    text = str(stopped.value)
    assert "3 submitted" in text
    assert "There is no place for a file of results." in text
    assert "results" not in batch.xcoms
    assert batch.files() == []
    batch.clear()
    assert batch.run(batch.batch(given))["counts"]["completed"] == 3
    assert len(batch.files()) == 3
    assert len(batch.charges) == len(batch.posts()) == 3


def test_a_submission_is_settled_although_nothing_can_be_stored(batch: BatchRig) -> None:
    """Its idempotency key tells for a day only."""
    given = items(2)
    batch.sandbox.fault("drop", "adsumo", method="POST", times=1)
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    with pytest.raises(AdGenError, match="1 unknown"):
        batch.run(batch.batch(given, max_in_flight=1))
    batch.sandbox.clear_faults()
    assert len(batch.charges) == 1
    batch.retry()
    batch.clock.move(600)
    with pytest.raises(AirflowFailException, match="1 submitted, 1 waiting"):
        batch.run(batch.batch(given, destination="None"))
    batch.clock.move(3 * 86400)
    batch.clear()
    assert batch.run(batch.batch(given))["counts"]["completed"] == 2
    assert len(batch.charges) == 2


def test_a_destination_that_turns_wrong_in_a_later_leg(batch: BatchRig) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch(items(2)).execute(batch.context())
    with pytest.raises(AirflowFailException, match="2 submitted"):
        run_task(batch.batch(items(2), destination="None"), batch.context(), passing=batch.clock.move, resumed=True)
    batch.clear()
    assert batch.run(batch.batch(items(2)))["counts"]["completed"] == 2
    assert len(batch.charges) == 2


def test_a_first_try_with_wrong_options_sends_nothing_and_leaves_nothing(batch: BatchRig) -> None:
    for fields in ({"library": ""}, {"destination": ""}, {"timeout": "x"}):
        with pytest.raises(AirflowFailException, match="Nothing was sent"):
            batch.run(batch.batch(items(1), **fields))
    assert batch.sandbox.requests("adsumo") == []
    assert not (batch.folder / "ledger").exists()


def test_a_creative_that_was_stored_without_its_library_is_not_paid_for_by_another_run(batch: BatchRig) -> None:
    library = f"file://{batch.folder / 'library'}"
    under_way(batch, items(2), library=library)
    with pytest.raises(AirflowFailException, match="2 completed"):
        batch.run(batch.batch(items(2), library="None"))
    batch.try_number, batch.max_tries = 1, 1
    told = batch.run(batch.batch(items(2), library=library), run_id="week-2")
    assert told["counts"]["reused"] == 2
    assert len(batch.charges) == 2


def test_what_was_refused_in_one_leg_is_refused_in_all(batch: BatchRig) -> None:
    """Otherwise a try that gave up buying would end well where ``fail_when`` tolerates what is missing."""
    batch.patch.setattr("airflow_provider_adgen.lifecycle.batch.leg.LINGER", 0.0)
    batch.sandbox.settings(adsumo={"job_seconds": 3000})
    fields: dict[str, Any] = {"max_in_flight": 1, "fail_when": 0.9}
    with pytest.raises(TaskDeferred):
        batch.batch(items(3), **fields).execute(batch.context())
    wrong = batch.batch(items(3), **fields, max_credits="many")
    with pytest.raises(TaskDeferred):
        wrong.resume_execution(TRIGGER_FAILED, {}, batch.context())
    batch.sandbox.advance(9000)
    with pytest.raises(AirflowFailException, match="max_credits must be a whole number"):
        run_task(batch.batch(items(3), **fields), batch.context(), passing=batch.clock.move, resumed=True)
    assert len(batch.charges) == 1
    assert sorted(batch.statuses().values()) == ["completed", "waiting", "waiting"]


def test_an_item_that_lacks_a_field_of_the_names_of_now_is_stored(batch: BatchRig) -> None:
    under_way(batch, items(2))
    now = [item("new", meta={"color": "red"})]
    told = batch.run(batch.batch(now, filename="{color}/{id}-{n}.{ext}"))
    assert told["counts"]["completed"] == 1
    assert told["counts"]["removed"] == 2
    assert len(batch.files()) == len(batch.charges) == 3


# --- what a person is told --------------------------------------------------------------------------------------------

WRONG: dict[str, Any] = {"key": "new", "conn_id": "sume_default", "request": {"kind": "nope"}}


def test_a_person_is_told_what_to_do_about_lost_submissions(batch: BatchRig) -> None:
    given = items(1, "sume")
    batch.sandbox.fault("drop", "sume", method="POST", times=1)
    with pytest.raises(AirflowFailException) as first:
        batch.run(batch.batch(given))
    batch.clock.move(300)
    batch.retry()
    with pytest.raises(AirflowFailException) as refused:
        batch.run(batch.batch([*given, WRONG]))
    (job,) = batch.sandbox.jobs("sume")
    told, again = str(first.value), str(refused.value)
    begin = told.index("If the vendor has the job, attach it")
    assert told[begin:] in again
    assert "ledger attach campaign" in again
    assert job["id"] in again
    (line,) = batch.lines().values()
    assert [one["job_id"] for one in line["candidates"]] == [job["id"]]
    assert "product-0000/hero (unknown): Nobody knows whether Sume accepted" in again


def test_items_that_were_not_sent_are_told_in_one_short_line(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=2, skip=1, message="This is not allowed")
    with pytest.raises(AirflowFailException, match="2 refused"):
        batch.run(batch.batch(items(3), max_in_flight=1))
    batch.retry()
    with pytest.raises(AirflowFailException) as refused:
        batch.run(batch.batch([*items(3), WRONG]))
    line = "2 items waiting (product-0001/hero, product-0002/hero): Nothing was submitted: this try buys nothing."
    assert line in str(refused.value).splitlines()


def test_a_retry_goes_on_where_a_key_can_still_tell(batch: BatchRig) -> None:
    """The list is wrong for good, and the account is out just now: the next retry settles what may be paid for."""
    given = items(1)
    batch.sandbox.fault("drop", "adsumo", method="POST", times=1)
    batch.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    with pytest.raises(AdGenError, match="1 unknown"):
        batch.run(batch.batch(given))
    batch.retry()
    batch.clock.move(600)
    with pytest.raises(BatchRefused, match="1 unknown submission needs nobody to decide") as stopped:
        batch.run(batch.batch([*given, WRONG]))
    assert stopped.value.retry_helps
    batch.sandbox.clear_faults()
    batch.retry()
    batch.clock.move(600)
    with pytest.raises(AirflowFailException, match="1 completed"):
        batch.run(batch.batch([*given, WRONG]))
    assert len(batch.charges) == 1


def test_what_tries_used_again_cannot_be_read_and_what_is_paid_for_is_collected(batch: BatchRig) -> None:
    library = f"file://{batch.folder / 'library'}"
    batch.run(batch.batch(items(1), library=library))
    batch.try_number, batch.max_tries = 1, 1
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, skip=1, message="This is not allowed")
    given = items(3)
    with pytest.raises(TaskDeferred):
        batch.batch(given, library=library, max_in_flight=2).execute(batch.context(run_id="week-2"))
    assert len(batch.charges) == 2
    (reused,) = (batch.folder / "ledger").rglob("reused-*")
    reused.write_text("{")
    batch.retry()
    with pytest.raises(AdGenError, match="1 completed, 2 waiting"):
        batch.run(batch.batch(given, library=library), run_id="week-2")
    assert len(batch.files()) == len(batch.charges) == 2
    assert {line["reason"] for line in batch.lines().values() if line["status"] == "waiting"}
