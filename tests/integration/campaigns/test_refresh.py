# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns from check to verdict, at the sandbox: what is made, paid, shown and published, and what turns red."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.campaigns import Brief

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
TWO = {"accounts": ["adsumo_default", "sume_default"]}


def test_a_campaign_makes_shows_and_publishes(campaign: CampaignRig) -> None:
    assert campaign.go(max_credits=10) == ALL, campaign.errors
    assert len(campaign.charges) == 3
    assert [one["status"] for one in campaign.lines_of_run()] == ["completed"] * 3
    generations = [one for product in campaign.manifest["products"] for one in product["generations"]]
    assert [one["key"] for one in generations] == ["P-1/hero/1x1", "P-2/hero/1x1", "P-3/hero/1x1"]
    entry = {
        "run_id": "weekly-1",
        "logical_date": "2026-01-05T00:00:00+00:00",
        "manifest": f"{campaign.place}/weekly-1/manifest.json",
    }
    assert campaign.latest == entry
    assert campaign.events == [{**entry, "counts": {"completed": 3}}]
    assert campaign.plan["accounts"][0]["credits"] == 3
