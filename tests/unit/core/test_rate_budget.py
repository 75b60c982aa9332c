# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a rate budget learns from answers, against a vendor with a limit, in simulated time."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.rates import RateBudget, RateLimit

WALL = 1_700_000_000.0


class Limited:
    """A vendor that answers so many requests in each window, 150 ms later, and refuses the others."""

    def __init__(self, requests: int, window: float, *, headers: bool = False, told: bool = True) -> None:
        self.limit, self.window, self.headers, self.told = requests, window, headers, told
        self.counted: dict[int, int] = {}
        self.asked = self.refused = 0

    def answer(self, now: float) -> tuple[int, dict[str, str]]:
        window = int(now // self.window)
        self.counted[window] = self.counted.get(window, 0) + 1
        self.asked += 1
        left, reset = self.limit - self.counted[window], (window + 1) * self.window - now
        told = {"x-ratelimit-remaining": str(max(0, left)), "x-ratelimit-reset": f"{reset:.3f}"} if self.headers else {}
        if left >= 0:
            return 200, told
        self.refused += 1
        return 429, {**told, "retry-after": str(int(reset) + 1)} if self.told else {}


def drive(budget: RateBudget, vendor: Limited, *, wanted: int, at_once: int, until: float = 600.0) -> float:
    """Send *wanted* requests that are answered, so many at once; return how long it took."""
    now, done, flying = 0.0, 0, []
    while done < wanted and now < until:
        while len(flying) < at_once and done + len(flying) < wanted and budget.delay(RateClass.READ, now) <= 0:
            budget.take(RateClass.READ, now)
            flying.append((now + 0.15, now, *vendor.answer(now)))
        for one in [one for one in flying if one[0] <= now]:
            flying.remove(one)
            budget.learn(RateClass.READ, one[2], one[3], now, WALL + now, one[1])
            done += one[2] == 200
        now += 0.002
    assert done == wanted
    return now


def test_a_limit_by_the_second_is_met_once() -> None:
    vendor = Limited(100, 1.0)
    took = drive(RateBudget(), vendor, wanted=5000, at_once=32)
    assert vendor.refused <= 0.01 * vendor.asked
    assert took < 5000 / 100 * 1.6


def test_a_limit_by_the_minute_is_met_once() -> None:
    vendor = Limited(100, 60.0)
    drive(RateBudget(), vendor, wanted=400, at_once=2)
    assert vendor.refused <= 4


@pytest.mark.parametrize("ahead", [[], [19.0 + number / 40 for number in range(40)]])
def test_a_limit_by_the_minute_of_a_vendor_that_does_not_say_how_long(ahead: list[float]) -> None:
    """Twenty a second were refused: of a vendor that took forty in an earlier second it is plain what it counts by."""
    budget = RateBudget()
    times = [*ahead, *(20 + number * 0.05 for number in range(100))]
    for one in times:
        budget.take(RateClass.READ, one)
        if one < 25.0:
            budget.learn(RateClass.READ, 200, {}, one, WALL, one)
    budget.learn(RateClass.READ, 429, {}, 25.2, WALL, 25.05)
    if not ahead:
        assert budget.delay(RateClass.READ, 25.2) == pytest.approx(1.0)
        budget.learn(RateClass.READ, 429, {}, 26.4, WALL, 26.25)
    assert budget.delay(RateClass.READ, 26.4) == pytest.approx(times[0] + 60.25 - 26.4)
    budget.take(RateClass.READ, 90.0)
    pace = 0.9 * len(times) / 60.0
    assert budget.delay(RateClass.READ, 90.0) == pytest.approx(1 / pace, rel=0.2)


def test_an_untold_limit_by_the_minute_is_met_once_and_filled() -> None:
    """Fifty ask at once, then seven a second: what the minute leaves is found out once; the next minute is used."""
    vendor, budget, now, flying, done = Limited(100, 60.0, told=False), RateBudget(), 0.0, [], 0
    while now < 118:
        slow = now > 0.3 and vendor.asked > 50 + 7 * now
        while not slow and len(flying) < 16 and budget.delay(RateClass.READ, now) <= 0:
            budget.take(RateClass.READ, now)
            flying.append((now + 0.15, now, *vendor.answer(now)))
            slow = now > 0.3 or vendor.asked >= 50
        for one in [one for one in flying if one[0] <= now]:
            flying.remove(one)
            budget.learn(RateClass.READ, one[2], one[3], now, WALL + now, one[1])
            done += one[2] == 200
        now += 0.01
    assert done >= 100 + 80
    assert vendor.refused <= 2


def test_headers_keep_it_from_being_met_at_all() -> None:
    vendor = Limited(100, 60.0, headers=True)
    drive(RateBudget(), vendor, wanted=400, at_once=16)
    assert vendor.refused == 0


def test_a_ration_keeps_it_from_being_met_at_all() -> None:
    vendor = Limited(100, 60.0)
    drive(RateBudget(rate_limits={RateClass.READ: RateLimit(100, 60.0)}), vendor, wanted=300, at_once=16)
    assert vendor.refused == 0


def test_a_learned_pace_grows_again_and_is_forgotten() -> None:
    budget = RateBudget()
    for number in range(100):
        budget.take(RateClass.READ, number / 100)
    budget.learn(RateClass.READ, 429, {"retry-after": "1"}, 1.2, WALL, 1.0)
    gaps = []
    for now in (3.0, 600.0, 3000.0):
        budget.take(RateClass.READ, now)
        gaps.append(budget.delay(RateClass.READ, now))
    assert 0.01 < gaps[0] < 0.02 and 0 < gaps[1] < gaps[0] and gaps[2] == 0.0


def test_many_refusals_of_what_was_under_way_count_as_one() -> None:
    one, many = RateBudget(), RateBudget()
    for budget, refusals in ((one, 1), (many, 30)):
        for number in range(100):
            budget.take(RateClass.READ, number / 100)
        for _ in range(refusals):
            budget.learn(RateClass.READ, 429, {}, 1.2, WALL, 1.0)
        assert budget.delay(RateClass.READ, 1.2) == pytest.approx(1.0)
        budget.take(RateClass.READ, 5.0)
    assert one.delay(RateClass.READ, 5.0) == many.delay(RateClass.READ, 5.0)


def test_untold_refusals_in_a_row_stop_ever_longer() -> None:
    budget, now, stops = RateBudget(), 0.0, []
    for _ in range(8):
        budget.learn(RateClass.READ, 429, {}, now, WALL, now)
        stops.append(budget.delay(RateClass.READ, now))
        now += stops[-1] + 0.1
    assert stops == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])


@pytest.mark.parametrize("rate_class", [RateClass.SUBMIT, RateClass.STREAM])
def test_only_reads_learn_a_pace(rate_class: RateClass) -> None:
    budget = RateBudget()
    for number in range(100):
        budget.take(rate_class, number / 100)
    budget.learn(rate_class, 429, {"retry-after": "1"}, 1.0, WALL, 1.0)
    budget.take(rate_class, 3.0)
    assert budget.delay(rate_class, 3.0) == 0.0


def test_few_requests_cannot_have_been_too_many() -> None:
    budget = RateBudget()
    budget.take(RateClass.READ, 0.0)
    budget.learn(RateClass.READ, 429, {"retry-after": "30"}, 0.5, WALL, 0.0)
    assert budget.delay(RateClass.READ, 0.5) == 30.0
    budget.take(RateClass.READ, 31.0)
    assert budget.delay(RateClass.READ, 31.0) == 0.0


def test_what_is_left_waits_for_the_window_and_lets_all_wait_for_it() -> None:
    budget = RateBudget()
    budget.learn(RateClass.READ, 200, {"x-ratelimit-remaining": "2", "x-ratelimit-reset": "10"}, 0.0, WALL, 0.0)
    assert [budget.take(RateClass.READ, 1.0) for _ in range(4)] == [0.0, 0.0, 9.0, 9.0]
    assert budget.delay(RateClass.READ, 10.5) == 0.0


def test_a_ration_says_how_much_room_there_is() -> None:
    budget = RateBudget(rate_limits={RateClass.STREAM: RateLimit(3, 60.0)})
    assert budget.room(RateClass.READ, 0.0) is None
    assert budget.room(RateClass.STREAM, 0.0) == 3
    budget.take(RateClass.STREAM, 0.0)
    assert budget.room(RateClass.STREAM, 1.0) == 2
    assert budget.room(RateClass.STREAM, 61.0) == 3
    budget.stop(RateClass.STREAM, 100.0)
    assert budget.room(RateClass.STREAM, 61.0) == 0
