# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.errors import (
    ApiError,
    ServerError,
    UnexpectedResponse,
)
from airflow_provider_adgen.core.vendor import read_listed
from airflow_provider_adgen.vendors.sume import VENDOR, api
from airflow_provider_adgen.vendors.sume.models import Brand
from tests.support.sequences import answer, drive

FILE = "https://media.sume.so/out/a.mp4"
OTHER = "https://media.sume.so/out/b.mp4"


# --- lists ------------------------------------------------------------------------------------------------------------


def listed(*pages: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    rest, asked = list(pages), []

    def reply(call: Any) -> Any:
        asked.append({name: item for name, item in call.query.items() if item is not None})
        return rest.pop(0)

    return drive(api.list_jobs(type="video_generation"), {"/jobs": reply}), asked


def page(*ids: str, more: Any = False, cursor: Any = None) -> dict[str, Any]:
    rows = [{"id": one, "status": "queued"} for one in ids]
    return {"object": "list", "data": rows, "has_more": more, "next_cursor": cursor}


def test_all_pages_of_a_list_are_read() -> None:
    found, asked = listed(page("a", "b", more=True, cursor="c1"), page(more=True, cursor="c2"), page("c"))
    assert [job.id for job in found] == ["a", "b", "c"]
    assert asked == [
        {"type": "video_generation"},
        {"type": "video_generation", "cursor": "c1"},
        {"type": "video_generation", "cursor": "c2"},
    ]


def test_the_empty_list_of_the_documentation() -> None:
    assert listed({"object": "list", "data": [], "has_more": False, "next_cursor": None})[0] == []


@pytest.mark.parametrize(
    "last", [page("b", cursor="c9"), {"data": [{"id": "b", "status": "x"}]}, [{"id": "b", "status": "x"}]]
)
def test_where_a_list_ends(last: Any) -> None:
    found, asked = listed({"data": [{"id": "a", "status": "x"}], "next_cursor": "c1"}, last)
    assert [job.id for job in found] == ["a", "b"]
    assert len(asked) == 2


@pytest.mark.parametrize(
    "pages",
    [
        [page("a", more=True)],
        [page("a", more=True, cursor="")],
        [page("a", more=True, cursor="c1"), page("b", more=True, cursor="c1")],
        [{"data": {}}],
        [{"jobs": []}],
        ["x"],
        [page("a") | {"data": [{"status": "queued"}]}],
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_told(pages: list[Any]) -> None:
    with pytest.raises(UnexpectedResponse, match="GET /jobs"):
        listed(*pages)


def list_jobs(*pages: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    rest, asked = list(pages), []

    def reply(call: Any) -> Any:
        asked.append({name: item for name, item in call.query.items() if item is not None})
        return rest.pop(0)

    listed = [read_listed(one) for one in drive(VENDOR.list_jobs(), {"/jobs": reply})]
    return [one for one in listed if one is not None], asked


def test_the_overview_lists_jobs_as_generations() -> None:
    row = {"id": "job_1", "status": "completed", "type": "image_generation", "created_at": "2026-05-01T10:00:00Z"}
    rows = [row, {"odd": 1}, 5, {"id": "job_0"}]
    found, asked = list_jobs({"data": rows, "has_more": True, "next_cursor": "c"}, page("job_2"))
    assert [(one.id, str(one.status), one.kind) for one in found] == [
        ("job_1", "completed", "image"),
        ("job_2", "queued", "video"),
    ]
    assert [one.kind_guessed for one in found] == [False, True]
    assert found[0].created_at is not None
    assert asked == [{"limit": 100}, {"limit": 100, "cursor": "c"}]


def test_the_overview_does_without_a_limit_that_is_refused() -> None:
    refused = ApiError("limit must be at most 50", vendor="sume", status=400)
    found, asked = list_jobs(refused, page("job_1", more=True, cursor="c"), page("job_2"))
    assert [one.id for one in found] == ["job_1", "job_2"]
    assert asked == [{"limit": 100}, {}, {"cursor": "c"}]
    with pytest.raises(ApiError):
        list_jobs(refused, refused)
    with pytest.raises(ServerError):
        list_jobs(ServerError("no", status=500))


# --- credits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "remaining", "in_flight"),
    [
        ({"remaining": 900}, 900, None),
        ({"remaining_credits": 900, "active_generation_capacity": 5}, 900, 5),
        ({"credits_remaining": "900", "active_generation_limit": 5}, 900, 5),
        ({"balance": 900.7}, 900, None),
        ({"credits": {"monthly": 1000, "bonus": 5, "remaining": 900}, "capacity": {"active": 1, "limit": 3}}, 900, 3),
        ({"data": {"credits": {"remaining": 900}, "active_generations": {"active": 1, "max": 3}}}, 900, 3),
        ({"remaining": {"total": 900, "monthly": 800, "bonus": 100}}, 900, None),
        ({"balance": {"available": 900}}, 900, None),
        ({"remaining": 0, "remaining_credits": 7}, 0, None),
        ({"remaining": None, "remaining_credits": 7}, 7, None),
        # What is not the remaining credits.
        ({"plan": "pro", "credits": 900}, None, None),
        ({"monthly": {"remaining": 5}, "bonus": {"remaining": 5}}, None, None),
        ({"monthly_credits": 5, "active_generations": 2}, None, None),
        ({"remaining": True}, None, None),
        ({"remaining": "many"}, None, None),
        ({}, None, None),
    ],
)
def test_credits_are_read_under_any_likely_name(value: Any, remaining: int | None, in_flight: int | None) -> None:
    found = VENDOR.credits().parse(answer(value))
    assert (found.remaining, found.in_flight_limit) == (remaining, in_flight)


def test_used_and_limit_are_read_where_they_are_told() -> None:
    found = VENDOR.credits().parse(answer({"credits": {"used": 5, "limit": 1000}, "capacity": {"limit": 3}}))
    assert (found.used, found.limit, found.in_flight_limit) == (5, 1000, 3)
    only = VENDOR.credits().parse(answer({"capacity": {"limit": 3}}))
    assert (only.limit, only.in_flight_limit) == (None, 3)


@pytest.mark.parametrize("text", ["Infinity", "NaN", "1e400", "-1e400", '"1e400"', '"nan"'])
def test_credits_that_are_no_number(text: str) -> None:
    assert VENDOR.credits().parse(answer(f'{{"remaining": {text}}}'.encode())).remaining is None


@pytest.mark.parametrize("value", [[], None, "x", b"", b"<html>"])
def test_credits_that_cannot_be_read(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match="GET /credits"):
        VENDOR.credits().parse(answer(value))


# --- other answers ----------------------------------------------------------------------------------------------------


def test_the_asset_of_the_documentation() -> None:
    value = {
        "id": "asset_...",
        "object": "asset",
        "title": "Scene 1",
        "media_url": "https://media.sume.so/...",
        "thumbnail_url": "...",
        "start_time_seconds": 0,
        "end_time_seconds": 4.2,
        "metadata": {"visual_summary": "...", "cta_present": False},
        "search": {"mode": "text", "score": 0.84, "query": "..."},
    }
    found = api.get_asset("asset_...").parse(answer(value))
    assert found.model_dump(mode="json", exclude_unset=True) == value
    assert (found.status, found.search["score"]) == (None, 0.84)
    assert "media.sume.so" not in repr(found)


def test_a_scene_has_one_name_for_its_video() -> None:
    other = {"id": "asset_1", "clip_url": FILE, "source_media_url": OTHER}
    assert api.get_asset("asset_1").parse(answer(other)).media_url == FILE
    assert api.get_asset("asset_1").parse(answer({**other, "media_url": None})).media_url == FILE
    wrapped = {"object": "asset", "asset": {"id": "asset_1", "media_url": FILE, "status": "ready"}}
    assert api.get_asset("asset_1").parse(answer(wrapped)).media_url == FILE


def test_a_brand_has_images_to_refer_to() -> None:
    value = {"object": "brand", "id": "b", "images": [{"reference_url": "https://m.example/r.png", "role": "logo"}]}
    found = api.get_current_brand().parse(answer(value))
    assert [image.reference_url for image in found.images] == ["https://m.example/r.png"]
    assert found.images[0].model_extra == {"role": "logo"}
    assert "m.example" not in repr(found)
    assert Brand.model_validate({"images": "none"}).images == []


def test_what_nobody_needs_may_be_anything() -> None:
    found = api.get_avatar("a").parse(answer({"id": 7, "name": {"en": "Nora"}, "slug": 5, "capabilities": ["x"]}))
    assert (found.id, found.name, found.slug, found.capabilities) == ("7", None, "5", ["x"])
    me = api.get_me().parse(answer({"data": {"user": {"name": "N"}, "workspace": "w", "api_key": None}}))
    assert (me.user, me.workspace, me.api_key) == ({"name": "N"}, {}, {})


@pytest.mark.parametrize("value", [{}, {"id": None}, {"id": {}}, [], None])
def test_what_is_needed_must_be_there(value: Any) -> None:
    for call in (api.get_avatar("a"), api.get_asset("a")):
        with pytest.raises(UnexpectedResponse):
            call.parse(answer(value))


@pytest.mark.parametrize("value", ["", "  ", "..", None, 5, "\ud800"])
def test_an_id_must_fit_into_a_path(value: Any) -> None:
    from airflow_provider_adgen.core.errors import InvalidRequest

    for build in (api.get_job, api.get_job_result, api.get_asset, api.get_avatar):
        with pytest.raises(InvalidRequest):
            build(value)


def test_ids_do_not_leave_their_place_in_the_path() -> None:
    assert api.get_job("a/../b?c").path == "/jobs/a%2F..%2Fb%3Fc"


def test_all_that_is_said_of_credits_is_kept() -> None:
    told = {
        "object": "credits",
        "plan": {"name": "Team", "credits": 500},
        "monthly_credits": 500,
        "bonus_credits": 25,
        "remaining_credits": 310.5,
        "portal": "https://www.sume.so/billing?token=s3cr3t",
    }
    balance = api.get_credits().parse(answer(told))
    assert (balance.remaining, balance.limit) == (310, None)
    kept = {"plan": told["plan"], "monthly_credits": 500, "bonus_credits": 25, "remaining_credits": 310.5}
    assert balance.details == kept
    assert "Team" not in repr(balance)
    wrapped = api.get_credits().parse(answer({"data": {"credits": {"monthly": 5, "bonus": 1, "remaining": 6}}}))
    assert (wrapped.remaining, wrapped.details) == (6, {"monthly": 5, "bonus": 1, "remaining": 6})
