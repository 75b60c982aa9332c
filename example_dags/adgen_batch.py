# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Make **many images in one task**, with a second vendor for what the first one refuses.

Every product gets one image per format. **Adsumo** is asked first; an image that it refuses is made by **Sume**. The
account is checked before anything is spent, each image is paid for once, and a retry goes on with what has no result.
The last task reads what became of every image.

A batch needs `[adgen] ledger_path`, where it records what is paid for. To run it on your own products, set `products`
and `destination`; to make the items elsewhere, let `plan` return them, or name a JSONL file instead.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from airflow_provider_adgen.operators.credits import CreditCheckOperator

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
FOLDER = "{{ params.destination }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"
PRODUCTS = [
    {"id": "LMP-014", "title": "Sunrise lamp", "scene": "on a bedside table, first light through a curtain"},
    {"id": "BTL-002", "title": "Steel water bottle", "scene": "on a rock by a lake, soft morning light"},
    {"id": "SHO-113", "title": "Trail shoe", "scene": "on wet stone, a puddle splashes"},
]


@dag(
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "destination": Param(f"file://{HOME}/adgen_batch", type="string", description="An object-storage path."),
        "products": Param(PRODUCTS, type="array", description="Each with id, title and scene."),
        "formats": Param(["1:1", "9:16"], type="array", items={"type": "string"}, title="Formats"),
        "adsumo_credits": Param(50, type="integer", minimum=0, title="Most credits of Adsumo for this run"),
        "sume_credits": Param(100, type="integer", minimum=0, title="Most credits of Sume for this run"),
        "sume_price": Param(10, type="integer", minimum=0, title="Credits to count for an image of Sume"),
    },
    doc_md=__doc__,
    tags=["adgen", "adsumo", "sume"],
)
def adgen_batch() -> None:
    """Build the DAG."""

    @task
    def plan() -> dict[str, Any]:
        """Return an item for each image, and the requests that the first vendor gets, to be priced."""
        params = get_current_context()["params"]
        items, requests = [], []
        for product in params["products"]:
            for shape in params["formats"]:
                prompt = f"Product photo of {product['title']} {product['scene']}. No lettering."
                adsumo = {"kind": "text-to-image", "prompt": prompt, "model": "fast", "aspect_ratio": shape}
                sume = {"kind": "image", "prompt": prompt, "aspect_ratio": shape}
                requests.append(adsumo)
                items.append(
                    {
                        "key": f"{product['id']}/{shape.replace(':', 'x')}",
                        "choices": [
                            {"conn_id": "adsumo_default", "request": adsumo},
                            {"conn_id": "sume_default", "request": sume},
                        ],
                        "meta": {"product": product["id"], "format": shape},
                    }
                )
        return {"items": items, "requests": requests}

    planned: Any = plan()
    check = CreditCheckOperator(task_id="check_credits", conn_id="adsumo_default", requests=planned["requests"])
    generate = GenerateBatchOperator(
        task_id="generate",
        items=planned["items"],
        destination=FOLDER,
        max_credits={"adsumo_default": "{{ params.adsumo_credits }}", "sume_default": "{{ params.sume_credits }}"},
        # Sume documents no price. Adsumo's is documented; what stands here for it is not used.
        assume_credits={"adsumo_default": 1, "sume_default": "{{ params.sume_price }}"},
        deferrable=True,
        submit_timeout=timedelta(hours=1),
    )

    @task
    def report(made: dict[str, Any]) -> dict[str, list[str]]:
        """Return the stored files of each product."""
        from airflow_provider_adgen.campaigns import read_results

        files: dict[str, list[str]] = {}
        for line in read_results(made["results"]):
            stored = [creative["uri"] for creative in (line["generation"] or {}).get("creatives", [])]
            files.setdefault(line["meta"]["product"], []).extend(stored)
        return files

    check >> generate
    report(generate.output)  # type: ignore[arg-type]  # what is passed is the task's output


adgen_batch()
