# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""When the next request to an account may go out, by its limits and by what its answers say of them."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.rate_headers import remaining, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NEAR = 60.0
"""Seconds up to which a rate limit is simply waited for."""


@dataclass(frozen=True)
class RateLimit:
    """A limit: *requests* in each window of *seconds*."""

    requests: int
    seconds: float


# Requests a second at the start, and the seconds in which that doubles until a 429 tells the limit.
_START, _DOUBLING = 25.0, 1.0
# What a 429 leaves of the pace, the seconds in which that much is added again, and those after which it is forgotten.
_CUT, _GROWTH, _FORGOTTEN = 0.5, 200.0, 900.0
# What is left of a minute's requests where a limit counts by the minute.
_CUT_OF_A_MINUTE = 0.75
_SLOWEST = 0.1
# Of fewer requests in a minute none can have been too many: others use the account too, and the pause is answer enough.
_TELLING = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# At a slow pace, the first pause is as long as that many requests.
_PAUSE_REQUESTS = 4.0
# Limits that nobody tells count by the second, by ten seconds, or by the minute; a window may begin a little later.
_SHORT_WINDOW, _MINUTE, _MARGIN = 10.0, 60.0, 1.0
# After a refusal requests go one by one, so that a limit that still holds refuses one and not many.
_PROBE_GAP = 1.0
# Seconds that may be caught up after an event loop was busy with something else.
_BEHIND = 0.05
_REMEMBERED = 1 << 14


@dataclass
class _State:
    """
    What is known of one rate class.

    :param stopped_until: nothing goes out before.
    :param refused_at: when the last 429 arrived; answers to what was sent before say nothing new.
    :param refusals: 429s in a row.
    :param minute_ends: when a minute is over since the first of the requests that the first of them may have counted.
    :param pace: requests a second that a 429 left; None while none has told a limit.
    :param since: when that was, or when the first request went out; None before it.
    :param next_slot: when the next request fits into the pace.
    :param left: requests that the vendor says are left, until *left_until*; None where it does not say.
    :param sent: when the latest requests went out.
    """

    stopped_until: float = float("-inf")
    refused_at: float = float("-inf")
    refusals: int = 0
    minute_ends: float = float("-inf")
    pace: float | None = None
    since: float | None = None
    next_slot: float = float("-inf")
    left: int | None = None
    left_until: float = 0.0
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def pace_at(self, now: float) -> float:
        """Return the requests a second that may go out: it doubles at first, and grows slowly after a 429."""
        age = now - self.since if self.since is not None else 0.0
        if self.pace is None:
            return float(_START * 2 ** min(20.0, age / _DOUBLING))
        if age > _FORGOTTEN:
            self.pace, self.since = None, None
            return _START
        return self.pace * (1 + max(0.0, age) / _GROWTH)

    def sent_within(self, seconds: float, now: float) -> int:
        """Return how many requests went out in the last *seconds*."""
        # A copy: another thread may send meanwhile.
        return sum(1 for moment in tuple(self.sent) if now - seconds < moment <= now)

    def window_ends(self, now: float) -> float | None:
        """Return when a limit that nobody tells counts anew, by the refusals in a row; None where it is a guess."""
        if self.refusals == 2:
            return now + _SHORT_WINDOW
        return self.minute_ends if self.refusals > 2 and self.minute_ends > now else None


@dataclass
class RateBudget:
    """
    One account's budget in this process. Each rate class has its own.

    Limits that are known are kept: the vendor's documented ones, the user's own, and what headers say is left. For
    reads without a known limit, the pace starts at 25 requests a second and doubles each second. A 429 halves it; it
    grows slowly again. A class that is refused again right after its pause is limited by the minute, and its pace
    becomes three quarters of what the last minute took.

    A 429 stops its class for as long as the vendor asks, and in any case for a pause that doubles with each refusal in
    a row. An accepted request ends the row. Where reads are refused by a limit that nobody tells, the second pause is
    10 seconds, and the third lasts until a minute is over since the first of the requests that were counted.

    :param per_minute: requests a minute over all classes, the user's own limit; None for none.
    :param rate_limits: the documented limits of classes.
    """

    per_minute: float | None = None
    rate_limits: Mapping[RateClass, RateLimit] = field(default_factory=dict)
    _next_slot: float = float("-inf")
    _states: dict[RateClass, _State] = field(default_factory=dict)

    def delay(self, rate_class: RateClass, now: float) -> float:
        """Return the seconds until a request of the class may go out, without taking the slot."""
        state, limit = self._state(rate_class), self.rate_limits.get(rate_class)
        moments = [now, state.stopped_until, state.next_slot]
        if state.refusals and state.sent:
            moments.append(state.sent[-1] + _PROBE_GAP)
        if self.per_minute:
            moments.append(self._next_slot)
        if state.left is not None and state.left <= 0:
            moments.append(state.left_until)
        if limit is not None and len(state.sent) >= limit.requests:
            moments.append(state.sent[-limit.requests] + limit.seconds)
        return max(moments) - now

    def stopped(self, rate_class: RateClass, now: float) -> bool:
        """Whether nothing of the class may go out now, whoever has taken a slot."""
        return self._state(rate_class).stopped_until > now

    def room(self, rate_class: RateClass, now: float) -> int | None:
        """Return how many requests its limit allows at once; None where no limit of the class is documented."""
        limit = self.rate_limits.get(rate_class)
        if limit is None:
            return None
        if self.stopped(rate_class, now):
            return 0
        # Slots taken for later count as well.
        used = sum(1 for moment in tuple(self._state(rate_class).sent) if moment > now - limit.seconds)
        return max(0, limit.requests - used)

    def take(self, rate_class: RateClass, now: float) -> float:
        """Take the next slot of the class and return the seconds to wait for it."""
        state, wait = self._state(rate_class), self.delay(rate_class, now)
        moment = now + wait
        if self.per_minute:
            self._next_slot = max(self._next_slot, now) + 60.0 / self.per_minute
        if self._is_paced(rate_class):
            if state.since is None:
                state.since = moment
            gap = 1.0 / state.pace_at(moment)
            state.next_slot = max(state.next_slot, moment - min(_BEHIND, gap)) + gap
        if state.left is not None:
            # What is left is the vendor's count of one window; in the next one it has to be told anew.
            state.left = max(0, state.left - 1) if now < state.left_until else None
        state.sent.append(moment)
        return wait

    def give_back(self, rate_class: RateClass, moment: float) -> None:
        """Take in that the slot at that *moment* was not used."""
        with contextlib.suppress(ValueError):  # forgotten since
            self._state(rate_class).sent.remove(moment)

    def stop(self, rate_class: RateClass, until: float) -> None:
        """Let nothing of the class out before *until*."""
        state = self._state(rate_class)
        state.stopped_until = max(state.stopped_until, until)

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
        Take in what an answer says: a 429 stops its class, and so does a window that is used up.

        :param sent: when its request went out, if known: what went out later, the vendor may not have counted yet.
        """
        state, wait, left = self._state(rate_class), retry_after(headers, wall), remaining(headers)
        sent = now if sent is None else sent
        if status == 429:
            self._refused(rate_class, wait, now, sent)
            return
        if sent > state.refused_at:
            state.refusals = 0
        if left is not None and wait is not None:
            state.left = max(0, left - sum(1 for moment in tuple(state.sent) if moment > sent))
            state.left_until = now + wait
            if left == 0:
                self.stop(rate_class, now + wait)

    def _refused(self, rate_class: RateClass, wait: float | None, now: float, sent: float) -> None:
        state, limit = self._state(rate_class), self.rate_limits.get(rate_class)
        if sent <= state.refused_at:  # it was under way when the last 429 came
            self.stop(rate_class, now + (wait or 0.0))
            return
        state.refusals += 1
        state.refused_at = now
        if state.refusals == 1:
            counted = [moment for moment in tuple(state.sent) if moment > now - _MINUTE]
            state.minute_ends = min((*counted, now)) + _MINUTE + _MARGIN
        pace = state.pace_at(now)
        if limit is not None and wait is None:
            # A refused request may count against the limit as well: not another one at once.
            first = max(_FIRST_PAUSE, limit.seconds / limit.requests)
        else:
            first = max(_FIRST_PAUSE, _PAUSE_REQUESTS / pace)
        pause = max(first, min(_LONGEST_PAUSE, first * 2 ** (min(state.refusals, 10) - 1)))
        paced = self._is_paced(rate_class) and state.sent_within(_MINUTE, now) >= _TELLING
        ends = state.window_ends(now) if paced and wait is None else None
        if ends is not None:
            pause = max(first, ends - now)
        self.stop(rate_class, now + max(pause, wait or 0.0))
        if not paced:
            return
        if state.refusals == 2 or (wait or 0.0) > 2 * _FIRST_PAUSE:
            state.pace = max(_SLOWEST, _CUT_OF_A_MINUTE * state.sent_within(_MINUTE, now) / _MINUTE)
        elif state.refusals == 1:
            state.pace = max(_SLOWEST, _CUT * min(pace, max(1.0, state.sent_within(1.0, now))))
        # It grows from when it is used.
        state.since = state.stopped_until

    def _is_paced(self, rate_class: RateClass) -> bool:
        # A refused submission may be about the jobs that run, not about how fast they were submitted.
        return rate_class == RateClass.READ and rate_class not in self.rate_limits

    def _state(self, rate_class: RateClass) -> _State:
        state = self._states.get(rate_class)
        return state if state is not None else self._states.setdefault(rate_class, _State())
