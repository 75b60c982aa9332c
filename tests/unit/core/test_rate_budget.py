# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a rate budget learns from answers, against vendors with and without limits, in simulated time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.rates import RateBudget, RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

WALL = 1_700_000_000.0
TRAVEL = 0.09
STEP = 0.002


class Windows:
    """Counts by windows, the first of which begins with the first request."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.requests, self.seconds, self.ends, self.used = requests, seconds, 0.0, 0

    def __call__(self, now: float) -> bool:
        if now >= self.ends:
            self.ends, self.used = now + self.seconds, 0
        self.used += 1
        return self.used <= self.requests


class Sliding:
    """Counts what it accepted in the last seconds."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.seconds, self.latest = seconds, deque[float](maxlen=requests)

    def __call__(self, now: float) -> bool:
        full = len(self.latest) == self.latest.maxlen and self.latest[0] > now - self.seconds
        if not full:
            self.latest.append(now)
        return not full


class Bucket:
    """Holds so many tokens, and gets them back evenly."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.most, self.each, self.tokens, self.at = float(requests), requests / seconds, float(requests), 0.0

    def __call__(self, now: float) -> bool:
        self.tokens, self.at = min(self.most, self.tokens + (now - self.at) * self.each), now
        fits = self.tokens >= 1
        self.tokens -= fits
        return fits


class Telling(Windows):
    """Counts by windows, and says in each answer what is left and when the window ends."""

    def headers(self, now: float) -> dict[str, str]:
        return {
            "x-ratelimit-remaining": str(max(0, self.requests - self.used)),
            "x-ratelimit-reset": f"{self.ends - now:.3f}",
        }


def boundless(_now: float) -> bool:
    return True


def send(
    accepts: Callable[[float], bool],
    *,
    wanted: Callable[[float], float],
    seconds: float,
    budget: RateBudget | None = None,
    at_once: int = 64,
    told: str | None = None,
) -> tuple[list[float], list[float]]:
    """
    Send what is *wanted* by then, as the budget allows; return when requests went out and when some were refused.

    :param wanted: how many are to have been accepted by so many seconds.
    :param told: the ``Retry-After`` of each refusal.
    """
    budget, start = budget or RateBudget(), 100.0
    now, flying, out, refused = start, deque[tuple[float, float, bool, dict[str, str]]](), list[float](), list[float]()
    while now < start + seconds:
        while flying and flying[0][0] <= now:
            _, sent, fine, headers = flying.popleft()
            budget.learn(RateClass.READ, 200 if fine else 429, headers, now, WALL + now, sent)
            if not fine:
                refused.append(sent - start)
        late = len(out) - len(refused) < wanted(now - start)
        if late and len(flying) < at_once and budget.delay(RateClass.READ, now) <= 0:
            sent = now + budget.take(RateClass.READ, now)
            fine = accepts(now + TRAVEL)
            headers = accepts.headers(now) if isinstance(accepts, Telling) else {}
            if not fine and told is not None:
                headers["retry-after"] = told
            flying.append((now + 2 * TRAVEL, sent, fine, headers))
            out.append(now - start)
            continue
        now += STEP
    return out, refused


def all_at_once(_seconds: float) -> float:
    return float("inf")


def twenty_a_second(seconds: float) -> float:
    """A hundred jobs, each asked for every five seconds."""
    return 20 * seconds


@pytest.mark.parametrize("told", [None, "0", "1", "-5", "4000000000", "nan"])
@pytest.mark.parametrize("kind", [Windows, Sliding, Bucket])
def test_of_a_hundred_a_second_under_one_in_twenty_is_refused(kind: type[Windows], told: str | None) -> None:
    out, refused = send(kind(100, 1.0), wanted=all_at_once, seconds=15, told=told)
    assert len(refused) < 0.05 * len(out)
    assert len(out) > 700


@pytest.mark.parametrize("told", [None, "0", "30"])
@pytest.mark.parametrize("kind", [Windows, Sliding, Bucket])
def test_of_sixty_a_minute_under_one_in_twenty_is_refused(kind: type[Windows], told: str | None) -> None:
    out, refused = send(kind(60, 60.0), wanted=twenty_a_second, seconds=300, told=told)
    assert len(refused) < 0.05 * len(out)
    assert len(out) > 180


@pytest.mark.parametrize("requests", [100, 300, 600])
def test_more_a_minute_is_used_well(requests: int) -> None:
    out, refused = send(Windows(requests, 60.0), wanted=twenty_a_second, seconds=300)
    assert len(refused) < 0.05 * len(out)
    assert len(out) > 0.7 * 5 * requests


def test_without_a_limit_a_thousand_requests_take_five_seconds() -> None:
    out, _ = send(boundless, wanted=all_at_once, seconds=6)
    assert sum(1 for one in out if one < 5) > 750
    assert sum(1 for one in out if 5 <= one < 6) > 300


def test_few_requests_are_not_held_up() -> None:
    out, _ = send(boundless, wanted=lambda now: 20 * now, seconds=30)
    assert len(out) >= 595


def test_headers_keep_a_limit_from_being_met_at_all() -> None:
    out, refused = send(Telling(100, 60.0), wanted=twenty_a_second, seconds=150, at_once=8)
    assert len(out) >= 280 and not refused


def test_a_documented_limit_is_not_met_at_all() -> None:
    budget = RateBudget(rate_limits={RateClass.READ: RateLimit(100, 60.0)})
    out, refused = send(Sliding(100, 60.0), wanted=all_at_once, seconds=150, budget=budget)
    assert len(out) == 300 and not refused


def test_a_pace_grows_again_and_is_forgotten() -> None:
    budget = RateBudget()
    for number in range(100):
        budget.take(RateClass.READ, 5 + number / 100 if number else 0.0)
    budget.learn(RateClass.READ, 429, {}, 6.2, WALL, 6.0)
    gaps = []
    for now in (10.0, 300.0, 1000.0):
        budget.learn(RateClass.READ, 200, {}, now, WALL, now)
        gaps.append(max(budget.take(RateClass.READ, now) for _ in range(11)) / 10)
    assert gaps[0] == pytest.approx(1 / 40, rel=0.3) and gaps[1] == pytest.approx(gaps[0] / 2.5, rel=0.3)
    assert gaps[2] < 0.04


def test_many_refusals_of_what_was_under_way_count_as_one() -> None:
    one, many = RateBudget(), RateBudget()
    for budget, refusals in ((one, 1), (many, 30)):
        for number in range(100):
            budget.take(RateClass.READ, 5 + number / 100 if number else 0.0)
        for _ in range(refusals):
            budget.learn(RateClass.READ, 429, {}, 6.2, WALL, 6.0)
        assert budget.delay(RateClass.READ, 6.2) == pytest.approx(1.0, abs=0.1)
        budget.take(RateClass.READ, 10.0)
    assert one.delay(RateClass.READ, 10.0) == many.delay(RateClass.READ, 10.0)


SAYINGS = {
    "nothing": {},
    "0": {"retry-after": "0"},
    "negative": {"retry-after": "-5"},
    "NaN": {"retry-after": "nan"},
    "a moment ago": {"retry-after": str(int(WALL) - 1)},
    "a date just past": {"retry-after": "Tue, 14 Nov 2023 22:13:19 GMT"},
    "years": {"retry-after": "999999999"},
    "an epoch years away": {"retry-after": "4000000000"},
    "such an epoch in ms": {"x-ratelimit-reset": "4000000000000"},
}


@pytest.mark.parametrize("rate_class", [RateClass.READ, RateClass.SUBMIT, RateClass.STREAM])
@pytest.mark.parametrize("said", SAYINGS)
def test_refusals_in_a_row_pause_ever_longer_whatever_the_vendor_says(said: str, rate_class: RateClass) -> None:
    budget, now, pauses = RateBudget(), 0.0, []
    for _ in range(8):
        budget.learn(rate_class, 429, SAYINGS[said], now, WALL, now)
        pauses.append(budget.delay(rate_class, now))
        now += pauses[-1] + 0.1
    assert pauses == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
    budget.learn(rate_class, 200, {}, now, WALL, now)
    budget.learn(rate_class, 429, SAYINGS[said], now, WALL, now + 1)
    assert budget.delay(rate_class, now) == pytest.approx(1.0)


def test_limits_that_nobody_tells_are_tried_by_the_second_by_ten_seconds_and_by_the_minute() -> None:
    budget, now, pauses = RateBudget(), 100.0, []
    first = now + budget.take(RateClass.READ, now)
    for _ in range(19):
        budget.take(RateClass.READ, now)
    now += 2
    for _ in range(4):
        budget.learn(RateClass.READ, 429, {}, now, WALL, now)
        pauses.append(budget.delay(RateClass.READ, now))
        now += pauses[-1] + 0.1
    assert pauses[:2] == pytest.approx([1.0, 10.0])
    # One second more, for the vendor counts by its own clock; then nothing better is known than to wait.
    assert pauses[2] == pytest.approx(first + 61.0 - (102.0 + 1.1 + 10.1))
    assert pauses[3] == pytest.approx(60.0)


@pytest.mark.parametrize("kind", [Windows, Sliding])
def test_a_minutes_requests_are_sent_again_as_soon_as_the_minute_is_over(kind: type[Windows]) -> None:
    out, refused = send(kind(100, 60.0), wanted=twenty_a_second, seconds=66)
    assert len(refused) <= 6
    assert sum(1 for one in out if 60.0 < one < 66.0) >= 3


def test_a_longer_pause_that_the_vendor_asks_for_is_obeyed() -> None:
    budget = RateBudget()
    budget.learn(RateClass.SUBMIT, 429, {"retry-after": str(int(WALL) + 600)}, 5.0, WALL, 5.0)
    assert budget.delay(RateClass.SUBMIT, 5.0) == 600.0


def test_after_a_refusal_requests_go_one_by_one_until_one_is_accepted() -> None:
    budget = RateBudget()
    budget.learn(RateClass.SUBMIT, 429, {}, 0.0, WALL, 0.0)
    assert [budget.take(RateClass.SUBMIT, 2.0) for _ in range(3)] == pytest.approx([0.0, 1.0, 2.0], abs=0.2)
    budget.learn(RateClass.SUBMIT, 200, {}, 6.0, WALL, 5.0)
    assert [budget.take(RateClass.SUBMIT, 9.0) for _ in range(3)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("rate_class", [RateClass.SUBMIT, RateClass.STREAM])
def test_only_reads_learn_a_pace(rate_class: RateClass) -> None:
    budget = RateBudget()
    for number in range(100):
        budget.take(rate_class, number / 100)
    budget.learn(rate_class, 429, {"retry-after": "1"}, 1.0, WALL, 1.0)
    budget.learn(rate_class, 200, {}, 3.0, WALL, 2.5)
    budget.take(rate_class, 3.0)
    assert budget.delay(rate_class, 3.0) == 0.0


def test_few_requests_cannot_have_been_too_many() -> None:
    budget = RateBudget()
    budget.take(RateClass.READ, 0.0)
    budget.learn(RateClass.READ, 429, {"retry-after": "30"}, 0.5, WALL, 0.0)
    assert budget.delay(RateClass.READ, 0.5) == 30.0
    budget.learn(RateClass.READ, 200, {}, 31.0, WALL, 30.6)
    budget.take(RateClass.READ, 31.0)
    assert budget.delay(RateClass.READ, 31.0) <= 0.02


def test_what_is_left_waits_for_the_window_and_lets_all_wait_for_it() -> None:
    budget = RateBudget()
    told = {"x-ratelimit-remaining": "2", "x-ratelimit-reset": "10"}
    budget.learn(RateClass.SUBMIT, 200, told, 0.0, WALL, 0.0)
    assert [budget.take(RateClass.SUBMIT, 1.0) for _ in range(4)] == [0.0, 0.0, 9.0, 9.0]
    assert budget.delay(RateClass.SUBMIT, 10.5) == 0.0


@pytest.mark.parametrize("reset", ["4000000000", "4000000000000", "-1", "nan", "1e300"])
def test_a_window_whose_end_makes_no_sense_stops_nobody(reset: str) -> None:
    budget = RateBudget()
    told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    budget.learn(RateClass.READ, 200, told, 0.0, WALL, 0.0)
    assert budget.delay(RateClass.READ, 0.0) == 0.0


def test_a_limit_says_how_much_room_there_is() -> None:
    budget = RateBudget(rate_limits={RateClass.STREAM: RateLimit(3, 60.0)})
    assert budget.room(RateClass.READ, 0.0) is None
    assert budget.room(RateClass.STREAM, 0.0) == 3
    budget.take(RateClass.STREAM, 0.0)
    assert budget.room(RateClass.STREAM, 1.0) == 2
    assert budget.room(RateClass.STREAM, 61.0) == 3
    budget.stop(RateClass.STREAM, 100.0)
    assert budget.room(RateClass.STREAM, 61.0) == 0


def test_a_slot_that_is_given_back_can_be_taken_again() -> None:
    budget = RateBudget(rate_limits={RateClass.SUBMIT: RateLimit(1, 3600.0)})
    budget.take(RateClass.SUBMIT, 0.0)
    assert budget.delay(RateClass.SUBMIT, 1.0) == 3599.0
    budget.give_back(RateClass.SUBMIT, 0.0)
    assert budget.delay(RateClass.SUBMIT, 1.0) == 0.0
