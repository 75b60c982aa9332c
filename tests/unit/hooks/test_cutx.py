# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.vendors.cutx import Copy, StaticAd, Video
from tests.support.tiny import Reply, Tiny
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lb25lIn0.c2lnbmF0dXJl"
PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
PRODUCT = "7c1a4d9e-52b3-4f6a-9b7e-1d2c3b4a5f60"
JOB = "6f1f9c1e-7b55-4c4e-8a0b-6d1f0a2b3c4d"
LIST = "GET /api/products"

PROJECT_ROW = {
    "id": PROJECT,
    "name": "Summer",
    "description": None,
    "product_count": "3",
    "asset_count": "15",
    "created_at": "2026-01-05T10:00:00Z",
    "updated_at": "2026-01-06T10:00:00Z",
}
PRODUCT_ROW = {
    "id": PRODUCT,
    "name": "Widget",
    "description": "A widget",
    "price": "29.99",
    "currency": "USD",
    "brand": "Acme",
    "category": "Widgets",
    "source_url": "https://shop.example/widget",
    "image_url": "https://shop.example/widget.jpg",
    "created_at": "2026-01-05T10:00:00Z",
}
INGESTED = {
    **{name: value for name, value in PRODUCT_ROW.items() if name not in {"image_url", "created_at"}},
    "features": ["Light", "Durable"],
    "images": [
        {"id": "1", "url": "https://shop.example/1.jpg", "is_primary": False},
        {"id": "2", "url": "https://shop.example/2.jpg", "is_primary": True},
    ],
}
USER = {
    "id": "u1",
    "email": "someone@example.com",
    "name": "Someone",
    "role": "user",
    "email_verified": True,
    "created_at": "2026-01-05T10:00:00Z",
}


ASSETS = "GET /api/assets"
OF_PROJECT = {"limit": "20", "projectId": PROJECT}
ASSET_ROW = {"id": "a1", "type": "image", "url": "https://cdn.example/a.png?sig=s3cr3t", "createdAt": "2026-03-09"}


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


@pytest.fixture
def hook(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, quick: None) -> CutxHook:
    value = {"conn_type": "cutx", "host": tiny.url, "password": TOKEN, "extra": {"timeout": 10}}
    monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(value))
    return CutxHook()


@pytest.fixture(params=WIRES)
def both(request: pytest.FixtureRequest, hook: CutxHook) -> Both:
    return caller(hook, request.param)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, str], Any, Any]] = [
    ("get_credits", (), {}, "GET /api/credits/balance", {}, None, {"balance": 120}),
    ("get_me", (), {}, "GET /api/auth/me", {}, None, {"user": USER}),
    ("list_assets", (), {}, ASSETS, {"limit": "20"}, None, {"assets": [ASSET_ROW]}),
    ("list_assets", (PROJECT,), {"type": "image"}, ASSETS, {**OF_PROJECT, "type": "image"}, None, [ASSET_ROW]),
    ("list_assets", (PROJECT,), {}, ASSETS, OF_PROJECT, None, {"data": {"items": [ASSET_ROW]}}),
    ("list_projects", (), {}, LIST, {"limit": "20"}, None, {"projects": [PROJECT_ROW]}),
    ("list_projects", (), {"limit": 5}, LIST, {"limit": "5"}, None, {"projects": [PROJECT_ROW]}),
    (
        "list_products",
        (PROJECT,),
        {},
        LIST,
        {"limit": "50", "projectId": PROJECT},
        None,
        {"products": [PRODUCT_ROW]},
    ),
    (
        "list_products",
        (PROJECT,),
        {"limit": "5"},
        LIST,
        {"limit": "5", "projectId": PROJECT},
        None,
        {"products": [PRODUCT_ROW]},
    ),
    (
        "create_project",
        (),
        {"name": "Summer", "description": "Sale"},
        "POST /api/products",
        {},
        {"name": "Summer", "description": "Sale"},
        {"project": PROJECT_ROW},
    ),
    (
        "ingest_product",
        (),
        {"url": "https://shop.example/widget", "project_id": PROJECT},
        "POST /api/products/ingest",
        {},
        {"url": "https://shop.example/widget", "projectId": PROJECT},
        {"product": INGESTED},
    ),
    (
        "ingest_product",
        (),
        {"url": "https://shop.example/widget"},
        "POST /api/products/ingest",
        {},
        {"url": "https://shop.example/widget"},
        {"product": INGESTED},
    ),
    ("get_generation", (JOB,), {}, "GET /api/generate/status", {"jobId": JOB}, None, {"status": "queued"}),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "route", "query", "body", "value"), CALLS)
def test_each_endpoint(
    tiny: Tiny, both: Both, name: str, args: Any, kwargs: Any, route: str, query: Any, body: Any, value: Any
) -> None:
    tiny.routes[route] = Reply(value, 201 if route.startswith("POST") else 200)
    assert both(name, *args, **kwargs)
    assert tiny.paths() == [route]
    (asked,) = tiny.asked
    assert asked.query == query
    assert (asked.json() if asked.body else None) == body
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


# --- what is read -------------------------------------------------------------------------------------------------


def test_credits(tiny: Tiny, both: Both) -> None:
    documented = {"balance": 120, "lifetime_purchased": 250, "lifetime_used": 155}
    tiny.routes["GET /api/credits/balance"] = Reply(documented)
    found = both("get_credits")
    # What was used since the account began is no use of a billing period, and what was bought is no limit.
    assert (found.remaining, found.used, found.limit, found.in_flight_limit) == (120, None, None, None)
    assert found.details == {"lifetime_purchased": 250, "lifetime_used": 155}
    tiny.routes["GET /api/credits/balance"] = Reply({"balance": "12.5", "lifetimeUsed": "3"})
    found = both("get_credits")
    assert (found.remaining, found.details) == (12, {"lifetime_used": 3})


@pytest.mark.parametrize("value", [{}, {"balance": None}, {"balance": "lots"}, {"balance": True}, [], {"credits": 5}])
def test_a_balance_that_cannot_be_read_is_no_balance(tiny: Tiny, both: Both, value: Any) -> None:
    tiny.routes["GET /api/credits/balance"] = Reply(value)
    with pytest.raises(UnexpectedResponse, match="GET /api/credits/balance"):
        both("get_credits")


@pytest.mark.parametrize("value", [{"user": USER}, USER, {"user": {**USER, "emailVerified": True}}])
def test_me(tiny: Tiny, both: Both, value: Any) -> None:
    tiny.routes["GET /api/auth/me"] = Reply(value)
    found = both("get_me")
    assert (found.id, found.email, found.role, found.email_verified) == ("u1", "someone@example.com", "user", True)
    assert "someone@example.com" not in repr(found)


def test_counts_of_projects_are_numbers(tiny: Tiny, both: Both) -> None:
    odd = {"id": 7, "name": 5, "productCount": 4, "assetCount": "many", "createdAt": "yesterday", "color": "red"}
    tiny.routes[LIST] = Reply({"projects": [PROJECT_ROW, odd]})
    first, second = both("list_projects")
    assert (first.id, first.product_count, first.asset_count) == (PROJECT, 3, 15)
    assert first.created_at.year == 2026
    assert (second.id, second.name, second.product_count, second.asset_count) == ("7", "5", 4, None)
    assert (second.created_at, second.model_extra) == (None, {"color": "red"})


def test_products_have_one_picture_and_their_price_as_it_is(tiny: Tiny, both: Both) -> None:
    tiny.routes[LIST] = Reply(
        {"products": [PRODUCT_ROW, {"id": "p2", "price": 29.99}, {"id": "p3", "price": "29,99 €"}]}
    )
    tiny.routes["POST /api/products/ingest"] = Reply({"product": INGESTED}, 201)
    listed, number, text = both("list_products", PROJECT)
    assert (listed.price, number.price, text.price) == ("29.99", "29.99", "29,99 €")
    assert (listed.image_url, listed.images) == ("https://shop.example/widget.jpg", [])
    made = both("ingest_product", url="https://shop.example/widget")
    assert (made.image_url, made.features) == ("https://shop.example/2.jpg", ["Light", "Durable"])
    assert [image.is_primary for image in made.images] == [False, True]
    assert "shop.example" not in repr(made) + repr(listed)


@pytest.mark.parametrize(
    ("images", "url"),
    [
        ([{"url": "https://a.example/1"}, {"url": "https://a.example/2"}], "https://a.example/1"),
        ([{"url": "https://a.example/1"}, {"url": "https://a.example/2", "isPrimary": True}], "https://a.example/2"),
        ([{"is_primary": True}, {"url": "https://a.example/2"}], "https://a.example/2"),
        ([None, "x", {"url": 5}], "5"),
        ([], None),
        (None, None),
        ("x", None),
    ],
)
def test_the_picture_of_several(tiny: Tiny, both: Both, images: Any, url: str | None) -> None:
    tiny.routes["POST /api/products/ingest"] = Reply({"id": "p", "images": images, "features": "many"}, 201)
    made = both("ingest_product", url="https://shop.example/widget")
    assert (made.id, made.image_url, made.features) == ("p", url, [])


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "said"),
    [
        ("list_projects", (), {"limit": 0}, "limit"),
        ("list_projects", (), {"limit": "many"}, "limit"),
        ("list_products", ("p1",), {}, "project_id: a UUID is needed"),
        ("list_products", ("",), {}, "a UUID is needed"),
        ("list_products", (PROJECT,), {"limit": True}, "limit"),
        ("create_project", (), {"name": ""}, "name"),
        ("create_project", (), {"name": "x" * 201}, "name"),
        ("create_project", (), {"name": "x", "description": "x" * 1001}, "description"),
        ("ingest_product", (), {"url": "shop.example/widget"}, "url"),
        ("ingest_product", (), {"url": None}, "url"),
        ("ingest_product", (), {"url": "https://shop.example", "project_id": "p1"}, "project_id"),
        ("get_generation", ("",), {}, "An id must be"),
    ],
)
def test_what_breaks_a_rule_is_not_sent(
    tiny: Tiny, both: Both, method: str, args: Any, kwargs: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        both(method, *args, **kwargs)
    assert said in caught.value.message and "Nothing was sent" in caught.value.message
    assert not tiny.asked


def test_limits_are_taken(tiny: Tiny, both: Both) -> None:
    tiny.routes["POST /api/products"] = Reply({"project": PROJECT_ROW}, 201)
    both("create_project", name="x", description="")
    both("create_project", name="x" * 200, description="x" * 1000)
    assert [len(one.json()["name"]) for one in tiny.asked] == [1, 200]


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, ApiError),
        (401, AuthenticationError),
        (402, InsufficientCredits),
        (403, PermissionDenied),
        (404, NotFound),
        (429, RateLimited),
        (500, ServerError),
    ],
)
def test_errors(tiny: Tiny, both: Both, status: int, cls: type[ApiError]) -> None:
    body = {"error": "Bad", "message": f"No luck with {TOKEN}"}
    tiny.routes["GET /api/auth/me"] = Reply(body, status, {"Retry-After": "600"} if status == 429 else {})
    with pytest.raises(cls) as caught:
        both("get_me")
    assert (caught.value.status, caught.value.endpoint) == (status, "GET /api/auth/me")
    assert "No luck" in str(caught.value) and TOKEN not in str(caught.value)
    assert caught.value.retry_after == (600 if status == 429 else None)
    # Reading is repeated where that helps soon.
    assert len(tiny.asked) == (4 if status == 500 else 1)


@pytest.mark.parametrize("method", ["create_project", "ingest_product"])
def test_what_makes_something_is_sent_once(tiny: Tiny, both: Both, method: str) -> None:
    for route in ("POST /api/products", "POST /api/products/ingest"):
        tiny.routes[route] = Reply({"error": "Bad gateway"}, 502)
    fields = {"name": "x"} if method == "create_project" else {"url": "https://shop.example/x"}
    with pytest.raises(ServerError):
        both(method, **fields)
    assert len(tiny.asked) == 1


# --- the connection -----------------------------------------------------------------------------------------------


def test_the_test_button_asks_who_it_is(tiny: Tiny, both: Both) -> None:
    tiny.routes["GET /api/auth/me"] = Reply({"user": USER})
    assert both("test_connection") == (True, "CutX accepted the key.")
    tiny.routes["GET /api/auth/me"] = Reply({"error": "Unauthorized", "message": "Invalid token"}, 401)
    accepted, said = both("test_connection")
    assert not accepted and "401" in said and "Invalid token" in said
    assert tiny.paths() == ["GET /api/auth/me"] * 2


@pytest.mark.parametrize(("changes", "said"), [({"host": ""}, "has no host"), ({"password": ""}, "put the CutX token")])
def test_an_incomplete_connection_is_refused(monkeypatch: pytest.MonkeyPatch, changes: Any, said: str) -> None:
    value = {"conn_type": "cutx", "host": "https://cutx.example", "password": TOKEN, **changes}
    monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(value))
    accepted, found = CutxHook().test_connection()
    assert not accepted and said in found and "Nothing was sent" in found


# --- submissions --------------------------------------------------------------------------------------------------

SUBJECT = {"project_id": PROJECT, "product_id": PRODUCT}
REQUESTS = [
    ("copy", Copy(**SUBJECT, platform="meta", format="short", tone="bold"), 1),
    ("static-ad", StaticAd(**SUBJECT), 3),
    ("video", Video(**SUBJECT, script="Hey! You need this."), 40),
]


@pytest.mark.parametrize(("path", "request_", "price"), REQUESTS)
@pytest.mark.parametrize("key", [None, "k", "k" * 128])
def test_a_key_goes_into_the_body_of_every_kind(
    tiny: Tiny, both: Both, path: str, request_: Any, price: int, key: str | None
) -> None:
    tiny.routes[f"POST /api/generate/{path}"] = Reply({"jobId": JOB, "creditsUsed": price})
    found = both("submit", request_, idempotency_key=key)
    assert (found.id, found.credits.charged) == (JOB, price)
    assert tiny.asked[0].json().get("idempotencyKey") == key
    assert "idempotency-key" not in tiny.asked[0].headers


@pytest.mark.parametrize("key", ["", "k" * 129, "kéy", "a\nb"])
def test_a_key_that_cannot_be_one_is_refused(tiny: Tiny, both: Both, key: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 128"):
        both("submit", REQUESTS[0][1], idempotency_key=key)
    assert not tiny.asked


@pytest.mark.parametrize("status", [400, 402, 409, 429, 500, 502])
def test_a_paid_request_is_sent_once(tiny: Tiny, both: Both, status: int) -> None:
    tiny.routes["POST /api/generate/video"] = Reply({"error": "No"}, status)
    with pytest.raises(ApiError):
        both("submit", REQUESTS[2][1], idempotency_key="k")
    assert len(tiny.asked) == 1
