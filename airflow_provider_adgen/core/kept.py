# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Connections that are kept and used again, for GETs whose answer is read whole.

A GET takes a fraction of the CPU time that it takes over httpx's transport. TLS goes over buffers in memory, because
asyncio's own sets aside 256 KB for each connection.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_provider_adgen.core.calls import broken, too_long
from airflow_provider_adgen.core.http1 import LONGEST_HEAD, AnswerReader, NotHttp, TooLong, written
from airflow_provider_adgen.core.proxies import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.calls import Request
    from airflow_provider_adgen.core.errors import AdGenError
    from airflow_provider_adgen.core.proxies import Origin

# Longer than any sensible poll interval, so that a waiting loop does not open a new TLS session for every poll.
_KEEPALIVE_SECONDS = 120.0
# Seconds until another address of a host is tried beside the first; RFC 8305 recommends them.
_NEXT_ADDRESS = 0.25
# What one TLS record holds at most.
_RECORD = 16 << 10
_PORTS = {"http": 80, "https": 443}
_TARGET = re.compile(r"[/?][^#]*")
_BROKEN = (OSError, NotHttp)
"""What is raised where a connection breaks, or carries something else than HTTP."""


class ProxyRefused(OSError):
    """A proxy did not open a tunnel."""


class _Connection(asyncio.Protocol):
    """One connection. It carries one exchange at a time; whoever waits for a step waits for its future."""

    def __init__(self) -> None:
        self.alive = True
        self.idle_since = 0.0
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLObject | None = None
        self._shaking = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # The step under way: a handshake, or an answer that is read.
        self._step: asyncio.Future[None] | None = None
        self._reader: AnswerReader | None = None

    # --- what is done with it ---------------------------------------------------------------------------------------

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands with *host*, which must prove that it is that."""
        self._reader, self._step, self._shaking = None, self._loop.create_future(), True
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._shake_hands(self._tls)
        await self._step

    async def ask(self, request: bytes, reader: AnswerReader) -> None:
        """
        Send a request, and let *reader* read the answer.

        :raises OSError: the connection broke.
        :raises NotHttp: so did the answer.
        :raises TooLong: the body is too long.
        """
        self._reader, self._step = reader, self._loop.create_future()
        if self._tls is None:
            self._transport.write(request)
        else:
            self._tls.write(request)
            self._transport.write(self._outgoing.read())
        del request  # it holds the URL and the key, and error trackers show the locals
        await self._step

    def close(self) -> None:
        """Close it."""
        if self._tls is not None and self.alive:
            with contextlib.suppress(ssl.SSLError):  # it would read the other side's farewell
                self._tls.unwrap()
            self._transport.write(self._outgoing.read())
        self.alive = False
        self._transport.close()

    def abort(self) -> None:
        """Close it in the middle of something."""
        self.alive = False
        self._transport.abort()

    # --- what asyncio says ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of where bytes go."""
        self._transport = transport  # type: ignore[assignment]  # of a stream, it is one for both ways

    def data_received(self, data: bytes) -> None:
        """Read what has arrived."""
        try:
            if self._tls is None:
                self._read(data)
                return
            self._incoming.write(data)
            if self._shaking:
                self._shake_hands(self._tls)
            if not self._shaking:
                self._decrypt(self._tls)
        except (ssl.SSLError, NotHttp, TooLong) as error:
            self._ended(error)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way: an answer may end with its connection."""
        self.alive = False
        if self._step is None or self._step.done():
            return
        if exc is None and self._reader is not None:
            try:
                self._reader.end()
            except NotHttp as error:
                exc = error
        elif exc is None:
            exc = ConnectionResetError()
        self._ended(exc)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        try:
            tls.do_handshake()
            self._shaking = False
            self._ended()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._ended(error)
        self._transport.write(self._outgoing.read())  # an alert, too

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        plain = bytearray()
        try:
            while piece := tls.read(_RECORD):
                plain += piece
            self._transport.close()  # it said farewell
        except ssl.SSLWantReadError:
            pass
        if self._outgoing.pending:  # new keys
            self._transport.write(self._outgoing.read())
        if plain:
            self._read(plain)

    def _read(self, data: bytes | bytearray) -> None:
        if self._reader is None or self._step is None or self._step.done():  # nobody has asked
            self.abort()
            return
        self._reader.feed(data)
        if self._reader.done:
            self._ended()

    def _ended(self, error: Exception | None = None) -> None:
        """Tell who waits that the step has ended."""
        if self._step is None or self._step.done():
            return
        if error is None:
            self._step.set_result(None)
        else:
            self._step.set_exception(error)


class _Host:
    """
    The connections to one host.

    :param origin: the host.
    :param context: the TLS context.
    :param proxy_for: tells the http proxy for a URL; what it tells may hold a password, and is kept nowhere.
    """

    def __init__(self, origin: Origin, context: ssl.SSLContext, proxy_for: Callable[[str], str | None]) -> None:
        self._url = "://".join(origin)
        self._name, self._port = _address(self._url)
        self._context = context if origin[0] == "https" else None
        self._proxy_for = proxy_for
        self._idle: deque[_Connection] = deque()

    async def open(self) -> _Connection:
        """
        Open a connection.

        :raises OSError: there is none.
        :raises NotHttp: a proxy answers with something else.
        """
        loop, proxied = asyncio.get_running_loop(), self._proxy_for(self._url) is not None
        name, port = _address(self._proxy_for(self._url) or self._url)
        _, connection = await loop.create_connection(_Connection, name, port, happy_eyeballs_delay=_NEXT_ADDRESS)
        try:
            if proxied:
                await self._tunnel(connection)
            if self._context is not None:
                await connection.start_tls(self._context, self._name)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _tunnel(self, connection: _Connection) -> None:
        name = f"[{self._name}]" if ":" in self._name else self._name
        answer = AnswerReader(LONGEST_HEAD, tunnel=True)
        await connection.ask(_connect(f"{name}:{self._port}", self._proxy_for(self._url) or ""), answer)
        if not 200 <= answer.status < 300:
            raise ProxyRefused

    def take(self) -> _Connection | None:
        """Return the connection that was used last, if one is kept."""
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
        return None

    def give_back(self, connection: _Connection) -> None:
        """Keep a connection, and close those that nobody has needed for long."""
        now = asyncio.get_running_loop().time()
        while self._idle and self._idle[0].idle_since < now - _KEEPALIVE_SECONDS:
            self._idle.popleft().close()
        connection.idle_since = now
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _connect(target: str, proxy: str) -> bytes:
    parts, headers = urlsplit(proxy), {"Host": target}
    if parts.username is not None:
        who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(who.encode()).decode()}"
    return written("CONNECT", target, headers)


def _get(request: Request, authority: str) -> bytes:
    # Not urlsplit: a URL is sent as it is, because it may be signed.
    found = _TARGET.search(request.url, request.url.index("://") + 3)
    target = found[0] if found is not None else "/"
    said = {name.lower(): (name, value) for name, value in (("Host", authority), *request.headers.items())}
    return written("GET", target if target[0] == "/" else f"/{target}", dict(said.values()))


class Kept:
    """
    Kept connections to any hosts. It belongs to one event loop.

    :param verify: the TLS context.
    :param proxy_for: tells the http proxy for a URL.
    """

    def __init__(self, verify: ssl.SSLContext, proxy_for: Callable[[str], str | None]) -> None:
        self._verify = verify
        self._proxy_for = proxy_for
        self._hosts: dict[Origin, _Host] = {}
        self._closed = False

    async def get(self, request: Request, longest: int) -> AnswerReader:
        """
        Send a GET and return its answer, read to its end. Whoever calls it sets the deadline.

        :param request: what to send.
        :param longest: bytes that the body may have.
        :raises WireError: no answer arrived.
        :raises UnexpectedResponse: the body is longer.
        """
        origin, sent = origin_of(request.url), False
        try:
            host = self._hosts.get(origin)
            if host is None:
                host = self._hosts[origin] = _Host(origin, self._verify, self._proxy_for)
            connection = host.take()
            while True:
                kept = connection is not None
                connection = connection or await host.open()
                answer, sent = AnswerReader(longest), True
                try:
                    await connection.ask(_get(request, origin[1]), answer)
                    break
                except BaseException as error:
                    connection.abort()
                    if not kept or answer.begun or not isinstance(error, _BROKEN):
                        raise
                # It was closed while nobody used it, and so may the others be.
                host.close()
                connection, sent = None, False
            if answer.reusable and connection.alive and not self._closed:
                host.give_back(connection)
            else:
                connection.close()
            return answer
        except TooLong:
            failure: AdGenError = too_long(request.endpoint, longest)
        except (*_BROKEN, ValueError) as error:
            # A ValueError is a host or a header that HTTP does not allow.
            failure = broken(request.endpoint, type(error).__name__, sent=sent and isinstance(error, _BROKEN))
        # Outside of the handler: the frames of the first error hold the URL and the key, and error trackers show them.
        raise failure

    def close(self) -> None:
        """Close all connections; those in use just now when their requests end."""
        self._closed = True
        for host in self._hosts.values():
            host.close()
