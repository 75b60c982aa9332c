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
from airflow_provider_adgen.core.errors import ApiError, DownloadError, UnexpectedResponse
from airflow_provider_adgen.core.vocabulary import Generation
from airflow_provider_adgen.vendors.cutx import VENDOR, api
from tests.support.sequences import answer, drive

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
SUBJECT = {"project_id": PROJECT, "product_id": PROJECT}
COPY = {"kind": "copy", **SUBJECT, "platform": "meta", "format": "short", "tone": "bold"}
VIDEO = {"kind": "video", **SUBJECT, "script": "Hey! You need this."}
STATUS = "/api/generate/status"

NAMES = [
    "id",
    "jobId",
    "job_id",
    "type",
    "status",
    "assets",
    "url",
    "createdAt",
    "created_at",
    "completedAt",
    "completed_at",
    "creditsUsed",
    "credits_used",
    "creditsRemaining",
    "variants",
    "hook",
    "body",
    "cta",
    "hashtags",
    "result",
    "output",
    "data",
    "error",
    "message",
    "code",
    "issues",
    "details",
    "errors",
    "path",
    "fieldErrors",
    "reason",
    "balance",
    "lifetime_used",
    "lifetimePurchased",
    "projects",
    "products",
    "project",
    "product",
    "user",
    "name",
    "price",
    "images",
    "image_url",
    "imageUrl",
    "is_primary",
    "isPrimary",
    "features",
    "product_count",
    "productCount",
    "expiresAt",
    "email",
    "email_verified",
    "model_config",
    "copy",
    "json",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from(NAMES) | st.text(max_size=4)
words = st.sampled_from(
    ["completed", "failed", "queued", "reused", "copy", "image", "https://m.example/x.mp4", "j1", "3"]
)
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=7)


def readers() -> list[Callable[[Any], Any]]:
    calls: list[Call[Any]] = [
        *(VENDOR.submit(VENDOR.parse_request(one), None) for one in (COPY, VIDEO)),
        VENDOR.credits(),
        VENDOR.check(),
        api.job("j1"),
        api.create_project(name="n"),
        api.ingest_product(url="https://shop.example/x"),
        next(api.list_projects()),
        next(api.list_products(PROJECT)),
    ]
    return [call.parse for call in calls]


READERS = readers()


@settings(max_examples=200, deadline=None)
@given(objects | values)
def test_anything_parses_or_is_an_unexpected_response(value: Any) -> None:
    for read in READERS:
        try:
            read(answer(value))
        except UnexpectedResponse as error:
            assert error.vendor == "cutx"


@settings(max_examples=200, deadline=None)
@given(objects, st.sampled_from([COPY, VIDEO]))
def test_a_paid_answer_with_a_job_is_never_lost(value: dict[str, Any], request: dict[str, Any]) -> None:
    call = VENDOR.submit(VENDOR.parse_request(request), None)
    found = call.parse(answer({**value, "jobId": "j1", "job_id": "j1"}))
    assert found.id == "j1"
    assert found.succeeded == (bool(found.variants) and request is COPY and found.finished)
    assert Generation.from_xcom(json.loads(json.dumps(found.to_xcom(urls=False)))).id == "j1"


@settings(max_examples=200, deadline=None)
@given(objects | values, st.sampled_from([None, "copy", "image", "video", "else"]))
def test_any_job_becomes_a_generation_or_is_unexpected(job: Any, kind: str | None) -> None:
    if isinstance(job, dict):
        job = {"status": "completed", **job}
    try:
        found = drive(VENDOR.fetch(("j1",), kind), {STATUS: job})
    except (UnexpectedResponse, DownloadError):
        return
    assert found.id == "j1"
    assert all(creative.url.startswith("http") for creative in found.creatives)
    assert Generation.from_xcom(json.loads(json.dumps(found.to_xcom(urls=True)))).id == "j1"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | (objects | values).map(lambda value: json.dumps(value).encode()))
def test_an_error_of_any_bytes_is_an_error(content: bytes) -> None:
    for status in (400, 401, 402, 500):
        error = VENDOR.error(Answer(status, {}, content), "GET /x", "a.b.c")
        assert isinstance(error, ApiError) and error.message


@pytest.mark.parametrize(
    "deep", [b"[" * 5000 + b"]" * 5000, b'{"data":' * 400 + b"1" + b"}" * 400, b'{"jobId":' + b"9" * 5000 + b"}"]
)
def test_a_monstrous_answer_is_no_disaster(deep: bytes) -> None:
    for read in READERS:
        with contextlib.suppress(UnexpectedResponse):
            read(Answer(200, {}, deep))
    assert VENDOR.problem(Answer(500, {}, deep)).code is None
