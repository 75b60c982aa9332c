# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What an answer says about the rate at which may be asked, and when the next request of a lane may go out."""

from __future__ import annotations

import contextlib
import email.utils
import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_WINDOW = 2 * 86400.0

NEAR = 60.0
"""Seconds up to which a rate limit is simply waited for."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """
    Return the seconds that an answer asks to wait, or None where it does not say.

    Reads ``Retry-After`` as seconds or as an HTTP date, then ``X-RateLimit-Reset`` / ``RateLimit-Reset`` as Unix
    seconds or as seconds to go: the vendors that send these do not document which. A window that would end only days
    later is a number that was misread.

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
        wait = max(0.0, seconds - now) if seconds > 1e9 else max(0.0, seconds)
        if wait <= _LONGEST_WINDOW:
            return wait
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
class _Learned:
    """
    What one lane's answers taught.

    :param stopped_until: nothing goes out before.
    :param refused_at: when the last 429 arrived; answers to what was sent before say nothing new.
    :param refusals: 429s in a row.
    :param pace: requests a second that a 429 showed to be too many, a margin taken off; None for no limit.
    :param paced_since: when that was.
    :param next_slot: when the next request fits into that pace.
    :param left: requests that the vendor says are left, until *left_until*; None where it does not say.
    :param sent: when the latest requests went out.
    """

    stopped_until: float = 0.0
    refused_at: float = float("-inf")
    refusals: int = 0
    pace: float | None = None
    paced_since: float = 0.0
    next_slot: float = 0.0
    left: int | None = None
    left_until: float = 0.0
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def exhausted(self, sent: float, wait: float | None, *, by_minute: bool) -> _Window | None:
        """
        Return the window that a request sent at that moment found used up, as far as that can be told.

        A vendor that asks for a moment counts by the second, one that asks for long by the minute. One that does not
        say counts by the second, unless twice as much was accepted in an earlier second, or it refuses the next one as
        well: to take seconds for a minute costs a second, to take a minute for seconds a minute.

        :param by_minute: a trial says that it is a minute's, where the vendor does not say otherwise.
        """
        if wait is not None:
            lengths = [_SECOND] if wait <= 2.0 else [_MINUTE]
        else:
            lengths = [_MINUTE] if by_minute or self.refusals > 1 else [_SECOND, _MINUTE]
        for length in lengths:
            accepted = [one for one in tuple(self.sent) if sent - length < one < sent]
            if len(accepted) < _TELLING and self.pace is None:
                continue
            if len(lengths) > 1 and length == _SECOND:
                busiest = _most([one for one in tuple(self.sent) if one <= sent - length], length)
                if len(accepted) < _NEARLY * busiest:
                    continue
            return _Window(length, len(accepted), min(accepted, default=sent))
        return None


@dataclass(frozen=True)
class _Window:
    """What fitted into a limit: so many were *accepted* in so many *seconds*, the first one when it *begins*."""

    seconds: float
    accepted: int
    begins: float


def _most(times: list[float], length: float) -> int:
    """Return the most of the *times*, which ascend, that lie within a *length*."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - length:
            first += 1
        most = max(most, last - first + 1)
    return most


_REMEMBERED = 1 << 14
_MARGIN = 0.9
_SLOWEST = 0.5
_TELLING = 10
_NEARLY = 0.5
_SECOND, _MINUTE = 1.0, 60.0
_LONGEST_STOP = 60.0
# Requests do not all travel equally long: what went out first may have been counted a little later.
_LEEWAY = 0.25
# A pace that a 429 taught grows again by that part a minute, and is forgotten when it has grown tenfold.
_GROWTH, _FORGOTTEN = 1.1, 10.0


@dataclass
class RateBudget:
    """
    One account's budget in this process, a lane apart from the others: rations, what headers say, what a 429 taught.

    A 429 stops its lane for as long as the vendor asks; where it does not say, until what was sent in the window that
    seems used up counts no longer, or ever longer. Afterwards the lane goes at nine tenths of the pace that was
    accepted, and grows a tenth faster each minute. Reads whose limit nobody tells begin with a :class:`.Trial`.

    :param per_minute: requests a minute over all lanes, the user's own limit; None for none.
    :param rate_limits: limits per lane that are kept without being told by a 429.
    """

    per_minute: float | None = None
    rate_limits: Mapping[RateClass, RateLimit] = field(default_factory=dict)
    _next_slot: float = 0.0
    _used: dict[RateClass, deque[float]] = field(default_factory=dict)
    _lanes: dict[RateClass, _Learned] = field(default_factory=dict)
    _trial: Trial = field(default_factory=Trial)

    def delay(self, rate_class: RateClass, now: float) -> float:
        """Return the seconds until a request of *lane* may go out, without taking the slot."""
        known = self._lane(rate_class)
        waits = [0.0, known.stopped_until - now, self._rationed(rate_class, now)]
        if self.per_minute:
            waits.append(self._next_slot - now)
        if self._pace(known, now) is not None:
            waits.append(known.next_slot - now)
        if known.left is not None and known.left <= 0:
            waits.append(known.left_until - now)
        if self._tried(rate_class):
            waits.append(self._trial.delay(now))
        return max(waits)

    def stopped(self, rate_class: RateClass, now: float) -> bool:
        """Whether nothing of *lane* may go out now, whoever has taken a slot."""
        return self._lane(rate_class).stopped_until > now

    def awaiting(self, rate_class: RateClass, now: float) -> bool:
        """Whether :meth:`delay` may be over at any time, so that no slot is to be taken before."""
        return self._tried(rate_class) and self._trial.awaiting(now)

    def _tried(self, rate_class: RateClass) -> bool:
        return rate_class == RateClass.READ and not self.per_minute and rate_class not in self.rate_limits

    def room(self, rate_class: RateClass, now: float) -> int | None:
        """Return how many requests of *lane* its ration allows at once; None where it has none."""
        ration = self.rate_limits.get(rate_class)
        if ration is None:
            return None
        if self._lane(rate_class).stopped_until > now:
            return 0
        self._rationed(rate_class, now)
        return max(0, ration.requests - len(self._used.get(rate_class, ())))

    def _lane(self, rate_class: RateClass) -> _Learned:
        if rate_class not in self._lanes:
            self._lanes[rate_class] = _Learned()
        return self._lanes[rate_class]

    def _pace(self, known: _Learned, now: float) -> float | None:
        if known.pace is None:
            return None
        grown = float(_GROWTH ** (max(0.0, now - known.paced_since) / 60.0))
        if grown >= _FORGOTTEN:
            known.pace = None
            return None
        return known.pace * grown

    def _rationed(self, rate_class: RateClass, now: float) -> float:
        ration = self.rate_limits.get(rate_class)
        used = self._used.get(rate_class)
        if ration is None or used is None:
            return 0.0
        while used and used[0] <= now - ration.seconds:
            used.popleft()
        return used[-ration.requests] + ration.seconds - now if len(used) >= ration.requests else 0.0

    def take(self, rate_class: RateClass, now: float) -> float:
        """Take the next slot of *lane* and return the seconds to wait for it."""
        wait = self.delay(rate_class, now)
        known = self._lane(rate_class)
        if rate_class in self.rate_limits:
            self._used.setdefault(rate_class, deque()).append(now + wait)
        if self.per_minute:
            self._next_slot = max(self._next_slot, now) + 60.0 / self.per_minute
        pace = self._pace(known, now)
        if pace is not None:
            known.next_slot = max(known.next_slot, now + wait) + 1.0 / pace
        if known.left is not None:
            # What is left is the vendor's count of one window; in the next one it has to be told anew.
            known.left = max(0, known.left - 1) if now < known.left_until else None
        if self._tried(rate_class):
            self._trial.took(now + wait, known.sent)
        known.sent.append(now + wait)
        return wait

    def give_back(self, rate_class: RateClass, moment: float) -> None:
        """Take in that the slot at that *moment* was not used."""
        for taken in (self._lane(rate_class).sent, self._used.get(rate_class)):
            if taken is not None:
                with contextlib.suppress(ValueError):  # forgotten since
                    taken.remove(moment)

    def stop(self, rate_class: RateClass, until: float) -> None:
        """Let nothing of *lane* out before *until*."""
        known = self._lane(rate_class)
        known.stopped_until = max(known.stopped_until, until)

    def learn(
        self,
        rate_class: RateClass,
        status: int,
        headers: Mapping[str, str],
        now: float,
        wall: float,
        sent: float | None = None,
    ) -> None:
        """
        Take in what an answer says: a 429 stops its lane, and so does a window that is used up.

        :param sent: when its request went out, if known: what went out later, the vendor may not have counted yet.
        """
        wait = retry_after(headers, wall)
        known = self._lane(rate_class)
        sent = now if sent is None else sent
        if status == 429:
            self._refused(rate_class, wait, now, sent)
            return
        if sent > known.refused_at:
            known.refusals = 0
        left = _remaining(headers)
        if self._tried(rate_class):
            self._trial.accepted(sent, known.sent)
            self._trial.over |= left is not None
        if left is not None and wait is not None:
            known.left = max(0, left - sum(1 for one in _newest(known.sent) if one > sent))
            known.left_until = now + wait
            if left == 0:
                self.stop(rate_class, now + wait)

    def _refused(self, rate_class: RateClass, wait: float | None, now: float, sent: float) -> None:
        known, ration = self._lane(rate_class), self.rate_limits.get(rate_class)
        with contextlib.suppress(ValueError):  # it was sent before this budget began
            known.sent.remove(sent)  # what was refused is not among what was too many
        again = sent > known.refused_at
        if again:
            known.refusals += 1
        window = None
        if rate_class == RateClass.READ:
            by_minute = self._trial.refused(sent)
            window = known.exhausted(sent, wait, by_minute=by_minute) if again else None
        if wait is not None:
            seconds = wait
        else:
            # A refused connection may count against a ration as well: not another one at once.
            step = ration.seconds / ration.requests if ration is not None else 1.0
            seconds = max(step, min(_LONGEST_STOP, step * 2 ** (min(known.refusals, 10) - 1)))
            if window is not None:
                # Until the first request of that window counts no longer.
                seconds = max(seconds, window.begins + window.seconds + _LEEWAY - now)
        self.stop(rate_class, now + seconds)
        if not again:
            return
        known.refused_at = now
        if window is None:
            # A refused submission may be about the jobs that run, not about how fast they were submitted; and of few
            # requests none can have been too many: others use the account too, and the pause is answer enough.
            return
        pace = self._pace(known, now)
        learned = _MARGIN * window.accepted / window.seconds
        # What a minute has shown holds; what a second has shown was a guess if it is refused again.
        known.pace = max(_SLOWEST, learned if pace is None or window.seconds > 1.0 else min(learned, pace / 2))
        known.paced_since, known.next_slot = now, max(known.next_slot, now + seconds)


def _newest(times: deque[float]) -> tuple[float, ...]:
    """Return the last of them, newest first: no more than can be under way."""
    return tuple(itertools.islice(reversed(times), 256))


def _remaining(headers: Mapping[str, str]) -> int | None:
    for name in ("x-ratelimit-remaining", "ratelimit-remaining"):
        left = _number(headers.get(name, ""))
        if left is not None:
            return int(left)
    return None
