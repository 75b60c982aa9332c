# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a claim means, by what its record says."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.claims import (
    NO_INTENT_SECONDS,
    YOUNG_SECONDS,
    ClaimedWork,
    Standing,
    claim_pause,
    claimed_work,
    is_stored,
    judge_claim,
)
from airflow_provider_adgen.core.decisions.submission import repeat_delay
from airflow_provider_adgen.core.record import Attempt, Record

STORED = {"id": "j", "creatives": [{"uri": "file:///a.png"}]}
AT = 1000.0


def judge(state: Any, *, after: float = 0.0, given_up: bool = False, **fields: Any) -> Standing:
    return judge_claim(ClaimedWork(state, **fields), claimed_at=AT, now=AT + after, given_up=given_up)


def attempt(phase: Any, claim: str | None = "c", **fields: Any) -> Attempt:
    made = {"epoch": 1, "fingerprint": "f", "request_kind": "video", "intended_at": 100.0, "post_seconds": 60.0}
    return Attempt(**{"phase": phase, "claim": claim, "conn_id": "acc", **made, **fields})


def work(*attempts: Attempt) -> ClaimedWork:
    return claimed_work(Record(attempts=list(attempts)), "c")


class TestTheRecord:
    def test_what_was_submitted_under_another_claim_does_not_count(self) -> None:
        assert work().state == "none"
        assert work(attempt("done", "d", result=STORED), attempt("submitted", None)).state == "none"

    @pytest.mark.parametrize(
        ("phase", "fields", "state"),
        [
            ("withdrawn", {}, "none"),
            ("intent", {}, "intent"),
            ("intent", {"unknown": True}, "unknown"),
            ("submitted", {}, "submitted"),
            ("submitted", {"ended": "failed"}, "failed"),
            ("submitted", {"ended": "canceled"}, "failed"),
            ("submitted", {"ended": "expired"}, "failed"),
            ("submitted", {"ended": "completed"}, "submitted"),
            ("done", {"result": STORED}, "done"),
        ],
    )
    def test_each_phase(self, phase: str, fields: dict[str, Any], state: str) -> None:
        assert work(attempt(phase, **fields)).state == state

    def test_what_may_have_been_paid_for_counts_more(self) -> None:
        assert work(attempt("intent", unknown=True), attempt("withdrawn")).state == "unknown"
        assert work(attempt("withdrawn"), attempt("submitted")).state == "submitted"

    def test_the_latest_sign_of_life(self) -> None:
        assert work(attempt("intent")).at == 160.0
        assert work(attempt("intent", clock_at=90.0)).at == 150.0
        assert work(attempt("intent", sent_at=700.0)).at == 700.0
        assert work(attempt("intent", sent_at=700.0, retry_at=4300.0)).at == 4300.0

    def test_what_was_delivered(self) -> None:
        found = work(attempt("done", result=STORED, submitted_at=101.5))
        assert (found.result, found.made_at, found.conn_id) == (STORED, 101.5, "acc")


class TestTheClaim:
    def test_an_intent_is_young_for_longer_than_any_pause_between_repeats(self) -> None:
        assert max(repeat_delay(sends) for sends in range(100)) + 60 < YOUNG_SECONDS

    def test_without_an_intent_it_holds_for_ten_minutes(self) -> None:
        assert NO_INTENT_SECONDS == 600
        assert judge("none", after=599.9) == Standing.HOLDS
        assert judge("none", after=600) == Standing.VOID
        assert judge("none", after=-3600) == Standing.HOLDS, "its clock is ahead"

    def test_given_up_it_holds_no_longer_unless_something_was_posted(self) -> None:
        assert judge("none", given_up=True) == Standing.VOID
        assert judge("intent", at=AT, given_up=True) == Standing.HOLDS
        assert judge("submitted", given_up=True) == Standing.HOLDS
        assert judge("unknown", given_up=True) == Standing.UNKNOWN

    def test_a_young_intent_is_waited_for_and_an_old_one_is_unknown(self) -> None:
        assert judge("intent", at=AT, after=YOUNG_SECONDS - 1) == Standing.HOLDS
        assert judge("intent", at=AT, after=YOUNG_SECONDS) == Standing.UNKNOWN

    def test_the_rest(self) -> None:
        assert judge("submitted", after=1e9) == Standing.HOLDS
        assert judge("failed") == Standing.VOID
        assert judge("unknown") == Standing.UNKNOWN
        assert judge("done", result=STORED) == Standing.MADE
        assert judge("done", result={"id": "j", "creatives": [{"url": "x"}]}) == Standing.VOID
        assert judge("done") == Standing.VOID

    def test_who_waits_for_a_job_asks_less_often(self) -> None:
        rng = random.Random(1)
        soon = [claim_pause(ClaimedWork("none"), rng) for _ in range(100)]
        later = [claim_pause(ClaimedWork("submitted"), rng) for _ in range(100)]
        assert min(soon) >= 1 and max(soon) <= 10 and len(set(soon)) == 100
        assert min(later) >= 30 and max(later) <= 60


@pytest.mark.parametrize(
    ("generation", "stored"),
    [
        (None, False),
        ({}, False),
        ({"creatives": []}, False),
        ({"creatives": [], "variants": [{"hook": "a"}]}, True),
        ({"creatives": [{"uri": "s3://b/k"}]}, True),
        ({"creatives": [{"uri": "s3://b/k"}, {"uri": None}]}, False),
        ({"creatives": [{"uri": None}], "variants": [{"hook": "a"}]}, False),
        ({"creatives": "x"}, False),
        ({"creatives": ["x"]}, False),
    ],
)
def test_what_counts_as_stored(generation: Any, stored: bool) -> None:
    assert is_stored(generation) is stored
