# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The messages of a task that stops instead of spending money."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_adgen.core.decisions.posting import refused_for_good
from airflow_provider_adgen.core.decisions.submission import Decision, Why, key_tells_until
from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    Conflict,
    DownloadError,
    GenerationFailed,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    SubmissionRefused,
    SubmissionUnknown,
)
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.core.wording import counted, named
from airflow_provider_adgen.ledger.commands import command
from airflow_provider_adgen.lifecycle.resolution import GONE, NOT_SUBMITTED, variable_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.decisions.posting import Verdict
    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.core.vendor import Vendor
    from airflow_provider_adgen.lifecycle.candidates import Candidates
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


_SHOWN = 10


def refusal(error: AdGenError) -> AdGenError:
    """
    Return the error for a submission that was refused and certainly started nothing.

    :param error: what the vendor answered, or why it was not sent.
    """
    if type(error) not in {ApiError, Conflict, PayloadTooLarge} or not refused_for_good(error):
        return error  # its own class says whether a retry helps
    assert isinstance(error, ApiError)  # noqa: S101 - for the type checker
    return SubmissionRefused(
        f"{error.happened.rstrip('. ')}. Nothing was started or charged.",
        advice="The same request would be refused again, so it is not retried: put the request right and clear the "
        "task.",
        vendor=error.vendor,
        endpoint=error.endpoint,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        own_words=error.own_words,
    )


def unanswered(error: AdGenError, attempt: Attempt, verdict: Verdict, vendor: Vendor) -> str:
    """
    Return what to say of a posting that may have been accepted; nothing stops yet.

    :param attempt: as it was recorded before the posting.
    :param verdict: what the answer proves.
    """
    told = f"{error.message} The submission may have been accepted."
    rule = vendor.promises.idempotency
    if rule is None or rule.while_running or verdict.unknown or key_tells_until(attempt, rule) is None:
        return told
    return f"{told} A repeat with the same key tells, and does not pay again."


def stop_error(
    decision: Decision,
    vendor: Vendor,
    facts: TaskFacts,
    *,
    candidates: Candidates | None = None,
    outlives_clear: bool = True,
) -> AdGenError:
    """
    Return the error for a decision to stop.

    :param decision: a decision whose action is ``STOP``.
    :param vendor: the vendor.
    :param facts: the task.
    :param candidates: the vendor's jobs that the lost submission could be; None where it does not list jobs.
    :param outlives_clear: the record survives that Airflow (3.4) drops a cleared task's state.
    """
    attempt = decision.attempt
    if attempt is None:
        return SubmissionUnknown(
            f"Try {facts.try_number} of {facts.identity} was not submitted to {vendor.title}: an earlier try may have "
            "been, and nothing recorded it (Airflow before 3.3 keeps no task state, and [adgen] ledger_path is not "
            f"set). {_keys(vendor)} Nothing was sent by this try. Look for the "
            'job at the vendor; set on_unknown_submission="resubmit" to accept paying twice, and ledger_path so that '
            "this cannot happen again."
        )
    job = ", ".join(attempt.job_ids) or "none known"
    match decision.why:
        case Why.CHANGED_INPUT:
            return InvalidRequest(
                f"The input of {facts.identity} changed since {vendor.title} job {job} was paid for: "
                f"{', '.join(decision.changed) or 'unknown fields'}. Nothing was sent. Set on_changed_input to "
                '"reattach" to take the paid job\'s result, or to "fresh" to pay for a new one.'
            )
        case Why.FAILED | Why.CANCELED | Why.EXPIRED:
            word = {Why.FAILED: "failed", Why.CANCELED: "canceled", Why.EXPIRED: "expired"}[decision.why]
            advice = (
                "clear the task to submit it anew"
                if decision.why == Why.CANCELED
                else 'clear the task, or set on_failed="resubmit", to submit it anew'
            )
            return GenerationFailed(
                f"{vendor.title} job {job} of {facts.identity} ended as {word}"
                + (f" ({attempt.reason})" if attempt.reason else "")
                + f". {_refund(vendor, word)} It was not submitted again: {advice}, which pays again.",
                generation_id=attempt.job_ids[0] if attempt.job_ids else "",
                status=word,
            )
        case Why.MISSING_JOB:
            return NotFound(
                f"{vendor.title} does not know job {job}, which {facts.identity} has recorded as paid. Does the "
                "connection point to another account or host? Nothing was sent. Put the connection right and retry. "
                "If it is right, and the vendor has deleted the job, say so and clear the task, which pays again:\n"
                f"    {command('dismiss', facts.identity)}\n"
                f'(or set the Airflow Variable {variable_name(attempt.uid)} to "{GONE}").',
                vendor=vendor.name,
                status=404,
            )
        case Why.RESULT_LOST:
            return DownloadError(
                f"{vendor.title} gave the result of job {job} ({attempt.request_kind}) once, with the answer to its "
                "submission, and it was not stored; the vendor documents no way to get it again. It is paid for. "
                "Clear the task with on_clear='fresh' to pay for a new one, and set destination so that it is stored."
            )
        case Why.REPEAT_REFUSED:
            until = key_tells_until(attempt, vendor.promises.idempotency) or attempt.began_at
            return SubmissionUnknown(
                f"{_nobody_knows(attempt, vendor, facts)}. It was sent again with the same idempotency key, which pays "
                f"nothing twice, and that was refused: {(attempt.reason or '').rstrip('.')}. This says nothing about "
                "the first time.",
                advice=f"Put the account right, and clear the task before {_iso(math.floor(until))}: the key then "
                "tells whether it was accepted, and still pays nothing twice.",
            )
        case _:
            return _unknown(attempt, vendor, facts, candidates, outlives_clear)


def _unknown(
    attempt: Attempt, vendor: Vendor, facts: TaskFacts, candidates: Candidates | None, outlives_clear: bool
) -> SubmissionUnknown:
    cost = (
        f"Up to {counted(attempt.price, 'credit')}"
        if attempt.price is not None
        else "An undocumented number of credits"
    )
    return SubmissionUnknown(
        _nobody_knows(attempt, vendor, facts)
        + (f": {attempt.reason.rstrip('.')}" if attempt.reason else "")
        + (f" (it answered {attempt.answer!r})" if attempt.answer else "")
        + f". {cost} may have been charged. Nothing more is sent until a person decides.\n"
        + (f"{jobs}\n" if (jobs := _jobs(vendor, attempt, candidates)) else "")
        + how_to_resolve(
            attempt,
            facts.identity,
            job=candidates.only if candidates is not None else None,
            outlives_clear=outlives_clear,
        )
    )


def _jobs(vendor: Vendor, attempt: Attempt, candidates: Candidates | None) -> str:
    return candidates.sentence if candidates is not None else vendor.why_unlisted(attempt.result_kind) or ""


def _nobody_knows(attempt: Attempt, vendor: Vendor, facts: TaskFacts) -> str:
    return (
        f"Nobody knows whether {vendor.title} accepted the submission that {facts.identity} sent at "
        f"{_iso(attempt.intended_at)} to {attempt.endpoint} (fingerprint {attempt.fingerprint[:12]})"
    )


def _iso(moment: float) -> str:
    return pendulum.from_timestamp(moment).to_iso8601_string()


def how_to_resolve(
    attempt: Attempt, identity: TaskIdentity, *, job: str | None = None, outlives_clear: bool = True
) -> str:
    """
    Return what a person can do about an attempt whose outcome is unknown: several lines to copy from.

    :param attempt: the attempt.
    :param identity: its task.
    :param job: the only job that it can be, if it is the only one.
    :param outlives_clear: the record survives that Airflow (3.4) drops a cleared task's state.
    """
    lines = [
        "If the vendor has the job, attach it, which pays nothing:",
        f"    {command('attach', identity, job or '<job-id>')}",
        "If you made sure that it has none, say so, and the task submits anew:",
        f"    {command('dismiss', identity)}",
        f"That is taken from {_iso(math.ceil(attempt.intended_at + attempt.post_seconds))} on: until then the vendor "
        "may still start the job.",
        f"Then clear the task. Without a command line, set the Airflow Variable {variable_name(attempt.uid)} to the "
        f'job\'s id or to "{NOT_SUBMITTED}", and clear the task. To accept paying twice instead, set '
        'on_unknown_submission="resubmit".',
    ]
    if not outlives_clear:
        lines.append(
            "On Airflow 3.4 or newer, do not just clear it: without [adgen] ledger_path, clearing drops Airflow's own "
            "record of this submission, and the task would pay again. Clear it with keep_task_state=true (REST API)."
        )
    return "\n".join(lines)


def how_to_resolve_items(
    unknown: Mapping[str, Attempt],
    identity: TaskIdentity,
    now: float,
    *,
    key_tags: Mapping[str, str] | None = None,
    job: str | None = None,
) -> str:
    """
    Return what a person can do about items of a batch whose outcome is unknown: several lines to copy from.

    :param unknown: their attempts, by their keys; not empty.
    :param identity: the batch's task.
    :param now: Unix time.
    :param key_tags: short hashes of the accounts' present keys, by connection, where they are known.
    :param job: the only job that it can be, if a person has to decide about one item.
    """
    tags = key_tags or {}
    keyed = {
        key: until
        for key, one in unknown.items()
        if (until := needs_nobody_until(one, now, tags.get(one.conn_id))) is not None
    }
    if keyed:
        need, them = ("needs", "it") if len(keyed) == 1 else ("need", "them")
        text = (
            f"{counted(len(keyed), 'unknown submission')} {need} nobody to decide ({named(list(keyed), _SHOWN)}): a "
            f"retry or a clear before {_iso(math.floor(min(keyed.values())))} sends {them} again with the same "
            f"idempotency key, which tells whether the vendor accepted {them}, and pays nothing twice."
        )
        others = {key: one for key, one in unknown.items() if key not in keyed}
        return f"{text}\n{how_to_resolve_items(others, identity, now, key_tags=tags, job=job)}" if others else text
    if len(unknown) == 1:
        ((key, attempt),) = unknown.items()
        return how_to_resolve(attempt, replace(identity, item=key), job=job)
    before = _iso(math.floor(max(one.intended_at for one in unknown.values())) + 1)
    answers = _iso(math.ceil(max(one.intended_at + one.post_seconds for one in unknown.values())))
    return "\n".join(
        [
            f"Of {len(unknown)} submissions nobody knows whether they were accepted. Nothing more is sent for them "
            "until a person decides. List them, with the vendors' jobs that they could be:",
            f"    {command('list', identity, '--unknown', '--output', 'csv')} > unknown.csv",
            "Where the vendor has the job, fill in its id, and attach these jobs, which pays nothing:",
            f"    {command('attach', identity, '--from', 'unknown.csv')}",
            "If you made sure that it has none of the others, say so, and the task submits them anew:",
            f"    {command('dismiss', identity, '--all-unknown', '--before', before)}",
            f"That is taken from {answers} on: until then a vendor may still start a job. Then clear the task.",
        ]
    )


def needs_nobody_until(attempt: Attempt, now: float, key_tag: str | None = None) -> float | None:
    """
    Return until when the key of an open attempt tells what came of it, in Unix time; None where a person has to decide.

    :param attempt: the attempt.
    :param now: Unix time.
    :param key_tag: short hash of the account's present key; None where it is not known. Nothing is promised about the
        same idempotency key sent with another account's key.
    """
    if attempt.key is None or (key_tag is not None and attempt.key_tag != key_tag):
        return None
    until = key_tells_until(attempt, get_vendor(attempt.vendor).promises.idempotency)
    return until if until is not None and now < until else None


def _keys(vendor: Vendor) -> str:
    rule = vendor.promises.idempotency
    if rule is None:
        return f"{vendor.title} has no idempotency keys that would tell."
    kinds = ", ".join(sorted(rule.kinds)) if rule.kinds else "all"
    if rule.while_running:
        return f"{vendor.title}'s idempotency keys (requests: {kinds}) tell nothing once the job is over."
    return f"{vendor.title}'s idempotency keys are for other requests ({kinds})."


def ended_without_result(vendor: Vendor, job: str, status: str, reason: str | None) -> str:
    """
    Return the sentences about a job that is over and has no result.

    :param vendor: the vendor.
    :param job: the ids of the generation's jobs.
    :param status: the status that it ended with.
    :param reason: what the vendor said of that.
    """
    why = f": {scrub(reason).rstrip('.')}" if reason else ""
    return f"{vendor.title} job {job} ended as {status}{why}. {_refund(vendor, status)}"


def _refund(vendor: Vendor, word: str) -> str:
    refunded = any(str(status) == word for status in vendor.promises.refunded)
    if refunded:
        return f"{vendor.title} documents that it refunds such jobs."
    return f"Whether {vendor.title} refunds it is not documented."
