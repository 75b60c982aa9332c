# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What an answer says about the rate at which may be asked, and when the next request of a lane may go out."""

from __future__ import annotations

import email.utils
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.calls import Lane

NEAR = 60.0
"""Seconds up to which a rate limit is simply waited for."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """
    Return the seconds that an answer asks to wait, or None where it does not say.

    Reads ``Retry-After`` as seconds or as an HTTP date, then ``X-RateLimit-Reset`` / ``RateLimit-Reset`` as Unix
    seconds or as seconds to go: the vendors that send these do not document which.

    :param headers: the answer's headers, names in lower case.
    :param now: Unix time.
    """
    text = headers.get("retry-after", "").strip()
    if text:
        seconds = _number(text)
        if seconds is not None:
            return max(0.0, seconds)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
        except (TypeError, ValueError, OverflowError):  # not a date either: as if it were not there
            pass
    for name in ("x-ratelimit-reset", "ratelimit-reset"):
        seconds = _number(headers.get(name, ""))
        if seconds is None:
            continue
        if seconds > 1e12:  # milliseconds since 1970
            seconds /= 1000.0
        return max(0.0, seconds - now) if seconds > 1e9 else max(0.0, seconds)
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text.strip())
    except ValueError:
        return None
    return number if 0 <= number < 1e14 else None


@dataclass(frozen=True)
class RateLimit:
    """A limit: *requests* in each window of *seconds*."""

    requests: int
    seconds: float


@dataclass
class RateBudget:
    """
    One account's budget in this process: a pause per lane after a 429, rations, an even pace if the user set one.

    :param per_minute: requests a minute over all lanes; None for no limit of our own.
    :param rations: limits per lane that are kept without being told by a 429.
    """

    per_minute: float | None = None
    rations: Mapping[Lane, RateLimit] = field(default_factory=dict)
    _stopped_until: dict[Lane, float] = field(default_factory=dict)
    _next_slot: float = 0.0
    _used: dict[Lane, deque[float]] = field(default_factory=dict)

    def delay(self, lane: Lane, now: float) -> float:
        """Return the seconds until a request of *lane* may go out, without taking the slot."""
        paced = (self._next_slot - now) if self.per_minute else 0.0
        return max(0.0, self._stopped_until.get(lane, 0.0) - now, paced, self._rationed(lane, now))

    def _rationed(self, lane: Lane, now: float) -> float:
        ration = self.rations.get(lane)
        used = self._used.get(lane)
        if ration is None or used is None:
            return 0.0
        while used and used[0] <= now - ration.seconds:
            used.popleft()
        return used[-ration.requests] + ration.seconds - now if len(used) >= ration.requests else 0.0

    def take(self, lane: Lane, now: float) -> float:
        """Take the next slot of *lane* and return the seconds to wait for it."""
        wait = self.delay(lane, now)
        if lane in self.rations:
            self._used.setdefault(lane, deque()).append(now + wait)
        if self.per_minute:
            self._next_slot = max(self._next_slot, now) + 60.0 / self.per_minute
        return wait

    def stop(self, lane: Lane, until: float) -> None:
        """Let nothing of *lane* out before *until*."""
        self._stopped_until[lane] = max(self._stopped_until.get(lane, 0.0), until)

    def learn(self, lane: Lane, status: int, headers: Mapping[str, str], now: float, wall: float) -> None:
        """Take in what an answer says: a 429 stops its lane, and so does a window that is used up."""
        wait = retry_after(headers, wall)
        if status == 429:
            # A refused connection may count against a ration as well: not another one at once.
            ration = self.rations.get(lane)
            untold = ration.seconds / ration.requests if ration is not None else 1.0
            self.stop(lane, now + (untold if wait is None else wait))
        elif wait is not None and headers.get("x-ratelimit-remaining", "").strip() == "0":
            self.stop(lane, now + wait)
