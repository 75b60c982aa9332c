# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import UnexpectedResponse
from airflow_provider_adgen.hooks.cutx import CutxHook
from tests.support.tiny import Reply, Tiny
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
LIST = "GET /api/products"
PROJECT_ROW = {"id": PROJECT, "name": "Summer"}


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


@pytest.fixture
def hook(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, quick: None) -> CutxHook:
    value = {"conn_type": "cutx", "host": tiny.url, "password": "a-token", "extra": {"timeout": 10}}
    monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(value))
    return CutxHook()


@pytest.fixture(params=WIRES)
def both(request: pytest.FixtureRequest, hook: CutxHook) -> Both:
    return caller(hook, request.param)


class Shop:
    """Lists so many products: with an offset, without, or refusing one; a page has at most so many."""

    def __init__(self, count: int, *, offsets: str = "known", most: int = 1000) -> None:
        self.rows = [{"id": f"p{number}"} for number in range(count)]
        self.offsets = offsets
        self.most = most

    def reply(self, query: dict[str, str]) -> Reply:
        limit, offset = int(query["limit"]), int(query.get("offset", 0))
        if "offset" in query and self.offsets == "refused":
            return Reply({"error": "Invalid input"}, 400)
        if limit > self.most and self.offsets != "known":
            return Reply({"error": "Invalid input"}, 400)
        start = offset if self.offsets == "known" else 0
        return Reply({"products": self.rows[start : start + min(limit, self.most)]})


def open_shop(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    # A route that answers by what it is asked.
    class Route(dict[str, Any]):
        def get(self, route: str, default: Any = None) -> Any:
            return shop.reply(tiny.asked[-1].query) if route == LIST else default

    monkeypatch.setattr(tiny, "routes", Route())


@pytest.mark.parametrize(
    ("count", "shop", "limit", "requests"),
    [
        (0, {}, 50, 1),
        (49, {}, 50, 1),
        (50, {}, 50, 2),
        (120, {}, 50, 3),
        (7, {}, 3, 3),
        # The vendor gives fewer than asked for: its own most.
        (250, {"most": 100}, 200, 4),
        # It does not know offsets: the first page again, then larger ones.
        (120, {"offsets": "ignored"}, 50, 4),
        (120, {"offsets": "refused"}, 50, 4),
        (50, {"offsets": "ignored"}, 50, 3),
        # ... up to a limit that it refuses: no more can be had.
        (120, {"offsets": "ignored", "most": 100}, 50, 4),
        (120, {"offsets": "refused", "most": 100}, 50, 4),
    ],
)
def test_all_pages(
    tiny: Tiny, both: Both, monkeypatch: pytest.MonkeyPatch, count: int, shop: dict[str, Any], limit: int, requests: int
) -> None:
    open_shop(tiny, monkeypatch, Shop(count, **shop))
    found = [product.id for product in both("list_products", PROJECT, limit=limit)]
    reachable = 100 if shop.get("offsets") and shop.get("most") else count
    assert found == [f"p{number}" for number in range(reachable)]
    assert len(tiny.asked) == requests
    assert "offset" not in tiny.asked[0].query


def test_files_without_ids_are_told_apart_by_their_links(
    tiny: Tiny, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Route(dict[str, Any]):
        def get(self, route: str, default: Any = None) -> Any:
            links = [f"https://cdn.example/{number}.png?sig={len(tiny.asked)}" for number in range(45)]
            limit = int(tiny.asked[-1].query["limit"])
            return Reply({"assets": [{"type": "image", "url": link} for link in links[:limit]]})

    monkeypatch.setattr(tiny, "routes", Route())
    found = [str(asset.url).partition("?")[0] for asset in both("list_assets")]
    assert found == [f"https://cdn.example/{number}.png" for number in range(45)]
    assert len(tiny.asked) < 6


def test_pages_are_asked_for_when_they_are_needed(tiny: Tiny, hook: CutxHook, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(tiny, monkeypatch, Shop(120))
    products = hook.list_products(PROJECT)
    assert [next(products).id for _ in range(50)][-1] == "p49"
    assert len(tiny.asked) == 1
    products.close()  # type: ignore[attr-defined]  # a generator


@pytest.mark.parametrize(
    ("method", "args", "value"),
    [
        ("list_projects", (), {"products": []}),
        ("list_products", (PROJECT,), {"projects": [PROJECT_ROW]}),
        ("list_products", (PROJECT,), {"products": None}),
        ("list_products", (PROJECT,), {"products": [{"name": "nameless"}]}),
        ("list_products", (PROJECT,), {"products": ["p1"]}),
        ("list_products", (PROJECT,), b"<html>"),
    ],
)
def test_another_list_is_not_mistaken(tiny: Tiny, both: Both, method: str, args: Any, value: Any) -> None:
    tiny.routes[LIST] = Reply(value)
    with pytest.raises(UnexpectedResponse, match=LIST):
        both(method, *args)


def test_a_bare_list_is_read_too(tiny: Tiny, both: Both) -> None:
    tiny.routes[LIST] = Reply([PROJECT_ROW])
    assert [project.name for project in both("list_projects")] == ["Summer"]
