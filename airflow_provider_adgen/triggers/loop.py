# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One poll loop per event loop and connection, shared by every deferred task of a triggerer.

A waiter hands in a :class:`PollTarget` and gets a :class:`PollUpdate` about it. The loop polls the vendor, a bounded
number of requests at a time, with one client and one rate budget, the earliest due first. It runs in a context of its
own. The first waiter starts it, its waiters start it again if it dies, and it closes its client when the last one
leaves. It never looks a connection up itself: that is only safe in a trigger's own coroutine, so it asks a waiter.

It decides what is polled next, and how: singly, by the vendor's list, or by a stream. When a job is due and what an
answer means is decided in :mod:`airflow_provider_adgen.core.decisions`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest, UnexpectedResponse
from airflow_provider_adgen.settings import max_concurrent_requests
from airflow_provider_adgen.triggers.alarm import SLACK, Alarm
from airflow_provider_adgen.triggers.connection import LiveConnection
from airflow_provider_adgen.triggers.gc_freeze import freeze_gc
from airflow_provider_adgen.triggers.list_reader import ListReader
from airflow_provider_adgen.triggers.loop_log import LoopLog
from airflow_provider_adgen.triggers.meter import Meter
from airflow_provider_adgen.triggers.poll_results import PollResults
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget, PollUpdate, UpdateKind
from airflow_provider_adgen.triggers.waiting_jobs import JobState, WaitingJob, WaitingJobs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from airflow_provider_adgen.core.wire import Wire

log = logging.getLogger(__name__)

_RESTART_PAUSE = 1.0
_LONGEST_SLEEP = 60.0
# So many polls are started in a row before they get the chance to take their slots of the rate budget.
_BURST = 8
_CROWD, _MANY = 20, 200


class PollLoop:
    """
    Polls one connection's vendor for all waiters of one event loop.

    :param conn_id: the connection.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.connection = LiveConnection(conn_id)
        self.meter = Meter(conn_id)
        self._alarm = Alarm()
        self.jobs = WaitingJobs(self._alarm.set)
        self.results = PollResults(self.connection, self.jobs, self.meter)
        self.list_reader = ListReader(self.jobs, self.results, self._spawn)
        self._log = LoopLog(self.connection, self.jobs, self.results, self.list_reader.listing)
        self._coming = 0
        self._gap_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._limit = max_concurrent_requests()
        # Requests under way that count against the limit, and polls that may hold a stream open, which do not.
        self._requests: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()
        # Something is due and may not start: the end of any request may change that.
        self._blocked = False

    # --- for waiters ----------------------------------------------------------------------------------------------

    async def follow(self, target: PollTarget) -> AsyncGenerator[PollUpdate]:
        """
        Yield updates about *target* until it is over or cannot be polled.

        :param target: what to wait for.
        """
        inbox: asyncio.Queue[PollUpdate] = asyncio.Queue()
        try:
            self._coming += 1
            try:
                await self.connection.look_up()
            finally:
                self._coming -= 1
            self._join(target, inbox)
            while True:
                update = await inbox.get()
                if update.kind == UpdateKind.READ_CONNECTION:
                    try:
                        await self.connection.look_up_for(update)
                    finally:
                        self._done_reading(inbox)
                elif update.kind == UpdateKind.LOOP_STATE:
                    log.info("%s", update.text)
                elif update.kind == UpdateKind.RESTART:
                    await SYSTEM.sleep(_RESTART_PAUSE)
                    self._join(target, inbox)
                else:
                    yield update
                    if update.kind != UpdateKind.STATUS:
                        return
        except InvalidRequest as error:
            # The connection is there and cannot be used: waiting does not help.
            yield PollUpdate(UpdateKind.UNREACHABLE, error.message)
        finally:
            self._leave(target, inbox)

    def _join(self, target: PollTarget, inbox: asyncio.Queue[PollUpdate]) -> None:
        job = self.jobs.add(target, inbox)
        self.meter.joined(job)
        if job.state in {JobState.NEW, JobState.OVER}:
            self.results.schedule_first(job)
        if self._task is None or self._task.done():
            freeze_gc()
            loop = asyncio.get_running_loop()
            _loops.setdefault(loop, {}).setdefault(self.conn_id, self)
            # A context of its own: not the log context, nor the variables, of whichever task came first.
            self._task = loop.create_task(self._run(), name=f"adgen-poll-{self.conn_id}", context=contextvars.Context())
            self._alarm.set(0.0)

    def _done_reading(self, inbox: asyncio.Queue[PollUpdate]) -> None:
        if self.connection.done_reading(inbox):
            self._alarm.set(0.0)

    def _leave(self, target: PollTarget, inbox: asyncio.Queue[PollUpdate]) -> None:
        self._done_reading(inbox)
        job = self.jobs.remove(target.key, inbox)
        if job is not None:
            self.meter.joined(job, -1)
        if self.jobs:
            return
        if self._task is not None and not self._task.done():
            self._alarm.ring()  # it ends
        elif not self._coming:
            self._forget()

    # --- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                while self.jobs:
                    await self._start_due()
                    now = SYSTEM.monotonic()
                    self.meter.report(self.connection.wire, now)
                    self._log.write(now)
                    self._alarm.set(min(self._log.due(), now + _LONGEST_SLEEP))
                    await self._alarm.wait()
                await self._end_tasks()
                self.meter.report(self.connection.wire, SYSTEM.monotonic(), last=True)
                await self.connection.aclose()
                if not self.jobs:
                    if not self._coming:  # whoever is coming starts it again
                        self._forget()
                    return
        except Exception:
            log.exception("The poll loop of connection %s failed; its waiters start it again.", self.conn_id)
            for job in self.jobs.clear():
                self.meter.joined(job, -len(job.inboxes))
                job.tell(PollUpdate(UpdateKind.RESTART))
        finally:
            await self._end_tasks()
            self._alarm.ring()  # no timer outlives it

    async def _end_tasks(self) -> None:
        tasks = [*self._requests, *self._streams]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_due(self) -> None:
        """Start polls, the earliest due first, until none is due or none may start; note when that changes."""
        wire, started = self.connection.wire, 0
        waiter = next((job.inboxes[0] for job in self.jobs), None)
        if wire is None or waiter is None:
            return
        self.connection.ask_if_stale(waiter, SYSTEM.monotonic())
        self._blocked = False
        while (job := self.jobs.first()) is not None and not self.connection.awaited:
            now = SYSTEM.monotonic()
            if job.due > now:
                self._alarm.set(job.due)
                return
            # For a slot of the budget that is near, a poll waits by itself: several are under way to theirs at a time.
            wait = wire.budget.delay(RateClass.READ, now)
            closed = max(self.results.circuit_breaker.open_until - now, wait - SLACK)
            if closed > 0 or not self._start(wire, job, now):
                self._blocked = True
                if closed > 0:
                    self._alarm.set(now + closed)
                return
            started += 1
            if wait > 0 or not started % _BURST:
                await asyncio.sleep(0)

    def _start(self, wire: Wire, job: WaitingJob, now: float) -> bool:
        """Start polling a job that is due, by itself or with others; False where it has to wait."""
        limit = 1 if self.results.circuit_breaker.trips else self._limit
        room = len(self._requests) < limit
        # Polls under way that have not opened their stream yet will need their part of the limit.
        unopened = len(self._streams) - wire.tally.streams
        if job.target.streams and room and (wire.budget.room(RateClass.STREAM, now) or 0) > unopened:
            due = (one for one in self.jobs.due_by(now) if one.target.streams)
            # Of those that had the fewest streams, the oldest.
            oldest = min(due, key=lambda one: (one.streams_opened, one.target.since))
            self.jobs.start_poll(oldest, self._spawn(self._poll(oldest, wire), streams=True))
            return True
        if job.listable and self.list_reader.reading:
            self.list_reader.add(job)
            return True
        if not room:
            return False
        if self.list_reader.start(wire, job, now, self.connection.version):
            return True
        if job.target.streams and job.listable:
            # No list and no stream to be had: there is nothing to ask.
            self.results.schedule_unseen(job)
            return True
        if now < self._gap_until:
            self._alarm.set(self._gap_until)
            return False
        if len(self.jobs) > _CROWD:
            # Half an interval for all of them: no burst after a restart, however many were handed over at once. The few
            # that are left in the end do not wait for each other longer than many would.
            gap = job.target.schedule.interval / (2 * max(_MANY, len(self.jobs)))
            self._gap_until = max(self._gap_until, now - 2 * SLACK) + gap
        self.jobs.start_poll(job, self._spawn(self._poll(job, wire), streams=job.target.streams))
        return True

    def _spawn(self, work: Coroutine[None, None, None], *, streams: bool = False) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        (self._streams if streams else self._requests).add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        self._streams.discard(task)
        if self._blocked:
            self._alarm.set(0.0)

    async def _poll(self, job: WaitingJob, wire: Wire) -> None:
        version, began = self.connection.version, SYSTEM.monotonic()
        outcome: PollResult | AdGenError
        try:
            outcome = await job.target.poll(wire)
        except AdGenError as error:
            outcome = error
        except Exception:
            # A defect in reading one job must not stop the others; it is polled again until its deadline.
            log.exception("Polling %s failed.", job.target.key)
            outcome = UnexpectedResponse("The answer could not be read; the triggerer's log says why.")
        if job.task is not asyncio.current_task():
            return  # meanwhile the list has told how it ended, or nobody waits for it any more
        if isinstance(outcome, AdGenError):
            self.results.failed([job], outcome, began, version)
        else:
            self.results.found(job, outcome, began)

    def _forget(self) -> None:
        loops = _loops.get(asyncio.get_running_loop(), {})
        if loops.get(self.conn_id) is self:
            del loops[self.conn_id]


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PollLoop]] = weakref.WeakKeyDictionary()


def poll_loop(conn_id: str) -> PollLoop:
    """Return the running event loop's poll loop for a connection."""
    loops = _loops.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in loops:
        loops[conn_id] = PollLoop(conn_id)
    return loops[conn_id]
