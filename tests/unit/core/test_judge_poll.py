# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What follows a poll: one table, for each outcome."""

from __future__ import annotations

import random

import pytest

from airflow_provider_adgen.core.decisions.polling import JITTER, PollAction, PollVerdict, Schedule, judge_poll
from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    AuthenticationError,
    DownloadError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)

AGAIN, OVER = PollAction.AGAIN, PollAction.OVER
READ, GIVE_UP = PollAction.READ_CONNECTION, PollAction.GIVE_UP


class NoJitter(random.Random):
    def random(self) -> float:
        return 0.5


def verdict(outcome: bool | AdGenError, *, age: float = 1e6, failures: int = 0, reread: bool = False) -> PollVerdict:
    return judge_poll(outcome, schedule=Schedule(10.0), age=age, failures=failures, rng=NoJitter(), reread=reread)


@pytest.mark.parametrize(
    ("outcome", "known", "action"),
    [
        (True, {}, OVER),
        (False, {}, AGAIN),
        (WireError("x"), {}, AGAIN),
        (UnexpectedResponse("x"), {}, AGAIN),
        (RateLimited("x", status=429), {}, AGAIN),
        (ServerError("x", status=500), {}, AGAIN),
        (ServerError("x", status=503), {"failures": 500}, AGAIN),
        (ApiError("x", status=408), {}, AGAIN),
        (ApiError("x", status=421), {}, AGAIN),
        (ApiError("x", status=423), {}, AGAIN),
        (ApiError("x", status=425), {}, AGAIN),
        (NotFound("x", status=404), {"age": 5.0}, AGAIN),
        (NotFound("x", status=404), {"age": 59.9, "failures": 9}, AGAIN),
        (NotFound("x", status=404), {"age": 60.0}, GIVE_UP),
        (AuthenticationError("x", status=401), {}, READ),
        (AuthenticationError("x", status=401), {"failures": 7, "age": 1.0}, READ),
        (AuthenticationError("x", status=401), {"reread": True}, GIVE_UP),
        (ApiError("x", status=400), {}, GIVE_UP),
        (ApiError("x", status=400), {"age": 1.0}, GIVE_UP),
        (PermissionDenied("x", status=403), {}, GIVE_UP),
        (ApiError("x", status=410), {}, GIVE_UP),
        (InvalidRequest("x"), {}, GIVE_UP),
        (DownloadError("x"), {}, GIVE_UP),
    ],
)
def test_what_follows(outcome: bool | AdGenError, known: dict[str, float], action: PollAction) -> None:
    assert verdict(outcome, **known).action == action  # type: ignore[arg-type]  # a table of keywords


@pytest.mark.parametrize(
    "error", [WireError("x"), UnexpectedResponse("x"), RateLimited("x", status=429), ServerError("x", status=502)]
)
def test_repeated_failures_back_off(error: AdGenError) -> None:
    pauses = [verdict(error, failures=n).pause for n in range(11)]
    assert pauses[:5] == [10.0, 20.0, 40.0, 80.0, 160.0] and pauses[5:] == [300.0] * 6


def test_a_retry_after_is_obeyed_where_it_is_longer() -> None:
    assert verdict(RateLimited("x", status=429, retry_after=90.0)).pause == 90.0
    assert verdict(ServerError("x", status=503, retry_after=1.0)).pause == 10.0


def test_backoffs_of_different_waiters_differ() -> None:
    rng = random.Random(7)
    pauses = {
        judge_poll(WireError("x"), schedule=Schedule(10.0), age=9.0, failures=2, rng=rng).pause for _ in range(20)
    }
    assert len(pauses) == 20 and all(abs(one / 40.0 - 1) <= JITTER for one in pauses)


def test_an_answer_that_says_nothing_new_is_followed_by_the_schedule() -> None:
    assert 9.5 <= verdict(False, age=3.0).pause <= 10.0
