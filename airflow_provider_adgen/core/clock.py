# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Time as something that is handed in, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time

import pendulum


class Clock:
    """The machine's own time."""

    def now(self) -> float:
        """Return Unix time."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(max(0.0, seconds))

    def sleep_blocking(self, seconds: float) -> None:
        """Wait on a worker; never on an event loop."""
        time.sleep(max(0.0, seconds))

    def moment(self) -> pendulum.DateTime:
        """Return now as a date with a zone."""
        return pendulum.from_timestamp(self.now())


SYSTEM = Clock()
