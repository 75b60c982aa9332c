# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What follows for one item of a batch, by its record: pure functions, no I/O.

What a submission does is :func:`.decide`'s to say, as for one generation. Here is decided which of an item's choices it
is about, and what the item is called at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    AuthenticationError,
    BudgetExceeded,
    InsufficientCredits,
    InvalidRequest,
    PermissionDenied,
    RateLimited,
    SpendingForbidden,
)
from airflow_provider_adgen.core.vocabulary import GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.core.vendor import Promises

MOVING = frozenset({400, 404, 413, 422})
"""Refusals after which the same item may be sent to its next choice: they blame the request."""

EQUAL_REFUSALS = 5
"""So many equal refusals before an account has accepted anything are not about the items."""


UNANSWERED = 5
"""After so many submissions in a row without an answer, an account gets no new ones for a while."""


class ItemStatus(StrEnum):
    """What became of an item."""

    COMPLETED = "completed"
    REUSED = "reused"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    REMOVED = "removed"
    SUBMITTED = "submitted"
    WAITING = "waiting"


WITH_RESULT = frozenset({ItemStatus.COMPLETED, ItemStatus.REUSED})
NOT_COUNTED = frozenset({ItemStatus.SKIPPED, ItemStatus.REMOVED})
ALWAYS_FAIL = frozenset({ItemStatus.UNKNOWN, ItemStatus.SUBMITTED})


class Stop(StrEnum):
    """Why nothing new is submitted in this try."""

    ACCOUNT = "account"
    """The account takes nothing more: it refused something, or its budget is used up."""

    FAILURE = "failure"
    """An item failed or was refused, and ``on_item_failure`` is ``stop``."""

    TIME = "time"
    """The time in which the try may submit is over."""


def settles(stop: Stop, *, is_open: bool) -> bool:
    """
    Return whether an item's leg runs although nothing new is submitted.

    A submission that may have been accepted is then still repeated with its key where :func:`.decide` says that it does
    not pay again: it was counted when it was sent, and keys do not last. It also writes down what is known otherwise.

    :param stop: why nothing new is submitted.
    :param is_open: a submission of the item may have been accepted.
    """
    return is_open and stop is not Stop.TIME


class Do(StrEnum):
    """What to do about an item."""

    SUBMIT = "submit"
    """Submit it, or go on with a submission whose outcome is open."""

    COLLECT = "collect"
    """A job is under way: wait for it, then store its result."""

    RETURN = "return"
    """Its result is delivered."""

    FAIL = "fail"
    """Its job failed, and this try submits nothing for it."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """
    Why one choice of an item cannot be sent in this try. It was found before the batch began.

    :param reason: a sentence for a person.
    :param moves: it is about the item, which goes to its next choice. Otherwise the item waits in this try, because an
        outage moves nothing to another account.
    :param retry_helps: whether the next try may find it gone.
    """

    reason: str
    moves: bool
    retry_helps: bool


@dataclass(frozen=True)
class Step:
    """
    What to do about an item.

    :param do: what.
    :param choice: of which choice; None where the record is of a request that is none of them any more.
    :param anew: a generation that is over is not taken, although it is this item's: another one is paid for.
    :param moved: the recorded job was another choice's, and its refund is documented.
    """

    do: Do
    choice: int | None = 0
    anew: bool = False
    moved: bool = False


def next_step(
    record: Record,
    fingerprints: Sequence[str],
    *,
    try_number: int,
    epoch: int,
    on_clear: Literal["missing", "fresh", "reattach"],
    on_failed: Literal["fail", "resubmit"] | None,
    promises: Callable[[str], Promises],
    refused: Collection[int] = (),
) -> Step:
    """
    Return what to do about an item.

    :param record: what is recorded of it.
    :param fingerprints: of the requests of its choices, in their order.
    :param try_number: this try.
    :param epoch: Airflow's ``max_tries``, which changes when a user clears the task.
    :param on_clear: what the author chose.
    :param on_failed: what the author chose.
    :param promises: returns what a vendor documents, by its name.
    :param refused: the choices that their :class:`Obstacle` moves it from: no failure moves it to one of them.
    """
    last = record.counting
    if last is None or last.phase == "withdrawn":
        return Step(Do.SUBMIT, 0)
    where = fingerprints.index(last.fingerprint) if last.fingerprint in fingerprints else None
    cleared = last.epoch != epoch
    match last.phase:
        case "intent":
            return Step(Do.SUBMIT, where)
        case "done":
            return Step(Do.SUBMIT, 0, anew=True) if cleared and on_clear == "fresh" else Step(Do.RETURN, where)
        case _ if last.ended is None:
            return Step(Do.COLLECT, where)
    if cleared and on_clear != "reattach":
        return Step(Do.SUBMIT, 0, anew=True)
    if where is None or last.ended == GenerationStatus.CANCELED:
        return Step(Do.FAIL, where)  # somebody canceled it on purpose: no retry submits it again
    before = last.try_number != try_number and last.wait_try != try_number
    if on_failed is None and last.ended in promises(last.vendor).refunded:
        tried = {one.fingerprint for one in record.attempts if one.epoch == last.epoch and not _put_off(one)}
        untried = [index for index, one in enumerate(fingerprints) if one not in tried and index not in refused]
        if untried:
            return Step(Do.SUBMIT, untried[0], moved=True)
        return Step(Do.SUBMIT if before else Do.FAIL, where)
    return Step(Do.SUBMIT if before and on_failed == "resubmit" else Do.FAIL, where)


def under_way(last: Attempt | None) -> bool:
    """
    Return whether the attempt that counts has, or may have, a job that is not over.

    Another attempt may follow it that started nothing: then an error of this one's job is no refusal of that one.
    """
    return last is not None and (last.phase == "intent" or (last.phase == "submitted" and last.ended is None))


def _put_off(attempt: Attempt) -> bool:
    """Whether a submission started nothing, for a reason that says nothing about what it asked for."""
    return attempt.phase == "withdrawn" and not MOVING & set(attempt.statuses)


def may_move(error: AdGenError, promises: Promises) -> bool:
    """
    Return whether an item may go to its next choice after a refusal that started nothing.

    :param error: the refusal of a submission whose key was never posted before.
    :param promises: what the vendor that refused it documents.
    """
    return (
        isinstance(error, ApiError)
        and error.status in MOVING
        and error.status in promises.nothing_started
        and error.own_words
    )


def choice_after(record: Record, fingerprints: Sequence[str], refused: int | None, *, try_number: int) -> int | None:
    """
    Return the choice to which a refused item goes; None where none is left.

    It goes forward only, and to nothing that was refused in this try, however often that stands among the choices.

    :param record: what is recorded of the item.
    :param fingerprints: of the requests of its choices, in their order.
    :param refused: the choice that was refused; None where it was a request that is none of them any more.
    :param try_number: this try.
    """
    tried = {one.fingerprint for one in record.attempts if one.try_number == try_number and not _put_off(one)}
    start = 0 if refused is None else refused + 1
    tried.update(fingerprints[:start][-1:])
    return next((index for index in range(start, len(fingerprints)) if fingerprints[index] not in tried), None)


def stops_account(error: AdGenError, vendor: str) -> bool:
    """Whether a refusal is about the account and not about the item: then nothing more is sent to it in this try."""
    if isinstance(error, BudgetExceeded | SpendingForbidden):
        return True
    if isinstance(error, PermissionDenied):
        # CinematicAds answers 403 where a project or a brand is somebody else's, which is the item's fault.
        return vendor != "cinematicads"
    return isinstance(error, AuthenticationError | InsufficientCredits)


def obstacle(error: AdGenError, promises: Promises, reason: str) -> Obstacle:
    """
    Return what a failure to prepare a choice means for the items that need it.

    :param error: what stopped a request that is not paid for, such as the creation of the vendor's product.
    :param promises: what the vendor documents.
    :param reason: the sentence for a person.
    """
    moves = isinstance(error, InvalidRequest) or may_move(error, promises)
    return Obstacle(reason, moves, retry_helps=error.retry_helps)


def ends_asking(error: AdGenError, vendor: str) -> bool:
    """Whether an error of one such request says that the others to the same account need not be tried now."""
    return isinstance(error, RateLimited) or stops_account(error, vendor)


def fate(record: Record | None, error: Exception) -> ItemStatus:
    """
    Return what an item is called whose leg ended with an error: what is recorded of it counts first.

    :param record: what is recorded of it; None where that cannot be read.
    :param error: what stopped it.
    """
    if record is None:
        return ItemStatus.UNKNOWN
    last = record.counting
    if last is None or last.phase == "withdrawn":
        helps = not isinstance(error, AdGenError) or error.retry_helps
        return ItemStatus.WAITING if helps else ItemStatus.REFUSED
    if last.phase == "intent":
        return ItemStatus.UNKNOWN
    if last.phase == "submitted" and last.ended is None:
        return ItemStatus.SUBMITTED
    return ItemStatus.FAILED


def note_holds(status: str, last: Attempt | None, step: Step) -> bool:
    """
    Return whether what an earlier leg of the same try noted of an item still holds.

    :param status: what it noted; empty for nothing.
    :param last: the attempt that counts.
    :param step: what is to be done about the item, by its record.
    """
    match status:
        case ItemStatus.UNKNOWN:
            return last is not None and last.phase == "intent"
        case ItemStatus.SUBMITTED:
            return step.do is Do.COLLECT
        case ItemStatus.FAILED:
            return step.do is Do.FAIL
        case ItemStatus.REFUSED | ItemStatus.WAITING | ItemStatus.REUSED:
            return last is None or last.phase == "withdrawn"
        case _:
            return False


def batch_fails(statuses: Collection[ItemStatus], fail_when: str | float) -> bool:
    """
    Return whether a batch fails.

    :param statuses: of all its items.
    :param fail_when: ``any``, ``all``, or the share of items without a result that must not be exceeded.
    """
    counted = [one for one in statuses if one not in NOT_COUNTED]
    if all(one is ItemStatus.REMOVED for one in statuses) or any(one in ALWAYS_FAIL for one in counted):
        return True
    without = sum(1 for one in counted if one not in WITH_RESULT)
    if fail_when == "any":
        return without > 0
    if fail_when == "all":
        return without == len(counted) > 0
    # As a quotient: 0.29 * 100 is less than 29.
    return without > 0 and without / len(counted) > float(fail_when)
