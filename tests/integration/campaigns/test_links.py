# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The pages of a campaign's tasks lead to its results and its gallery."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from airflow_provider_adgen.operators.links import GALLERY, RESULTS

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig


@pytest.mark.parametrize("how", ["gallery_url", "destination_urls"])
def test_the_tasks_lead_to_results_and_gallery(campaign: CampaignRig, how: str) -> None:
    given = {}
    if how == "gallery_url":
        given = {"gallery_url": "https://ads.example/spring/"}
    else:
        campaign.patch.setenv(
            "AIRFLOW__ADGEN__DESTINATION_URLS", json.dumps({campaign.place: "https://ads.example/spring"})
        )
    assert set(campaign.go(**given).values()) == {"success"}, campaign.errors
    results = quote(campaign.told("generate", "results").removeprefix(campaign.place))
    assert campaign.told("generate", RESULTS.xcom_key) == f"https://ads.example/spring{results}"
    gallery = "https://ads.example/spring/weekly-1/gallery.html"
    assert [campaign.told(name, GALLERY.xcom_key) for name in ("draft", "publish")] == [gallery, gallery]


def test_without_an_address_there_are_no_links(campaign: CampaignRig) -> None:
    campaign.go()
    assert not [key for xcoms in campaign.xcom["weekly-1"].values() for key in xcoms if key.startswith("_link")]


def test_the_one_who_is_asked_is_led_to_the_gallery(campaign: CampaignRig) -> None:
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    campaign.patch.setenv("AIRFLOW__ADGEN__DESTINATION_URLS", json.dumps({campaign.place: "https://ads.example"}))
    assert set(campaign.go(review=True).values()) == {"success"}, campaign.errors
    gallery = "https://ads.example/weekly-1/gallery.html"
    assert campaign.told("review", GALLERY.xcom_key) == gallery
    assert f"[Open the gallery]({gallery})" in campaign.asked[0]["body"]
