# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs that lost submissions could have started, told with whose else they could be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus
from airflow_provider_adgen.core.wording import moment
from airflow_provider_adgen.lifecycle.candidates import compare, told

NOW = 1_700_000_000.0


def lost(at: float, kind: str = "image") -> Attempt:
    return Attempt(
        phase="intent", epoch=1, fingerprint="f", kind="image", result_kind=kind, intended_at=at, post_seconds=60.0
    )


def job(name: str, at: float | None, kind: str = "image") -> Generation:
    created = None if at is None else datetime.fromtimestamp(at, UTC)
    status = GenerationStatus.PROCESSING
    return Generation(vendor="sume", id=name, job_ids=[name], kind=kind, status=status, created_at=created)


def test_a_job_of_one_moment_could_be_that_of_several() -> None:
    found = compare(
        [job("late", NOW + 90), job("now", NOW + 0.25), job("film", NOW, "video"), job("old", NOW - 3600)],
        {"a": lost(NOW), "b": lost(NOW + 0.5), "c": lost(NOW + 120), "d": lost(NOW, "video")},
    )
    assert [(one.job_id, one.also_of) for one in found["a"]] == [("now", ("b",)), ("late", ("b", "c"))]
    assert [(one.job_id, one.also_of) for one in found["c"]] == [("late", ("a", "b"))]
    assert [(one.job_id, one.also_of) for one in found["d"]] == [("film", ())]
    assert found["a"][0].to_json() == {
        "job_id": "now",
        "status": "processing",
        "created_at": "2023-11-14T22:13:20.250Z",
        "also_candidate_of": ["b"],
    }


def test_only_a_job_that_is_nobody_elses_goes_into_the_command() -> None:
    alone = told(compare([job("now", NOW)], {"a": lost(NOW)})["a"], 1)
    assert alone.only == "now"
    assert alone.sentence == (
        "Jobs created since then that could be it: now (processing, created 2023-11-14T22:13:20Z)."
    )
    shared = told(compare([job("now", None)], {"a": lost(NOW), "b": lost(NOW)})["a"], 1)
    assert shared.only is None
    assert "now (processing, created nobody says when; it could be that of 'b', too)." in shared.sentence
    none = "None of the vendor's jobs was created since then"
    assert told((), 1).sentence == f"{none} (1 job of its list was looked at)."
    assert told((), 7).sentence == f"{none} (7 jobs of its list were looked at)."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOW, "2023-11-14T22:13:20Z"),
        (NOW + 0.0004, "2023-11-14T22:13:20Z"),
        (NOW + 0.0306, "2023-11-14T22:13:20.031Z"),
        (datetime(2026, 1, 1, 1, 0, 0, 5000, tzinfo=timezone(timedelta(hours=1))), "2026-01-01T00:00:00.005Z"),
    ],
)
def test_a_time_is_told_to_the_millisecond(value: datetime | float, text: str) -> None:
    assert moment(value) == text
