# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import logging
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.errors import AuthenticationError
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.vendors.cutx import VENDOR, tokens
from tests.support.sequences import answer

NOW = 1_773_050_400.0  # 2026-03-09T10:00:00Z
HOUR, DAY = 3600.0, 86400.0


def jwt(claims: Any, *, signature: str = "c2lnbmF0dXJl") -> str:
    def part(value: Any) -> str:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{signature}"


@pytest.mark.parametrize(
    "claims", [{"exp": 1773655200}, {"exp": 1773655200.0, "sub": "ü-é"}, {"a": "x", "exp": 1773655200}]
)
def test_the_end_of_a_token_is_read(claims: dict[str, Any]) -> None:
    found = tokens.ends_at(jwt(claims))
    assert found is not None
    assert found.to_iso8601_string() == "2026-03-16T10:00:00Z"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "sk_live_of_another_vendor",
        "a.b",
        "a.b.c",
        "....",
        "..",
        "ü.ü.ü",
        jwt({}),
        jwt({"exp": None}),
        jwt({"exp": "1773655200"}),
        jwt({"exp": True}),
        jwt({"exp": -1}),
        jwt({"exp": 1e300}),
        jwt({"exp": float("nan")}),
        jwt({"exp": float("inf")}),
        jwt({"exp": 10**400}),
        jwt([1773655200]),
        jwt("exp"),
        jwt(b"\xff\xfe"),
        jwt(b"{"),
        jwt(b"[" * 100_000),
    ],
)
def test_what_names_no_end_is_not_warned_about(token: str) -> None:
    assert tokens.ends_at(token) is None
    assert VENDOR.warn(token, NOW) is None


@given(
    st.text(max_size=80)
    | st.tuples(*[st.binary(max_size=30)] * 3).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)
    )
)
def test_no_token_at_all_makes_it_raise(token: str) -> None:
    assert tokens.ends_at(token) is None
    assert VENDOR.warn(token, NOW) is None
    tokens.refusal(token, NOW)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (7 * DAY, None),
        (48 * HOUR + 1, None),
        (48 * HOUR, "ends at 2026-03-11T10:00:00Z, in about 48 h"),
        (90 * 60, "ends at 2026-03-09T11:30:00Z, in about 2 h"),
        (60, "in about 1 h"),
        (0, "ended at 2026-03-09T10:00:00Z, so CutX refuses it"),
        (-3 * DAY, "ended at 2026-03-06T10:00:00Z"),
    ],
)
def test_a_token_that_ends_soon_is_warned_about(left: float, said: str | None) -> None:
    token = jwt({"exp": NOW + left})
    found = VENDOR.warn(token, NOW)
    if said is None:
        assert found is None
        return
    assert found is not None and said in found
    assert "new token into the connection's password" in found
    assert not [part for part in token.split(".") if part in found]


def refused(token: str, status: int = 401) -> str:
    body = {"error": "Unauthorized", "message": f"Invalid token {token}"}
    return VENDOR.error(answer(body, status), "GET /api/auth/me", token).message


def test_a_401_says_when_the_token_ended() -> None:
    token = jwt({"exp": time.time() - DAY, "email": "someone@example.com"})
    text = refused(token)
    assert "401" in text and "The token ended at 2" in text and text.count("missing, wrong, revoked or expired") == 1
    assert token not in text and "someone" not in text
    error = VENDOR.error(answer({}, 401), "GET /x", token)
    assert isinstance(error, AuthenticationError) and error.status == 401


def test_a_401_says_that_something_else_than_a_token_was_given() -> None:
    assert "does not look like CutX's token" in refused("sk_live_1234567890")


@pytest.mark.parametrize("claims", [{}, {"exp": time.time() + HOUR}, {"exp": time.time() + 6 * DAY}])
def test_a_401_blames_no_token_that_may_be_good(claims: dict[str, Any]) -> None:
    text = refused(jwt(claims))
    assert "missing, wrong, revoked or expired" in text
    assert "ended" not in text and "ends at" not in text and "look like" not in text


def test_other_errors_say_nothing_of_the_token() -> None:
    token = jwt({"exp": time.time() - DAY})
    for status in (400, 403, 500):
        assert "ended" not in refused(token, status)
    assert "ended" not in VENDOR.error(answer({}, 401), "GET /x").message


@pytest.mark.parametrize(("left", "warned"), [(HOUR, True), (-HOUR, True), (5 * DAY, False)])
def test_the_hook_warns_and_shows_no_token(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    left: float,
    warned: bool,
) -> None:
    token = jwt({"exp": time.time() + left})
    value = {"conn_type": "cutx", "host": "https://cutx.example", "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(value))
    caplog.set_level(logging.DEBUG)
    CutxHook().account()
    out, err = capfd.readouterr()
    text = caplog.text + out + err
    assert ("Connection cutx_default: The token" in text) == warned
    assert token not in text and token.split(".")[1] not in text
