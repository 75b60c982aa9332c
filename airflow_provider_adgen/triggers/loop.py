# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One poll loop per event loop and connection, shared by every deferred task of a triggerer.

A waiter hands in a :class:`PollTarget` and gets a :class:`PollUpdate` about it. The loop asks the vendor, a bounded
number of requests at a time, with one client and one rate budget, the earliest due first. It runs in a context of its
own. The first waiter starts it, its waiters start it again if it dies, and it closes its client when the last one
leaves. It never looks a connection up itself: that is only safe in a trigger's own coroutine, so it asks a waiter.

When to ask and what an answer means is decided in :mod:`airflow_provider_adgen.core.decisions`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.settings import max_concurrent_requests
from airflow_provider_adgen.triggers.connection import LiveConnection
from airflow_provider_adgen.triggers.due_queue import NEVER, DueQueue, WaitingJob
from airflow_provider_adgen.triggers.gc_freeze import freeze_gc
from airflow_provider_adgen.triggers.listing import Listings, next_for_a_stream
from airflow_provider_adgen.triggers.meter import Meter
from airflow_provider_adgen.triggers.outcomes import Outcomes, age_of
from airflow_provider_adgen.triggers.targets import PollTarget, PollUpdate, UpdateKind
from airflow_provider_adgen.triggers.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Hashable

    from airflow_provider_adgen.core.wire import Wire

log = logging.getLogger(__name__)

_RESTART_PAUSE = 1.0
# What comes within so many seconds is done in one go: waking up for each request costs more than the request.
_BREATH = 0.03
_CROWD, _MANY = 20, 200


class PollLoop:
    """
    Asks one connection's vendor for all errands of one event loop.

    :param conn_id: the connection.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.connection = LiveConnection(conn_id)
        self.due_queue = DueQueue()
        self.meter = Meter(conn_id)
        self._wake = asyncio.Event()
        self.outcomes = Outcomes(self.connection, self.due_queue, self.meter, self._wake)
        self.watches = self.outcomes.watches
        self.batches = Listings(self.outcomes, self.due_queue)
        self.view = View(self)
        self.under_way = 0
        """Requests under way that count against the limit: streams held open do not."""

        self.holding = 0
        """Looks under way that may hold a stream open."""

        self._coming = 0
        self._next = NEVER
        self._gap_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = max_concurrent_requests()

    # --- for waiters ----------------------------------------------------------------------------------------------

    async def follow(self, target: PollTarget) -> AsyncGenerator[PollUpdate]:
        """
        Yield news about *errand* until it is over or cannot be asked for.

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
                if update.word == UpdateKind.NEEDS_CONNECTION:
                    await self._read_connection(update.text, inbox)
                elif update.word == UpdateKind.VIEW:
                    log.info("%s", update.text)
                elif update.word == UpdateKind.RESTART:
                    await asyncio.sleep(_RESTART_PAUSE)
                    self._join(target, inbox)
                else:
                    yield update
                    if update.word != UpdateKind.STATUS:
                        return
        except InvalidRequest as error:
            # The connection is there and cannot be used: waiting does not help.
            yield PollUpdate(UpdateKind.UNREACHABLE, error.message)
        finally:
            self._leave(target.key, inbox)

    async def _read_connection(self, reading: str, inbox: asyncio.Queue[PollUpdate]) -> None:
        if not reading:
            await self.connection.look_up()
            return
        try:
            await self.connection.look_up_again(int(reading))
        finally:
            self._done_reading(inbox)

    def _done_reading(self, inbox: asyncio.Queue[PollUpdate]) -> None:
        if self.outcomes.reader is inbox:
            self.outcomes.reader = None
            self._wake.set()

    def _join(self, target: PollTarget, inbox: asyncio.Queue[PollUpdate]) -> None:
        watch = self.watches.get(target.key)
        if watch is None:
            watch = self.watches[target.key] = WaitingJob(target)
            if target.job is not None:
                self.outcomes.by_job.setdefault(target.job, {})[watch] = None
        if inbox not in watch.inboxes:
            watch.inboxes.append(inbox)
            self.meter.joined(watch)
        if watch.ended:
            # It ended for the waiters before; whoever comes now hears it from the vendor.
            watch.ended = False
            self.outcomes.rest(watch, 0.0)
        elif watch.turn == 0:
            age = age_of(watch)
            watch.not_before = 0.0 if age < target.plan.interval else None
            if age >= max(target.plan.first, target.plan.interval):
                # Handed over (a restart, another triggerer): spread the first looks over one interval.
                self.outcomes.rest(watch, target.plan.interval * self.outcomes.rng.random())
            else:
                self.outcomes.rest(watch)
        self._ensure_running()

    def _ensure_running(self) -> None:
        if self._task is None or self._task.done():
            freeze_gc()
            loop = asyncio.get_running_loop()
            _loops.setdefault(loop, {}).setdefault(self.conn_id, self)
            # A context of its own: not the log context, nor the variables, of whichever task came first.
            self._task = loop.create_task(self._run(), name=f"adgen-poll-{self.conn_id}", context=contextvars.Context())
        self._wake.set()

    def _leave(self, key: Hashable, inbox: asyncio.Queue[PollUpdate]) -> None:
        self._done_reading(inbox)
        watch = self.watches.get(key)
        if watch is not None and inbox in watch.inboxes:
            watch.inboxes.remove(inbox)
            self.meter.joined(watch, -1)
            if not watch.inboxes:
                self._drop(watch)
        if not self.watches:
            self._wake.set()
            if self._task is None and not self._coming:
                self._forget()

    def _drop(self, watch: WaitingJob) -> None:
        del self.watches[watch.target.key]
        job = watch.target.job
        if job is not None:
            self.outcomes.by_job[job].pop(watch, None)
            if not self.outcomes.by_job[job]:
                del self.outcomes.by_job[job]
        if watch.task is not None:
            # Nobody hears what it finds; a stream would be held open for nothing.
            watch.task.cancel()
        self.due_queue.tidy(len(self.watches))

    # --- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                while self.watches:
                    await self._start_due()
                    self.meter.report(self.connection.wire, SYSTEM.monotonic())
                    self.view.show()
                    await self._until_something_happens()
                await self._end_tasks()
                self.meter.report(self.connection.wire, SYSTEM.monotonic(), last=True)
                await self.connection.aclose()
                if not self.watches and not self._coming:
                    self._forget()
                    return
                if not self.watches:
                    return  # whoever is coming starts it again
        except Exception:
            log.exception("The poll loop of connection %s failed; its waiters start it again.", self.conn_id)
            watches = list(self.watches.values())
            self.watches.clear()
            self.outcomes.by_job.clear()
            for watch in watches:
                self.meter.joined(watch, -len(watch.inboxes))
                watch.tell(PollUpdate(UpdateKind.RESTART))
        finally:
            await self._end_tasks()

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_something_happens(self) -> None:
        if not self._wake.is_set():
            pause = max(0.0, min(self._next - SYSTEM.monotonic(), self.view.pause(), 60.0))
            timer = asyncio.get_running_loop().call_later(pause, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        if self.watches:
            await asyncio.sleep(_BREATH)
        self._wake.clear()

    async def _start_due(self) -> None:
        """Start looks, the earliest due first, until none is due or none may start; note when that changes."""
        wire = self.connection.wire
        while wire is not None and self.watches:
            now = SYSTEM.monotonic()
            self._look_after_connection(now)
            self._next = NEVER
            if self.outcomes.reader is not None:
                return  # with the key that was just refused, others would only be refused as well
            # For a slot of the budget that is near, a look waits by itself: several are under way to theirs at a time.
            closed = max(
                self.outcomes.circuit_breaker.closed_until - now, wire.budget.delay(RateClass.READ, now) - _BREATH
            )
            if closed > 0:
                self._next = now + closed
                return
            watch = self.due_queue.first()
            if watch is None or watch.due > now:
                self._next = watch.due if watch is not None else NEVER
                return
            if not self._start(wire, watch, now):
                return
            # It takes its slot of the budget now, before the next one is weighed.
            await asyncio.sleep(0)

    def _start(self, wire: Wire, watch: WaitingJob, now: float) -> bool:
        """Start asking for *watch*, which is due, by itself or with others; False where it has to wait."""
        limit = 1 if self.outcomes.circuit_breaker.tries else self._limit
        room = self.under_way < limit
        if watch.target.holds:
            due = self.due_queue.until(now)
            streamed = next_for_a_stream(wire, due, now, self.holding) if room else None
            if streamed is not None:
                streamed.streams += 1
                self._look_at(streamed, wire)
                return True
        if self.batches.passing and watch.listable:
            self.batches.wait(watch)
            return True
        if not room:
            return False  # the end of a request wakes us
        covered = self.batches.cover(wire, watch, now)
        if covered:
            for one in covered:
                one.covered = True
            self.batches.passing = True
            self._spawn(self.batches.read(wire, covered, self.connection.reading))
            return True
        if watch.target.holds and watch.listable:
            # No list and no connection for a stream: there is nothing to ask.
            self.outcomes.rest(watch)
            return True
        if now < self._gap_until:
            self._next = self._gap_until
            return False
        if len(self.watches) > _CROWD:
            # Half an interval for all of them: no burst after a restart, however many were handed over at once. The few
            # that are left in the end do not wait for each other longer than many would.
            gap = watch.target.plan.interval / (2 * max(_MANY, len(self.watches)))
            self._gap_until = max(self._gap_until, now - 2 * _BREATH) + gap
        self._look_at(watch, wire)
        return True

    def _look_at(self, watch: WaitingJob, wire: Wire) -> None:
        watch.task = self._spawn(self._look(watch, wire), holds=watch.target.holds)

    def _spawn(self, work: Coroutine[None, None, None], *, holds: bool = False) -> asyncio.Task[None]:
        self.under_way += not holds
        self.holding += holds
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self.under_way -= not holds
            self.holding -= holds
            self._wake.set()

        task.add_done_callback(ended)
        return task

    async def _look(self, watch: WaitingJob, wire: Wire) -> None:
        reading, began, task = self.connection.reading, SYSTEM.monotonic(), asyncio.current_task()
        try:
            look = await watch.target.look(wire)
        except AdGenError as error:
            self._let_go(watch, task)
            self.outcomes.failed([watch], error, began, reading)
        except Exception:
            # A defect in reading one job must not stop the others; it is asked for again until its deadline.
            log.exception("Looking at %s failed.", watch.target.key)
            self._let_go(watch, task)
            watch.failures += 1
            self.outcomes.rest(watch, watch.target.plan.interval * min(watch.failures, 10))
        else:
            self._let_go(watch, task)
            self.outcomes.found(watch, look, began)
        finally:
            self._let_go(watch, task)

    @staticmethod
    def _let_go(watch: WaitingJob, task: asyncio.Task[None] | None) -> None:
        if watch.task is task:
            watch.task, watch.alone = None, False

    def _look_after_connection(self, now: float) -> None:
        reader = next((watch.inboxes[0] for watch in self.watches.values() if watch.inboxes), None)
        if reader is not None and self.outcomes.reader is None and self.connection.wants_reading(now):
            reader.put_nowait(PollUpdate(UpdateKind.NEEDS_CONNECTION))

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
