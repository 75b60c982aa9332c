# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Have **CutX** write five variants of ad copy for a product, then film an avatar who speaks the first one.

Takes the first product of the account's first project. Copy costs 1 credit, the video 40, the ad image 3; the account
is checked for all three before anything is spent. The copy is kept in Airflow's record as soon as CutX gives it,
because CutX does not say whether it shows it again: a retry returns the kept variants and buys nothing.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_adgen.operators.credits import CreditCheckOperator
from airflow_provider_adgen.operators.cutx import CutxCopyOperator, CutxStaticAdOperator, CutxVideoOperator

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
FOLDER = "{{ params.destination }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"


@dag(
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={"destination": Param(f"file://{HOME}/adgen_cutx", type="string", description="An object-storage path.")},
    doc_md=__doc__,
    tags=["adgen", "cutx"],
)
def adgen_cutx() -> None:
    """Build the DAG."""

    @task
    def find_product() -> dict[str, str]:
        """Return the ids of the account's first product; reading costs nothing."""
        from airflow_provider_adgen.hooks.cutx import CutxHook

        hook = CutxHook()
        for project in hook.list_projects():
            for product in hook.list_products(project_id=project.id):
                return {"project_id": project.id, "product_id": product.id}
        raise ValueError("This CutX account has no product yet: make one there, or with CutxIngestProductOperator.")

    @task
    def write_script(copy: dict[str, list[dict[str, str]]]) -> str:
        """Return what the avatar says: the first variant's hook, body and call to action."""
        best = copy["variants"][0]
        return " ".join(best[part] for part in ("hook", "body", "cta") if best.get(part))[:2000]

    found: Any = find_product()
    check = CreditCheckOperator(task_id="check_credits", conn_id="cutx_default", required=1 + 3 + 40)
    copy: Any = CutxCopyOperator(
        task_id="write_copy",
        project_id=found["project_id"],
        product_id=found["product_id"],
        platform="tiktok",
        format="hook",
        tone="playful",
        destination=f"{FOLDER}/copy",
    )
    picture = CutxStaticAdOperator(
        task_id="make_picture",
        project_id=found["project_id"],
        product_id=found["product_id"],
        style="lifestyle",
        aspect_ratio="4:5",
        destination=f"{FOLDER}/picture",
        deferrable=True,
    )
    script: Any = write_script(copy.output)
    CutxVideoOperator(
        task_id="film_avatar",
        project_id=found["project_id"],
        product_id=found["product_id"],
        script=script,
        aspect_ratio="9:16",
        destination=f"{FOLDER}/film",
        deferrable=True,
    )
    check >> [copy, picture]


adgen_cutx()
