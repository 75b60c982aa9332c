# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The reservations of one account, under ``<ledger_path>/_spend/<account>/<day>/``.

Objects are created and never changed or removed; :mod:`airflow_provider_adgen.core.decisions.budgets` says what their
names mean. A process writes before it lists. So of two that want the same credits at least one sees the other.

A reservation is released only after its holder's record was read: first it is marked as ``closing``, then the record is
read, then it is settled. Its holder writes the intent first, and then looks for that mark. So either the holder sees
the mark and posts nothing, or the record has the intent and the reservation stays counted.
"""

from __future__ import annotations

import json
import logging
import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow_provider_adgen.core.decisions.budgets import (
    CLOSE_AFTER,
    VOID_AFTER,
    Judgement,
    Limits,
    Reservation,
    State,
    Sums,
    add_up,
    credits_left,
    day_is_over,
    day_of,
    day_totals,
    gather,
    how_many_fit,
    judge,
    mark_name,
    reservation_id,
    total_name,
)
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.record import RecordUnreadable
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.ledger.objects import create_object
from airflow_provider_adgen.ledger.records import SPEND, names_in, read_records, storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_adgen.core.account import Account

log = logging.getLogger(__name__)

_CLOSED = "closed"
"""The folder beside the days with the sums of those that are over."""


_LOOKS = 20
"""Records that one who finds no room looks into, for credits that nobody needs any more."""


@dataclass(frozen=True)
class Spent:
    """
    What a reservation was spent on, as its holder's record says.

    :param credits: what its attempts may have cost, less refunds.
    :param unknown: one of them may still be accepted, or may have been.
    """

    credits: int = 0
    unknown: bool = False


@dataclass(frozen=True)
class Asked:
    """
    What came of asking for a reservation.

    :param reservation: its whole name; None if there is no room.
    :param count: how many purchases it is for.
    :param credits: what it holds.
    :param over: the limit that leaves no room.
    :param soon: without a limit that is over: it may fit when others have given back what they set aside.
    :param left: what is left of each limit.
    """

    reservation: str | None = None
    count: int = 0
    credits: int = 0
    over: Literal["day", "month"] | None = None
    soon: bool = False
    left: Mapping[Literal["day", "month"], int] = field(default_factory=dict)


def account_folder(account: Account) -> str:
    """Return the name of an account's folder: vendor, host and budget."""
    return "@".join(quote(part, safe="").replace(".", "%2E") for part in (account.vendor, account.host, account.budget))


def spent_with(base: str, parts: Sequence[str], reservation: str) -> Spent:
    """
    Return what a record says that a reservation was spent on.

    :param base: ``ledger_path``.
    :param parts: the folder of the task's record below it; those of a batch's items are below that.
    :param reservation: its whole name.
    :raises RecordUnreadable: a part of the record cannot be read.
    """
    records = read_records(base, parts)
    if records.broken:
        raise RecordUnreadable(
            f"{counted(len(records.broken), 'object')} of the ledger cannot be read, {records.broken[0]} first."
        )
    mine = [one for record in records.found.values() for one in record.attempts if one.reservation == reservation]
    return Spent(sum(one.spent for one in mine), any(one.phase == "intent" for one in mine))


class SpendBook:
    """
    The reservations of one account.

    :param base: ``ledger_path``.
    :param account: the account's folder.
    :param now: Unix time, injected.
    """

    def __init__(self, base: str, account: str, *, now: Callable[[], float]) -> None:
        self._base = base
        self._account = account
        self._now = now
        self._place: tuple[Any, str] | None = None

    # --- asking for credits ---------------------------------------------------------------------------------------

    def ask(self, prices: Sequence[int], limits: Limits, *, record: Sequence[str], rank: float) -> Asked:
        """
        Reserve credits for as many purchases, from the first on, as fit.

        :param prices: what each costs.
        :param limits: the budget.
        :param record: the folder of the holder's record, for whoever meets the reservation when the holder is dead.
        :param rank: Unix time at which the holder first wanted it.
        :raises OSError: the storage cannot be listed or written; or another error of its file system.
        """
        now, digits = self._now(), uuid.uuid4().hex[:12]
        day = day_of(now)
        found, month = self._read(day, limits)
        count = how_many_fit(prices, found.values(), month, limits)
        if not count:
            # Perhaps somebody died with what is missing.
            if self._release_dead(day, found.values(), most=_LOOKS):
                found, month = self._read(day, limits)
                count = how_many_fit(prices, found.values(), month, limits)
            if not count:
                me = reservation_id(now, rank, prices[0], digits)
                verdict = judge(prices[0], found.values(), month, limits, rank=(rank, me))
                return self._refused(verdict, credits_left(found.values(), month, limits))
        amount = sum(prices[:count])
        id_ = reservation_id(now, rank, amount, digits)
        self._mark(day, id_, State.HELD, body={"record": list(record)})
        try:
            found, month = self._read(day, limits)
            others = [one for one in found.values() if one.id != id_]
            verdict = judge(amount, others, month, limits, rank=(rank, id_))
        except Exception:
            self._mark(day, id_, State.SETTLED, seq=1)
            raise
        if verdict.fits:
            left = credits_left(found.values(), month, limits)
            return Asked(f"{self._account}/{day}/{id_}", count, amount, left=left)
        self._mark(day, id_, State.SETTLED, seq=1)
        if verdict.over is not None and count > 1:
            return Asked(soon=True)  # fewer of them may fit
        return self._refused(verdict, credits_left(others, month, limits))

    @staticmethod
    def _refused(verdict: Judgement, left: Mapping[Literal["day", "month"], int]) -> Asked:
        # Between the two looks there may have come to be room.
        return Asked(over=verdict.over, soon=verdict.soon or verdict.fits, left=left)

    def _read(self, day: str, limits: Limits) -> tuple[dict[str, Reservation], Sums]:
        """Return the reservations of a day, and what the month's other days come to where that matters."""
        rest = Sums()
        if limits.month is not None:
            days, totals = self._names(), self._totals()
            if day in totals:
                raise AdGenError(
                    f"The clock of this worker says that it is {day}, UTC; another worker's says that this day has "
                    f"been over for more than {CLOSE_AFTER:.0f} s. Nothing was sent. Set the clocks right."
                )
            for other in sorted(one for one in days if one[:7] == day[:7] and one != day):
                if other in totals:
                    rest += Sums(totals[other][1], totals[other][1])
                elif day_is_over(other, self._now()):
                    total = self._close(other)
                    rest += Sums(total, total)
                else:
                    rest += add_up(self._day(other).values())
        return self._day(day), rest

    # --- spending it ----------------------------------------------------------------------------------------------

    def stands(self, reservation: str, moment: float | None) -> bool:
        """
        Return whether an intent may be posted with a reservation. Call it when the intent is written.

        :param reservation: its whole name.
        :param moment: Unix time of the intent, which must be on the reservation's day; None for a posting that is
            repeated, whose intent is older.
        """
        _, day, id_ = _split(reservation)
        one = self._day(day).get(id_)
        return one is not None and one.open and (moment is None or day_of(moment) == day)

    def covers(self, reservation: str, spent: Callable[[], Spent]) -> bool:
        """
        Return whether all that was paid from a reservation is still counted, what is unknown of it too.

        :param reservation: its whole name.
        :param spent: reads what it was spent on.
        """
        _, day, id_ = _split(reservation)
        one = self._day(day).get(id_)
        if one is not None and one.closing and not one.seq:
            # Whoever began that may still read an older record: what is written here comes before or after it.
            self._release(day, one)
            one = self._day(day).get(id_)
        return one is not None and (one.open or one.seq > 0) and spent().credits <= one.credits

    def intended(self, reservation: str) -> None:
        """Mark that an intent is written: from now on others stop rather than wait for its credits."""
        _, day, id_ = _split(reservation)
        self._mark(day, id_, State.INTENDED)

    def settle(self, reservation: str, spent: Callable[[], Spent]) -> None:
        """
        Write what a reservation came to, if that is not written yet. Nothing more is posted with it.

        :param reservation: its whole name.
        :param spent: reads what it was spent on. It is called after the reservation was read: so of two who settle,
            the one with the higher number has not read an older record.
        """
        _, day, id_ = _split(reservation)
        one = self._day(day).get(id_)
        if one is None:
            return
        if self._outcome(day, one, spent()) and day in self._totals():
            self._close(day)

    def _outcome(self, day: str, one: Reservation, found: Spent) -> bool:
        """Write what a reservation came to; return whether that was not written yet."""
        if one.seq and (one.credits, one.unknown) == (found.credits, found.unknown):
            return False
        state = State.UNKNOWN if found.unknown else State.SETTLED
        self._mark(day, one.id, state, seq=one.seq + 1, amount=found.credits)
        return True

    def _release_dead(self, day: str, reservations: Iterable[Reservation], *, most: int | None = None) -> bool:
        """
        Settle what seems to be left behind; return whether anything is different now.

        :param most: look into so many only, some of them each time.
        """
        old = [one for one in reservations if (one.unknown or not one.seq) and self._now() - one.at > VOID_AFTER]
        if most is not None and len(old) > most:
            old = random.sample(old, most)
        return any([self._release(day, one) for one in old])

    def _release(self, day: str, one: Reservation) -> bool:
        name = f"{self._account}/{day}/{one.id}"
        if one.open:
            self._mark(day, one.id, State.CLOSING)
        try:
            found = spent_with(self._base, self._holder(day, one.id), name)
        except Exception as error:  # it stays counted, and whoever meets it next tries again
            log.warning("Reservation %s could not be looked into (%s). It stays counted.", name, type(error).__name__)
            return False
        return self._outcome(day, one, found)

    def _holder(self, day: str, id_: str) -> list[str]:
        """Return the folder of the record that a reservation belongs to."""
        held = next(name for name in self._names(day) if name.startswith(f"{id_}_0_{State.HELD}_"))
        fs, folder = self._folder(day)
        parts: list[str] = json.loads(fs.cat_file(f"{folder}/{held}"))["record"]
        return parts

    # --- days -----------------------------------------------------------------------------------------------------

    def _day(self, day: str) -> dict[str, Reservation]:
        return gather(self._names(day))

    def _totals(self) -> dict[str, tuple[int, int]]:
        return day_totals(self._names(_CLOSED))

    def _folder(self, name: str = "") -> tuple[Any, str]:
        """Return the file system and the path of one of the account's folders; of its own without a name."""
        if self._place is None:
            self._place = storage(self._base, [SPEND, self._account])
        fs, path = self._place
        return fs, f"{path}/{name}" if name else path

    def _names(self, folder: str = "") -> list[str]:
        fs, path = self._folder(folder)
        fs.invalidate_cache()  # another process may have written since this one listed it
        return names_in(fs, path)

    def _close(self, day: str) -> int:
        """Keep the sum of a day that is over as one object, and return it; again where it has changed since."""
        if day not in self._totals():
            self._release_dead(day, self._day(day).values())
        while True:
            # The number first: whoever writes a higher one has not read an older day.
            seq, kept = self._totals().get(day, (0, -1))
            total = add_up(self._day(day).values()).counted
            if total == kept:
                return total
            self._create(_CLOSED, total_name(day, seq + 1, total, uuid.uuid4().hex[:8]), {})

    def _mark(
        self,
        day: str,
        id_: str,
        state: State,
        *,
        seq: int = 0,
        amount: int = 0,
        body: dict[str, Any] | None = None,
    ) -> None:
        self._create(day, mark_name(id_, state, uuid.uuid4().hex[:8], seq=seq, amount=amount), body or {})

    def _create(self, folder: str, name: str, body: dict[str, Any]) -> None:
        fs, path = self._folder(folder)
        create_object(fs, path, name, json.dumps(body).encode())


def _split(reservation: str) -> tuple[str, str, str]:
    account, day, id_ = reservation.split("/")
    return account, day, id_


def book_of(base: str, reservation: str, *, now: Callable[[], float]) -> SpendBook:
    """
    Return the book that a reservation is in, whatever the connection says now.

    :param base: ``ledger_path``.
    :param reservation: its whole name.
    :param now: Unix time, injected.
    """
    return SpendBook(base, _split(reservation)[0], now=now)
