# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One paid generation per vendor and way of waiting, to be killed in every way; a run of the DAG is one way to die.

Each task has an account of its own, which the connection ``<run id>_<task id>`` leads to.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_adgen.operators.generate import GenerateOperator

REQUESTS: dict[str, dict[str, Any]] = {
    "adsumo": {"kind": "text-to-image", "prompt": "a sneaker", "model": "pro", "aspect_ratio": "1:1"},
    "cutx": {
        "kind": "video",
        "script": "Look at this sneaker, and then look again.",
        "project_id": "{{ dag_run.conf['cutx'][task.task_id][0] }}",
        "product_id": "{{ dag_run.conf['cutx'][task.task_id][1] }}",
    },
    "sume": {"kind": "image", "prompt": "a sneaker", "aspect_ratio": "1:1", "image_count": 1},
    "cinematicads": {"kind": "workflow", "workflow_type": "staticad", "concept": "a sneaker"},
}

# CutX's key is relied on for 20 seconds: a try that comes later must not post again, whatever the machine's pace.
PAUSES = {"cutx": 22.0}

BOTH = ("deferrable", "worker")
DAGS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "chaos": (BOTH, {"retries": 2, "timeout": 300}),
    "chaos_deferrable": (("deferrable",), {"retries": 2, "timeout": 300}),
    "chaos_once": (BOTH, {"retries": 0, "timeout": 300}),
    "chaos_impatient": (BOTH, {"retries": 0, "timeout": 4}),
}

for name, (ways, options) in DAGS.items():
    with DAG(name, schedule=None, max_active_runs=100, max_active_tasks=100):
        for vendor in os.environ["ADGEN_CHAOS_VENDORS"].split(","):
            for way in ways:
                GenerateOperator(
                    task_id=f"{vendor}_{way}",
                    conn_id="{{ run_id }}_{{ task.task_id }}",
                    request=REQUESTS[vendor],
                    deferrable=way == "deferrable",
                    destination="{{ dag_run.conf['destination'] }}/{{ run_id }}/{{ task.task_id }}",
                    poll_interval=1,
                    retry_delay=timedelta(seconds=PAUSES.get(vendor, 1.0)),
                    **options,
                )
