# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the outcome of a poll means, and when to poll next; for the poll loop, the wait on a worker and the sensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.durations import Usual
from airflow_provider_adgen.core.errors import (
    TEMPORARY,
    AdGenError,
    ApiError,
    AuthenticationError,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)

if TYPE_CHECKING:
    import random

    from airflow_provider_adgen.core.vendor import Tracking

JITTER = 0.07
"""Part by which a long pause is longer or shorter at most, so that waiters do not march in step."""

SPARSE = 2.0
"""Intervals between two polls at most, while a job is not likely to end: so late is the end of one noticed."""

# Part by which an interval is shorter at most, for the same reason.
_SHORTER = 0.05
_LONGEST_BACKOFF = 300.0
_OVERDUE_SHARE = 0.1
_YOUNG = 60.0
# Most jobs that typically take so long have not ended before this part of it, and have before that multiple.
_TYPICAL_BEGINS, _TYPICAL_ENDS = 0.775, 2.0


@dataclass(frozen=True)
class Schedule:
    """
    When a job is asked for.

    :param interval: seconds between polls while a result is likely to come.
    :param first: seconds after submission before the first poll.
    :param typical: when such jobs typically end, as documented: a range of seconds, or one number, of which a range
        follows; 0 where nothing is known.
    """

    interval: float
    first: float = 0.0
    typical: float | tuple[float, float] = 0.0

    def _documented(self) -> Usual | None:
        if isinstance(self.typical, tuple):
            return Usual(*self.typical)
        return Usual(_TYPICAL_BEGINS * self.typical, _TYPICAL_ENDS * self.typical) if self.typical > 0 else None

    def after(self, age: float, *, rng: random.Random, usual: Usual | None = None) -> float:
        """
        Return the seconds until the next poll.

        Before jobs usually end, polls are up to :data:`SPARSE` intervals apart. Then they are one interval apart. An
        overdue job is polled after a tenth of its age, again at most :data:`SPARSE` intervals apart. So an end is
        noticed within one interval if it comes when such jobs usually end, and within :data:`SPARSE` otherwise.

        :param age: seconds since the job was submitted.
        :param rng: the source of jitter.
        :param usual: when such jobs were seen to end; counts before what is documented.
        """
        if usual is None:
            usual = self._documented()
        longest = SPARSE * self.interval
        opens = max(self.first, usual.begins) if usual is not None else self.first
        # So shortly before, jitter has only made the last poll a little early.
        if age < opens - min(self.interval / 2, 2 * JITTER * opens):
            # In equal parts, so that no short one is left for the last.
            pause = (opens - age) / max(1, math.ceil((opens - age) / longest))
            return pause * (1 + JITTER * (2 * rng.random() - 1))
        pause = self.interval
        if usual is not None and age > usual.ends:
            pause = min(longest, max(pause, _OVERDUE_SHARE * age))
        return pause * (1 - _SHORTER * rng.random())


def schedule(tracking: Tracking, result_kind: str, interval: float) -> Schedule:
    """
    Return the schedule of a job.

    :param tracking: what is known of the vendor's jobs.
    :param result_kind: kind of the result.
    :param interval: the user's ``poll_interval``.
    """
    first = min(tracking.first_look.get(result_kind, 0.0), interval)
    return Schedule(interval=interval, first=first, typical=tracking.typical.get(result_kind, 0.0))


TIMEOUT = "timeout"
"""Status of a wait that ended at its own deadline."""

UNREACHABLE = "unreachable"
"""Status of a wait that ended because polling does not help; the worker asks once more and raises what it finds."""


class PollAction(StrEnum):
    """What follows a poll."""

    AGAIN = "again"
    """Poll again after a pause."""

    OVER = "over"
    """There is nothing more to wait for."""

    READ_CONNECTION = "read the connection again"
    """The vendor refuses the key, and the connection may hold another one by now."""

    GIVE_UP = "give up"
    """Polling again does not help; the error says why."""


@dataclass(frozen=True)
class PollVerdict:
    """
    What follows a poll.

    :param action: what to do.
    :param pause: seconds until the next poll, for ``AGAIN``.
    """

    action: PollAction
    pause: float = 0.0


def judge_poll(
    outcome: bool | AdGenError,
    *,
    schedule: Schedule,
    age: float,
    failures: int,
    rng: random.Random,
    usual: Usual | None = None,
    reread: bool = False,
) -> PollVerdict:
    """
    Return what follows a poll; the poll loop, the wait on a worker and the sensors all ask here.

    :param outcome: whether the answer says that it is over, or the error.
    :param schedule: when the job is polled.
    :param age: seconds since the submission, or since the waiting began where the submission is not known.
    :param failures: failed polls in a row before this one.
    :param rng: the source of jitter.
    :param usual: when such jobs were seen to end.
    :param reread: the connection was read again after this key had been refused, and it holds no other one.
    """
    if outcome is True:
        return PollVerdict(PollAction.OVER)
    if outcome is False:
        return PollVerdict(PollAction.AGAIN, schedule.after(age, rng=rng, usual=usual))
    if isinstance(outcome, AuthenticationError):
        return PollVerdict(PollAction.GIVE_UP if reread else PollAction.READ_CONNECTION)
    if not _may_pass(outcome, age):
        return PollVerdict(PollAction.GIVE_UP)
    pause = min(_LONGEST_BACKOFF, schedule.interval * float(2 ** min(failures, 6)))
    pause *= 1 + JITTER * (2 * rng.random() - 1)
    if isinstance(outcome, RateLimited | ServerError):
        pause = max(pause, outcome.retry_after or 0.0)
    return PollVerdict(PollAction.AGAIN, pause)


def _may_pass(error: AdGenError, age: float) -> bool:
    """Whether the same poll may be answered later."""
    if isinstance(error, NotFound):
        return age < _YOUNG  # the vendor may not have stored the job yet
    if isinstance(error, ApiError):
        return isinstance(error, RateLimited | ServerError) or error.status in TEMPORARY
    return isinstance(error, WireError | UnexpectedResponse)


def list_is_unusable(error: AdGenError) -> bool:
    """
    Whether an error that reading a list met is about that list alone.

    It then says nothing about the jobs, the key or the vendor: the jobs are polled singly.
    """
    return isinstance(error, UnexpectedResponse) or not (
        isinstance(error, AuthenticationError) or _may_pass(error, age=math.inf)
    )


_SHY = 60.0


@dataclass
class Listing:
    """
    Weighs reading the vendor's list of jobs against asking for each job by itself.

    The order of the lists is not documented, so what a pass found is what the next one is judged by.

    :param pages: requests the last pass took, at least.
    :param seconds: how long it took.
    :param shy_until: monotonic time until which lists are left alone, because one showed too few of our jobs.
    """

    pages: int = 1
    seconds: float = 0.0
    shy_until: float = 0.0

    def worth(self, due: int, now: float) -> bool:
        """Whether listing is likely to take fewer requests than asking for *due* jobs singly."""
        return now >= self.shy_until and due > self.pages + 1

    def ahead(self, interval: float) -> float:
        """
        Return how many seconds before it is due a job is looked for by a pass that starts now.

        What only the last pages show is due when a pass gets there. Left out, it would take another pass, of all pages.
        """
        return min(interval, interval / 2 + self.seconds)

    def enough(self, pages: int, seen: int, wanted: int, missing: int, fresh: int) -> bool:
        """
        Whether to stop reading: what is missing costs less by itself than the pages that may still hold it.

        :param pages: pages read so far.
        :param seen: jobs they showed.
        :param wanted: jobs the list is read for.
        :param missing: those of them it has not shown.
        :param fresh: jobs of the last page that no page before had shown; none means that it goes round in circles.
        """
        if not missing or not fresh:
            return True
        likely = -(-wanted * pages // max(1, seen))
        return pages >= 2 + 2 * likely + missing

    def learn(self, pages: int, wanted: int, missing: int, now: float, seconds: float = 0.0) -> None:
        """Remember how many *pages* and *seconds* a pass took, and what it left out."""
        self.pages, self.seconds = max(1, pages), seconds
        if missing * 2 > wanted:
            self.refused(now)

    def refused(self, now: float) -> None:
        """Leave lists alone for a while: the vendor does not show one that can be read."""
        self.shy_until = now + _SHY
        self.pages = 1
