# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What an answer to "is it done?" means, and when to ask next; shared by triggers, sensors and the sync path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    AuthenticationError,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)

if TYPE_CHECKING:
    import random

    from airflow_provider_adgen.core.vendor import Tracking

JITTER = 0.15
"""Part of an interval by which it is shortened or lengthened, so that waiters do not march in step."""

_LONGEST_RIDE = 300.0


@dataclass(frozen=True)
class Schedule:
    """
    When a job is asked for.

    :param interval: seconds between looks once a result can be there.
    :param first: seconds after submission before the first look.
    """

    interval: float
    first: float = 0.0

    def after(self, age: float, *, rng: random.Random) -> float:
        """
        Return the seconds until the next look.

        :param age: seconds since the job was submitted.
        :param rng: the source of jitter.
        """
        if age < self.first:
            return (self.first - age) * (1 + JITTER * rng.random())
        return self.interval * (1 + JITTER * (2 * rng.random() - 1))


def schedule(tracking: Tracking, makes: str, interval: float) -> Schedule:
    """
    Return the schedule of a job.

    :param tracking: what is known of the vendor's jobs.
    :param makes: kind of the result.
    :param interval: the user's ``poll_interval``.
    """
    return Schedule(interval=interval, first=min(tracking.first_look.get(makes, 0.0), interval))


@dataclass(frozen=True)
class Trouble:
    """
    What a failed look means.

    :param passing: it may go away by itself: ask again.
    :param refresh: the key may have been changed: read the connection again, once.
    :param seconds: how long to wait before asking again.
    """

    passing: bool
    refresh: bool = False
    seconds: float = 0.0


def trouble(error: AdGenError, *, failures: int, interval: float) -> Trouble:
    """
    Return what a failed look means.

    :param error: what went wrong.
    :param failures: failed looks in a row, this one included.
    :param interval: the usual seconds between looks.
    """
    if isinstance(error, AuthenticationError):
        return Trouble(passing=False, refresh=True)
    riding = min(_LONGEST_RIDE, interval * float(2 ** min(failures - 1, 6)))
    if isinstance(error, RateLimited | ServerError):
        return Trouble(passing=True, seconds=max(riding, error.retry_after or 0.0))
    if isinstance(error, ApiError):
        return Trouble(passing=False)
    if isinstance(error, WireError | UnexpectedResponse):
        return Trouble(passing=True, seconds=riding)
    return Trouble(passing=False)


PAGE = 100
"""Jobs a vendor shows in one request, as we count when weighing a list against single requests."""

_SHY = 60.0


@dataclass
class Listing:
    """
    Weighs reading the vendor's list of jobs against asking for each job by itself.

    The order of the lists is not documented, so what a pass found is what the next one is judged by.

    :param pages: requests the last pass took, at least.
    :param shy_until: monotonic time until which lists are left alone, because one showed too few of our jobs.
    """

    pages: int = 1
    shy_until: float = 0.0

    def worth(self, due: int, now: float) -> bool:
        """Whether listing is likely to take fewer requests than asking for *due* jobs singly."""
        return now >= self.shy_until and due > self.pages + 1

    def enough(self, seen: int, wanted: int, missing: int) -> bool:
        """Whether to stop reading: what is missing costs less by itself than the pages that may still hold it."""
        return seen % PAGE == 0 and seen // PAGE >= 2 + 2 * (wanted // PAGE) + missing

    def learn(self, seen: int, wanted: int, missing: int, now: float) -> None:
        """Remember what a pass of *seen* jobs took and left out."""
        self.pages = max(1, -(-seen // PAGE))
        if missing * 2 > wanted:
            self.shy_until = now + _SHY
            self.pages = 1
