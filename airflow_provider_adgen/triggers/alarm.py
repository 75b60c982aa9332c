# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Wakes a poll loop when something is due."""

from __future__ import annotations

import asyncio

from airflow_provider_adgen.core.clock import SYSTEM

SLACK = 0.05
"""Seconds after which it rings at least: what is due within them is done in one go, for waking up costs more."""


class Alarm:
    """Rings once for the earliest of the times it was set to."""

    def __init__(self) -> None:
        self._at = float("inf")
        self._timer: asyncio.TimerHandle | None = None
        self._rung = asyncio.Event()

    def set(self, moment: float) -> None:
        """Ring soon after a monotonic time, which may be past; an earlier one stays."""
        if moment >= self._at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at = moment
        pause = max(0.0, moment - SYSTEM.monotonic()) + SLACK
        self._timer = asyncio.get_running_loop().call_later(pause, self.ring)

    async def wait(self) -> None:
        """Wait until it rings, or has rung since the last time."""
        await self._rung.wait()
        self._rung.clear()

    def ring(self) -> None:
        """Ring at once, and forget what it was set to."""
        if self._timer is not None:
            self._timer.cancel()
        self._at, self._timer = float("inf"), None
        self._rung.set()
