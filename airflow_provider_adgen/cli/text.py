# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Shows a task's record as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.wording import moment
from airflow_provider_adgen.lifecycle.stop_messages import how_to_resolve

if TYPE_CHECKING:
    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.record import Attempt, Record


def when(time: float | None) -> str | None:
    """Return a Unix time in ISO 8601, UTC."""
    return None if time is None else moment(time)


def task_of(identity: TaskIdentity) -> dict[str, Any]:
    """Return a task, or an item of its batch, as JSON."""
    task = {
        "dag_id": identity.dag_id,
        "run_id": identity.run_id,
        "task_id": identity.task_id,
        "map_index": identity.map_index,
    }
    return task if identity.item is None else {**task, "key": identity.item}


def summary(
    record: Record, identity: TaskIdentity, *, resolution: str | None, outlives_clear: bool, now: float
) -> dict[str, Any]:
    """
    Return a record as JSON for people.

    :param record: the record.
    :param identity: the task, or an item of its batch.
    :param resolution: what a person has decided about the open attempt.
    :param outlives_clear: the record is kept when Airflow (3.4) deletes the state of a cleared task.
    :param now: Unix time.
    """
    opened = record.open
    counting = record.counting
    return {
        "task": task_of(identity),
        "state": _state(counting, now),
        "open_attempt": opened.uid if opened is not None else None,
        "resolution": resolution,
        "attempts": [_attempt(one) for one in record.attempts],
        "next": _next(counting, identity, resolution, outlives_clear, now),
    }


def _state(attempt: Attempt | None, now: float) -> str:
    if attempt is None:
        return "nothing"
    if attempt.phase == "intent":
        return "submitting" if now < attempt.posting_until else "unresolved"
    if attempt.phase == "submitted" and attempt.ended:
        return f"ended as {attempt.ended}"
    return attempt.phase


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "uid": one.uid,
        "phase": one.phase,
        "vendor": one.vendor or None,
        "connection": one.conn_id or None,
        "kind": one.request_kind,
        "endpoint": one.endpoint,
        "try_number": one.try_number,
        "fingerprint": one.fingerprint[:12],
        "intended_at": when(one.intended_at),
        "sent_at": when(one.sent_at),
        "submitted_at": when(one.submitted_at),
        "written_at": when(one.written_at),
        "statuses": one.statuses,
        "job_ids": one.job_ids,
        "ended": one.ended,
        "credits": {"quoted": one.price, "charged": one.charged, "refunded": one.refunded},
        "reason": one.reason,
        "answer": one.answer,
    }


def _next(
    attempt: Attempt | None, identity: TaskIdentity, resolution: str | None, outlives_clear: bool, now: float
) -> str:
    if attempt is None or attempt.phase == "withdrawn":
        return "Nothing was started. The next try submits."
    match attempt.phase:
        case "intent" if now < attempt.posting_until:
            until = when(attempt.posting_until)
            return f"The submission may still be in progress. Check again after {until}."
        case "intent" if resolution is not None:
            return f"A person resolved it: {resolution}. Clear the task, and it follows that."
        case "intent":
            return "Nobody knows whether the vendor accepted it.\n" + how_to_resolve(
                attempt, identity, outlives_clear=outlives_clear
            )
        case "submitted" if attempt.ended:
            return "The job ended without a result. Clear the task to pay for a new one."
        case "submitted":
            return "The job is paid for. A retry or a clear continues with it and pays nothing."
        case _ if identity.item is not None:
            return 'It was delivered. Clearing the task keeps it, unless on_clear is "fresh".'
        case _:
            return 'It was delivered. Clearing the task pays for a new one, unless on_clear is "reattach".'


def lines(found: dict[str, Any]) -> list[str]:
    """Return :func:`summary` as lines of text."""
    task = found["task"]
    mapped = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
    item = f", item {task['key']!r}" if "key" in task else ""
    result = [f"{task['dag_id']}.{task['task_id']}{mapped} in run {task['run_id']}{item}: {found['state']}"]
    for one in found["attempts"]:
        result.append("")
        result.append(f"attempt {one['uid']}{' (open)' if one['uid'] == found['open_attempt'] else ''}")
        flat = {**one, **{f"credits {name}": value for name, value in one["credits"].items()}}
        for name, value in flat.items():
            if name in {"uid", "credits"} or value in (None, [], ""):
                continue
            text = ", ".join(str(item) for item in value) if isinstance(value, list) else value
            result.append(f"  {name.replace('_', ' ')}: {text}")
    return [*result, "", found["next"]]
