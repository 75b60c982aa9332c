# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a task pushes beside the dictionary that it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


def push_result(context: Context, result: dict[str, Any]) -> None:
    """Push ``id`` and ``uris`` of a generation as XComs of their own, so that a DAG can select them by key."""
    context["ti"].xcom_push(key="id", value=result["id"])
    context["ti"].xcom_push(key="uris", value=[one["uri"] for one in result["creatives"] if one["uri"]])
