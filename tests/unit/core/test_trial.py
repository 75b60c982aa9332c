# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How requests begin whose rate limit nobody tells, against vendors with and without one, in simulated time."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.rates import RateBudget, RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

WALL = 1_700_000_000.0
TRAVEL = 0.09


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


def boundless(_now: float) -> bool:
    return True


def send(
    accepts: Callable[[float], bool],
    *,
    wanted: Callable[[float], float],
    seconds: float,
    budget: RateBudget | None = None,
    at_once: int = 64,
) -> tuple[list[float], list[float]]:
    """
    Send what is *wanted* by then, as the budget allows; return when requests went out and when some were refused.

    :param wanted: how many are to have gone out by so many seconds.
    """
    budget, start = budget or RateBudget(), 100.0
    now, flying, out, refused = start, deque[tuple[float, float, bool]](), list[float](), list[float]()
    while now < start + seconds:
        while flying and flying[0][0] <= now:
            _, sent, fine = flying.popleft()
            budget.learn(RateClass.READ, 200 if fine else 429, {}, now, WALL + now, sent)
        late = len(out) < wanted(now - start)
        if late and len(flying) < at_once and budget.delay(RateClass.READ, now) <= 0:
            sent = now + budget.take(RateClass.READ, now)
            fine = accepts(now + TRAVEL)
            flying.append((now + 2 * TRAVEL, sent, fine))
            out.append(now - start)
            if not fine:
                refused.append(now - start)
        now += 0.001
    return out, refused


def all_at_once(_seconds: float) -> float:
    return float("inf")


def in_a_second(out: list[float], begin: float) -> int:
    return sum(1 for one in out if begin <= one < begin + 1)


@pytest.mark.parametrize("accepts", [Windows(100, 1.0), Sliding(100, 1.0)], ids=["windows", "sliding"])
def test_of_a_hundred_a_second_hardly_one_in_a_hundred_is_refused(accepts: Callable[[float], bool]) -> None:
    out, refused = send(accepts, wanted=all_at_once, seconds=12)
    assert len(out) > 950
    assert len(refused) <= 0.01 * len(out)


@pytest.mark.parametrize("accepts", [Windows(100, 60.0), Sliding(100, 60.0)], ids=["windows", "sliding"])
def test_of_a_hundred_a_minute_one_is_refused(accepts: Callable[[float], bool]) -> None:
    """Thirty a second, then a pause, then twenty a second: as a hundred jobs ask."""
    out, refused = send(accepts, wanted=lambda now: min(100, 30 * now) + max(0, 20 * (now - 6)), seconds=65)
    assert len(refused) == 1
    assert in_a_second(out, 62) > 0


def test_a_bucket_refuses_no_more_than_what_was_under_way() -> None:
    out, refused = send(Bucket(100, 1.0), wanted=all_at_once, seconds=20)
    assert len(refused) <= 64 + 20
    assert len(out) > 1200


def test_without_a_limit_it_is_over_in_a_second_and_a_half() -> None:
    out, _ = send(boundless, wanted=all_at_once, seconds=4)
    assert 95 <= in_a_second(out, 0) <= 110
    assert in_a_second(out, 1.5) > 300


def test_few_requests_pass_the_usual_limits_one_by_one_and_are_not_held_up() -> None:
    out, _ = send(boundless, wanted=lambda now: 10 * now, seconds=130)
    assert len(out) >= 1290
    gaps = [after - before for before, after in itertools.pairwise(out)]
    # Nothing goes out while the answer to the one above a usual limit is awaited.
    assert gaps[out.index(out[30])] >= 2 * TRAVEL
    assert max(gaps) < 2 * TRAVEL + 0.15


def test_one_that_is_not_answered_holds_the_others_back_for_a_second() -> None:
    budget = RateBudget()
    for number in range(31):
        budget.take(RateClass.READ, number / 10)
    assert budget.delay(RateClass.READ, 3.0) == pytest.approx(1.0)
    assert budget.delay(RateClass.READ, 3.9) == pytest.approx(0.1)
    assert budget.delay(RateClass.READ, 4.0) == 0.0


@pytest.mark.parametrize("latency", [1.3, 5.0])
def test_a_vendor_that_answers_slowly_is_asked_as_often_as_wanted(latency: float) -> None:
    """Each usual limit costs a second at most, not one for each request."""
    budget, now, flying, waits = RateBudget(), 100.0, deque[tuple[float, float]](), []
    for number in range(600):
        wanted = 100.0 + number / 4
        now = max(now, wanted)
        now += budget.delay(RateClass.READ, now)
        while flying and flying[0][0] <= now:
            budget.learn(RateClass.READ, 200, {}, now, WALL, flying.popleft()[1])
        flying.append((now + latency, now + budget.take(RateClass.READ, now)))
        waits.append(now - wanted)
    assert max(waits) <= 1.0
    assert sum(waits) <= 8 * 5


def test_a_limit_that_is_told_later_ends_the_trial() -> None:
    budget = RateBudget()
    for number in range(31):
        budget.take(RateClass.READ, number / 10)
    assert budget.awaiting(RateClass.READ, 3.1)
    budget.per_minute = 60_000.0
    assert not budget.awaiting(RateClass.READ, 3.1)
    assert budget.delay(RateClass.READ, 3.1) < 0.01


def test_an_answer_to_one_before_says_nothing_of_the_one_that_goes_alone() -> None:
    budget = RateBudget()
    for number in range(31):
        budget.take(RateClass.READ, number / 10)
    budget.learn(RateClass.READ, 200, {}, 3.1, WALL, 2.9)
    assert budget.delay(RateClass.READ, 3.2) > 0.5
    budget.learn(RateClass.READ, 200, {}, 3.2, WALL, 3.0)
    assert budget.delay(RateClass.READ, 3.2) == 0.0


def test_a_burst_that_is_refused_says_nothing_of_minutes() -> None:
    budget = RateBudget()
    for number in range(31):
        budget.take(RateClass.READ, number / 60)
    budget.learn(RateClass.READ, 429, {}, 0.7, WALL, 0.5)
    assert budget.delay(RateClass.READ, 0.7) == pytest.approx(1.0)


def test_the_one_that_goes_alone_is_refused_for_the_rest_of_its_minute() -> None:
    budget = RateBudget()
    for number in range(61):
        budget.take(RateClass.READ, number / 20)
    budget.learn(RateClass.READ, 429, {}, 3.2, WALL, 3.0)
    assert 56.8 <= budget.delay(RateClass.READ, 3.2) <= 57.8


def test_what_the_vendor_asks_for_counts_before_what_the_trial_makes_of_it() -> None:
    budget = RateBudget()
    for number in range(31):
        budget.take(RateClass.READ, number / 10)
    budget.learn(RateClass.READ, 429, {"retry-after": "2"}, 3.2, WALL, 3.0)
    assert budget.delay(RateClass.READ, 3.2) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "budget",
    [RateBudget(per_minute=60_000.0), RateBudget(rate_limits={RateClass.READ: RateLimit(1000, 1.0)})],
    ids=["the connection", "a ration"],
)
def test_where_the_limit_is_told_nothing_is_tried(budget: RateBudget) -> None:
    out, _ = send(boundless, wanted=all_at_once, seconds=1, budget=budget)
    assert len(out) > 300


def test_a_vendor_that_says_what_is_left_is_believed() -> None:
    budget = RateBudget()
    budget.learn(RateClass.READ, 200, {"x-ratelimit-remaining": "5000", "x-ratelimit-reset": "60"}, 99.0, WALL, 98.0)
    out, _ = send(boundless, wanted=all_at_once, seconds=1, budget=budget)
    assert len(out) > 300


def test_other_lanes_are_not_tried() -> None:
    budget = RateBudget()
    assert [budget.take(RateClass.SUBMIT, 1.0) for _ in range(200)] == [0.0] * 200


def test_a_slot_that_was_not_used_is_given_back() -> None:
    budget = RateBudget(rate_limits={RateClass.STREAM: RateLimit(2, 60.0)})
    budget.take(RateClass.STREAM, 1.0)
    budget.take(RateClass.STREAM, 2.0)
    budget.give_back(RateClass.STREAM, 2.0)
    budget.give_back(RateClass.STREAM, 7.0)  # never taken
    assert budget.room(RateClass.STREAM, 3.0) == 1
