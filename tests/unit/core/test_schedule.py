# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How often a job is polled and how late its end is noticed, in simulated time; how durations are learned."""

from __future__ import annotations

import heapq
import itertools
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.decisions.circuit_breaker import LONGEST, CircuitBreaker
from airflow_provider_adgen.core.decisions.durations import ENOUGH, KEPT, KINDS, Durations, Usual
from airflow_provider_adgen.core.decisions.polling import JITTER, SPARSE, Schedule

MOST = 1 + JITTER


def polls(plan: Schedule, took: float, *, usual: Usual | None = None, seed: int = 1) -> list[float]:
    """The ages at which a job is polled, the last one after it ended."""
    rng, age, ages = random.Random(seed), 0.0, []
    while not ages or ages[-1] < took:
        age += plan.after(age, rng=rng, usual=usual)
        ages.append(age)
    return ages


def test_a_two_minute_job_is_not_asked_for_24_times() -> None:
    assert len(polls(Schedule(5.0), 120.0)) >= 24
    # Ten polls two intervals apart to 93 s, and then one in each interval.
    assert len(polls(Schedule(5.0, first=5.0, typical=120.0), 120.0)) <= 17
    assert len(polls(Schedule(5.0), 120.0, usual=Usual(110.0, 130.0))) <= 15
    assert len(polls(Schedule(15.0, typical=120.0), 120.0)) <= 6


@given(st.floats(1, 60), st.floats(0, 600), st.floats(1, 3000), st.integers(0, 1000))
def test_no_end_is_noticed_later_than_the_stated_bound(interval: float, typical: float, took: float, seed: int) -> None:
    plan = Schedule(interval, typical=typical)
    late = polls(plan, took, seed=seed)[-1] - took
    assert 0 <= late <= SPARSE * interval * MOST + 1e-6
    if not typical or 0.8 * typical * MOST <= took <= 2 * typical:
        assert late <= interval + 1e-6


@given(st.floats(1, 60), st.floats(0, 300), st.floats(0, 300), st.floats(0, 1), st.integers(0, 1000))
def test_an_end_at_a_usual_time_is_noticed_within_an_interval(
    interval: float, begins: float, more: float, part: float, seed: int
) -> None:
    usual = Usual(begins * MOST, begins * MOST + more)
    took = max(1.0, usual.begins * MOST + part * max(0.0, usual.ends - usual.begins * MOST))
    if took <= usual.ends:
        late = polls(Schedule(interval), took, usual=usual, seed=seed)[-1] - took
        assert late <= interval + 1e-6


def test_an_overdue_job_is_asked_for_ever_less_often_and_within_a_tenth_of_its_age() -> None:
    ages = polls(Schedule(15.0, typical=60.0), 3000.0)
    gaps = [after - before for before, after in itertools.pairwise(ages) if before > 150]
    bounds = [min(SPARSE * 15.0, 0.1 * age) * MOST for age in ages[-len(gaps) :]]
    assert all(gap <= bound for gap, bound in zip(gaps, bounds, strict=True))
    assert statistics.mean(gaps) > 26


def test_a_thousand_jobs_ending_at_15_to_35_s_take_about_3900_polls() -> None:
    plan, asked, late = Schedule(5.0, typical=25.0), 0, []
    for number in range(1000):
        took = 15 + 20 * (number * 0.618 % 1)
        ages = polls(plan, took, seed=number)
        asked += len(ages)
        late.append(ages[-1] - took)
    assert 3700 <= asked <= 4000
    assert statistics.quantiles(late, n=20)[-1] <= 5.0


# --- many jobs whose durations are learned meanwhile --------------------------------------------------------------

INTERVAL = 5.0


def lateness(low: float, high: float, *, typical: float, oldest: float) -> list[float]:
    """
    How late the ends of a thousand jobs are noticed, in intervals.

    The jobs take *low* to *high* seconds; waiting for them begins at ages up to *oldest*, as after a restart.
    """
    rng, seen, plan = random.Random(1), Durations(), Schedule(INTERVAL, first=INTERVAL, typical=typical)
    queue, running_at, late = [], dict[int, float | None](), []
    for job in range(1000):
        took = rng.uniform(low, high)
        age = min(rng.uniform(0, oldest), rng.uniform(0, took))
        handed_over = age >= INTERVAL
        pause = INTERVAL * rng.random() if handed_over else plan.after(age, rng=rng)
        running_at[job] = None if handed_over else 0.0
        heapq.heappush(queue, (pause, job, age, took))
    while queue:
        now, job, begun_at, took = heapq.heappop(queue)
        age, last = begun_at + now, running_at[job]
        if age < took:
            running_at[job] = age
            pause = plan.after(age, rng=rng, usual=seen.usual("video"))
            heapq.heappush(queue, (now + pause, job, begun_at, took))
            continue
        late.append((age - took) / INTERVAL)
        if last is not None:
            seen.learn("video", last, age)
    return late


@pytest.mark.parametrize("oldest", [0.0, 35.0, 140.0], ids="up to {} s old".format)
@pytest.mark.parametrize(
    ("low", "high", "typical"),
    [(15, 35, 25), (15, 35, 0), (100, 140, 0), (100, 140, 120), (60, 180, 120), (60, 180, 0)],
)
def test_ends_at_a_usual_time_are_noticed_within_an_interval_whatever_the_waiters_ages(
    low: float, high: float, typical: float, oldest: float
) -> None:
    """The first twenty to end are the fastest: they must not make all others count as overdue."""
    late = lateness(low, high, typical=typical, oldest=oldest)
    assert statistics.quantiles(late, n=20)[-1] <= 1.1


@pytest.mark.parametrize("oldest", [0.0, 35.0])
def test_ends_long_before_the_documented_time_are_noticed_within_two_intervals(oldest: float) -> None:
    late = lateness(15, 35, typical=120, oldest=oldest)
    assert statistics.quantiles(late, n=20)[-1] <= 2 and max(late) <= SPARSE * MOST


# --- what was seen ------------------------------------------------------------------------------------------------


def test_what_was_seen_counts_from_the_twentieth_job_on() -> None:
    seen = Durations()
    for _ in range(ENOUGH - 1):
        seen.learn("video", 100.0, 110.0)
    assert seen.usual("video") is None
    seen.learn("video", 100.0, 110.0)
    usual = seen.usual("video")
    assert usual is not None and 90 < usual.begins < 105 <= usual.ends
    assert seen.usual("image") is None


def test_polling_late_does_not_teach_to_poll_later_still() -> None:
    """Jobs take 3 s, and what is documented says 60: after some of them the polls come early."""
    seen, late = Durations(), []
    for number in range(300):
        ages = [0.0, *polls(Schedule(5.0, typical=60.0), 3.0, usual=seen.usual("image"), seed=number)]
        seen.learn("image", ages[-2], ages[-1])
        late.append(ages[-1] - 3.0)
    assert statistics.mean(late[:20]) > 6
    assert max(late[-50:]) < 5


def test_it_follows_a_vendor_that_becomes_slower_or_faster() -> None:
    seen = Durations()
    for took in [20.0] * KEPT + [200.0] * KEPT:
        seen.learn("video", took, took)
    assert seen.usual("video") == Usual(180.0, 400.0)


def test_memory_is_bounded_and_nonsense_left_out() -> None:
    seen = Durations()
    for number in range(10 * KINDS):
        seen.learn(f"kind {number}", 1.0, 2.0)
    for _ in range(10 * KEPT):
        seen.learn("kind 0", 1.0, 2.0)
    assert len(seen._seen) == KINDS and max(len(one) for one in seen._seen.values()) == KEPT
    seen.learn("kind 0", 5.0, 2.0)
    seen.learn("kind 0", -5.0, float("nan"))
    assert seen.usual("kind 0") == Usual(1.35, 3.0)


# --- a vendor that is down ----------------------------------------------------------------------------------------


def test_pauses_grow_while_a_vendor_is_down_and_end_with_the_first_answer() -> None:
    circuit_breaker, rng, now, pauses = CircuitBreaker(), random.Random(1), 0.0, []
    for _ in range(12):
        circuit_breaker.record_failure(now, now, rng)
        pauses.append(max(0.0, circuit_breaker.open_until - now))
        now = max(now + 0.1, circuit_breaker.open_until)
    assert pauses[:2] == [0.0, 0.0]
    assert 1 < pauses[2] < 3 and pauses[2] < pauses[4] < pauses[6]
    assert all(0.75 * LONGEST <= pause <= 1.25 * LONGEST for pause in pauses[8:])
    assert circuit_breaker.record_success() and not circuit_breaker.record_success()
    assert circuit_breaker.open_until == 0.0


def test_what_was_under_way_when_a_vendor_went_down_counts_once() -> None:
    circuit_breaker, rng = CircuitBreaker(), random.Random(1)
    for _ in range(100):
        circuit_breaker.record_failure(0.0, 1.0, rng)
    assert circuit_breaker.trips == 1


@pytest.mark.parametrize("failures", [1, 2])
def test_one_job_that_fails_does_not_close_the_vendor(failures: int) -> None:
    circuit_breaker, rng = CircuitBreaker(), random.Random(1)
    for _ in range(50):
        for _ in range(failures):
            circuit_breaker.record_failure(1.0, 1.0, rng)
        circuit_breaker.record_success()
    assert circuit_breaker.trips == 0
