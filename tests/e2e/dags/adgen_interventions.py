# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Paid generations that a person, or a timeout of Airflow's, gets at while they are under way."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from airflow_provider_adgen.operators.sume import SumeImageOperator

RETRIED = {"retries": 1, "retry_delay": timedelta(seconds=1)}

with DAG("adgen_interventions", schedule=None):
    for name in ("marked_success", "marked_failed"):
        SumeImageOperator(task_id=name, prompt=f"a sneaker, {name}", deferrable=True, poll_interval=1)
    # Its worker is told to stop while it waits for the job.
    SumeImageOperator(
        task_id="timed_out_waiting",
        prompt="a sneaker, timed out while waiting",
        deferrable=False,
        poll_interval=1,
        execution_timeout=timedelta(seconds=12),
        **RETRIED,
    )
    # Airflow's alarm goes off while the vendor has not answered the submission yet.
    CinematicAdsWorkflowOperator(
        task_id="timed_out_posting",
        workflow_type="staticad",
        deferrable=False,
        poll_interval=1,
        execution_timeout=timedelta(seconds=4),
        **RETRIED,
    )
