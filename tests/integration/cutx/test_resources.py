# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import ApiError, AuthenticationError, NotFound, PermissionDenied
from airflow_provider_adgen.operators.cutx import CutxIngestProductOperator
from tests.support.tasks import run_task, task_context
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from airflow_provider_adgen.hooks.cutx import CutxHook
    from airflow_provider_adgen.sandbox import Sandbox

PAGE = "https://shop.example/blue-shoe"


@pytest.fixture(params=WIRES)
def both(request: pytest.FixtureRequest, hook: CutxHook) -> Both:
    return caller(hook, request.param)


def test_projects(both: Both) -> None:
    made = both("create_project", name="Summer", description="Sale")
    assert (made.name, made.description, made.status) == ("Summer", "Sale", "active")
    first, second = both("list_projects")
    assert (first.product_count, first.asset_count) == (1, 0)
    assert (second.id, second.product_count, second.created_at) == (made.id, 0, made.created_at)


def test_products(sandbox: Sandbox, both: Both, subject: dict[str, str]) -> None:
    made = both("ingest_product", url=PAGE, project_id=subject["project_id"])
    first, second = both("list_products", subject["project_id"])
    assert (first.id, second.id) == (subject["product_id"], made.id)
    assert (second.price, second.source_url) == (made.price, PAGE)
    assert second.image_url and made.image_url == made.images[0].url
    assert made.features
    with pytest.raises(NotFound):
        both("list_products", str(uuid.uuid4()))
    with pytest.raises(NotFound):
        both("ingest_product", url=PAGE, project_id=str(uuid.uuid4()))
    # The sandbox requires a project, which the vendor's page leaves open.
    with pytest.raises(ApiError, match="projectId"):
        both("ingest_product", url=PAGE)
    assert sandbox.charges == []


def test_more_products_than_a_page_has(hook: CutxHook) -> None:
    project = hook.create_project(name="Many").id
    made = [hook.ingest_product(url=f"https://shop.example/shoe-{n}", project_id=project).id for n in range(52)]
    assert [product.id for product in hook.list_products(project)] == made
    assert [product.id for product in hook.list_products(project, limit=5)] == made


def test_an_ingested_product_is_what_a_generation_is_about(hook: CutxHook, subject: dict[str, str]) -> None:
    context = task_context()
    task = CutxIngestProductOperator(task_id="i", url=PAGE, project_id=subject["project_id"])
    found = run_task(task, context)
    assert context["ti"].xcoms == {"id": found["id"]}
    request = hook.vendor.parse_request(
        {"kind": "copy", "project_id": subject["project_id"], "product_id": found["id"]}
        | {"platform": "meta", "format": "short", "tone": "bold"}
    )
    assert all("Blue shoe" in (variant.hook or "") for variant in hook.submit(request).variants)


def test_credits(sandbox: Sandbox, both: Both, hook: CutxHook, subject: dict[str, str]) -> None:
    hook.submit(hook.vendor.parse_request({"kind": "static-ad", **subject}))
    found = both("get_credits")
    assert (found.remaining, found.used, found.limit) == (997, None, None)
    assert found.details == {"lifetime_purchased": 1000, "lifetime_used": 3}


def test_me(sandbox: Sandbox, both: Both) -> None:
    assert both("get_me").role == "user"
    assert both("test_connection")[0]
    sandbox.set_account("cutx", status="forbidden")
    with pytest.raises(PermissionDenied, match="suspended"):
        both("get_me")
    assert not both("test_connection")[0]


def test_a_token_that_was_revoked(sandbox: Sandbox, both: Both) -> None:
    sandbox.set_key("cutx", status="revoked")
    accepted, said = both("test_connection")
    assert not accepted and "401" in said
    with pytest.raises(AuthenticationError):
        both("get_credits")
    with pytest.raises(AirflowFailException, match="401"):
        run_task(CutxIngestProductOperator(task_id="i", url=PAGE), task_context())
