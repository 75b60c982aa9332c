# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Rate limits (so many requests of a class per window and account), and the load that makes a vendor slow."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.sandbox.engine.clock import Clock


@dataclass(slots=True)
class Window:
    """A fixed window that begins with its first request."""

    limit: int
    seconds: float
    ends: float
    used: int = 0

    @property
    def remaining(self) -> int:
        """How many requests it still allows."""
        return max(0, self.limit - self.used)


class Limits:
    """The windows of every account. Kept in memory: a restart begins new ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str, str], Window] = {}

    def take(self, vendor: str, account: str, rate_class: str, limit: int, seconds: float) -> tuple[bool, Window]:
        """Count a request.

        :return: whether it is allowed, and the window it falls into.
        """
        now = self._clock.now()
        name = (vendor, account, rate_class)
        window = self._windows.get(name)
        if window is None or now >= window.ends or (window.limit, window.seconds) != (limit, seconds):
            window = self._windows[name] = Window(limit, seconds, now + seconds)
        if window.used >= limit:
            return False, window
        window.used += 1
        return True, window

    def clear(self) -> None:
        """Start every window again."""
        self._windows.clear()


class Load:
    """The requests of the last second, for each vendor. Kept in memory.

    :param wall: the machine's time in seconds: answers are late in real time, however the sandbox's clock was moved.
    """

    def __init__(self, wall: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._moments: dict[str, deque[float]] = {}

    def add(self, vendor: str) -> int:
        """Count a request.

        :return: how many came in the second before it.
        """
        now, moments = self._wall(), self._moments.setdefault(vendor, deque())
        while moments and moments[0] <= now - 1.0:
            moments.popleft()
        moments.append(now)
        return len(moments) - 1
