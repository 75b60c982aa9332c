# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Many mapped tasks that wait for images of Adsumo."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator

with DAG("bench_adgen", schedule=None, max_active_tasks=10_000):
    AdsumoTextToImageOperator.partial(
        task_id="wait",
        conn_id="bench",
        model="fast",
        aspect_ratio="1:1",
        deferrable=True,
        poll_interval=5,
        destination=os.environ.get("BENCH_DESTINATION"),
    ).expand(prompt=[f"Creative {number}" for number in range(int(os.environ.get("BENCH_TASKS", "10")))])
