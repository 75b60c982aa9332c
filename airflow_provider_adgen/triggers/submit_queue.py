# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Queues submissions that a rate limit refused for long, and releases them when the limit's window opens.

All of them wait for the same moment. Sent back to a worker together they would meet the limit together again. So those
of one connection that wait in one triggerer form a queue, the one that began first in front. When the window opens, a
few are released, then ever more, until one of them comes back refused. The next window begins with as many as got in.
What other triggerers, schedulers or people send is not known here: the vendor's refusal closes the window.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import random
import weakref
from dataclasses import dataclass

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.triggers.base import WAITED, DeadlineTrigger

log = logging.getLogger(__name__)

LONGEST_PAUSE = 20.0
"""Seconds within which a task that was released comes back if it is refused; shorter after short waits."""

_PART = 0.1
_GAP = 1.0


@dataclass(frozen=True, eq=False)
class _Waiter:
    name: str
    moment: float
    since: float
    turn: asyncio.Future[None]


class SubmitQueue:
    """
    The queue of one connection on one event loop.

    :param clock: time, injected.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._waiting: list[_Waiter] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._closed_until = 0.0
        self._open = False
        self._pause = LONGEST_PAUSE
        # How many go at once when a window opens, and who was released in the present one: each refused or not.
        self._quota: int | None = None
        self._released: dict[str, bool] = {}

    async def turn(self, name: str, *, moment: float, since: float) -> None:
        """
        Wait for one's turn.

        :param name: the task; it keeps its place in the queue when it comes back.
        :param moment: Unix time before which the vendor takes no more; being here says that it has just refused.
        :param since: Unix time at which this task first wanted to submit: the earliest goes first.
        """
        self._refused(name, moment)
        waiter = _Waiter(name, moment, since, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        if self._task is None or self._task.done():
            # A context of its own: not the log context of whichever task came first.
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="adgen-submit-queue", context=contextvars.Context()
            )
        self._changed.set()
        try:
            await waiter.turn
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._changed.set()

    def _refused(self, name: str, moment: float) -> None:
        now = self._clock.now()
        if moment > now:
            self._pause = min(LONGEST_PAUSE, _PART * (moment - now))
        if name in self._released:
            self._released[name] = True
            self._quota = max(1, sum(1 for refused in self._released.values() if not refused))
        elif not self._open:
            # One that was never here, while nobody is released: nothing new, and it must not keep the others back.
            return
        if moment > now:
            self._open = False
            self._closed_until = max(self._closed_until, moment)

    async def _run(self) -> None:
        try:
            while self._waiting:
                opens = max(self._closed_until, min(one.moment for one in self._waiting))
                if opens > self._clock.now():
                    await self._wait_for_change(opens - self._clock.now())
                else:
                    await self._release()
        except Exception:
            # Better all at once than never.
            log.exception("Queueing submissions failed; those that wait try again now.")
            for waiter in self._waiting:
                if not waiter.turn.done():
                    waiter.turn.set_result(None)

    async def _release(self) -> None:
        """Release those whose moment has come, until one comes back or nobody is left."""
        self._open, self._released = True, {}
        batch, more = (self._quota, 1) if self._quota is not None else (1, 2)
        try:
            while True:
                gap = min(_GAP, self._pause / batch)
                for _ in range(batch):
                    waiter = min(self._due(), key=lambda one: one.since, default=None)
                    if waiter is None:
                        return
                    self._waiting.remove(waiter)
                    self._released[waiter.name] = False
                    waiter.turn.set_result(None)
                    if await self._closes_within(gap * (0.5 + self._rng.random())):
                        return
                if await self._closes_within(self._pause):
                    return
                batch, more = more, 2 * more
        finally:
            self._open = False

    def _due(self) -> list[_Waiter]:
        now = self._clock.now()
        return [one for one in self._waiting if one.moment <= now and not one.turn.done()]

    async def _closes_within(self, seconds: float) -> bool:
        """Whether the window is closed within so long; those who come or go meanwhile change nothing."""
        until = self._clock.monotonic() + seconds
        while self._open and (left := until - self._clock.monotonic()) > 0:
            await self._wait_for_change(left)
        return not self._open

    async def _wait_for_change(self, seconds: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SubmitQueue]] = weakref.WeakKeyDictionary()


def submit_queue_of(conn_id: str) -> SubmitQueue:
    """Return the running event loop's queue for a connection."""
    return _queues.setdefault(asyncio.get_running_loop(), {}).setdefault(conn_id, SubmitQueue())


@dataclass(kw_only=True, eq=False, repr=False)
class SubmitQueueTrigger(DeadlineTrigger):
    """
    Fires when it is this task's turn to submit again, after a far rate limit; it waits since it first wanted to submit.

    :param name: the task.
    :param moment: Unix time before which the vendor takes no more.
    """

    name: str
    moment: float

    async def wait(self) -> tuple[str, str]:
        """Wait for the turn."""
        await submit_queue_of(self.conn_id).turn(self.name, moment=self.moment, since=self.since)
        return WAITED, ""
