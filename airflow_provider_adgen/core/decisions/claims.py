# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What a claim on a creative means to another run that wants the same. Pure functions, no I/O.

A claim is written before an intent, and names the record of the item that is going to pay. What that record says since
decides: whether to wait, to claim it oneself, to use the result, or to stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.core.vocabulary import GenerationStatus

if TYPE_CHECKING:
    import random

    from airflow_provider_adgen.core.record import Attempt, Record

NO_INTENT_SECONDS = 600.0
"""A claim without an intent is void after so long: its process died before it wrote one."""

YOUNG_SECONDS = 900.0
"""So long after an intent's latest sign of life, its process may still settle it: repeats follow sooner than that."""

_BADLY = frozenset({GenerationStatus.FAILED, GenerationStatus.CANCELED, GenerationStatus.EXPIRED})

# Seconds before a run that waits looks again, at least and at most. Rivals must not come back together.
_SOON = (1.0, 10.0)
_LATER = (30.0, 60.0)


@dataclass(frozen=True)
class ClaimedWork:
    """
    What a record says of the submissions that were made under one claim.

    :param state: ``none`` (nothing was posted, or nothing was started), ``intent`` (it may be posted), ``submitted``
        (a job runs), ``done`` (it was delivered), ``failed`` (its job ended without a result) or ``unknown`` (nobody
        knows whether it was accepted).
    :param at: Unix time of an intent's latest sign of life.
    :param made_at: Unix time of the submission that was delivered.
    :param conn_id: the connection it was posted with.
    :param result: what was delivered, as in XCom.
    """

    state: Literal["none", "intent", "submitted", "done", "failed", "unknown"]
    at: float = 0.0
    made_at: float = 0.0
    conn_id: str = ""
    result: dict[str, Any] | None = None


class Standing(StrEnum):
    """What another run's claim means."""

    HOLDS = "holds"
    """Its run is about to submit, is submitting, or waits for its job: wait."""

    VOID = "void"
    """Nothing came of it, and nothing will."""

    MADE = "made"
    """It was made and stored."""

    UNKNOWN = "unknown"
    """Nobody knows whether its submission was accepted: stop."""


def claimed_work(record: Record, claim: str) -> ClaimedWork:
    """
    Return what *record* says of the submissions made under one claim.

    :param record: the record of the item that pays.
    :param claim: the claim's own id.
    """
    mine = [_work(one) for one in record.attempts if one.claim == claim]
    # One claim is for one submission. If there are several, what may have been paid for counts.
    return min(mine, key=lambda work: _GRAVITY.index(work.state), default=ClaimedWork("none"))


_GRAVITY = ("unknown", "intent", "submitted", "done", "failed", "none")


def _work(attempt: Attempt) -> ClaimedWork:
    match attempt.phase:
        case "intent" if attempt.unknown:
            return ClaimedWork("unknown")
        case "intent":
            deadline = attempt.began_at + attempt.post_seconds
            return ClaimedWork("intent", at=max(deadline, attempt.sent_at or 0.0, attempt.retry_at or 0.0))
        case "submitted" if attempt.ended in _BADLY:
            return ClaimedWork("failed")
        case "submitted":
            return ClaimedWork("submitted")
        case "withdrawn":
            return ClaimedWork("none")
        case "done":
            made_at = attempt.submitted_at or attempt.began_at
            return ClaimedWork("done", made_at=made_at, conn_id=attempt.conn_id, result=attempt.result)


def judge_claim(work: ClaimedWork, *, claimed_at: float, now: float, given_up: bool = False) -> Standing:
    """
    Return what another run's claim means.

    :param work: what its record says.
    :param claimed_at: Unix time of the claim.
    :param now: Unix time.
    :param given_up: its own run has withdrawn it, or another run has found it void.
    """
    match work.state:
        case "none":
            return Standing.VOID if given_up or now - claimed_at >= NO_INTENT_SECONDS else Standing.HOLDS
        case "intent":
            return Standing.HOLDS if now - work.at < YOUNG_SECONDS else Standing.UNKNOWN
        case "submitted":
            return Standing.HOLDS
        case "done":
            return Standing.MADE if is_stored(work.result) else Standing.VOID
        case "failed":
            return Standing.VOID
        case "unknown":
            return Standing.UNKNOWN


def is_stored(generation: dict[str, Any] | None) -> bool:
    """Whether a generation, as in XCom, has a result, and each of its files is in object storage."""
    if not generation:
        return False
    creatives = generation.get("creatives") or []
    stored = isinstance(creatives, list) and all(isinstance(one, dict) and one.get("uri") for one in creatives)
    return stored and bool(creatives or generation.get("variants"))


def claim_pause(work: ClaimedWork, rng: random.Random) -> float:
    """
    Return after how many seconds a run that waits for another one's claim looks again.

    :param work: what the other one's record says.
    :param rng: jitter.
    """
    return rng.uniform(*(_LATER if work.state == "submitted" else _SOON))
