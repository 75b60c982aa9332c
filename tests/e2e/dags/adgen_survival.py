# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Many paid generations that wait, to kill the triggerer under."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator

COMMON = {"model": "pro", "aspect_ratio": "1:1", "poll_interval": 1}

with DAG("adgen_many_wait", schedule=None, params={"count": Param(20, type="integer")}):
    AdsumoTextToImageOperator.partial(task_id="make", deferrable=True, **COMMON).expand(
        prompt=[f"sneaker number {number}" for number in range(20)]
    )
