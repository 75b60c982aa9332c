# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a poll loop knows of each errand, and whose turn it is: the earliest due first, so nobody starves."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from airflow_provider_adgen.triggers.targets import PollTarget, PollUpdate

NEVER = float("inf")


@dataclass(eq=False)
class WaitingJob:
    """
    One errand and those who wait for it.

    :param target: what to ask for.
    :param inboxes: where its waiters hear news.
    :param due: monotonic time of the next look.
    :param task: the look under way.
    :param covered: a pass over the vendor's list looks for it just now.
    :param alone: the list did not show it, so the next look is for it alone.
    :param ended: it is over, or cannot be asked for.
    :param failures: failed looks in a row.
    :param status: the status word its waiters heard last.
    :param looks: looks so far that said something.
    :param not_before: age in seconds at which it was last seen running; None where that is not known.
    :param streams: streams opened for it.
    """

    target: PollTarget
    inboxes: list[asyncio.Queue[PollUpdate]] = field(default_factory=list)
    due: float = NEVER
    task: asyncio.Task[None] | None = None
    covered: bool = False
    alone: bool = False
    ended: bool = False
    failures: int = 0
    status: str = ""
    looks: int = 0
    not_before: float | None = None
    streams: int = 0
    turn: int = 0

    @property
    def idle(self) -> bool:
        """Whether somebody waits for it and nobody asks just now."""
        return self.task is None and not self.covered and not self.ended and bool(self.inboxes)

    @property
    def listable(self) -> bool:
        """Whether a list of jobs may tell of it."""
        return self.target.job is not None and not self.alone

    def tell(self, update: PollUpdate) -> None:
        """Put *news* into all inboxes."""
        for inbox in self.inboxes:
            inbox.put_nowait(update)


class DueQueue:
    """Watches by when they are due. One that was put in again, or is not idle, is dropped when its turn comes."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, WaitingJob]] = []
        self._turns = itertools.count(1)

    def put(self, watch: WaitingJob, due: float) -> None:
        """Let *watch* be due at a monotonic time, and not when it was due before."""
        watch.due, watch.turn = due, next(self._turns)
        if due < NEVER:
            heapq.heappush(self._heap, (due, watch.turn, watch))

    def first(self) -> WaitingJob | None:
        """Return the watch that is due first."""
        while self._heap:
            _, turn, watch = self._heap[0]
            if turn == watch.turn and watch.idle:
                return watch
            heapq.heappop(self._heap)
        return None

    def until(self, moment: float) -> list[WaitingJob]:
        """Return the idle watches that are due by *moment*, in no order."""
        found, places = [], [0]
        while places:
            place = places.pop()
            if place < len(self._heap) and self._heap[place][0] <= moment:
                _, turn, watch = self._heap[place]
                if turn == watch.turn and watch.idle:
                    found.append(watch)
                places += (2 * place + 1, 2 * place + 2)
        return found

    def tidy(self, watches: int) -> None:
        """Drop what is out of date, once it outgrows the *watches* there are."""
        if len(self._heap) > 4 * watches + 64:
            self._heap = [entry for entry in self._heap if entry[1] == entry[2].turn and entry[2].idle]
            heapq.heapify(self._heap)
