# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A retry of a campaign's batch whose items or options are wrong collects what is paid for, and forgets nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.lifecycle.batch.failure import BatchRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.campaign import CampaignRig

POSTER = Brief("poster", "image", "Poster of {title}", formats=["1:1"])


def generate(campaign: CampaignRig, items: Any = None, **fields: Any) -> Any:
    """Return the task that pays, with other arguments than the campaign gives it."""
    task = campaign.tasks(briefs=[POSTER], accounts=["cutx_default"])["generate"]
    for name, value in {**fields, **({} if items is None else {"items": items})}.items():
        setattr(task, name, value)
    return task


def bought(campaign: CampaignRig, items: Any = None) -> None:
    """Plan, let a first try submit three posters, and die while their jobs are under way."""
    tasks = campaign.tasks(briefs=[POSTER], accounts=["cutx_default"])
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    campaign.first_leg(generate(campaign, items(campaign) if items is not None else None))
    assert len(campaign.charges) == 3


def remade(campaign: CampaignRig) -> None:
    """Let CutX have lost all products, and make them anew."""
    (path,) = (campaign.folder / "ads" / "_adgen" / "vendor_products").glob("*.json")
    path.unlink()

    def made_anew(hook: CutxHook, products: Any, **given: Any) -> Any:
        for product in products:
            yield hook.ingest_product(url=f"{product['link']}?anew", project_id=given["project_id"])

    campaign.patch.setattr(CutxHook, "ensure_products", made_anew)


def planned(campaign: CampaignRig) -> Any:
    return campaign.lines_of("items.jsonl")


def path_of(campaign: CampaignRig) -> Any:
    return f"{campaign.place}/{campaign.run_id}/items.jsonl"


def counts(campaign: CampaignRig) -> dict[str, int]:
    statuses = [one["status"] for one in campaign.lines_of_run()]
    return {one: statuses.count(one) for one in statuses}


@pytest.mark.parametrize("items", [planned, path_of])
@pytest.mark.parametrize("between", [planned, path_of, None])
def test_a_job_keeps_the_id_that_it_was_sent_with_whatever_is_written_between(
    campaign: CampaignRig, items: Callable[[Any], Any], between: Callable[[Any], Any] | None
) -> None:
    """A try between could not ask for products, and wrote its own items over those that were sent."""
    bought(campaign, items)
    first = campaign.lines_of("items_with_vendor_products.jsonl")
    remade(campaign)
    if between is not None:
        with pytest.raises(AirflowFailException):
            campaign.step("generate", generate(campaign, between(campaign), plan=None))
        assert counts(campaign) == {"completed": 3}
    campaign.cleared("generate")
    told = campaign.step("generate", generate(campaign, items(campaign)))
    assert told["counts"]["completed"] == 3
    assert campaign.lines_of("items_with_vendor_products.jsonl") == first
    assert len(campaign.charges) == 3


def test_a_list_that_is_rendered_is_a_list(campaign: CampaignRig) -> None:
    bought(campaign, planned)
    assert len(campaign.lines_of("items_with_vendor_products.jsonl")) == 3
    assert campaign.told("generate", "items").endswith("/items_with_vendor_products.jsonl")


def test_a_list_of_fewer_items_than_the_plan(campaign: CampaignRig) -> None:
    tasks = campaign.tasks(briefs=[POSTER], accounts=["adsumo_default", "cutx_default"])
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    some = [{**one, "choices": one["choices"][:1]} for one in planned(campaign)]
    assert campaign.step("generate", generate(campaign, some))["counts"]["completed"] == 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"items": "file:///there/is/nothing.jsonl"}, "There are no items at"),
        ({"items": 5}, "not int"),
        ({"items": [{"key": "a"}]}, "an item has either a request or choices"),
        ({"plan": "file:///there/is/no/plan.json"}, "There is no plan at"),
        ({"is_dry_run": ""}, "not clearly true or false"),
        ({"library": "None"}, "what a template makes of a missing value"),
        ({"vendor_ids": "nope://x/y"}, "cannot be read"),
    ],
)
def test_what_was_bought_is_collected(campaign: CampaignRig, fields: dict[str, Any], said: str) -> None:
    bought(campaign)
    campaign.cleared("generate")
    with pytest.raises(Exception, match=said):
        campaign.step("generate", generate(campaign, **fields))
    assert counts(campaign) == {"completed": 3}
    assert len(list(campaign.folder.rglob("*.png"))) == 3
    campaign.cleared("generate")
    assert campaign.step("generate", generate(campaign))["counts"]["completed"] == 3
    assert len(campaign.charges) == 3


def test_a_connection_that_is_gone_takes_nothing_else_along(campaign: CampaignRig) -> None:
    bought(campaign)
    campaign.cleared("generate")
    campaign.patch.delenv("AIRFLOW_CONN_CUTX_DEFAULT")
    with pytest.raises(BatchRefused, match="3 submitted"):
        campaign.step("generate", generate(campaign))
    assert len(campaign.lines_of_run()) == 3


@pytest.mark.parametrize("destination", ["", "None", "nope://bucket/ads"])
def test_a_destination_that_is_wrong(campaign: CampaignRig, destination: str) -> None:
    bought(campaign)
    campaign.cleared("generate")
    with pytest.raises(AirflowFailException, match="3 submitted"):
        campaign.step("generate", generate(campaign, destination=destination))
    campaign.cleared("generate")
    assert campaign.step("generate", generate(campaign))["counts"]["completed"] == 3
    assert len(campaign.charges) == 3


def test_a_first_try_with_an_unclear_flag_makes_nothing(campaign: CampaignRig) -> None:
    tasks = campaign.tasks(briefs=[POSTER], accounts=["cutx_default"])
    for name in ("check", "plan"):
        campaign.step(name, tasks[name])
    with pytest.raises(AirflowFailException, match="not clearly true or false"):
        campaign.step("generate", generate(campaign, is_dry_run=""))
    assert campaign.charges == []
    assert campaign.sandbox.requests("cutx", method="POST") == []
