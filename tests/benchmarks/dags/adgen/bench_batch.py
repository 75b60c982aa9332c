# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The same images of Adsumo in one task."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_provider_adgen.operators.batch import GenerateBatchOperator

REQUEST = {"kind": "text-to-image", "model": "fast", "aspect_ratio": "1:1"}

with DAG("bench_batch", schedule=None):
    GenerateBatchOperator(
        task_id="make",
        conn_id="bench",
        items=[
            {"key": str(number), "request": {**REQUEST, "prompt": f"Creative {number}"}}
            for number in range(int(os.environ.get("BENCH_TASKS", "10")))
        ],
        destination=os.environ.get("BENCH_DESTINATION", ""),
        max_in_flight=500,
        deferrable=True,
        poll_interval=5,
    )
