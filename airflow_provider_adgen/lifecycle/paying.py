# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Between a submission and the budget that pays for it: whoever has to wait, or stops, holds nothing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.errors import BudgetBusy, BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.ledger.purse import Purse
    from airflow_provider_adgen.lifecycle.attempt_log import AttemptLog
    from airflow_provider_adgen.lifecycle.legs import SubmitLater
    from airflow_provider_adgen.lifecycle.submit_options import Permit, SubmitOptions
    from airflow_provider_adgen.lifecycle.submit_window import SubmitWindow

BUSY_PAUSE = 15.0
"""Seconds before somebody tries again whom others kept from a budget for as long as one waits at it."""


@dataclass(frozen=True)
class Payment:
    """
    What pays for a posting.

    :param reservation: a reservation; None where there is no budget.
    :param price: what it counts for.
    """

    reservation: str | None
    price: int | None


def payment_for(
    attempt: Attempt | None,
    purse: Purse,
    attempt_log: AttemptLog,
    window: SubmitWindow,
    options: SubmitOptions,
    *,
    own: bool,
) -> Payment | SubmitLater | None:
    """
    Return what pays for a posting; when to try again; or None to decide again.

    :param attempt: the recorded attempt that is posted again; None for a new one.
    :param own: this process posted it before, and so it is counted.
    :raises BudgetExceeded: there is no room in the budget.
    :raises InvalidRequest: the price is not known, or the setting is wrong.
    """
    if attempt is not None and (attempt.phase != "intent" or own or purse.covers(attempt.reservation)):
        return Payment(attempt.reservation, attempt.price)
    price = attempt_log.price()
    try:
        return Payment(purse.take(price), price)
    except BudgetExceeded as error:
        if options.on_insufficient != "wait" or error.until is None:
            raise
        return window.until(error.until, "budget")
    except BudgetBusy:
        return window.pause(BUSY_PAUSE, "budget")


@contextlib.contextmanager
def given_back(purse: Purse, payment: Payment) -> Iterator[None]:
    """Give a payment back if the intent that it is for cannot be written."""
    try:
        yield
    except Exception:
        purse.give_back(payment.reservation, payment.price)
        raise


@contextlib.contextmanager
def withdrawn_unless_used(permit: Permit | None, claim: str | None, attempt_log: AttemptLog) -> Iterator[None]:
    """Give a claim up at the end, unless something is under way under it: whoever waits holds nothing."""
    try:
        yield
    finally:
        last = attempt_log.last
        if permit is not None and (last is None or last.claim != claim or last.phase == "withdrawn"):
            permit.withdraw()


def still_paid(purse: Purse, permit: Permit | None, attempt_log: AttemptLog, attempt: Attempt) -> bool:
    """Return whether an intent that was just written may be posted; otherwise withdraw it."""
    stands, reason = False, "what it needs could not be read again"
    try:
        if not purse.stands(attempt.reservation, attempt.began_at):
            reason = "its reservation was released before it could be posted"
        elif permit is not None and not permit.stands():
            reason = "another run has claimed it before it could be posted"
        else:
            stands = True
    finally:
        if not stands:
            attempt_log.withdraw(attempt, reason)
    return stands
