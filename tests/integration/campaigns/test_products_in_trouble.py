# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Products that a vendor refuses, has lost, or cannot be asked for: everybody else goes on, and nobody pays twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.hooks.cutx import CutxHook
from tests.support.campaign import HERO

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox
    from tests.support.campaign import CampaignRig

BOTH = ["adsumo_default", "cutx_default"]
CUTX_FIRST = ["cutx_default", "adsumo_default"]
SHOT = Brief(
    "shot",
    "image",
    "Nice {title}",
    formats=["1:1"],
    product_image="required",
    options={"adsumo": {"model": "fast", "style_id": "lifestyle-outdoor"}},
)
POSTER = Brief("poster", "image", "Poster of {title}", formats=["1:1"])
PAGES = "/api/products/ingest"
WEEK_2 = datetime(2026, 1, 12, tzinfo=UTC)


def lines(campaign: CampaignRig) -> dict[str, tuple[str, int | None, str | None]]:
    """Return status, number of the choice and account of each item."""
    return {one["key"][:3]: (one["status"], one["choice"], one["conn_id"]) for one in campaign.lines_of_run()}


def reason(campaign: CampaignRig, product: str) -> str:
    return next(str(one["reason"]) for one in campaign.lines_of_run() if one["key"].startswith(product))


def refuse(sandbox: Sandbox, *products: int, status: int = 400) -> None:
    for product in products:
        page = f"shop.example/{product}"
        sandbox.fault("status", "cutx", method="POST", path=PAGES, status=status, times=-1, contains=page)


def remembered(campaign: CampaignRig) -> Path:
    (path,) = (campaign.folder / "ads" / "_adgen" / "vendor_products").glob("*.json")
    return path


def map_of(campaign: CampaignRig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remembered(campaign).read_text())
    return found


# --- a product that the vendor refuses --------------------------------------------------------------------------------


def test_a_product_that_a_second_choice_refuses_disturbs_nobody(campaign: CampaignRig, sandbox: Sandbox) -> None:
    refuse(sandbox, 2)
    assert set(campaign.go(accounts=BOTH).values()) == {"success"}
    assert lines(campaign) == dict.fromkeys(("P-1", "P-2", "P-3"), ("completed", 0, "adsumo_default"))


def test_items_about_a_refused_product_go_to_their_next_account(campaign: CampaignRig, sandbox: Sandbox) -> None:
    refuse(sandbox, 2)
    assert set(campaign.go(accounts=CUTX_FIRST).values()) == {"success"}
    at_cutx, at_adsumo = ("completed", 0, "cutx_default"), ("completed", 1, "adsumo_default")
    assert lines(campaign) == {"P-1": at_cutx, "P-2": at_adsumo, "P-3": at_cutx}
    assert len(campaign.charges) == 3
    assert [(one["vendor"], one["choice"]) for one in campaign.manifest["items"]] == [
        ("cutx", 0),
        ("adsumo", 1),
        ("cutx", 0),
    ]


def test_a_refused_product_is_named_where_no_account_is_left(campaign: CampaignRig, sandbox: Sandbox) -> None:
    refuse(sandbox, 2)
    ended = campaign.go(accounts=["cutx_default"])
    assert (ended["generate"], ended["publish"]) == ("failed", "success")
    assert isinstance(campaign.errors["generate"], AirflowFailException), "a retry does not help"
    assert lines(campaign)["P-2"] == ("refused", 0, "cutx_default")
    why = reason(campaign, "P-2")
    assert why.startswith("Connection 'cutx_default' has no product P-2 (Chair): CutX answered 400")
    assert len(campaign.charges) == 2
    assert campaign.told("generate", "results") in campaign.message("verdict")
    # Once the page is mended, a clear makes what is missing, and nothing else.
    sandbox.clear_faults()
    campaign.cleared("generate", "draft", "publish", "verdict")
    assert set(campaign.go(begin="generate", accounts=["cutx_default"]).values()) == {"success"}
    assert len(campaign.charges) == 3


def test_an_account_that_refuses_all_products_equally_moves_nothing(campaign: CampaignRig, sandbox: Sandbox) -> None:
    campaign.feed(*"ABCDEF")
    refuse(sandbox, *range(1, 7))
    assert campaign.go(accounts=CUTX_FIRST)["generate"] == "failed"
    assert set(lines(campaign).values()) == {("waiting", 0, "cutx_default")}
    assert "It refused 6 equally. Nothing was moved to another account." in reason(campaign, "P-1")
    assert campaign.charges == []
    # One that is made says that the others are to blame themselves.
    sandbox.clear_faults()
    refuse(sandbox, *range(1, 6))
    campaign.cleared("generate")
    campaign.go(begin="generate", accounts=CUTX_FIRST)
    assert [one[1] for one in lines(campaign).values()] == [1, 1, 1, 1, 1, 0]


# --- an account that cannot be asked ----------------------------------------------------------------------------------


def test_no_product_is_made_for_items_that_a_task_behind_the_plan_left_out(
    campaign: CampaignRig, sandbox: Sandbox
) -> None:
    given: dict[str, Any] = {"briefs": [SHOT, POSTER], "accounts": BOTH}
    tasks = campaign.tasks(**given)
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    path = campaign.folder / "ads" / campaign.run_id / "items.jsonl"
    planned = path.read_text().splitlines(keepends=True)
    path.write_text("".join(one for one in planned if json.loads(one)["key"] == "P-2/shot/1x1"))
    states = campaign.go(begin="generate", **given)
    assert set(states.values()) == {"success"}, campaign.errors
    assert [one["key"] for one in campaign.manifest["items"]] == ["P-2/shot/1x1"]
    assert sandbox.requests("cutx", method="POST", path=PAGES) == []
    assert list(map_of(campaign)["products"]) == ["P-2"]


def test_an_outage_of_a_second_choice_disturbs_nobody(campaign: CampaignRig, sandbox: Sandbox) -> None:
    sandbox.fault("status", "cutx", path="/api/products*", status=503, times=-1)
    assert set(campaign.go(accounts=BOTH).values()) == {"success"}
    assert {one["vendor"] for one in campaign.charges} == {"adsumo"}


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 503])
def test_an_outage_moves_nothing_to_another_account(campaign: CampaignRig, sandbox: Sandbox, status: int) -> None:
    tasks: dict[str, Any] = {"briefs": [HERO, SHOT], "accounts": CUTX_FIRST}
    sandbox.fault("status", "cutx", path="/api/products*", status=status, times=-1)
    ended = campaign.go(**tasks)
    assert (ended["generate"], ended["publish"]) == ("failed", "success")
    statuses = {one["key"]: (one["status"], one["conn_id"]) for one in campaign.lines_of_run()}
    assert {one for key, one in statuses.items() if "/hero/" in key} == {("waiting", "cutx_default")}
    assert {one for key, one in statuses.items() if "/shot/" in key} == {("completed", "adsumo_default")}
    assert {one["vendor"] for one in campaign.charges} == {"adsumo"}
    assert isinstance(campaign.errors["generate"], AdGenError) == (status not in {401, 402, 403})
    assert f"CutX answered {status} to GET /api/products" in campaign.message("generate")
    # A retry goes on with what waited.
    sandbox.clear_faults()
    assert set(campaign.go(**tasks, begin="generate").values()) == {"success"}
    assert sum(one["vendor"] == "cutx" for one in campaign.charges) == 3


def test_one_page_that_breaks_the_vendor_is_that_products_trouble(campaign: CampaignRig, sandbox: Sandbox) -> None:
    refuse(sandbox, 2, status=500)
    assert campaign.go(accounts=CUTX_FIRST)["generate"] == "failed"
    assert isinstance(campaign.errors["generate"], AdGenError)
    assert lines(campaign)["P-2"] == ("waiting", 0, "cutx_default")
    assert [one["vendor"] for one in campaign.charges] == ["cutx", "cutx"]


def test_a_vendor_that_breaks_each_time_is_not_asked_for_thousands(campaign: CampaignRig, sandbox: Sandbox) -> None:
    campaign.feed(*"ABCDEFGH")
    sandbox.fault("status", "cutx", method="POST", path=PAGES, status=500, times=-1)
    assert campaign.go(accounts=["cutx_default"])["generate"] == "failed"
    assert len(sandbox.requests("cutx", method="POST", path=PAGES)) == 5
    assert {one[0] for one in lines(campaign).values()} == {"waiting"}
    assert "could not be asked for products" in reason(campaign, "P-8")


@pytest.mark.parametrize("status", [400, 503])
def test_what_is_paid_for_is_collected_although_a_new_product_makes_trouble(
    campaign: CampaignRig, sandbox: Sandbox, status: int
) -> None:
    tasks = campaign.tasks(accounts=BOTH)
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    campaign.first_leg(tasks["generate"])
    assert len(campaign.charges) == 3
    campaign.feed("Lamp", "Chair", "Table", "Sofa")
    refuse(sandbox, 4, status=status)
    campaign.cleared("check", "plan", "generate", "draft", "publish", "verdict")
    assert set(campaign.go(accounts=BOTH).values()) == {"success"}
    assert len(campaign.charges) == len(list(campaign.folder.rglob("*.png"))) == 4


def test_what_was_made_is_remembered_whatever_comes_later(campaign: CampaignRig, sandbox: Sandbox) -> None:
    sandbox.fault("status", "cutx", method="POST", path=PAGES, status=401, times=-1, contains="shop.example/3")
    campaign.go(accounts=["cutx_default"])
    assert set(map_of(campaign)["products"]) == {"P-1", "P-2"}


# --- a product that the vendor has lost -------------------------------------------------------------------------------


def made_and_refused(campaign: CampaignRig, sandbox: Sandbox) -> None:
    """Have the products made, and nothing of them."""
    sandbox.fault("status", "adsumo", method="POST", path="/images/product-shots", status=400, times=-1)
    campaign.go(briefs=[SHOT])
    sandbox.clear_faults()
    assert campaign.charges == []


def test_a_product_that_was_deleted_is_made_anew_once(campaign: CampaignRig, sandbox: Sandbox) -> None:
    made_and_refused(campaign, sandbox)
    hook, before = AdsumoHook(), map_of(campaign)["products"]
    hook.delete_product(before["P-2"]["product_id"])
    campaign.clock.move(3600)
    campaign.begin_run("weekly-2", WEEK_2)
    assert set(campaign.go(briefs=[SHOT]).values()) == {"success"}
    now = map_of(campaign)["products"]
    assert {name for name in now if now[name] != before[name]} == {"P-2"}
    assert {product.id for product in hook.list_products()} == {one["product_id"] for one in now.values()}
    asked = len(sandbox.requests("adsumo", method="POST", path="/products"))
    campaign.clock.move(3600)
    campaign.begin_run("weekly-3", datetime(2026, 1, 19, tzinfo=UTC))
    assert set(campaign.go(briefs=[SHOT]).values()) == {"success"}
    assert len(sandbox.requests("adsumo", method="POST", path="/products")) == asked


def test_another_account_behind_the_connection_gets_products_of_its_own(
    campaign: CampaignRig, sandbox: Sandbox
) -> None:
    assert set(campaign.go(briefs=[POSTER], accounts=["cutx_default"]).values()) == {"success"}
    campaign.clock.move(3600)
    other = {**sandbox.connection("cutx", timeout=5), "password": sandbox.add_account("cutx", "others", credits=1000)}
    campaign.patch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(other))
    campaign.begin_run("weekly-2", WEEK_2)
    again = Brief("again", "image", "Poster of {title}", formats=["1:1"])
    assert set(campaign.go(briefs=[again], accounts=["cutx_default"]).values()) == {"success"}
    assert len(campaign.charges) == 6


@pytest.mark.parametrize("young", [True, False])
@pytest.mark.parametrize("status", [404, 503])
def test_a_list_that_cannot_be_read_never_means_deleted(
    campaign: CampaignRig, sandbox: Sandbox, status: int, young: bool
) -> None:
    made_and_refused(campaign, sandbox)
    before = map_of(campaign)
    campaign.clock.move(60 if young else 3600)
    sandbox.fault("status", "adsumo", method="GET", path="/products*", status=status, times=-1)
    campaign.begin_run("weekly-2", WEEK_2)
    asked = len(sandbox.requests("adsumo", method="GET", path="/products"))
    assert set(campaign.go(briefs=[SHOT]).values()) == {"success"}
    assert map_of(campaign) == before
    assert (len(sandbox.requests("adsumo", method="GET", path="/products")) == asked) == young


def test_a_list_without_end_never_means_deleted(campaign: CampaignRig, sandbox: Sandbox) -> None:
    """CutX may show a part of its list only: what is not in it is there all the same."""
    assert set(campaign.go(briefs=[POSTER], accounts=["cutx_default"]).values()) == {"success"}
    before = map_of(campaign)["products"]
    project = before["P-1"]["project_id"]
    hook = CutxHook()
    ids = [one["product_id"] for one in before.values()]
    unknown = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
    assert list(hook.find_deleted_products([*ids, unknown], project_id=project)) == [unknown]
    for number in range(250):
        hook.ingest_product(url=f"https://shop.example/more/{number}", project_id=project)
    assert len(list(hook.list_products(project))) < 253
    assert list(hook.find_deleted_products([*ids, unknown], project_id=project)) == []


def test_a_job_that_is_paid_for_keeps_the_id_that_it_was_sent_with(campaign: CampaignRig, sandbox: Sandbox) -> None:
    """The product is gone at the next try. The recorded jobs are collected, and count as what was wanted."""
    campaign.feed("Lamp", "Chair")
    tasks = campaign.tasks(briefs=[POSTER], accounts=["cutx_default"])
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    campaign.first_leg(tasks["generate"])
    assert len(campaign.charges) == 2
    # As if CutX had lost all of them, and makes them anew.
    before = map_of(campaign)["products"]
    remembered(campaign).unlink()
    first = campaign.lines_of("items_with_vendor_products.jsonl")
    campaign.patch.setattr(CutxHook, "ensure_products", made_anew)
    for _ in range(2):
        campaign.states = {"check": "success", "plan": "success"}
        assert set(campaign.go(begin="generate", briefs=[POSTER], accounts=["cutx_default"]).values()) == {"success"}
        campaign.cleared("generate", "draft", "publish", "verdict")
    assert len(campaign.charges) == 2
    assert campaign.lines_of("items_with_vendor_products.jsonl") == first
    assert all(ids != before[name] for name, ids in map_of(campaign)["products"].items())
    # Who asks for everything anew gets it with the ids of now.
    campaign.cleared("generate")
    campaign.go(begin="generate", briefs=[POSTER], accounts=["cutx_default"], on_clear="fresh")
    assert len(campaign.charges) == 4
    assert campaign.lines_of("items_with_vendor_products.jsonl") != first


def test_a_job_for_another_page_is_not_what_is_wanted_now(campaign: CampaignRig) -> None:
    """The shop's id has another page since the first try: that is another product to the vendor."""
    tasks = campaign.tasks(briefs=[POSTER], accounts=["cutx_default"])
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    campaign.first_leg(tasks["generate"])
    before = map_of(campaign)["products"]
    feed = campaign.folder / "feed.jsonl"
    feed.write_text(feed.read_text().replace('https://shop.example/2"', 'https://shop.example/sofa"'))
    campaign.cleared("check", "plan", "generate", "draft", "publish", "verdict")
    campaign.go(briefs=[POSTER], accounts=["cutx_default"], on_changed_input="fail")
    assert lines(campaign)["P-2"][0] == "failed" and "changed since job" in reason(campaign, "P-2")
    assert {one[0] for name, one in lines(campaign).items() if name != "P-2"} == {"completed"}
    assert len(campaign.charges) == 3
    now = map_of(campaign)["products"]
    assert {name for name in now if now[name] != before[name]} == {"P-2"}
    assert now["P-2"]["found_by"] == "shop.example/sofa"


def made_anew(hook: CutxHook, products: Any, **given: Any) -> Any:
    """Make each product anew, as if none were in the list."""
    project = given["project_id"]
    for product in products:
        yield hook.ingest_product(url=f"{product['link']}?anew", project_id=project)
