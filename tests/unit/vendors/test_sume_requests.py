# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.vendors.sume import VENDOR, AdVideo, FaceSwap, Image, ReferenceAnalysis, Video

PICTURE = "https://cdn.example/a.png"
SOURCE = "https://media.sume.so/up/a.mp4"

IMAGE = {"kind": "image", "prompt": "A shoe"}
VIDEO = {"kind": "video", "prompt": "A shoe"}
AD = {"kind": "ad-video", "script": "You need this shoe.", "avatar_id": "avatar_1"}
SWAP = {"kind": "face-swap", "source_video_url": SOURCE, "avatar_ids": ["avatar_1"]}
ANALYSIS = {"kind": "reference-analysis", "url": "https://www.instagram.com/reel/abc/"}
ALL = [IMAGE, VIDEO, AD, SWAP, ANALYSIS]


def body(value: dict[str, Any]) -> dict[str, Any]:
    sent = VENDOR.submit(VENDOR.parse_request(value), None).body
    return json.loads(json.dumps(sent))


@pytest.mark.parametrize(
    ("value", "path", "result_kind", "sent"),
    [
        # The examples of the vendor's pages, as they stand there.
        (
            {**IMAGE, "prompt": "...", "aspect_ratio": "1:1", "image_count": 1},
            "/images/generations",
            "image",
            '{"prompt": "...", "aspect_ratio": "1:1", "image_count": 1}',
        ),
        (
            {**VIDEO, "prompt": "...", "aspect_ratio": "9:16", "duration": 5, "generate_audio": False},
            "/videos/generations",
            "video",
            '{"prompt": "...", "aspect_ratio": "9:16", "duration": 5, "generate_audio": false}',
        ),
        (
            {**VIDEO, "duration": 4, "aspect_ratio": "9:16", "resolution": "480p", "generate_audio": False},
            "/videos/generations",
            "video",
            '{"prompt": "A shoe", "aspect_ratio": "9:16", "duration": 4, "generate_audio": false, '
            '"resolution": "480p"}',
        ),
        (AD, "/ads/videos", "video", '{"script": "You need this shoe.", "avatar_id": "avatar_1"}'),
        (SWAP, "/face-swap", "video", f'{{"source_video_url": "{SOURCE}", "avatar_ids": ["avatar_1"]}}'),
        (ANALYSIS, "/reference-analysis", "analysis", '{"url": "https://www.instagram.com/reel/abc/"}'),
    ],
)
def test_what_is_sent(value: dict[str, Any], path: str, result_kind: str, sent: str) -> None:
    request = VENDOR.parse_request(value)
    call = VENDOR.submit(request, None)
    assert json.dumps(call.body) == sent
    assert (call.method, call.path, call.endpoint) == ("POST", path, f"POST {path}")
    assert call.paid and not call.may_repeat
    assert request.result_kind == result_kind
    assert call.headers == {}


@pytest.mark.parametrize("value", ALL)
def test_no_price_is_documented(value: dict[str, Any]) -> None:
    assert VENDOR.parse_request(value).price() is None


def test_every_field_of_every_request_is_sent_under_its_own_name() -> None:
    full: list[dict[str, Any]] = [
        {
            **IMAGE,
            "aspect_ratio": "4:5",
            "resolution": "1024x1024",
            "quality": "high",
            "n": 2,
            "reference_image_urls": [PICTURE],
        },
        {**VIDEO, "aspect_ratio": "9:16", "duration": 4.5, "generate_audio": True, "resolution": "720p"},
        {
            "kind": "ad-video",
            "script": "Hey there",
            "ad_format": "video",
            "avatar_slug": "nora",
            "locale": "ko",
            "duration_seconds": 30,
            "reference_image_urls": [PICTURE],
            "reference_video_urls": [SOURCE],
        },
        {
            **SWAP,
            "duration_seconds": 15,
            "trim_start_seconds": 0,
            "trim_end_seconds": 12.5,
            "aspect_ratio": "21:9",
        },
    ]
    for value in full:
        assert body(value) == {name: item for name, item in value.items() if name != "kind"}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ({**IMAGE, "image_count": "2"}, {"image_count": 2}),
        ({**IMAGE, "n": "3"}, {"n": 3}),
        ({**VIDEO, "duration": "5.0", "generate_audio": "true"}, {"duration": 5, "generate_audio": True}),
        ({**AD, "duration_seconds": "7.5"}, {"duration_seconds": 7.5}),
        ({**SWAP, "trim_start_seconds": "1", "trim_end_seconds": "2"}, {"trim_start_seconds": 1}),
    ],
)
def test_templated_numbers_are_numbers(value: dict[str, Any], sent: dict[str, Any]) -> None:
    assert sent.items() <= body(value).items()


@pytest.mark.parametrize(
    "value",
    [
        {**IMAGE, "image_count": 1},
        {**IMAGE, "aspect_ratio": "1:1"},
        {**IMAGE, "aspect_ratio": "square"},
        {**VIDEO, "duration": 0.1},
        {**AD, "script": "abc"},
        {**AD, "script": "x" * 1800},
        {**AD, "reference_image_urls": [PICTURE] * 9},
        {**AD, "ad_format": "ugc_ads", "locale": "en"},
        {"kind": "ad-video", "script": "abc", "avatar_slug": "nora"},
        {"kind": "ad-video", "script": "abc", "ad_format": "video"},
        {"kind": "ad-video", "script": "abc", "ad_format": "video", "reference_video_urls": [SOURCE]},
        {**SWAP, "avatar_ids": ["a", "b", "c", "d", "e"]},
        {**SWAP, "duration_seconds": 15},
        {**SWAP, "trim_start_seconds": 0, "trim_end_seconds": 0.5},
        {**SWAP, "trim_end_seconds": None},
        *({**SWAP, "aspect_ratio": ratio} for ratio in ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")),
        {**ANALYSIS, "url": "https://www.tiktok.com/@someone/video/123"},
        {**ANALYSIS, "url": "https://vm.tiktok.com/ZM123/"},
        {**ANALYSIS, "url": "https://instagram.com/reels/abc"},
        {**ANALYSIS, "url_field": "video_url"},
        {**IMAGE, "extra_fields": {"seed": 5}},
    ],
)
def test_what_keeps_to_the_rules_is_accepted(value: dict[str, Any]) -> None:
    assert body(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"kind": "image"}, "prompt"),
        ({**IMAGE, "prompt": "  "}, "prompt"),
        ({**IMAGE, "image_count": 0}, "image_count"),
        ({**IMAGE, "image_count": 1.5}, "image_count"),
        ({**IMAGE, "image_count": True}, "image_count"),
        ({**IMAGE, "n": 0}, "n:"),
        ({**IMAGE, "n": 1, "image_count": 1}, "image_count or n"),
        ({**IMAGE, "reference_image_urls": ["http://cdn.example/a.png"]}, "reference_image_urls.0"),
        ({**IMAGE, "reference_image_urls": PICTURE}, "reference_image_urls"),
        ({**IMAGE, "colour": "red"}, "colour"),
        ({"kind": "video"}, "prompt"),
        ({**VIDEO, "duration": 0}, "duration"),
        ({**VIDEO, "duration": "five"}, "duration"),
        ({**VIDEO, "duration": "nan"}, "duration"),
        ({**VIDEO, "duration_seconds": 5}, "duration_seconds"),
        ({**VIDEO, "generate_audio": "perhaps"}, "generate_audio"),
        ({**AD, "script": "ab"}, "script"),
        ({**AD, "script": "x" * 1801}, "script"),
        ({**AD, "ad_format": "podcast"}, "ad_format"),
        ({"kind": "ad-video", "script": "abc"}, "avatar_id or avatar_slug"),
        ({"kind": "ad-video", "script": "abc", "ad_format": "ugc_ads"}, "avatar_id or avatar_slug"),
        ({**AD, "avatar_slug": "nora"}, "not both"),
        ({**AD, "locale": "de"}, "locale"),
        ({**AD, "duration": 5}, "duration"),
        ({**AD, "duration_seconds": 0}, "duration_seconds"),
        ({**AD, "reference_image_urls": [PICTURE] * 10}, "reference_image_urls"),
        ({**AD, "reference_image_urls": ["http://cdn.example/a.png"]}, "https"),
        ({**AD, "reference_video_urls": [SOURCE]}, "reference_video_urls needs"),
        ({"kind": "face-swap", "avatar_ids": ["a"]}, "source_video_url"),
        ({"kind": "face-swap", "source_video_url": SOURCE}, "avatar_ids"),
        ({**SWAP, "source_video_url": "upload/a.mp4"}, "source_video_url"),
        ({**SWAP, "avatar_ids": []}, "avatar_ids"),
        ({**SWAP, "avatar_ids": ["a"] * 6}, "avatar_ids"),
        ({**SWAP, "avatar_ids": [""]}, "avatar_ids.0"),
        ({**SWAP, "duration_seconds": 15.1}, "duration_seconds"),
        ({**SWAP, "duration_seconds": 0}, "duration_seconds"),
        ({**SWAP, "trim_start_seconds": -1}, "trim_start_seconds"),
        ({**SWAP, "trim_start_seconds": 5, "trim_end_seconds": 5}, "trim_end_seconds must come after"),
        ({**SWAP, "trim_end_seconds": 0}, "trim_end_seconds must come after"),
        ({**SWAP, "aspect_ratio": "4:5"}, "aspect_ratio"),
        ({"kind": "reference-analysis"}, "url"),
        ({**ANALYSIS, "url": "https://www.youtube.com/shorts/1"}, "TikTok or Instagram"),
        ({**ANALYSIS, "url": "https://nottiktok.com/@a/video/1"}, "TikTok or Instagram"),
        ({**ANALYSIS, "url": "https://www.instagram.com/somebody/"}, "Reel"),
        ({**ANALYSIS, "url": "tiktok.com/@a/video/1"}, "url"),
        ({**ANALYSIS, "url_field": "a b"}, "url_field"),
        ({**ANALYSIS, "url_field": "user_id"}, "user_id"),
        ({**ANALYSIS, "extra_fields": {"url_field": "link"}}, "url_field"),
        *(
            ({**IMAGE, "extra_fields": {name: "x"}}, name)
            for name in ("workspace_id", "user_id", "email", "owner", "owner_id", "owner_email")
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_before_anything_is_sent(value: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as found:
        VENDOR.parse_request(value)
    assert said in found.value.message
    assert "Nothing was sent" in found.value.message


def test_the_url_of_an_analysis_goes_under_the_name_chosen_for_it() -> None:
    url = ANALYSIS["url"]
    assert body({**ANALYSIS, "url_field": "reference_url", "extra_fields": {"depth": 2}}) == {
        "reference_url": url,
        "depth": 2,
    }


def test_extra_fields_are_sent_as_they_are() -> None:
    assert body({**IMAGE, "extra_fields": {"seed": 5, "style": {"a": 1}}}) == {
        "prompt": "A shoe",
        "seed": 5,
        "style": {"a": 1},
    }


def test_the_words_of_the_requests() -> None:
    assert [model.kind for model in VENDOR.requests] == [
        "image",
        "video",
        "ad-video",
        "face-swap",
        "reference-analysis",
    ]
    assert VENDOR.requests == (Image, Video, AdVideo, FaceSwap, ReferenceAnalysis)


def test_another_vendors_request_is_refused() -> None:
    from airflow_provider_adgen.vendors.adsumo import TextToSpeech

    with pytest.raises(InvalidRequest, match="Sume has no request TextToSpeech"):
        VENDOR.submit(TextToSpeech(text="a", voice_id="b"), None)


def test_what_is_promised_about_money() -> None:
    assert VENDOR.promises.idempotency is None
    assert VENDOR.promises.refunded == frozenset()
    assert VENDOR.promises.lists_jobs
    assert {400, 401, 402, 403, 404, 409, 413, 429} == VENDOR.promises.nothing_started


def test_every_assumption_says_something() -> None:
    assert len({one.subject for one in VENDOR.assumptions}) == len(VENDOR.assumptions) >= 20
    assert all(one.silent and one.decided for one in VENDOR.assumptions)
