# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.calls import Answer
from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    Conflict,
    InsufficientCredits,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    ServerError,
)
from airflow_provider_adgen.vendors.sume import VENDOR
from tests.support.sequences import answer

# --- errors -----------------------------------------------------------------------------------------------------------

ERROR = {
    "error": {"code": "insufficient_credits", "message": "Not enough credits for this request.", "details": {}},
    "request_id": "req_...",
}


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, ApiError),
        (401, AuthenticationError),
        (402, InsufficientCredits),
        (403, PermissionDenied),
        (404, NotFound),
        (409, Conflict),
        (413, PayloadTooLarge),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
    ],
)
def test_every_documented_error_keeps_the_request_id(status: int, cls: type[ApiError]) -> None:
    error = VENDOR.error(answer(ERROR, status), "POST /images/generations")
    assert type(error) is cls
    assert (error.status, error.code, error.request_id) == (status, "insufficient_credits", "req_...")
    assert "Not enough credits for this request." in error.message
    assert "Request id: req_...." in error.message


def test_what_was_required_is_read_where_it_is_told() -> None:
    value = {**ERROR, "error": {**ERROR["error"], "details": {"required": 4, "available": 3, "ok": True, "x": "y"}}}
    error = VENDOR.error(answer(value, 402), "POST /x")
    assert isinstance(error, InsufficientCredits)
    assert (error.required, error.available) == (4, 3)
    bare = VENDOR.error(answer(ERROR, 402), "POST /x")
    assert isinstance(bare, InsufficientCredits)
    assert (bare.required, bare.available) == (None, None)


@pytest.mark.parametrize(
    ("value", "message", "request_id"),
    [
        ({"error": "Nope"}, "Nope", None),
        ({"message": "Nope"}, "Nope", None),
        ({"error": {"message": 5, "code": ["x"]}}, "5", None),
        ({"error": {"message": "a", "request_id": "req_1"}}, "a", "req_1"),
        ({"error": None, "request_id": 7}, "", "7"),
        ([], "", None),
        (None, "", None),
        (b"<html>", "", None),
        (b"\xff\xfe", "", None),
    ],
)
def test_other_error_bodies(value: Any, message: str, request_id: str | None) -> None:
    found = VENDOR.problem(answer(value, 500))
    assert (found.message, found.request_id) == (message, request_id)


def test_a_request_id_may_come_as_a_header() -> None:
    for body in (b"", b"{}", b"[]"):
        assert VENDOR.problem(Answer(502, {"x-request-id": "req_h"}, body)).request_id == "req_h"


def test_a_key_and_a_signed_url_do_not_show_in_errors() -> None:
    key = "sume_live_abcdef123456"
    said = f"Bad key {key} at https://media.sume.so/a.mp4?sig=secret"
    text = VENDOR.error(answer({"error": {"message": said}}, 401), "GET /me", key).message
    assert key not in text and "secret" not in text
