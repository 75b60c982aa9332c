# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A whole shop at three vendors, with all that goes wrong in a week; and whether a dry run tells the truth."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import read_results
from tests.support.shop import (
    GOOD,
    LINES,
    PATIENCE,
    check_files,
    ends_by_prompt,
    keys_by,
    local,
    manifest_of,
    paid,
    product,
    read_json,
    states,
    write_feed,
)

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tools.airflow_stack import AirflowStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

PRODUCTS = 300
EACH = PRODUCTS // len(LINES)
SUME_AFFORDS, SUME_PRICE = 50, 4
FAILURES = {"adsumo": 2, "cutx": 3, "sume": 2}
LOST = 3
"""Answers of Adsumo's that are lost after it has charged."""
OUTAGE = 45
"""Seconds for which Adsumo answers everything with 503."""


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    return ["--speed", "20", "--credits", "5000"]


@pytest.fixture(scope="module")
def stack_options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"env": {**PATIENCE, "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}"}}


def test_a_shop_of_300_products_at_three_vendors(stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path) -> None:
    sandbox.reset()
    sandbox.set_credits("sume", SUME_AFFORDS * SUME_PRICE)
    for vendor, times in FAILURES.items():
        sandbox.fail_next(vendor, times=times)
    sandbox.fault("drop", "adsumo", method="POST", path="/images/*", times=LOST, skip=10)
    conf = write_feed(tmp_path / "feed.jsonl", [product(number) for number in range(PRODUCTS)])
    run = stack.trigger_dag("adgen_shop_campaign", conf, run_id="week-1")

    def charges() -> Counter[str]:
        return paid(sandbox)

    stack.airflow.wait_for("20 charges at Adsumo", charges, lambda told: told["adsumo"] >= 20, timeout=600)
    began = max([0, *(one["seq"] for one in sandbox.requests("adsumo"))])
    sandbox.fault("status", "adsumo", status=503, times=-1)
    time.sleep(OUTAGE)
    refused = [one for one in sandbox.requests("adsumo", since=began) if one["status"] == 503]
    sandbox.clear_faults()
    assert refused, "the outage was felt"

    # What there is is published; the run is red and says why.
    assert run.wait(timeout=900) == "failed"
    assert states(run) == GOOD | {"generate": "failed", "verdict": "failed"}
    assert "campaign.generate did not end well: creatives are missing." in run.log("campaign.verdict")
    lines = {line["key"]: line for line in read_results(run.xcom("campaign.generate", "results"))}
    assert len(lines) == PRODUCTS
    counts = Counter(line["status"] for line in lines.values())
    print("first try:", dict(counts), dict(paid(sandbox)), f"{len(refused)} requests met the outage")
    assert set(counts) == {"completed", "failed", "waiting"}
    waiting = [line for line in lines.values() if line["status"] == "waiting"]
    assert {line["conn_id"] for line in waiting} == {"sume_default"}, "the outage has left nothing behind"
    assert all("credits" in line["reason"] for line in waiting), waiting[0]["reason"]
    first = manifest_of(run)
    assert {one["key"] for one in first["missing"]} == {
        key for key, line in lines.items() if line["status"] != "completed"
    }
    assert all(one["reason"] for one in first["missing"])
    check_files(first)
    assert read_json(f"{conf['place']}/latest.json")["run_id"] == "week-1"
    log = run.log("campaign.generate")
    assert "credits" in log and "sume_default" in log

    # A top-up and a clear make the rest, and everything that can exist exists.
    sandbox.set_credits("sume", 5000)
    run.clear("campaign.generate", downstream=True)
    assert run.wait(timeout=900) == "success"
    assert states(run) == GOOD
    whole = manifest_of(run)
    assert keys_by(whole["items"], "status").keys() == {"completed"}
    assert whole["totals"]["products"] == whole["totals"]["made"] == whole["totals"]["creatives"] == PRODUCTS
    check_files(whole)
    files = [path for path in (local(conf["place"]) / "week-1").rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix not in {".json", ".jsonl", ".html"}]) == PRODUCTS

    # Nothing is paid twice: of each creative one job is done, and the others are those that the vendors let fail.
    ends = ends_by_prompt(sandbox)
    titles = {product(number)["title"] for number in range(PRODUCTS)}
    done = Counter(
        next(title for title in titles if title in prompt) for prompt, how in ends.items() if how["completed"]
    )
    assert done == dict.fromkeys(titles, 1)
    assert {how["completed"] for how in ends.values()} <= {0, 1}
    assert sum(how["failed"] for how in ends.values()) == sum(FAILURES.values())
    assert sum(paid(sandbox).values()) == PRODUCTS + sum(FAILURES.values())
    assert len(sandbox.refunds) == FAILURES["cutx"], "the one whose refund is documented"
    rows = {f"{row['vendor']}_default": row for row in sandbox.ledger_sums()}
    for conn_id, told in whole["credits"].items():
        assert (told["charged"], told["refunded"]) == (rows[conn_id]["charged"], rows[conn_id]["refunded"]), conn_id
    print("after the clear:", dict(paid(sandbox)), whole["credits"])

    # A week later three products have changed: they are paid for, and the manifest tells the rest.
    before = paid(sandbox)
    known = {entry["key"]: [one["sha256"] for one in entry["creatives"]] for entry in whole["items"]}
    changed = {number: f"New product {number:03d}" for number in (30, 31, 32)}
    write_feed(tmp_path / "feed.jsonl", [product(number, changed.get(number)) for number in range(PRODUCTS)])
    second = stack.trigger_dag("adgen_shop_campaign", conf, run_id="week-2")
    assert second.wait(timeout=900) == "success"
    assert states(second) == GOOD
    assert paid(sandbox) - before == {"adsumo": 1, "cutx": 1, "sume": 1}
    fresh = manifest_of(second)
    assert (fresh["totals"]["made"], fresh["totals"]["reused"]) == (3, PRODUCTS - 3)
    made = keys_by(fresh["items"], "origin")["made"]
    assert {key.partition("/")[0] for key in made} == {"P-030", "P-031", "P-032"}
    check_files(fresh)
    for entry in fresh["items"]:
        same = [one["sha256"] for one in entry["creatives"]] == known[entry["key"]]
        assert same == (entry["origin"] == "reused"), entry["key"]
    assert read_json(f"{conf['place']}/latest.json")["run_id"] == "week-2"
    print("a week later:", dict(paid(sandbox) - before), fresh["credits"])


def test_a_dry_run_spends_nothing_and_tells_the_prices(
    stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path
) -> None:
    sandbox.reset()
    rows = [product(1), product(2), product(3, description="A lamp that is worth many words. " * 20)]
    conf = write_feed(tmp_path / "feed.jsonl", rows)
    dry = stack.trigger_dag("adgen_priced_campaign", {**conf, "dry_run": True}, run_id="dry")
    assert dry.wait(timeout=180) == "success"
    assert states(dry) == GOOD | dict.fromkeys(("generate", "draft", "publish", "verdict"), "skipped")
    assert sandbox.charges == []
    assert sandbox.requests(method="POST") == [], "nothing is made at a vendor, not even a product"
    told = read_json(dry.xcom("campaign.plan")["plan"])
    prices = {one["key"]: one["credits"] for one in told["items"]}

    real = stack.trigger_dag("adgen_priced_campaign", conf, run_id="real")
    assert real.wait(timeout=600) == "success"
    assert states(real) == GOOD
    costs = Counter()
    for charge in sandbox.charges:
        costs[charge["job_id"]] += charge["credits"]
    manifest = manifest_of(real)
    assert {entry["key"] for entry in manifest["items"]} == prices.keys()
    unpriced = {key for key, price in prices.items() if price is None}
    assert {key.split("/")[1] for key in unpriced} == {"reel"}, "the one whose price no vendor documents"
    cost_of = {entry["key"]: costs[entry["id"]] for entry in manifest["items"]}
    assert {key: cost for key, cost in cost_of.items() if key not in unpriced} == {
        key: price for key, price in prices.items() if key not in unpriced
    }
    assert sum(cost_of.values()) == sum(costs.values()), "no other charge"
    assert cost_of["P-003/face"] > cost_of["P-001/face"] > 0
    for account in told["accounts"]:
        if not account["unpriced"]:
            vendor = account["vendor"]
            [row] = [row for row in sandbox.ledger_sums(vendor)]
            assert (row["charged"], row["refunded"]) == (account["credits"], 0), vendor
    print("dry and real:", {one["conn_id"]: one["credits"] for one in told["accounts"]}, dict(paid(sandbox)))
