# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Asks for many jobs by reading the vendor's list of jobs, where that takes fewer requests than asking singly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.polling import Listing
from airflow_provider_adgen.core.errors import AdGenError, AuthenticationError, RateLimited, ServerError, WireError
from airflow_provider_adgen.core.vendor import read_listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.core.calls import Sequence
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.triggers.due_queue import DueQueue, WaitingJob
    from airflow_provider_adgen.triggers.targets import PollResult

log = logging.getLogger(__name__)

_AT_A_TIME = 50


class Finder(Protocol):
    """What a pass tells the poll loop."""

    def watches_of(self, job: str) -> Iterable[WaitingJob]:
        """Return who waits for a job."""

    def found(self, watch: WaitingJob, look: PollResult, began: float) -> None:
        """Take in what was seen of a job."""

    def failed(self, watches: Iterable[WaitingJob], error: AdGenError, began: float, reading: int) -> None:
        """Take in that nothing could be seen of some jobs."""

    def rest(self, watch: WaitingJob, pause: float | None = None) -> None:
        """Ask for a job again after *pause* seconds, or by its schedule."""


class Listings:
    """
    Decides when a list is read instead of asking singly, and reads it: one pass at a time.

    A pass says nothing about a job that it does not show: such a job is asked for by itself, at once. Jobs that it
    shows are taken along, whether they are due or not.

    :param finder: the poll loop.
    :param due_queue: who is due.
    """

    def __init__(self, finder: Finder, due_queue: DueQueue) -> None:
        self._finder = finder
        self._agenda = due_queue
        self.listing = Listing()
        self.passing = False
        self._waiting: list[WaitingJob] = []

    def cover(self, wire: Wire, watch: WaitingJob, now: float) -> list[WaitingJob]:
        """
        Return the watches a pass is to cover, *watch* (due now) among them; none where it is asked for singly.

        :param wire: the account.
        :param watch: due now.
        :param now: monotonic time.
        """
        if not watch.listable or self.passing or not can_list(wire):
            return []
        soon = self._agenda.until(now + watch.target.plan.interval / 2)
        covered = [one for one in soon if one.listable]
        if watch.target.holds:
            # Each of them would read the list before its stream, so once for all is cheaper even for one.
            return covered if now >= self.listing.shy_until else []
        return covered if self.listing.worth(len(covered), now) else []

    def wait(self, watch: WaitingJob) -> None:
        """Let *watch*, due while a pass is under way, be taken along by it or by the next one."""
        watch.covered = True
        self._waiting.append(watch)

    async def read(self, wire: Wire, covered: list[WaitingJob], reading: int) -> None:
        """
        Read the list until all of *covered* were seen, or it is not worth reading on.

        :param reading: the reading of the connection that *wire* goes by.
        """
        self.passing = True
        missing = {watch: None for watch in covered}  # a set that keeps its order
        known, pages, fresh, began = set[str](), 0, 0, SYSTEM.monotonic()
        try:
            async with contextlib.aclosing(wire.pages(wire.vendor.list_jobs() or _nothing())) as read:
                async for page in read:
                    pages, before = pages + 1, len(known)
                    known.update(job.id for job in page)
                    fresh = len(known) - before
                    await self._take(page, missing, began)
                    if self.listing.enough(pages, len(known), len(covered), len(missing), fresh):
                        break
                    began = SYSTEM.monotonic()
            self.listing.learn(pages, len(covered), len(missing), SYSTEM.monotonic())
        except (AuthenticationError, RateLimited, ServerError, WireError) as error:
            self._let_go(missing)
            self._finder.failed(missing, error, began, reading)
            missing = {}
        except AdGenError as error:
            # The list is what cannot be had; what it would have shown is asked for job by job.
            log.warning("%s Jobs are asked for singly for a while.", error.message)
            self.listing.refused(SYSTEM.monotonic())
        except Exception:
            log.exception("Listing the jobs of connection %s failed.", wire.account.conn_id)
            self.listing.refused(SYSTEM.monotonic())
        finally:
            self.passing = False
            self._let_go(missing)
            waiting, self._waiting = self._waiting, []
            self._let_go(waiting)
            for watch in waiting:
                if watch.due <= SYSTEM.monotonic():
                    self._finder.rest(watch, 0.0)
        for watch in missing:
            # The list did not show it: that says nothing about the job, so it is asked for by itself. Where that
            # takes a stream, it is the ration that says when.
            watch.alone = not watch.target.holds
            self._finder.rest(watch, None if watch.target.holds else 0.0)

    async def _take(self, page: list[Any], missing: dict[WaitingJob, None], began: float) -> None:
        taken = 0
        for job in page:
            watches = self._finder.watches_of(job.id)
            if not watches:
                continue
            seen, taken = read_listed(job), taken + 1
            if seen is None:
                continue
            for watch in watches:
                look = watch.target.listed(seen)
                if watch in missing:
                    del missing[watch]
                    watch.covered = False
                elif watch.task is not None:
                    if not (look.over and watch.target.holds):
                        continue
                    # Its stream has not said so, or never will.
                    watch.task.cancel()
                if not watch.ended:
                    self._finder.found(watch, look, began)
            if not taken % _AT_A_TIME:
                await asyncio.sleep(0)  # one page may show thousands of them

    @staticmethod
    def _let_go(watches: Iterable[WaitingJob]) -> None:
        for watch in watches:
            watch.covered = False


def _nothing() -> Sequence[None]:
    yield from ()


def can_list(wire: Wire) -> bool:
    """Whether the vendor can list jobs."""
    steps = wire.vendor.list_jobs()
    if steps is None:
        return False
    steps.close()
    return True


def next_for_a_stream(wire: Wire, due: Iterable[WaitingJob], now: float, holding: int) -> WaitingJob | None:
    """
    Return whose stream is to be opened next: of those that had the fewest, the oldest; None without a ration.

    :param holding: looks under way that open a stream; those that have not come to it yet will need their ration.
    """
    if (wire.budget.room(RateClass.STREAM, now) or 0) <= holding - wire.tally.streams:
        return None
    return min(
        (watch for watch in due if watch.target.holds), key=lambda one: (one.streams, one.target.since), default=None
    )
