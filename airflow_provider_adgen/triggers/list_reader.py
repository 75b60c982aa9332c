# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Polls many jobs at once by reading the vendor's list of jobs, where that takes fewer requests than single polls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.polling import Listing, list_is_unusable
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.vendor import read_listed
from airflow_provider_adgen.triggers.targets import result_of
from airflow_provider_adgen.triggers.waiting_jobs import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from airflow_provider_adgen.core.calls import Sequence
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.triggers.poll_results import PollResults
    from airflow_provider_adgen.triggers.waiting_jobs import WaitingJob, WaitingJobs

log = logging.getLogger(__name__)

_AT_A_TIME = 50


class ListReader:
    """
    Decides when the list is read instead of single polls, and reads it: one pass at a time.

    A pass says nothing about a job that it does not show: such a job is polled by itself, at once. What it says of jobs
    that are not due counts, too.

    :param jobs: what is waited for.
    :param results: what follows.
    :param spawn: starts a task of the poll loop.
    """

    def __init__(
        self,
        jobs: WaitingJobs,
        results: PollResults,
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        self._jobs = jobs
        self._results = results
        self._spawn = spawn
        self.listing = Listing()
        self._task: asyncio.Task[None] | None = None
        self._late: list[WaitingJob] = []

    @property
    def reading(self) -> bool:
        """Whether a pass is under way."""
        return self._task is not None and not self._task.done()

    def start(self, wire: Wire, job: WaitingJob, now: float, version: int) -> bool:
        """
        Start a pass that looks for *job* and for others that are due soon; False where *job* is to be polled singly.

        :param wire: the account.
        :param job: due now.
        :param now: monotonic time.
        :param version: the version of the connection that *wire* goes by.
        """
        steps = wire.vendor.list_jobs() if job.listable and now >= self.listing.shy_until else None
        if steps is None:
            return False
        soon = self._jobs.due_by(now + self.listing.ahead(job.target.schedule.interval))
        wanted = [one for one in soon if one.listable]
        # Each stream would read the list before it opens, so for those one pass is cheaper even for a single job.
        if not job.target.streams and not self.listing.worth(len(wanted), now):
            steps.close()
            return False
        self._jobs.start_listing(wanted)
        self._task = self._spawn(self._read(wire, steps, wanted, version))
        return True

    def add(self, job: WaitingJob) -> None:
        """Let a job that is due while a pass is under way be found by it, or else by the next one."""
        self._late.append(job)
        self._jobs.start_listing([job])

    async def _read(self, wire: Wire, steps: Sequence[None], wanted: list[WaitingJob], version: int) -> None:
        """Read the list until all *wanted* jobs were seen, or it is not worth reading on."""
        missing = dict.fromkeys(wanted)  # a set that keeps its order
        known, pages, began = set[str](), 0, SYSTEM.monotonic()
        first = began
        try:
            async with contextlib.aclosing(wire.pages(steps)) as read:
                async for page in read:
                    pages, before = pages + 1, len(known)
                    known.update(job.id for job in page)
                    await self._take(page, missing, began)
                    if self.listing.enough(pages, len(known), len(wanted), len(missing), len(known) - before):
                        break
                    began = SYSTEM.monotonic()
            now = SYSTEM.monotonic()
            self.listing.learn(pages, len(wanted), len(missing), now, now - first)
        except AdGenError as error:
            if list_is_unusable(error):
                log.warning("%s Jobs are polled singly for a while.", error.message)
                self.listing.refused(SYSTEM.monotonic())
            else:
                self._results.failed(filter(_still_listed, missing), error, began, version)
        except Exception:
            log.exception("Listing the jobs of connection %s failed.", wire.account.conn_id)
            self.listing.refused(SYSTEM.monotonic())
        finally:
            late, self._late = self._late, []
            for job in filter(_still_listed, late):
                self._jobs.schedule(job, job.due)
        for job in filter(_still_listed, missing):
            # The list did not show it: that says nothing about the job, so it is polled by itself. Where that takes a
            # stream, it is the limit of streams that says when.
            if job.target.streams:
                self._results.schedule_unseen(job)
            else:
                self._jobs.schedule(job, SYSTEM.monotonic(), unlisted=True)

    async def _take(self, page: list[Any], missing: dict[WaitingJob, None], began: float) -> None:
        taken = 0
        for listed in page:
            jobs = self._jobs.of_job_id(listed.id)
            if not jobs:
                continue
            generation, taken = read_listed(listed), taken + 1
            if generation is None:
                continue
            for job in jobs:
                result = result_of(generation, job.target.stop_statuses)
                missing.pop(job, None)
                # While it is polled by itself, that poll says what is so; but a stream may never say how it ended.
                polled = job.state is JobState.POLLED and not (result.over and job.target.streams)
                if job.state is not JobState.OVER and not polled:
                    self._results.found(job, result, began)
            if not taken % _AT_A_TIME:
                await asyncio.sleep(0)  # one page may show thousands of them


def _still_listed(job: WaitingJob) -> bool:
    """Whether no page has shown it, and somebody waits for it."""
    return job.state is JobState.LISTED
