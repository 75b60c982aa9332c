# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which jobs a pass over the vendor's list looks for, in simulated time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.core.vocabulary import Generation
from airflow_provider_adgen.triggers import list_reader, poll_results
from airflow_provider_adgen.triggers.connection import LiveConnection
from airflow_provider_adgen.triggers.list_reader import ListReader
from airflow_provider_adgen.triggers.meter import Meter
from airflow_provider_adgen.triggers.poll_results import PollResults
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget
from airflow_provider_adgen.triggers.waiting_jobs import JobState, WaitingJobs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

INTERVAL = 10.0


class Ahead(Clock):
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.ahead


class Listing:
    """A vendor whose list has five jobs a page, each of which takes its time."""

    def __init__(self, clock: Ahead, pages: list[list[str]], seconds: float) -> None:
        self._clock, self._pages, self._seconds = clock, pages, seconds
        self.read = 0
        self.vendor = SimpleNamespace(list_jobs=lambda: SimpleNamespace(close=lambda: None))

    async def pages(self, _steps: Any) -> AsyncGenerator[list[Generation]]:
        for names in self._pages:
            self._clock.ahead += self._seconds
            self.read += 1
            yield [Generation(vendor="x", id=name, kind="image", status="processing") for name in names]


@pytest.mark.parametrize(("seconds", "pages"), [(0.1, 4), (2.0, 6)])
async def test_a_slow_pass_looks_for_what_its_last_pages_show(
    monkeypatch: pytest.MonkeyPatch, seconds: float, pages: int
) -> None:
    """Else the jobs of the last pages are due when it ends, and the next pass reads all pages for them."""
    clock, passes = Ahead(), list[asyncio.Task[None]]()
    monkeypatch.setattr(list_reader, "SYSTEM", clock)
    monkeypatch.setattr(poll_results, "SYSTEM", clock)
    names = [[f"job-{page}-{number}" for number in range(5)] for page in range(6)]
    jobs, wire = WaitingJobs(lambda _due: None), Listing(clock, names, seconds)

    def spawn(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        passes.append(asyncio.create_task(work))
        return passes[-1]

    reader = ListReader(jobs, PollResults(LiveConnection("list"), jobs, Meter("list")), spawn)

    async def poll(_wire: Any) -> PollResult:
        raise NotImplementedError

    plan, since = Schedule(INTERVAL), clock.now() - 100
    waiting = [
        [
            jobs.add(PollTarget(key=job, poll=poll, schedule=plan, since=since, job_id=job), asyncio.Queue())
            for job in page
        ]
        for page in names
    ]
    for looked_for in (6, pages):
        now, before = clock.monotonic(), wire.read
        for number, page in enumerate(waiting):
            for job in page:
                # First all are due at once; then those of a later page are due later.
                jobs.schedule(job, now if not before else now + number * INTERVAL / 6.5)
        assert reader.start(wire, waiting[0][0], now, 1)  # type: ignore[arg-type]  # it pages
        listed = [job for page in waiting for job in page if job.state is JobState.LISTED]
        await passes[-1]
        assert (len(listed), wire.read - before) == (5 * looked_for, looked_for)
