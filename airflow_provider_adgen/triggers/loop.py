# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One poll loop per event loop and connection, shared by every deferred task of a triggerer.

A waiter hands in an :class:`Errand` and gets :class:`News` about it. The loop asks the vendor, a bounded number of
requests at a time, with one client and one rate budget, the earliest due first; it runs in a context of its own, is
started by the first waiter, started again by its waiters if it dies, and closes its client when the last one leaves.
It never looks a connection up itself: that is only safe in a trigger's own coroutine, so it asks a waiter to do it.

When to ask and what an answer means is decided in :mod:`airflow_provider_adgen.core.decisions`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import Lane
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.settings import max_concurrent_requests
from airflow_provider_adgen.triggers.account import OpenAccount
from airflow_provider_adgen.triggers.agenda import NEVER, Agenda, Watch
from airflow_provider_adgen.triggers.batch import Batches, next_for_a_stream
from airflow_provider_adgen.triggers.errands import Errand, News, Word
from airflow_provider_adgen.triggers.heap import set_aside
from airflow_provider_adgen.triggers.meter import Meter
from airflow_provider_adgen.triggers.outcomes import Outcomes, age_of
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
        self.account = OpenAccount(conn_id)
        self.agenda = Agenda()
        self.meter = Meter(conn_id)
        self._wake = asyncio.Event()
        self.outcomes = Outcomes(self.account, self.agenda, self.meter, self._wake)
        self.watches = self.outcomes.watches
        self.batches = Batches(self.outcomes, self.agenda)
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

    async def follow(self, errand: Errand) -> AsyncGenerator[News]:
        """
        Yield news about *errand* until it is over or cannot be asked for.

        :param errand: what to wait for.
        """
        inbox: asyncio.Queue[News] = asyncio.Queue()
        try:
            self._coming += 1
            try:
                await self.account.look_up()
            finally:
                self._coming -= 1
            self._join(errand, inbox)
            while True:
                news = await inbox.get()
                if news.word == Word.NEEDS_CONNECTION:
                    await self._read_connection(news.text, inbox)
                elif news.word == Word.VIEW:
                    log.info("%s", news.text)
                elif news.word == Word.RESTART:
                    await asyncio.sleep(_RESTART_PAUSE)
                    self._join(errand, inbox)
                else:
                    yield news
                    if news.word != Word.STATUS:
                        return
        except InvalidRequest as error:
            # The connection is there and cannot be used: waiting does not help.
            yield News(Word.UNREACHABLE, error.message)
        finally:
            self._leave(errand.key, inbox)

    async def _read_connection(self, reading: str, inbox: asyncio.Queue[News]) -> None:
        if not reading:
            await self.account.look_up()
            return
        try:
            await self.account.look_up_again(int(reading))
        finally:
            self._done_reading(inbox)

    def _done_reading(self, inbox: asyncio.Queue[News]) -> None:
        if self.outcomes.reader is inbox:
            self.outcomes.reader = None
            self._wake.set()

    def _join(self, errand: Errand, inbox: asyncio.Queue[News]) -> None:
        watch = self.watches.get(errand.key)
        if watch is None:
            watch = self.watches[errand.key] = Watch(errand)
            if errand.job is not None:
                self.outcomes.by_job.setdefault(errand.job, {})[watch] = None
        if inbox not in watch.inboxes:
            watch.inboxes.append(inbox)
            self.meter.joined(watch)
        if watch.ended:
            # It ended for the waiters before; whoever comes now hears it from the vendor.
            watch.ended = False
            self.outcomes.rest(watch, 0.0)
        elif watch.turn == 0:
            age = age_of(watch)
            watch.not_before = 0.0 if age < errand.plan.interval else None
            if age >= max(errand.plan.first, errand.plan.interval):
                # Handed over (a restart, another triggerer): spread the first looks over one interval.
                self.outcomes.rest(watch, errand.plan.interval * self.outcomes.rng.random())
            else:
                self.outcomes.rest(watch)
        self._ensure_running()

    def _ensure_running(self) -> None:
        if self._task is None or self._task.done():
            set_aside()
            loop = asyncio.get_running_loop()
            _loops.setdefault(loop, {}).setdefault(self.conn_id, self)
            # A context of its own: not the log context, nor the variables, of whichever task came first.
            self._task = loop.create_task(self._run(), name=f"adgen-poll-{self.conn_id}", context=contextvars.Context())
        self._wake.set()

    def _leave(self, key: Hashable, inbox: asyncio.Queue[News]) -> None:
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

    def _drop(self, watch: Watch) -> None:
        del self.watches[watch.errand.key]
        job = watch.errand.job
        if job is not None:
            self.outcomes.by_job[job].pop(watch, None)
            if not self.outcomes.by_job[job]:
                del self.outcomes.by_job[job]
        if watch.task is not None:
            # Nobody hears what it finds; a stream would be held open for nothing.
            watch.task.cancel()
        self.agenda.tidy(len(self.watches))

    # --- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                while self.watches:
                    await self._start_due()
                    self.meter.report(self.account.wire, SYSTEM.monotonic())
                    self.view.show()
                    await self._until_something_happens()
                await self._end_tasks()
                self.meter.report(self.account.wire, SYSTEM.monotonic(), last=True)
                await self.account.aclose()
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
                watch.tell(News(Word.RESTART))
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
        wire = self.account.wire
        while wire is not None and self.watches:
            now = SYSTEM.monotonic()
            self._look_after_connection(now)
            self._next = NEVER
            if self.outcomes.reader is not None:
                return  # with the key that was just refused, others would only be refused as well
            # For a slot of the budget that is near, a look waits by itself: several are under way to theirs at a time.
            closed = max(self.outcomes.outage.closed_until - now, wire.budget.delay(Lane.READ, now) - _BREATH)
            if closed > 0:
                self._next = now + closed
                return
            watch = self.agenda.first()
            if watch is None or watch.due > now:
                self._next = watch.due if watch is not None else NEVER
                return
            if not self._start(wire, watch, now):
                return
            # It takes its slot of the budget now, before the next one is weighed.
            await asyncio.sleep(0)

    def _start(self, wire: Wire, watch: Watch, now: float) -> bool:
        """Start asking for *watch*, which is due, by itself or with others; False where it has to wait."""
        limit = 1 if self.outcomes.outage.tries else self._limit
        room = self.under_way < limit
        if watch.errand.holds:
            due = self.agenda.until(now)
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
            self._spawn(self.batches.read(wire, covered, self.account.reading))
            return True
        if watch.errand.holds and watch.listable:
            # No list and no connection for a stream: there is nothing to ask.
            self.outcomes.rest(watch)
            return True
        if now < self._gap_until:
            self._next = self._gap_until
            return False
        if len(self.watches) > _CROWD:
            # Half an interval for all of them: no burst after a restart, however many were handed over at once. The few
            # that are left in the end do not wait for each other longer than many would.
            gap = watch.errand.plan.interval / (2 * max(_MANY, len(self.watches)))
            self._gap_until = max(self._gap_until, now - 2 * _BREATH) + gap
        self._look_at(watch, wire)
        return True

    def _look_at(self, watch: Watch, wire: Wire) -> None:
        watch.task = self._spawn(self._look(watch, wire), holds=watch.errand.holds)

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

    async def _look(self, watch: Watch, wire: Wire) -> None:
        reading, began, task = self.account.reading, SYSTEM.monotonic(), asyncio.current_task()
        try:
            look = await watch.errand.look(wire)
        except AdGenError as error:
            self._let_go(watch, task)
            self.outcomes.failed([watch], error, began, reading)
        except Exception:
            # A defect in reading one job must not stop the others; it is asked for again until its deadline.
            log.exception("Looking at %s failed.", watch.errand.key)
            self._let_go(watch, task)
            watch.failures += 1
            self.outcomes.rest(watch, watch.errand.plan.interval * min(watch.failures, 10))
        else:
            self._let_go(watch, task)
            self.outcomes.found(watch, look, began)
        finally:
            self._let_go(watch, task)

    @staticmethod
    def _let_go(watch: Watch, task: asyncio.Task[None] | None) -> None:
        if watch.task is task:
            watch.task, watch.alone = None, False

    def _look_after_connection(self, now: float) -> None:
        reader = next((watch.inboxes[0] for watch in self.watches.values() if watch.inboxes), None)
        if reader is not None and self.outcomes.reader is None and self.account.wants_reading(now):
            reader.put_nowait(News(Word.NEEDS_CONNECTION))

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
