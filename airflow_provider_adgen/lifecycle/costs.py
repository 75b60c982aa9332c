# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a 402 means, and what a task's generation cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError, InsufficientCredits
from airflow_provider_adgen.core.vocabulary import estimate_mark
from airflow_provider_adgen.core.wording import counted

if TYPE_CHECKING:
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.attempt_log import AttemptLog


def missing(
    error: InsufficientCredits, price: int | None, hook: AdGenHook, log: Any
) -> tuple[int | None, int | None, bool]:
    """
    Return how many credits to wait for after a 402, how many there are, and whether those suffice already.

    Where they do, credits are not what is missing (a trial may be over). What cannot be found out is None.

    :param error: the vendor's answer.
    :param price: what the request is known to cost.
    :param hook: the account, whose balance is asked for unless the answer tells it; costs nothing.
    """
    needed = error.required if error.required is not None else price
    told = error.available
    if told is None or needed is None or told >= needed:
        told = _balance(hook, log)
    if told is None:
        return None, None, False
    if needed is None:
        # The price is not known, and these were too few.
        return told + 1, told, False
    return needed, told, told >= needed


def _balance(hook: AdGenHook, log: Any) -> int | None:
    try:
        return hook.with_current_key(hook.get_credits).remaining
    except AdGenError as error:
        log.warning("%s The balance is not known.", error.message)
        return None


def not_about_credits(error: InsufficientCredits, needed: int | None, told: int | None) -> InsufficientCredits:
    """Return the error for a 402 to an account that has enough credits."""
    return InsufficientCredits(
        f"{error.message} The account has {counted(told or 0, 'credit')} and this takes {needed}, so waiting for "
        "credits would not help.",
        vendor=error.vendor,
        endpoint=error.endpoint,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        required=needed,
        available=told,
    )


def say_cost(charged: int | None, price: int | None) -> str:
    """
    Return what a submission cost, as words.

    :param charged: what the vendor told.
    :param price: what counts where it told nothing; None where that is not known either.
    """
    if charged is not None:
        return counted(charged, "credit")
    return f"{counted(price, 'credit')}{estimate_mark(price, price)}" if price is not None else "cost unknown"


def put_costs(generation: Generation, quoted: int | None, attempt_log: AttemptLog) -> Generation:
    """
    Put onto *generation* what its task cost: credits quoted, and charged and refunded over all its submissions.

    The vendor says at the submission only what it charged; a submission before this one, whose job failed, was charged
    too, and given back where that is documented.
    """
    last, cost = attempt_log.counting, generation.credits
    if cost.quoted is None:
        cost.quoted = quoted
    if cost.charged is None and last is not None:
        cost.charged = last.charged
    earlier = attempt_log.earlier()
    if earlier and "earlier_submissions" not in generation.details:
        told = [one for one in (cost.charged, *(before.charged for before in earlier)) if one is not None]
        refunded = [one.refunded for one in earlier if one.refunded is not None]
        # A sum must not leave anything out silently.
        cost.charged = sum(told) if len(told) == 1 + len(earlier) else None
        if refunded:
            cost.refunded = (cost.refunded or 0) + sum(refunded)
        generation.details = {"earlier_submissions": len(earlier), **generation.details}
    return generation
