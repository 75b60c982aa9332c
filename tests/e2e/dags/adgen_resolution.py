# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A paid generation at a vendor without idempotency keys, whose answer gets lost."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_adgen.operators.sume import SumeImageOperator

with DAG("adgen_lost_answer", schedule=None):
    SumeImageOperator(
        task_id="make",
        prompt="a sneaker",
        deferrable=False,
        poll_interval=1,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
