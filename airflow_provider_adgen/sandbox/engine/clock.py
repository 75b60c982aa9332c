# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The sandbox's clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def iso(moment: float) -> str:
    """Write a moment (seconds since the epoch) the way the vendors' examples do: ``2026-01-15T12:00:00Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: str) -> float:
    """Read an ISO 8601 moment.

    :return: seconds since the epoch.
    :raises ValueError: when it is none, or has no offset from UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write it as 2026-01-15T12:00:00Z")
    return moment.timestamp()


class Clock:
    """The sandbox's time: the machine's time plus what :meth:`advance` added.

    It runs as fast as the machine's clock, so that timestamps, link lifetimes and rate windows agree with a client's.
    Only the length of jobs is divided by ``speed``.

    :param speed: typical job durations are divided by this.
    :param offset: seconds already advanced (restored after a restart).
    :param wall: where the machine's time comes from; a test may inject its own.
    """

    def __init__(self, speed: float = 1.0, offset: float = 0.0, wall: Callable[[], float] = time.time) -> None:
        self.speed = speed
        self.offset = offset
        self._wall = wall
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Return the current moment in seconds since the epoch."""
        return self._wall() + self.offset

    def advance(self, seconds: float) -> None:
        """Move time forward and wake every sleeper."""
        self.offset += seconds
        self.wake()

    def wake(self) -> None:
        """Wake every sleeper, so that it checks the time again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def sleep_until(self, moment: float) -> None:
        """Sleep until that time or until :meth:`wake`; the caller then checks the time again."""
        remaining = moment - self.now()
        if remaining <= 0:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), timeout=min(remaining, 60.0))
        except TimeoutError:
            return
