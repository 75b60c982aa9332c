# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's pages (API reference, Quick start, Jobs, Asset Library), example by example, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core import errors
from airflow_provider_adgen.vendors import sume
from tests.integration.contract.conftest import KEY, Pages, both

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINK = "https://media.sume.so/out/"
SWAP = sume.FaceSwap(source_video_url="https://media.sume.so/v.mp4", avatar_ids=["a", "b"])


@pytest.fixture
def pages(pages_of: Callable[[str], Pages]) -> Pages:
    return pages_of("sume")


REQUESTS: list[tuple[Any, str, dict[str, Any], str]] = [
    (
        sume.Image(prompt="p", aspect_ratio="1:1", image_count=1),
        "/images/generations",
        {"prompt": "p", "aspect_ratio": "1:1", "image_count": 1},
        "image",
    ),
    (
        sume.Image(
            prompt="p",
            aspect_ratio="4:5",
            n=2,
            resolution="1k",
            quality="high",
            reference_image_urls=["https://i.example/r.png"],
        ),
        "/images/generations",
        {
            "prompt": "p",
            "aspect_ratio": "4:5",
            "n": 2,
            "resolution": "1k",
            "quality": "high",
            "reference_image_urls": ["https://i.example/r.png"],
        },
        "image",
    ),
    (
        sume.Video(prompt="p", duration=4, aspect_ratio="9:16", resolution="480p", generate_audio=False),
        "/videos/generations",
        {"prompt": "p", "duration": 4, "aspect_ratio": "9:16", "resolution": "480p", "generate_audio": False},
        "video",
    ),
    (
        sume.AdVideo(
            script="x" * 3,
            ad_format="video",
            locale="ko",
            duration_seconds=8,
            reference_image_urls=["https://i.example/r.png"] * 9,
            reference_video_urls=["https://i.example/r.mp4"],
        ),
        "/ads/videos",
        {
            "script": "x" * 3,
            "ad_format": "video",
            "locale": "ko",
            "duration_seconds": 8,
            "reference_image_urls": ["https://i.example/r.png"] * 9,
            "reference_video_urls": ["https://i.example/r.mp4"],
        },
        "video",
    ),
    (
        sume.AdVideo(script="x" * 1800, avatar_slug="anna"),
        "/ads/videos",
        {"script": "x" * 1800, "avatar_slug": "anna"},
        "video",
    ),
    (
        sume.FaceSwap(
            source_video_url="https://media.sume.so/v.mp4",
            avatar_ids=["a"] * 5,
            duration_seconds=15,
            trim_start_seconds=0,
            trim_end_seconds=9.5,
            aspect_ratio="21:9",
        ),
        "/face-swap",
        {
            "source_video_url": "https://media.sume.so/v.mp4",
            "avatar_ids": ["a"] * 5,
            "duration_seconds": 15,
            "trim_start_seconds": 0,
            "trim_end_seconds": 9.5,
            "aspect_ratio": "21:9",
        },
        "video",
    ),
    (
        sume.ReferenceAnalysis(url="https://www.tiktok.com/@a/video/1"),
        "/reference-analysis",
        {"url": "https://www.tiktok.com/@a/video/1"},
        "analysis",
    ),
    (
        sume.ReferenceAnalysis(url="https://www.instagram.com/reel/1/", url_field="reference_url"),
        "/reference-analysis",
        {"reference_url": "https://www.instagram.com/reel/1/"},
        "analysis",
    ),
]
CREATED: list[Any] = [
    {"object": "image_generation", "job": {"id": "job_1", "status": "queued"}},
    {"object": "video_generation", "job_id": "job_1", "status": "queued"},
    {"job_id": "job_1"},
    {"data": {"job": {"id": "job_1", "status": "Queued"}}},
]


@pytest.mark.parametrize("answer", CREATED)
@pytest.mark.parametrize(("request_", "path", "body", "kind"), REQUESTS, ids=lambda value: str(value)[:30])
def test_creations(pages: Pages, request_: Any, path: str, body: dict[str, Any], kind: str, answer: Any) -> None:
    pages.say("POST", path, answer, 202)
    made = pages.hook.submit(request_)
    assert (pages.last.method, pages.last.path, pages.last.query, pages.last.body) == ("POST", path, {}, body)
    assert pages.last.headers["authorization"] == f"Bearer {KEY}"
    assert not {"idempotency-key", "x-api-key"} & set(pages.last.headers)
    assert (made.id, made.job_ids, made.kind, made.status) == ("job_1", ["job_1"], kind, "queued")
    assert made.credits.quoted is None


@pytest.mark.parametrize(
    "answer",
    [
        {"object": "face_swap", "jobs": [{"id": "job_1", "status": "queued"}, {"id": "job_2", "status": "queued"}]},
        {"object": "face_swap", "job_ids": ["job_1", "job_2"]},
        {"object": "face_swap", "job_id": "job_1", "jobs": [{"job_id": "job_1"}, {"job_id": "job_2"}]},
        {"object": "face_swap", "job": {"id": "job_1"}, "job_ids": ["job_1", "job_2"]},
        {"object": "list", "data": [{"object": "job", "id": "job_1"}, {"object": "job", "id": "job_2"}]},
        {"face_swaps": [{"avatar_id": "a", "job_id": "job_1"}, {"avatar_id": "b", "job": {"id": "job_2"}}]},
        {"job_id": "job_1", "results": [{"avatar_id": "a", "job_id": "job_1"}, {"avatar_id": "b", "job_id": "job_2"}]},
    ],
)
def test_all_jobs_of_a_face_swap_are_tracked_and_collected(pages: Pages, answer: Any) -> None:
    pages.say("POST", "/face-swap", answer)
    for job in ("job_1", "job_2"):
        pages.say("GET", f"/jobs/{job}", {"id": job, "object": "job", "type": "face_swap", "status": "completed"})
        done = {"id": job, "status": "completed", "result": {"video_url": f"{LINK}{job}.mp4"}}
        pages.say("GET", f"/jobs/{job}/result", done)

    made = pages.hook.submit(SWAP)
    assert made.job_ids == ["job_1", "job_2"]
    found = pages.hook.get_generation(",".join(made.job_ids))

    assert (found.id, found.job_ids, found.status) == ("job_1", ["job_1", "job_2"], "completed")
    assert [one.url for one in found.creatives] == [f"{LINK}job_1.mp4", f"{LINK}job_2.mp4"]


@pytest.mark.parametrize("answer", [{}, {"object": "image_generation"}, {"job": {}}, {"id": "img_1"}, []])
def test_a_creation_without_a_job_fails_loudly(pages: Pages, answer: Any) -> None:
    pages.say("POST", "/face-swap", answer)
    with pytest.raises(errors.UnexpectedResponse):
        pages.hook.submit(SWAP)
    assert len(pages.asked) == 1


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", "queued"),
        ("running", "processing"),
        ("processing", "processing"),
        ("completed", "completed"),
        ("failed", "failed"),
        ("canceled", "canceled"),
        ("expired", "expired"),
        ("EXPIRED", "expired"),
    ],
)
def test_every_status_word(pages: Pages, word: str, status: str) -> None:
    job = {"id": "job_1", "type": "video_generation", "status": word, "error": {"code": "c", "message": "why"}}
    pages.say("GET", "/jobs/job_1", job if status in {"failed", "canceled", "expired"} else {**job, "error": None})
    pages.say("GET", "/jobs/job_1/result", {"id": "job_1", "status": word, "result": {"url": f"{LINK}a.mp4"}})
    found = pages.hook.get_generation("job_1")
    assert found.status == status
    assert [one.path for one in pages.asked] == ["/jobs/job_1"] + ["/jobs/job_1/result"] * (status == "completed")
    assert [one.url for one in found.creatives] == ([f"{LINK}a.mp4"] if status == "completed" else [])
    assert found.error == ("why" if status in {"failed", "canceled", "expired"} else None)


@pytest.mark.parametrize(
    "result",
    [
        {"job": {"id": "job_1", "status": "completed", "result": {"video_url": f"{LINK}a.mp4"}}},
        {
            "id": "job_1",
            "status": "completed",
            "output": {"media_url": f"{LINK}a.mp4", "thumbnail_url": f"{LINK}t.png"},
        },
        {"id": "job_1", "status": "completed", "outputs": [{"url": f"{LINK}a.mp4", "content_type": "video/mp4"}]},
        {"id": "job_1", "status": "completed", "result_url": f"{LINK}a.mp4"},
        {"object": "job_result", "data": {"videos": [{"url": f"{LINK}a.mp4"}]}},
        {"result": {"videos": [f"{LINK}a.mp4"]}},
    ],
)
def test_the_result_of_a_video(pages: Pages, result: Any) -> None:
    pages.say("GET", "/jobs/job_1", {"job": {"id": "job_1", "type": "video_generation", "status": "completed"}})
    pages.say("GET", "/jobs/job_1/result", result)
    found = pages.hook.get_generation("job_1")
    assert [(one.kind, one.url) for one in found.creatives] == [("video", f"{LINK}a.mp4")]


def test_an_analysis_is_in_details(pages: Pages) -> None:
    pages.say("GET", "/jobs/job_1", {"id": "job_1", "type": "reference_analysis", "status": "completed"})
    pages.say("GET", "/jobs/job_1/result", {"id": "job_1", "status": "completed", "result": {"summary": "s"}})
    found = pages.hook.get_generation("job_1")
    assert (found.kind, found.creatives, found.details["summary"]) == ("analysis", [], "s")


def test_lists_follow_their_cursor(pages: Pages) -> None:
    hook = pages.hook
    rows = {
        "jobs": {"id": "1", "status": "queued", "type": "video_generation"},
        "brand": {"id": 1, "images": [{"reference_url": f"{LINK}r.png"}]},
        "avatars": {"id": "1"},
        "assets": {"id": "1"},
    }
    for path, row in rows.items():
        page = {"object": "list", "data": [row], "has_more": False, "next_cursor": None}
        pages.say("GET", f"/{path}", page)
    assert [one.id for one in both(hook, "list_jobs", type="video_generation", status="queued", limit=5)] == ["1"]
    assert pages.last.query == {"type": "video_generation", "status": "queued", "limit": "5"}
    brand = both(hook, "list_brands", domain="a.example")[0]
    assert (pages.last.path, pages.last.query, brand.images[0].reference_url) == (
        "/brand",
        {"domain": "a.example"},
        f"{LINK}r.png",
    )
    assert len(both(hook, "list_avatars", cursor="c")) == 1
    assert pages.last.query == {"cursor": "c"}
    filters = {
        "q": "shoe",
        "search_mode": "text",
        "source_type": "upload",
        "segment_type": "hook",
        "brand": "b",
        "product": "p",
        "tag": "t",
        "keyword": "k",
        "cta_present": True,
        "min_duration_seconds": 1,
        "max_duration_seconds": 2.5,
        "created_after": "2026-01-01T00:00:00Z",
        "created_before": "2026-02-01",
        "sort": "relevance",
        "limit": 1,
        "cursor": "c",
    }
    both(hook, "list_assets", **filters)
    assert pages.last.query == {**{name: str(value) for name, value in filters.items()}, "cta_present": "true"}

    more = {"object": "list", "data": [rows["avatars"]], "has_more": True, "next_cursor": "n1"}
    pages.say("GET", "/avatars", more)
    listing = hook.list_avatars()
    assert next(listing).id == "1"
    next(listing)
    assert pages.last.query == {"cursor": "n1"}


def test_reads(pages: Pages) -> None:
    hook = pages.hook
    pages.say("GET", "/me", {"user": {"id": "u"}, "workspace": {"id": "w"}, "api_key": {"prefix": "sume_live_ab"}})
    pages.say("GET", "/brand/current", {"id": "b", "name": "B", "images": None})
    pages.say("GET", "/avatars/av 1", {"object": "avatar", "id": "av_1", "capabilities": {"face_swap": True}})
    pages.say("GET", "/avatars/av%201", {"object": "avatar", "id": "av_1", "capabilities": {"face_swap": True}})
    asset = {
        "id": "asset_1",
        "object": "asset",
        "title": "Scene 1",
        "media_url": f"{LINK}s.mp4",
        "thumbnail_url": "...",
        "start_time_seconds": 0,
        "end_time_seconds": 4.2,
        "metadata": {"visual_summary": "...", "cta_present": False},
        "search": {"mode": "text", "score": None, "query": "..."},
    }
    pages.say("GET", "/assets/asset_1", asset)
    assert both(hook, "get_me").workspace == {"id": "w"}
    assert both(hook, "get_current_brand").images == []
    assert both(hook, "get_avatar", "av 1").capabilities == {"face_swap": True}
    found = both(hook, "get_asset", "asset_1")
    assert (found.media_url, found.end_time_seconds, found.search["score"]) == (f"{LINK}s.mp4", 4.2, None)
    clip = {name: value for name, value in asset.items() if name != "media_url"}
    pages.say("GET", "/assets/asset_1", {**clip, "clip_url": f"{LINK}c.mp4", "source_media_url": f"{LINK}o.mp4"})
    assert both(hook, "get_asset", "asset_1").media_url == f"{LINK}c.mp4"


@pytest.mark.parametrize(
    "value",
    [
        {
            "plan": "pro",
            "monthly_credits": 100,
            "bonus_credits": 5,
            "remaining_credits": 42,
            "active_generation_capacity": 3,
        },
        {"object": "credits", "remaining": "42", "active_generations": {"used": 1, "limit": 3}},
        {"data": {"credits": {"remaining": 42.9}, "active_generation_capacity": {"limit": 3, "active": 1}}},
    ],
)
def test_credits(pages: Pages, value: Any) -> None:
    pages.say("GET", "/credits", value)
    found = both(pages.hook, "get_credits")
    assert (found.remaining, found.in_flight_limit) == (42, 3)


@pytest.mark.parametrize("purpose", ["asset_library_video", "face_swap_source_video"])
def test_an_upload_is_presigned_put_and_finalized(pages: Pages, tmp_path: Path, purpose: str) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"x" * 300_000)
    leave = {
        "upload_url": f"{pages.url}/api/v1/storage?sig=1",
        "object_key": "k/1",
        "media_url": f"{LINK}clip.mp4",
        "required_headers": {"Content-Type": "video/mp4", "x-amz-acl": "private"},
    }
    pages.say("POST", "/uploads/presign", leave)
    pages.say("PUT", "/storage", b"")
    pages.say("POST", "/assets", {"object": "asset_upload", "asset_id": "asset_1", "status": "processing"})

    found = pages.hook.upload(str(file), purpose)

    presign, put, *rest = pages.asked
    assert presign.body == {
        "file_name": "clip.mp4",
        "content_type": "video/mp4",
        "size": 300_000,
        "purpose": purpose,
    }
    assert (put.method, put.query, put.content) == ("PUT", {"sig": "1"}, b"x" * 300_000)
    assert put.headers["content-type"] == "video/mp4" and put.headers["x-amz-acl"] == "private"
    assert put.headers["content-length"] == "300000" and "transfer-encoding" not in put.headers
    assert "authorization" not in put.headers and KEY not in str(put.headers)
    library = purpose == "asset_library_video"
    assert [(one.method, one.path, one.body) for one in rest] == (
        [("POST", "/assets", {"object_key": "k/1"})] if library else []
    )
    assert (found.media_url, found.asset_id) == (f"{LINK}clip.mp4", "asset_1" if library else None)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.ApiError),
        (401, errors.AuthenticationError),
        (402, errors.InsufficientCredits),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.PayloadTooLarge),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServerError),
    ],
)
def test_errors_keep_the_request_id(pages: Pages, status: int, cls: type[errors.ApiError]) -> None:
    said = {"code": "insufficient_credits", "message": "Not enough credits for this request.", "details": {}}
    pages.say("POST", "/face-swap", {"error": said, "request_id": "req_1"}, status)
    with pytest.raises(cls) as caught:
        pages.hook.submit(SWAP)
    assert type(caught.value) is cls
    assert (caught.value.code, caught.value.request_id, caught.value.status) == (
        "insufficient_credits",
        "req_1",
        status,
    )
    assert said["message"] in caught.value.message and "req_1" in caught.value.message
    assert len(pages.asked) == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "image", "prompt": "p", "image_count": 0},
        {"kind": "image", "prompt": "p", "n": 0},
        {"kind": "image", "prompt": "p", "reference_image_urls": ["http://i.example/r.png"]},
        {"kind": "ad-video", "script": "xx", "ad_format": "video"},
        {"kind": "ad-video", "script": "x" * 1801, "ad_format": "video"},
        {"kind": "ad-video", "script": "xxx"},
        {"kind": "ad-video", "script": "xxx", "ad_format": "ugc_ads"},
        {"kind": "ad-video", "script": "xxx", "avatar_id": "a", "locale": "fr"},
        {"kind": "ad-video", "script": "xxx", "avatar_id": "a", "reference_video_urls": ["https://i.example/r.mp4"]},
        {"kind": "ad-video", "script": "xxx", "avatar_id": "a", "reference_image_urls": ["https://i.example/r"] * 10},
        {"kind": "face-swap", "source_video_url": "https://m.example/v", "avatar_ids": []},
        {"kind": "face-swap", "source_video_url": "https://m.example/v", "avatar_ids": ["a"] * 6},
        {"kind": "face-swap", "source_video_url": "https://m.example/v", "avatar_ids": ["a"], "duration_seconds": 15.1},
        {"kind": "face-swap", "source_video_url": "https://m.example/v", "avatar_ids": ["a"], "aspect_ratio": "2:3"},
        {"kind": "reference-analysis", "url": "https://www.youtube.com/watch?v=1"},
        {"kind": "image", "prompt": "p", "extra_fields": {"workspace_id": "w"}},
        {"kind": "image", "prompt": "p", "extra_fields": {"user_id": "w"}},
    ],
)
def test_limits_are_checked_before_sending(pages: Pages, request_: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        pages.hook.submit(pages.hook.vendor.parse_request(request_))
    with pytest.raises(errors.InvalidRequest):
        pages.hook.submit(SWAP, idempotency_key="k")
    for filters in ({"sort": "size"}, {"search_mode": "exact"}):
        with pytest.raises(errors.InvalidRequest):
            list(pages.hook.list_assets(**filters))
    assert pages.asked == []
