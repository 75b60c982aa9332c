# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's pages (AI Generation, Products, Authentication, Credits), example by example, over HTTP."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core import errors
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.operators.cutx import CutxCopyOperator, CutxStaticAdOperator, CutxVideoOperator
from airflow_provider_adgen.vendors import cutx
from tests.integration.contract.conftest import KEY, Pages, both
from tests.support.tasks import FakeStore, run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable

P = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
Q = "5d2b1f9c-1c39-4f0e-8a61-9a5a6b0c4d22"
J = "7e1c3a54-2f6b-4d7e-9c1d-0a8b7c6d5e4f"
ABOUT = {"project_id": P, "product_id": Q}
WIRE = {"projectId": P, "productId": Q}
VARIANT = {
    "hook": "Summer just got hotter.",
    "body": "Our best-selling widget is now 50% off...",
    "cta": "Shop the Sale",
    "hashtags": ["#SummerSale", "#LimitedTime"],
}
COPIED = {"jobId": J, "status": "completed", "creditsUsed": 1, "creditsRemaining": 24, "variants": [VARIANT] * 5}
DONE = {
    "id": J,
    "type": "static_ad",
    "status": "completed",
    "assets": [{"id": "uuid", "type": "image", "url": "https://media.example/a"}],
    "createdAt": "2026-03-09T10:00:00Z",
    "completedAt": "2026-03-09T10:00:25Z",
}


@pytest.fixture
def pages(pages_of: Callable[[str], Pages]) -> Pages:
    return pages_of("cutx")


def test_there_is_no_default_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps({"conn_type": "cutx", "password": KEY}))
    with pytest.raises(errors.InvalidRequest, match="host"):
        CutxHook().get_me()


def test_copy_is_answered_at_once(pages: Pages) -> None:
    pages.say("POST", "/api/generate/copy", COPIED)
    request = cutx.Copy(
        **ABOUT, platform="meta", format="short", tone="bold", custom_instructions="Focus on the summer sale"
    )

    made = pages.hook.submit(request, idempotency_key="user-session-abc123")

    assert (pages.last.method, pages.last.path, pages.last.query) == ("POST", "/api/generate/copy", {})
    assert pages.last.headers["authorization"] == f"Bearer {KEY}"
    assert "idempotency-key" not in pages.last.headers
    assert pages.last.body == {
        **WIRE,
        "platform": "meta",
        "format": "short",
        "tone": "bold",
        "customInstructions": "Focus on the summer sale",
        "idempotencyKey": "user-session-abc123",
    }
    assert (made.id, made.kind, made.status, made.creatives) == (J, "copy", "completed", [])
    assert [one.model_dump() for one in made.variants] == [VARIANT] * 5
    assert (made.credits.quoted, made.credits.charged, made.details["credits_remaining"]) == (1, 1, 24)


@pytest.mark.parametrize(
    "answer",
    [
        {"jobId": J, "status": "queued", "creditsUsed": 3, "creditsRemaining": 21},
        {"job_id": J, "status": "queued", "credits_used": "3", "credits_remaining": "21"},
        {"jobId": J, "creditsUsed": 3, "creditsRemaining": 21},
        {"data": {"jobId": J, "status": "QUEUED", "creditsUsed": 3, "creditsRemaining": 21}},
    ],
)
def test_a_static_ad(pages: Pages, answer: Any) -> None:
    pages.say("POST", "/api/generate/static-ad", answer)
    made = pages.hook.submit(
        cutx.StaticAd(**ABOUT, style="modern", aspect_ratio="1:1", prompt="Summer vibes, bright background"),
        idempotency_key="static-abc123",
    )
    assert pages.last.body == {
        **WIRE,
        "style": "modern",
        "aspectRatio": "1:1",
        "prompt": "Summer vibes, bright background",
        "idempotencyKey": "static-abc123",
    }
    assert (made.id, made.kind, made.status) == (J, "image", "queued")
    assert (made.credits.quoted, made.credits.charged, made.details["credits_remaining"]) == (3, 3, 21)


def test_a_video_sends_only_what_was_given(pages: Pages) -> None:
    pages.say(
        "POST", "/api/generate/video", {"jobId": J, "status": "queued", "creditsUsed": 40, "creditsRemaining": 60}
    )
    pages.hook.submit(cutx.Video(**ABOUT, script="x" * 10))
    assert pages.last.body == {**WIRE, "script": "x" * 10}
    made = pages.hook.submit(
        cutx.Video(
            **ABOUT,
            script="y" * 2000,
            avatar_url="https://example.com/avatar.jpg",
            voice_id="male-1",
            aspect_ratio="9:16",
        )
    )
    assert pages.last.body == {
        **WIRE,
        "script": "y" * 2000,
        "avatarUrl": "https://example.com/avatar.jpg",
        "voiceId": "male-1",
        "aspectRatio": "9:16",
    }
    assert (made.kind, made.status, made.credits.quoted) == ("video", "queued", 40)


@pytest.mark.parametrize("word", ["reused", "Reused"])
def test_reused_hides_the_state_so_the_job_is_asked_for(pages: Pages, word: str) -> None:
    pages.say("POST", "/api/generate/video", {"jobId": J, "creditsUsed": 0, "status": word})
    pages.say("GET", "/api/generate/status", {**DONE, "type": "ugc_video", "status": "processing", "assets": []})

    made = pages.hook.submit(cutx.Video(**ABOUT, script="x" * 10), idempotency_key="k")
    seen = pages.hook.get_generation(made.id)

    assert (made.status, made.finished, made.credits.charged, made.details["reused"]) == ("queued", False, 0, True)
    assert pages.last.query == {"jobId": J}
    assert (seen.status, seen.kind) == ("processing", "video")


@pytest.mark.parametrize("snake", [False, True])
def test_the_status_of_a_job(pages: Pages, snake: bool) -> None:
    value: dict[str, Any] = dict(DONE)
    if snake:
        value["created_at"], value["completed_at"] = value.pop("createdAt"), value.pop("completedAt")
    pages.say("GET", "/api/generate/status", value)
    found = pages.hook.get_generation(J)
    assert (pages.last.method, pages.last.path, pages.last.query) == ("GET", "/api/generate/status", {"jobId": J})
    assert (found.id, found.kind, found.status) == (J, "image", "completed")
    assert [(one.kind, one.url) for one in found.creatives] == [("image", "https://media.example/a")]
    assert found.created_at.isoformat() == "2026-03-09T10:00:00+00:00"
    assert found.completed_at.isoformat() == "2026-03-09T10:00:25+00:00"


@pytest.mark.parametrize(
    ("word", "finished"),
    [
        ("pending", False),
        ("queued", False),
        ("processing", False),
        ("failed", True),
        ("canceled", True),
        ("expired", True),
        ("completed", True),
    ],
)
def test_every_status_word(pages: Pages, word: str, finished: bool) -> None:
    for spelled in (word, word.upper()):
        pages.say("GET", "/api/generate/status", {**DONE, "status": spelled, "error": "why"})
        found = pages.hook.get_generation(J)
        assert (found.status, found.finished) == (word, finished)
        assert bool(found.creatives) == (word == "completed")
        assert found.error == ("why" if finished and word != "completed" else None)


def test_a_failed_job_may_run_again(pages: Pages) -> None:
    hook = pages.hook
    for word in ("failed", "pending", "completed"):
        pages.say("GET", "/api/generate/status", {**DONE, "status": word})
        assert hook.get_generation(J).status == word


def test_projects_and_products_share_a_path(pages: Pages) -> None:
    project = {
        "id": P,
        "name": "Shoes",
        "description": None,
        "product_count": "3",
        "asset_count": "15",
        "created_at": "2026-01-15T12:00:00Z",
        "updated_at": "2026-01-15T12:00:00Z",
    }
    product = {
        "id": Q,
        "name": "Shoe",
        "description": "d",
        "price": "29.99",
        "currency": "USD",
        "brand": "B",
        "category": "C",
        "source_url": "https://s.example/",
        "image_url": "https://i.example/1.png",
        "created_at": "2026-01-15T12:00:00Z",
    }
    hook = pages.hook
    pages.say("GET", "/api/products", {"projects": [project]})
    found = both(hook, "list_projects")
    assert pages.last.query == {"limit": "20"}
    assert [(one.id, one.product_count, one.asset_count) for one in found] == [(P, 3, 15)]

    pages.say("GET", "/api/products", {"products": [product]})
    listed = both(hook, "list_products", P)
    assert pages.last.query == {"projectId": P, "limit": "50"}
    assert [(one.id, one.price, one.image_url) for one in listed] == [(Q, "29.99", "https://i.example/1.png")]


def test_post_products_makes_a_project(pages: Pages) -> None:
    value = {"id": P, "name": "Shoes", "description": None, "user_id": "u", "status": "active", "created_at": None}
    pages.say("POST", "/api/products", {"project": value}, 201)
    made = both(pages.hook, "create_project", name="x" * 200, description="y" * 1000)
    assert pages.last.body == {"name": "x" * 200, "description": "y" * 1000}
    assert (made.id, made.status, made.user_id) == (P, "active", "u")
    asked = len(pages.asked)
    for fields in ({"name": ""}, {"name": "x" * 201}, {"name": "x", "description": "y" * 1001}):
        with pytest.raises(errors.InvalidRequest):
            pages.hook.create_project(**fields)
    assert len(pages.asked) == asked


def test_a_product_is_ingested(pages: Pages) -> None:
    value = {
        "id": Q,
        "name": "Shoe",
        "description": "d",
        "price": "29.99",
        "currency": "USD",
        "brand": "B",
        "category": "C",
        "source_url": "https://s.example/",
        "features": ["light"],
        "images": [
            {"id": "i1", "url": "https://i.example/1.png", "is_primary": False},
            {"id": "i2", "url": "https://i.example/2.png", "is_primary": True},
        ],
    }
    pages.say("POST", "/api/products/ingest", {"product": value}, 201)
    made = both(pages.hook, "ingest_product", url="https://s.example/", project_id=P)
    assert (pages.last.path, pages.last.body) == ("/api/products/ingest", {"url": "https://s.example/", "projectId": P})
    assert (made.id, made.price, made.image_url, made.features) == (Q, "29.99", "https://i.example/2.png", ["light"])


def test_me_and_credits(pages: Pages) -> None:
    user = {
        "id": "u",
        "email": "a@b.example",
        "name": "N",
        "role": "user",
        "email_verified": True,
        "created_at": "2026-01-15T12:00:00Z",
    }
    pages.say("GET", "/api/auth/me", {"user": user})
    pages.say("GET", "/api/credits/balance", {"balance": 120, "lifetime_purchased": 250, "lifetime_used": 155})
    me, balance = both(pages.hook, "get_me"), both(pages.hook, "get_credits")
    assert (me.id, me.role, me.email_verified) == ("u", "user", True)
    assert (balance.remaining, balance.used, balance.limit) == (120, None, None)
    assert pages.hook.test_connection() == (True, "CutX accepted the key.")
    assert pages.last.path == "/api/auth/me"


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.ApiError),
        (401, errors.AuthenticationError),
        (402, errors.InsufficientCredits),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (429, errors.RateLimited),
        (503, errors.ServerError),
    ],
)
@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        ({"error": "Forbidden", "message": "Missing permission: x"}, "Missing permission: x", "Forbidden"),
        ({"error": "Not enough"}, "Not enough", None),
        (b"<html>no</html>", "answered", None),
        (b"", "answered", None),
    ],
)
def test_errors(pages: Pages, status: int, cls: type[errors.ApiError], body: Any, said: str, code: str | None) -> None:
    pages.say("POST", "/api/generate/video", body, status)
    with pytest.raises(cls) as caught:
        pages.hook.submit(cutx.Video(**ABOUT, script="x" * 10))
    assert type(caught.value) is cls
    assert said in caught.value.message
    assert (caught.value.status, caught.value.code) == (status, code)
    assert len(pages.asked) == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "copy", "platform": "facebook", "format": "short", "tone": "bold"},
        {"kind": "copy", "platform": "meta", "format": "medium", "tone": "bold"},
        {"kind": "copy", "platform": "meta", "format": "short", "tone": "calm"},
        {"kind": "copy", "platform": "meta", "format": "short", "tone": "bold", "custom_instructions": "x" * 501},
        {"kind": "static-ad", "aspect_ratio": "4:3"},
        {"kind": "static-ad", "style": "retro"},
        {"kind": "static-ad", "prompt": "x" * 4},
        {"kind": "static-ad", "prompt": "x" * 1001},
        {"kind": "video", "script": "x" * 9},
        {"kind": "video", "script": "x" * 2001},
        {"kind": "video", "script": "x" * 10, "aspect_ratio": "4:5"},
        {"kind": "video", "script": "x" * 10, "avatar_url": "not a url"},
        {"kind": "video", "script": "x" * 10, "project_id": "1"},
    ],
)
def test_limits_are_checked_before_sending(pages: Pages, request_: dict[str, Any]) -> None:
    hook = pages.hook
    with pytest.raises(errors.InvalidRequest):
        hook.submit(hook.vendor.parse_request({**ABOUT, **request_}))
    with pytest.raises(errors.InvalidRequest):
        hook.submit(cutx.Video(**ABOUT, script="x" * 10), idempotency_key="k" * 129)
    assert pages.asked == []


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "copy", "platform": "universal", "format": "story", "tone": "luxe", "custom_instructions": "x" * 500},
        {"kind": "static-ad", "style": "product_hero", "aspect_ratio": "4:5", "prompt": "x" * 5},
        {"kind": "static-ad", "prompt": "x" * 1000},
        {"kind": "static-ad"},
    ],
)
def test_what_is_at_a_limit_is_sent(pages: Pages, request_: dict[str, Any]) -> None:
    for path in ("copy", "static-ad"):
        pages.say("POST", f"/api/generate/{path}", {"jobId": J})
    pages.hook.submit(pages.hook.vendor.parse_request({**ABOUT, **request_}), idempotency_key="k" * 128)
    assert pages.last.body["idempotencyKey"] == "k" * 128


def _token(exp: float) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': 'u', 'exp': exp})}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("left", "said"), [(-3600, "ended at"), (3600, "ends at"), (30 * 3600, "ends at"), (6 * 86400, "")]
)
def test_a_token_near_its_end_is_warned_about(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, diary: Any, left: float, said: str
) -> None:
    token = _token(time.time() + left)
    connection = {"conn_type": "cutx", "host": pages.url, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_PAGE", json.dumps(connection))
    pages.say("GET", "/api/auth/me", {"error": "Unauthorized", "message": "Invalid token"}, 401)
    with pytest.raises(errors.AuthenticationError) as caught:
        pages.hook.get_me()
    logged = diary.text()
    assert (said in logged) if said else ("The token" not in logged)
    assert ("ended at" in caught.value.message) == (left < 0)
    assert token not in logged + caught.value.message
    assert token.split(".")[1] not in logged + caught.value.message


OPERATORS: list[tuple[Any, dict[str, Any], str, dict[str, Any]]] = [
    (
        CutxCopyOperator,
        {"platform": "meta", "format": "short", "tone": "bold", "custom_instructions": "i"},
        "copy",
        {"platform": "meta", "format": "short", "tone": "bold", "customInstructions": "i"},
    ),
    (
        CutxStaticAdOperator,
        {"style": "minimal", "aspect_ratio": "4:5", "prompt": "a red shoe"},
        "static-ad",
        {"style": "minimal", "aspectRatio": "4:5", "prompt": "a red shoe"},
    ),
    (
        CutxVideoOperator,
        {"script": "x" * 10, "avatar_url": "https://e.example/a.jpg", "voice_id": "male-1", "aspect_ratio": "1:1"},
        "video",
        {"script": "x" * 10, "avatarUrl": "https://e.example/a.jpg", "voiceId": "male-1", "aspectRatio": "1:1"},
    ),
]


@pytest.mark.parametrize(("operator", "fields", "path", "sent"), OPERATORS)
def test_operators_send_the_same_with_a_key(
    pages: Pages, operator: Any, fields: dict[str, Any], path: str, sent: dict[str, Any]
) -> None:
    pages.say("POST", f"/api/generate/{path}", COPIED if path == "copy" else {"jobId": J, "status": "queued"})
    pages.say("GET", "/api/generate/status", DONE)
    task = operator(
        task_id="t", conn_id="page", **ABOUT, **fields, deferrable=False, poll_interval=0.01, extra_fields={"x": 1}
    )

    result = run_task(task, task_context(FakeStore()))

    body = pages.asked[0].body
    key = body.pop("idempotencyKey")
    assert 0 < len(key) <= 128
    assert body == {**WIRE, **sent, "x": 1}
    assert (result["id"], result["status"]) == (J, "completed")
    assert len(result["variants"]) == (5 if path == "copy" else 0)
    assert sum(one.method == "POST" for one in pages.asked) == 1


def test_an_operator_refuses_before_sending(pages: Pages) -> None:
    task = CutxVideoOperator(task_id="t", conn_id="page", **ABOUT, script="short", deferrable=False)
    with pytest.raises(AirflowFailException, match="script"):
        run_task(task, task_context(FakeStore()))
    assert pages.asked == []
