# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Other providers' operators that start something and wait for it, as configured by default but for short pauses."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.sdk import DAG

RETRYING = {"retries": 2, "retry_delay": timedelta(seconds=1)}
NAME = "{{ run_id }}:{{ task.task_id }}"

with DAG("peers", schedule=None, max_active_runs=10):
    for way in ("deferrable", "worker"):
        DatabricksSubmitRunOperator(
            task_id=f"databricks_{way}",
            json={"run_name": NAME, "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/a"}}]},
            polling_period_seconds=1,
            deferrable=way == "deferrable",
            **RETRYING,
        )
        DbtCloudRunJobOperator(
            task_id=f"dbt_{way}",
            job_id=1,
            account_id=1,
            trigger_reason=NAME,
            check_interval=1,
            deferrable=way == "deferrable",
            **RETRYING,
        )
