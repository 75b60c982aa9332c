# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_adgen.core.calls import Answer, Call
from airflow_provider_adgen.core.errors import (
    ApiError,
    UnexpectedResponse,
)
from airflow_provider_adgen.core.reading import as_int, unwrapped
from airflow_provider_adgen.core.vocabulary import Generation
from airflow_provider_adgen.vendors.sume import VENDOR, api, shapes, uploads
from tests.support.sequences import answer, drive

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST = {"kind": "video", "prompt": "p"}
SWAP = {"kind": "face-swap", "source_video_url": "https://m.example/a.mp4", "avatar_ids": ["a", "b"]}
ANALYSIS = {"kind": "reference-analysis", "url": "https://www.tiktok.com/@a/video/1"}
FILE = "https://media.sume.so/out/a.mp4"


# --- anything at all --------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = [
    "id",
    "job",
    "job_id",
    "jobs",
    "job_ids",
    "data",
    "object",
    "status",
    "type",
    "error",
    "result",
    "results",
    "output",
    "outputs",
    "url",
    "video_url",
    "media_url",
    "images",
    "videos",
    "created_at",
    "completed_at",
    "required_credits",
    "asset",
    "assets",
    "asset_id",
    "upload",
    "upload_url",
    "object_key",
    "required_headers",
    "credits",
    "remaining",
    "balance",
    "capacity",
    "limit",
    "total",
    "has_more",
    "next_cursor",
    "message",
    "code",
    "details",
    "request_id",
    "metadata",
    "search",
    "expires_at",
    "user",
    "workspace",
    "api_key",
    "account",
    "brand",
    "avatar",
]
names = st.sampled_from(NAMES) | st.text(max_size=4)
words = st.sampled_from(["completed", "failed", "queued", FILE, "https://m.example/x?y=1", "job_1", ""])
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=7)


def readers() -> list[Callable[[Any], Any]]:
    requests = [VENDOR.parse_request(one) for one in (REQUEST, SWAP, ANALYSIS)]
    calls: list[Call[Any]] = [
        *(VENDOR.submit(request, None) for request in requests),
        VENDOR.credits(),
        VENDOR.check(),
        api.get_job("job_1"),
        api.get_job_result("job_1"),
        api.get_current_brand(),
        api.get_avatar("a"),
        api.get_asset("a"),
        uploads.presign_upload("a.mp4", "video/mp4", 5, "asset_library_video"),
        uploads.finalize_asset("key"),
    ]
    lists = [api.list_brands, api.list_avatars, api.list_jobs, api.list_assets, VENDOR.list_jobs]

    def first_page(build: Callable[[], Any]) -> Callable[[Any], Any]:
        return lambda value: next(build()).parse(value)

    return [*(call.parse for call in calls), *map(first_page, lists)]


READERS = readers()


@settings(max_examples=150, deadline=None)
@given(objects | values)
def test_anything_parses_or_is_an_unexpected_response(value: Any) -> None:
    for read in READERS:
        try:
            read(answer(value))
        except UnexpectedResponse as error:
            assert error.vendor == "sume"


@settings(max_examples=150, deadline=None)
@given(objects | values, objects | values)
def test_any_job_and_any_result_become_a_generation_or_are_unexpected(job: Any, result: Any) -> None:
    if isinstance(job, dict):
        job = {"status": "completed", **job}
    try:
        found = drive(VENDOR.fetch(("job_1",), "video"), {"/jobs/job_1": job, "/jobs/job_1/result": result})
    except UnexpectedResponse:
        return
    assert found.id == "job_1"
    assert Generation.from_xcom(json.loads(json.dumps(found.to_xcom(urls=True)))).id == "job_1"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | objects.map(lambda value: json.dumps(value).encode()))
def test_an_error_of_any_bytes_is_an_error(content: bytes) -> None:
    for status in (400, 402, 429, 500):
        error = VENDOR.error(Answer(status, {}, content), "GET /me", "sume_live_x")
        assert isinstance(error, ApiError) and error.message


@settings(max_examples=150, deadline=None)
@given(values)
def test_readers_of_shapes_never_raise(value: Any) -> None:
    value = json.loads(json.dumps(value))
    shapes.links(value, "video")
    as_int(value)
    if isinstance(value, dict):
        shapes.job_refs(value)
        shapes.balance(value)
        unwrapped(value, "job")


@pytest.mark.parametrize("deep", [b"[" * 5000 + b"]" * 5000, b'{"data":' * 400 + b"1" + b"}" * 400])
def test_a_deeply_nested_answer_is_no_disaster(deep: bytes) -> None:
    for read in READERS:
        with contextlib.suppress(UnexpectedResponse):
            read(Answer(200, {}, deep))
    assert VENDOR.problem(Answer(500, {}, deep)).code is None
