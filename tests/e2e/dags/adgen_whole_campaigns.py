# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns as people run them: over a whole shop at three vendors, every week, priced before, and reviewed."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param

from airflow_provider_adgen.campaigns import Brief, campaign_refresh
from airflow_provider_adgen.sandbox.adsumo.catalogue import AVATARS

PARAMS = {
    "place": Param("", type="string"),
    "catalogue": Param("", type="string"),
    "dry_run": Param(False, type="boolean"),
}
COMMON: dict[str, Any] = {
    "catalogue": "{{ params.catalogue }}",
    "destination": "{{ params.place }}",
    "dry_run": "{{ params.dry_run }}",
    "deferrable": True,
    "poll_interval": 1,
}
# A machine that is busy with other tests may not start a task in time.
ARGUMENTS = {"retries": 2, "retry_delay": timedelta(seconds=5)}
HERO = Brief("hero", kind="image", prompt="Photo of {title}.", formats=["1:1"], options={"adsumo": {"model": "fast"}})

# Each line of products at another vendor; CutX's may go to Sume if they fail.
with DAG("adgen_shop_campaign", schedule=None, params=PARAMS, default_args=ARGUMENTS):
    campaign_refresh(
        **COMMON,
        briefs=[
            Brief(
                "hero",
                kind="image",
                prompt="Photo of {title}.",
                formats=["1:1"],
                where={"product_type": "Lamps"},
                options={"adsumo": {"model": "fast"}},
            ),
            Brief(
                "static",
                kind="image",
                prompt="{title} on a desk.",
                formats=["1:1"],
                where={"product_type": "Chairs"},
            ),
            Brief(
                "scene",
                kind="image",
                prompt="{title} in a room.",
                formats=["1:1"],
                where={"product_type": "Tables"},
                product_image="required",
            ),
        ],
        accounts=["adsumo_default", "cutx_default", "sume_default"],
        max_credits={"adsumo_default": 500, "cutx_default": 1500, "sume_default": 2000},
        assume_credits={"sume_default": 4},
        reuse=True,
    )

# Prices that are documented, of every vendor that documents some, and one that is not.
with DAG("adgen_priced_campaign", schedule=None, params=PARAMS, default_args=ARGUMENTS):
    campaign_refresh(
        **COMMON,
        briefs=[
            HERO,
            Brief(
                "large",
                kind="image",
                prompt="Large photo of {title}.",
                formats=["1:1"],
                options={"adsumo": {"model": "pro", "resolution": "4k"}},
            ),
            Brief(
                "face",
                kind="video",
                script="{title}. {description}",
                voice="EXAVITQu4vr4xnSDxMaL",
                avatar=next(iter(AVATARS)),
                options={"adsumo": {"avatar_type": "platform"}},
            ),
            Brief("spot", kind="voice", script="{title}, now in the shop.", voice="EXAVITQu4vr4xnSDxMaL"),
            Brief("static", kind="image", prompt="{title} on a desk.", formats=["1:1"]),
            Brief("post", kind="copy", prompt="Mention {title}.", formats=["short"], platform="meta", tone="playful"),
            Brief("talk", kind="video", script="Have you seen {title}?", formats=["9:16"]),
            Brief(
                "clip",
                kind="video",
                prompt="A clip of {title}.",
                formats=["9:16"],
                options={"cinematicads": {"workflow_type": "cinematic"}},
            ),
            Brief("reel", kind="video", prompt="The camera moves around {title}.", formats=["9:16"], duration=8),
        ],
        accounts=["adsumo_default", "cutx_default", "cinematicads_default", "sume_default"],
    )

# Its end is past, so that only backfills and people make runs of it.
with DAG(
    "adgen_weekly_campaign",
    schedule="@weekly",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    end_date=datetime(2024, 12, 31, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    params=PARAMS,
    default_args=ARGUMENTS,
):
    campaign_refresh(**COMMON, briefs=[HERO], accounts=["adsumo_default"], reuse=True)

if importlib.util.find_spec("airflow.sdk.execution_time.hitl") is not None:  # 3.1
    for name, within in (("adgen_asked_campaign", None), ("adgen_briefly_asked_campaign", timedelta(seconds=60))):
        with DAG(name, schedule=None, params=PARAMS, default_args=ARGUMENTS):
            campaign_refresh(
                **COMMON,
                briefs=[HERO],
                accounts=["adsumo_default"],
                reuse=True,
                review=True,
                review_timeout=within,
                gallery_url="https://ads.example/spring",
            )
