# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch knows of each of its accounts while a leg runs: whether it takes submissions, and what it may cost."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.batch import EQUAL_REFUSALS, UNANSWERED
from airflow_provider_adgen.lifecycle.legs import SubmitLater

if TYPE_CHECKING:
    from airflow_provider_adgen.core.errors import AdGenError, ApiError
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.ledger.purse import Purse

UNPROTECTED, PROTECTED = 4, 16
"""Submissions to one account at the same time: where no idempotency key protects them, and where one does."""

SILENCE = 30.0
"""Seconds for which an account that does not answer gets no new submissions."""

LOWERED = 300.0
"""Seconds for which an account is given no more jobs than it had when it refused another one."""

_TOO_MANY_JOBS = re.compile(r"active|in.?flight|concurren|simultaneous|at once|running|parallel", re.IGNORECASE)


class BatchAccount:
    """
    One account of a batch.

    :param hook: the account.
    :param max_credits: the most that the batch may cost there; None for no limit.
    :param purse: what it may spend under ``[adgen] budgets``.
    :param in_flight_limit: how many jobs the vendor says it may have under way; None where it does not say.
    """

    def __init__(
        self, hook: AdGenHook, max_credits: int | None, purse: Purse, in_flight_limit: int | None = None
    ) -> None:
        self.hook = hook
        self.purse = purse
        self.covered = 0
        """Submissions that are reserved for and not made yet."""

        self.conn_id = hook.conn_id
        self.vendor = hook.vendor
        self.max_credits = max_credits
        self.in_flight_limit = in_flight_limit
        self.committed = 0
        """Credits that are spent, under way or about to be spent."""

        self.in_flight = 0
        """Jobs under way, and submissions that are being made."""

        self.posting = 0
        """Submissions that are being made."""

        self.short_at = 0
        """So many submissions were being made when its budget had no room: what is refused of them leaves some."""

        self.accepted = False
        """It has accepted something, so its refusals are about the items."""

        self.stopped: str | None = None
        """Why nothing more is sent to it in this try."""

        self.later: SubmitLater | None = None
        """Why it takes nothing just now, and until when."""

        self.no_budget_until = 0.0
        """Unix time until which its budget has no room for anything that is not reserved yet."""

        self.waited_for = ""
        """What it waited for last, where that is known from an earlier leg; it may be waiting for that still."""

        self._no_budget = ""

        # Why it seems to refuse everything.
        self._suspicion: str | None = None
        self._unanswered = 0
        self._refusals: Counter[tuple[int, str | None]] = Counter()
        self._lowered_to: int | None = None
        self._lowered_until = 0.0

    def delay(self, now: float, *, reserved: bool) -> float:
        """
        Return the seconds until something may be submitted to it, as far as that is known.

        :param now: Unix time.
        :param reserved: it may have been accepted before, and is counted already.
        """
        held = max(self.hook.submit_delay(), self.later.not_before - now if self.later is not None else 0.0)
        return held if reserved else max(held, self.no_budget_until - now)

    def limit(self, now: float) -> int | None:
        """Return how many jobs it may have under way; None for any number."""
        limits = [one for one in (self.in_flight_limit, self._lowered_to if now < self._lowered_until else None) if one]
        return min(limits, default=None)

    def has_room(self, kind: str, now: float) -> bool:
        """Whether another submission may be made now, as far as this account is concerned."""
        rule = self.vendor.promises.idempotency
        width = PROTECTED if rule is not None and rule.covers(kind) else UNPROTECTED
        limit = self.limit(now)
        if self._suspicion is not None and not self.accepted:
            return False
        return self.posting < width and (limit is None or self.in_flight < limit)

    def affords(self, price: int | None) -> bool:
        """Whether a submission stays within ``max_credits``."""
        return self.max_credits is None or (price is not None and self.committed + price <= self.max_credits)

    def wait(self, later: SubmitLater, said: str | None, now: float) -> None:
        """
        Take in that it takes nothing just now.

        :param later: until when.
        :param said: what it said, if it refused something.
        """
        if said and _TOO_MANY_JOBS.search(said) and self.in_flight > self.posting:
            # Not the pace is too high: there is room again when a job is over.
            self._lowered_to, self._lowered_until = max(1, self.in_flight - self.posting), now + LOWERED
            return
        if self.later is None or later.not_before > self.later.not_before:
            self.later = later

    def out_of_budget(self, until: float, why: str) -> None:
        """Take in that its budget has no room for anything new until a Unix time, and why."""
        self.no_budget_until, self._no_budget = until, why

    def why(self, now: float) -> str:
        """Return why nothing new was submitted to it until now; empty where nothing is known of that."""
        if now < self.no_budget_until:
            return self._no_budget
        return self.later.reason if self.later is not None else self.waited_for

    def reopened(self, now: float) -> None:
        """Forget a wait that is over."""
        if self.later is not None and self.later.not_before <= now:
            self.waited_for = self.later.reason
            self.later = None

    def answered(self) -> None:
        """Take in that it accepted a submission."""
        self.accepted, self._unanswered, self.waited_for = True, 0, ""

    def unanswered(self, now: float) -> None:
        """
        Take in that nobody knows what became of a submission.

        A network that breaks takes all submissions with it. Where no key can settle them, nothing more is sent in this
        try; otherwise new ones wait, while those before are repeated.
        """
        self._unanswered += 1
        if self._unanswered < UNANSWERED:
            return
        if self.vendor.promises.idempotency is None:
            self.stop(
                f"{self.vendor.title} left {self._unanswered} submissions in a row of connection {self.conn_id!r} "
                "without an answer, and has no idempotency keys that could settle them."
            )
        else:
            self.later = SubmitLater(self.conn_id, "it does not answer", now + SILENCE)

    def refused(self, error: ApiError) -> None:
        """
        Take in that it refused an item for what it asks.

        A wrong base URL answers 404 to everything: that says nothing about the items. What another server says is
        equal whatever it says. Refusals come sooner than acceptances, so :meth:`settle` waits for those that are on
        their way.
        """
        self._unanswered = 0
        if self.accepted:
            return
        words = error.code or error.happened if error.own_words else None
        self._refusals[error.status, words] += 1
        if max(self._refusals.values()) < EQUAL_REFUSALS:
            return
        self._suspicion = (
            f"{self.vendor.title} refused {EQUAL_REFUSALS} submissions of connection {self.conn_id!r} equally and has "
            f"accepted none, the last with: {error.message} Is its host right? Nothing was moved to another account."
        )

    def settle(self) -> None:
        """Stop it if it has refused all that is back, and nothing is on its way."""
        if self._suspicion is not None and self.posting == 0:
            if not self.accepted:
                self.stop(self._suspicion)
            self._suspicion = None

    def stop(self, reason: AdGenError | str) -> None:
        """Send nothing more to it in this try."""
        self.stopped = self.stopped or (reason if isinstance(reason, str) else reason.message)
