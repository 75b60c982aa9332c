# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The error of a batch in which items have no result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.lifecycle.batch.refusal import Refusal


class BatchFailed(AdGenError):
    """
    Items of a batch have no result. Everything else is stored; a retry goes on with what has none.

    :param told: the summary.
    :param stopped: why accounts took nothing more, by connection.
    :param reasons: why items have no result, a line for each different reason.
    :param retry_helps: whether the next try could do better for any item.
    :param unknown: what a person can do about unknown submissions; None where there are none.
    """

    def __init__(
        self,
        told: dict[str, Any],
        stopped: Mapping[str, str],
        reasons: Sequence[str],
        *,
        retry_helps: bool,
        unknown: str | None = None,
    ) -> None:
        counts = _counts(told) or "none, the list is empty"
        lines = [
            f"{counted(told['items'], 'item')}: {counts}.",
            *_why(stopped, reasons),
            f"All items and reasons are in {told['results']}. What has a result is kept, and is not paid again.",
            *([unknown] if unknown is not None else []),
        ]
        super().__init__("\n".join(lines))
        self.retry_helps = retry_helps


class BatchRefused(AdGenError):
    """
    The list or the options of a try are wrong, and it bought nothing. What earlier tries bought is collected.

    :param refusal: what is wrong.
    :param told: the summary; without a path of results where they could be written nowhere.
    :param stopped: why accounts took nothing more, by connection.
    :param reasons: why items have no result, a line for each different reason.
    :param retry_helps: whether the next try may find put right what is wrong, or could collect more.
    :param unknown: what a person can do about unknown submissions; None where there are none.
    """

    def __init__(
        self,
        refusal: Refusal,
        told: dict[str, Any],
        stopped: Mapping[str, str],
        reasons: Sequence[str],
        *,
        retry_helps: bool,
        unknown: str | None = None,
    ) -> None:
        results = told["results"]
        where = f"All items and reasons are in {results}." if results else "There is no place for a file of results."
        lines = [
            refusal.reason,
            "This try bought nothing, and collected what earlier tries had bought, by their list: "
            f"{_counts(told)}. {where}",
            *_why(stopped, reasons),
            "Put it right and clear the task: what has a result is not paid again.",
            *([unknown] if unknown is not None else []),
        ]
        super().__init__("\n".join(lines))
        self.retry_helps = retry_helps


def _counts(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{number} {word}" for word, number in told["counts"].items() if number)


def _why(stopped: Mapping[str, str], reasons: Sequence[str]) -> list[str]:
    return [*(f"Nothing new was sent to connection {conn_id!r}: {why}" for conn_id, why in stopped.items()), *reasons]
