# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The main example: what it plans, without running an Airflow (tests/e2e does that)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context

from airflow_provider_adgen.campaigns import CatalogueError, read_catalogue

FOLDER = Path(__file__).resolve().parents[3] / "example_dags"
FILE = FOLDER / "adgen_campaign_refresh.py"
CATALOGUE = FOLDER / "adgen_campaign_catalogue.csv"
ROW = {
    "id": "A-1",
    "title": "Lamp",
    "description": "A lamp.",
    "link": "https://shop.example.com/a",
    "image_link": "https://shop.example.com/a.jpg",
    "price": "29.99 USD",
    "brand": "Nordkraft",
    "product_type": "Lamps",
}

# Runs in a fresh interpreter: what the file opens or connects to while it is imported. The first time warms Airflow up.
WATCH = """
import importlib.util, json, sys

def load():
    spec = importlib.util.spec_from_file_location("dag_file", sys.argv[1])
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

load()
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in ("open", "socket.connect") else None)
load()
modules = [name for name in sys.modules if name.startswith("airflow_provider_adgen.")]
print(json.dumps({"seen": list(seen), "modules": modules}))
"""


@pytest.fixture(scope="module")
def module() -> Any:
    spec = importlib.util.spec_from_file_location("adgen_campaign_refresh_under_test", FILE)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def dag(module: Any) -> Any:
    return module.adgen_campaign_refresh()


def plan(dag: Any, run_id: str = "run-1", **params: Any) -> list[dict[str, Any]]:
    """Carry out the planning task."""
    given = {name: param.value if hasattr(param, "value") else param for name, param in dag.params.items()}
    context: Any = {"params": {**given, **params}, "run_id": run_id}
    with set_current_context(context):
        found: list[dict[str, Any]] = dag.get_task("plan_campaign").python_callable()
    return found


def catalogue(path: Path, *rows: dict[str, str]) -> str:
    lines = [",".join(ROW), *(",".join(row[name] for name in ROW) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_the_shipped_catalogue_shows_what_catalogues_hold() -> None:
    products = read_catalogue(CATALOGUE).products
    assert 4 <= len(products) <= 6
    assert any(not product.title.isascii() for product in products)
    assert any("," in product.title for product in products)
    assert all(product.extra for product in products)
    assert all(".example.com/" in product.link and ".example.com/" in product.image_link for product in products)


def test_credits_are_checked_before_anything_is_paid_for(dag: Any) -> None:
    downstream = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert {"make_image", "make_video"} <= downstream["check_credits"]
    assert downstream["make_image"] == downstream["make_video"] == {"write_manifest"}
    assert "check_credits" in downstream["plan_campaign"]
    assert dag.schedule is None, "an example must not spend money by itself"


def test_one_image_and_one_video_for_each_product_and_the_check_prices_both(module: Any, dag: Any) -> None:
    from airflow_provider_adgen.core.registry import get_vendor

    planned = plan(dag)
    assert [entry["product"]["id"] for entry in planned] == [
        product.id for product in read_catalogue(CATALOGUE).products
    ]
    for entry in planned:
        for request, arguments in (
            (module.image_request(entry), module.image_arguments(entry)),
            (module.video_request(entry), module.video_arguments(entry)),
        ):
            checked = get_vendor("adsumo").parse_request(request)
            assert entry["product"]["title"] in request["prompt"]
            given = {name: value.resolve({}) for name, value in arguments.items()}
            assert {**given, "kind": request["kind"]} == {**request, "destination": entry["folder"]}
            assert checked.price() == (1 if request["kind"] == "text-to-image" else None)
    json.dumps(planned)  # it goes through XCom


def test_the_plan_follows_the_params(dag: Any, tmp_path: Path) -> None:
    [entry] = plan(
        dag,
        "manual__2026-01-01T00:00:00+00:00",
        catalogue=catalogue(tmp_path / "shop.csv", ROW, {**ROW, "id": "A-2"}),
        destination="s3://conn@bucket/ads/",
        limit=1,
        image_model="pro",
        image_resolution="4k",
        video_model="veo-3.1",
        video_seconds=6,
    )
    folder, product = entry["folder"].rsplit("/", 1)
    assert folder.startswith("s3://conn@bucket/ads/manual__2026-01-01T00-00-00-00-00")
    assert product == "A-1"
    assert (entry["image"]["model"], entry["image"]["resolution"]) == ("pro", "4k")
    assert (entry["video"]["model"], entry["video"]["duration"]) == ("veo-3.1", 6)


def test_without_a_destination_creatives_go_below_airflow_home(
    dag: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "air flow"))
    assert plan(dag, limit=1)[0]["folder"].startswith(f"file://{tmp_path}/air flow/adgen_campaigns/run-1/")


def test_a_product_without_a_brand_and_with_a_long_description(dag: Any, tmp_path: Path) -> None:
    row = {**ROW, "brand": "", "description": "word " * 900}
    [entry] = plan(dag, catalogue=catalogue(tmp_path / "shop.csv", row))
    assert " by " not in entry["image"]["prompt"]
    assert len(entry["video"]["prompt"]) < 500


@pytest.mark.parametrize("description", ["これは机の上で使う小さなランプです。" * 40, "โคมไฟตั้งโต๊ะ" * 60, "ចង្កៀងតុ" * 60])
def test_a_long_description_without_spaces(dag: Any, tmp_path: Path, description: str) -> None:
    [entry] = plan(dag, catalogue=catalogue(tmp_path / "shop.csv", {**ROW, "description": description}))
    for request in (entry["image"], entry["video"]):
        assert description[:280] in request["prompt"]
        assert len(request["prompt"]) < 500


def test_a_bad_catalogue_stops_before_anything_is_asked_of_the_vendor(dag: Any, tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "price": "free"}, {**ROW, "id": "A-2", "title": ""}]
    with pytest.raises(CatalogueError, match="nothing was charged") as caught:
        plan(dag, catalogue=catalogue(tmp_path / "shop.csv", *rows))
    assert caught.value.problems == [
        "line 3: price is not readable as a price: 'free'",
        "line 3: id 'A-1' is already used on line 2",
        "line 4: title is missing",
    ]
    assert dag.get_task("plan_campaign").retries == 0


def test_the_file_does_nothing_but_define_a_dag_when_it_is_parsed() -> None:
    done = subprocess.run([sys.executable, "-c", WATCH, str(FILE)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert {path for path in found["seen"] if not path.endswith(".pyc")} <= {str(FILE)}
    heavy = ("core.http", "core.wire", "vendors", "campaigns", "delivery", "hooks")
    assert [name for name in found["modules"] if name.split(".", 1)[1].startswith(heavy)] == []
