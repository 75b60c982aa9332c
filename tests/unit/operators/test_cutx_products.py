# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.operators.cutx import CutxIngestProductOperator
from tests.support.tasks import run_task, task_context
from tests.support.tiny import Reply, Tiny

PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
PRODUCT = "7c1a4d9e-52b3-4f6a-9b7e-1d2c3b4a5f60"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    with Tiny() as server:
        value = {"conn_type": "cutx", "host": server.url, "password": "a-token", "extra": {"timeout": 2}}
        monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(value))
        yield server


def test_a_product_is_made_of_a_page(tiny: Tiny) -> None:
    product = {"id": PRODUCT, "name": "Widget", "price": "29.99", "images": [{"url": "https://shop.example/1.jpg"}]}
    tiny.routes["POST /api/products/ingest"] = Reply({"product": product}, 201)
    context = task_context()
    task = CutxIngestProductOperator(task_id="i", url="https://shop.example/widget", project_id=PROJECT)
    found = run_task(task, context)
    assert (found["id"], found["price"], found["image_url"]) == (PRODUCT, "29.99", "https://shop.example/1.jpg")
    assert json.loads(json.dumps(found)) == found
    assert context["ti"].xcoms == {"id": PRODUCT}
    assert tiny.asked[0].json() == {"url": "https://shop.example/widget", "projectId": PROJECT}


@pytest.mark.parametrize("fields", [{"url": "x"}, {"url": "https://shop.example/x", "project_id": "p1"}])
def test_a_page_that_cannot_be_one_is_refused(tiny: Tiny, fields: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="Nothing was sent"):
        run_task(CutxIngestProductOperator(task_id="i", **fields), task_context())
    assert not tiny.asked


def test_a_product_of_a_project_of_nobody(tiny: Tiny) -> None:
    tiny.routes["POST /api/products/ingest"] = Reply({"error": "Project not found"}, 404)
    with pytest.raises(AirflowFailException, match="Project not found"):
        run_task(CutxIngestProductOperator(task_id="i", url="https://shop.example/x"), task_context())
