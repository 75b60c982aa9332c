# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A vendor in a package of its own, as ``docs/custom-vendor.md`` shows it: one file, installed, and nothing else."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief, plan_campaign
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.registry import get_vendor, vendor_names
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.hooks.base import AdGenHook, typed_hook
from airflow_provider_adgen.operators.credits import CreditCheckOperator
from airflow_provider_adgen.operators.download import DownloadCreativesOperator
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator
from airflow_provider_adgen.sensors.generation import GenerationSensor
from tests.support.products import ShopRow
from tests.support.tasks import FakeStore, run_task, task_context
from tests.support.tiny import Reply, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parent / "exampleads"
MODULE = "adgen_vendor_exampleads"
BEYOND = "adgen_exampleads_airflow"
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
    base._typed.pop("exampleads", None)
    for name in (MODULE, BEYOND):
        sys.modules.pop(name, None)


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


def test_a_numeric_id_is_one_too(server: Tiny) -> None:
    server.routes["POST /v1/ads"] = Reply({"id": 7, "state": "waiting"}, 201)
    server.routes["GET /v1/ads/7"] = Reply({"id": 7, "state": "done", "file": f"{server.url}/ad_7.png"})
    assert run_task(make(), task_context(FakeStore()))["id"] == "7"


def test_its_keys_are_taken_out_of_every_text(server: Tiny) -> None:
    get_vendor("exampleads")
    assert scrub("the key exads_0123abc was refused") == "the key *** was refused"


class _Wallet(ResourceOperator):
    """An operator without a hook of its own behind it."""

    vendor_name = "exampleads"

    def act(self, hook: Any) -> Any:
        assert type(hook) is AdGenHook
        return hook.get_credits()


def test_a_resource_operator_works_without_a_hook_of_its_own(server: Tiny) -> None:
    assert run_task(_Wallet(task_id="w", conn_id="my_ads"), task_context())["remaining"] == 40
    server.routes["GET /v1/wallet"] = Reply({"message": "busy"}, 409)
    with pytest.raises(AirflowFailException, match="busy"):
        run_task(_Wallet(task_id="w", conn_id="my_ads"), task_context())


def test_a_resource_operator_with_its_own_hook(server: Tiny) -> None:
    more = importlib.import_module(BEYOND)
    server.routes["DELETE /v1/ads/a%2Fb"] = Reply({}, 204)
    one = more.ExampleAdsDeleteOperator(task_id="d", ad_id="{{ params.ad }}", conn_id="my_ads", params={"ad": "a/b"})
    assert set(one.template_fields) == {"conn_id", "ad_id"}
    one.ad_id = "a/b"
    assert run_task(one, task_context()) is None
    assert type(typed_hook("exampleads", "my_ads")) is more.ExampleAdsHook
    one.ad_id = "gone"
    assert run_task(one, task_context()) is None


def test_airflow_shows_its_connection_form(installed: Path) -> None:
    code = (
        "from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService\n"
        "(shown,) = [one for one in HookMetaService.hook_meta_data() if one.connection_type == 'exampleads']\n"
        "fields, standard = shown.extra_fields, shown.standard_fields\n"
        "print(shown.hook_name, standard.password.title, standard.host.title, sorted(fields))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    if "No module named 'wtforms'" in done.stderr:
        pytest.skip("this Airflow has no wtforms")
    assert done.returncode == 0, done.stderr
    fields = ["allow_http", "budget_group", "headers", "requests_per_minute", "sandbox", "timeout", "verify"]
    assert done.stdout.splitlines()[-1] == f"Example Ads API key Base URL {fields}"


def test_it_makes_briefs(server: Tiny) -> None:
    brief = Brief("hero", "image", "{title}, fair price", options={"exampleads": {"shape": "story"}})
    (item,) = (plan := plan_campaign([ShopRow(title="Warm socks")], [brief], ["my_ads"], max_credits=2)).items
    assert item["choices"] == [{"conn_id": "my_ads", "request": REQUEST}]
    assert plan.accounts["my_ads"].credits == 2
