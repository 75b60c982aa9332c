# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The record of what a task bought: merging, what it may have cost, and that what cannot be read is never "no job"."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.record import Attempt, Phase, Record, RecordUnreadable

PHASES: tuple[Phase, ...] = ("intent", "withdrawn", "submitted", "done")


def attempt(phase: Phase = "intent", **fields: Any) -> Attempt:
    made = {"epoch": 1, "fingerprint": "f", "kind": "video", "intended_at": 100.0, "post_seconds": 60.0}
    return Attempt(**{"phase": phase, "uid": "a", **made, **fields})


def test_it_survives_json() -> None:
    record = Record(attempts=[attempt("done", job_ids=["j"], price=20, statuses=[0, 500], result={"creatives": []})])
    assert Record.from_json(json.loads(json.dumps(record.to_json())), where="here") == record


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "intent",
        3,
        [],
        {},
        {"phase": "submitted"},
        {"attempts": []},
        {"v": 1},
        {"v": 2, "attempts": []},
        {"v": "1", "attempts": []},
        {"v": 1, "attempts": None},
        {"v": 1, "attempts": [{}]},
        {"v": 1, "attempts": ["x"]},
        {"v": 1, "attempts": [{**attempt().model_dump(), "phase": "paid"}]},
        {"v": 1, "attempts": [{**attempt().model_dump(), "intended_at": "soon"}]},
    ],
)
def test_what_is_not_a_known_record_stops_the_task(value: Any) -> None:
    with pytest.raises(RecordUnreadable, match=r"in the store cannot be read .* Nothing was sent"):
        Record.from_json(value, where="the store")


def test_the_error_of_an_unreadable_record_shows_none_of_it() -> None:
    value = {"v": 1, "attempts": [{**attempt().model_dump(), "intended_at": "s3cr3t"}]}
    with pytest.raises(RecordUnreadable) as caught:
        Record.from_json(value, where="the store")
    assert "s3cr3t" not in str(caught.value)
    assert "attempts.0.intended_at" in str(caught.value)


def test_what_a_later_version_adds_is_kept() -> None:
    value = {"v": 1, "attempts": [{**attempt().model_dump(), "colour": "red"}], "note": "x"}
    assert Record.from_json(value, where="here").to_json()["attempts"][0]["colour"] == "red"


@pytest.mark.parametrize(("old", "new"), list(itertools.product(PHASES, PHASES)))
def test_an_attempt_never_goes_back(old: Phase, new: Phase) -> None:
    record = Record(attempts=[attempt(old, written_at=1.0)]).with_attempt(attempt(new, written_at=2.0))
    assert [one.phase for one in record.attempts] == [max(old, new, key=PHASES.index)]


def test_of_the_same_phase_the_later_version_counts() -> None:
    early, late = attempt(written_at=1.0, statuses=[]), attempt(written_at=2.0, statuses=[500])
    for order in ([early, late], [late, early]):
        merged = Record.merged(Record(attempts=[one]) for one in order)
        assert merged.attempts == [late]


def test_two_writers_destroy_nothing_of_each_other() -> None:
    mine = Record(attempts=[attempt("submitted", uid="a", intended_at=1.0, job_ids=["j1"])])
    theirs = Record(attempts=[attempt("intent", uid="b", intended_at=2.0)])
    for records in ([mine, theirs], [theirs, mine]):
        merged = Record.merged(records)
        assert [(one.uid, one.phase) for one in merged.attempts] == [("a", "submitted"), ("b", "intent")]
        assert merged.last is not None and merged.last.uid == "b"


versions = st.builds(
    attempt,
    st.sampled_from(PHASES),
    uid=st.sampled_from("abc"),
    written_at=st.integers(0, 5).map(float),
    intended_at=st.just(100.0),
)


@given(st.lists(versions, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(found: list[Attempt], random: Any) -> None:
    # Two versions of one phase and time cannot be told apart: they are written by one process, one after the other.
    found = list({(one.uid, one.phase, one.written_at): one for one in found}.values())
    shuffled = list(found)
    random.shuffle(shuffled)

    def phases(attempts: list[Attempt]) -> set[tuple[str, str, float]]:
        merged = Record.merged(Record(attempts=[one]) for one in attempts)
        return {(one.uid, one.phase, one.written_at) for one in merged.attempts}

    assert phases(found) == phases(shuffled)
    furthest = {}
    for one in found:
        furthest[one.uid] = max(furthest.get(one.uid, 0), PHASES.index(one.phase))
    assert {uid: PHASES.index(phase) for uid, phase, _ in phases(found)} == furthest


def test_an_empty_record() -> None:
    assert Record().last is None
    assert Record().answered == 0
    assert Record().spent(1) == 0


def test_what_it_may_have_cost() -> None:
    attempts = [
        attempt("withdrawn", uid="1", price=100),
        attempt("intent", uid="2", price=20),
        attempt("submitted", uid="3", price=20, charged=25),
        attempt("submitted", uid="4", price=20, refunded=20),
        attempt("submitted", uid="5", price=20, charged=15, refunded=20),
        attempt("done", uid="6", price=7),
        attempt("submitted", uid="7"),
        attempt("done", uid="8", price=1000, epoch=3),
    ]
    record = Record(attempts=attempts)
    assert record.spent(1) == 20 + 25 + 0 + 0 + 7 + 0
    assert record.spent(3) == 1000
    assert record.spent(4) == 0


def test_answered_attempts_are_counted() -> None:
    flags = enumerate([True, False, True])
    assert Record(attempts=[attempt(uid=str(n), answered=answered) for n, answered in flags]).answered == 2


def test_two_attempts_have_two_names() -> None:
    made = [
        Attempt(phase="intent", epoch=1, fingerprint="f", kind="k", intended_at=1.0, post_seconds=1.0) for _ in "ab"
    ]
    assert made[0].uid != made[1].uid
