# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_adgen.sensors.sume import AssetSensor
from airflow_provider_adgen.triggers.sume import AssetTrigger
from tests.support.tasks import run_task, task_context
from tests.support.tiny import Reply, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = Reply({"error": {"code": "not_found", "message": "No.", "details": {}}, "request_id": "r"}, 404)
FILM = "https://media.sume.so/scene.mp4"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    with Tiny() as server:
        value = {"conn_type": "sume", "host": server.url, "password": "sume_live_k", "extra": {"timeout": 2}}
        monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(value))
        yield server


def asset(**fields: Any) -> Reply:
    return Reply({"id": "as_1", "object": "asset", **fields})


def waited(**fields: Any) -> Any:
    given = {"asset_id": "as_1", "poke_interval": 0.05, "timeout": 30, **fields}
    found = run_task(AssetSensor(task_id="wait", **given), task_context())
    return getattr(found, "xcom_value", found)


@pytest.mark.parametrize("deferrable", [False, True])
def test_waits_until_the_video_was_taken_in(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes["GET /assets/as_1"] = [
        UNKNOWN,
        asset(status="processing"),
        asset(status="processing", media_url=None),
        asset(status="ready", media_url=FILM, title="Scene 1"),
    ]
    found = waited(deferrable=deferrable)
    assert (found["id"], found["status"], found["media_url"], found["title"]) == ("as_1", "ready", FILM, "Scene 1")
    assert json.loads(json.dumps(found)) == found
    assert len(tiny.asked) >= 4


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_scene_without_a_status_is_ready_with_its_video(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes["GET /assets/as_1"] = [asset(), asset(clip_url=FILM)]
    assert waited(deferrable=deferrable)["media_url"] == FILM


@pytest.mark.parametrize("deferrable", [False, True])
def test_further_words_can_mean_ready(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes["GET /assets/as_1"] = [asset(status="processing"), asset(status="Polished")]
    assert waited(deferrable=deferrable, ready_words=["polished "])["status"] == "Polished"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failure_is_told_once(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes["GET /assets/as_1"] = [asset(status="processing"), asset(status="failed")]
    with pytest.raises(AirflowFailException, match="did not take in as_1: it is failed"):
        waited(deferrable=deferrable)


def test_a_failure_may_skip(tiny: Tiny) -> None:
    tiny.routes["GET /assets/as_1"] = asset(status="failed")
    with pytest.raises(AirflowSkipException):
        waited(deferrable=True, soft_fail=True)


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_asset_that_never_appears_ends_with_the_sensors_timeout(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes["GET /assets/as_1"] = UNKNOWN
    with pytest.raises(AirflowSensorTimeout):
        waited(deferrable=deferrable, timeout=0.3)


@pytest.mark.parametrize("deferrable", [False, True])
def test_passing_trouble_is_ridden_out(tiny: Tiny, deferrable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_adgen.core.retrying._backoff", lambda _state: 0.0)
    down = Reply({"error": {"code": "internal", "message": "No."}}, 503)
    tiny.routes["GET /assets/as_1"] = [asset(status="processing"), *[down] * 5, asset(status="ready")]
    assert waited(deferrable=deferrable)["status"] == "ready"


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_fails_at_once(tiny: Tiny, deferrable: bool, status: int) -> None:
    tiny.routes["GET /assets/as_1"] = Reply({"error": {"code": "no", "message": "No."}}, status)
    with pytest.raises(AirflowFailException, match=f"answered {status}"):
        waited(deferrable=deferrable)


def test_wrong_arguments_and_connections_are_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "adsumo", "password": "k"}))
    for fields in ({"asset_id": ""}, {"conn_id": "other"}):
        for deferrable in (False, True):
            with pytest.raises(AirflowFailException, match="Nothing was sent"):
                waited(deferrable=deferrable, **fields)
    assert tiny.asked == []


def test_what_the_triggerer_is_given(tiny: Tiny) -> None:
    tiny.routes["GET /assets/as_1"] = asset(status="processing")
    sensor = AssetSensor(task_id="wait", asset_id="as_1", ready_words=["b", "A"], deferrable=True, timeout=60)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(task_context())  # type: ignore[arg-type]  # as much of a context as it needs
    trigger = deferral.value.trigger
    assert isinstance(trigger, AssetTrigger)
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_adgen.triggers.sume.AssetTrigger"
    assert set(kwargs) == {
        "conn_id",
        "poll_interval",
        "since",
        "until",
        "first_fire_delay",
        "asset_id",
        "ready_words",
    }
    assert (kwargs["asset_id"], kwargs["ready_words"], kwargs["conn_id"]) == ("as_1", ["a", "b"], "sume_default")


def test_it_can_be_mapped_and_templated() -> None:
    with DAG("d", schedule=None):
        AssetSensor.partial(task_id="a", ready_words=["x"]).expand(asset_id=["as_1"])
        sensor = AssetSensor(task_id="b", asset_id="{{ asset }}")
    context: Any = {"asset": "as_1"}
    sensor.render_template_fields(context)
    assert sensor.asset_id == "as_1"
