# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What reservations add up to, whether another one fits, and how the setting is read."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.budgets import (
    CLOSE_AFTER,
    Judgement,
    Limits,
    Reservation,
    State,
    Sums,
    add_up,
    begins_anew,
    credits_left,
    day_is_over,
    day_of,
    day_totals,
    gather,
    how_many_fit,
    judge,
    mark_name,
    parse_budgets,
    reservation_id,
    total_name,
)
from airflow_provider_adgen.core.errors import InvalidRequest

ID = reservation_id(1000.5, 999.25, 40, "ab12")


def mark(state: State, seq: int = 0, amount: int = 0, random: str = "x1") -> str:
    return mark_name(ID, state, random, seq=seq, amount=amount)


HELD = mark(State.HELD)

SAYS: list[tuple[list[str], dict[str, Any]]] = [
    ([HELD], {"credits": 40}),
    ([mark(State.INTENDED)], {"credits": 40, "intended": True}),
    ([HELD, mark(State.INTENDED)], {"credits": 40, "intended": True}),
    ([HELD, mark(State.CLOSING)], {"credits": 40, "closing": True}),
    ([HELD, mark(State.SETTLED, 1)], {"credits": 0, "seq": 1}),
    ([HELD, mark(State.SETTLED, 1, 55)], {"credits": 55, "seq": 1}),
    ([HELD, mark(State.SETTLED, 1, 40), mark(State.SETTLED, 2, 0)], {"credits": 0, "seq": 2}),
    ([HELD, mark(State.SETTLED, 1, 0), mark(State.SETTLED, 1, 40, "x2")], {"credits": 40, "seq": 1}),
    ([HELD, mark(State.UNKNOWN, 1, 40)], {"credits": 40, "seq": 1, "unknown": True}),
    ([HELD, mark(State.UNKNOWN, 1, 40), mark(State.SETTLED, 2, 0)], {"credits": 0, "seq": 2}),
    ([HELD, mark(State.UNKNOWN, 1, 20), mark(State.SETTLED, 1, 30, "x2")], {"credits": 30, "seq": 1, "unknown": True}),
    ([f"{ID}_0_later_0_x.json"], {"credits": 40}),
]


@pytest.mark.parametrize(("names", "fields"), SAYS, ids=range(len(SAYS)))
def test_what_marks_say_does_not_depend_on_the_order_of_the_listing(names: list[str], fields: dict[str, Any]) -> None:
    for seed in range(10):
        shuffled = [*names, *names[:1], ".note.tmp", "readme.json", "closed"]
        random.Random(seed).shuffle(shuffled)
        assert gather(shuffled) == {ID: Reservation(ID, at=1000.5, rank=999.25, **fields)}


def test_reservations_are_told_apart() -> None:
    other = reservation_id(1000.5, 999.25, 7, "ab13")
    found = gather([HELD, mark_name(other, State.HELD, "x"), mark(State.INTENDED)])
    assert {one.id: (one.credits, one.firm) for one in found.values()} == {ID: (40, True), other: (7, False)}
    assert add_up(found.values()) == Sums(counted=47, firm=40)


@pytest.mark.parametrize(
    ("fields", "is_open", "firm"),
    [
        ({}, True, False),
        ({"intended": True}, True, True),
        ({"closing": True}, False, False),
        ({"closing": True, "intended": True}, False, True),
        ({"seq": 1}, False, True),
    ],
)
def test_who_may_post_with_it_and_who_counts_on_it(fields: dict[str, Any], is_open: bool, firm: bool) -> None:
    one = Reservation(ID, at=1.0, rank=1.0, credits=40, **fields)
    assert (one.open, one.firm) == (is_open, firm)


def held(amount: int, rank: float = 1.0) -> Reservation:
    return Reservation(f"h{amount}", 1.0, rank, amount)


def firm(amount: int) -> Reservation:
    return Reservation(f"f{amount}", 1.0, 1.0, amount, intended=True)


FITS, SOON, LATER = Judgement(fits=True), Judgement(soon=True), Judgement()
JUDGED: list[tuple[int, list[Reservation], Sums, Limits, Judgement]] = [
    (40, [], Sums(), Limits(), FITS),
    (40, [], Sums(), Limits(day=40), FITS),
    (40, [], Sums(), Limits(day=39), Judgement(over="day")),
    (0, [firm(40)], Sums(), Limits(day=40), FITS),
    (1, [firm(40)], Sums(), Limits(day=40), Judgement(over="day")),
    (1, [firm(39)], Sums(), Limits(day=40), FITS),
    # Reservations without an intent are counted, and nobody stops because of them.
    (1, [held(40)], Sums(), Limits(day=40), LATER),
    (1, [held(40, rank=3.0)], Sums(), Limits(day=40), SOON),
    (20, [firm(10), held(20), held(11, rank=3.0)], Sums(), Limits(day=50), SOON),
    (20, [firm(10), held(21), held(11, rank=3.0)], Sums(), Limits(day=50), LATER),
    (20, [firm(31), held(5)], Sums(), Limits(day=50), Judgement(over="day")),
    # The month: what other days have counts, and it is named first.
    (10, [firm(10)], Sums(70, 70), Limits(month=90), FITS),
    (10, [firm(11)], Sums(70, 70), Limits(month=90), Judgement(over="month")),
    (10, [firm(11)], Sums(80, 70), Limits(month=100), SOON),
    (10, [firm(11)], Sums(79, 70), Limits(month=100), FITS),
    (10, [firm(10)], Sums(70, 70), Limits(day=15, month=90), Judgement(over="day")),
    (10, [firm(10)], Sums(71, 71), Limits(day=15, month=90), Judgement(over="month")),
    (10, [], Sums(70, 70), Limits(day=15), FITS),
]


@pytest.mark.parametrize(("price", "others", "rest", "limits", "verdict"), JUDGED, ids=range(len(JUDGED)))
def test_whether_it_fits(price: int, others: list[Reservation], rest: Sums, limits: Limits, verdict: Judgement) -> None:
    assert judge(price, others, rest, limits, rank=(2.0, "me")) == verdict


@pytest.mark.parametrize(
    ("prices", "counted", "rest", "limits", "count"),
    [
        ([10, 10, 10], 0, 0, Limits(), 3),
        ([10, 10, 10], 0, 0, Limits(day=30), 3),
        ([10, 10, 10], 1, 0, Limits(day=30), 2),
        ([10, 10, 10], 5, 6, Limits(day=30, month=30), 1),
        ([10, 1], 25, 0, Limits(day=30), 0),
        ([0, 0], 30, 0, Limits(day=30), 2),
    ],
)
def test_how_many_fit_in_order(prices: list[int], counted: int, rest: int, limits: Limits, count: int) -> None:
    others = [held(counted)] if counted else []
    assert how_many_fit(prices, others, Sums(rest, rest), limits) == count


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(), {}),
        (Limits(day=30), {"day": 5}),
        (Limits(day=20, month=100), {"day": -5, "month": 65}),
        (Limits(month=30), {"month": -5}),
    ],
)
def test_what_is_left_of_each_limit(limits: Limits, left: dict[str, int]) -> None:
    assert credits_left([held(25)], Sums(10, 10), limits) == left


def test_what_fits_by_number_fits_by_judgement() -> None:
    """The two functions never disagree: otherwise somebody would reserve in vain for ever."""
    for seed in range(300):
        chance = random.Random(seed)
        others = [
            Reservation(f"r{n}", 1.0, chance.random(), chance.randrange(20), intended=chance.random() < 0.5)
            for n in range(chance.randrange(5))
        ]
        rest = Sums(chance.randrange(20), 0)
        limits = Limits(chance.choice([None, 30, 50]), chance.choice([None, 40, 60]))
        price = chance.randrange(1, 30)
        verdict = judge(price, others, rest, limits, rank=(0.5, "me"))
        assert verdict.fits == (how_many_fit([price], others, rest, limits) == 1)
        assert not (verdict.fits and verdict.over)


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_days_and_months_are_those_of_utc() -> None:
    assert day_of(unix("2026-11-28T23:59:59.999")) == "2026-11-28"
    assert day_of(unix("2026-11-29")) == "2026-11-29"
    for moment in ("2026-12-31T23:59:59", "2026-12-01"):
        assert begins_anew("month", unix(moment)) == unix("2027-01-01")
    assert begins_anew("day", unix("2026-12-31T23:59:59")) == unix("2027-01-01")
    assert begins_anew("day", unix("2026-11-28")) == unix("2026-11-29")


def test_a_day_is_over_when_no_clock_says_that_it_lasts() -> None:
    end = unix("2026-11-29")
    assert not day_is_over("2026-11-28", end + CLOSE_AFTER - 1)
    assert day_is_over("2026-11-28", end + CLOSE_AFTER)


def test_of_a_closed_days_sums_the_latest_counts() -> None:
    names = [total_name("2026-11-28", seq, amount, "x") for seq, amount in ((2, 10), (1, 50), (2, 20))]
    assert day_totals([*names, total_name("2026-11-27", 1, 5, "x"), "readme.json"]) == {
        "2026-11-28": (2, 20),
        "2026-11-27": (1, 5),
    }


def test_the_setting_is_read() -> None:
    found = parse_budgets('{"adsumo_default": {"day": 500, "month": 8000}, "team": {"month": 0}}')
    assert found == {"adsumo_default": Limits(500, 8000), "team": Limits(None, 0)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"a": 5}', '"day", "month" or both'),
        ('{"a": {}}', '"day", "month" or both'),
        ('{"a": {"week": 5}}', '"day", "month" or both'),
        ('{"a": {"day": -1}}', "whole credits"),
        ('{"a": {"day": 1.5}}', "whole credits"),
        ('{"a": {"day": true}}', "whole credits"),
        ('{"a": {"day": null}}', "whole credits"),
        ('{"a": {"day": "5"}}', "whole credits"),
    ],
)
def test_a_setting_that_says_something_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\[adgen\] budgets cannot be read: .*Nothing was sent") as caught:
        parse_budgets(text)
    assert said in str(caught.value)
