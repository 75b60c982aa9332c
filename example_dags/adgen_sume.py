# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Have **Sume** make a picture and a talking-head ad; wait for the picture in a task of its own.

The ad is the usual way: one task submits, waits without a worker and stores. The picture shows the other way: one task
submits and is done, a sensor waits, a third stores, so that work of yours can go in between. Sume documents no prices:
`credits` is what must be on the account, and `max_credits` what one task may spend, counted by `assume_credits`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_adgen.operators.credits import CreditCheckOperator
from airflow_provider_adgen.operators.download import DownloadCreativesOperator
from airflow_provider_adgen.operators.sume import SumeAdVideoOperator, SumeImageOperator
from airflow_provider_adgen.sensors.generation import GenerationSensor

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
FOLDER = "{{ params.destination }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"


@dag(
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "destination": Param(f"file://{HOME}/adgen_sume", type="string", description="An object-storage path."),
        "script": Param("Half an hour of sunrise, every day of the year. Sleep well, wake well.", maxLength=1800),
        "credits": Param(40, type="integer", minimum=0, title="Credits that must be on the account"),
    },
    doc_md=__doc__,
    tags=["adgen", "sume"],
)
def adgen_sume() -> None:
    """Build the DAG."""
    check = CreditCheckOperator(task_id="check_credits", conn_id="sume_default", required="{{ params.credits }}")

    @task
    def choose_avatar() -> str:
        """Return the first avatar of the account; reading costs nothing."""
        from airflow_provider_adgen.hooks.sume import SumeHook

        return next(SumeHook().list_avatars()).id

    avatar: Any = choose_avatar()
    ad = SumeAdVideoOperator(
        task_id="make_ad",
        script="{{ params.script }}",
        ad_format="talking_heads",
        avatar_id=avatar,
        locale="en",
        max_credits=40,
        assume_credits=40,
        destination=f"{FOLDER}/ad",
        deferrable=True,
    )
    order: Any = SumeImageOperator(
        task_id="order_picture",
        prompt="A bedside lamp that glows like a sunrise, morning mist behind the window.",
        aspect_ratio="4:5",
        wait_for_completion=False,
    )
    wait = GenerationSensor(
        task_id="wait_for_picture",
        conn_id="sume_default",
        generation_id=order.output["id"],
        poke_interval=10,
        deferrable=True,
    )
    store = DownloadCreativesOperator(
        task_id="store_picture",
        conn_id="sume_default",
        generation_id=order.output["id"],
        destination=f"{FOLDER}/picture",
    )
    check >> [ad, order]
    order >> wait >> store


adgen_sume()
