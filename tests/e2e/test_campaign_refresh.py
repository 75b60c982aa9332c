# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The main example on a whole Airflow: what is stored, what is paid, what is told and what is not."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import av
import pytest
from PIL import Image

from airflow_provider_adgen.campaigns import read_catalogue
from airflow_provider_adgen.delivery.names import safe
from tools.processes import ROOT

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

DAG = "adgen_campaign_refresh"
COLUMNS = "id,title,description,link,image_link,price,brand,product_type"
PRODUCTS = read_catalogue(ROOT / "example_dags" / "adgen_campaign_catalogue.csv").products
TASKS = ("make_image", "make_video")
CREDITS = 1000


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    urls = {"file:///": "https://ads.example"}
    return {"env": {"AIRFLOW__ADGEN__POLL_INTERVAL": "1", "AIRFLOW__ADGEN__DESTINATION_URLS": json.dumps(urls)}}


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ads") / "a folder"


@pytest.fixture(scope="module")
def run(stack: AirflowStack, destination: Path) -> Run:
    """One run on the shipped catalogue, gone well; other tests look at what it left."""
    found = stack.trigger_dag(DAG, {"destination": f"file://{destination}"}, run_id="first")
    assert found.wait(timeout=180) == "success"
    return found


@pytest.fixture(scope="module")
def generations(run: Run) -> dict[str, list[dict[str, Any]]]:
    return {task: [run.xcom(task, map_index=index) for index in range(len(PRODUCTS))] for task in TASKS}


def everything(generations: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [one for made in generations.values() for one in made]


def charges_of(sandbox: SandboxClient, run_jobs: set[str]) -> Counter[str]:
    return Counter(charge["job_id"] for charge in sandbox.charges if charge["job_id"] in run_jobs)


def bad_catalogue(path: Path) -> str:
    row = "A-1,Lamp,A lamp.,https://shop.example.com/a,https://shop.example.com/a.jpg,free,,"
    path.write_text(f"{COLUMNS}\n{row}\n")
    return str(path)


def test_each_creative_is_a_file_that_opens_and_is_what_its_checksum_says(
    generations: dict[str, list[dict[str, Any]]], destination: Path
) -> None:
    stored = set()
    for generation in everything(generations):
        [creative] = generation["creatives"]
        path = Path(creative["uri"].removeprefix("file://"))
        data = path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (creative["size"], creative["sha256"])
        if generation["kind"] == "image":
            assert creative["media_type"] == "image/png"
            with Image.open(path) as picture:
                picture.load()
                assert picture.width == picture.height > 0
        else:
            assert creative["media_type"] == "video/mp4"
            with av.open(str(path)) as film:
                frames = list(film.decode(video=0))
                assert frames and frames[0].height > frames[0].width
        stored.add(path)
    assert len(stored) == 2 * len(PRODUCTS)
    # Nothing half written is left beside them.
    assert {path for path in destination.rglob("*") if path.is_file()} == {
        *stored,
        destination / "first" / "manifest.json",
    }


def test_each_generation_is_paid_for_once_and_nothing_else_is(
    generations: dict[str, list[dict[str, Any]]], sandbox: SandboxClient
) -> None:
    jobs = {generation["id"] for generation in everything(generations)}
    assert charges_of(sandbox, jobs) == Counter(dict.fromkeys(jobs, 1))
    submissions = [one for one in sandbox.requests("adsumo", method="POST") if one["status"] < 300]
    assert len({one["headers"]["idempotency-key"] for one in submissions}) == len(submissions) >= len(jobs)


def test_results_keep_the_order_of_the_catalogue_and_the_promised_shape(
    run: Run, generations: dict[str, list[dict[str, Any]]]
) -> None:
    for task, kind in zip(TASKS, ("image", "video"), strict=True):
        for index, (product, generation) in enumerate(zip(PRODUCTS, generations[task], strict=True)):
            assert set(generation) == {
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
            }
            assert (generation["schema"], generation["vendor"], generation["kind"]) == (1, "adsumo", kind)
            assert (generation["status"], generation["job_ids"]) == ("completed", [generation["id"]])
            [creative] = generation["creatives"]
            assert (creative["url"], creative["expires_at"]) == (None, None)
            assert f"/first/{safe(product.id)}/" in creative["uri"]
            assert product.title in generation["details"]["prompt"]
            assert run.xcom(task, "id", map_index=index) == generation["id"]
            assert run.xcom(task, "uris", map_index=index) == [creative["uri"]]
            assert run.task(task, index)["rendered_map_index"] == safe(product.id)


def test_each_mapped_task_links_to_its_own_file(run: Run, generations: dict[str, list[dict[str, Any]]]) -> None:
    for task in TASKS:
        for index, generation in enumerate(generations[task]):
            path = quote(generation["creatives"][0]["uri"].removeprefix("file://"))
            assert run.links(task, index) == {"Stored file": f"https://ads.example{path}", "Vendor dashboard": None}


def test_the_plan_was_priced_before_the_first_submission(run: Run, sandbox: SandboxClient) -> None:
    report = run.xcom("check_credits")
    assert (report["sufficient"], report["remaining"]) == (True, CREDITS)
    assert [(row["kind"], row["price"]) for row in report["requests"]] == [
        *[("text-to-image", 1)] * len(PRODUCTS),
        *[("ai-video", 40)] * len(PRODUCTS),
    ]
    asked = [one for one in sandbox.requests("adsumo") if one["path"].endswith("/account/credits")]
    first_paid = min(one["seq"] for one in sandbox.requests("adsumo", method="POST"))
    assert asked[0]["seq"] < first_paid


def test_the_manifest_says_what_the_tasks_said_and_an_asset_event_points_to_it(
    stack: AirflowStack, run: Run, generations: dict[str, list[dict[str, Any]]], destination: Path
) -> None:
    manifest = json.loads((destination / "first" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["schema"] == 2
    assert (manifest["run"]["dag_id"], manifest["run"]["run_id"]) == (DAG, "first")
    assert manifest["totals"]["made"] == manifest["totals"]["creatives"] == 2 * len(PRODUCTS)
    assert (manifest["missing"], manifest["credits"]["adsumo_default"]["quoted"]) == ([], len(PRODUCTS))
    told = iter(manifest["items"])
    for index, product in enumerate(PRODUCTS):
        for task, brief in zip(TASKS, ("image", "video"), strict=True):
            entry, returned = next(told), generations[task][index]
            assert entry["key"] == f"{product.id}/{brief}"
            assert entry["product"] == {"id": product.id, "title": product.title}
            assert entry["meta"]["brand"] == product.brand
            assert (entry["id"], entry["credits"]) == (returned["id"], returned["credits"])
            assert [one["sha256"] for one in entry["creatives"]] == [one["sha256"] for one in returned["creatives"]]
            [creative] = entry["creatives"]
            assert creative["width"] and creative["height"] and (brief == "image") == (creative["seconds"] is None)
            assert product.title in entry["request"]["prompt"]
    [event] = stack.api("GET", "assets/events", source_run_id="first")["asset_events"]
    summary = run.xcom("write_manifest")
    assert event["extra"] | summary == event["extra"]
    assert summary["manifest"] == f"file://{destination}/first/manifest.json"


def test_neither_the_key_nor_a_signed_link_is_anywhere_in_airflow(
    stack: AirflowStack, run: Run, generations: dict[str, list[dict[str, Any]]], sandbox: SandboxClient
) -> None:
    job = generations["make_video"][0]["id"]
    names = {path.name for path in stack.files_holding(job)}
    assert any(name.startswith("airflow.db") for name in names) and any(".log" in name for name in names), (
        "this test looks in the right place"
    )
    downloads = [parse_qs(one["query"]) for one in sandbox.requests(method="GET") if "Signature=" in one["query"]]
    signatures = {values["X-Sandbox-Signature"][0] for values in downloads}
    assert len(signatures) >= 2 * len(PRODUCTS)
    for secret in (sandbox.key_for("adsumo"), "X-Sandbox-Signature", *signatures):
        assert stack.files_holding(secret) == []


def test_a_bad_catalogue_is_named_line_by_line_and_costs_nothing(
    stack: AirflowStack, run: Run, sandbox: SandboxClient, tmp_path: Path
) -> None:
    before = len(sandbox.charges)
    bad = stack.trigger_dag(DAG, {"catalogue": bad_catalogue(tmp_path / "shop.csv")})
    assert bad.wait(timeout=60) == "failed"
    assert "line 2: price is not readable as a price: 'free'" in bad.log("plan_campaign")
    assert bad.task("plan_campaign")["try_number"] == 1
    assert len(sandbox.charges) == before


def test_too_few_credits_stop_the_run_before_anything_is_submitted(
    stack: AirflowStack, run: Run, sandbox: SandboxClient
) -> None:
    before = len(sandbox.requests("adsumo", method="POST"))
    sandbox.set_credits("adsumo", 40)
    poor = stack.trigger_dag(DAG, {"limit": 1})
    assert poor.wait(timeout=60) == "failed"
    assert "41 credits are needed at Adsumo and 40 remain. Nothing was charged." in poor.log("check_credits")
    assert len(sandbox.requests("adsumo", method="POST")) == before


def test_braces_in_a_catalogue_are_text_and_not_a_template(
    stack: AirflowStack, run: Run, sandbox: SandboxClient, destination: Path, tmp_path: Path
) -> None:
    sandbox.set_credits("adsumo", CREDITS)
    path = tmp_path / "shop.csv"
    row = "A/1,Lamp {{ 6 * 7 }},A lamp.,https://shop.example.com/a,https://shop.example.com/a.jpg,1 EUR,,"
    path.write_text(f"{COLUMNS}\n{row}\n")
    conf = {"catalogue": str(path), "destination": f"file://{destination}"}
    odd = stack.trigger_dag(DAG, conf, run_id="odd:run+1")
    assert odd.wait(timeout=120) == "success"
    submitted = [json.loads(one["body"])["prompt"] for one in sandbox.requests("adsumo", method="POST")[-2:]]
    assert all("Lamp {{ 6 * 7 }}" in prompt for prompt in submitted), submitted
    manifest = Path(odd.xcom("write_manifest")["manifest"].removeprefix("file://"))
    assert manifest.is_file() and manifest.is_relative_to(destination)
