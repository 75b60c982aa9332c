# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Batches, to kill the processes under them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_adgen.operators.batch import GenerateBatchOperator

with DAG(
    "adgen_batches", schedule=None, params={"count": Param(30, type="integer"), "place": Param("", type="string")}
):

    @task
    def wanted(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Say what to make; the texts are a supplier's, who knows Jinja."""
        count = (params or {})["count"]
        return [
            {
                "key": f"product-{number}",
                "choices": [
                    {
                        "conn_id": "adsumo_default",
                        "request": {
                            "kind": "text-to-image",
                            "prompt": "{{ ds }} " + str(number),
                            "model": "fast",
                            "aspect_ratio": "1:1",
                        },
                    },
                    {"conn_id": "sume_default", "request": {"kind": "image", "prompt": "{{ ds }} " + str(number)}},
                ],
                "meta": {"number": number},
            }
            for number in range(count)
        ]

    GenerateBatchOperator(
        task_id="make",
        items=wanted(),
        destination="{{ params.place }}",
        deferrable=True,
        poll_interval=1,
        max_in_flight=20,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
