# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns over a small feed, one of them with a person who approves, and a DAG that waits for what they publish."""

from __future__ import annotations

import importlib.util
import inspect
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_adgen.campaigns import Brief, campaign_asset, campaign_refresh
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

REUSE = "library" in inspect.signature(GenerateBatchOperator.__init__).parameters
PARAMS = {
    "place": Param("", type="string"),
    "catalogue": Param("", type="string"),
    "dry_run": Param(False, type="boolean"),
}
COMMON: dict[str, Any] = {
    "catalogue": "{{ params.catalogue }}",
    "briefs": [
        Brief(
            "hero",
            kind="image",
            prompt="Product photo of {title} by {brand}. {{not a template}}",
            formats=["1:1", "9:16"],
            options={"adsumo": {"model": "fast"}},
        )
    ],
    "accounts": ["adsumo_default", "sume_default"],
    "destination": "{{ params.place }}",
    "dry_run": "{{ params.dry_run }}",
    "max_credits": {"adsumo_default": 3, "sume_default": 400},
    "assume_credits": {"sume_default": 20},
    "deferrable": True,
    "poll_interval": 1,
}

with DAG("adgen_campaign", schedule=None, params=PARAMS):
    campaign_refresh(**COMMON, reuse=REUSE)

with DAG("adgen_campaign_reader", schedule=[campaign_asset("adgen_campaign")]):

    @task
    def read(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return what the events say."""
        return [event.extra for events in triggering_asset_events.values() for event in events]

    read()

if importlib.util.find_spec("airflow.sdk.execution_time.hitl") is not None:  # 3.1
    with DAG("adgen_campaign_review", schedule=None, params=PARAMS):
        campaign_refresh(
            **COMMON,
            review=True,
            review_timeout=timedelta(hours=1),
            gallery_url="https://ads.example/spring",
            group_id="ads",
        )
