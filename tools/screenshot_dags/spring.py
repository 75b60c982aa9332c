# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The campaign of the documentation's screenshots: three vendors, and a person who approves."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_provider_adgen.campaigns import Brief, campaign_refresh

with DAG("spring", schedule=None, catchup=False, tags=["adgen"]):
    campaign_refresh(
        catalogue=os.environ["ADGEN_SCREENSHOTS_FEED"],
        briefs=[
            Brief(
                "hero",
                kind="image",
                prompt="Product photo of {title} by {brand}. Soft daylight.",
                formats=["1:1", "9:16"],
                options={"adsumo": {"model": "fast"}},
            ),
            Brief(
                "reel",
                kind="video",
                prompt="Short ad: {title}. The camera moves slowly around it.",
                formats=["9:16"],
                duration=5,
            ),
            Brief("post", kind="copy", formats=["short"], platform="meta", tone="playful"),
        ],
        accounts=["adsumo_default", "sume_default", "cutx_default"],
        destination=os.environ["ADGEN_SCREENSHOTS_PLACE"],
        max_credits={"adsumo_default": 6, "sume_default": 400, "cutx_default": 100},
        assume_credits={"sume_default": 20},
        reuse=True,
        review=True,
        gallery_url="https://ads.example/spring",
        deferrable=True,
    )
