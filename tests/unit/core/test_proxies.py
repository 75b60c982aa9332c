# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which proxy a request goes through."""

from __future__ import annotations

import base64
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import WireError
from airflow_provider_adgen.core.proxies import proxy_for
from tests.support.raw import RawServer, saying
from tests.support.scripted import FINE, fails, get, paid, send

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(FINE) as running:
        yield running


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("bare", [False, True])
def test_the_environments_proxy_is_used(
    server: RawServer, no_proxy: pytest.MonkeyPatch, variable: str, bare: bool
) -> None:
    no_proxy.setenv(variable, server.url.removeprefix("http://") if bare else server.url)
    send(server, get(), base_url="http://vendor.invalid/api")
    (heard,) = server.heard
    assert heard.path == "http://vendor.invalid/api/x" and heard.headers["host"] == "vendor.invalid"


def test_a_tunnel_that_the_proxy_refuses_did_not_take_the_key_along(
    server: RawServer, no_proxy: pytest.MonkeyPatch
) -> None:
    server.scripts = [saying(403, b"no")]
    no_proxy.setenv("HTTPS_PROXY", server.url)
    fails(server, paid(), WireError, base_url="https://vendor.invalid")
    (heard,) = server.heard
    assert (heard.method, heard.path) == ("CONNECT", "vendor.invalid:443") and "authorization" not in heard.headers


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_tunnel_that_the_proxy_refuses_means_that_nothing_was_sent(
    server: RawServer, no_proxy: pytest.MonkeyPatch, status: int
) -> None:
    server.scripts = [saying(status, b"no")]
    no_proxy.setenv("HTTPS_PROXY", server.url)
    error = fails(server, paid(), WireError, base_url="https://vendor.invalid")
    assert not error.sent and "nothing was sent" in str(error)


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "other.example,127.0.0.1"])
def test_hosts_without_a_proxy_are_asked_directly(server: RawServer, no_proxy: pytest.MonkeyPatch, exempt: str) -> None:
    no_proxy.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    no_proxy.setenv("NO_PROXY", exempt)
    send(server, get())
    assert [heard.path for heard in server.heard] == ["/x"]


@pytest.mark.parametrize(
    ("exempt", "host"), [("::1", "[::1]:8000"), ("[::1]", "[::1]"), ("a, *", "h"), (".h", "a.h"), ("h:1", "h:1")]
)
def test_the_environments_exceptions_are_read_as_elsewhere(
    no_proxy: pytest.MonkeyPatch, exempt: str, host: str
) -> None:
    no_proxy.setenv("ALL_PROXY", "http://p:1")
    assert proxy_for(("https", host)) == "http://p:1"
    no_proxy.setenv("NO_PROXY", exempt)
    assert proxy_for(("https", host)) is None
    assert proxy_for(("https", "[::2]:8000")) == (None if "*" in exempt else "http://p:1")


@pytest.mark.parametrize(
    "proxy", ["socks5://me:hunter2@127.0.0.1:9", "gopher://me:hunter2@127.0.0.1:9", "http://me:hunter2@h:x"]
)
@pytest.mark.parametrize("made", [get, paid], ids=["read", "paid"])
def test_a_proxy_that_cannot_be_used_shows_no_password(
    server: RawServer, no_proxy: pytest.MonkeyPatch, proxy: str, made: Any
) -> None:
    no_proxy.setenv("HTTP_PROXY", proxy)
    error = fails(server, made(), WireError)
    assert not error.sent and "hunter2" not in str(error) and ("proxy" in str(error) or made is get)
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True, compact=True).format())
    assert "hunter2" not in told
    assert not server.heard


@pytest.mark.parametrize("made", [get, paid], ids=["read", "paid"])
def test_the_proxys_user_and_password_go_to_the_proxy(
    server: RawServer, no_proxy: pytest.MonkeyPatch, made: Any
) -> None:
    no_proxy.setenv("HTTP_PROXY", server.url.replace("//", "//me:p%40ss@"))
    send(server, made(), base_url="http://vendor.invalid")
    told = server.heard[0].headers["proxy-authorization"]
    assert base64.b64decode(told.removeprefix("Basic ")) == b"me:p@ss"


@pytest.mark.parametrize("made", [get, paid], ids=["read", "paid"])
def test_a_tunnel_carries_no_key_to_the_proxy(server: RawServer, no_proxy: pytest.MonkeyPatch, made: Any) -> None:
    server.scripts = [saying(407, b"no")]
    no_proxy.setenv("HTTPS_PROXY", server.url)
    error = fails(server, made(), WireError, base_url="https://vendor.invalid")
    assert not error.sent
    assert all(heard.method == "CONNECT" and "authorization" not in heard.headers for heard in server.heard)
