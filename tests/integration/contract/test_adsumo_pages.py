# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo's pages (Overview, Resources, Videos, Images, Voiceovers), example by example, over HTTP."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from typing import TYPE_CHECKING, Any

import pendulum
import pytest

from airflow_provider_adgen.core import errors
from airflow_provider_adgen.hooks import base as hooks_base
from airflow_provider_adgen.vendors import adsumo
from tests.integration.contract.conftest import KEY, Pages, both

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
PRODUCT = {
    "id": "uuid",
    "name": "Product Name",
    "description": "Description",
    "category": "Category",
    "image_url": "https://img.example/1.png",
    "price": 29.99,
    "currency": "USD",
    "link": "https://shop.example/",
    "created_at": "2026-01-15T12:00:00Z",
}
CREATED = {("image_path" if name == "image_url" else name): value for name, value in PRODUCT.items()}
AVATAR = {
    "id": "uuid",
    "name": "Avatar Name",
    "thumbnail_url": "https://img.example/a.png",
    "gender": "female",
    "age_group": "adult",
    "avatar_type": "platform",
}


@pytest.fixture
def pages(pages_of: Callable[[str], Pages]) -> Pages:
    return pages_of("adsumo")


SUBMISSIONS: list[tuple[Any, str, dict[str, Any], int | None]] = [
    (
        adsumo.TalkingAvatar(
            avatar_id=ID, avatar_type="platform", script="Welcome to Adsumo.", voice_id="EXAVITQu4vr4xnSDxMaL"
        ),
        "/videos/talking-avatar",
        {
            "avatar_id": ID,
            "avatar_type": "platform",
            "script": "Welcome to Adsumo.",
            "voice_id": "EXAVITQu4vr4xnSDxMaL",
        },
        20,
    ),
    (
        adsumo.TalkingAvatar(
            avatar_id=ID, avatar_type="product", voiceover_id=ID, lipsync_model="lipsync-2.0", script="x"
        ),
        "/videos/talking-avatar",
        {
            "avatar_id": ID,
            "avatar_type": "product",
            "voiceover_id": ID,
            "lipsync_model": "lipsync-2.0",
            "script": "x",
        },
        None,
    ),
    (
        adsumo.AiVideo(
            model="sora-2", prompt="Product showcase with dynamic lighting", aspect_ratio="16:9", duration=8
        ),
        "/videos/ai-video",
        {
            "model": "sora-2",
            "prompt": "Product showcase with dynamic lighting",
            "aspect_ratio": "16:9",
            "duration": 8,
        },
        None,
    ),
    (
        adsumo.TextToImage(prompt="sneakers", model="pro", aspect_ratio="1:1", quantity=2, resolution="2k"),
        "/images/text-to-image",
        {"prompt": "sneakers", "model": "pro", "aspect_ratio": "1:1", "quantity": 2, "resolution": "2k"},
        4,
    ),
    (
        adsumo.ProductShots(
            product_id=ID,
            style_id="lifestyle-outdoor",
            model="pro",
            aspect_ratio="16:9",
            quantity=4,
            additional_prompt="sun",
        ),
        "/images/product-shots",
        {
            "product_id": ID,
            "style_id": "lifestyle-outdoor",
            "model": "pro",
            "aspect_ratio": "16:9",
            "quantity": 4,
            "resolution": "1k",
            "additional_prompt": "sun",
        },
        None,
    ),
    (
        adsumo.TemplateVideo(template="ugc", product_id="prod_abc123"),
        "/videos/generate",
        {"template": "ugc", "product_id": "prod_abc123"},
        None,
    ),
]


@pytest.mark.parametrize(("request_", "path", "body", "price"), SUBMISSIONS, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_submission(
    pages: Pages, request_: Any, path: str, body: dict[str, Any], price: int | None, status: int
) -> None:
    pages.say("POST", path, {"generation_id": ID, "type": "ai-video", "status": "processing"}, status)

    made = pages.hook.submit(request_, idempotency_key="my-unique-key-12345")

    assert (pages.last.method, pages.last.path, pages.last.query, pages.last.body) == ("POST", path, {}, body)
    assert pages.last.headers["authorization"] == f"Bearer {KEY}"
    assert pages.last.headers["content-type"] == "application/json"
    assert pages.last.headers["idempotency-key"] == "my-unique-key-12345"
    assert (made.id, made.status, made.credits.quoted) == (ID, "processing", price)


@pytest.mark.parametrize("identity", ["uuid", 4711])
def test_a_voiceover(pages: Pages, identity: Any) -> None:
    link = "https://cdn.example/v.mp3?sig=1"
    pages.say(
        "POST",
        "/voiceovers/text-to-speech",
        {"id": identity, "status": "completed", "duration": 4.5, "audio_url": link},
    )
    request = adsumo.TextToSpeech(text="Hello", voice_id="EX", model="eleven_v2", voice_settings={"stability": 0.5})

    made = pages.hook.submit(request)

    assert pages.last.body == {
        "text": "Hello",
        "voice_id": "EX",
        "model": "eleven_v2",
        "voice_settings": {"stability": 0.5},
    }
    assert "idempotency-key" not in pages.last.headers
    assert (made.id, made.kind, made.status, made.details) == (str(identity), "voice", "completed", {"duration": 4.5})
    assert [(one.kind, one.url) for one in made.creatives] == [("audio", link)]
    left = made.creatives[0].expires_at - datetime.datetime.now(datetime.UTC)
    assert 3500 < left.total_seconds() <= 3600
    assert made.credits.quoted == 1


@pytest.mark.parametrize(
    ("type_", "details", "kind"),
    [
        ("ai-video", {"prompt": "A 30-second product demo video", "model": "sora-2", "duration": 30}, "video"),
        ("talking-avatar", {"avatar_id": "a", "script": "s", "voice_id": "v", "template": "t", "duration": 5}, "video"),
        ("image", {"prompt": "p", "model": "pro", "aspect_ratio": "1:1", "resolution": "2k", "quantity": 2}, "image"),
    ],
)
def test_a_generation(pages: Pages, type_: str, details: dict[str, Any], kind: str) -> None:
    value = {
        "id": ID,
        "type": type_,
        "status": "completed",
        "created_at": "2026-01-15T12:00:00Z",
        "result_url": "https://cdn.adsumo.example/x",
        "details": details,
    }
    pages.say("GET", f"/generations/{ID}", value)

    found = pages.hook.get_generation(ID)

    assert (pages.last.path, pages.last.query) == (f"/generations/{ID}", {})
    assert (found.id, found.kind, found.status) == (ID, kind, "completed")
    assert found.details == {"type": type_, **details}
    assert found.created_at.isoformat() == "2026-01-15T12:00:00+00:00"
    assert [one.url for one in found.creatives] == ["https://cdn.adsumo.example/x"]
    # "Presigned, valid for one hour": counted from the answer.
    lives = (found.creatives[0].expires_at - pendulum.now("UTC")).total_seconds()
    assert 3500 < lives <= 3600


@pytest.mark.parametrize("word", ["processing", "failed", "PROCESSING", "Failed"])
def test_no_result_before_the_end(pages: Pages, word: str) -> None:
    pages.say("GET", f"/generations/{ID}", {"id": ID, "type": "image", "status": word, "result_url": None})
    found = pages.hook.get_generation(ID)
    assert (found.status, found.creatives) == (word.lower(), [])


def test_generations_are_listed_with_their_filters(pages: Pages) -> None:
    row = {
        "id": "uuid",
        "type": "ai-video",
        "status": "completed",
        "created_at": "2026-01-15T12:00:00",
        "result_url": None,
    }
    pages.say("GET", "/generations", {"data": [row], "pagination": {"total": 1, "limit": 20, "offset": 0}})

    found = both(pages.hook, "list_generations", type="ai-video", status="completed", limit=20)

    assert pages.last.query == {"type": "ai-video", "status": "completed", "limit": "20", "offset": "0"}
    assert [(one.id, one.status) for one in found] == [("uuid", "completed")]
    assert found[0].created_at.utcoffset().total_seconds() == 0


def test_pages_are_followed_by_offset_until_the_total(pages: Pages) -> None:
    rows = {"data": [PRODUCT] * 20, "pagination": {"total": 30, "limit": 20, "offset": 0}}
    pages.say("GET", "/products", rows)
    assert len(both(pages.hook, "list_products")) == 40
    assert [one.query["offset"] for one in pages.asked] == ["0", "20"] * 2


def test_products(pages: Pages) -> None:
    pages.say("GET", "/products", {"data": [PRODUCT], "pagination": {"total": 1, "limit": 20, "offset": 0}})
    pages.say("POST", "/products", CREATED, 201)
    pages.say("GET", "/products/uuid", PRODUCT)
    pages.say("DELETE", "/products/uuid", None, 204)
    hook = pages.hook
    given = {"name": "N", "description": "D", "category": "C", "image_url": "https://i.example/p.png"}

    listed = both(hook, "list_products", limit=10)[0]
    made = both(
        hook, "create_product", **given, price=29.99, currency="EUR", link="https://s.example/", idempotency_key="k"
    )
    sent = pages.last
    read = both(hook, "get_product", "uuid")

    assert sent.body == {**given, "price": 29.99, "currency": "EUR", "link": "https://s.example/"}
    assert sent.headers["idempotency-key"] == "k"
    for product in (listed, made, read):
        assert (product.id, product.image_url, product.price, product.currency) == (
            "uuid",
            PRODUCT["image_url"],
            29.99,
            "USD",
        )
    assert both(hook, "delete_product", "uuid") is None
    assert (pages.last.method, pages.last.path, pages.last.content) == ("DELETE", "/products/uuid", b"")

    hook.create_product(**given)
    assert pages.last.body == given
    assert uuid.UUID(pages.last.headers["idempotency-key"])


@pytest.mark.parametrize("wrapped", [True, False])
def test_avatars(pages: Pages, wrapped: bool) -> None:
    custom = {
        "id": "uuid",
        "name": "My Custom Avatar",
        "thumbnail_url": "https://i.example/t.png",
        "avatar_type": "custom",
        "description": "A custom avatar",
        "created_at": "2026-01-15T12:00:00Z",
    }
    pages.say("GET", "/avatars", {"data": [AVATAR]})
    pages.say("GET", "/avatars/custom", {"data": [custom]} if wrapped else [custom])
    pages.say("POST", "/avatars/custom", custom, 201)
    pages.say("DELETE", "/avatars/custom/uuid", None, 204)
    hook = pages.hook

    platform = both(hook, "list_avatars")[0]
    assert pages.last.query == {}
    assert (platform.id, platform.avatar_type, platform.gender, platform.age_group) == (
        "uuid",
        "platform",
        "female",
        "adult",
    )
    assert both(hook, "list_custom_avatars")[0].description == "A custom avatar"
    made = both(hook, "create_custom_avatar", name="x" * 50, image_url="https://i.example/f.png", idempotency_key="k")
    assert (made.id, made.avatar_type) == ("uuid", "custom")
    assert pages.last.body == {"name": "x" * 50, "image_url": "https://i.example/f.png"}
    both(hook, "delete_custom_avatar", "uuid")
    assert (pages.last.method, pages.last.path) == ("DELETE", "/avatars/custom/uuid")
    with pytest.raises(errors.InvalidRequest, match="name"):
        hook.create_custom_avatar(name="x" * 51, image_url="https://i.example/f.png")


def test_voices(pages: Pages) -> None:
    voice = {
        "id": "uuid",
        "name": "Sarah",
        "gender": "female",
        "age_group": "young_adult",
        "accent": "american",
        "style": "professional",
        "preview_audio_url": "https://a.example/p.mp3",
    }
    pages.say("GET", "/voices", {"data": [voice], "pagination": {"total": 1, "limit": 20, "offset": 0}})
    filters = {"gender": "female", "age_group": "young_adult", "accent": "american", "style": "professional"}
    found = both(pages.hook, "list_voices", **filters, limit=100, offset=0)
    assert pages.last.query == {**filters, "limit": "100", "offset": "0"}
    assert found[0].model_dump() == voice


@pytest.mark.parametrize(
    "value",
    [
        {"credits_used": 150, "credits_limit": 600, "credits_remaining": 450},
        {"credits_used": "150", "credits_limit": 600.0, "credits_remaining": 450.9},
        {"data": {"credits_used": 150, "credits_limit": 600, "credits_remaining": 450}},
    ],
)
def test_credits(pages: Pages, value: Any) -> None:
    pages.say("GET", "/account/credits", value)
    found = both(pages.hook, "get_credits")
    assert (found.used, found.limit, found.remaining) == (150, 600, 450)


ERRORS = [
    ("validation_error", 400, errors.ApiError),
    ("unauthorized", 401, errors.AuthenticationError),
    ("insufficient_credits", 402, errors.InsufficientCredits),
    ("forbidden", 403, errors.PermissionDenied),
    ("not_found", 404, errors.NotFound),
    ("conflict", 409, errors.Conflict),
    ("rate_limited", 429, errors.RateLimited),
    ("external_service_error", 502, errors.ServerError),
    ("internal_error", 500, errors.ServerError),
]


@pytest.mark.parametrize(("code", "status", "cls"), ERRORS)
def test_errors(pages: Pages, code: str, status: int, cls: type[errors.ApiError]) -> None:
    said = "Your team does not have enough credits for this generation. Required: 20, available: 5."
    pages.say("POST", "/videos/generate", {"error": {"code": code, "message": said}}, status, Retry_After="7")
    request = adsumo.TemplateVideo(template="ugc", product_id="p")
    with pytest.raises(cls) as caught:
        pages.hook.submit(request)
    # What the first was told of a rate limit would keep the second from being sent.
    hooks_base._budgets.clear()
    with pytest.raises(cls) as waiting:
        asyncio.run(pages.hook.asubmit(request))
    error = caught.value
    assert type(error) is cls
    assert (error.code, error.status, error.request_id) == (code, status, None)
    assert said in error.message and error.message == waiting.value.message
    assert len(pages.asked) == 2  # a paid request is sent once
    if isinstance(error, errors.InsufficientCredits):
        assert (error.required, error.available) == (20, 5)
    if isinstance(error, errors.RateLimited):
        assert error.retry_after == 7


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (adsumo.TextToImage, {"prompt": "p", "model": "pro", "aspect_ratio": "1:1", "quantity": 9}),
        (adsumo.TextToImage, {"prompt": "p", "model": "pro", "aspect_ratio": "1:1", "quantity": 0}),
        (adsumo.TextToImage, {"prompt": "p", "model": "Pro", "aspect_ratio": "1:1"}),
        (adsumo.TextToImage, {"prompt": "p", "model": "pro"}),
        (adsumo.TextToImage, {"prompt": "p", "model": "pro", "aspect_ratio": "1:1", "resolution": "8k"}),
        (adsumo.AiVideo, {"prompt": "p", "model": "sora"}),
        (adsumo.TalkingAvatar, {"avatar_id": "a", "avatar_type": "platform", "script": "s"}),
        (adsumo.TalkingAvatar, {"avatar_id": "a", "avatar_type": "own", "voiceover_id": "v"}),
        (adsumo.TalkingAvatar, {"avatar_id": "a", "avatar_type": "custom", "voiceover_id": "v", "lipsync_model": "x"}),
        (adsumo.ProductShots, {"product_id": "p", "style_id": "s", "model": "pro", "aspect_ratio": "1"}),
        (adsumo.TextToSpeech, {"text": "t"}),
    ],
)
def test_limits_are_checked_before_sending(pages: Pages, request_: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        pages.hook.submit(pages.hook.vendor.parse_request({"kind": request_.kind, **fields}))
    for limit in (0, 101):
        with pytest.raises(errors.InvalidRequest):
            list(pages.hook.list_products(limit=limit))
    assert pages.asked == []


@pytest.mark.parametrize(
    ("characters", "price"), [(1, 20), (250, 20), (251, 40), (2000, 160), (2001, 160), (9000, 160)]
)
def test_the_price_of_a_script(characters: int, price: int) -> None:
    request = adsumo.TalkingAvatar(avatar_id="a", avatar_type="custom", script="x" * characters, voice_id="v")
    assert request.price() == price


@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [("fast", "1k", 1), ("fast", "2k", 2), ("fast", "4k", 2), ("pro", "1k", 2), ("pro", "2k", 2), ("pro", "4k", 4)],
)
def test_the_price_of_images(model: Any, resolution: Any, price: int) -> None:
    for quantity in (1, 4, 8):
        request = adsumo.TextToImage(
            prompt="p", model=model, aspect_ratio="1:1", quantity=quantity, resolution=resolution
        )
        assert request.price() == price * quantity
