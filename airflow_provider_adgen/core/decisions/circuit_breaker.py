# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a vendor as a whole is down, and when to try it again; one request tries for all who wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

ENOUGH = 3
"""Failures in a row, of whichever jobs, from which on it is not a matter of one job."""

LONGEST = 60.0
"""Seconds between two tries at most, before jitter."""

_JITTER = 0.25


@dataclass
class CircuitBreaker:
    """
    Counts failures in a row over all jobs of a connection, and opens when there are too many.

    :param failures: in a row.
    :param trips: how often it has opened since the vendor last answered; above 0 the vendor counts as down, and one
        request at a time tries it.
    :param open_until: monotonic time before which nothing is asked.
    """

    failures: int = 0
    trips: int = 0
    open_until: float = 0.0
    _opened_at: float = float("-inf")

    def record_failure(self, began: float, now: float, rng: random.Random) -> None:
        """
        Take in that a request failed in a way that may pass.

        :param began: when it was sent; one that was under way when the breaker opened says nothing new.
        """
        if began < self._opened_at:
            return
        self.failures += 1
        if self.failures >= ENOUGH:
            self.trips += 1
            pause = min(LONGEST, float(2 ** min(self.trips, 10)))
            self.open_until = now + pause * (1 + _JITTER * (2 * rng.random() - 1))
            self._opened_at = now

    def record_success(self) -> bool:
        """Take in that a request was answered; return whether the vendor counted as down."""
        was_down = self.trips > 0
        self.failures, self.trips, self.open_until = 0, 0, 0.0
        return was_down
