# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A vendor in a package of its own, as ``docs/custom-vendor.md`` shows it: one file, installed, and nothing else."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.registry import get_vendor, vendor_names
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.operators.credits import CreditCheckOperator
from airflow_provider_adgen.operators.download import DownloadCreativesOperator
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.sensors.generation import GenerationSensor
from tests.support.tasks import FakeStore, run_task, task_context
from tests.support.tiny import Reply, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parent / "exampleads"
MODULE = "adgen_vendor_exampleads"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
REQUEST = {"kind": "banner", "headline": "Warm socks, fair price", "shape": "story"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed into a directory of its own; no environment is touched."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", str(target), str(SOURCE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(autouse=True)
def on_the_path(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    assert "exampleads" not in vendor_names()
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    yield
    get_vendor.cache_clear()
    sys.modules.pop(MODULE, None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    with Tiny() as tiny:
        done = {"id": "ad_7", "state": "done", "file": f"{tiny.url}/ad_7.png", "cost": 2}
        tiny.routes |= {
            "POST /v1/ads": Reply({"id": "ad_7", "state": "waiting", "cost": 2}, 201),
            "GET /v1/ads/ad_7": [Reply({"id": "ad_7", "state": "drawing"}), Reply(done)],
            "GET /v1/wallet": Reply({"credits": 40}),
            "GET /ad_7.png": Reply(PNG, headers={"Content-Type": "image/png"}),
        }
        connection = {"conn_type": "exampleads", "host": f"{tiny.url}/v1", "password": "example-key"}
        monkeypatch.setenv("AIRFLOW_CONN_MY_ADS", json.dumps(connection))
        yield tiny


def make(**more: Any) -> GenerateOperator:
    return GenerateOperator(task_id="make", conn_id="my_ads", request=REQUEST, poll_interval=0.05, **more)


@pytest.mark.parametrize("deferrable", [False, True])
def test_it_is_paid_for_once_and_stored(server: Tiny, tmp_path: Path, deferrable: bool) -> None:
    context = task_context(FakeStore())
    found = run_task(make(deferrable=deferrable, max_credits=2, destination=str(tmp_path)), context)
    assert (found["vendor"], found["id"], found["status"], found["kind"]) == (
        "exampleads",
        "ad_7",
        "completed",
        "image",
    )
    assert found["credits"] == {"quoted": 2, "charged": 2, "refunded": None}
    (creative,) = found["creatives"]
    assert Path(creative["uri"].removeprefix("file://")).read_bytes() == PNG
    assert context["ti"].xcoms == {"id": "ad_7", "uris": [creative["uri"]]}
    (post,) = [one for one in server.asked if one.method == "POST"]
    assert post.json() == {"headline": REQUEST["headline"], "shape": "story"}
    assert post.headers["x-api-key"] == "example-key"
    # Its files are fetched without the key.
    (get,) = [one for one in server.asked if one.path == "/ad_7.png"]
    assert "x-api-key" not in get.headers


def test_a_retry_goes_on_with_the_paid_job(server: Tiny) -> None:
    store = FakeStore()
    server.routes["GET /v1/ads/ad_7"] = Reply({"message": "asleep"}, 404)
    with pytest.raises(AirflowFailException):
        run_task(make(), task_context(store))
    server.routes["GET /v1/ads/ad_7"] = Reply({"id": "ad_7", "state": "done", "file": f"{server.url}/ad_7.png"})
    assert run_task(make(), task_context(store, try_number=2))["status"] == "completed"
    assert server.paths().count("POST /v1/ads") == 1


def test_a_wrong_request_is_refused_before_anything_is_sent(server: Tiny) -> None:
    operator = GenerateOperator(task_id="make", conn_id="my_ads", request={**REQUEST, "headline": "x" * 81})
    with pytest.raises(AirflowFailException, match="headline"):
        run_task(operator, task_context(FakeStore()))
    assert server.asked == []


def test_what_the_vendor_says_reaches_the_user(server: Tiny) -> None:
    server.routes["POST /v1/ads"] = Reply({"message": "This shape is sold out"}, 400)
    with pytest.raises(AirflowFailException, match="This shape is sold out"):
        run_task(make(), task_context(FakeStore()))


def test_everything_else_for_any_vendor_works_too(server: Tiny, tmp_path: Path) -> None:
    assert AdGenHook("my_ads").test_connection() == (True, "Example Ads accepted the key.")
    plan = CreditCheckOperator(task_id="check", conn_id="my_ads", requests=[REQUEST] * 3)
    assert run_task(plan, task_context())["required"] == 6
    sensor = GenerationSensor(
        task_id="wait", conn_id="my_ads", generation_id="ad_7", deferrable=True, poke_interval=0.05
    )
    assert run_task(sensor, task_context())["status"] == "completed"
    store = DownloadCreativesOperator(
        task_id="store", conn_id="my_ads", generation_id="ad_7", destination=str(tmp_path)
    )
    (creative,) = run_task(store, task_context())["creatives"]
    assert creative["size"] == len(PNG)
