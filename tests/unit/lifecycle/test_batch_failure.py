# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a person reads of a batch in which items have no result."""

from __future__ import annotations

from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.lifecycle.batch.failure import BatchFailed
from airflow_provider_adgen.lifecycle.batch.results import summary


def test_a_reason_that_several_items_share_is_told_once() -> None:
    out = "Nothing was submitted: the account is out of credits."
    items = [
        ("a", ItemStatus.WAITING, out),
        ("b", ItemStatus.COMPLETED, ""),
        ("c", ItemStatus.FAILED, "The job failed."),
        ("d", ItemStatus.WAITING, out),
        ("e", ItemStatus.UNKNOWN, out),
    ]
    error = BatchFailed(summary("file:///ads/results.jsonl", items, {}), [], retry_helps=True)
    assert error.message.split("\n") == [
        "5 items: 1 completed, 1 failed, 1 unknown, 2 waiting.",
        f"a, d (waiting): {out}",
        "c (failed): The job failed.",
        f"e (unknown): {out}",
        "All items and reasons are in file:///ads/results.jsonl. What has a result is kept, and is not paid again.",
    ]
