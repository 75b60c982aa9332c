# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds' page, example by example, over HTTP."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core import errors
from airflow_provider_adgen.vendors import cinematicads
from tests.integration.contract.conftest import KEY, Pages, both

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOB = "wf_abc123xyz"
STEPS = """event: step
data: {"step":"art_direction","status":"completed","progress":20}

event: step
data: {"step":"video_generation","status":"completed","progress":60}

"""
RESULT = """event: result
data: {"success":true,"videoUrl":"https://v.example/a.mp4","duration":15}

"""

FILM = b"\0\0\0\x18ftypmp42" + bytes(24)
"""As an MP4 begins."""


@pytest.fixture
def pages(pages_of: Callable[[str], Pages], monkeypatch: pytest.MonkeyPatch) -> Pages:
    monkeypatch.setattr("airflow_provider_adgen.vendors.cinematicads.vendor.LINGER", 0.05)
    found = pages_of("cinematicads")
    found.say("GET", "/api/user/projects", {"success": True, "data": []})
    return found


def stream(pages: Pages, text: str) -> None:
    pages.say("GET", "/api/workflow/stream", text.encode(), 200, Content_Type="text/event-stream")


ACCEPTED = {"success": True, "jobId": JOB, "message": "Workflow queued", "cost": 2}


@pytest.mark.parametrize(
    "answer",
    [
        ACCEPTED,
        {"success": True, "data": {"jobId": JOB, "message": "Workflow queued", "cost": 2}},
        {"success": True, "data": {"job_id": JOB, "cost": "2", "message": "Workflow queued"}},
    ],
)
def test_a_workflow(pages: Pages, answer: Any) -> None:
    pages.say("POST", "/api/workflow", answer)
    made = pages.hook.submit(
        cinematicads.Workflow(
            workflow_type="cinematic",
            concept="Luxury perfume ad with golden tones",
            quality="premium",
            formats=["9:16", "1:1"],
        )
    )
    assert (pages.last.method, pages.last.path, pages.last.query) == ("POST", "/api/workflow", {})
    assert pages.last.headers["authorization"] == f"Bearer {KEY}"
    assert pages.last.body == {
        "type": "cinematic",
        "concept": "Luxury perfume ad with golden tones",
        "quality": "premium",
        "formats": "9:16,1:1",
        "async": True,
    }
    assert (made.id, made.status, made.kind, made.details) == (JOB, "queued", "video", {"message": "Workflow queued"})
    assert (made.credits.quoted, made.credits.charged) == (2, 2)


def test_every_field_of_a_workflow(pages: Pages) -> None:
    pages.say("POST", "/api/workflow", ACCEPTED)
    pages.hook.submit(
        pages.hook.vendor.parse_request(
            {
                "kind": "workflow",
                "type": "clone",
                "url": "https://s.example/v",
                "models": {"image": "i", "video": "v", "voice": "w"},
                "formats": "9:16, 1:1,16:9",
                "seasonal": "eid",
                "framework": "sb7",
                "hitl": "true",
            }
        )
    )
    assert pages.last.body == {
        "type": "clone",
        "url": "https://s.example/v",
        "quality": "standard",
        "models": {"image": "i", "video": "v", "voice": "w"},
        "formats": "9:16,1:1,16:9",
        "seasonal": "eid",
        "framework": "sb7",
        "hitl": True,
        "async": True,
    }


PRICES = {
    "cinematic": (1, 2),
    "avatar": (2, 3),
    "factory": (3, 5),
    "clone": (3, 5),
    "influencer": (8, 15),
    "brand": (15, 25),
    "staticad": (1, 1),
    "painpoint": (1, 1),
    "ad-optimizer": (1, 2),
}


@pytest.mark.parametrize("type_", PRICES)
def test_prices(type_: Any) -> None:
    for quality, price in zip(("standard", "premium"), PRICES[type_], strict=True):
        for formats in (None, ["9:16", "1:1", "16:9"]):
            request = cinematicads.Workflow(
                workflow_type=type_, quality=quality, url="https://s.example/", formats=formats
            )
            assert request.price() == price


def test_the_stream_is_asked_as_the_page_shows(pages: Pages) -> None:
    stream(pages, STEPS + RESULT)
    events = list(pages.hook.stream_workflow(JOB))
    assert (pages.last.method, pages.last.path, pages.last.query) == ("GET", "/api/workflow/stream", {"jobId": JOB})
    assert pages.last.headers["accept"] == "text/event-stream"
    assert pages.last.headers["authorization"] == f"Bearer {KEY}"
    assert [(one.name, one.step, one.progress, one.success) for one in events] == [
        ("step", "art_direction", 20, None),
        ("step", "video_generation", 60, None),
        ("result", None, None, True),
    ]


@pytest.mark.parametrize(
    ("text", "status", "links"),
    [
        (STEPS + RESULT, "completed", 1),
        (STEPS, "processing", 0),
        (STEPS + 'event: result\ndata: {"success":false,"error":"no"}\n\n', "failed", 0),
        ('event: workflow.suspended\ndata: {"jobId":"wf_abc123xyz"}\n\n', "suspended", 0),
        ('event: workflow.failed\ndata: {"error":"no"}\n\n', "failed", 0),
        ('event: workflow.completed\ndata: {"success":false,"error":"no"}\n\n', "failed", 0),
        (STEPS + 'event: video.ready\ndata: {"videoUrl":"https://v.example/a.mp4"}\n\n', "processing", 0),
        (
            'event: workflow.completed\ndata: {"data":{"videos":["https://v.example/a.mp4","https://v.example/b.mp4"]}}\n\n',
            "completed",
            2,
        ),
        ('data: {"event":"workflow.started"}\n\n', "processing", 0),
        (STEPS + RESULT + RESULT.replace("a.mp4", "b.mp4"), "completed", 2),
    ],
)
def test_a_job_is_followed_by_its_stream(pages: Pages, text: str, status: str, links: int) -> None:
    stream(pages, text)
    found = pages.hook.get_generation(JOB)
    assert (found.id, found.status, len(found.creatives)) == (JOB, status, links)
    assert {one.path for one in pages.asked} == {"/api/user/projects", "/api/workflow/stream"}
    assert found.error == ("no" if status == "failed" else None)


@pytest.mark.parametrize("name", ["jobId", "job_id", "workflowId", "id"])
@pytest.mark.parametrize("wrap", [lambda one: [one], lambda one: {"projects": [one]}, lambda one: {"data": [one]}])
def test_a_job_is_found_in_the_list_of_projects(pages: Pages, name: str, wrap: Any) -> None:
    project = {
        name: JOB,
        "type": "cinematic",
        "status": "COMPLETED",
        "formats": "9:16",
        "videoUrl": "https://v.example/a.mp4",
        "createdAt": "2026-03-01T00:00:00Z",
    }
    pages.say("GET", "/api/user/projects", wrap(project))
    found = pages.hook.get_generation(JOB)
    assert (found.status, [one.url for one in found.creatives]) == ("completed", ["https://v.example/a.mp4"])
    assert [one.path for one in pages.asked] == ["/api/user/projects"]


@pytest.mark.parametrize(
    ("word", "status"),
    [("pending", "pending"), ("active", "processing"), ("suspended", "suspended"), ("failed", "failed")],
)
def test_the_words_of_the_list(pages: Pages, word: str, status: str) -> None:
    stream(pages, "")
    for spelled in (word, word.upper()):
        pages.say("GET", "/api/user/projects", {"success": True, "data": [{"jobId": JOB, "status": spelled}]})
        assert pages.hook.get_generation(JOB).status == status


def test_the_account(pages: Pages) -> None:
    hook = pages.hook
    for value in ({"success": True, "data": {"credits": 42}}, {"success": True, "credits": "42"}, {"balance": 42.5}):
        pages.say("GET", "/api/user/credits", value)
        assert both(hook, "get_credits").remaining == 42
    pages.say("GET", "/api/user/stats", {"success": True, "data": {"creditsUsed": 5}})
    assert both(hook, "get_stats", start_date="2026-01-01", end_date=datetime.date(2026, 2, 1)).creditsUsed == 5
    assert pages.last.query == {"startDate": "2026-01-01", "endDate": "2026-02-01"}
    pages.say("GET", "/api/user/analytics", {"success": True, "data": {"trends": []}})
    assert both(hook, "get_analytics", period="90d").trends == []
    assert pages.last.query == {"period": "90d"}
    pages.say(
        "GET",
        "/api/batch/status",
        {"success": True, "data": {"total": 3, "completed": 2, "failed": 1, "pending": 0, "active": 0}},
    )
    batch = both(hook, "get_batch_status", "b1")
    assert pages.last.query == {"batchId": "b1"}
    assert (batch.total, batch.completed, batch.failed, batch.finished) == (3, 2, 1, True)
    pages.say("GET", "/api/user/projects", {"success": True, "data": [{"id": 7, "type": "brand"}]})
    assert [(one.id, one.type) for one in both(hook, "list_projects")] == [(7, "brand")]
    pages.say("GET", "/api/models/status", {"success": True, "data": {"text": True, "image": True, "video": False}})
    assert both(hook, "get_models_status").video is False
    pages.say("GET", "/api/health", {"status": "ok", "version": "1.0.0"})
    assert (both(hook, "get_health").status, hook.get_health().version) == ("ok", "1.0.0")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_brand(pages: Pages, method: str) -> None:
    account = {"name": "B", "colors": {"primary": "#000"}, "tone": "t", "industry": "i", "audience": "a"}
    pages.say("GET", "/api/user/brand", {"success": True, "data": account})
    assert both(pages.hook, "get_brand").target_audience == "a"
    if method == "PUT":
        pages.say("POST", "/api/user/brand", {"success": False, "error": "Method not allowed"}, 405)
    pages.say(method, "/api/user/brand", {"success": True})
    given = {"name": "B", "industry": "i", "tone": "t"}
    found = both(pages.hook, "update_brand", **given, target_audience="a", colors={"primary": "#000"})
    assert (pages.last.method, pages.last.body) == (
        method,
        {**given, "targetAudience": "a", "colors": {"primary": "#000"}},
    )
    assert (found.name, found.target_audience) == ("B", "a")


@pytest.mark.parametrize("kind", ["pdf", "docx", "xlsx", "csv", "txt"])
def test_knowledge(pages: Pages, tmp_path: Path, kind: str) -> None:
    pages.say("POST", "/api/user/brand/knowledge/urls", {"success": True, "data": {"id": "k"}})
    assert both(pages.hook, "add_knowledge_url", "https://s.example/").id == "k"
    assert pages.last.body == {"url": "https://s.example/"}
    file = tmp_path / f"about.{kind}"
    file.write_bytes(b"y" * 1000)
    pages.say("POST", "/api/user/brand/knowledge/files", {"success": True, "data": {"id": "f"}})
    assert both(pages.hook, "add_knowledge_file", str(file)).id == "f"
    assert pages.last.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert f'form-data; name="file"; filename="about.{kind}"'.encode() in pages.last.content
    assert b"y" * 1000 in pages.last.content
    assert pages.last.headers["authorization"] == f"Bearer {KEY}"


def test_knowledge_files_have_limits(pages: Pages, tmp_path: Path) -> None:
    for name, size in (("a.exe", 10), ("a.pdf", (10 << 20) + 1), ("a.txt", 0)):
        file = tmp_path / name
        file.write_bytes(b"\0" * size)
        with pytest.raises(errors.InvalidRequest):
            pages.hook.add_knowledge_file(str(file))
    assert pages.asked == []
    file = tmp_path / "most.pdf"
    file.write_bytes(b"\0" * (10 << 20))
    pages.say("POST", "/api/user/brand/knowledge/files", {"success": True})
    pages.hook.add_knowledge_file(str(file))
    assert len(pages.last.content) > 10 << 20


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_exports(pages: Pages, tmp_path: Path, method: str) -> None:
    pages.say("GET", "/api/user/projects/export", b"PK\x03\x04zip", Content_Type="application/zip")
    stored = pages.hook.export_projects(f"file://{tmp_path}/all.zip")
    assert (tmp_path / "all.zip").read_bytes() == b"PK\x03\x04zip"
    assert (stored.kind, stored.size, pages.last.method) == ("archive", 7, "GET")
    source = "https://v.example/a.mp4?x=1"
    if method == "POST":
        pages.say("GET", "/api/export", {"error": "no"}, 405)
    pages.say(method, "/api/export", FILM, Content_Type="video/mp4")
    pages.hook.export_video(source, f"file://{tmp_path}/a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == FILM
    assert (pages.last.query if method == "GET" else pages.last.body) == {"source": source}
    with pytest.raises(errors.InvalidRequest):
        pages.hook.export_video("http://v.example/a.mp4", f"file://{tmp_path}/b.mp4")


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.ApiError),
        (401, errors.AuthenticationError),
        (402, errors.InsufficientCredits),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (503, errors.ServerError),
    ],
)
@pytest.mark.parametrize("said", ["Insufficient credits. Required: 2, available: 0", "Your trial has expired"])
def test_errors(pages: Pages, status: int, cls: type[errors.ApiError], said: str) -> None:
    pages.say("POST", "/api/workflow", {"success": False, "error": said}, status)
    with pytest.raises(cls) as caught:
        pages.hook.submit(cinematicads.Workflow(workflow_type="cinematic"))
    assert type(caught.value) is cls
    assert said in caught.value.message
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, None, None)
    assert len(pages.asked) == 1
    if isinstance(caught.value, errors.InsufficientCredits) and "Required" in said:
        assert (caught.value.required, caught.value.available) == (2, 0)


def test_the_reset_of_a_rate_limit_is_obeyed(pages: Pages) -> None:
    import time

    reset = str(int(time.time()) + 3000)
    pages.say(
        "POST",
        "/api/workflow",
        {"success": False, "error": "Rate limit exceeded"},
        429,
        X_RateLimit_Limit="10",
        X_RateLimit_Remaining="0",
        X_RateLimit_Reset=reset,
    )
    request = cinematicads.Workflow(workflow_type="cinematic")
    with pytest.raises(errors.RateLimited):
        pages.hook.submit(request)
    with pytest.raises(errors.RateLimited) as again:
        pages.hook.submit(request)
    assert len(pages.asked) == 1  # what would be refused is not sent
    assert again.value.retry_after == pytest.approx(3000, abs=60)


def test_connections_are_rationed(pages: Pages) -> None:
    stream(pages, STEPS)
    for _ in range(10):
        list(pages.hook.stream_workflow(JOB))
    with pytest.raises(errors.RateLimited):
        list(pages.hook.stream_workflow(JOB))
    assert len(pages.asked) == 10


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "local-audit"},
        {"type": "clone"},
        {"type": "factory"},
        {"type": "cinematic", "quality": "ultra"},
        {"type": "cinematic", "formats": ["4:5"]},
        {"type": "cinematic", "formats": "9:16;1:1"},
        {"type": "cinematic", "seasonal": "xmas"},
        {"type": "cinematic", "framework": "swot"},
        {"type": "cinematic", "models": {"text": "x"}},
        {},
    ],
)
def test_limits_are_checked_before_sending(pages: Pages, fields: dict[str, Any]) -> None:
    hook = pages.hook
    with pytest.raises(errors.InvalidRequest):
        hook.submit(hook.vendor.parse_request({"kind": "workflow", **fields}))
    with pytest.raises(errors.InvalidRequest):
        hook.get_analytics(period="1y")
    with pytest.raises(errors.InvalidRequest):
        hook.get_stats(start_date="01.02.2026")
    with pytest.raises(errors.InvalidRequest):
        hook.update_brand(name="")
    assert pages.asked == []
