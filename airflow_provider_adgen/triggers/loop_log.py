# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What a poll loop is doing, in the logs of the tasks that wait, for as long as somebody wants to see it.

Asked for by ``log_poll_loop`` in the connection's extra: seconds between two lines. A line holds ids and numbers, never
a key or a link.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.triggers.targets import PollUpdate, UpdateKind
from airflow_provider_adgen.triggers.waiting_jobs import NEVER, JobState

if TYPE_CHECKING:
    from airflow_provider_adgen.core.decisions.polling import Listing
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.triggers.connection import LiveConnection
    from airflow_provider_adgen.triggers.poll_results import PollResults
    from airflow_provider_adgen.triggers.waiting_jobs import WaitingJob, WaitingJobs

SHORTEST = 1.0
"""Seconds between two lines at least, whatever the connection asks for."""


class LoopLog:
    """
    Tells those who wait on one poll loop what it is doing.

    :param connection: the connection.
    :param jobs: what is waited for.
    :param results: what followed the polls.
    :param listing: what is known of the vendor's list.
    """

    def __init__(self, connection: LiveConnection, jobs: WaitingJobs, results: PollResults, listing: Listing) -> None:
        self._connection = connection
        self._jobs = jobs
        self._results = results
        self._listing = listing
        self._written_at = float("-inf")

    def due(self) -> float:
        """Return the monotonic time of the next line; never, unless the connection asks for lines."""
        wire = self._connection.wire
        every = wire.account.log_poll_loop if wire is not None else None
        return NEVER if every is None else self._written_at + max(SHORTEST, every)

    def write(self, now: float) -> None:
        """Send each waiter a line, if one is due: what the loop does, and where its own job stands."""
        wire = self._connection.wire
        if wire is None or self.due() > now:
            return
        self._written_at = now
        whole = self._of_the_loop(wire, now)
        for job in self._jobs:
            job.tell(PollUpdate(UpdateKind.LOOP_STATE, f"{whole} {self._of_one(job, now)}"))

    def _of_the_loop(self, wire: Wire, now: float) -> str:
        states = Counter(job.state for job in self._jobs)
        failing = sum(1 for job in self._jobs if job.failures)
        said = [
            f"Poll loop of connection {self._connection.conn_id} ({wire.vendor.name}): {len(self._jobs)} waited for, "
            f"{states[JobState.POLLED]} polled singly and {states[JobState.LISTED]} by list just now, "
            f"{len(self._jobs.due_by(now))} due, {failing} failing;",
            f"{wire.tally.requests} requests so far, {wire.tally.refused} of them refused (429).",
        ]
        breaker = self._results.circuit_breaker
        if breaker.trips:
            said.append(f"The vendor counts as down: tried again in {max(0.0, breaker.open_until - now):.0f} s.")
        for rate_class in (RateClass.READ, RateClass.STREAM):
            wait = wire.budget.delay(rate_class, now)
            if wait > 0:
                said.append(f"The rate limit lets the next {rate_class} request out in {wait:.0f} s.")
        if now < self._listing.shy_until:
            said.append("The vendor's list was of no use; it is left alone for a while.")
        return " ".join(said)

    def _of_one(self, job: WaitingJob, now: float) -> str:
        usual = self._results.durations.usual(job.target.kind)
        known = f" Such jobs are polled most at {usual.begins:.0f} to {usual.ends:.0f} s." if usual is not None else ""
        state = (
            f"polled next in {max(0.0, job.due - now):.0f} s" if job.state is JobState.SCHEDULED else job.state.value
        )
        return f"This one: {job.status or 'not seen yet'}, {job.polls} polls, {state}.{known}"
