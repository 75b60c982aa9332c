# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The registry of what one poll loop waits for: each job's state, its waiters, and the queue of what is due.

Only :class:`WaitingJobs` writes to a :class:`WaitingJob`; everybody else reads.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.clock import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from airflow_provider_adgen.triggers.targets import PollTarget, PollUpdate

NEVER = float("inf")


class JobState(StrEnum):
    """
    Where a waiting job stands.

    NEW: nobody has said yet when it is polled first. SCHEDULED: in the due queue. POLLED: a request of its own is under
    way. LISTED: a pass over the vendor's list looks for it. OVER: it ended, or cannot be polled, and its waiters were
    told. A job that is polled or listed is scheduled again, or over. One that is over is scheduled again if somebody
    new begins to wait for it before its last waiter has left.
    """

    NEW = "new"
    SCHEDULED = "scheduled"
    POLLED = "polled by itself now"
    LISTED = "looked for in the list now"
    OVER = "over"


@dataclass(eq=False, slots=True)
class WaitingJob:
    """
    One target and those who wait for it.

    :param target: what to poll.
    :param inboxes: where its waiters are told.
    :param state: where it stands.
    :param due: monotonic time of the next poll, or of the one under way.
    :param task: the poll under way.
    :param unlisted: the last pass over the list did not show it, so it is polled by itself next.
    :param failures: failed polls in a row.
    :param status: the status its waiters were told last.
    :param polls: polls so far that saw it running.
    :param last_running: age in seconds at which it was last seen running; None where that is not known.
    :param streams_opened: streams opened for it.
    :param place: its present place in the due queue.
    """

    target: PollTarget
    inboxes: list[asyncio.Queue[PollUpdate]] = field(default_factory=list)
    state: JobState = JobState.NEW
    due: float = NEVER
    task: asyncio.Task[None] | None = None
    unlisted: bool = False
    failures: int = 0
    status: str = ""
    polls: int = 0
    last_running: float | None = None
    streams_opened: int = 0
    place: int = 0

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return max(0.0, SYSTEM.now() - self.target.since)

    @property
    def listable(self) -> bool:
        """Whether a list of jobs may tell of it."""
        return self.target.job_id is not None and not self.unlisted

    def tell(self, update: PollUpdate) -> None:
        """Put *update* into all inboxes."""
        for inbox in self.inboxes:
            inbox.put_nowait(update)


class WaitingJobs:
    """
    The registry of one poll loop.

    :param wake_by: called with the monotonic time at which a job is due.
    """

    def __init__(self, wake_by: Callable[[float], None]) -> None:
        self._wake_by = wake_by
        self._by_key: dict[Hashable, WaitingJob] = {}
        self._by_job_id: dict[str, list[WaitingJob]] = {}
        # An entry whose place is not its job's present one is out of date, and dropped when it is met.
        self._queue: list[tuple[float, int, WaitingJob]] = []
        self._places = itertools.count(1)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[WaitingJob]:
        return iter(self._by_key.values())

    def of_job_id(self, job_id: str) -> Iterable[WaitingJob]:
        """Return the jobs that wait for a job of the vendor."""
        return tuple(self._by_job_id.get(job_id, ()))

    # --- waiters ----------------------------------------------------------------------------------------------------

    def add(self, target: PollTarget, inbox: asyncio.Queue[PollUpdate]) -> WaitingJob:
        """Let *inbox* be told about *target*."""
        job = self._by_key.get(target.key)
        if job is None:
            job = self._by_key[target.key] = WaitingJob(target)
            if job.age < target.schedule.interval:
                job.last_running = 0.0
            if target.job_id is not None:
                self._by_job_id.setdefault(target.job_id, []).append(job)
        job.inboxes.append(inbox)
        return job

    def remove(self, key: Hashable, inbox: asyncio.Queue[PollUpdate]) -> WaitingJob | None:
        """Tell *inbox* no more, and drop the job with its last waiter; return the job if *inbox* was told about it."""
        job = self._by_key.get(key)
        if job is None or inbox not in job.inboxes:
            return None
        job.inboxes.remove(inbox)
        if not job.inboxes:
            del self._by_key[key]
            if job.target.job_id is not None:
                same = self._by_job_id[job.target.job_id]
                same.remove(job)
                if not same:
                    del self._by_job_id[job.target.job_id]
            self._finish(job)
            self._tidy()
        return job

    def clear(self) -> list[WaitingJob]:
        """End all polls, forget all jobs, and return them."""
        jobs = list(self)
        for job in jobs:
            self._finish(job)
        self._by_key.clear()
        self._by_job_id.clear()
        self._queue.clear()
        return jobs

    # --- states -----------------------------------------------------------------------------------------------------

    def schedule(self, job: WaitingJob, due: float, *, unlisted: bool = False, failed: bool = False) -> None:
        """
        Let a job be polled at a monotonic time, and not when it was due before.

        :param unlisted: by itself, because a list has not shown it.
        :param failed: its poll has failed.
        """
        job.state, job.task, job.unlisted = JobState.SCHEDULED, None, unlisted
        job.failures += failed
        job.due, job.place = due, next(self._places)
        heapq.heappush(self._queue, (due, job.place, job))
        self._wake_by(due)

    def start_poll(self, job: WaitingJob, task: asyncio.Task[None]) -> None:
        """Take in that *task* polls a scheduled job by itself."""
        job.state, job.task = JobState.POLLED, task
        job.streams_opened += job.target.streams

    def start_listing(self, jobs: Iterable[WaitingJob]) -> None:
        """Take in that a pass over the list looks for scheduled jobs."""
        for job in jobs:
            job.state = JobState.LISTED

    def seen_running(self, job: WaitingJob, status: str, age: float) -> bool:
        """Take in the status of a job that ran at an *age*; return whether its waiters were told another one last."""
        changed = status != job.status
        job.status, job.last_running, job.failures = status, age, 0
        job.polls += 1
        return changed

    def end(self, job: WaitingJob, update: PollUpdate) -> None:
        """Tell all waiters that there is nothing more to wait for."""
        self._finish(job)
        job.tell(update)

    @staticmethod
    def _finish(job: WaitingJob) -> None:
        if job.task is not None and job.task is not asyncio.current_task():
            # Nobody needs what it finds; a stream would be held open for nothing.
            job.task.cancel()
        job.state, job.due, job.task = JobState.OVER, NEVER, None

    # --- the due queue ----------------------------------------------------------------------------------------------

    def first(self) -> WaitingJob | None:
        """Return the scheduled job that is due first."""
        while self._queue and not _is_present(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][2] if self._queue else None

    def due_by(self, moment: float) -> list[WaitingJob]:
        """Return the scheduled jobs that are due by a monotonic time, the oldest waiters' first."""
        return [job for job in self if job.state is JobState.SCHEDULED and job.due <= moment]

    def _tidy(self) -> None:
        """Drop what is out of date, once it outgrows the jobs there are."""
        if len(self._queue) > 4 * len(self) + 64:
            self._queue = [entry for entry in self._queue if _is_present(entry)]
            heapq.heapify(self._queue)


def _is_present(entry: tuple[float, int, WaitingJob]) -> bool:
    """Whether an entry of the queue still says when its job is due."""
    return entry[1] == entry[2].place and entry[2].state is JobState.SCHEDULED
