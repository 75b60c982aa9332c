# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo's paid requests: every documented limit from both sides, the documented prices, the bytes that are sent."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.vendor import Idempotency
from airflow_provider_adgen.vendors.adsumo import VENDOR, TalkingAvatar, TextToImage
from airflow_provider_adgen.vendors.adsumo.requests import REQUESTS

IMAGE = {"kind": "text-to-image", "prompt": "p", "model": "fast", "aspect_ratio": "1:1"}
SHOTS = {"kind": "product-shots", "product_id": "u", "style_id": "s", "model": "pro", "aspect_ratio": "16:9"}
AVATAR = {"kind": "talking-avatar", "avatar_id": "u", "avatar_type": "platform", "script": "s", "voice_id": "v"}
VIDEO = {"kind": "ai-video", "model": "sora-2", "prompt": "p"}
TEMPLATE = {"kind": "template-video", "template": "ugc", "product_id": "prod_1"}
VOICE = {"kind": "text-to-speech", "text": "t", "voice_id": "v"}
ALL = [IMAGE, SHOTS, AVATAR, VIDEO, TEMPLATE, VOICE]


def made(base: dict[str, Any], **changes: Any) -> Any:
    return VENDOR.parse_request({**base, **changes})


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (IMAGE, {"quantity": 1}),
        (IMAGE, {"quantity": 8}),
        (IMAGE, {"quantity": "8"}),
        (IMAGE, {"model": "pro", "resolution": "4k"}),
        (IMAGE, {"aspect_ratio": "9:16"}),
        (SHOTS, {"additional_prompt": "warm light"}),
        (SHOTS, {"quantity": 8, "resolution": "2k"}),
        (AVATAR, {"avatar_type": "custom", "lipsync_model": "lipsync-2.0"}),
        (AVATAR, {"avatar_type": "product", "script": None, "voice_id": None, "voiceover_id": "w"}),
        (AVATAR, {"voiceover_id": "w"}),
        (VIDEO, {"model": "kling-2.6", "aspect_ratio": "16:9", "duration": 8}),
        (VIDEO, {"model": "veo-3.1-fast", "duration": "4.5"}),
        (VOICE, {"model": "m", "voice_settings": {"stability": 0.5}}),
        (TEMPLATE, {"extra_fields": {"language": "en"}}),
    ],
)
def test_what_is_documented_is_taken(base: dict[str, Any], changes: dict[str, Any]) -> None:
    assert made(base, **changes).body()


@pytest.mark.parametrize(
    ("base", "field", "value"),
    [
        (IMAGE, "quantity", 0),
        (IMAGE, "quantity", 9),
        (IMAGE, "quantity", "8.5"),
        (IMAGE, "quantity", True),
        (IMAGE, "prompt", ""),
        (IMAGE, "prompt", " \n"),
        (IMAGE, "model", "Fast"),
        (IMAGE, "resolution", "1K"),
        (IMAGE, "aspect_ratio", "1/1"),
        (IMAGE, "aspect_ratio", "0:1"),
        (IMAGE, "aspect_ratio", "1:1x"),
        (SHOTS, "quantity", 9),
        (SHOTS, "style_id", ""),
        (AVATAR, "avatar_type", "own"),
        (AVATAR, "avatar_id", ""),
        (AVATAR, "lipsync_model", "heygen"),
        (VIDEO, "model", "sora-3"),
        (VIDEO, "duration", 0),
        (VIDEO, "duration", -1),
        (VIDEO, "duration", "nan"),
        (VIDEO, "duration", False),
        (VOICE, "voice_settings", []),
        (TEMPLATE, "template", ""),
    ],
)
def test_what_is_not_is_refused(base: dict[str, Any], field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was sent") as caught:
        made(base, **{field: value})
    assert field in str(caught.value)


@pytest.mark.parametrize("base", ALL, ids=lambda base: base["kind"])
def test_what_is_required_is_required(base: dict[str, Any]) -> None:
    optional = {"kind", "script", "voice_id"} if base is AVATAR else {"kind"}
    for field in set(base) - optional:
        with pytest.raises(InvalidRequest, match=f"{field}: Field required"):
            VENDOR.parse_request({name: value for name, value in base.items() if name != field})


@pytest.mark.parametrize("base", ALL, ids=lambda base: base["kind"])
def test_a_misspelt_field_is_refused_before_it_is_paid_for(base: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="is not a field of this request"):
        made(base, resolutoin="4k")


@pytest.mark.parametrize(
    ("script", "price"),
    [(1, 20), (250, 20), (251, 40), (500, 40), (501, 60), (1750, 140), (1751, 160), (2000, 160), (9999, 160)],
)
def test_the_price_of_a_script(script: int, price: int) -> None:
    assert made(AVATAR, script="x" * script).price() == price


def test_the_price_of_a_voiceover_is_not_documented() -> None:
    assert made(AVATAR, voiceover_id="w").price() is None
    assert made(AVATAR, script=None, voice_id=None, voiceover_id="w").price() is None


@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [("fast", "1k", 1), ("fast", "2k", 2), ("fast", "4k", 2), ("pro", "1k", 2), ("pro", "2k", 2), ("pro", "4k", 4)],
)
def test_the_price_of_images(model: str, resolution: str, price: int) -> None:
    assert made(IMAGE, model=model, resolution=resolution).price() == price
    assert made(IMAGE, model=model, resolution=resolution, quantity=4).price() == 4 * price


def test_other_prices() -> None:
    assert made(VOICE).price() == 1
    assert [made(base).price() for base in (SHOTS, VIDEO, TEMPLATE)] == [None] * 3


def test_what_is_quoted_is_what_is_asked_for() -> None:
    # The vendor's defaults are sent, so that it cannot change them under a quoted price.
    body = made(IMAGE).body()
    assert body == {"prompt": "p", "model": "fast", "aspect_ratio": "1:1", "quantity": 1, "resolution": "1k"}


def test_what_was_not_set_is_not_sent() -> None:
    assert made(VIDEO).body() == {"model": "sora-2", "prompt": "p"}
    assert made(AVATAR).body() == {"avatar_id": "u", "avatar_type": "platform", "script": "s", "voice_id": "v"}
    assert made(VIDEO, duration="8").body()["duration"] == 8
    assert made(TEMPLATE, extra_fields={"language": "en"}).body() == {
        "template": "ugc",
        "product_id": "prod_1",
        "language": "en",
    }


@pytest.mark.parametrize(
    ("base", "path", "result_kind"),
    [
        (AVATAR, "/videos/talking-avatar", "video"),
        (VIDEO, "/videos/ai-video", "video"),
        (TEMPLATE, "/videos/generate", "video"),
        (IMAGE, "/images/text-to-image", "image"),
        (SHOTS, "/images/product-shots", "image"),
        (VOICE, "/voiceovers/text-to-speech", "voice"),
    ],
)
def test_where_it_is_sent(base: dict[str, Any], path: str, result_kind: str) -> None:
    request = made(base)
    call = VENDOR.submit(request, "k-1")
    assert (call.method, call.path, call.endpoint) == ("POST", path, f"POST {path}")
    assert call.paid and not call.may_repeat and call.rate_class == RateClass.SUBMIT
    assert call.headers == {"Idempotency-Key": "k-1"} and call.body == request.body()
    assert VENDOR.submit(request, None).headers == {}
    assert request.result_kind == result_kind
    assert request.synchronous is (base is VOICE)
    assert "body" not in repr(call) and "k-1" not in repr(call)


def test_each_request_has_a_word_of_its_own() -> None:
    words = [request.kind for request in REQUESTS]
    assert words == ["talking-avatar", "ai-video", "text-to-image", "product-shots", "template-video", "text-to-speech"]


def test_requests_are_public_and_show_no_extra_fields() -> None:
    request = TextToImage(prompt="p", model="fast", aspect_ratio="1:1", extra_fields={"token": "s3cr3t"})
    assert "s3cr3t" not in repr(request)
    assert TalkingAvatar(avatar_id="a", avatar_type="platform", voiceover_id="v").kind == "talking-avatar"


def test_what_is_promised_about_money() -> None:
    promises = VENDOR.promises
    assert promises.idempotency == Idempotency(seconds=23 * 3600.0, longest_key=64)
    assert promises.refunded == frozenset()
    assert promises.nothing_started == frozenset({400, 401, 402, 403, 404, 409, 429})
    assert promises.lists_jobs
    assert all(one.subject and one.silent and one.decided for one in VENDOR.assumptions)
