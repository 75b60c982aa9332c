# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The main example on a whole Airflow, at all four vendors: what is stored, paid and told, and what is not."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import av
import pytest
from PIL import Image

from airflow_provider_adgen.campaigns import read_results
from airflow_provider_adgen.delivery.names import safe
from tools.processes import ROOT

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

DAG = "adgen_campaign_refresh"
RUN_ID = "odd:run+1"
CATALOGUE = (ROOT / "example_dags" / "adgen_campaign_catalogue.csv").read_text(encoding="utf-8")
TITLE = "Lamp {{ 6 * 7 }}"
WHO = {"LMP-014": "adsumo", "MUG-202": "sume", "BAG-077": "cutx", "TEA-331": "cinematicads"}
"""Which vendor makes which product: as many credits as each may spend are what one product costs there."""
CREDITS = {"adsumo_default": 21, "sume_default": 19, "cutx_default": 43, "cinematicads_default": 2}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "shop.csv").write_text(CATALOGUE.replace("Halden desk lamp", TITLE), encoding="utf-8")
    return {"ads": folder / "a folder", "ledger": folder / "ledger", "catalogue": folder / "shop.csv"}


@pytest.fixture(scope="module")
def stack_options(places: dict[str, Path]) -> dict[str, Any]:
    return {
        "env": {
            "AIRFLOW__ADGEN__POLL_INTERVAL": "1",
            "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{places['ledger']}",
        }
    }


@pytest.fixture(scope="module")
def run(stack: AirflowStack, places: dict[str, Path]) -> Run:
    """One run, gone well; other tests look at what it left."""
    conf = {"catalogue": str(places["catalogue"]), "destination": f"file://{places['ads']}", **CREDITS}
    found = stack.trigger_dag(DAG, conf, run_id=RUN_ID)
    assert found.wait(timeout=180) == "success"
    return found


@pytest.fixture(scope="module")
def lines(run: Run) -> list[dict[str, Any]]:
    return list(read_results(run.xcom("campaign.generate", "results")))


def stored_in(line: dict[str, Any]) -> Path:
    [creative] = line["generation"]["creatives"]
    return Path(creative["uri"].removeprefix("file://"))


def test_each_creative_is_a_file_that_opens_and_is_what_its_checksum_says(
    lines: list[dict[str, Any]], places: dict[str, Path]
) -> None:
    for line in lines:
        [creative] = line["generation"]["creatives"]
        path = stored_in(line)
        data = path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (creative["size"], creative["sha256"])
        if line["meta"]["brief"] == "hero":
            assert creative["media_type"] == "image/png"
            with Image.open(path) as picture:
                picture.load()
                assert picture.width == picture.height > 0
        else:
            assert creative["media_type"] == "video/mp4"
            with av.open(str(path)) as film:
                frames = list(film.decode(video=0))
                assert frames and frames[0].height > frames[0].width
    folder = places["ads"] / safe(RUN_ID)
    stored = {stored_in(line) for line in lines}
    assert len(stored) == 2 * len(WHO)
    # Nothing half written is left beside them.
    files = {path for path in folder.rglob("*") if path.is_file() and "_adgen" not in path.parts}
    assert stored <= files
    assert {str(path.relative_to(folder)) for path in files - stored} - {"upload.csv"} == {
        "plan.json",
        "items.jsonl",
        "items_with_vendor_products.jsonl",
        "manifest.json",
        "gallery.html",
    }


def test_each_generation_is_paid_for_once_and_nothing_else_is(
    lines: list[dict[str, Any]], sandbox: SandboxClient
) -> None:
    jobs = [line["generation"]["id"] for line in lines]
    assert Counter(charge["job_id"] for charge in sandbox.charges) == Counter(dict.fromkeys(jobs, 1))
    paid: Counter[str] = Counter()
    for charge in sandbox.charges:
        paid[f"{charge['vendor']}_default"] += charge["credits"]
    assert paid == CREDITS


def test_results_keep_the_order_of_the_catalogue_and_the_promised_shape(lines: list[dict[str, Any]]) -> None:
    made = [(line["meta"]["product_id"], line["meta"]["brief"], line["generation"]["vendor"]) for line in lines]
    assert made == [(product, brief, vendor) for product, vendor in WHO.items() for brief in ("hero", "reel")]
    shapes = {tuple(line["generation"]) for line in lines}
    assert shapes == {
        (
            "schema",
            "vendor",
            "id",
            "job_ids",
            "kind",
            "status",
            "creatives",
            "variants",
            "credits",
            "created_at",
            "completed_at",
            "error",
            "progress",
            "details",
        )
    }
    for line in lines:
        assert (line["status"], line["generation"]["status"]) == ("completed", "completed")
        [creative] = line["generation"]["creatives"]
        assert (creative["url"], creative["expires_at"]) == (None, None)


def test_the_accounts_were_asked_and_the_plan_was_priced_before_the_first_submission(
    run: Run, sandbox: SandboxClient, places: dict[str, Path]
) -> None:
    assert set(run.xcom("campaign.check")["credits"]) == set(CREDITS)
    assert run.xcom("campaign.plan")["credits"] == CREDITS
    plan = json.loads((places["ads"] / safe(RUN_ID) / "plan.json").read_text(encoding="utf-8"))
    assert {one["key"]: one["conn_id"].removesuffix("_default") for one in plan["items"]} == {
        f"{product}/{what}": vendor for product, vendor in WHO.items() for what in ("hero/1x1", "reel/9x16")
    }
    for vendor in WHO.values():
        first, *_ = sandbox.requests(vendor)
        assert (first["method"], "credits" in first["path"]) == ("GET", True), first["path"]


def test_what_a_catalogue_says_is_text_and_not_a_template(run: Run, sandbox: SandboxClient) -> None:
    sent = [json.loads(one["body"])["prompt"] for one in sandbox.requests("adsumo", method="POST")]
    assert len(sent) == 2 and all(prompt.startswith(TITLE) for prompt in sent), sent


def test_the_manifest_says_what_the_results_say_and_who_follows_is_told(
    stack: AirflowStack, run: Run, lines: list[dict[str, Any]], places: dict[str, Path]
) -> None:
    folder = places["ads"] / safe(RUN_ID)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["schema"], manifest["run"]["dag_id"], manifest["run"]["run_id"]) == (2, DAG, RUN_ID)
    assert manifest["totals"]["made"] == manifest["totals"]["creatives"] == len(lines)
    assert {name: one["charged"] for name, one in manifest["credits"].items()} == CREDITS
    for entry, line in zip(manifest["items"], lines, strict=True):
        assert (entry["key"], entry["id"]) == (line["key"], line["generation"]["id"])
        [creative] = entry["creatives"]
        assert creative["sha256"] == line["generation"]["creatives"][0]["sha256"]
        assert creative["width"] and creative["height"]
        assert (entry["brief"] == "hero") == (creative["seconds"] is None)
    assert manifest["items"][0]["product"]["title"] == TITLE

    [event] = stack.api("GET", "assets/events", source_run_id=RUN_ID)["asset_events"]
    assert event["extra"]["manifest"] == f"file://{folder}/manifest.json"
    assert json.loads((places["ads"] / "latest.json").read_text(encoding="utf-8"))["run_id"] == RUN_ID
    stack.airflow.wait_for(
        "the DAG that follows",
        lambda: [one["state"] for one in stack.api("GET", "dags/adgen_campaign_follow/dagRuns")["dag_runs"]],
        lambda found: "success" in found,
        timeout=60,
    )
    with (folder / "upload.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["key"]: row["file"] for row in csv.DictReader(file)}
    assert rows == {line["key"]: f"file://{stored_in(line)}" for line in lines}


def test_neither_a_key_nor_a_signed_link_is_anywhere(
    stack: AirflowStack, run: Run, lines: list[dict[str, Any]], sandbox: SandboxClient, places: dict[str, Path]
) -> None:
    def holding(text: str) -> list[Path]:
        folders = (places["ads"], places["ledger"])
        written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return stack.files_holding(text) + [path for path in written if text.encode() in path.read_bytes()]

    names = {path.name for path in holding(lines[0]["generation"]["id"])}
    assert {"manifest.json", "gallery.html"} <= names, "this test looks in the right place"
    assert any(path.suffix == ".log" for path in stack.files_holding(RUN_ID)), "and there, too"
    assert any(path.name.startswith("airflow.db") for path in stack.files_holding(RUN_ID))
    downloads = [parse_qs(one["query"]) for one in sandbox.requests(method="GET") if "Signature=" in one["query"]]
    signatures = {values["X-Sandbox-Signature"][0] for values in downloads}
    assert len(signatures) >= len(lines)
    for secret in (*(sandbox.key_for(vendor) for vendor in WHO.values()), "X-Sandbox-Signature", *signatures):
        assert holding(secret) == []


def test_a_bad_catalogue_is_named_line_by_line_and_costs_nothing(
    stack: AirflowStack, run: Run, sandbox: SandboxClient, tmp_path: Path
) -> None:
    before = len(sandbox.charges)
    path = tmp_path / "shop.csv"
    path.write_text(CATALOGUE.replace("89.00 EUR", "free"), encoding="utf-8")
    bad = stack.trigger_dag(DAG, {"catalogue": str(path), "destination": f"file://{tmp_path}/ads"})
    assert bad.wait(timeout=60) == "failed"
    assert "line 2 (LMP-014): price is not readable as a price: 'free'" in bad.log("campaign.plan")
    assert bad.task("campaign.plan")["try_number"] == 1
    assert len(sandbox.charges) == before
