# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Paid generations to kill processes under: many that wait, and single ones with a retry."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator

COMMON = {"model": "pro", "aspect_ratio": "1:1", "poll_interval": 1}

with DAG("adgen_many_wait", schedule=None, params={"count": Param(20, type="integer")}):
    AdsumoTextToImageOperator.partial(task_id="make", deferrable=True, **COMMON).expand(
        prompt=[f"sneaker number {number}" for number in range(20)]
    )

for deferrable in (True, False):
    with DAG(f"adgen_one_retry_{'deferrable' if deferrable else 'worker'}", schedule=None):
        AdsumoTextToImageOperator(
            task_id="make",
            prompt="a sneaker",
            deferrable=deferrable,
            retries=1,
            retry_delay=timedelta(seconds=1),
            **COMMON,
        )
