# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs that lost submissions could have started, told with whose else they could be."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus
from airflow_provider_adgen.core.wording import moment
from airflow_provider_adgen.lifecycle.candidates import Recent, compare, list_recent, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = 1_700_000_000.0


def lost(at: float, kind: str = "image") -> Attempt:
    return Attempt(
        phase="intent", epoch=1, fingerprint="f", kind="image", result_kind=kind, intended_at=at, post_seconds=60.0
    )


def job(name: str, at: float | None, kind: str = "image", *, guessed: bool = False) -> Generation:
    created = None if at is None else datetime.fromtimestamp(at, UTC)
    status = GenerationStatus.PROCESSING
    return Generation(vendor="sume", id=name, kind=kind, status=status, created_at=created, kind_guessed=guessed)


def recent(*created: float | None, most: int = 3) -> Recent:
    """What is told of a list whose jobs were created then, in its order; those since NOW are looked for."""

    async def iterate(_steps: Any) -> AsyncIterator[Generation]:
        for number, at in enumerate(created):
            yield job(f"job_{number}", at)

    wire = SimpleNamespace(vendor=SimpleNamespace(list_jobs=lambda: ()), iterate=iterate)
    hook: Any = SimpleNamespace(run_blocking=lambda act: asyncio.run(act(wire)))
    return list_recent(hook, NOW, most=most)


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
    alone = told(compare([job("now", NOW)], {"a": lost(NOW)})["a"], Recent([], 1))
    assert alone.only == "now"
    assert alone.sentence == (
        "Jobs created since then that could be it: now (processing, created 2023-11-14T22:13:20Z)."
    )
    shared = told(compare([job("now", None)], {"a": lost(NOW), "b": lost(NOW)})["a"], Recent([], 1))
    assert shared.only is None
    assert "now (processing, created nobody says when; it could be that of 'b', too)." in shared.sentence
    none = "None of the vendor's jobs was created since then"
    assert told((), Recent([], 1)).sentence == f"{none} (1 job of its list was looked at)."
    assert told((), Recent([], 7)).sentence == f"{none} (7 jobs of its list were looked at)."


def test_a_kind_that_the_vendor_did_not_tell_leaves_no_job_out() -> None:
    jobs = [job("unsaid", NOW, "video", guessed=True), job("film", NOW, "video")]
    found = compare(jobs, {"a": lost(NOW), "b": lost(NOW, "video")})
    assert [one.job_id for one in found["a"]] == ["unsaid"]
    assert [one.job_id for one in found["b"]] == ["unsaid", "film"]
    assert "kind_guessed" not in jobs[0].to_xcom(urls=True) and "kind_guessed" not in jobs[0].model_dump()


@pytest.mark.parametrize(
    ("created", "whole"),
    [
        ((NOW + 9, NOW - 900), True),
        # Longer than what is looked at: it begins with the newest job, and was read beyond that time.
        ((NOW + 9, NOW - 900, NOW - 901, NOW - 902), True),
        ((NOW - 900, NOW - 900, NOW - 900, NOW - 900), True),
        # It begins with the oldest job, with any, or does not say; or all that was looked at is of that time.
        ((NOW - 902, NOW - 901, NOW - 900, NOW + 9), False),
        ((NOW - 900, NOW - 902, NOW - 901, NOW + 9), False),
        ((NOW - 900, None, NOW - 901, NOW + 9), False),
        ((NOW + 9, NOW + 8, NOW + 7, NOW + 6), False),
    ],
)
def test_a_list_that_was_not_read_to_its_end_is_told(created: tuple[float | None, ...], whole: bool) -> None:
    found = recent(*created)
    assert (found.looked, found.whole) == (min(3, len(created)), whole)
    since = [at for at in created[:3] if at is None or at >= NOW]
    assert len(found.jobs) == len(since)
    for jobs in ((), compare([job("now", NOW)], {"a": lost(NOW)})["a"]):
        said = told(jobs, found).sentence
        assert said.count("look for the job at the vendor, too") == (not whole)
        assert ("None of the vendor's jobs" in said) == (whole and not jobs)


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
