# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A batch at whatever account a run names, to be hit while it submits and while it waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_adgen.operators.batch import GenerateBatchOperator

REQUESTS: dict[str, dict[str, Any]] = {
    "adsumo": {"kind": "text-to-image", "model": "fast", "aspect_ratio": "1:1"},
    "sume": {"kind": "image"},
}
PARAMS = {
    "vendor": Param("adsumo", enum=sorted(REQUESTS)),
    "conn_id": Param("", type="string"),
    "count": Param(30, type="integer"),
    "place": Param("", type="string"),
}

with DAG("adgen_batch_chaos", schedule=None, params=PARAMS, max_active_runs=8):

    @task
    def wanted(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Say what to make."""
        given = params or {}
        request = REQUESTS[given["vendor"]]
        return [
            {"key": f"k{n}", "request": {**request, "prompt": f"{given['vendor']} {n}"}} for n in range(given["count"])
        ]

    GenerateBatchOperator(
        task_id="make",
        conn_id="{{ params.conn_id }}",
        items=wanted(),
        destination="{{ params.place }}",
        deferrable=True,
        poll_interval=1,
        max_in_flight=20,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
