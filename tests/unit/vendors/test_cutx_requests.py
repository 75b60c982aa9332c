# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.vendors.cutx import VENDOR, Copy, StaticAd, Video

PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
PRODUCT = "7C1A4D9E-52B3-4F6A-9B7E-1D2C3B4A5F60"
SUBJECT = {"project_id": PROJECT, "product_id": PRODUCT}
COPY = {"kind": "copy", **SUBJECT, "platform": "meta", "format": "short", "tone": "bold"}
AD = {"kind": "static-ad", **SUBJECT}
VIDEO = {"kind": "video", **SUBJECT, "script": "Hey! You need to check out this amazing product..."}
PICTURE = "https://example.com/avatar.jpg"
SENT_SUBJECT = f'"projectId": "{PROJECT}", "productId": "{PRODUCT}"'


def sent(value: dict[str, Any], key: str | None = None) -> str:
    return json.dumps(VENDOR.submit(VENDOR.parse_request(value), key).body)


@pytest.mark.parametrize(
    ("value", "key", "path", "result_kind", "price", "body"),
    [
        # The examples of the vendor's page, as they stand there, with UUIDs for "uuid".
        (
            {**COPY, "custom_instructions": "Focus on the summer sale"},
            "user-session-abc123",
            "/api/generate/copy",
            "copy",
            1,
            '"platform": "meta", "format": "short", "tone": "bold", '
            '"customInstructions": "Focus on the summer sale", "idempotencyKey": "user-session-abc123"',
        ),
        (
            {**AD, "style": "modern", "aspect_ratio": "1:1", "prompt": "Summer vibes, bright background"},
            "static-abc123",
            "/api/generate/static-ad",
            "image",
            3,
            '"style": "modern", "aspectRatio": "1:1", "prompt": "Summer vibes, bright background", '
            '"idempotencyKey": "static-abc123"',
        ),
        (
            {**VIDEO, "avatar_url": PICTURE, "voice_id": "male-1", "aspect_ratio": "9:16"},
            "video-abc123",
            "/api/generate/video",
            "video",
            40,
            '"script": "Hey! You need to check out this amazing product...", '
            f'"avatarUrl": "{PICTURE}", "voiceId": "male-1", "aspectRatio": "9:16", "idempotencyKey": "video-abc123"',
        ),
        # Nothing that was not asked for.
        (AD, None, "/api/generate/static-ad", "image", 3, ""),
    ],
)
def test_what_is_sent(
    value: dict[str, Any], key: str | None, path: str, result_kind: str, price: int, body: str
) -> None:
    request = VENDOR.parse_request(value)
    call = VENDOR.submit(request, key)
    assert json.dumps(call.body) == f"{{{SENT_SUBJECT}{', ' if body else ''}{body}}}"
    assert (call.method, call.path, call.endpoint) == ("POST", path, f"POST {path}")
    assert call.paid and not call.may_repeat
    assert call.headers == {}, "the key goes into the body"
    assert (request.result_kind, request.price()) == (result_kind, price)


def test_only_copy_is_answered_at_once() -> None:
    assert [model.synchronous for model in VENDOR.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ({**COPY, "customInstructions": "x"}, '"customInstructions": "x"'),
        (
            {"kind": "static-ad", "projectId": PROJECT, "productId": PRODUCT, "aspectRatio": "4:5"},
            '"aspectRatio": "4:5"',
        ),
        ({**VIDEO, "avatarUrl": PICTURE, "voiceId": "v"}, f'"avatarUrl": "{PICTURE}", "voiceId": "v"'),
    ],
)
def test_the_wires_names_are_taken_too(given: dict[str, Any], wire: str) -> None:
    assert wire in sent(given)


@pytest.mark.parametrize(
    "value",
    [
        *({**COPY, "platform": one} for one in ("meta", "tiktok", "google", "linkedin", "pinterest", "universal")),
        *({**COPY, "format": one} for one in ("short", "long", "hook", "story")),
        *({**COPY, "tone": one} for one in ("professional", "casual", "urgent", "luxe", "playful", "bold")),
        {**COPY, "custom_instructions": "x" * 500},
        {**COPY, "custom_instructions": ""},
        *({**AD, "style": one} for one in ("product_hero", "lifestyle", "minimal", "bold", "seasonal", "modern")),
        *({**AD, "aspect_ratio": one} for one in ("1:1", "9:16", "4:5", "16:9")),
        {**AD, "prompt": "12345"},
        {**AD, "prompt": "x" * 1000},
        {**AD, "style": None, "prompt": None},
        {**VIDEO, "script": "1234567890"},
        {**VIDEO, "script": "x" * 2000},
        *({**VIDEO, "aspect_ratio": one} for one in ("9:16", "1:1", "16:9")),
        {**VIDEO, "avatar_url": "http://example.com/a.png?x=1"},
        {**VIDEO, "voice_id": "female-2"},
        {**AD, "extra_fields": {"seed": 5, "negativePrompt": "text"}},
        {**AD, "project_id": f"  {PROJECT} "},
    ],
)
def test_what_keeps_to_the_rules_is_accepted(value: dict[str, Any]) -> None:
    assert PROJECT in sent(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"kind": "copy"}, "project_id: Field required"),
        ({**COPY, "product_id": None}, "product_id"),
        ({**COPY, "project_id": "p1"}, "project_id: a UUID is needed"),
        ({**COPY, "project_id": PROJECT.replace("-", "")}, "project_id: a UUID is needed"),
        ({**COPY, "product_id": f"{PRODUCT}0"}, "product_id: a UUID is needed"),
        ({**COPY, "product_id": 5}, "product_id"),
        ({**COPY, "platform": "radio"}, "platform"),
        ({**COPY, "platform": "META"}, "platform"),
        ({**COPY, "platform": None}, "platform"),
        ({**COPY, "format": "novel"}, "format"),
        ({**COPY, "format": None}, "format"),
        ({**COPY, "tone": "sad"}, "tone"),
        ({**COPY, "tone": None}, "tone"),
        ({**COPY, "custom_instructions": "x" * 501}, "custom_instructions"),
        ({**COPY, "prompt": "a prompt"}, "prompt: is not a field"),
        ({**AD, "style": "ugly"}, "style"),
        ({**AD, "aspect_ratio": "3:2"}, "aspect_ratio"),
        ({**AD, "aspectRatio": "3:2"}, "Ratio"),
        ({**AD, "prompt": "1234"}, "prompt"),
        ({**AD, "prompt": "  1234  "}, "prompt"),
        ({**AD, "prompt": "x" * 1001}, "prompt"),
        ({**AD, "script": "1234567890"}, "script"),
        ({"kind": "video", **SUBJECT}, "script"),
        ({**VIDEO, "script": "123456789"}, "script"),
        ({**VIDEO, "script": "x" * 2001}, "script"),
        ({**VIDEO, "avatar_url": "avatar.jpg"}, "avatar_url"),
        ({**VIDEO, "avatar_url": "ftp://example.com/a.jpg"}, "avatar_url"),
        ({**VIDEO, "voice_id": " "}, "voice_id"),
        ({**VIDEO, "aspect_ratio": "4:5"}, "aspect_ratio"),
        # The key decides whether a submission may be repeated, so it goes one way only.
        ({**COPY, "idempotency_key": "k"}, "idempotency_key: is not a field"),
        ({**COPY, "idempotencyKey": "k"}, "idempotencyKey: is not a field"),
        ({**COPY, "extra_fields": {"idempotencyKey": "k"}}, "give idempotency_key to the operator"),
        ({**COPY, "extra_fields": {"idempotency_key": "k"}}, "give idempotency_key to the operator"),
        ({**COPY, "projectId": PROJECT}, "projectId"),
    ],
)
def test_what_breaks_a_rule_is_refused_before_anything_is_sent(value: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as found:
        VENDOR.parse_request(value)
    assert said in found.value.message
    assert "Nothing was sent" in found.value.message
    assert "x" * 20 not in found.value.message, "no value is shown"


def test_extra_fields_are_sent_as_they_are() -> None:
    assert sent({**AD, "extra_fields": {"seed": 5, "a_b": {"c_d": 1}}}).endswith('"seed": 5, "a_b": {"c_d": 1}}')


def test_the_key_is_no_part_of_what_is_asked_for() -> None:
    request = VENDOR.parse_request(COPY)
    VENDOR.submit(request, "a-key")
    assert "idempotencyKey" not in request.body()
    assert "idempotencyKey" not in VENDOR.submit(request, None).body


def test_the_words_of_the_requests() -> None:
    assert [model.kind for model in VENDOR.requests] == ["copy", "static-ad", "video"]
    assert VENDOR.requests == (Copy, StaticAd, Video)


def test_another_vendors_request_is_refused() -> None:
    from airflow_provider_adgen.vendors.adsumo import TextToSpeech

    with pytest.raises(InvalidRequest, match="CutX has no request TextToSpeech"):
        VENDOR.submit(TextToSpeech(text="a", voice_id="b"), None)


def test_what_is_promised_about_money() -> None:
    promises = VENDOR.promises
    rule = promises.idempotency
    assert rule is not None
    assert (rule.seconds, rule.longest_key, rule.while_running) == (20, 128, True)
    assert [rule.covers(kind) for kind in ("copy", "static-ad", "video")] == [False, False, True]
    assert promises.refunded == {GenerationStatus.FAILED}
    assert promises.nothing_started == {400, 401, 402, 403, 404, 429}
    assert not promises.lists_jobs and VENDOR.list_jobs() is None


def test_there_is_no_default_address() -> None:
    assert VENDOR.default_base_url is None


def test_every_assumption_says_something() -> None:
    assert len({one.subject for one in VENDOR.assumptions}) == len(VENDOR.assumptions) >= 18
    assert all(one.silent and one.decided for one in VENDOR.assumptions)
