# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Storing the creatives of a generation that was made elsewhere; it costs nothing, however often it is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import DownloadError, GenerationFailed, GenerationTimeout
from airflow_provider_adgen.operators.download import DownloadCreativesOperator

if TYPE_CHECKING:
    from tests.support.rig import Rig


def store(rig: Rig, generation_id: Any, **fields: Any) -> dict[str, Any]:
    given = {"task_id": "store", "conn_id": "adsumo_default", "destination": rig.destination, **fields}
    found: dict[str, Any] = rig.run(DownloadCreativesOperator(generation_id=generation_id, **given))
    return found


@pytest.fixture
def job(rig: Rig) -> Any:
    made = rig.run(rig.operator(wait_for_completion=False, quantity=2))
    rig.sandbox.settings(adsumo={"multiple_results": "list"})
    yield made["id"]
    assert len(rig.charges) == 1 and len(rig.posts()) == 1


def test_it_stores_every_creative_and_returns_where(rig: Rig, job: str) -> None:
    rig.clock.move(600)
    result = store(rig, job)
    assert [Path(one["uri"].removeprefix("file://")).stat().st_size for one in result["creatives"]] == [
        one["size"] for one in result["creatives"]
    ]
    assert len(result["creatives"]) == 2 and "http" not in json.dumps(result)
    assert rig.xcoms == {"id": job, "uris": [one["uri"] for one in result["creatives"]]}


def test_again_is_the_same(rig: Rig, job: str) -> None:
    rig.clock.move(600)
    first = store(rig, job)
    rig.clock.move(36 * 3600)
    assert store(rig, job)["creatives"] == first["creatives"]
    assert len(list(Path(rig.folder, "creatives").iterdir())) == 2


def test_a_job_that_still_runs_is_said_to(rig: Rig, job: str) -> None:
    rig.sandbox.set_job(job, "processing")
    with pytest.raises(
        GenerationTimeout, match=r"is processing, so there is nothing to store yet\. Wait for it with a Gen"
    ):
        store(rig, job)


def test_a_job_that_failed_is_said_to(rig: Rig, job: str) -> None:
    rig.sandbox.set_job(job, "failed")
    with pytest.raises(GenerationFailed, match="ended as failed: there is nothing to store"):
        store(rig, job)


@pytest.mark.parametrize("identity", ["", "  ", None, 7, "..", ","])
def test_what_is_no_id_is_refused_before_anything_is_sent(rig: Rig, identity: Any) -> None:
    with pytest.raises(AirflowFailException, match="Nothing was sent"):
        store(rig, identity)
    assert rig.sandbox.requests("adsumo") == []


def test_an_unknown_job_fails(rig: Rig) -> None:
    with pytest.raises(AirflowFailException, match="404"):
        store(rig, "0b5f7d4e-0000-4000-8000-000000000000")


@pytest.mark.parametrize("destination", ["", None, "nowhere://x"])
def test_a_wrong_destination_fails(rig: Rig, job: str, destination: Any) -> None:
    rig.clock.move(600)
    with pytest.raises((AirflowFailException, DownloadError)):
        store(rig, job, destination=destination)


def test_a_refused_key_fails(rig: Rig, job: str) -> None:
    rig.connect(password="adsumo_sk_wrong")
    with pytest.raises(AirflowFailException, match="401"):
        store(rig, job)


def test_templates(rig: Rig, job: str) -> None:
    rig.clock.move(600)
    operator = DownloadCreativesOperator(
        task_id="s",
        conn_id="{{ params.c }}",
        generation_id="{{ params.id }}",
        destination=rig.destination + "/{{ ds }}",
    )
    params = {"c": "adsumo_default", "id": job}
    operator.render_template_fields({**rig.context(), "params": params, "ds": "2026-01-02"})
    assert "/2026-01-02/" in rig.run(operator)["creatives"][0]["uri"]


def test_it_can_be_mapped_over() -> None:
    from airflow.sdk import DAG

    with DAG("d", schedule=None, default_args={"conn_id": "c", "destination": "file:///x"}):
        mapped = DownloadCreativesOperator.partial(task_id="m").expand(generation_id=["a", "b"])
        one = mapped.unmap({"generation_id": "b"})
    assert (one.conn_id, one.destination, one.generation_id) == ("c", "file:///x", "b")
