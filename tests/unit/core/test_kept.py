# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Connections that are kept: TLS, tunnels, URLs as they are, and what is left when a request ends early."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import gzip
import ipaddress
import logging
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_adgen.core import kept
from airflow_provider_adgen.core.calls import Request
from airflow_provider_adgen.core.errors import WireError
from airflow_provider_adgen.core.http import HttpClient
from tests.support.raw import RawServer, dropping, saying
from tests.support.scripted import FINE, SECRET, get, paid, send, wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"id": "j"}'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody signed but itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "bundle.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    writer.close()


async def served(bundle: Path, act: Callable[[int], Awaitable[Any]]) -> Any:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(bundle)
    server = await asyncio.start_server(answering, "127.0.0.1", 0, ssl=context)
    try:
        return await act(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("verify", [True, False, "bundle"])
def test_tls_is_checked_as_the_connection_says(bundle: Path, verify: bool | str, method: str) -> None:
    async def act(port: int) -> None:
        client = HttpClient(verify=str(bundle) if verify == "bundle" else verify)
        request = Request(method, f"{method} /x", f"https://127.0.0.1:{port}/x")
        try:
            for _ in range(2):
                assert (await client.send(request, seconds=5.0)).status == 200
        finally:
            await client.aclose()

    if verify is True:
        with pytest.raises(WireError, match="nothing was sent") as caught:
            asyncio.run(served(bundle, act))
        assert not caught.value.sent
    else:
        asyncio.run(served(bundle, act))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("length", [True, False], ids=["by its length", "by the end of the connection"])
def test_a_long_answer_arrives_over_tls(bundle: Path, version: ssl.TLSVersion, length: bool) -> None:
    body = bytes(range(256)) * 8000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        told = f"Content-Length: {len(body)}\r\n" if length else ""
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=latin-1\r\n{told}\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def act() -> bytes:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(bundle)
        context.minimum_version = context.maximum_version = version
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        async with server:
            client = kept.Kept(ssl.create_default_context(cafile=str(bundle)), lambda _url: None)
            port = server.sockets[0].getsockname()[1]
            reply = await client.get(Request("GET", "GET /x", f"https://127.0.0.1:{port}/x"), 1 << 22)
            client.close()
            return bytes(reply.content)

    assert asyncio.run(act()) == body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_tls_goes_through_a_tunnel(bundle: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def act(port: int) -> None:
        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

            async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                with contextlib.suppress(ConnectionError):
                    while data := await source.read(65536):
                        target.write(data)
                target.close()

            await asyncio.gather(copy(reader, back), copy(there, writer))

        proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        client = HttpClient(verify=str(bundle))
        request = Request(method, f"{method} /x", f"https://127.0.0.1:{port}/x", {"Authorization": "Bearer hunter2"})
        assert (await client.send(request, seconds=5.0)).status == 200
        await client.aclose()
        proxy.close()

    asyncio.run(served(bundle, act))
    assert len(asked) == 1 and asked[0].startswith(b"CONNECT ") and b"hunter2" not in asked[0]


@pytest.mark.parametrize("made", [get, paid], ids=["read", "paid"])
def test_a_url_goes_out_as_it_is(made: Any) -> None:
    path = "/a%2Fb/c%7Ed/%E6%9D%B1?X-Sig=a%2Fb%2B%3D&x=%7e+1&y=a/b:c"
    with RawServer(FINE) as server:
        send(server, made(path=path))
        assert server.heard[0].path == path


@pytest.mark.parametrize("made", [get, paid], ids=["read", "paid"])
def test_what_is_not_quoted_in_a_url_is(made: Any) -> None:
    with RawServer(FINE) as server:
        send(server, made(path="/a b/東?x=ü"))
        assert server.heard[0].path == "/a%20b/%E6%9D%B1?x=%C3%BC"


def test_a_long_header_is_read() -> None:
    with RawServer(saying(200, {"id": "j"}, X_Long="x" * 40_000)) as server:
        assert send(server, get()) == {"id": "j"}


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    with RawServer(FINE, idle=0.1) as server:

        async def act() -> None:
            async with wire(server) as opened:
                for _ in range(3):
                    assert await opened.call(get()) == {"id": "j"}
                    await asyncio.sleep(0.2)

        asyncio.run(act())
        assert len(server.heard) == server.connections == 3


def test_closing_lets_those_under_way_end() -> None:
    def slowly(connection: Any) -> None:
        connection.drip(ANSWER, 0.005)

    with RawServer(slowly) as server:

        async def act() -> Any:
            client = HttpClient()
            asking = asyncio.create_task(client.send(Request("GET", "GET /x", f"{server.url}/x"), seconds=5.0))
            await asyncio.sleep(0.1)
            await client.aclose()
            return (await asking).json()

        assert asyncio.run(act()) == {"id": "j"}


def test_a_file_does_not_go_over_a_kept_connection() -> None:
    """What arrives of it is handed out as it comes, and not kept in memory."""

    def breaking(connection: Any) -> None:
        connection.answer(200, b"x" * 60_000, length=90_000)
        connection.close()

    with RawServer(FINE, breaking, FINE) as server:

        async def act() -> int:
            client, got = HttpClient(), 0
            request = Request("GET", "GET /x", f"{server.url}/x")
            await client.send(request, seconds=5.0)
            with pytest.raises(WireError, match="broke during GET /x"):
                async with client.open(request, seconds=5.0) as opened:
                    await asyncio.sleep(0.2)
                    async for piece in opened.raw():
                        got += len(piece)
            await client.send(request, seconds=5.0)
            await client.aclose()
            return got

        assert asyncio.run(act()) == 60_000
        assert [heard.connection for heard in server.heard] == [1, 2, 1]


def both(server: RawServer) -> Any:
    """Send a request, and then another one, with one client."""

    async def act() -> Any:
        client = HttpClient()
        try:
            for _ in range(2):
                answer = await client.send(Request("GET", "GET /x", f"{server.url}/x?sig=5e4d"), seconds=5.0)
            return answer.json()
        finally:
            await client.aclose()

    return asyncio.run(act())


def test_a_kept_connection_that_is_closed_just_then_is_replaced() -> None:
    with RawServer(FINE, dropping, FINE) as server:
        assert both(server) == {"id": "j"}
        assert [heard.connection for heard in server.heard] == [1, 1, 2]


def test_a_new_connection_that_is_closed_is_not_replaced() -> None:
    with RawServer(dropping, FINE) as server:
        with pytest.raises(WireError, match="broke during GET /x") as caught:
            both(server)
        assert caught.value.sent
        assert len(server.heard) == 1


def test_an_answer_that_breaks_off_is_not_asked_for_again() -> None:
    def breaking(connection: Any) -> None:
        connection.send(ANSWER[:-1])
        connection.close()

    with RawServer(FINE, breaking, FINE) as server:
        with pytest.raises(WireError, match="broke during GET /x"):
            both(server)
        assert [heard.connection for heard in server.heard] == [1, 1]


def test_what_is_no_http_is_told() -> None:
    with RawServer(lambda connection: connection.send(b"220 ready\r\n\r\n")) as server, pytest.raises(WireError):
        both(server)


def test_a_connection_that_said_more_than_its_answer_is_not_kept() -> None:
    with RawServer(lambda connection: connection.send(ANSWER + ANSWER), FINE) as server:
        assert both(server) == {"id": "j"}
        assert [heard.connection for heard in server.heard] == [1, 2]


def test_a_connection_that_nobody_needs_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_KEEPALIVE_SECONDS", -1.0)
    with RawServer(FINE) as server:

        async def act() -> None:
            client, request = HttpClient(), Request("GET", "GET /x", f"{server.url}/x")
            for _ in range(2):
                await asyncio.gather(*(client.send(request, seconds=5.0) for _ in range(2)))
            await client.aclose()

        asyncio.run(act())
        # Of two that come back, the first is closed by the second.
        assert server.connections == 3


@pytest.mark.parametrize("content", [gzip.compress(b'{"id": "j"}'), b"no gzip"], ids=["right", "wrong"])
def test_what_is_compressed_is_decompressed(content: bytes) -> None:
    with RawServer(saying(200, content, Content_Encoding="gzip")) as server:
        if content == b"no gzip":
            with pytest.raises(WireError, match="broke during GET /x"):
                both(server)
        else:
            assert both(server) == {"id": "j"}


def test_a_proxy_that_refuses_a_tunnel_hears_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(saying(407, {"error": "who are you"})) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://ann:p%40ss@"))
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        request = Request("GET", "GET /x", "https://vendor.example/x", {"Authorization": "Bearer hunter2"})
        with pytest.raises(WireError, match=r"nothing was sent") as caught:
            asyncio.run(HttpClient().send(request, seconds=5.0))
        (heard,) = proxy.heard
    assert not caught.value.sent
    assert "p@ss" not in str(caught.value) and "p%40ss" not in str(caught.value)
    assert (heard.method, heard.path, heard.headers["host"]) == ("CONNECT",) + ("vendor.example:443",) * 2
    assert base64.b64decode(heard.headers["proxy-authorization"].removeprefix("Basic ")) == b"ann:p@ss"
    assert "authorization" not in heard.headers


def test_no_log_has_a_url_or_a_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(saying(200, {"id": "j"}, Set_Cookie="a b;=; Path"), dropping) as server:
        send(server, get(path="/x?sig=5e4d"))
        with contextlib.suppress(WireError):
            send(server, get(path="/x?sig=5e4d", repeatable=False))
    assert "5e4d" not in caplog.text and SECRET not in caplog.text
