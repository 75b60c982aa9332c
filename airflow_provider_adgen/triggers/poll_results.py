# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Takes in what polls found: asks what follows, tells the waiters, learns durations, schedules the next poll."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.circuit_breaker import CircuitBreaker
from airflow_provider_adgen.core.decisions.durations import Durations
from airflow_provider_adgen.core.decisions.polling import PollAction, PollVerdict, judge_poll
from airflow_provider_adgen.core.errors import AdGenError, RateLimited, ServerError, WireError
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.triggers.targets import PollResult, PollUpdate, UpdateKind
from airflow_provider_adgen.triggers.waiting_jobs import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.triggers.connection import LiveConnection
    from airflow_provider_adgen.triggers.meter import Meter
    from airflow_provider_adgen.triggers.waiting_jobs import WaitingJob, WaitingJobs


@lru_cache(maxsize=256)
def durations_of(_conn_id: str) -> Durations:
    """Return what jobs of a connection took. It outlives the loop, which ends whenever nobody waits."""
    return Durations()


class PollResults:
    """
    What follows the polls of one poll loop; what an answer or an error means is :func:`.judge_poll`'s to say.

    :param connection: the connection.
    :param jobs: what is waited for.
    :param meter: what is reported to Airflow's statistics.
    """

    def __init__(self, connection: LiveConnection, jobs: WaitingJobs, meter: Meter) -> None:
        self.circuit_breaker = CircuitBreaker()
        self.durations = durations_of(connection.conn_id)
        self.rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._connection = connection
        self._jobs = jobs
        self._meter = meter

    def found(self, job: WaitingJob, result: PollResult, began: float) -> None:
        """Take in what a poll, which began at a monotonic time, found."""
        self._vendor_answered()
        self._connection.key_accepted()
        age, verdict = job.age, self._judge(job, result.over)
        if verdict.action is PollAction.OVER:
            self._learn(job, result, age)
            self._meter.noticed(job, result, age)
            self._jobs.end(job, PollUpdate(UpdateKind.OVER, result.status, result.sealed))
            return
        now = SYSTEM.monotonic()
        took = now - began
        if self._jobs.seen_running(job, result.status, max(0.0, age - took)):
            job.tell(PollUpdate(UpdateKind.STATUS, result.status))
        # An interval is from poll to poll; but a stream that was held open says what is so at its end.
        pause = verdict.pause if job.target.streams else max(verdict.pause / 2, verdict.pause - took)
        self._jobs.schedule(job, now + pause)

    def failed(self, jobs: Iterable[WaitingJob], error: AdGenError, began: float, version: int) -> None:
        """
        Take in that nothing could be found out about some jobs.

        :param jobs: the jobs.
        :param error: why.
        :param began: monotonic time at which the poll began.
        :param version: the version of the connection that it used.
        """
        now, wire = SYSTEM.monotonic(), self._connection.wire
        everybody = wire is not None and wire.budget.delay(RateClass.READ, now) > 0
        again = False
        for job in jobs:
            verdict = self._judge(job, error, version)
            if verdict.action is PollAction.GIVE_UP:
                self._jobs.end(job, PollUpdate(UpdateKind.UNREACHABLE, error.message))
            elif verdict.action is PollAction.READ_CONNECTION:
                self._jobs.schedule(job, now)
                self._connection.refused(job.inboxes[0], version)
            elif isinstance(error, RateLimited) and everybody:
                # The limit holds everybody back: these are not to blame, and keep their place in the queue.
                self._jobs.schedule(job, job.due)
            else:
                again = True
                self._jobs.schedule(job, now + verdict.pause, failed=True)
        if isinstance(error, ServerError | WireError):
            if again:
                self.circuit_breaker.record_failure(began, now, self.rng)
        elif not isinstance(error, RateLimited):  # which may be our own, of a request that was never sent
            self._vendor_answered()

    def schedule_first(self, job: WaitingJob) -> None:
        """Schedule the first poll of a job that somebody has begun to wait for."""
        plan, pause = job.target.schedule, 0.0
        if job.state is JobState.NEW:
            if job.age >= max(plan.first, plan.interval):
                # Handed over (a restart, another triggerer): spread the first polls over one interval.
                pause = plan.interval * self.rng.random()
            else:
                pause = self._judge(job, over=False).pause
        # If it was over for the waiters before, whoever comes now is told what the vendor says.
        self._jobs.schedule(job, SYSTEM.monotonic() + pause)

    def schedule_unseen(self, job: WaitingJob) -> None:
        """Schedule the next poll of a job about which nothing new is known."""
        self._jobs.schedule(job, SYSTEM.monotonic() + self._judge(job, over=False).pause)

    def _judge(self, job: WaitingJob, over: bool | AdGenError, version: int = -1) -> PollVerdict:
        return judge_poll(
            over,
            schedule=job.target.schedule,
            age=job.age,
            failures=job.failures,
            rng=self.rng,
            usual=self.durations.usual(job.target.kind),
            reread=self._connection.was_reread(version),
        )

    def _learn(self, job: WaitingJob, result: PollResult, age: float) -> None:
        if result.status != GenerationStatus.COMPLETED:
            return  # what is refused at once says nothing about how long the others take
        if result.ended_at is not None:
            took = result.ended_at - job.target.since
            self.durations.learn(job.target.kind, took, took)
        elif job.last_running is not None:
            self.durations.learn(job.target.kind, job.last_running, age)

    def _vendor_answered(self) -> None:
        if not self.circuit_breaker.record_success():
            return
        # The vendor is back: whoever waits out a long pause is polled within an interval.
        now = SYSTEM.monotonic()
        for job in self._jobs:
            latest = now + job.target.schedule.interval * self.rng.random()
            if job.state is JobState.SCHEDULED and job.failures and job.due > latest:
                self._jobs.schedule(job, latest)
