# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.calls import Answer
from airflow_provider_adgen.core.decisions.posting import classify_submit_error
from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    Conflict,
    InsufficientCredits,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
)
from airflow_provider_adgen.vendors.cutx import VENDOR
from tests.support.sequences import answer

POST = "POST /api/generate/video"


@pytest.mark.parametrize(
    ("status", "cls", "nothing_started"),
    [
        (400, ApiError, True),
        (401, AuthenticationError, True),
        (402, InsufficientCredits, True),
        (403, PermissionDenied, True),
        (404, NotFound, True),
        (429, RateLimited, True),
        # On no page: whether a job was started is not known.
        (409, Conflict, False),
        (422, ApiError, False),
        (500, ServerError, False),
        (502, ServerError, False),
        (503, ServerError, False),
    ],
)
def test_every_status_and_what_it_proves(status: int, cls: type[ApiError], nothing_started: bool) -> None:
    error = VENDOR.error(answer({"error": "Bad", "message": "No luck today"}, status), POST)
    assert type(error) is cls
    assert (error.status, error.vendor, error.endpoint, error.code) == (status, "cutx", POST, "Bad")
    assert error.message.startswith(f"CutX answered {status} to {POST} (Bad): No luck today.")
    assert classify_submit_error(error, VENDOR.promises).nothing_started == nothing_started


def test_the_one_error_that_a_page_shows() -> None:
    found = VENDOR.problem(answer({"error": "Forbidden", "message": "Missing permission: admin.users.view"}, 403))
    assert (found.message, found.code) == ("Missing permission: admin.users.view", "Forbidden")


@pytest.mark.parametrize(
    ("value", "message", "code"),
    [
        ({"error": "Nope"}, "Nope", None),
        ({"message": "Nope"}, "Nope", None),
        ({"error": "Nope", "code": "NOPE"}, "Nope", "NOPE"),
        ({"error": {"message": "Nope", "code": "NOPE"}}, "Nope", "NOPE"),
        ({"error": {"message": 5}}, "", None),
        ({"error": True, "message": ["x"]}, "", None),
        ({"error": None}, "", None),
        ("Nope", "Nope", None),
        ([], "", None),
        (None, "", None),
        (5, "", None),
        (b"", "", None),
        (b"<html>Bad gateway</html>", "", None),
        (b"\xff\xfe", "", None),
        (b"[" * 100_000, "", None),
        (b"1" * 10_000, "1" * 10_000, None),
    ],
)
def test_other_error_bodies(value: Any, message: str, code: str | None) -> None:
    found = VENDOR.problem(answer(value, 400))
    assert (found.message, found.code) == (message, code)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"error": "Invalid input", "details": [{"path": ["script"], "message": "Too short"}, {"message": "Odd"}]},
            "Invalid input; script: Too short; Odd",
        ),
        ({"error": {"name": "ZodError", "issues": [{"path": ["a", 0], "message": "Bad"}]}}, "a.0: Bad"),
        ({"error": "Invalid", "issues": [{"path": "a", "message": "Bad"}]}, "Invalid; a: Bad"),
        ({"message": "Invalid", "errors": [{"path": None, "message": "Bad"}]}, "Invalid; Bad"),
        ({"error": {"fieldErrors": {"tone": ["Required", "Invalid"]}}}, "tone: Required"),
        ({"error": "Invalid", "details": {"fieldErrors": {"tone": ["Required"]}}}, "Invalid; tone: Required"),
        ({"error": "Invalid", "details": {"fieldErrors": {"tone": "Required", "a": [], "b": [5]}}}, "Invalid"),
        ({"error": "Invalid", "details": [None, 5, {"message": 5}, []], "issues": {"a": 1}}, "Invalid"),
    ],
)
def test_what_a_validation_found_is_said(value: Any, message: str) -> None:
    assert VENDOR.problem(answer(value, 400)).message == message


def test_what_was_required_is_read_where_it_is_told() -> None:
    error = VENDOR.error(answer({"error": "Insufficient credits. Required: 40, available: 12"}, 402), POST)
    assert isinstance(error, InsufficientCredits)
    assert (error.required, error.available) == (40, 12)
    bare = VENDOR.error(answer({"error": "Insufficient credits"}, 402), POST)
    assert isinstance(bare, InsufficientCredits) and bare.required is None
    assert "Nothing was started" in bare.message


def test_a_token_and_a_signed_url_do_not_show() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    said = f"Bad token {token} for https://m.example/a.mp4?sig=secret"
    for body in ({"error": said}, {"error": token, "message": said}, {"issues": [{"path": [token], "message": said}]}):
        for given in ((token,), ()):
            text = VENDOR.error(answer(body, 400), "GET /x", *given).message
            assert token not in text and "secret" not in text


def test_how_long_to_wait_is_passed_on() -> None:
    assert VENDOR.error(Answer(429, {}, b""), "GET /x", retry_after=30.0).retry_after == 30.0
