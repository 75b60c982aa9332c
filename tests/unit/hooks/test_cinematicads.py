# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    DownloadError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.hooks.cinematicads import CinematicAdsHook
from tests.support.tiny import Reply, Sse, Tiny

KEY = "ca-secret-key-123"
JOB = "wf_abc123xyz"
STREAM = "GET /api/workflow/stream"
RESULT = ("result", {"success": True, "videoUrl": "https://cdn.example/v.mp4", "duration": 15})


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


@pytest.fixture
def hook(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> CinematicAdsHook:
    value = {"conn_type": "cinematicads", "host": tiny.url, "password": KEY, "extra": {"timeout": 10}}
    monkeypatch.setenv("AIRFLOW_CONN_CINEMATICADS_DEFAULT", json.dumps(value))
    return CinematicAdsHook()


Both = Callable[..., Any]


@pytest.fixture(params=["blocking", "async"])
def both(request: pytest.FixtureRequest, hook: CinematicAdsHook) -> Both:
    """Call a method of the hook, or its asynchronous twin; what it iterates over comes as a list."""

    def call(method: str, /, *args: Any, **kwargs: Any) -> Any:
        if request.param == "blocking":
            found = getattr(hook, method)(*args, **kwargs)
            return list(found) if hasattr(found, "__next__") else found

        async def twin() -> Any:
            found = getattr(hook, f"a{method}")(*args, **kwargs)
            return [one async for one in found] if hasattr(found, "__anext__") else await found

        return asyncio.run(twin())

    return call


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, str], Any]] = [
    ("get_credits", (), {}, "GET /api/user/credits", {}, {"credits": 7}),
    (
        "get_stats",
        (),
        {"start_date": "2026-01-02"},
        "GET /api/user/stats",
        {"startDate": "2026-01-02"},
        {"data": {"a": 1}},
    ),
    ("get_analytics", (), {"period": "7d"}, "GET /api/user/analytics", {"period": "7d"}, {"data": {"a": 1}}),
    ("get_brand", (), {}, "GET /api/user/brand", {}, {"data": {"name": "N"}}),
    ("get_models_status", (), {}, "GET /api/models/status", {}, {"text": True}),
    ("get_health", (), {}, "GET /api/health", {}, {"status": "ok", "version": "1"}),
    (
        "get_batch_status",
        ("b 1",),
        {},
        "GET /api/batch/status",
        {"batchId": "b 1"},
        {"total": 1, "completed": 1, "failed": 0, "pending": 0, "active": 0},
    ),
    ("list_projects", (), {}, "GET /api/user/projects", {}, {"data": [{"id": 1}, {"id": 2}]}),
    (
        "add_knowledge_url",
        ("https://a.example/x",),
        {},
        "POST /api/user/brand/knowledge/urls",
        {},
        {"data": {"id": "k1"}},
    ),
    ("update_brand", (), {"name": "N"}, "POST /api/user/brand", {}, {"success": True}),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "route", "query", "value"), CALLS, ids=[call[0] for call in CALLS])
def test_each_endpoint(
    tiny: Tiny, both: Both, name: str, args: Any, kwargs: Any, route: str, query: dict[str, str], value: Any
) -> None:
    tiny.routes[route] = Reply(value)
    assert both(name, *args, **kwargs)
    assert tiny.paths() == [route]
    assert tiny.asked[0].query == query
    assert tiny.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ApiError),
        (401, AuthenticationError),
        (403, PermissionDenied),
        (404, NotFound),
        (429, RateLimited),
        (503, ServerError),
    ],
)
def test_errors_reach_the_caller_without_the_key(
    tiny: Tiny, hook: CinematicAdsHook, status: int, error: type[ApiError]
) -> None:
    headers = {"Retry-After": "100"} if status == 429 else {}
    tiny.routes["POST /api/user/brand/knowledge/urls"] = Reply(
        {"success": False, "error": f"no {KEY}"}, status, headers
    )
    with pytest.raises(error) as caught:
        hook.add_knowledge_url("https://a.example")
    assert type(caught.value) is error and KEY not in str(caught.value)
    assert len(tiny.asked) == 1, "a POST is not repeated"


def test_projects_are_models(tiny: Tiny, both: Both) -> None:
    item = {
        "id": 5,
        "jobId": JOB,
        "type": "avatar",
        "status": "completed",
        "videoUrl": "https://c.example/v.mp4",
        "x": 1,
    }
    tiny.routes["GET /api/user/projects"] = Reply({"success": True, "projects": [item]})
    (found,) = both("list_projects")
    assert (found.id, found.job_id, found.type, found.status) == (5, JOB, "avatar", "completed")
    assert found.video_urls == ["https://c.example/v.mp4"]
    assert found.model_extra["x"] == 1


def test_submission_is_posted_once(tiny: Tiny, both: Both, hook: CinematicAdsHook) -> None:
    tiny.routes["POST /api/workflow"] = Reply({"success": True, "jobId": JOB, "message": "Workflow queued", "cost": 2})
    request = hook.vendor.parse_request({"kind": "workflow", "workflow_type": "avatar", "formats": ["9:16"]})
    found = both("submit", request)
    assert (found.id, found.credits.charged) == (JOB, 2)
    assert tiny.asked[0].json() == {"type": "avatar", "quality": "standard", "formats": "9:16", "async": True}
    assert "idempotency-key" not in tiny.asked[0].headers
    tiny.routes["POST /api/workflow"] = Reply({"success": False, "error": "redis"}, 503)
    with pytest.raises(ServerError):
        both("submit", request)
    assert len(tiny.asked) == 2
    with pytest.raises(InvalidRequest, match="idempotency"):
        both("submit", request, idempotency_key="k")


def test_generation_from_the_stream(tiny: Tiny, both: Both) -> None:
    tiny.routes["GET /api/user/projects"] = Reply({"success": True, "data": []})
    tiny.routes[STREAM] = Sse([("step", {"step": "a", "status": "completed", "progress": 20}), RESULT])
    found = both("get_generation", JOB)
    assert (found.status, found.creatives[0].url) == ("completed", "https://cdn.example/v.mp4")
    assert tiny.paths() == ["GET /api/user/projects", STREAM]
    assert tiny.asked[1].query == {"jobId": JOB}
    assert tiny.asked[1].headers["accept"] == "text/event-stream"


def test_held_stream_survives_a_server_that_keeps_it_open(tiny: Tiny, hook: CinematicAdsHook) -> None:
    tiny.routes["GET /api/user/projects"] = Reply([])
    tiny.routes[STREAM] = Sse([("step", {"step": "a", "status": "completed", "progress": 20}), 0.2, RESULT], hang=True)
    found = hook.get_generation(JOB, stream_seconds=30)
    assert found.status == "completed"
    assert tiny.paths() == ["GET /api/user/projects", STREAM, "GET /api/user/projects"]


def test_events_are_iterated_over(tiny: Tiny, both: Both) -> None:
    tiny.routes[STREAM] = Sse([("step", {"step": "a", "status": "completed", "progress": 20}), ("ping", "x"), RESULT])
    events = both("stream_workflow", JOB)
    assert [event.name for event in events] == ["step", "ping", "result"]
    assert (events[0].step, events[0].status, events[0].progress) == ("a", "completed", 20.0)
    assert events[1].data == "x"
    assert (events[2].success, events[2].data["duration"]) == (True, 15)


def test_events_come_while_the_stream_is_open(tiny: Tiny, hook: CinematicAdsHook) -> None:
    tiny.routes[STREAM] = Sse([RESULT], hang=True)
    events = hook.stream_workflow(JOB)
    assert next(events).name == "result"
    events.close()  # type: ignore[attr-defined]  # an iterator that is a generator


def test_stream_that_breaks_or_is_refused(tiny: Tiny, both: Both) -> None:
    tiny.routes[STREAM] = Sse([RESULT], broken=True)
    with pytest.raises(WireError):
        both("stream_workflow", JOB)
    tiny.routes[STREAM] = Reply({"success": False, "error": "no such job"}, 404)
    with pytest.raises(NotFound, match="no such job"):
        both("stream_workflow", JOB)


def test_eleventh_connection_of_an_hour_is_not_sent(tiny: Tiny, hook: CinematicAdsHook) -> None:
    tiny.routes[STREAM] = Sse([RESULT])
    for _ in range(10):
        assert len(list(hook.stream_workflow(JOB))) == 1
    with pytest.raises(RateLimited, match="not sent") as caught:
        list(hook.stream_workflow(JOB))
    assert caught.value.retry_after is not None and 3500 < caught.value.retry_after <= 3600
    assert len(tiny.asked) == 10
    # Waiting for a job goes on without streams.
    tiny.routes["GET /api/user/projects"] = Reply([{"jobId": JOB, "status": "running"}])
    assert hook.get_generation(JOB, stream_seconds=600).status == "processing"


def test_test_button_needs_no_known_name(tiny: Tiny, both: Both) -> None:
    tiny.routes["GET /api/user/credits"] = Reply({"success": True, "data": {"wallet": 3}})
    assert both("test_connection") == (True, "CinematicAds accepted the key.")
    tiny.routes["GET /api/user/credits"] = Reply({"success": False, "error": "Unauthorized"}, 401)
    accepted, said = both("test_connection")
    assert not accepted and "Unauthorized" in said


# --- knowledge files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [str, Path, lambda path: f"file://{path}"])
def test_knowledge_file_is_sent_as_multipart(tiny: Tiny, both: Both, tmp_path: Path, form: Any) -> None:
    path = tmp_path / "Brand book.PDF"
    path.write_bytes(b"%PDF-1.7 \xff\x00 content")
    tiny.routes["POST /api/user/brand/knowledge/files"] = Reply({"success": True, "data": {"id": 9}})
    assert both("add_knowledge_file", form(path)).id == 9
    asked = tiny.asked[0]
    part = message_from_bytes(b"Content-Type: " + asked.headers["content-type"].encode() + b"\r\n\r\n" + asked.body)
    (file,) = part.get_payload()
    assert file.get_content_type() == "application/pdf"
    assert 'name="file"' in file["content-disposition"] and 'filename="Brand book.PDF"' in file["content-disposition"]
    assert file.get_payload(decode=True) == b"%PDF-1.7 \xff\x00 content"


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx", "a.csv", "a.txt", "A.TXT"])
def test_knowledge_kinds(tiny: Tiny, hook: CinematicAdsHook, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    tiny.routes["POST /api/user/brand/knowledge/files"] = Reply({"success": True})
    assert hook.add_knowledge_file(str(tmp_path / name)).id is None


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("a.doc", 1, "none of PDF"),
        ("a", 1, "none of PDF"),
        ("a.pdf.exe", 1, "none of PDF"),
        ("a.pdf", 0, "0 bytes"),
        ("a.pdf", (10 << 20) + 1, "10485761 bytes"),
        ("missing.pdf", None, "no such file"),
    ],
)
def test_knowledge_files_that_are_not_sent(
    tiny: Tiny, both: Both, tmp_path: Path, name: str, size: int | None, said: str
) -> None:
    if size is not None:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    with pytest.raises(InvalidRequest, match=said):
        both("add_knowledge_file", str(tmp_path / name))
    assert not tiny.asked


def test_largest_knowledge_file(tiny: Tiny, hook: CinematicAdsHook, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(10 << 20)
    tiny.routes["POST /api/user/brand/knowledge/files"] = Reply({"success": True})
    hook.add_knowledge_file(path)
    assert len(tiny.asked[0].body) > 10 << 20


# --- exports ------------------------------------------------------------------------------------------------------

ZIP = b"PK\x03\x04" + bytes(range(256)) * 4000
EXPORT = "GET /api/user/projects/export"


@pytest.mark.parametrize("given", ["{}", "file://{}", "{}/", "{}/all.zip"])
def test_projects_are_stored_whole(tiny: Tiny, both: Both, tmp_path: Path, given: str) -> None:
    tiny.routes[EXPORT] = Reply(ZIP, headers={"Content-Type": "application/zip"})
    stored = both("export_projects", given.format(tmp_path))
    path = tmp_path / ("all.zip" if given.endswith(".zip") else "cinematicads-projects.zip")
    assert path.read_bytes() == ZIP
    assert (stored.kind, stored.uri, stored.url) == ("archive", f"file://{path}", None)
    assert (stored.size, stored.sha256) == (len(ZIP), hashlib.sha256(ZIP).hexdigest())
    assert stored.media_type == "application/zip"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply({"success": False, "error": "no projects"}), UnexpectedResponse),
        (Reply(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}), UnexpectedResponse),
        (Reply({"success": False, "error": "gone"}, 404), NotFound),
        (Reply(b"", 302, {"Location": "https://evil.example/"}), ApiError),
        (Reply(b"", headers={"Content-Type": "application/zip"}), DownloadError),
    ],
)
def test_what_is_no_archive_is_not_stored(
    tiny: Tiny, both: Both, tmp_path: Path, reply: Reply, error: type[Exception]
) -> None:
    tiny.routes[EXPORT] = reply
    with pytest.raises(error):
        both("export_projects", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_export_needs_a_destination(tiny: Tiny, both: Both) -> None:
    with pytest.raises(InvalidRequest, match="destination"):
        both("export_projects", " ")
    assert not tiny.asked


SOURCE = "https://cdn.example/a.mp4?sig=1"


def test_video_is_exported(tiny: Tiny, both: Both, tmp_path: Path) -> None:
    tiny.routes["GET /api/export"] = Reply(b"\0\0\0\x18ftypmp42" + bytes(2988), headers={"Content-Type": "video/mp4"})
    stored = both("export_video", SOURCE, str(tmp_path))
    assert tiny.asked[0].query == {"source": SOURCE}
    assert (stored.kind, stored.size, stored.media_type) == ("video", 3000, "video/mp4")
    again = both("export_video", "https://cdn.example/a.mp4?sig=2", str(tmp_path))
    other = both("export_video", "https://cdn.example/a.mp4?id=2", str(tmp_path))
    assert again.uri == stored.uri != other.uri
    assert both("export_video", SOURCE, str(tmp_path / "x.mp4")).uri == f"file://{tmp_path / 'x.mp4'}"


def test_video_is_exported_by_post_where_get_is_not_known(tiny: Tiny, both: Both, tmp_path: Path) -> None:
    tiny.routes["POST /api/export"] = Reply(b"\0\0\0\x18ftypmp42" + bytes(88), headers={"Content-Type": "video/mp4"})
    assert both("export_video", SOURCE, str(tmp_path)).size == 100
    assert tiny.paths() == ["GET /api/export", "POST /api/export"]
    assert tiny.asked[1].json() == {"source": SOURCE}


def test_video_of_a_domain_that_is_not_allowed(tiny: Tiny, both: Both, tmp_path: Path) -> None:
    tiny.routes["GET /api/export"] = Reply({"success": False, "error": "Domain not allowed"}, 403)
    with pytest.raises(PermissionDenied, match="Domain not allowed"):
        both("export_video", SOURCE, str(tmp_path))
    with pytest.raises(InvalidRequest, match="source"):
        both("export_video", "http://cdn.example/a.mp4", str(tmp_path))
    assert tiny.paths() == ["GET /api/export"]
