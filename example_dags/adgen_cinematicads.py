# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Have **CinematicAds** film a concept in two formats with your brand's colours.

Sets the brand's profile (free; every later workflow uses it), checks the credits, then runs one cinematic workflow,
whose price (1 credit, 2 in premium quality) does not depend on the number of formats. CinematicAds may suspend a
workflow until a person has reviewed it there: `on_suspended` says whether the task waits for that.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import Param, dag

from airflow_provider_adgen.operators.cinematicads import CinematicAdsBrandOperator, CinematicAdsWorkflowOperator
from airflow_provider_adgen.operators.credits import CreditCheckOperator

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
FOLDER = "{{ params.destination }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"


@dag(
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "destination": Param(f"file://{HOME}/adgen_cinematicads", type="string", description="An object-storage path."),
        "concept": Param("Night in a small room; a lamp rises like the sun, and the day begins.", type="string"),
        "quality": Param("standard", enum=["standard", "premium"]),
    },
    doc_md=__doc__,
    tags=["adgen", "cinematicads"],
)
def adgen_cinematicads() -> None:
    """Build the DAG."""
    brand = CinematicAdsBrandOperator(
        task_id="set_brand",
        name="Nordkraft",
        industry="Lighting",
        tone="calm",
        target_audience="people who get up early",
        colors={"primary": "#f2b84b", "secondary": "#1f2a44"},
    )
    check = CreditCheckOperator(
        task_id="check_credits",
        conn_id="cinematicads_default",
        requests=[
            {"kind": "workflow", "workflow_type": "cinematic", "concept": "any", "quality": "{{ params.quality }}"}
        ],
    )
    film = CinematicAdsWorkflowOperator(
        task_id="film_concept",
        workflow_type="cinematic",
        concept="{{ params.concept }}",
        quality="{{ params.quality }}",
        formats=["9:16", "16:9"],
        on_suspended="wait",
        destination=FOLDER,
        deferrable=True,
    )
    [brand, check] >> film


adgen_cinematicads()
