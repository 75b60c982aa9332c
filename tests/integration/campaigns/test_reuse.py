# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of a campaign that use again what earlier runs made, and pay for the rest only."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief, plan_campaign, read_catalogue
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.ledger.library import Library
from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from tests.support.batch import item
from tests.support.campaign import HERO

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


def test_what_is_not_stored_any_more_is_planned_anew_and_costs_what_the_plan_says(campaign: CampaignRig) -> None:
    assert campaign.go(reuse=True) == ALL, campaign.errors
    [gone] = (campaign.folder / "ads" / "weekly-1" / "P-1").rglob("*.png")
    gone.unlink()
    campaign.begin_run("weekly-2", None)
    assert campaign.go(reuse=True, max_credits=0)["plan"] == "failed"
    assert "1 of 3 creatives do not fit into max_credits: P-1/hero/1x1" in campaign.message("plan")
    campaign.begin_run("weekly-3", None)
    campaign.go(reuse=True, dry_run=True)
    [account] = campaign.plan["accounts"]
    assert (account["items"], account["credits"], account["reused"]) == (1, 1, 2)
    campaign.begin_run("weekly-4", None)
    assert campaign.go(reuse=True, max_credits=1) == ALL, campaign.errors
    assert len(campaign.charges) == 4


def test_an_entry_that_cannot_be_read_stops_its_item_and_not_the_plan(campaign: CampaignRig) -> None:
    assert campaign.go(reuse=True) == ALL, campaign.errors
    entries = sorted((campaign.folder / "ads" / "_adgen" / "library" / "entries").rglob("*.json"))
    entries[0].write_text("{")
    campaign.begin_run("weekly-2", None)
    states = campaign.go(reuse=True)
    assert (states["plan"], states["generate"], states["verdict"]) == ("success", "failed", "failed")
    assert campaign.told("plan")["reused"] == 2
    assert len(campaign.charges) == 3, "what may have been made is not paid for again"
    assert sorted(line["status"] for line in campaign.lines_of_run()) == ["reused", "reused", "waiting"]


def test_plan_campaign_takes_the_folder_of_a_library_or_a_library(campaign: CampaignRig) -> None:
    assert campaign.go(reuse=True) == ALL, campaign.errors
    products = read_catalogue(campaign.catalogue).products
    path = f"{campaign.place}/_adgen/library"
    for library in (path, Library(path), Library(path, reuse_max_age=3600)):
        made = plan_campaign(products, [HERO], ["adsumo_default"], max_credits=0, library=library)
        assert len(made.reused) == 3
    campaign.clock.move(7200)
    aged = Library(path, reuse_max_age=3600, clock=campaign.clock)
    assert plan_campaign(products, [HERO], ["adsumo_default"], library=aged).reused == {}


def test_without_reuse_everything_is_made_again(campaign: CampaignRig) -> None:
    campaign.go(reuse=True)
    campaign.begin_run("weekly-2", None)
    campaign.go()
    assert len(campaign.charges) == 6


@pytest.mark.parametrize("rendered", ["", " ", "None"])
def test_a_library_that_renders_to_nothing_is_refused_before_anything_is_bought(
    campaign: CampaignRig, rendered: str
) -> None:
    states = campaign.go(reuse=True, library="{{ params.library }}", params={"library": rendered})
    assert states["plan"] == "failed"
    assert "The library is" in campaign.message("plan")
    with pytest.raises(AirflowFailException, match="The library is"):
        campaign.run(campaign.batch([item("a")], library=rendered))
    assert campaign.charges == []


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


def test_a_creative_is_rejected_by_the_request_that_it_was_made_with(campaign: CampaignRig) -> None:
    """The feed changed between two tries of a run, and the job that was paid for before counts."""
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    given: dict[str, Any] = {"reuse": True, "review": True, "on_changed_input": "reattach"}
    all_of_them = ALL | {"review": "success"}
    assert campaign.go(**given) == all_of_them, campaign.errors
    campaign.feed("Lamp", "Armchair", "Table")
    campaign.cleared(*all_of_them)
    campaign.approve("P-2/hero/1x1")
    assert campaign.go(**given) == all_of_them, campaign.errors
    assert len(campaign.charges) == 3
    campaign.begin_run("weekly-2", None)
    campaign.feed("Lamp", "Chair", "Table")
    campaign.approve()
    assert campaign.go(**given) == all_of_them, campaign.errors
    assert [line["status"] for line in campaign.lines_of_run()] == ["reused", "completed", "reused"]
    assert len(campaign.charges) == 4


def test_a_draft_that_was_rejected_is_used_again_but_for_the_keys_that_were_named(campaign: CampaignRig) -> None:
    pytest.importorskip("airflow.sdk.execution_time.hitl", reason="Airflow asks people from 3.1 on")
    campaign.approve("P-2/hero/1x1", option="Reject")
    assert campaign.go(reuse=True, review=True) == ALL | {"review": "success", "publish": "skipped"}, campaign.errors
    campaign.begin_run("weekly-2", None)
    campaign.approve()
    assert campaign.go(reuse=True, review=True) == ALL | {"review": "success"}, campaign.errors
    assert campaign.paid_prompts()[3:] == ["A photo of Chair."]


SHOT = Brief(
    "shot",
    kind="image",
    formats=["1:1"],
    options={"adsumo": {"model": "fast", "style_id": "lifestyle-outdoor"}},
)


def take_a_new_account(campaign: CampaignRig, patch: pytest.MonkeyPatch) -> None:
    """Let the connection lead to an account without products, and forget the ids that the other one gave them."""
    campaign.sandbox.add_account("adsumo", "new", key="as_new_account")
    connection = {**campaign.sandbox.connection("adsumo"), "password": "as_new_account"}
    patch.setenv("AIRFLOW_CONN_ADSUMO_DEFAULT", json.dumps(connection))
    forget(campaign)


def forget(campaign: CampaignRig) -> None:
    """Forget the ids that the vendors gave."""
    for file in (campaign.folder / "ads" / "_adgen" / "library" / "vendor_products").iterdir():
        file.unlink()


def plan_then_lose(campaign: CampaignRig, **arguments: Any) -> None:
    """Plan the second run, and delete a creative of the first one after that."""
    campaign.begin_run("weekly-2", None)
    tasks = campaign.tasks(**arguments)
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    for file in (campaign.folder / "ads" / "weekly-1" / "P-1").rglob("*.png"):
        file.unlink()


def vendors_ids(campaign: CampaignRig) -> list[str]:
    items = campaign.lines_of("items_with_vendor_products.jsonl")
    return [item["choices"][0]["request"]["product_id"] for item in items]


def test_a_product_that_the_vendor_has_anew_is_not_paid_again_and_another_page_is(
    campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = {"briefs": [SHOT], "accounts": ["adsumo_default"], "reuse": True, "assume_credits": 1}
    assert campaign.go(**shots) == ALL, campaign.errors
    assert len(campaign.charges) == 3
    before = vendors_ids(campaign)
    take_a_new_account(campaign, monkeypatch)
    campaign.begin_run("weekly-2", None)
    assert campaign.go(**shots, max_credits=0) == ALL, campaign.errors
    assert len(campaign.charges) == 3 and campaign.told("plan")["reused"] == 3
    assert not {*vendors_ids(campaign)} & {*before}
    # The same id of the shop for another product: that is seen by its page.
    feed = campaign.folder / "feed.jsonl"
    feed.write_text(feed.read_text().replace('https://shop.example/2"', 'https://shop.example/sofa"'))
    campaign.begin_run("weekly-3", None)
    assert campaign.go(**shots) == ALL, campaign.errors
    assert len(campaign.charges) == 4
    assert {line["key"]: line["status"] for line in campaign.lines_of_run()} == {
        "P-1/shot/1x1": "reused",
        "P-2/shot/1x1": "completed",
        "P-3/shot/1x1": "reused",
    }


def test_a_file_that_is_gone_is_made_again_of_the_product_that_the_vendor_has_now(
    campaign: CampaignRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was there when the run was planned."""
    shots = {"briefs": [SHOT], "accounts": ["adsumo_default"], "reuse": True, "assume_credits": 1}
    assert campaign.go(**shots) == ALL, campaign.errors
    take_a_new_account(campaign, monkeypatch)
    plan_then_lose(campaign, **shots)
    assert campaign.go(begin="generate", **shots) == ALL, campaign.errors
    assert campaign.told("plan")["reused"] == 3 and len(campaign.charges) == 4
    assert {one["request"]["product_id"] for one in campaign.manifest["items"]} == {*vendors_ids(campaign)}


AD = Brief("ad", kind="image", prompt="{title}.", formats=["1:1"])


def test_a_file_that_is_gone_is_made_again_by_the_account_that_made_it(campaign: CampaignRig) -> None:
    """The plan took it from there, so the account before that one was not asked for its product."""
    assert campaign.go(reuse=True) == ALL, campaign.errors
    both = {"accounts": ["cutx_default", "adsumo_default"], "reuse": True}
    plan_then_lose(campaign, **both)
    assert campaign.go(begin="generate", **both) == ALL, campaign.errors
    assert {(one["status"], one["choice"]) for one in campaign.lines_of_run()} == {("reused", 1), ("completed", 1)}
    assert [one["vendor"] for one in campaign.charges] == ["adsumo"] * 4


def test_what_was_made_is_used_although_its_vendor_cannot_be_asked_for_the_product(campaign: CampaignRig) -> None:
    cutx = {"briefs": [AD], "accounts": ["cutx_default"], "reuse": True}
    assert campaign.go(**cutx) == ALL, campaign.errors
    forget(campaign)
    campaign.sandbox.fault("status", "cutx", path="/api/products*", status=503, times=-1)
    campaign.begin_run("weekly-2", None)
    assert campaign.go(**cutx) == ALL, campaign.errors
    assert {one["status"] for one in campaign.lines_of_run()} == {"reused"}
    assert len(campaign.charges) == 3
