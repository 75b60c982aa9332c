# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is sent to find a vendor's own product, and to make it: as the vendor's pages show it, and no more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.operators.adsumo import AdsumoEnsureProductOperator
from airflow_provider_adgen.operators.cutx import CutxEnsureProductOperator
from tests.support.tasks import FakeStore, run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.contract.conftest import Pages

ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
LINK = "https://shop.example/wireless-headphones"
PICTURE = "https://shop.example/headphones.jpg"
WANTED = {
    "name": "Wireless Headphones",
    "link": LINK,
    "description": "Premium headphones",
    "category": "Electronics",
    "image_url": PICTURE,
}
MADE = {
    "id": ID,
    "name": "Wireless Headphones",
    "description": "Premium headphones",
    "category": "Electronics",
    "image_path": PICTURE,
    "price": None,
    "currency": "USD",
    "link": LINK,
    "created_at": "2026-01-15T10:30:00Z",
}
LISTED = {**{name: value for name, value in MADE.items() if name != "image_path"}, "image_url": PICTURE}


def run(operator: Any) -> Any:
    return run_task(operator, task_context(FakeStore()))


def test_adsumo_finds_or_makes(pages_of: Callable[[str], Pages]) -> None:
    pages = pages_of("adsumo")
    pages.say("GET", "/products", {"data": [], "pagination": {"total": 0, "limit": 100, "offset": 0}})
    pages.say("POST", "/products", MADE, 201)
    ensure = AdsumoEnsureProductOperator(task_id="t", conn_id="page", **WANTED)
    assert run(ensure)["id"] == ID
    looked, made = pages.asked
    assert (looked.method, looked.path, looked.query) == ("GET", "/products", {"limit": "100", "offset": "0"})
    assert (made.method, made.path, made.body) == ("POST", "/products", WANTED)
    # The key follows from the product, not from the task: another task that makes the same one makes no second.
    key = made.headers["idempotency-key"]
    assert len(key) == 64
    run_task(AdsumoEnsureProductOperator(task_id="other", conn_id="page", **WANTED), task_context(FakeStore()))
    assert pages.last.headers["idempotency-key"] == key
    run(AdsumoEnsureProductOperator(task_id="t", conn_id="page", **{**WANTED, "link": f"{LINK}?colour=red"}))
    assert pages.last.headers["idempotency-key"] != key

    pages.say("GET", "/products", {"data": [LISTED], "pagination": {"total": 1, "limit": 100, "offset": 0}})
    before = len(pages.asked)
    found = run(ensure)
    assert (found["id"], found["image_url"], found["link"]) == (ID, PICTURE, LINK)
    assert [one.method for one in pages.asked[before:]] == ["GET"]


def test_cutx_finds_or_makes(pages_of: Callable[[str], Pages]) -> None:
    pages = pages_of("cutx")
    row = {
        "id": ID,
        "name": "Widget Pro",
        "price": "29.99",
        "currency": "USD",
        "source_url": LINK,
        "image_url": PICTURE,
    }
    pages.say("GET", "/api/products", {"products": []})
    ingested = {**row, "features": ["Light"], "images": [{"id": ID, "url": PICTURE, "is_primary": True}]}
    pages.say("POST", "/api/products/ingest", {"product": ingested}, 201)
    ensure = CutxEnsureProductOperator(task_id="t", conn_id="page", name="Widget", link=LINK, project_id=ID)
    assert run(ensure)["id"] == ID
    looked, made = pages.asked
    assert (looked.method, looked.path, looked.query) == ("GET", "/api/products", {"projectId": ID, "limit": "50"})
    assert (made.method, made.path) == ("POST", "/api/products/ingest")
    assert made.body == {"url": LINK, "projectId": ID}

    pages.say("GET", "/api/products", {"products": [row]})
    before = len(pages.asked)
    assert run(ensure)["id"] == ID
    assert [one.method for one in pages.asked[before:]] == ["GET"]


def test_cutx_finds_or_makes_a_project(pages_of: Callable[[str], Pages]) -> None:
    pages = pages_of("cutx")
    pages.say("GET", "/api/products", {"projects": []})
    pages.say("POST", "/api/products", {"project": {"id": ID, "name": "Spring", "status": "active"}}, 201)
    assert pages.hook.ensure_project(name="Spring", description="Sale").id == ID
    assert [(one.method, one.query, one.body) for one in pages.asked] == [
        ("GET", {"limit": "20"}, None),
        ("POST", {}, {"name": "Spring", "description": "Sale"}),
    ]
    pages.say("GET", "/api/products", {"projects": [{"id": ID, "name": "Spring", "product_count": "3"}]})
    assert pages.hook.ensure_project(name="Spring").id == ID
    assert pages.last.method == "GET"
