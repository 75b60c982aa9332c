# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The main example, without running it (tests/integration and tests/e2e do that)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import campaign_asset, plan_campaign, read_catalogue
from airflow_provider_adgen.core.registry import get_vendor
from tests.unit.example_dags.test_examples import FOLDER, dag_of

if TYPE_CHECKING:
    from airflow_provider_adgen.campaigns import Brief

FILE = FOLDER / "adgen_campaign_refresh.py"
CATALOGUE = FOLDER / "adgen_campaign_catalogue.csv"
ACCOUNTS = ("adsumo_default", "sume_default", "cutx_default", "cinematicads_default")

# Runs in a fresh interpreter: what the files open or connect to while they are imported. The first time warms it up.
WATCH = """
import importlib.util, json, sys

def load():
    for file in sys.argv[1:]:
        spec = importlib.util.spec_from_file_location("dag_file", file)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

load()
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in ("open", "socket.connect") else None)
load()
modules = [name for name in sys.modules if name.startswith("airflow_provider_adgen.")]
print(json.dumps({"seen": list(seen), "modules": modules}))
"""


@pytest.fixture(scope="module")
def dag() -> Any:
    return dag_of(FILE)


@pytest.fixture(scope="module")
def briefs(dag: Any) -> list[Brief]:
    found: list[Brief] = dag.get_task("campaign.plan").briefs
    return found


def test_the_shipped_catalogue_shows_what_catalogues_hold() -> None:
    products = read_catalogue(CATALOGUE).products
    assert 4 <= len(products) <= 6
    assert any(not product.title.isascii() for product in products)
    assert any("," in product.title for product in products)
    assert all(product.extra for product in products)
    assert all(".example.com/" in product.link and ".example.com/" in product.image_link for product in products)


@pytest.mark.parametrize("conn_id", ACCOUNTS)
def test_each_vendor_makes_every_brief_of_every_product(briefs: list[Brief], conn_id: str) -> None:
    products = read_catalogue(CATALOGUE).products
    vendors = {conn_id: get_vendor(conn_id.removesuffix("_default"))}
    plan = plan_campaign(products, briefs, [conn_id], vendors=vendors)
    assert len(plan.items) == len(products) * len(briefs) and plan.passed_over == []


def test_what_it_may_cost_at_each_account_is_a_param(dag: Any) -> None:
    assert tuple(dag.get_task("campaign.check").accounts) == ACCOUNTS
    for name in ("plan", "generate"):
        limits = dag.get_task(f"campaign.{name}").max_credits
        assert limits == {conn_id: f"{{{{ params.{conn_id} }}}}" for conn_id in ACCOUNTS}
    assert set(ACCOUNTS) <= set(dag.params)


def test_it_is_short_enough_to_be_read_at_once() -> None:
    for name, most in (("adgen_campaign_refresh", 60), ("adgen_campaign_follow", 40)):
        assert len((FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= most


def test_the_one_that_follows_waits_for_this_one(dag: Any) -> None:
    assert dag.get_task("campaign.publish").outlets == [campaign_asset(dag.dag_id)]
    assert dag_of(FOLDER / "adgen_campaign_follow.py").schedule == [campaign_asset(dag.dag_id)]


def test_the_files_do_nothing_but_define_a_dag_when_they_are_parsed() -> None:
    files = [str(FILE), str(FOLDER / "adgen_campaign_follow.py")]
    done = subprocess.run([sys.executable, "-c", WATCH, *files], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert {path for path in found["seen"] if not path.endswith(".pyc")} <= set(files)
    heavy = ("core.http", "core.wire", "vendors", "campaigns.plan", "campaigns.catalogue", "delivery", "hooks")
    under = tuple(f"airflow_provider_adgen.{name}." for name in heavy)
    assert [name for name in found["modules"] if f"{name}.".startswith(under)] == []
