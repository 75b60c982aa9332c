# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a posting's outcome proves, what a failed look means, when to ask next, what a rate answer allows."""

from __future__ import annotations

import email.utils
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.polling import JITTER, Listing, Schedule, schedule
from airflow_provider_adgen.core.decisions.posting import Verdict, classify_submit_error
from airflow_provider_adgen.core.decisions.rate_headers import remaining, retry_after
from airflow_provider_adgen.core.decisions.rates import RateBudget, RateLimit
from airflow_provider_adgen.core.errors import (
    AdGenError,
    DownloadError,
    InvalidRequest,
    RateLimited,
    UnexpectedResponse,
    WireError,
    error_class,
)
from airflow_provider_adgen.core.vendor import Promises, Tracking

# --- postings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422, 429])
def test_a_promised_refusal_proves_that_nothing_was_started(status: int) -> None:
    error = error_class(status)("no", status=status)
    promises = Promises(nothing_started=frozenset({status}))
    assert classify_submit_error(error, promises) == Verdict(True, True, False, status)
    # Nothing is promised unless the vendor says so.
    assert classify_submit_error(error, Promises()) == Verdict(False, False, False, status)


@pytest.mark.parametrize("status", [301, 302, 304, 405, 408, 418, 425, 500, 501, 502, 503, 504, 520])
def test_any_other_status_proves_nothing(status: int) -> None:
    verdict = classify_submit_error(error_class(status)("no", status=status), Promises())
    assert verdict == Verdict(nothing_started=False, answered=False, unknown=False, status=status)


def test_a_vendor_may_promise_less_than_most() -> None:
    cautious = Promises(nothing_started=frozenset({402}))
    assert not classify_submit_error(RateLimited("slow down", status=429), cautious).nothing_started


def test_only_what_was_never_sent_is_certain_without_an_answer() -> None:
    assert classify_submit_error(WireError("refused", sent=False), Promises()) == Verdict(True, False, False, 0)
    assert classify_submit_error(WireError("broke"), Promises()) == Verdict(False, False, False, 0)


def test_an_acceptance_without_an_id_cannot_be_settled_by_repeating() -> None:
    assert classify_submit_error(UnexpectedResponse("no id"), Promises()) == Verdict(False, True, True, 200)


def test_what_we_refuse_ourselves_was_never_sent() -> None:
    assert classify_submit_error(InvalidRequest("wrong"), Promises()).nothing_started


@pytest.mark.parametrize("error", [AdGenError("?"), DownloadError("?")])
def test_an_error_of_another_kind_proves_nothing(error: AdGenError) -> None:
    assert not classify_submit_error(error, Promises()).nothing_started


# --- looks --------------------------------------------------------------------------------------------------------


@given(st.floats(0.01, 3600), st.floats(0, 3600), st.floats(0, 1e6), st.integers())
def test_the_next_look_is_never_early_nor_far_off(interval: float, first: float, age: float, seed: int) -> None:
    plan = schedule(Tracking(first_look={"video": first}), "video", interval)
    wait = plan.after(age, rng=random.Random(seed))
    assert plan.first <= interval
    if age < plan.first - min(interval / 2, 2 * JITTER * plan.first):
        assert (plan.first - age) * (1 - JITTER) - 1e-6 <= wait <= (plan.first - age) * (1 + JITTER) + 1e-6
    else:
        assert interval * (1 - JITTER) - 1e-6 <= wait <= interval * (1 + JITTER) + 1e-6


def test_waiters_do_not_march_in_step() -> None:
    rng = random.Random(7)
    assert len({Schedule(15.0).after(100.0, rng=rng) for _ in range(50)}) == 50


def test_a_list_is_read_where_it_takes_fewer_requests() -> None:
    listing = Listing()
    assert not listing.worth(2, now=0.0)
    assert listing.worth(3, now=0.0)
    listing.learn(pages=5, wanted=100, missing=0, now=0.0)
    assert not listing.worth(6, now=0.0)
    assert listing.worth(7, now=0.0)


@pytest.mark.parametrize(("seconds", "ahead"), [(0.0, 2.5), (1.0, 3.5), (4.0, 5.0), (60.0, 5.0)])
def test_a_pass_that_takes_long_looks_for_what_is_due_when_it_ends(seconds: float, ahead: float) -> None:
    listing = Listing()
    assert listing.ahead(5.0) == 2.5
    listing.learn(pages=10, wanted=1000, missing=0, now=0.0, seconds=seconds)
    assert listing.ahead(5.0) == ahead


def test_a_list_that_shows_few_of_ours_is_left_alone_for_a_while() -> None:
    listing = Listing()
    listing.learn(pages=1, wanted=10, missing=6, now=0.0)
    assert not listing.worth(1000, now=59.0)
    assert listing.worth(1000, now=61.0)


def test_reading_a_list_ends_where_single_requests_are_cheaper() -> None:
    listing = Listing()
    assert listing.enough(pages=1, seen=100, wanted=10, missing=0, fresh=100)
    assert not listing.enough(pages=1, seen=100, wanted=10, missing=3, fresh=100)
    assert not listing.enough(pages=6, seen=600, wanted=10, missing=3, fresh=100)
    assert listing.enough(pages=7, seen=700, wanted=10, missing=3, fresh=100)


def test_a_list_of_small_pages_may_take_as_many_as_it_needs() -> None:
    assert not Listing().enough(pages=40, seen=800, wanted=1000, missing=200, fresh=20)


def test_a_list_that_goes_round_in_circles_is_read_no_further() -> None:
    assert Listing().enough(pages=2, seen=100, wanted=1000, missing=900, fresh=0)


# --- rates --------------------------------------------------------------------------------------------------------

WALL = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7.5 "}, 7.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": email.utils.formatdate(WALL + 30, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(WALL - 30, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon", "x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": str(int(WALL) + 40)}, 40.0),
        ({"x-ratelimit-reset": str((int(WALL) + 40) * 1000)}, 40.0),
        ({"x-ratelimit-reset": str(int(WALL) - 40)}, 0.0),
        ({"retry-after": "3", "x-ratelimit-reset": "12"}, 3.0),
        ({"x-ratelimit-reset": "99999999999"}, None),
        ({"retry-after": str(int(WALL) + 40)}, 40.0),
        ({"retry-after": str((int(WALL) + 40) * 1000)}, 40.0),
        ({"retry-after": str(int(WALL) - 1)}, 0.0),
        ({"retry-after": "999999999"}, None),
        ({"retry-after": "4000000000"}, None),
        ({"retry-after": "86401", "ratelimit-reset": "12"}, 12.0),
        ({"retry-after": email.utils.formatdate(WALL + 10**8, usegmt=True)}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30.0),
        ({"retry-after": "2023-11-14T22:13:50Z"}, 30.0),
        ({"x-ratelimit-reset": "2023-11-14 22:13:50"}, 30.0),
        ({"x-ratelimit-reset": email.utils.formatdate(WALL + 30, usegmt=True)}, 30.0),
        ({"x-ratelimit-reset": "500000000", "ratelimit-reset": "12"}, 12.0),
    ],
)
def test_every_form_of_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, WALL) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset", "ratelimit-reset"]), st.text(max_size=30)))
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    found = retry_after(headers, WALL)
    assert found is None or found >= 0.0


def test_a_429_stops_its_lane_and_no_other() -> None:
    budget = RateBudget()
    budget.learn(RateClass.SUBMIT, 429, {"retry-after": "30"}, 100.0, WALL)
    assert budget.delay(RateClass.SUBMIT, 110.0) == 20.0
    assert budget.delay(RateClass.READ, 110.0) == 0.0
    assert budget.delay(RateClass.SUBMIT, 131.0) == 0.0


def test_an_untold_429_stops_its_lane_for_a_moment() -> None:
    budget = RateBudget()
    budget.learn(RateClass.READ, 429, {}, 100.0, WALL)
    assert 0 < budget.delay(RateClass.READ, 100.0) <= 1.0


def test_a_used_up_window_stops_its_lane_before_the_429() -> None:
    budget = RateBudget()
    budget.learn(RateClass.READ, 200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}, 100.0, WALL)
    assert budget.delay(RateClass.READ, 100.0) == 9.0
    budget.learn(RateClass.READ, 200, {"x-ratelimit-remaining": "4", "x-ratelimit-reset": "99"}, 100.0, WALL)
    assert budget.delay(RateClass.READ, 100.0) == 9.0


def test_a_shorter_stop_does_not_lift_a_longer_one() -> None:
    budget = RateBudget()
    budget.stop(RateClass.READ, 200.0)
    budget.stop(RateClass.READ, 150.0)
    assert budget.delay(RateClass.READ, 100.0) == 100.0


def test_the_users_own_limit_is_an_even_pace_over_all_lanes() -> None:
    budget = RateBudget(per_minute=60.0)
    waits = [
        budget.take(rate_class, 100.0)
        for rate_class in (RateClass.READ, RateClass.SUBMIT, RateClass.STREAM, RateClass.READ)
    ]
    assert waits == [0.0, 1.0, 2.0, 3.0]
    assert budget.take(RateClass.READ, 500.0) == 0.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 5))
def test_a_ration_is_never_exceeded_in_any_window(gaps: list[float], requests: int) -> None:
    budget = RateBudget(rate_limits={RateClass.STREAM: RateLimit(requests, 60.0)})
    now, went = 0.0, []
    for gap in gaps:
        now += gap
        wait = budget.take(RateClass.STREAM, now)
        went.append(now + wait)
        now += wait
    for start in went:
        assert sum(1 for one in went if start <= one < start + 60.0 - 1e-6) <= requests


@pytest.mark.parametrize("text", ["inf", "nan", "1e99", "-1", "many", ""])
def test_a_number_of_requests_that_makes_no_sense_is_not_told(text: str) -> None:
    assert remaining({"x-ratelimit-remaining": text}) is None
    assert remaining({"x-ratelimit-remaining": text, "ratelimit-remaining": "7"}) == 7
