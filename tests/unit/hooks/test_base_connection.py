# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Every form a connection can have: what is understood, what is refused by one sentence, and that no key shows."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import time
from typing import Any

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.account import DEFAULT_TIMEOUT, Account
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.connection import read_account
from airflow_provider_adgen.vendors.adsumo import VENDOR
from airflow_provider_adgen.vendors.cutx import VENDOR as CUTX
from airflow_provider_adgen.vendors.sume import VENDOR as SUME
from tests.support.statistics import Statistics

KEY = "adsumo_sk_0123456789abcdef"


def connection(**fields: Any) -> Any:
    made = {"conn_id": "ads", "conn_type": "adsumo", "password": KEY, **fields}
    if isinstance(made.get("extra"), dict):
        made["extra"] = json.dumps(made["extra"])
    return Connection(**made)


def read(**fields: Any) -> Account:
    return read_account(connection(**fields), VENDOR)


def refused(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    text = str(caught.value)
    assert "Nothing was sent" in text and "\n" not in text
    assert KEY not in text and "s3cr3t" not in text
    assert caught.value.__cause__ is None
    return text


@pytest.mark.parametrize("left", [0.0, 3600.0])
def test_how_long_a_key_is_valid_is_told_where_it_says_so(monkeypatch: pytest.MonkeyPatch, left: float) -> None:
    statistics = Statistics(monkeypatch)
    read()
    assert statistics.gauges == {}
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + left}).encode()).decode().rstrip("=")
    read_account(connection(conn_type="cutx", password=f"e30.{claims}.c2ln", host="cutx.example"), CUTX)
    assert statistics.gauges["adgen.key.seconds_left"] == pytest.approx(left, abs=30)
    assert statistics.tags["adgen.key.seconds_left"] == {"vendor": "cutx", "conn_id": "ads"}


def test_a_key_is_all_it_takes() -> None:
    account = read()
    assert account.base_url == "https://www.adsumo.ai/api/v1"
    assert account.key.reveal() == KEY
    assert (account.timeout, account.verify, dict(account.headers)) == (DEFAULT_TIMEOUT, True, {})
    assert account.requests_per_minute is None and account.webhook_secret is None


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "ads.example.com"}, "https://ads.example.com"),
        ({"host": "ads.example.com/api/v2/"}, "https://ads.example.com/api/v2"),
        ({"host": "https://ads.example.com/api"}, "https://ads.example.com/api"),
        ({"host": " https://ads.example.com "}, "https://ads.example.com"),
        ({"host": "https://ads.example.com", "port": 8443}, "https://ads.example.com:8443"),
        ({"host": "https://ads.example.com:1", "port": 2}, "https://ads.example.com:1"),
        # Budgets and records tell accounts apart by the host: there is one form of it.
        ({"host": "HTTPS://Ads.Example.com:443/API"}, "https://ads.example.com/API"),
        ({"host": "ads.example.com", "port": 443}, "https://ads.example.com"),
        ({"host": "http://LocalHost:80"}, "http://localhost"),
        ({"host": "http://localhost:9000/x"}, "http://localhost:9000/x"),
        ({"host": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000"),
        ({"host": "http://127.8.9.1"}, "http://127.8.9.1"),
        ({"host": "http://[::1]:9000"}, "http://[::1]:9000"),
        ({"host": "http://app.localhost"}, "http://app.localhost"),
        ({"host": "http://sandbox:9000", "extra": {"allow_http": True}}, "http://sandbox:9000"),
        ({"host": "http://sandbox:9000", "extra": {"allow_http": "true"}}, "http://sandbox:9000"),
        ({"host": ""}, "https://www.adsumo.ai/api/v1"),
        ({"host": "ads.example.com/api", "schema": "/v1/"}, "https://ads.example.com/api/v1"),
        ({"host": "localhost", "schema": "http", "port": 9000}, "http://localhost:9000"),
        ({"host": "ads.example.com", "schema": "HTTPS"}, "https://ads.example.com"),
        ({"host": "  "}, "https://www.adsumo.ai/api/v1"),
    ],
)
def test_hosts_that_are_understood(fields: dict[str, Any], url: str) -> None:
    assert read(**fields).base_url == url


@pytest.mark.parametrize(
    ("rest", "url"),
    [
        ("ads.example.com", "https://ads.example.com"),
        ("ads.example.com/", "https://ads.example.com"),
        ("ads.example.com/api/v1", "https://ads.example.com/api/v1"),
        ("ads.example.com:8443/api/v1/", "https://ads.example.com:8443/api/v1"),
        ("https%3A%2F%2Fads.example.com/api/v1", "https://ads.example.com/api/v1"),
        ("https%3A%2F%2Fads.example.com%2Fapi/v1?timeout=5", "https://ads.example.com/api/v1"),
        ("/?timeout=5", "https://www.adsumo.ai/api/v1"),
    ],
)
def test_a_connection_uri_keeps_its_path(monkeypatch: pytest.MonkeyPatch, rest: str, url: str) -> None:
    # Airflow reads it into the schema.
    monkeypatch.setenv("AIRFLOW_CONN_ADS", f"adsumo://:{KEY}@{rest}")
    assert AdsumoHook("ads").account().base_url == url


def test_a_path_without_a_host_is_refused() -> None:
    assert "no host" in refused(schema="api/v1")
    assert "query" in refused(host="ads.example.com", schema="api?key=s3cr3t")
    assert "plain http" in refused(host="ads.example.com", schema="http")


def test_how_the_key_is_sent() -> None:
    for auth in (None, "", "bearer", " Bearer "):
        account = read(extra={"auth": auth})
        assert VENDOR.auth_headers(KEY, account.auth) == {"Authorization": f"Bearer {KEY}"}
    assert "auth must be bearer" in refused(extra={"auth": "x-api-key"})
    sume = connection(conn_type="sume", password="sume_live_1", extra={"auth": "X-Api-Key"})
    account = read_account(sume, SUME)
    assert SUME.auth_headers("sume_live_1", account.auth) == {"X-Api-Key": "sume_live_1"}
    with pytest.raises(InvalidRequest, match="auth must be bearer or x-api-key"):
        read_account(connection(conn_type="sume", extra={"auth": "basic"}), SUME)


@pytest.mark.parametrize(
    "host",
    [
        "http://ads.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0",
        "HTTP://ads.example.com",
        "http://[::2]",
        "http://localhost@ads.example.com",
        "ftp://ads.example.com",
        "file:///etc/passwd",
        "https://",
        "https://user:s3cr3t@ads.example.com",
        "https://ads.example.com/?key=s3cr3t",
        "https://ads.example.com/#s3cr3t",
        "https://ads.example.com:port",
        "https://ads.example.com:99999",
        "https://[::1",
        "://x",
    ],
)
def test_hosts_that_are_refused(host: str) -> None:
    assert "host" in refused(host=host) or "http" in refused(host=host)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        (None, "has no password"),
        ("", "has no password"),
        ("   ", "has no password"),
        ("s3cr3t with spaces", "holds characters"),
        ("s3cr3t\nX-Evil: 1", "holds characters"),
        ("s3cr3t\u00e9", "holds characters"),
        ("s3cr3t\x00", "holds characters"),
    ],
)
def test_keys_that_are_refused(password: Any, said: str) -> None:
    assert said in refused(password=password)


def test_a_key_is_taken_without_the_line_break_of_a_paste() -> None:
    assert read(password=f" {KEY}\n").key.reveal() == KEY


@pytest.mark.parametrize("conn_type", ["sume", "http", "", "Adsumo "])
def test_another_vendors_connection_is_refused_by_name(conn_type: str) -> None:
    assert "'adsumo' (Adsumo)" in refused(conn_type=conn_type)


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": 1e9}, "timeout"),
        ({"timeout": "s3cr3t"}, "timeout"),
        ({"timeout": [1]}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": "s3cr3t"}, "requests_per_minute"),
        ({"verify": [1]}, "verify"),
        ({"allow_http": "perhaps"}, "allow_http"),
        ({"headers": "s3cr3t"}, "headers"),
        ({"headers": ["s3cr3t"]}, "headers"),
        ({"headers": {"a": 1}}, "headers"),
        ({"headers": {"Authorization": "s3cr3t"}}, "Authorization"),
        ({"headers": {"AUTHORIZATION": "s3cr3t"}}, "AUTHORIZATION"),
        ({"headers": {"X-Api-Key": "s3cr3t"}}, "X-Api-Key"),
        ({"headers": {"Host": "s3cr3t"}}, "Host"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length"),
        ({"headers": {"Idempotency-Key": "s3cr3t"}}, "Idempotency-Key"),
        ({"headers": {"idempotency-key": "s3cr3t"}}, "idempotency-key"),
        ({"headers": {"X": "s3cr3t\r\nY: 1"}}, "headers"),
        ({"headers": {"X\n": "s3cr3t"}}, "headers"),
        ({"headers": {"X Y": "s3cr3t"}}, "headers"),
        ({"headers": {"": "s3cr3t"}}, "headers"),
        ({"headers": {"X": "s3cr3t\u00e9"}}, "headers"),
        ({"webhook_secret": 7}, "webhook_secret"),
    ],
)
def test_extras_that_are_refused(extra: dict[str, Any], field: str) -> None:
    text = refused(extra=extra)
    assert field in text and "extra of connection 'ads'" in text


@pytest.mark.parametrize("extra", ["s3cr3t", "[1, 2]", '"s3cr3t"', "7", "{", "null"])
def test_extras_that_are_no_object_are_refused(extra: str) -> None:
    raw = Connection(conn_id="ads", conn_type="adsumo", password=KEY)
    raw.extra = extra
    with pytest.raises(InvalidRequest, match="The extra of connection 'ads' is not"):
        read_account(raw, VENDOR)


def test_fields_of_the_form_that_were_left_alone_are_unset() -> None:
    blank = dict.fromkeys(("timeout", "requests_per_minute", "verify", "webhook_secret", "headers", "allow_http"))
    for empty in (None, ""):
        account = read(extra=dict.fromkeys(blank, empty))
        assert (account.timeout, account.verify, account.requests_per_minute) == (DEFAULT_TIMEOUT, True, None)


def test_fields_of_the_form_are_text() -> None:
    extra = {
        "timeout": "12.5",
        "requests_per_minute": "30",
        "verify": "False",
        "headers": '{"X-Team": "growth"}',
        "webhook_secret": "whsec_1",
        "somebody elses": "field",
    }
    account = read(extra=extra)
    assert (account.timeout, account.requests_per_minute, account.verify) == (12.5, 30.0, False)
    assert account.headers == {"X-Team": "growth"}
    assert account.webhook_secret is not None and account.webhook_secret.reveal() == "whsec_1"
    assert read(extra={"verify": "/etc/ssl/ours.pem"}).verify == "/etc/ssl/ours.pem"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["timeout", "requests_per_minute", "verify", "webhook_secret", "headers", "allow_http", "x"])


@given(st.text(max_size=30), st.text(max_size=30), st.dictionaries(names, json_values, max_size=4))
def test_any_connection_is_understood_or_refused(host: str, password: str, extra: dict[str, Any]) -> None:
    try:
        account = read(host=host, password=password, extra=extra)
    except InvalidRequest:
        return
    assert account.base_url.startswith(("https://", "http://"))
    assert account.key.reveal() and account.timeout > 0


# --- no key shows -------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> AdsumoHook:
    value = {
        "conn_type": "adsumo",
        "password": KEY,
        "extra": {"webhook_secret": "s3cr3t-webhook", "headers": {"X": "s3cr3t"}},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ADS", json.dumps(value))
    hook = AdsumoHook("ads")
    hook.account()
    return hook


def test_a_hook_shows_no_key(hook: AdsumoHook) -> None:
    shown = f"{hook!r} {hook} {hook.account()!r} {hook.account()} {vars(hook)} {hook.account().key_tag}"
    assert KEY not in shown and "s3cr3t" not in shown


@pytest.mark.parametrize("keep", [pickle.dumps, copy.deepcopy])
def test_a_hook_that_knows_its_key_is_not_serialised(hook: AdsumoHook, keep: Any) -> None:
    with pytest.raises(TypeError) as caught:
        keep(hook)
    assert KEY not in str(caught.value)


def test_the_tag_of_a_key_tells_that_it_changed_and_nothing_else(hook: AdsumoHook) -> None:
    tag = hook.account().key_tag
    assert len(tag) == 12 and tag not in KEY
    assert tag == read().key_tag != read(password=KEY + "0").key_tag


def test_the_host_shows_no_user(hook: AdsumoHook) -> None:
    assert hook.account().host == "www.adsumo.ai"


# --- hooks --------------------------------------------------------------------------------------------------------


def test_the_vendor_follows_from_the_connections_type(hook: AdsumoHook) -> None:
    assert AdGenHook("ads").vendor is VENDOR
    assert AdsumoHook().conn_id == "adsumo_default"
    with pytest.raises(InvalidRequest, match="of type 'adsumo', but this needs one of type 'cutx'"):
        AdGenHook("ads", vendor="cutx").account()


def test_a_type_without_a_vendor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DB", json.dumps({"conn_type": "postgres", "password": KEY}))
    with pytest.raises(InvalidRequest, match="No AI-ad vendor is registered for connection type 'postgres'"):
        AdGenHook("db").account()


def test_a_connection_that_is_looked_up_again_is_read_anew(hook: AdsumoHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ADS", json.dumps({"conn_type": "adsumo", "password": "adsumo_sk_new"}))
    assert hook.account().key.reveal() == KEY
    assert hook.changed_key() == hook.account().key_tag
    assert hook.account().key.reveal() == "adsumo_sk_new"
