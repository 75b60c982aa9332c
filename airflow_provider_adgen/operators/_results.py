# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a task pushes beside the dictionary that it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.operators.links import STORED_FILE, show_stored

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context


def push_result(operator: BaseOperator, context: Context, result: dict[str, Any]) -> None:
    """Push ``id`` and ``uris`` of a generation, so that a DAG can select them by key; link to its first file."""
    uris = [one["uri"] for one in result["creatives"] if one["uri"]]
    context["ti"].xcom_push(key="id", value=result["id"])
    context["ti"].xcom_push(key="uris", value=uris)
    if uris:
        show_stored(operator, context, STORED_FILE, uris[0])
