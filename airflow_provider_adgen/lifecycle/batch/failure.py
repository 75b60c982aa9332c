# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The error of a batch in which items have no result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError

if TYPE_CHECKING:
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.opening import Refusal


class BatchFailed(AdGenError):
    """
    Items of a batch have no result. Everything else is stored; a retry goes on with what has none.

    :param told: the summary.
    :param stopped: accounts that took nothing more.
    :param retry_helps: whether the next try could do better for any item.
    :param advice: what a person can do about unknown submissions; None where there are none.
    """

    def __init__(
        self, told: dict[str, Any], stopped: list[BatchAccount], *, retry_helps: bool, advice: str | None = None
    ) -> None:
        counts = ", ".join(f"{number} {word}" for word, number in told["counts"].items() if number)
        text = f"{told['items']} items: {counts or 'none, the list is empty'}."
        for account in stopped:
            text += f"\nNothing more was sent to connection {account.conn_id!r}: {account.stopped}"
        # Where an account stopped, dozens of items have the same reason.
        sharing: dict[tuple[str, str], list[str]] = {}
        for one in told["failures"]:
            sharing.setdefault((one["status"], one["reason"]), []).append(one["key"])
        for (status, reason), keys in sharing.items():
            text += f"\n{', '.join(keys)} ({status}): {reason}"
        text += f"\nAll items and reasons are in {told['results']}. What has a result is kept, and is not paid again."
        if advice is not None:
            text += f"\n{advice}"
        super().__init__(text)
        self.retry_helps = retry_helps


class BatchRefused(AdGenError):
    """
    The list or the options of a try are wrong, and it bought nothing. What earlier tries bought is collected.

    A retry helps where a job is still under way, or where what is wrong may put itself right.

    :param refusal: what is wrong.
    :param told: the summary.
    """

    def __init__(self, refusal: Refusal, told: dict[str, Any]) -> None:
        counts = ", ".join(f"{number} {word}" for word, number in told["counts"].items() if number)
        super().__init__(
            f"{refusal.reason}\nThis try bought nothing, and collected what earlier tries had bought, by their list: "
            f"{counts}. All items and reasons are in {told['results']}. Put it right and clear the task: what has a "
            "result is not paid again."
        )
        self.retry_helps = refusal.retry_helps or told["counts"]["submitted"] > 0
