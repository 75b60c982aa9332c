# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Many mapped tasks that wait for runs of Databricks."""

from __future__ import annotations

import os

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import DAG

with DAG("bench_databricks", schedule=None, max_active_tasks=10_000):
    DatabricksSubmitRunOperator.partial(
        task_id="wait", databricks_conn_id="bench", deferrable=True, polling_period_seconds=5
    ).expand(
        json=[
            {
                "run_name": f"bench {number}",
                "tasks": [
                    {
                        "task_key": "bench",
                        "existing_cluster_id": "bench",
                        "notebook_task": {"notebook_path": "/bench"},
                    }
                ],
            }
            for number in range(int(os.environ.get("BENCH_TASKS", "10")))
        ]
    )
