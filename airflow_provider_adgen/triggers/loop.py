# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One poll loop per event loop and connection, shared by every deferred task of a triggerer.

A waiter hands in an :class:`Errand` and gets :class:`News` about it. The loop asks the vendor, a bounded number of
requests at a time, with one client and one rate budget; it runs in a context of its own, is started by the first
waiter, started again by its waiters if it dies, and closes its client when the last one leaves. It never looks a
connection up itself: that is only safe in a trigger's own coroutine, so it asks a waiter to do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import random
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.polling import Listing, trouble
from airflow_provider_adgen.core.errors import (
    AdGenError,
    AuthenticationError,
    RateLimited,
    ServerError,
    WireError,
)
from airflow_provider_adgen.core.http import prepare
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.hooks.base import AdGenHook, budget_of
from airflow_provider_adgen.settings import max_concurrent_requests
from airflow_provider_adgen.triggers.errands import Errand, Look, News, Word

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

    from airflow_provider_adgen.core.calls import Sequence
    from airflow_provider_adgen.core.profile import Profile

log = logging.getLogger(__name__)

_RESTART_PAUSE = 1.0


@dataclass
class _Watch:
    errand: Errand
    due: float
    inboxes: list[asyncio.Queue[News]] = field(default_factory=list)
    failures: int = 0
    refreshed: bool = False
    busy: bool = False
    alone: bool = False
    ended: bool = False
    status: str = ""

    def tell(self, news: News) -> None:
        for inbox in self.inboxes:
            inbox.put_nowait(news)


class PollLoop:
    """
    Asks one connection's vendor for all errands of one event loop.

    :param conn_id: the connection.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self._watches: dict[Hashable, _Watch] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._wire: Wire | None = None
        self._profiles = 0
        self._looking_up = asyncio.Lock()
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._limit = max_concurrent_requests()
        self._listing = Listing()
        self._passing = False

    # --- for waiters ----------------------------------------------------------------------------------------------

    async def follow(self, errand: Errand) -> AsyncGenerator[News]:
        """
        Yield news about *errand* until it is over or cannot be asked for.

        :param errand: what to wait for.
        """
        await self._look_up_connection(None)
        inbox: asyncio.Queue[News] = asyncio.Queue()
        self._join(errand, inbox)
        try:
            while True:
                news = await inbox.get()
                if news.word == Word.NEEDS_CONNECTION:
                    await self._look_up_connection(news.text)
                    self._again(errand)
                elif news.word == Word.RESTART:
                    await asyncio.sleep(_RESTART_PAUSE)
                    self._join(errand, inbox)
                else:
                    yield news
                    if news.word != Word.STATUS:
                        return
        finally:
            self._leave(errand.key, inbox)

    async def _look_up_connection(self, seen: str | None) -> None:
        """
        Read the connection, in a waiter's own coroutine.

        :param seen: the generation of the profile that failed; None to read it only if there is none.
        """
        async with self._looking_up:
            if self._wire is not None and seen != str(self._profiles):
                return
            hook = AdGenHook(self.conn_id)
            profile: Profile = await hook.aprofile(refresh=True)
            await asyncio.to_thread(prepare, profile.verify)
            self._profiles += 1
            if self._wire is None:
                # The loop repeats by its own schedule; the wire must not repeat on top of that.
                self._wire = Wire(hook.vendor, profile, budget=budget_of(profile), attempts=1)
            else:
                self._wire.profile = profile
                self._wire.budget = budget_of(profile)

    def _join(self, errand: Errand, inbox: asyncio.Queue[News]) -> None:
        watch = self._watches.get(errand.key)
        if watch is None:
            age = time.time() - errand.since
            first = errand.plan.after(age, rng=self._rng)
            if age >= errand.plan.first:
                # Handed over (a restart, another triggerer): spread the first looks over one interval.
                first = errand.plan.interval * self._rng.random()
            watch = self._watches[errand.key] = _Watch(errand, due=time.monotonic() + first)
        elif watch.ended:
            # It ended for the waiters before; whoever comes now hears it from the vendor.
            watch.ended, watch.due = False, time.monotonic()
        if inbox not in watch.inboxes:
            watch.inboxes.append(inbox)
        if self._task is None or self._task.done():
            # A context of its own: not the log context, nor the variables, of whichever task came first.
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"adgen-poll-{self.conn_id}", context=contextvars.Context()
            )
        self._wake.set()

    def _again(self, errand: Errand) -> None:
        watch = self._watches.get(errand.key)
        if watch is not None:
            watch.due = time.monotonic()
            self._wake.set()

    def _leave(self, key: Hashable, inbox: asyncio.Queue[News]) -> None:
        watch = self._watches.get(key)
        if watch is None:
            return
        if inbox in watch.inboxes:
            watch.inboxes.remove(inbox)
        if not watch.inboxes:
            del self._watches[key]
            self._wake.set()
        elif watch.due == float("inf") and not watch.ended:
            # It may have been the one that was asked to read the connection.
            watch.due = time.monotonic()
            self._wake.set()

    # --- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        looks: set[asyncio.Task[None]] = set()
        try:
            while True:
                while self._watches:
                    self._start_due(looks)
                    await self._until_something_happens(looks)
                if self._wire is not None:
                    await self._wire.aclose()
                if not self._watches:
                    self._forget()
                    return
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("The poll loop of connection %s failed; its waiters start it again.", self.conn_id)
            watches, self._watches = self._watches, {}
            for watch in watches.values():
                watch.tell(News(Word.RESTART))
        finally:
            for look in looks:
                look.cancel()

    def _start_due(self, looks: set[asyncio.Task[None]]) -> None:
        now = time.monotonic()
        idle = [one for one in self._watches.values() if not one.busy]
        due = sorted((one for one in idle if one.due <= now), key=lambda watch: watch.due)
        due = self._start_pass(due, idle, looks)
        free = self._limit - sum(1 for one in self._watches.values() if one.busy and not one.errand.holds)
        for watch in due:
            if not watch.errand.holds:
                if free <= 0:
                    continue
                free -= 1
            watch.busy = True
            looks.add(asyncio.create_task(self._look(watch)))

    def _start_pass(self, due: list[_Watch], idle: list[_Watch], looks: set[asyncio.Task[None]]) -> list[_Watch]:
        """Ask for many jobs by listing, where that takes fewer requests; return what is left to ask for singly."""
        wire = self._wire
        steps = wire.vendor.overview() if wire is not None else None
        if wire is None or steps is None or not any(one.errand.job is not None and not one.alone for one in due):
            return due
        if self._passing:
            # The next pass takes them along.
            return [one for one in due if one.errand.job is None or one.alone]
        now = time.monotonic()
        # Those that are nearly due come along: they cost nothing more.
        covered = [
            one
            for one in idle
            if one.errand.job is not None and not one.alone and one.due <= now + one.errand.plan.interval / 2
        ]
        if not self._listing.worth(len(covered), now):
            return due
        for watch in covered:
            watch.busy = True
        self._passing = True
        looks.add(asyncio.create_task(self._pass(wire, steps, covered)))
        return [one for one in due if not one.busy]

    async def _pass(self, wire: Wire, steps: Sequence[None], covered: list[_Watch]) -> None:
        """Read the vendor's list of jobs until all of *covered* were seen, or it is not worth reading on."""
        missing: dict[str | None, list[_Watch]] = {}
        for watch in covered:
            missing.setdefault(watch.errand.job, []).append(watch)
        profile, seen, wanted = str(self._profiles), 0, len(missing)
        try:
            async with contextlib.aclosing(wire.iterate(steps)) as jobs:
                async for job in jobs:
                    seen += 1
                    for watch in missing.pop(job.id, ()):
                        self._found(watch, watch.errand.listed(job))
                    if not missing or self._listing.enough(seen, wanted, len(missing)):
                        break
        except (AuthenticationError, RateLimited, ServerError, WireError) as error:
            for watch in covered:
                if watch.errand.job in missing:
                    self._failed(watch, error, profile)
            missing = {}
        except AdGenError as error:
            # The list is what cannot be had; what it would have shown is asked for job by job.
            log.warning("%s Jobs are asked for singly for a while.", error.message)
        except Exception:
            log.exception("Listing the jobs of connection %s failed.", self.conn_id)
        finally:
            self._passing = False
            self._listing.learn(seen, wanted, len(missing), time.monotonic())
            for watch in covered:
                watch.busy = False
            for watch in (one for some in missing.values() for one in some):
                # The list did not show it: that says nothing about the job, so it is asked for by itself.
                watch.alone, watch.due = True, time.monotonic()

    async def _until_something_happens(self, looks: set[asyncio.Task[None]]) -> None:
        waking = asyncio.create_task(self._wake.wait())
        nearest = min((one.due for one in self._watches.values() if not one.busy), default=None)
        # With all requests under way, what is due already waits for one of them to end.
        late = nearest is not None and nearest <= time.monotonic() and looks
        timeout = None if nearest is None or late else max(0.0, nearest - time.monotonic())
        try:
            await asyncio.wait({waking, *looks}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        self._wake.clear()
        for look in [one for one in looks if one.done()]:
            looks.discard(look)
            look.result()

    async def _look(self, watch: _Watch) -> None:
        wire, profile = self._wire, str(self._profiles)
        try:
            if wire is None:
                watch.tell(News(Word.NEEDS_CONNECTION, profile))
                watch.due = float("inf")
                return
            try:
                found = await watch.errand.look(wire)
            except AdGenError as error:
                self._failed(watch, error, profile)
            except Exception:
                # A defect in reading one job must not stop the others; it is asked for again until its deadline.
                log.exception("Looking at %s failed.", watch.errand.key)
                watch.failures += 1
                watch.due = time.monotonic() + watch.errand.plan.interval * min(watch.failures, 10)
            else:
                self._found(watch, found)
        finally:
            watch.busy = watch.alone = False

    def _found(self, watch: _Watch, found: Look) -> None:
        watch.failures = 0
        watch.refreshed = False
        if found.over:
            watch.due, watch.ended = float("inf"), True
            watch.tell(News(Word.OVER, found.word))
            return
        if found.word != watch.status:
            watch.status = found.word
            watch.tell(News(Word.STATUS, found.word))
        watch.due = time.monotonic() + watch.errand.plan.after(time.time() - watch.errand.since, rng=self._rng)

    def _failed(self, watch: _Watch, error: AdGenError, profile: str) -> None:
        watch.failures += 1
        what = trouble(error, failures=watch.failures, interval=watch.errand.plan.interval)
        if what.refresh and not watch.refreshed and watch.inboxes:
            watch.refreshed = True
            watch.due = float("inf")
            watch.inboxes[0].put_nowait(News(Word.NEEDS_CONNECTION, profile))
        elif what.passing:
            watch.due = time.monotonic() + what.seconds
        else:
            watch.due, watch.ended = float("inf"), True
            watch.tell(News(Word.UNREACHABLE, error.message))

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
