# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of a campaign that use again what earlier runs made, and pay for the rest only."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.campaigns import Brief
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

pytestmark = pytest.mark.skipif(
    "library" not in inspect.signature(GenerateBatchOperator.__init__).parameters,
    reason="GenerateBatchOperator has no library= yet",
)
ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}


def test_a_second_run_pays_only_for_the_product_that_changed(campaign: CampaignRig) -> None:
    assert campaign.go(reuse=True) == ALL, campaign.errors
    campaign.begin_run("weekly-2", None)
    campaign.feed("Lamp", "Armchair", "Table")
    assert campaign.go(reuse=True, max_credits=1) == ALL, campaign.errors
    assert len(campaign.charges) == 4
    assert campaign.paid_prompts()[-1] == "A photo of Armchair."
    assert {line["key"]: line["status"] for line in campaign.lines_of_run()} == {
        "P-1/hero/1x1": "reused",
        "P-2/hero/1x1": "completed",
        "P-3/hero/1x1": "reused",
    }
    [account] = campaign.plan["accounts"]
    assert (account["items"], account["credits"], account["reused"]) == (1, 1, 2)
    assert campaign.manifest["totals"]["creatives"] == 3


def test_without_reuse_everything_is_made_again(campaign: CampaignRig) -> None:
    campaign.go(reuse=True)
    campaign.begin_run("weekly-2", None)
    campaign.go()
    assert len(campaign.charges) == 6


def test_what_is_too_old_is_made_again(campaign: CampaignRig) -> None:
    campaign.go(reuse=True)
    campaign.clock.move(7200)
    campaign.begin_run("weekly-2", None)
    assert campaign.go(reuse=True, reuse_max_age=3600) == ALL, campaign.errors
    assert len(campaign.charges) == 6


def test_a_retry_of_the_whole_run_pays_nothing(campaign: CampaignRig) -> None:
    campaign.go(reuse=True)
    campaign.cleared("check", "plan", "generate", "draft", "publish", "verdict")
    assert campaign.go(reuse=True) == ALL, campaign.errors
    assert len(campaign.charges) == 3


def test_a_library_that_cannot_be_read_is_not_an_empty_one(campaign: CampaignRig) -> None:
    campaign.go(reuse=True)
    library = campaign.folder / "ads" / "_adgen" / "library" / "entries"
    for folder in library.iterdir():
        (folder / f"{next(folder.iterdir()).name[:64]}-strange.json").write_text("{}")
    campaign.begin_run("weekly-2", None)
    assert campaign.go(reuse=True)["plan"] == "failed"
    assert len(campaign.charges) == 3


def test_creatives_of_products_that_the_vendor_knows_are_found_again(campaign: CampaignRig) -> None:
    ad = Brief("ad", kind="image", prompt="{title}.", formats=["1:1"], options={"cutx": {"style": "lifestyle"}})
    cutx = {"briefs": [ad], "accounts": ["cutx_default"], "reuse": True}
    assert campaign.go(**cutx) == ALL, campaign.errors
    campaign.begin_run("weekly-2", None)
    campaign.feed("Lamp", "Chair", "Table", "Sofa")
    assert campaign.go(**cutx) == ALL, campaign.errors
    assert len(campaign.charges) == 4
    assert campaign.told("plan")["reused"] == 3


def test_a_rejected_creative_is_made_again(campaign: CampaignRig) -> None:
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    campaign.approve("P-2/hero/1x1")
    assert campaign.go(reuse=True, review=True) == ALL | {"review": "success"}, campaign.errors
    campaign.begin_run("weekly-2", None)
    campaign.approve()
    assert campaign.go(reuse=True, review=True) == ALL | {"review": "success"}, campaign.errors
    assert len(campaign.charges) == 4
    assert campaign.paid_prompts()[-1] == "A photo of Chair."


def test_a_draft_that_was_rejected_is_used_again_but_for_the_keys_that_were_named(campaign: CampaignRig) -> None:
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    campaign.approve("P-2/hero/1x1", option="Reject")
    assert campaign.go(reuse=True, review=True) == ALL | {"review": "success", "publish": "skipped"}, campaign.errors
    campaign.begin_run("weekly-2", None)
    campaign.approve()
    assert campaign.go(reuse=True, review=True) == ALL | {"review": "success"}, campaign.errors
    assert campaign.paid_prompts()[3:] == ["A photo of Chair."]
