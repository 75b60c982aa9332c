# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What follows a poll in the poll loop: what judge_poll says, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.polling import Schedule, list_is_unusable
from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    AuthenticationError,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.triggers.connection import LiveConnection
from airflow_provider_adgen.triggers.meter import Meter
from airflow_provider_adgen.triggers.poll_results import PollResults
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget, PollUpdate, UpdateKind
from airflow_provider_adgen.triggers.waiting_jobs import JobState, WaitingJob, WaitingJobs


class Waiting:
    """One waiting job of an age, and what follows its polls."""

    def __init__(self, age: float) -> None:
        self.connection = LiveConnection("results")
        self.jobs = WaitingJobs(lambda _due: None)
        self.results = PollResults(self.connection, self.jobs, Meter("results"))
        self.inbox: asyncio.Queue[PollUpdate] = asyncio.Queue()
        self.job = self.add("job", age, self.inbox)

    def add(self, key: str, age: float, inbox: asyncio.Queue[PollUpdate]) -> WaitingJob:
        async def poll(_wire: Any) -> PollResult:
            raise NotImplementedError

        target = PollTarget(key=key, poll=poll, schedule=Schedule(10.0), since=SYSTEM.now() - age, kind="none")
        return self.jobs.add(target, inbox)

    def fail(self, error: AdGenError) -> None:
        self.results.failed([self.job], error, SYSTEM.monotonic(), self.connection.version)

    @property
    def told(self) -> list[UpdateKind]:
        return [self.inbox.get_nowait().kind for _ in range(self.inbox.qsize())]


@pytest.mark.parametrize(
    ("error", "age", "state", "told"),
    [
        (NotFound("x", status=404), 5.0, JobState.SCHEDULED, []),
        (NotFound("x", status=404), 90.0, JobState.OVER, [UpdateKind.UNREACHABLE]),
        (PermissionDenied("x", status=403), 90.0, JobState.OVER, [UpdateKind.UNREACHABLE]),
        (ServerError("x", status=500), 90.0, JobState.SCHEDULED, []),
        (ApiError("x", status=408), 90.0, JobState.SCHEDULED, []),
        (UnexpectedResponse("x"), 90.0, JobState.SCHEDULED, []),
        (WireError("x"), 90.0, JobState.SCHEDULED, []),
        (AuthenticationError("x", status=401), 90.0, JobState.SCHEDULED, [UpdateKind.READ_CONNECTION]),
    ],
)
async def test_an_error_has_the_same_consequence_as_everywhere(
    error: AdGenError, age: float, state: JobState, told: list[UpdateKind]
) -> None:
    waiting = Waiting(age)
    waiting.fail(error)
    assert (waiting.job.state, waiting.told) == (state, told)
    assert waiting.job.failures == (state is JobState.SCHEDULED and not told)


async def test_one_waiter_at_a_time_reads_the_connection_again() -> None:
    waiting = Waiting(90.0)
    others: asyncio.Queue[PollUpdate] = asyncio.Queue()
    other = waiting.add("other", 90.0, others)
    waiting.results.failed([waiting.job, other], AuthenticationError("x", status=401), 0.0, waiting.connection.version)
    assert waiting.told == [UpdateKind.READ_CONNECTION] and others.empty() and waiting.connection.awaited
    assert waiting.connection.done_reading(waiting.inbox) and not waiting.connection.awaited


async def test_a_rate_limit_does_not_say_that_a_vendor_that_was_down_is_back() -> None:
    waiting = Waiting(90.0)
    for _ in range(3):
        waiting.fail(ServerError("x", status=500))
    assert waiting.results.circuit_breaker.trips == 1
    waiting.fail(RateLimited("our own limit; it was not sent", status=429))
    assert waiting.results.circuit_breaker.trips == 1
    waiting.results.found(waiting.job, PollResult("processing", False), SYSTEM.monotonic())
    assert waiting.results.circuit_breaker.trips == 0


async def test_what_waits_out_a_pause_is_polled_within_an_interval_once_the_vendor_is_back() -> None:
    waiting = Waiting(90.0)
    for _ in range(6):
        waiting.results.failed([waiting.job], ServerError("x", status=500), SYSTEM.monotonic(), 0)
    assert waiting.job.due > SYSTEM.monotonic() + 60
    other = waiting.add("other", 90.0, asyncio.Queue())
    waiting.results.found(other, PollResult("processing", False), SYSTEM.monotonic())
    assert waiting.job.due <= SYSTEM.monotonic() + 10


@pytest.mark.parametrize(
    ("error", "unusable"),
    [
        (UnexpectedResponse("x"), True),
        (PermissionDenied("x", status=403), True),
        (NotFound("x", status=404), True),
        (ApiError("x", status=410), True),
        (AuthenticationError("x", status=401), False),
        (RateLimited("x", status=429), False),
        (ApiError("x", status=408), False),
        (ServerError("x", status=503), False),
        (WireError("x"), False),
    ],
)
def test_whose_fault_an_error_of_the_list_is(error: AdGenError, unusable: bool) -> None:
    assert list_is_unusable(error) is unusable
