# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a poll loop reports to Airflow's statistics, a few times a minute and not once per request."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_adgen import metrics

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.triggers.targets import PollResult
    from airflow_provider_adgen.triggers.waiting_jobs import WaitingJob

EVERY = 10.0
"""Seconds between two reports."""


class Meter:
    """
    Counts for one poll loop.

    :param conn_id: the connection.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._vendor = ""
        self._waiting: Counter[str] = Counter()
        self._requests = 0
        self._refused = 0
        self._next = float("-inf")

    def joined(self, job: WaitingJob, waiters: int = 1) -> None:
        """Count those who begin to wait, or, below 0, who leave."""
        self._waiting[self._kind(job)] += waiters

    def noticed(self, job: WaitingJob, result: PollResult, age: float) -> None:
        """
        Report how late the end of a job was noticed, at an *age* in seconds.

        Where the vendor says when a job ended, that is exact (but for its clock); elsewhere it is the time since the
        last poll that saw the job running, which is the most it can be. Nothing is known of a job that no poll here saw
        running.
        """
        if result.ended_at is not None:
            late, since = job.target.since + age - result.ended_at, "vendor"
        elif job.last_running is not None:
            late, since = age - job.last_running, "last_poll"
        else:
            return
        metrics.timing(metrics.LATENESS, late, {**self._tags(self._kind(job)), "since": since})

    def report(self, wire: Wire | None, now: float, *, last: bool = False) -> None:
        """Report what has changed, if it is time or the *last* chance."""
        if wire is None or (now < self._next and not last):
            return
        self._next = now + EVERY
        self._vendor = wire.vendor.name
        for kind, number in list(self._waiting.items()):
            metrics.gauge(metrics.WAITING, number, self._tags(kind))
            if number <= 0:
                del self._waiting[kind]
        tally = wire.tally
        plain = {"vendor": self._vendor, "conn_id": self._conn_id}
        metrics.count(metrics.REQUESTS, tally.requests - self._requests, plain)
        metrics.count(metrics.RATE_LIMITED, tally.refused - self._refused, plain)
        self._requests, self._refused = tally.requests, tally.refused

    @staticmethod
    def _kind(job: WaitingJob) -> str:
        return job.target.kind or "unknown"

    def _tags(self, kind: str) -> dict[str, str]:
        return {"vendor": self._vendor, "conn_id": self._conn_id, "kind": kind}
