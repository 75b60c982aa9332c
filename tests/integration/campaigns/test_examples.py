# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The example of a campaign at each vendor, and the one that follows it (tests/e2e has a whole Airflow)."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

FOLDER = Path(__file__).resolve().parents[3] / "example_dags"
ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
ACCOUNTS = ("adsumo_default", "sume_default", "cutx_default", "cinematicads_default")


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


@pytest.fixture
def example(campaign: CampaignRig) -> CampaignRig:
    """The example, at the sandbox's pace."""

    def as_shipped() -> Any:
        dag = load("adgen_campaign_refresh")
        dag.get_task("campaign.generate").poll_interval = 0.05
        return dag

    campaign.make_dag = as_shipped
    return campaign


def params(campaign: CampaignRig, **given: Any) -> dict[str, Any]:
    shipped = {
        name: one.value if hasattr(one, "value") else one for name, one in load("adgen_campaign_refresh").params.items()
    }
    return {**shipped, "destination": campaign.place, **given}


@pytest.mark.parametrize("conn_id", ACCOUNTS)
def test_each_vendor_can_make_all_of_it_by_params_alone(example: CampaignRig, conn_id: str) -> None:
    credits_ = {**dict.fromkeys(ACCOUNTS, 0), conn_id: 200}
    assert example.go(params=params(example, limit=1, **credits_)) == ALL, example.errors
    lines = example.lines_of_run()
    assert [(line["key"], line["conn_id"]) for line in lines] == [
        ("LMP-014/hero/1x1", conn_id),
        ("LMP-014/reel/9x16", conn_id),
    ]
    assert [line["generation"]["kind"] for line in lines] == ["image", "video"]
    assert {one["vendor"] for one in example.charges} == {conn_id.removesuffix("_default")}
    asked = {one["vendor"] for one in example.sandbox.requests(method="POST")}
    assert asked == {conn_id.removesuffix("_default")}, "an account with 0 credits is asked for its balance only"


def test_it_goes_to_the_next_account_when_one_is_spent_and_the_next_run_pays_for_changes(example: CampaignRig) -> None:
    assert example.go(params=params(example)) == ALL, example.errors
    spent = {one["conn_id"]: one["credits"] for one in example.plan["accounts"]}
    assert spent == {"adsumo_default": 44, "sume_default": 30, "cutx_default": 0, "cinematicads_default": 0}
    paid = len(example.charges)
    shop = (FOLDER / "adgen_campaign_catalogue.csv").read_text(encoding="utf-8")
    changed = example.folder / "shop.csv"
    changed.write_text(shop.replace("Halden desk lamp", "Halden reading lamp"), encoding="utf-8")
    example.begin_run("weekly-2", None)
    assert example.go(params=params(example, catalogue=str(changed))) == ALL, example.errors
    assert len(example.charges) == paid + 2
    assert sum(line["status"] == "reused" for line in example.lines_of_run()) == 6


def test_whoever_follows_gets_the_list_of_what_is_published(example: CampaignRig) -> None:
    assert example.go(params=params(example, limit=2)) == ALL, example.errors
    [event] = [SimpleNamespace(extra=one) for one in example.events]
    task = load("adgen_campaign_follow").get_task("list_creatives")
    [(path, count)] = task.python_callable(triggering_asset_events={"asset": [event]}).items()
    with open(path.removeprefix("file://"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    made = {line["key"]: line["generation"]["creatives"][0]["uri"] for line in example.lines_of_run()}
    assert {row["key"]: row["file"] for row in rows} == made
    assert count == len(made) == 4
