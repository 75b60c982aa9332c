# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Every method of the Adsumo hook against the sandbox, both twins."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import Conflict, InvalidRequest, NotFound, UnexpectedResponse
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.vendors.adsumo import TextToImage

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox import Sandbox

PRODUCT = {
    "name": "Bottle",
    "description": "It holds water.",
    "category": "Home",
    "image_url": "https://cdn.example/bottle.png",
}


@pytest.fixture
def hook(sandbox: Sandbox, quick: None, monkeypatch: pytest.MonkeyPatch) -> AdsumoHook:
    monkeypatch.setenv("AIRFLOW_CONN_ADS", sandbox.connection_json("adsumo", timeout=5, webhook_secret="whsec_1"))
    return AdsumoHook("ads")


def gather(items: Any) -> list[Any]:
    async def all_of() -> list[Any]:
        return [item async for item in items]

    return asyncio.run(all_of())


def test_products(hook: AdsumoHook) -> None:
    made = hook.create_product(**PRODUCT, price="9.50", currency="EUR", link="https://shop.example/bottle")
    assert made.image_url == PRODUCT["image_url"], "image_path in this answer"
    assert (made.name, made.price, made.currency) == ("Bottle", 9.5, "EUR")
    other = asyncio.run(hook.acreate_product(**PRODUCT))
    found = list(hook.list_products())
    assert {one.id for one in found} == {made.id, other.id}
    assert gather(hook.alist_products()) == found
    assert hook.get_product(made.id) == asyncio.run(hook.aget_product(made.id))
    assert hook.delete_product(made.id) is None
    with pytest.raises(NotFound):
        hook.get_product(made.id)
    asyncio.run(hook.adelete_product(other.id))
    assert list(hook.list_products()) == []


@pytest.mark.parametrize("currency", ["eur", " Eur ", "EUR"])
def test_a_currency_is_sent_in_upper_case(hook: AdsumoHook, sandbox: Sandbox, currency: str) -> None:
    assert hook.create_product(**PRODUCT, currency=currency).currency == "EUR"
    for wrong in ("euro", "e", "\u20ac\u20ac\u20ac", 978):
        with pytest.raises(InvalidRequest, match="currency"):
            hook.create_product(**PRODUCT, currency=wrong)


def test_a_product_with_generations_is_not_deleted(hook: AdsumoHook, sandbox: Sandbox) -> None:
    from airflow_provider_adgen.vendors.adsumo import ProductShots

    product = hook.create_product(**PRODUCT)
    hook.submit(ProductShots(product_id=product.id, style_id="lifestyle", model="fast", aspect_ratio="1:1"))
    with pytest.raises(Conflict):
        hook.delete_product(product.id)


def test_avatars(hook: AdsumoHook) -> None:
    platform = list(hook.list_avatars())
    assert platform and gather(hook.alist_avatars()) == platform
    assert {one.avatar_type for one in platform} == {"platform"}
    made = hook.create_custom_avatar(name="Ada", image_url="https://cdn.example/face.png", description="d")
    asyncio.run(hook.acreate_custom_avatar(name="Bo", image_url="https://cdn.example/face.png"))
    custom = list(hook.list_custom_avatars())
    assert {one.name for one in custom} == {"Ada", "Bo"}
    assert gather(hook.alist_custom_avatars()) == custom
    hook.delete_custom_avatar(made.id)
    assert [one.name for one in hook.list_custom_avatars()] == ["Bo"]


@pytest.mark.parametrize("shape", ["array", "data"])
def test_custom_avatars_in_either_shape(hook: AdsumoHook, sandbox: Sandbox, shape: str) -> None:
    sandbox.settings(adsumo={"custom_avatars_shape": shape})
    hook.create_custom_avatar(name="Ada", image_url="https://cdn.example/face.png")
    assert [one.name for one in hook.list_custom_avatars()] == ["Ada"]


def test_voices_over_all_pages(hook: AdsumoHook, sandbox: Sandbox) -> None:
    everyone = list(hook.list_voices(limit=20))
    assert len(everyone) == len({one.id for one in everyone}) == 45
    assert len([one for one in sandbox.requests("adsumo") if one["path"].endswith("/voices")]) == 3
    assert list(hook.list_voices()) == everyone == gather(hook.alist_voices(limit=7))
    assert [one.gender for one in hook.list_voices(gender="female")] == ["female"] * 15
    assert list(hook.list_voices(offset=40)) == everyone[40:]


def test_a_page_is_fetched_when_it_is_needed(hook: AdsumoHook, sandbox: Sandbox) -> None:
    voices = hook.list_voices(limit=20)
    assert sandbox.requests("adsumo") == []
    next(voices)
    assert len(sandbox.requests("adsumo")) == 1


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_generations_in_any_order(hook: AdsumoHook, sandbox: Sandbox, order: str) -> None:
    sandbox.settings(adsumo={"generations_order": order})
    made = [hook.submit(TextToImage(prompt="p", model="fast", aspect_ratio="1:1")).id for _ in range(5)]
    sandbox.advance(60)
    assert {one.id for one in hook.list_generations(limit=2)} == set(made)
    done = gather(hook.alist_generations(status="completed", type="image"))
    assert {one.id for one in done} == set(made)
    assert all(one.succeeded and one.creatives for one in done)
    assert list(hook.list_generations(status="failed")) == []


@pytest.mark.parametrize(
    ("method", "arguments", "said"),
    [
        ("list_products", {"limit": 0}, "limit"),
        ("list_products", {"limit": 101}, "limit"),
        ("list_voices", {"gender": "robot"}, "gender"),
        ("list_generations", {"status": "done"}, "status"),
        ("create_product", {**PRODUCT, "name": ""}, "name"),
        ("create_product", {**PRODUCT, "image_url": "bottle.png"}, "image_url"),
        ("create_product", {**PRODUCT, "currency": "euro"}, "currency"),
        ("create_product", {**PRODUCT, "price": -1}, "price"),
        ("create_custom_avatar", {"name": "x" * 51, "image_url": "https://h/i.png"}, "name"),
        ("get_product", {"product_id": ""}, "id"),
        ("get_product", {"product_id": None}, "id"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    hook: AdsumoHook, sandbox: Sandbox, method: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was sent") as caught:
        list(getattr(hook, method)(**arguments) or [])
    assert said in str(caught.value)
    assert sandbox.requests("adsumo") == []


def test_a_creation_whose_answer_was_lost_makes_no_second_one(hook: AdsumoHook, sandbox: Sandbox) -> None:
    sandbox.fault("drop", "adsumo", method="POST", times=2)
    hook.create_product(**PRODUCT)
    assert len(list(hook.list_products())) == 1


# --- webhooks -----------------------------------------------------------------------------------------------------

EVENT = {
    "event": "generation.completed",
    "generation_id": "g-1",
    "type": "ai-video",
    "status": "completed",
    "result_url": "https://cdn.example/a.mp4?sig=s3cr3t",
    "created_at": "2026-01-15T12:00:00Z",
    "completed_at": "2026-01-15T12:02:30Z",
}


def sign(body: bytes, secret: str = "whsec_1") -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_signed_notification_is_read(hook: AdsumoHook) -> None:
    body = json.dumps(EVENT).encode()
    event = hook.verify_webhook(body, sign(body))
    assert (event.event, event.generation_id, event.status) == ("generation.completed", "g-1", "completed")
    assert event == asyncio.run(hook.averify_webhook(body, f" {sign(body)}\n"))
    assert "s3cr3t" not in repr(event)


@pytest.mark.parametrize(
    "signature", ["", "0" * 64, "sha256=abc", "\u00e9", sign(b"{}"), sign(json.dumps(EVENT).encode(), "x")]
)
def test_a_notification_that_is_not_signed_is_refused(hook: AdsumoHook, signature: str) -> None:
    with pytest.raises(InvalidRequest, match="do not trust it"):
        hook.verify_webhook(json.dumps(EVENT).encode(), signature)


@pytest.mark.parametrize("signature", [None, b"x", 7, "\ud83d", " "])
def test_a_notification_without_a_readable_signature_is_refused(hook: AdsumoHook, signature: Any) -> None:
    with pytest.raises(InvalidRequest, match="do not trust it"):
        hook.verify_webhook(json.dumps(EVENT).encode(), signature)


def test_the_body_may_come_as_a_web_framework_hands_it_out(hook: AdsumoHook) -> None:
    text = json.dumps(EVENT | {"error_message": "\u00e9"}, ensure_ascii=False)
    raw = text.encode()
    for body in (raw, bytearray(raw), memoryview(raw), text):
        assert hook.verify_webhook(body, sign(raw)).generation_id == "g-1"
    for wrong in (None, EVENT, "\ud83d"):
        with pytest.raises(InvalidRequest):
            hook.verify_webhook(wrong, sign(raw))  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_signed_notification_that_says_nothing_is_unreadable(hook: AdsumoHook, body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        hook.verify_webhook(body, sign(body))


def test_without_a_secret_no_notification_is_believed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ADS", sandbox.connection_json("adsumo"))
    with pytest.raises(InvalidRequest, match="has no webhook_secret"):
        AdsumoHook("ads").verify_webhook(b"{}", sign(b"{}", ""))


def test_every_endpoint_has_both_twins_with_the_same_arguments() -> None:
    names = [name for name in dir(AdsumoHook) if name.split("_")[0] in {"list", "create", "get", "delete", "verify"}]
    assert len(names) > 10
    for name in names:
        method, twin = getattr(AdsumoHook, name), getattr(AdsumoHook, f"a{name}", None)
        if name in {"get_connection", "get_hook", "get_conn", "get_connection_form_widgets", "get_ui_field_behaviour"}:
            continue
        assert twin is not None, name
        assert inspect.signature(method) == inspect.signature(twin) or name == "verify_webhook"
        assert method.__doc__


def test_an_endpoint_is_called_on_a_hook() -> None:
    with pytest.raises(TypeError, match="list_products is called on a hook"):
        AdsumoHook.list_products()
