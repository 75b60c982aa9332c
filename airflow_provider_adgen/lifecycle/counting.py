# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which metrics follow from what is recorded of a paid job: each event once, when it is recorded for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen import metrics
from airflow_provider_adgen.core.vocabulary import GenerationStatus

if TYPE_CHECKING:
    from airflow_provider_adgen.core.record import Attempt


def count_changes(after: Attempt, before: Attempt | None) -> None:
    """
    Count what a version of an attempt says that the version before it did not say.

    :param after: the version that was written.
    :param before: what was known of the same attempt until then; None if nothing was.
    """
    if before is None:
        return
    if before.phase == "intent" and after.phase in {"submitted", "done"}:
        cost = after.charged if after.charged is not None else after.price
        _count(metrics.CREDITS_CHARGED, cost or 0, after)
    if before.phase != "done" and after.phase == "done":
        delivered = (after.result or {}).get("status") == GenerationStatus.COMPLETED
        _count(metrics.GENERATIONS_COMPLETED, int(delivered), after)
    if after.ended is not None and before.ended is None:
        _count(metrics.GENERATIONS_FAILED, 1, after)
    _count(metrics.CREDITS_REFUNDED, (after.refunded or 0) - (before.refunded or 0), after)


def count_unknown(attempt: Attempt, try_number: int, *, own: bool) -> None:
    """
    Count a submission of which nobody knows whether it was accepted, when a task stops or submits again because of it.

    The try that lost the answer counts it; where its process died, the next one does. Later tries find the same, and do
    not count it again.

    :param attempt: the submission.
    :param try_number: the task's try.
    :param own: this process has posted it.
    """
    died = not attempt.statuses and attempt.try_number == try_number - 1
    if own or died or attempt.try_number == try_number:
        _count(metrics.SUBMISSIONS_UNKNOWN, 1, attempt)


def _count(name: str, number: int, attempt: Attempt) -> None:
    kind = attempt.result_kind or "unknown"
    metrics.count(name, number, {"vendor": attempt.vendor, "conn_id": attempt.conn_id, "kind": kind})
