# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Links that expire, files that break off, results of which no file is told: a paid result is not lost."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from airflow_provider_adgen.operators.download import DownloadCreativesOperator
from airflow_provider_adgen.sensors.generation import GenerationSensor

if TYPE_CHECKING:
    from tests.support.rig import Rig


def check(creative: dict[str, Any]) -> None:
    content = Path(creative["uri"].removeprefix("file://")).read_bytes()
    assert (creative["size"], creative["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert creative["url"] is None and creative["expires_at"] is None


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_link_that_has_expired_is_asked_for_anew(rig: Rig, deferrable: bool) -> None:
    rig.sandbox.fault("expired_link", "adsumo", method="GET", path="/media/*")
    result = rig.run(rig.operator(deferrable=deferrable, destination=rig.destination))
    check(result["creatives"][0])
    assert len(rig.charges) == 1


def test_a_file_that_breaks_off_goes_on(rig: Rig) -> None:
    rig.sandbox.fault("truncate", "adsumo", method="GET", path="/media/*", times=2)
    check(rig.run(rig.operator(destination=rig.destination))["creatives"][0])


def test_a_file_that_cannot_be_fetched_is_fetched_by_a_retry(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_adgen.core.clock import SYSTEM

    async def at_once(_seconds: float) -> None:
        pass

    monkeypatch.setattr(SYSTEM, "sleep", at_once)
    rig.sandbox.fault("status", "adsumo", method="GET", path="/media/*", status=500, times=-1)
    with pytest.raises(DownloadError, match=r"costs nothing") as caught:
        rig.run(rig.operator(destination=rig.destination))
    assert "X-Sandbox" not in str(caught.value)
    assert rig.phases == ["submitted"]
    rig.sandbox.clear_faults()
    rig.retry()
    check(rig.run(rig.operator(destination=rig.destination))["creatives"][0])
    assert len(rig.charges) == 1


@pytest.mark.parametrize("stored", [True, False])
def test_a_result_of_which_no_file_is_told_is_no_success(rig: Rig, stored: bool) -> None:
    rig.sandbox.fault("missing_fields", "adsumo", method="GET", path="/generations/*", fields=["result_url"], times=-1)
    destination = rig.destination if stored else None
    with pytest.raises(DownloadError, match=r"costs nothing"):
        rig.run(rig.operator(destination=destination))
    rig.sandbox.clear_faults()
    rig.retry()
    (creative,) = rig.run(rig.operator(destination=destination))["creatives"]
    assert creative["uri"] if stored else creative["url"]
    assert len(rig.charges) == 1


@pytest.mark.parametrize(("form", "files"), [("first", 1), ("list", 3), ("zip", 1)])
def test_several_images_in_every_form_the_vendor_may_use(rig: Rig, form: str, files: int) -> None:
    rig.sandbox.settings(adsumo={"multiple_results": form})
    result = rig.run(rig.operator(quantity=3, destination=rig.destination))
    assert len(result["creatives"]) == files
    for creative in result["creatives"]:
        check(creative)
    assert rig.xcoms["uris"] == [creative["uri"] for creative in result["creatives"]]
    assert (result["creatives"][0]["kind"] == "archive") is (form == "zip")


@pytest.mark.parametrize("deferrable", [False, True])
def test_submit_then_wait_then_store_in_three_tasks(rig: Rig, deferrable: bool) -> None:
    submitted = rig.run(rig.operator(wait_for_completion=False, deferrable=deferrable))
    assert submitted["status"] == "processing" and submitted["creatives"] == []
    assert rig.xcoms["id"] == submitted["id"]
    sensor = GenerationSensor(
        task_id="wait",
        conn_id="adsumo_default",
        generation_id=submitted["id"],
        deferrable=deferrable,
        poke_interval=0.1 if deferrable else 5,
        mode="poke",
    )
    waited = rig.run(sensor)
    assert waited["id"] == submitted["id"] and waited["creatives"][0]["url"]
    rig.clock.move(7200)
    download = DownloadCreativesOperator(
        task_id="store", conn_id="adsumo_default", generation_id=waited["id"], destination=rig.destination
    )
    stored = rig.run(download)
    check(stored["creatives"][0])
    assert stored.keys() == waited.keys() == submitted.keys()
    assert rig.run(download)["creatives"] == stored["creatives"], "again, at the same place"
    assert len(rig.charges) == 1


def test_a_task_that_only_submits_submits_once(rig: Rig) -> None:
    first = rig.run(rig.operator(wait_for_completion=False))
    rig.retry()
    assert rig.run(rig.operator(wait_for_completion=False))["id"] == first["id"]
    assert len(rig.charges) == 1
    rig.retry()
    assert rig.run(rig.operator(wait_for_completion=True))["status"] == "completed"
    assert len(rig.charges) == 1


def test_no_link_and_no_key_is_in_what_airflow_keeps_of_a_task(rig: Rig) -> None:
    operator = rig.operator(
        AdsumoTextToImageOperator, prompt="p", model="fast", aspect_ratio="1:1", destination="file:///x"
    )
    shown = repr(operator) + repr({name: getattr(operator, name) for name in operator.template_fields})
    assert "adsumo_sk" not in shown and "http" not in shown
