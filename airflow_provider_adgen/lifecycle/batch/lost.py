# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Looks for the jobs that the lost submissions of a batch could have started, for all of them together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.decisions.submission import Action, Decision, Why
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.candidates import LOOK_AT, Candidates, compare, list_recent, not_listed, told
from airflow_provider_adgen.lifecycle.stop_messages import needs_nobody_until, stop_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


def lost_submissions(states: Iterable[ItemState]) -> dict[str, Attempt]:
    """Return the submissions of which nobody knows whether they were accepted, by the items' keys."""
    found = ((one.key, readable(one)) for one in states if one.status is ItemStatus.UNKNOWN)
    return {key: record.open for key, record in found if record is not None and record.open is not None}


def key_tags(opening: Opening) -> dict[str, str]:
    """Return short hashes of the accounts' present keys, by connection."""
    return {conn_id: one.hook.account().key_tag for conn_id, one in opening.accounts.items()}


def look_for_jobs(
    states: Iterable[ItemState],
    opening: Opening,
    facts: TaskFacts,
    *,
    resubmits: bool,
    taken: Collection[str],
    now: float,
) -> None:
    """
    Tell of each submission about which a person has to decide what it could have started.

    Each account is asked once, after the last of them was sent.

    :param states: all items.
    :param opening: the accounts.
    :param facts: the task.
    :param resubmits: a later try may submit them again although nobody knows about them.
    :param taken: jobs that the batch's own records name.
    :param now: Unix time.
    """
    tags = key_tags(opening)
    by_key = {one.key: one for one in states if one.status is ItemStatus.UNKNOWN}
    accounts: dict[str, dict[str, Attempt]] = {}
    for key, attempt in lost_submissions(by_key.values()).items():
        if needs_nobody_until(attempt, now, tags.get(attempt.conn_id)) is None:
            accounts.setdefault(attempt.conn_id, {})[key] = attempt
    for conn_id, attempts in accounts.items():
        found: Mapping[str, Candidates] = {}
        listed = {
            key: one for key, one in attempts.items() if get_vendor(one.vendor).why_unlisted(one.result_kind) is None
        }
        if listed:
            try:
                found = _found(opening.account(conn_id).hook, listed, taken)
            except AdGenError as error:
                found = dict.fromkeys(listed, not_listed(error))
        for key, attempt in attempts.items():
            state = by_key[key]
            state.candidates = found.get(key)
            if resubmits:
                sentence = state.candidates.sentence if state.candidates is not None else ""
                state.reason = f"{state.reason.rstrip()}\n{sentence}".rstrip()
                continue
            # Whatever kept it from being settled in this try: now a person has to decide.
            decision = Decision(Action.STOP, Why.UNRESOLVED, attempt)
            own = replace(facts, identity=replace(facts.identity, item=key))
            vendor = get_vendor(attempt.vendor)
            state.reason = stop_error(decision, vendor, own, candidates=state.candidates).message


def _found(hook: AdGenHook, attempts: Mapping[str, Attempt], taken: Collection[str]) -> dict[str, Candidates]:
    since = min(one.intended_at for one in attempts.values())
    # The batch's own jobs must not hide the others.
    recent = list_recent(hook, since, most=LOOK_AT + len(taken))
    free = [job for job in recent.jobs if not any(one in taken for one in job.job_ids)]
    return {key: told(its, recent) for key, its in compare(free, attempts).items()}


def shared_jobs(states: Iterable[ItemState]) -> dict[str, list[str]]:
    """Return the jobs that more than one item could be, and the keys of these items."""
    found: dict[str, list[str]] = {}
    for one in states:
        for job in one.candidates.jobs if one.candidates is not None else ():
            if job.also_of:
                found.setdefault(job.job_id, []).append(one.key)
    return found
