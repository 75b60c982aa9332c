# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Buyers who go through a purse as a task does, and a vendor that takes down what it sold and when."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.decisions.budgets import day_of
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.purse import Purse
from airflow_provider_adgen.ledger.stores import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = Account("adsumo", "adsumo_default", "https://ads.example/api/v1", Secret("k"))
NOON = 1795867200.0
"""2026-11-28, 12:00 UTC."""

log = logging.getLogger(__name__)


class VirtualTime(Clock):
    """
    Time that only a test moves, and that a sleep moves too; or time that passes faster than it does.

    :param now: Unix time to begin with.
    :param really: how long a second really takes; 0 for no time at all.
    """

    def __init__(self, now: float = NOON, *, really: float = 0.0) -> None:
        self.current = now
        self._really = really
        self._began = time.monotonic()
        self._wait = threading.Event().wait

    def now(self) -> float:
        passed = (time.monotonic() - self._began) / self._really if self._really else 0.0
        return self.current + passed

    def monotonic(self) -> float:
        return self.now()

    def sleep_blocking(self, seconds: float) -> None:
        if self._really:
            self._wait(seconds * self._really)
        else:
            self.current += seconds


class Died(BaseException):
    """The process died here."""


class Market:
    """What a vendor sold, by day of the intent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sold: Counter[str] = Counter()
        self.count = 0

    def sell(self, price: int, intended_at: float) -> str:
        with self._lock:
            self.sold[day_of(intended_at)] += price
            self.count += 1
            return f"job-{self.count}"

    def refund(self, price: int, intended_at: float) -> None:
        with self._lock:
            self.sold[day_of(intended_at)] -= price


class Buyer:
    """
    One task that buys one thing, under a record of its own.

    :param base: ``ledger_path``.
    :param market: who sells.
    :param clock: time.
    :param at: called with the name of each place that the buyer gets to; it may die there.
    """

    def __init__(
        self, base: str, market: Market, clock: Clock, *, at: Callable[[str], None] = lambda _: None, name: str = ""
    ) -> None:
        self.parts = ["dag", "run", name or uuid.uuid4().hex, "-1"]
        self.clock = clock
        self.market = market
        self.at = at
        self.purse = Purse(ACCOUNT, self.parts, clock=clock, log=log)
        self.ledger = Ledger([ObjectStore.at(base, self.parts)], clock=clock)
        self.ledger.on_write = self._written

    def _written(self, attempt: Attempt, _before: Attempt | None) -> None:
        self.at("settlement")
        self.purse.note(attempt)

    def intend(self, price: int, reservation: str | None) -> Attempt:
        now = self.clock.now()
        attempt = Attempt(
            phase="intent",
            epoch=0,
            fingerprint="f",
            vendor="adsumo",
            conn_id="adsumo_default",
            request_kind="x",
            intended_at=now,
            clock_at=now,
            post_seconds=60.0,
            price=price,
            reservation=reservation,
            posters=["p"],
        )
        return self.ledger.write(attempt)

    def withdraw(self, attempt: Attempt) -> None:
        self.ledger.write(attempt.model_copy(update={"phase": "withdrawn", "withdrawn_by": ["p"]}))

    def buy(self, price: int) -> Attempt:
        """Buy it, or raise what the purse raises; as a submission does it."""
        while True:
            reservation = self.purse.take(price)
            self.at("reserved")
            attempt = self.intend(price, reservation)
            self.at("intended")
            if not self.purse.stands(reservation, attempt.began_at):
                self.withdraw(attempt)
                continue
            self.at("posting")
            job = self.market.sell(price, attempt.began_at)
            self.at("sold")
            changes = {"phase": "submitted", "job_ids": [job], "answered": True}
            return self.ledger.write(attempt.model_copy(update=changes))

    def refunded(self, attempt: Attempt) -> Attempt:
        """The job failed, and its price was given back."""
        self.market.refund(attempt.price or 0, attempt.began_at)
        return self.ledger.write(attempt.model_copy(update={"ended": "failed", "refunded": attempt.price}))
