# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The campaign and the briefs that the pages show, as they stand: only the places are of this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

DOCS = Path(__file__).resolve().parents[3] / "docs"
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
FEED = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<item><g:id>LMP-014</g:id><title>Desk lamp</title><g:brand>Lumo</g:brand><description>A lamp.</description>
<link>https://shop.example/lamp</link><g:image_link>https://shop.example/lamp.jpg</g:image_link>
<g:price>29.90 EUR</g:price><g:product_type>Lamps</g:product_type></item>
<item><g:id>CHR-002</g:id><title>Chair</title><g:brand>Lumo</g:brand><description>A chair.</description>
<link>https://shop.example/chair</link><g:image_link>https://shop.example/chair.jpg</g:image_link>
<g:price>129.00 EUR</g:price><g:product_type>Chairs</g:product_type></item>
</channel></rss>"""
VENDORS = {"Adsumo": "adsumo", "CutX": "cutx", "Sume": "sume", "CinematicAds": "cinematicads"}


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "page", "exec"), names)  # noqa: S102 - our own documentation
    return names


def test_the_campaign_that_is_shown(campaign: CampaignRig) -> None:
    shown = FENCE.findall((DOCS / "campaign.md").read_text(encoding="utf-8"))[0]
    feed = campaign.folder / "feed.xml"
    feed.write_text(FEED)
    text = shown.replace("s3://aws_default@shop/feed.xml", str(feed)).replace(
        "s3://aws_default@ads/spring", campaign.place
    )
    assert text.count(str(campaign.folder)) == 2

    def as_shown() -> Any:
        dag = run(text)["dag"]
        generate = dag.get_task("campaign.generate")
        generate.poll_interval, generate.deferrable = 0.05, True
        return dag

    campaign.make_dag = as_shown
    assert campaign.go() == ALL, campaign.errors
    assert [line["key"] for line in campaign.lines_of_run()] == [
        "LMP-014/hero/1x1",
        "LMP-014/hero/9x16",
        "LMP-014/reel/9x16",
        "CHR-002/hero/1x1",
        "CHR-002/hero/9x16",
        "CHR-002/reel/9x16",
    ]
    assert {account["conn_id"]: account["credits"] for account in campaign.plan["accounts"]}["adsumo_default"] == 84


@pytest.mark.parametrize("title", VENDORS)
def test_the_briefs_that_are_shown_for_each_vendor(campaign: CampaignRig, title: str) -> None:
    section = (DOCS / "briefs.md").read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    [text] = FENCE.findall(section)
    (campaign.folder / "feed.xml").write_text(FEED)
    campaign.catalogue = str(campaign.folder / "feed.xml")
    briefs = run(text)["briefs"]
    assert campaign.go(briefs=briefs, accounts=[f"{VENDORS[title]}_default"]) == ALL, campaign.errors
    assert {line["meta"]["brief"] for line in campaign.lines_of_run()} == {brief.name for brief in briefs}


def test_the_dag_that_follows_single_creatives_takes_the_new_ones(campaign: CampaignRig) -> None:
    assert campaign.go(reuse=True) == ALL, campaign.errors
    campaign.begin_run("weekly-2", None)
    campaign.feed("Lamp", "Armchair", "Table")
    assert campaign.go(reuse=True, creative_events=True) == ALL, campaign.errors
    shown = FENCE.findall((DOCS / "campaign.md").read_text(encoding="utf-8"))[-1]
    events = {"asset": [SimpleNamespace(extra=extra) for _, extra in campaign.creative_events]}
    [file] = run(shown)["dag"].get_task("new_files").python_callable(triggering_asset_events=events)
    assert "/weekly-2/P-2/hero/1x1-" in file


def test_the_dag_that_follows_a_campaign_leaves_out_what_was_rejected(campaign: CampaignRig) -> None:
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    campaign.approve("P-2/hero/1x1")
    assert campaign.go(review=True) == ALL | {"review": "success"}, campaign.errors
    shown = FENCE.findall((DOCS / "campaign.md").read_text(encoding="utf-8"))[-2]
    events = {"asset": [SimpleNamespace(extra=extra) for extra in campaign.events]}
    files = run(shown)["dag"].get_task("upload").python_callable(triggering_asset_events=events)
    assert set(files) == {"P-1/hero/1x1", "P-3/hero/1x1"}
    assert all(Path(uri.removeprefix("file://")).is_file() for uris in files.values() for uri in uris)


def test_a_campaign_buys_what_fits_into_a_budget(campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__BUDGETS", json.dumps({"adsumo_default": {"day": 2}}))
    assert campaign.go() == ALL | {"generate": "failed", "verdict": "failed"}
    assert [one["status"] for one in campaign.lines_of_run()] == ["completed", "completed", "waiting"]
    assert len(campaign.charges) == 2


def test_a_plain_path_is_a_destination_too(campaign: CampaignRig) -> None:
    campaign.place = campaign.place.removeprefix("file://")
    assert campaign.go(reuse=True) == ALL, campaign.errors
    campaign.begin_run("weekly-2", None)
    assert campaign.go(reuse=True) == ALL, campaign.errors
    assert len(campaign.charges) == 3
