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
    Counts failures in a row over all jobs of a connection.

    :param failures: in a row.
    :param tries: pauses so far; above 0 the vendor counts as down, and one request at a time tries it.
    :param closed_until: monotonic time before which nothing is asked.
    """

    failures: int = 0
    tries: int = 0
    closed_until: float = 0.0
    _paused_at: float = float("-inf")

    def failed(self, began: float, now: float, rng: random.Random) -> None:
        """
        Take in that a request failed in a way that may pass.

        :param began: when it was sent; one that was under way when the pause began says nothing new.
        """
        if began < self._paused_at:
            return
        self.failures += 1
        if self.failures >= ENOUGH:
            self.tries += 1
            pause = min(LONGEST, float(2 ** min(self.tries, 10)))
            self.closed_until = now + pause * (1 + _JITTER * (2 * rng.random() - 1))
            self._paused_at = now

    def worked(self) -> bool:
        """Take in that a request was answered; return whether the vendor counted as down."""
        was_down = self.tries > 0
        self.failures, self.tries, self.closed_until = 0, 0, 0.0
        return was_down
