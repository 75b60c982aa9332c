# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What reservations add up to, and whether another one fits. Pure: no input or output.

A reservation is a set of **marks**, each an object that is created and never changed. What it says is in its name, so
that a listing of a day is the day's sum:

``held``
    so many credits are set aside; a task is about to write an intent.
``intended``
    an intent is written. It is paid for, or going to be, unless it is refused.
``closing``
    somebody looks whether the process that holds it is alive. Whoever finds this mark posts nothing with it.
``settled``, ``unknown``
    what it came to, 0 if nothing was started; ``unknown`` if nobody knows of a part of it whether it was. Of several
    the highest number counts, of equal numbers the dearest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.core.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

VOID_AFTER = 300.0
"""Seconds after which somebody who needs the credits of a reservation looks whether its holder is alive."""

CLOSE_AFTER = 7200.0
"""Seconds after the end of a day, UTC, from which its sum is kept as one object. Clocks differ by less."""

# A reservation's id: when it was made, when its holder first wanted it (milliseconds), what it holds, a random part.
_NAME = re.compile(
    r"(?P<id>(?P<at>\d+)_(?P<rank>\d+)_(?P<held>\d+)_[0-9a-f]+)_(?P<seq>\d+)_(?P<state>[a-z]+)_(?P<credits>\d+)_\w+\.json"
)
_TOTAL = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)_(?P<seq>\d+)_(?P<credits>\d+)_\w+\.json")


class State(StrEnum):
    """What a mark says."""

    HELD = "held"
    INTENDED = "intended"
    CLOSING = "closing"
    SETTLED = "settled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Limits:
    """
    A budget: credits per UTC day and month of the intent; None for no limit.

    :param day: credits per day.
    :param month: credits per calendar month.
    """

    day: int | None = None
    month: int | None = None


@dataclass(frozen=True)
class Reservation:
    """
    What the marks of one reservation say together.

    :param id: its id within its day.
    :param at: Unix time at which it was made.
    :param rank: Unix time at which its holder first wanted it: earlier ones go first.
    :param credits: what it counts for now.
    :param intended: an intent was written.
    :param closing: somebody looks whether its holder is alive.
    :param seq: how often it was settled; 0 while it is open.
    :param unknown: nobody knows of a part of it whether it was spent.
    """

    id: str
    at: float
    rank: float
    credits: int
    intended: bool = False
    closing: bool = False
    seq: int = 0
    unknown: bool = False

    @property
    def open(self) -> bool:
        """Whether its holder may post with it."""
        return not self.closing and not self.seq

    @property
    def firm(self) -> bool:
        """Whether its credits are spent or going to be: not just set aside."""
        return self.intended or self.seq > 0


def reservation_id(now: float, rank: float, amount: int, random: str) -> str:
    """
    Return a new reservation's id.

    :param now: Unix time.
    :param rank: Unix time at which its holder first wanted it.
    :param amount: credits that it holds.
    :param random: hexadecimal digits that nobody else has.
    """
    return f"{round(now * 1000)}_{round(rank * 1000)}_{amount}_{random}"


def mark_name(reservation: str, state: State, random: str, *, seq: int = 0, amount: int = 0) -> str:
    """
    Return the name of a mark.

    :param reservation: the reservation's id.
    :param state: what it says.
    :param random: tells it from an equal mark of another process.
    :param seq: which settlement, from 1; 0 for other marks.
    :param amount: credits that it came to, for a settlement.
    """
    return f"{reservation}_{seq}_{state}_{amount}_{random}.json"


def gather(names: Iterable[str]) -> dict[str, Reservation]:
    """Return the reservations of a day by id, from the names of its objects; names of another kind are ignored."""
    found: dict[str, Reservation] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        id_, seq, amount = match["id"], int(match["seq"]), int(match["credits"])
        at, rank, held = (int(match[name]) for name in ("at", "rank", "held"))
        old = found.get(id_) or Reservation(id_, at / 1000, rank / 1000, held)
        match match["state"]:
            case State.INTENDED:
                old = replace(old, intended=True)
            case State.CLOSING:
                old = replace(old, closing=True)
            case State.SETTLED | State.UNKNOWN as state if seq > old.seq:
                old = replace(old, seq=seq, credits=amount, unknown=state == State.UNKNOWN)
            case State.SETTLED | State.UNKNOWN as state if seq == old.seq:
                unknown = old.unknown or state == State.UNKNOWN
                old = replace(old, credits=max(old.credits, amount), unknown=unknown)
            case _:  # held: it counts for what its id says
                pass
        found[id_] = old
    return found


@dataclass(frozen=True)
class Sums:
    """
    What the reservations of some time come to.

    :param counted: all of them.
    :param firm: those that are spent or going to be.
    """

    counted: int = 0
    firm: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.counted + other.counted, self.firm + other.firm)


def add_up(reservations: Iterable[Reservation]) -> Sums:
    """Return what reservations come to."""
    counted = firm = 0
    for one in reservations:
        counted += one.credits
        firm += one.credits if one.firm else 0
    return Sums(counted, firm)


@dataclass(frozen=True)
class Judgement:
    """
    Whether a reservation fits.

    :param fits: it may be spent.
    :param over: the limit that leaves no room, whatever becomes of the reservations without an intent.
    :param soon: where it neither fits nor is over: of those that wait for the rest, it is among the first that fit.
    """

    fits: bool = False
    over: Literal["day", "month"] | None = None
    soon: bool = False


def judge(
    amount: int,
    others: Collection[Reservation],
    rest_of_month: Sums,
    limits: Limits,
    *,
    rank: tuple[float, str],
) -> Judgement:
    """
    Return whether so many more credits fit.

    :param amount: the credits.
    :param others: the day's reservations, without the one that is judged.
    :param rest_of_month: what the month's other days come to.
    :param limits: the budget.
    :param rank: time and id of the one that is judged; among those without an intent earlier ones go first.
    """
    day = add_up(others)
    ahead = sum(one.credits for one in others if not one.firm and (one.rank, one.id) < rank)
    sums: list[tuple[Literal["day", "month"], int | None, Sums]] = [
        # The month first: of two limits that leave no room it is the one that lasts longer.
        ("month", limits.month, day + rest_of_month),
        ("day", limits.day, day),
    ]
    fits, soon = True, True
    for name, limit, found in sums:
        if limit is None:
            continue
        if found.firm + amount > limit:
            return Judgement(over=name)
        fits = fits and found.counted + amount <= limit
        soon = soon and found.firm + ahead + amount <= limit
    return Judgement(fits=fits, soon=soon and not fits)


def how_many_fit(prices: Sequence[int], others: Collection[Reservation], rest_of_month: Sums, limits: Limits) -> int:
    """Return how many purchases, from the first on, fit beside what is counted already."""
    rooms = credits_left(others, rest_of_month, limits).values()
    total = 0
    for number, price in enumerate(prices):
        total += price
        if any(total > room for room in rooms):
            return number
    return len(prices)


def credits_left(
    reservations: Collection[Reservation], rest_of_month: Sums, limits: Limits
) -> dict[Literal["day", "month"], int]:
    """Return what is left of each limit; below 0 where more was charged than was reserved."""
    day = add_up(reservations).counted
    left: dict[Literal["day", "month"], int] = {}
    if limits.day is not None:
        left["day"] = limits.day - day
    if limits.month is not None:
        left["month"] = limits.month - day - rest_of_month.counted
    return left


def day_totals(names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return, by closed day, the number and the credits of its sum that counts; names of another kind are ignored."""
    found: dict[str, tuple[int, int]] = {}
    for name in names:
        match = _TOTAL.fullmatch(name)
        if match is not None:
            found[match["day"]] = max(found.get(match["day"], (0, 0)), (int(match["seq"]), int(match["credits"])))
    return found


def total_name(day: str, seq: int, amount: int, random: str) -> str:
    """Return the name of the object that keeps a closed day's sum; the highest *seq* counts."""
    return f"{day}_{seq}_{amount}_{random}.json"


def day_of(moment: float) -> str:
    """Return the UTC day of a Unix time, as ``2026-11-28``."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def day_is_over(day: str, now: float) -> bool:
    """Return whether a day ended long enough ago for its sum to be kept as one object."""
    end = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    return now >= end.timestamp() + CLOSE_AFTER


def begins_anew(limit: Literal["day", "month"], moment: float) -> float:
    """Return the Unix time at which the next day or month begins, UTC."""
    day = datetime.fromtimestamp(moment, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    following = day + timedelta(days=1) if limit == "day" else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following.timestamp()


def parse_budgets(text: str) -> Mapping[str, Limits]:
    """
    Read ``[adgen] budgets``.

    :param text: JSON: ``{"adsumo_default": {"day": 500, "month": 8000}}``.
    :raises InvalidRequest: it is something else.
    """
    try:
        value = json.loads(text)
    except ValueError:
        raise _wrong("it is not JSON") from None
    if not isinstance(value, dict):
        raise _wrong("it is not a JSON object")
    return {name: _limits(name, given) for name, given in value.items()}


def _limits(name: str, given: Any) -> Limits:
    if not isinstance(given, dict) or not given or not given.keys() <= {"day", "month"}:
        raise _wrong(f'the budget of {name!r} must have "day", "month" or both, and nothing else')
    for limit in given.values():
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise _wrong(f"the budget of {name!r} must be whole credits of at least 0")
    return Limits(**given)


def _wrong(why: str) -> InvalidRequest:
    return InvalidRequest(
        f'[adgen] budgets cannot be read: {why}. It looks like {{"adsumo_default": {{"day": 500, "month": 8000}}}}. '
        "Nothing was sent."
    )
