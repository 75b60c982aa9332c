# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Takes in what a poll loop's looks and passes find: tells the waiters, learns, and says when to ask again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.circuit_breaker import CircuitBreaker
from airflow_provider_adgen.core.decisions.durations import Durations
from airflow_provider_adgen.core.decisions.polling import PollAction, judge_poll
from airflow_provider_adgen.core.errors import (
    AdGenError,
    AuthenticationError,
    RateLimited,
    ServerError,
    WireError,
)
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.triggers.due_queue import NEVER
from airflow_provider_adgen.triggers.targets import PollResult, PollUpdate, UpdateKind

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable, Iterable

    from airflow_provider_adgen.triggers.connection import LiveConnection
    from airflow_provider_adgen.triggers.due_queue import DueQueue, WaitingJob
    from airflow_provider_adgen.triggers.meter import Meter

_MOST_CONNECTIONS = 256

# What jobs of a connection took outlives its loop, which ends whenever nobody waits.
_durations: dict[str, Durations] = {}


def _durations_of(conn_id: str) -> Durations:
    if conn_id not in _durations and len(_durations) >= _MOST_CONNECTIONS:
        _durations.pop(next(iter(_durations)))
    return _durations.setdefault(conn_id, Durations())


class Outcomes:
    """
    What came of asking, for one poll loop.

    :param connection: the connection.
    :param due_queue: where watches are put for their next look.
    :param meter: what is told to Airflow's statistics.
    :param wake: wakes the loop.
    """

    def __init__(self, connection: LiveConnection, due_queue: DueQueue, meter: Meter, wake: asyncio.Event) -> None:
        self.watches: dict[Hashable, WaitingJob] = {}
        self.by_job: dict[str, dict[WaitingJob, None]] = {}
        self.circuit_breaker = CircuitBreaker()
        self.durations = _durations_of(connection.conn_id)
        self.rng = random.Random()  # noqa: S311 - jitter, not a secret
        self.reader: asyncio.Queue[PollUpdate] | None = None
        """The waiter that reads the connection again just now; until then nothing is asked."""

        self._account = connection
        self._agenda = due_queue
        self._meter = meter
        self._wake = wake

    def watches_of(self, job: str) -> list[WaitingJob]:
        """Return who waits for a job."""
        return list(self.by_job.get(job, ()))

    def found(self, watch: WaitingJob, look: PollResult, began: float) -> None:
        """Take in what was seen of a job by a request that began at a monotonic time."""
        self._answered()
        self._account.worked()
        age, seen_running = age_of(watch), watch.not_before
        watch.failures = 0
        watch.looks += 1
        if look.over:
            self._learn(watch, look, age)
            since = None if seen_running is None else age - seen_running
            self._meter.noticed(watch, look, time.time(), since)
            self._end(watch, PollUpdate(UpdateKind.OVER, look.word, look.sealed))
            return
        took = SYSTEM.monotonic() - began
        watch.not_before = max(0.0, age - took)
        if look.word != watch.status:
            watch.status = look.word
            watch.tell(PollUpdate(UpdateKind.STATUS, look.word))
        self.rest(watch, took=0.0 if watch.target.holds else took)

    def _learn(self, watch: WaitingJob, look: PollResult, age: float) -> None:
        if look.word != GenerationStatus.COMPLETED:
            return  # what is refused at once says nothing about how long the others take
        if look.ended is not None:
            took = look.ended - watch.target.since
            self.durations.learn(watch.target.kind, took, took)
        elif watch.not_before is not None:
            self.durations.learn(watch.target.kind, watch.not_before, age)

    def failed(self, watches: Iterable[WaitingJob], error: AdGenError, began: float, reading: int) -> None:
        """Take in that nothing could be seen of some jobs, by a request that went by a *reading* of the connection."""
        now, watches = SYSTEM.monotonic(), [watch for watch in watches if watch.inboxes and not watch.ended]
        if isinstance(error, AuthenticationError):
            self._answered()
            self._refused(watches, error, reading)
            return
        wire = self._account.wire
        if isinstance(error, RateLimited) and wire is not None and wire.budget.delay(RateClass.READ, now) > 0:
            # It stopped everybody; these keep their turn.
            for watch in watches:
                self._agenda.put(watch, watch.due)
            return
        down = False
        for watch in watches:
            verdict = judge_poll(
                error, schedule=watch.target.plan, age=age_of(watch), failures=watch.failures, rng=self.rng
            )
            watch.failures += 1
            if verdict.action == PollAction.AGAIN:
                down = True
                self.rest(watch, verdict.pause)
            else:
                self._end(watch, PollUpdate(UpdateKind.UNREACHABLE, error.message))
        if down and isinstance(error, ServerError | WireError):
            self.circuit_breaker.failed(began, now, self.rng)
        else:
            self._answered()

    def _answered(self) -> None:
        if not self.circuit_breaker.worked():
            return
        # The vendor is back: whoever waits out a long pause is asked for within an interval.
        now = SYSTEM.monotonic()
        for watch in self.watches.values():
            latest = watch.target.plan.interval * self.rng.random()
            if watch.idle and watch.failures and watch.due > now + latest:
                self.rest(watch, latest)

    def _refused(self, watches: list[WaitingJob], error: AdGenError, reading: int) -> None:
        for watch in watches:
            if reading == self._account.reading and self._account.refused_for_good():
                self._end(watch, PollUpdate(UpdateKind.UNREACHABLE, error.message))
            else:
                self.rest(watch, 0.0)
                if self.reader is None and reading == self._account.reading:
                    self.reader = watch.inboxes[0]
                    self.reader.put_nowait(PollUpdate(UpdateKind.NEEDS_CONNECTION, str(reading)))

    def rest(self, watch: WaitingJob, pause: float | None = None, *, took: float = 0.0) -> None:
        """Ask for a job again after *pause* seconds, or by its schedule, from the begin of a look that *took* some."""
        if pause is None:
            usual = self.durations.usual(watch.target.kind)
            pause = watch.target.plan.after(age_of(watch), rng=self.rng, usual=usual)
            pause = max(pause / 2, pause - took)
        self._agenda.put(watch, SYSTEM.monotonic() + pause)
        self._wake.set()

    def _end(self, watch: WaitingJob, update: PollUpdate) -> None:
        watch.ended = True
        self._agenda.put(watch, NEVER)
        watch.tell(update)


def age_of(watch: WaitingJob) -> float:
    """Return the seconds since a watch's errand began."""
    return max(0.0, time.time() - watch.target.since)
