# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Rate limits: so many requests of a class per window and account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
