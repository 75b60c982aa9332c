# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    Conflict,
    InvalidRequest,
    NotFound,
    ServerError,
)
from airflow_provider_adgen.hooks.sume import SumeHook
from airflow_provider_adgen.vendors.sume import FaceSwap, Image
from tests.support.tiny import Reply, Tiny
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sume_live_secret123"
ERROR = {"error": {"code": "nope", "message": "No.", "details": {}}, "request_id": "req_1"}


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


@pytest.fixture
def hook(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> SumeHook:
    extra = {"timeout": 10, "headers": {"X-Team": "ads"}}
    value = {"conn_type": "sume", "host": f"{tiny.url}/api/v1", "password": KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(value))
    return SumeHook()


@pytest.fixture(params=WIRES)
def both(request: pytest.FixtureRequest, hook: SumeHook) -> Both:
    return caller(hook, request.param)


def page(*rows: Any, cursor: str | None = None) -> Reply:
    return Reply({"object": "list", "data": list(rows), "has_more": cursor is not None, "next_cursor": cursor})


# --- endpoints ----------------------------------------------------------------------------------------------------


def test_every_method_of_the_design_is_there_twice() -> None:
    names = (
        "get_me list_brands get_current_brand list_avatars get_avatar list_jobs get_job_result presign_upload upload "
        "finalize_asset list_assets get_asset get_credits submit get_generation download test_connection"
    )
    for name in names.split():
        for method in (getattr(SumeHook, name), getattr(SumeHook, f"a{name}")):
            assert method.__doc__


def test_single_things(tiny: Tiny, both: Both) -> None:
    tiny.routes = {
        "GET /api/v1/me": Reply({"user": {"name": "N"}, "workspace": {"id": "w"}, "api_key": {"prefix": "sume_live_"}}),
        "GET /api/v1/credits": Reply({"remaining_credits": 12, "active_generation_capacity": 3}),
        "GET /api/v1/brand/current": Reply({"id": "b", "domain": "shoes.example"}),
        "GET /api/v1/avatars/av_1": Reply({"id": "av_1", "name": "Nora"}),
        "GET /api/v1/jobs/job_1/result": Reply({"id": "job_1", "status": "completed", "result": {"x": 1}}),
        "GET /api/v1/assets/as_1": Reply({"id": "as_1", "title": "Scene 1"}),
    }
    assert both("get_me").api_key == {"prefix": "sume_live_"}
    balance = both("get_credits")
    assert (balance.remaining, balance.in_flight_limit) == (12, 3)
    assert both("get_current_brand").domain == "shoes.example"
    assert both("get_avatar", "av_1").name == "Nora"
    assert both("get_job_result", "job_1").result == {"x": 1}
    assert both("get_asset", "as_1").title == "Scene 1"
    assert both("test_connection") == (True, "Sume accepted the key.")
    assert len(tiny.asked) == 7
    assert {one.headers["authorization"] for one in tiny.asked} == {f"Bearer {KEY}"}
    assert not any("x-api-key" in one.headers for one in tiny.asked)


@pytest.mark.parametrize(
    ("method", "path", "filters"),
    [
        ("list_brands", "/brand", {"domain": "shoes.example"}),
        ("list_avatars", "/avatars", {}),
        ("list_jobs", "/jobs", {"type": "video_generation", "status": "queued"}),
        ("list_assets", "/assets", {"q": "hook", "search_mode": "auto", "sort": "relevance", "cta_present": True}),
    ],
)
def test_lists_are_read_page_by_page(tiny: Tiny, both: Both, method: str, path: str, filters: dict[str, Any]) -> None:
    rows = [{"id": f"x{index}", "status": "queued"} for index in range(3)]
    tiny.routes[f"GET /api/v1{path}"] = [page(*rows[:2], cursor="c1"), page(rows[2])]
    assert [one.id for one in both(method, **filters, limit=2)] == ["x0", "x1", "x2"]
    sent = {name: "true" if value is True else value for name, value in filters.items()}
    assert [one.query for one in tiny.asked] == [{**sent, "limit": "2"}, {**sent, "limit": "2", "cursor": "c1"}]


def test_a_page_is_only_asked_for_when_it_is_needed(tiny: Tiny, hook: SumeHook) -> None:
    tiny.routes["GET /api/v1/avatars"] = [page({"id": "a"}, cursor="c1"), page({"id": "b"})]
    avatars = hook.list_avatars(cursor="c0")
    assert next(avatars).id == "a"
    assert [one.query for one in tiny.asked] == [{"cursor": "c0"}]


def test_all_filters_of_the_library_are_sent(tiny: Tiny, both: Both) -> None:
    tiny.routes["GET /api/v1/assets"] = page()
    filters: dict[str, Any] = {
        "source_type": "upload",
        "segment_type": "hook",
        "brand": "B",
        "product": "P",
        "tag": "T",
        "keyword": "K",
        "cta_present": False,
        "min_duration_seconds": 1.5,
        "max_duration_seconds": "4",
        "created_before": "2026-05-01",
    }
    after = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert both("list_assets", **filters, created_after=after) == []
    assert tiny.asked[0].query == {
        **{name: str(value) for name, value in filters.items()},
        "cta_present": "false",
        "created_after": "2026-01-01T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("list_jobs", {"limit": 0}),
        ("list_jobs", {"limit": True}),
        ("list_jobs", {"cursor": ""}),
        ("list_assets", {"search_mode": "vector"}),
        ("list_assets", {"sort": "random"}),
        ("list_assets", {"cta_present": "perhaps"}),
        ("list_assets", {"min_duration_seconds": -1}),
        ("list_assets", {"created_after": "yesterday"}),
        ("list_assets", {"created_before": 5}),
        ("finalize_asset", {"object_key": ""}),
        ("finalize_asset", {"object_key": "k", "workspace_id": "w"}),
        ("get_asset", {"asset_id": " "}),
        ("presign_upload", {"file_name": "a", "content_type": "video", "size": 1, "purpose": "asset_library_video"}),
        ("presign_upload", {"file_name": "", "content_type": "a/b", "size": 1, "purpose": "asset_library_video"}),
        ("presign_upload", {"file_name": "a", "content_type": "a/b", "size": 0, "purpose": "asset_library_video"}),
        ("presign_upload", {"file_name": "a", "content_type": "a/b", "size": 1, "purpose": "fun"}),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    tiny: Tiny, both: Both, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was sent"):
        both(method, **arguments)
    assert tiny.asked == []


def test_the_names_of_a_presign_request_can_be_changed(tiny: Tiny, both: Both) -> None:
    tiny.routes["POST /api/v1/uploads/presign"] = Reply({"upload_url": "https://s.example/put"})
    given = ("a.mp4", "video/mp4", 5, "asset_library_video")
    both("presign_upload", *given)
    both("presign_upload", *given, field_names={"size": "size_bytes", "file_name": "filename"})
    assert [one.json() for one in tiny.asked] == [
        {"file_name": "a.mp4", "content_type": "video/mp4", "size": 5, "purpose": "asset_library_video"},
        {"filename": "a.mp4", "content_type": "video/mp4", "size_bytes": 5, "purpose": "asset_library_video"},
    ]
    for wrong in ({"size": "purpose"}, {"weight": "size"}, {"size": "a b"}):
        with pytest.raises(InvalidRequest):
            both("presign_upload", *given, field_names=wrong)


def test_finalising_sends_further_fields(tiny: Tiny, both: Both) -> None:
    tiny.routes["POST /api/v1/assets"] = Reply({"object": "asset_upload", "asset_id": "as_1", "status": "queued"}, 202)
    found = both("finalize_asset", "uploads/k", title="Launch")
    assert (found.asset_id, found.status) == ("as_1", "queued")
    assert tiny.asked[0].json() == {"title": "Launch", "object_key": "uploads/k"}


def test_errors_keep_the_request_id(tiny: Tiny, both: Both) -> None:
    tiny.routes = {
        "GET /api/v1/me": Reply(ERROR, 401),
        "GET /api/v1/avatars/a": Reply(ERROR, 404),
        "POST /api/v1/assets": Reply(ERROR, 409),
    }
    for cls, method, arguments in (
        (AuthenticationError, "get_me", ()),
        (NotFound, "get_avatar", ("a",)),
        (Conflict, "finalize_asset", ("k",)),
    ):
        with pytest.raises(cls) as found:
            both(method, *arguments)
        assert (found.value.request_id, found.value.code) == ("req_1", "nope")
        assert KEY not in str(found.value)
    assert both("test_connection")[0] is False
    # Finalising is not repeated: whether that makes a second asset is not documented.
    assert tiny.paths().count("POST /api/v1/assets") == 1


# --- paid ---------------------------------------------------------------------------------------------------------


def test_a_paid_request_is_sent_once_and_followed(tiny: Tiny, both: Both) -> None:
    tiny.routes = {
        "POST /api/v1/images/generations": Reply({"object": "image_generation", "job": {"id": "job_1"}}, 202),
        "GET /api/v1/jobs/job_1": Reply({"id": "job_1", "status": "running", "type": "image_generation"}),
    }
    submitted = both("submit", Image(prompt="A shoe", image_count=1))
    assert (submitted.id, submitted.kind, str(submitted.status)) == ("job_1", "image", "queued")
    assert str(both("get_generation", "job_1").status) == "processing"
    assert tiny.asked[0].json() == {"prompt": "A shoe", "image_count": 1}


def test_several_jobs_are_asked_for_together(tiny: Tiny, both: Both) -> None:
    tiny.routes = {
        "POST /api/v1/face-swap": Reply({"object": "face_swap", "jobs": [{"id": "job_1"}, {"id": "job_2"}]}, 202),
        **{
            f"GET /api/v1/jobs/job_{index}{end}": Reply(
                {"id": f"job_{index}", "status": "completed", "result": {"url": f"https://m.example/{index}.mp4"}}
            )
            for index in (1, 2)
            for end in ("", "/result")
        },
    }
    submitted = both("submit", FaceSwap(source_video_url="https://m.example/a.mp4", avatar_ids=["a", "b"]))
    assert submitted.job_ids == ["job_1", "job_2"]
    found = both("get_generation", "job_1,job_2")
    assert [one.url for one in found.creatives] == ["https://m.example/1.mp4", "https://m.example/2.mp4"]
    assert (found.id, str(found.status)) == ("job_1", "completed")


@pytest.mark.parametrize(("status", "cls"), [(500, ServerError), (503, ServerError), (400, ApiError)])
def test_a_paid_request_is_never_repeated(tiny: Tiny, both: Both, status: int, cls: type[ApiError]) -> None:
    tiny.routes["POST /api/v1/images/generations"] = Reply(ERROR, status)
    with pytest.raises(cls):
        both("submit", Image(prompt="A shoe"))
    assert len(tiny.asked) == 1


def test_an_idempotency_key_is_refused(tiny: Tiny, both: Both) -> None:
    with pytest.raises(InvalidRequest, match="no idempotency keys"):
        both("submit", Image(prompt="A shoe"), idempotency_key="k")
    assert tiny.asked == []


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (None, {"authorization": f"Bearer {KEY}"}),
        ("bearer", {"authorization": f"Bearer {KEY}"}),
        ("x-api-key", {"x-api-key": KEY}),
    ],
)
def test_an_existing_key_goes_into_the_header_that_the_connection_names(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, auth: str | None, sent: dict[str, str]
) -> None:
    extra = {"timeout": 10, "auth": auth}
    value = {"conn_type": "sume", "host": f"{tiny.url}/api/v1", "password": KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(value))
    tiny.routes |= {
        "GET /api/v1/credits": Reply({"remaining_credits": 3}),
        "POST /api/v1/images/generations": Reply({"job_id": "job_1"}),
    }
    assert SumeHook().get_credits().remaining == 3
    SumeHook().submit(Image(prompt="p"))
    for asked in tiny.asked:
        found = {name: text for name, text in asked.headers.items() if name in {"authorization", "x-api-key"}}
        assert found == sent
