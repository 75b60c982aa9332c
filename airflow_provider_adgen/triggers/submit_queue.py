# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Lets submissions that a far rate limit refused go in turn, when their window opens.

All of them wait for the same moment. Sent back to a worker together they would meet the limit together again, so those
of one connection that wait in one triggerer queue up, the one that began first in front: when the window opens a few
are let go, then ever more, until one of them comes back refused. How many went in is what the next window begins with.
What other triggerers, schedulers or people send is not known here: the vendor's refusal is what closes the window.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

log = logging.getLogger(__name__)

LONGEST_PAUSE = 20.0
"""Seconds within which a task that was let go comes back if it is refused; shorter after short waits."""

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

    :param now: Unix time, injected.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._waiting: list[_Waiter] = []
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._closed_until = 0.0
        self._open = False
        self._pause = LONGEST_PAUSE
        # How many go at once when a window opens, and who was let go in the present one: each refused or not.
        self._quota: int | None = None
        self._gone: dict[str, bool] = {}

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
                self._run(), name="adgen-turns", context=contextvars.Context()
            )
        self._news.set()
        try:
            await waiter.turn
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._news.set()

    def _refused(self, name: str, moment: float) -> None:
        now = self._now()
        if moment > now:
            self._pause = min(LONGEST_PAUSE, _PART * (moment - now))
        if name in self._gone:
            self._gone[name] = True
            self._quota = max(1, sum(1 for refused in self._gone.values() if not refused))
        elif not self._open:
            # One that was never here, while nobody is let go: nothing new, and it must not keep the others back.
            return
        if moment > now:
            self._open = False
            self._closed_until = max(self._closed_until, moment)

    async def _run(self) -> None:
        try:
            while self._waiting:
                opens = max(self._closed_until, min(one.moment for one in self._waiting))
                if opens > self._now():
                    await self._hear(opens - self._now())
                else:
                    await self._let_go()
        except Exception:
            # Better all at once than never.
            log.exception("Queueing submissions failed; those that wait try again now.")
            for waiter in self._waiting:
                if not waiter.turn.done():
                    waiter.turn.set_result(None)

    async def _let_go(self) -> None:
        """Let those go whose moment has come, until one comes back or nobody is left."""
        self._open, self._gone = True, {}
        batch, more = (self._quota, 1) if self._quota is not None else (1, 2)
        try:
            while True:
                gap = min(_GAP, self._pause / batch)
                for _ in range(batch):
                    waiter = min(self._due(), key=lambda one: one.since, default=None)
                    if waiter is None:
                        return
                    self._waiting.remove(waiter)
                    self._gone[waiter.name] = False
                    waiter.turn.set_result(None)
                    if await self._closes(gap * (0.5 + self._rng.random())):
                        return
                if await self._closes(self._pause):
                    return
                batch, more = more, 2 * more
        finally:
            self._open = False

    def _due(self) -> list[_Waiter]:
        now = self._now()
        return [one for one in self._waiting if one.moment <= now and not one.turn.done()]

    async def _closes(self, seconds: float) -> bool:
        """Whether the window is closed within so long; those who come or go meanwhile change nothing."""
        until = time.monotonic() + seconds
        while self._open and (left := until - time.monotonic()) > 0:
            await self._hear(left)
        return not self._open

    async def _hear(self, seconds: float) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass


_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SubmitQueue]] = weakref.WeakKeyDictionary()


def submit_queue_of(conn_id: str) -> SubmitQueue:
    """Return the running event loop's queue for a connection."""
    return _turns.setdefault(asyncio.get_running_loop(), {}).setdefault(conn_id, SubmitQueue())


class SubmitQueueTrigger(BaseTrigger):
    """
    Fires when it is this task's turn to submit again, after a far rate limit.

    :param conn_id: the connection, whose queue it is.
    :param name: the task.
    :param moment: Unix time before which the vendor takes no more.
    :param since: Unix time at which the task first wanted to submit.
    :param until: Unix time at which to give up waiting.
    :param first_fire_delay: seconds before it may fire first; the scheduler may still be closing the first leg.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        name: str,
        moment: float,
        since: float,
        until: float,
        first_fire_delay: float = 2.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow does not annotate it
        self.conn_id = conn_id
        self.name = name
        self.moment = moment
        self.since = since
        self.until = until
        self.first_fire_delay = first_fire_delay

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; no key."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "name": self.name,
                "moment": self.moment,
                "since": self.since,
                "until": self.until,
                "first_fire_delay": self.first_fire_delay,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the turn, then yield one event."""
        from airflow_provider_adgen.triggers.base import TIMEOUT

        started = time.monotonic()
        status = "waited"
        try:
            async with asyncio.timeout(max(0.0, self.until - time.time())):
                await submit_queue_of(self.conn_id).turn(self.name, moment=self.moment, since=self.since)
        except TimeoutError:
            status = TIMEOUT
        await asyncio.sleep(max(0.0, self.first_fire_delay - (time.monotonic() - started)))
        # Airflow logs events whole: a word and nothing else.
        yield TriggerEvent({"id": "", "status": status})  # type: ignore[no-untyped-call]  # not annotated
