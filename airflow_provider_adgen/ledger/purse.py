# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What one holder (a task, a leg of a batch, a hook's submission) may spend under ``[adgen] budgets``."""

from __future__ import annotations

import contextlib
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen import metrics, settings
from airflow_provider_adgen.core.decisions.budgets import Limits, begins_anew, day_of, parse_budgets
from airflow_provider_adgen.core.errors import AdGenError, BudgetBusy, BudgetExceeded, InvalidRequest
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.ledger.spend import SpendBook, Spent, account_folder, book_of, spent_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Attempt

PATIENCE = 30.0
"""Seconds for which somebody tries again while others reserve the rest of a budget."""

_SOON, _LATER, _LONGEST = 0.2, 2.0, 8.0


@dataclass(frozen=True)
class Filled:
    """
    What :meth:`Purse.fill` has reserved.

    :param count: purchases, from the first on, that are covered. Less than all: ask again for the others later.
    :param over: if it is none, the limit that leaves no room: ``day`` or ``month``.
    :param until: if it is none, Unix time at which that budget begins anew; None if the first fits into none.
    :param why: if it is none, what leaves no room, as a sentence.
    """

    count: int
    over: Literal["day", "month"] | None = None
    until: float | None = None
    why: str = ""


class Purse:
    """
    What one holder may spend.

    The order is: :meth:`take`; then write the intent, with the reservation's name in it; then :meth:`stands`; then
    post. Each outcome that is written goes through :meth:`note`. A task that buys one thing uses it so. A batch first
    calls :meth:`fill` with the prices of what a leg wants to buy, and again for what comes later. Each :meth:`take`
    then draws from these reservations, and :meth:`flush` at the leg's end gives the rest back.

    Without a budget for the account, :meth:`take` returns None and nothing is kept.

    :param account: the account.
    :param record: the parts of the path of the holder's record below ``ledger_path``; a batch's items are below it.
    :param clock: time, injected.
    :param log: where to say what could not be settled.
    :param spent: reads, from what is stored, what a reservation was spent on; None to read the holder's whole record.
    """

    def __init__(
        self,
        account: Account,
        record: Sequence[str],
        *,
        clock: Clock,
        log: Any,
        spent: Callable[[str], Spent] | None = None,
    ) -> None:
        self._account = account
        self._holder = list(record)
        self._clock = clock
        self._log = log
        self._spent = spent or self._read_spent
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._lock = threading.RLock()
        # What is left of each reservation of this leg: who is covered by one may draw after the next one was made.
        self._held: dict[str, int] = {}
        self._marked: set[str] = set()
        # What was noted last: of each attempt its cost, and the reservations that are settled at the leg's end.
        self._noted: dict[str, tuple[bool, int]] = {}
        self._due: set[str] = set()

    # --- before the intent ----------------------------------------------------------------------------------------

    def take(self, price: int | None) -> str | None:
        """
        Return the reservation that pays for one purchase; None where the account has no budget.

        :param price: what it counts for.
        :raises BudgetExceeded: there is no room for it.
        :raises BudgetBusy: others reserve the rest just now.
        :raises InvalidRequest: the price is not known, or the setting is wrong.
        """
        limits = self._limits()
        if limits is None:
            return None
        if price is None:
            raise InvalidRequest(
                f"The budget of {self._account.budget!r} ([adgen] budgets) cannot be kept: the price of this request "
                "is not documented. Say with assume_credits what to count. Nothing was sent."
            )
        today = day_of(self._clock.now())
        with self._lock:
            for held, left in self._held.items():
                if price <= left and held.split("/")[1] == today:
                    self._held[held] -= price
                    return held
        filled, reservation, _ = self._reserve([price], limits)
        if reservation is None:
            raise _exceeded(filled)
        failpoint("after-reservation")
        return reservation

    def fill(self, prices: Sequence[int]) -> Filled:
        """
        Reserve at once what several purchases cost: as many, from the first on, as fit.

        :param prices: what each counts for, in the order in which they are wanted.
        :raises BudgetBusy: others reserve the rest just now.
        :raises InvalidRequest: the setting is wrong.
        """
        limits = self._limits()
        if limits is None or not prices:
            return Filled(len(prices))
        filled, reservation, amount = self._reserve(prices, limits)
        if reservation is not None:
            with self._lock:
                self._held[reservation] = amount
                self._due.add(reservation)
            failpoint("after-reservation")
        return filled

    def give_back(self, reservation: str | None, price: int | None) -> None:
        """Return what :meth:`take` drew, if no intent was written after all."""
        if reservation is None:
            return
        with self._lock:
            if reservation in self._due:
                self._return(reservation, price)
                return
        self._settle(reservation)

    # --- between the intent and the posting -----------------------------------------------------------------------

    def stands(self, reservation: str | None, moment: float | None) -> bool:
        """
        Return whether an intent that was written may be posted.

        :param reservation: what it is paid from; None where there is no budget.
        :param moment: Unix time of the intent; None for a posting that is repeated.
        """
        if reservation is None:
            return True
        book = self._book(reservation)
        with self._readable():
            if reservation not in self._marked:
                book.intended(reservation)
                self._marked.add(reservation)
            stands = book.stands(reservation, moment)
        with self._lock:
            if not stands:
                self._held.pop(reservation, None)  # nothing more can be posted with it
        return stands

    def covers(self, reservation: str | None) -> bool:
        """
        Return whether what an unresolved attempt may cost is still counted, so that it may be posted again.

        :param reservation: what it is paid from; None: it was posted when there was no budget.
        """
        if self._limits() is None:
            return True
        if reservation is None:
            return False
        with self._readable():
            return self._book(reservation).covers(reservation, lambda: self._spent(reservation))

    # --- afterwards -----------------------------------------------------------------------------------------------

    def note(self, attempt: Attempt) -> None:
        """
        Take in a version of an attempt that was written: settle its reservation where its cost has changed.

        What goes wrong is logged: the reservation stays counted, and whoever meets it settles it.
        """
        if attempt.reservation is None or attempt.phase == "intent":
            return
        cost = (attempt.phase == "withdrawn", attempt.spent)
        with self._lock:
            if self._noted.get(attempt.uid) == cost:
                return
            self._noted[attempt.uid] = cost
            if attempt.reservation in self._due:
                if attempt.phase == "withdrawn":
                    self._return(attempt.reservation, attempt.price)
                return
        self._settle(attempt.reservation)

    def flush(self) -> bool:
        """
        Settle what was drawn from since the last time, and give the rest back, when nothing is being posted.

        :return: whether there was anything.
        """
        with self._lock:
            due, self._due, self._held = self._due, set(), {}
        for reservation in sorted(due):
            self._settle(reservation)
        return bool(due)

    def _return(self, reservation: str, price: int | None) -> None:
        if reservation in self._held:
            self._held[reservation] += price or 0

    def _settle(self, reservation: str) -> None:
        failpoint("before-settlement")
        try:
            self._book(reservation).settle(reservation, lambda: self._spent(reservation))
        except Exception as error:  # the money is spent or not, whatever is written of it here
            self._log.warning(
                "Reservation %s could not be settled (%s). It stays counted until somebody meets it.",
                reservation,
                type(error).__name__,
            )

    # --- the book -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn an error of the storage into a sentence: what cannot be read never means that nothing is spent."""
        try:
            yield
        except AdGenError:
            raise
        except Exception as error:
            raise AdGenError(
                f"The reservations under [adgen] ledger_path could not be read or written ({type(error).__name__}), "
                f"and {self._account.budget!r} has a budget. Nothing was sent. Retry when the storage is available "
                "again."
            ) from error

    def _limits(self) -> Limits | None:
        text = settings.budgets()
        limits = parse_budgets(text).get(self._account.budget) if text is not None else None
        if limits is not None and settings.ledger_path() is None:
            raise InvalidRequest(
                f"[adgen] budgets limits what {self._account.budget!r} may spend, and [adgen] ledger_path is not set: "
                "a budget is kept there. Nothing was sent. Set ledger_path, or remove the budget."
            )
        return limits

    def _base(self) -> str:
        base = settings.ledger_path()
        if base is None:
            raise InvalidRequest("[adgen] ledger_path is not set, and this job is paid from a reservation there.")
        return base

    def _book(self, reservation: str) -> SpendBook:
        return book_of(self._base(), reservation, now=self._clock.now)

    def _read_spent(self, reservation: str) -> Spent:
        return spent_with(self._base(), self._holder, reservation)

    def _reserve(self, prices: Sequence[int], limits: Limits) -> tuple[Filled, str | None, int]:
        book = SpendBook(self._base(), account_folder(self._account), now=self._clock.now)
        rank, began, tries = self._clock.now(), self._clock.monotonic(), 0
        while True:
            with self._readable():
                asked = book.ask(prices, limits, record=self._holder, rank=rank)
            self._tell(asked.left)
            if asked.reservation is not None:
                return Filled(asked.count), asked.reservation, asked.credits
            if asked.over is not None:
                fits = prices[0] <= min(limit for limit in (limits.day, limits.month) if limit is not None)
                until = begins_anew(asked.over, self._clock.now()) if fits else None
                return Filled(0, asked.over, until, self._no_room(prices[0], limits, asked.over)), None, 0
            if self._clock.monotonic() - began > PATIENCE:
                raise BudgetBusy(
                    f"Others are reserving what is left of the budget of {self._account.budget!r} ([adgen] budgets). "
                    "Nothing was sent. A retry helps."
                )
            tries += 1
            # Those who go first come back first; the others leave them the time.
            most = min(_LONGEST, (_SOON if asked.soon else _LATER) * 1.5**tries)
            self._clock.sleep_blocking(most * self._rng.random())

    def _tell(self, left: Mapping[Literal["day", "month"], int]) -> None:
        tags = {"vendor": self._account.vendor, "budget": self._account.budget}
        for period, amount in left.items():
            name = metrics.BUDGET_DAY_LEFT if period == "day" else metrics.BUDGET_MONTH_LEFT
            metrics.gauge(name, max(0, amount), tags)

    def _no_room(self, price: int, limits: Limits, over: Literal["day", "month"]) -> str:
        limit = limits.month if over == "month" else limits.day
        do = "does" if price == 1 else "do"
        return (
            f"{counted(price, 'credit')} {do} not fit into the budget of {self._account.budget!r} for this {over}: "
            f"{counted(limit or 0, 'credit')} ([adgen] budgets)."
        )


def _exceeded(filled: Filled) -> BudgetExceeded:
    when = (
        f"Raise the budget and clear the task, or wait: it begins anew with the next {filled.over}, UTC."
        if filled.until is not None
        else "It costs more than a whole budget: no retry helps."
    )
    advice = f"Nothing was sent or charged for this request. {when}"
    return BudgetExceeded(filled.why, until=filled.until, advice=advice)
