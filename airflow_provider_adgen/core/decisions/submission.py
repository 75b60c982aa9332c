# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What a task that wants one paid generation does next. One pure function, :func:`decide`; no I/O, no Airflow.

Each leg asks it first, and asks it again after each submission that went wrong. So one place decides whether money is
spent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.identity import changed_fields
from airflow_provider_adgen.core.vocabulary import GenerationStatus

if TYPE_CHECKING:
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.core.vendor import Idempotency, Promises

SAME_FAILURE_LIMIT = 3
"""So many equal error answers to one attempt settle that repeating does not help."""

ACCOUNT_REFUSALS = frozenset({402, 403})
"""
Answers that blame the account. To a repeat, they say nothing about the submission; once the account is put right, the
same key still tells. (After a 401 the account's key changes, and nothing is promised about the same key there.)
"""

REFUSED_PAUSE = 1.0
"""Seconds before a submission that was refused for now is made again, the first time."""

UNTOLD_PAUSE = 90.0
"""Seconds before a submission that was refused for now is made again, where the vendor does not say when."""

_FIRST_PAUSE = 5.0
_SHORT_PAUSE = 1.0
_LONGEST_PAUSE = 600.0

MISSING = "missing"
"""What the vendor says of a job it does not know (404)."""

LOST = "lost"
"""What the vendor says of a job that is over, whose result it gave once and does not give again."""


class Action(StrEnum):
    """What to do next."""

    SUBMIT = "submit"
    """Write a new intent and post it: this spends credits."""

    REPEAT = "repeat"
    """Post the recorded attempt again with its own key: does not pay again, as the vendor documents."""

    ASK = "ask"
    """Ask the vendor what became of the recorded job, then decide again."""

    ATTACH = "attach"
    """Wait for the recorded job."""

    RETURN = "return"
    """Return the recorded result."""

    WAIT = "wait"
    """Wait, then decide again."""

    STOP = "stop"
    """Stop and say why; nothing is sent."""


class Why(StrEnum):
    """The reason for a decision. Each reason to stop has a message of its own."""

    NOTHING_YET = "nothing was submitted before"
    WITHDRAWN = "the earlier attempt started nothing"
    CLEARED = "the task was cleared and the earlier generation was over"
    CLEARED_CHANGED = "the task was cleared and its input had changed"
    CLEARED_LOST = "the task was cleared and the earlier result cannot be had again"
    CHANGED_FRESH = "the input changed and a fresh generation was asked for"
    FAILED_REFUNDED = "the earlier job failed and its refund is documented"
    FAILED_RESUBMIT = "the earlier job failed and on_failed asks to submit again"
    MOVED = "the job of another choice failed and its refund is documented"
    UNKNOWN_RESUBMIT = "nobody knows about the earlier submission and on_unknown_submission accepts the risk"
    NO_RECORD_KEYED = "there is no record, and the vendor knows the key"
    NO_RECORD_FIRST = "there is no record, and this is the first try"
    NO_RECORD_RESUBMIT = "there is no record and on_unknown_submission accepts the risk"
    KEY_PROTECTS = "the vendor documents that the same key does not pay again"
    RESULT_BY_KEY = "the result is only given with the answer to the submission"
    RECORDED = "a job is recorded"
    STILL_RUNNING = "the recorded job is not over"
    DELIVERED = "the recorded generation was delivered"
    YOUNG_INTENT = "the process that wrote the intent may still be submitting"
    PAUSE = "the vendor gets a pause before the same submission is repeated"
    REPEAT_REFUSED = "the vendor refused the repeat because of its account, and the same key can still tell later"
    UNRESOLVED = "nobody knows whether the earlier submission was accepted"
    NO_RECORD = "there is no record of what an earlier try submitted"
    CHANGED_INPUT = "the input changed since a generation was submitted"
    FAILED = "the recorded job failed"
    CANCELED = "the recorded job was canceled"
    EXPIRED = "the recorded job expired at the vendor"
    MISSING_JOB = "the vendor does not know the recorded job"
    RESULT_LOST = "the recorded result was given once and cannot be asked for again"


@dataclass(frozen=True)
class Policy:
    """
    What the DAG's author chose; see :class:`GenerateOperator`.

    :param on_clear: ``fresh`` or ``reattach``.
    :param on_unknown_submission: ``fail`` or ``resubmit``.
    :param on_failed: None (resubmit only where a refund is documented), ``fail`` or ``resubmit``.
    :param on_changed_input: ``fail``, ``reattach`` or ``fresh``.
    """

    on_clear: Literal["fresh", "reattach"] = "fresh"
    on_unknown_submission: Literal["fail", "resubmit"] = "fail"
    on_failed: Literal["fail", "resubmit"] | None = None
    on_changed_input: Literal["fail", "reattach", "fresh"] = "fail"


@dataclass(frozen=True)
class Situation:
    """
    All that a decision depends on.

    :param record: what is recorded; None where there is no store to record in.
    :param promises: what the vendor documents.
    :param policy: what the DAG's author chose.
    :param kind: the request's word.
    :param synchronous: its result arrives with the answer to the submission only.
    :param epoch: Airflow's ``max_tries``.
    :param try_number: this try.
    :param fingerprint: hash of this request and account.
    :param fields: hash of each of its fields.
    :param key_tag: short hash of the account's key.
    :param now: Unix time.
    :param resumed: this is a later leg of the try that submitted.
    :param own: this process made the last attempt and knows that its posting is over.
    :param waits: it waits for credits where they are missing.
    :param moved: where the recorded job is another choice's of the same item, its refund is documented: this submission
        takes its place.
    :param says: the status of the recorded job at the vendor, :data:`MISSING`, :data:`LOST`, or None while not asked.
    """

    record: Record | None
    promises: Promises
    policy: Policy
    kind: str
    epoch: int
    fingerprint: str
    fields: dict[str, str]
    now: float
    key_tag: str = ""
    synchronous: bool = False
    try_number: int = 1
    resumed: bool = False
    own: bool = False
    waits: bool = False
    moved: bool = False
    says: str | None = None


@dataclass(frozen=True)
class Decision:
    """
    What to do, and why.

    :param action: what to do.
    :param why: the reason.
    :param attempt: the recorded attempt it is about.
    :param seconds: how long to wait, for ``WAIT``.
    :param changed: the fields that changed, for ``CHANGED_INPUT``.
    """

    action: Action
    why: Why
    attempt: Attempt | None = None
    seconds: float = 0.0
    changed: tuple[str, ...] = ()

    @property
    def subject(self) -> Attempt:
        """The attempt that it is about, where it must be about one."""
        if self.attempt is None:
            raise InvalidRequest(
                f"A decision to {self.action} is about no attempt; this is a defect. Nothing was sent."
            )
        return self.attempt


def decide(situation: Situation) -> Decision:
    """Return what to do next; see ``docs/decisions`` for the table of all cases."""
    record = situation.record
    if record is None:
        return _without_record(situation)
    # A withdrawn attempt bought nothing. What counts is what was bought, or may have been bought, before it.
    last = record.counting
    if last is None:
        return Decision(Action.SUBMIT, Why.NOTHING_YET)
    if last is not record.last:
        # This try was refused: it has bought nothing that it could go on with.
        situation = replace(situation, resumed=False)
    match last.phase:
        case "withdrawn":
            return Decision(Action.SUBMIT, Why.WITHDRAWN, last)
        case "intent":
            return _unresolved(situation, last)
        case "submitted":
            return _submitted(situation, last)
        case "done":
            return _done(situation, last)


def _without_record(situation: Situation) -> Decision:
    rule = situation.promises.idempotency
    if situation.try_number <= 1 and not situation.resumed:
        return Decision(Action.SUBMIT, Why.NO_RECORD_FIRST)
    if rule is not None and rule.covers(situation.kind) and not rule.while_running:
        # A key that protects only a running job proves nothing on a later try.
        return Decision(Action.SUBMIT, Why.NO_RECORD_KEYED)
    if situation.policy.on_unknown_submission == "resubmit":
        return Decision(Action.SUBMIT, Why.NO_RECORD_RESUBMIT)
    return Decision(Action.STOP, Why.NO_RECORD)


def _unresolved(situation: Situation, last: Attempt) -> Decision:
    deadline = last.began_at + last.post_seconds
    rule = situation.promises.idempotency
    until = key_tells_until(last, rule)
    same = last.fingerprint == situation.fingerprint and last.key_tag == situation.key_tag
    if not situation.own and situation.now < deadline:
        return Decision(Action.WAIT, Why.YOUNG_INTENT, last, seconds=deadline - situation.now)
    if until is not None and same and rule is not None:
        # A key that protects only while the job runs expires soon: its repeats follow more quickly.
        earliest = 0.0 if rule.while_running else deadline
        delay = repeat_delay(len(last.statuses), _SHORT_PAUSE if rule.while_running else _FIRST_PAUSE)
        due = max(situation.now, earliest, (last.sent_at or 0.0) + delay, last.retry_at or 0.0)
        if due < until:
            if situation.own and _refused_for_account(last, waits=situation.waits):
                # This try changes nothing about that. The next one repeats it, if the key lasts until then.
                return (
                    _settle(situation, last) if rule.while_running else Decision(Action.STOP, Why.REPEAT_REFUSED, last)
                )
            if situation.now < due:
                return Decision(Action.WAIT, Why.PAUSE, last, seconds=due - situation.now)
            return Decision(Action.REPEAT, Why.KEY_PROTECTS, last)
    return _settle(situation, last)


def _settle(situation: Situation, last: Attempt) -> Decision:
    if situation.policy.on_unknown_submission == "resubmit":
        return Decision(Action.SUBMIT, Why.UNKNOWN_RESUBMIT, last)
    return Decision(Action.STOP, Why.UNRESOLVED, last)


def key_tells_until(last: Attempt, rule: Idempotency | None) -> float | None:
    """
    Return until when a repeat with an open attempt's key tells whether it was accepted, in Unix time.

    None where a repeat tells nothing, or has told nothing too often.
    """
    told = rule is not None and rule.covers(last.request_kind) and last.key is not None and not last.unknown
    return last.began_at + rule.seconds if rule is not None and told and not _stuck(last) else None


def _stuck(last: Attempt) -> bool:
    return _always(last) not in {None, 0, 429, *ACCOUNT_REFUSALS}


def _refused_for_account(last: Attempt, *, waits: bool) -> bool:
    status = _always(last)
    return status in ACCOUNT_REFUSALS and not (waits and status == 402)


def _always(last: Attempt) -> int | None:
    """Return the status that the last postings all came to; None where they differ, or were few."""
    tail = last.statuses[-SAME_FAILURE_LIMIT:]
    return tail[0] if len(tail) == SAME_FAILURE_LIMIT and len(set(tail)) == 1 else None


def repeat_delay(sends: int, first: float = _FIRST_PAUSE) -> float:
    """Return the seconds between the end of a posting and its repeat; it doubles each time."""
    return min(_LONGEST_PAUSE, first * float(2 ** min(max(0, sends - 1), 16)))


def refusal_delay(refusals: int, asked: float | None = None) -> float:
    """
    Return the seconds after which a submission is made again that the vendor refused for now.

    It is what the vendor asks for, but never less than a pause that doubles with each refusal in a row.

    :param refusals: how often it was refused before, one time after the other.
    :param asked: seconds that the vendor asks to wait; None where it does not say.
    """
    backoff = min(_LONGEST_PAUSE, REFUSED_PAUSE * float(2 ** min(max(0, refusals), 16)))
    return max(backoff, UNTOLD_PAUSE if asked is None else asked)


def _submitted(situation: Situation, last: Attempt) -> Decision:
    if situation.moved and last.fingerprint != situation.fingerprint:
        # Once this choice has a job of its own, that one counts.
        return Decision(Action.SUBMIT, Why.MOVED, last)
    if situation.resumed:
        # A try has one input. Templates that render differently by the minute must not matter.
        return _collect(situation, last)
    cleared = last.epoch != situation.epoch and situation.policy.on_clear == "fresh"
    changed = last.fingerprint != situation.fingerprint
    if changed:
        if cleared:
            return Decision(Action.SUBMIT, Why.CLEARED_CHANGED, last)
        decision = _changed(situation, last)
        if decision is not None:
            return decision
    if situation.says is None and not (situation.synchronous or last.result is not None):
        return Decision(Action.ASK, Why.RECORDED, last)
    return _by_status(situation, last, cleared=cleared)


def _changed(situation: Situation, last: Attempt) -> Decision | None:
    match situation.policy.on_changed_input:
        case "fresh":
            return Decision(Action.SUBMIT, Why.CHANGED_FRESH, last)
        case "reattach":
            return None
        case "fail":
            names = tuple(changed_fields(last.fields, situation.fields))
            return Decision(Action.STOP, Why.CHANGED_INPUT, last, changed=names)


def _by_status(situation: Situation, last: Attempt, *, cleared: bool) -> Decision:
    match situation.says:
        case "missing":
            return Decision(Action.STOP, Why.MISSING_JOB, last)
        case GenerationStatus.FAILED | GenerationStatus.CANCELED | GenerationStatus.EXPIRED as status:
            return _ended_badly(situation, last, GenerationStatus(status), cleared=cleared)
        case "lost":
            decision = Decision(Action.STOP, Why.RESULT_LOST, last)
        case _:
            decision = _collect(situation, last)
    if cleared and decision.why == Why.RESULT_LOST:
        return Decision(Action.SUBMIT, Why.CLEARED_LOST, last)
    return decision


def _ended_badly(situation: Situation, last: Attempt, status: GenerationStatus, *, cleared: bool) -> Decision:
    if cleared:
        return Decision(Action.SUBMIT, Why.CLEARED, last)
    if status == GenerationStatus.CANCELED:
        return Decision(Action.STOP, Why.CANCELED, last)
    if situation.policy.on_failed == "resubmit":
        return Decision(Action.SUBMIT, Why.FAILED_RESUBMIT, last)
    if situation.policy.on_failed is None and status in situation.promises.refunded:
        return Decision(Action.SUBMIT, Why.FAILED_REFUNDED, last)
    return Decision(Action.STOP, Why.EXPIRED if status == GenerationStatus.EXPIRED else Why.FAILED, last)


def _collect(situation: Situation, last: Attempt) -> Decision:
    if last.result is not None:
        return Decision(Action.RETURN, Why.DELIVERED, last)
    if not situation.synchronous:
        return Decision(Action.ATTACH, Why.STILL_RUNNING if situation.says else Why.RECORDED, last)
    rule = situation.promises.idempotency
    safe = (
        rule is not None
        and rule.covers(last.request_kind)
        and not rule.while_running
        and last.key is not None
        and last.key_tag == situation.key_tag
        and last.fingerprint == situation.fingerprint
        and situation.now < last.began_at + rule.seconds
    )
    if safe:
        return Decision(Action.REPEAT, Why.RESULT_BY_KEY, last)
    return Decision(Action.STOP, Why.RESULT_LOST, last)


def _done(situation: Situation, last: Attempt) -> Decision:
    if not situation.resumed:
        if last.epoch != situation.epoch and situation.policy.on_clear == "fresh":
            same = last.fingerprint == situation.fingerprint
            return Decision(Action.SUBMIT, Why.CLEARED if same else Why.CLEARED_CHANGED, last)
        if last.fingerprint != situation.fingerprint:
            decision = _changed(situation, last)
            if decision is not None:
                return decision
    stored = last.result or {}
    creatives = stored.get("creatives") or []
    if stored and (not creatives or all(isinstance(one, dict) and one.get("uri") for one in creatives)):
        return Decision(Action.RETURN, Why.DELIVERED, last)
    # Delivered without a destination: its links are gone from the record and are asked for again.
    return _collect(replace(situation, says=GenerationStatus.COMPLETED), last.model_copy(update={"result": None}))
