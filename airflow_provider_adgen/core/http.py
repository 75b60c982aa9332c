# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The only module that knows httpx: one request out, one answer in, failures told apart by whether anything was sent.

It has no policy: no retries, no redirects, no meaning of a status.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import httpx_sse

from airflow_provider_adgen.core.calls import Answer, Event, FileBody, Multipart
from airflow_provider_adgen.core.errors import UnexpectedResponse, WireError
from airflow_provider_adgen.core.proxies import Origin, origin_of, proxy_for
from airflow_provider_adgen.core.safe_json import charset_of, codec_of, decoded
from airflow_provider_adgen.core.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

CHUNK = 1 << 18
"""Bytes read or written at a time when a file passes through."""

LONGEST_ANSWER = 32 << 20
"""Bytes of a JSON answer we are willing to hold in memory."""

# Longer than any sensible poll interval, so that a waiting loop does not open a new TLS session for every poll.
_KEEPALIVE_SECONDS = 120.0


@dataclass(frozen=True)
class Request:
    """One request, ready to send; only method and endpoint show in a repr."""

    method: str
    endpoint: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)


_ours: contextvars.ContextVar[bool] = contextvars.ContextVar("adgen_http", default=False)


def _not_ours(_record: logging.LogRecord) -> bool:
    return not _ours.get()


# httpcore logs what it sends at DEBUG, signed links among it: ours are kept out of the logs, other users' of that
# library are not touched. (httpx's client, which is not used here, logs every URL at INFO.)
for _name in ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_not_ours)


@lru_cache(maxsize=8)
def _tls(verify: bool | str) -> ssl.SSLContext:
    # Building one takes tens of milliseconds; every client of the process shares it.
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if isinstance(verify, str):
        try:
            return ssl.create_default_context(cafile=verify)
        except OSError:  # ssl.SSLError is one
            raise WireError(
                "The CA bundle that the connection's extra names in verify cannot be read; nothing was sent.",
                sent=False,
            ) from None
    return httpx.create_ssl_context()


def prepare(verify: bool | str) -> None:
    """Build a connection's TLS context ahead of its first client; it takes tens of milliseconds: use a thread."""
    _tls(verify)


class _Sent:
    """Remembers whether any byte of the request went out."""

    def __init__(self) -> None:
        self.any = False

    async def trace(self, name: str, info: Any) -> None:
        # A proxy is asked for its tunnel by a request, too: that one is not the request.
        if name.endswith("send_request_headers.started"):
            self.any = info["request"].method != b"CONNECT"
        elif name.endswith("send_request_headers.failed") and isinstance(
            info["exception"], httpcore.LocalProtocolError
        ):
            self.any = False  # it was refused on our own side, before its first byte


class HttpClient:
    """
    A client for one account. It opens connections lazily and belongs to one event loop.

    Each connection is an httpx transport of its own: the work of httpx's pool for one request grows with the square of
    the connections that are busy, and here a free one is simply at hand, the one used last first. Between a request
    and its transport httpx's own client would add cookies, redirects and a log line with the URL; none is wanted here.

    Proxies are the environment's (``HTTPS_PROXY``, ``NO_PROXY`` and so on).

    :param verify: True, False, or the path of a CA bundle.
    :param fresh: never reuse a connection (a paid POST must not go out on one that may already be dead).
    """

    def __init__(self, *, verify: bool | str = True, fresh: bool = False) -> None:
        self._verify = _tls(verify)
        self._fresh = fresh
        self._free: dict[Origin, list[httpx.AsyncHTTPTransport]] = {}
        self._all: set[httpx.AsyncHTTPTransport] = set()

    async def aclose(self) -> None:
        """Close all connections; those in use just now when their requests end."""
        free, self._all, self._free = self._free, set(), {}
        for transport in (one for kept in free.values() for one in kept):
            await _shut(transport)

    def take(self, origin: Origin) -> httpx.AsyncHTTPTransport:
        """Return a connection to *origin* that is free; it goes to :meth:`give_back`."""
        free = self._free.get(origin)
        return free.pop() if free else self._new(origin)

    async def give_back(self, origin: Origin, transport: httpx.AsyncHTTPTransport, *, sound: bool) -> None:
        """Let a connection be used again, or close it where it may not be sound or all were closed meanwhile."""
        if sound and transport in self._all:
            self._free.setdefault(origin, []).append(transport)
            return
        self._all.discard(transport)
        await _shut(transport)

    def _new(self, origin: Origin) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(
            max_connections=1,
            max_keepalive_connections=0 if self._fresh else 1,
            keepalive_expiry=_KEEPALIVE_SECONDS,
        )
        try:
            transport = httpx.AsyncHTTPTransport(verify=self._verify, limits=limits, proxy=proxy_for(origin))
        except (ImportError, ValueError, httpx.InvalidURL):
            # The cause is dropped: it holds the proxy's URL, and that may hold a password.
            raise WireError(
                "The proxy that the environment names cannot be used (SOCKS needs the package httpx[socks]); nothing "
                "was sent.",
                sent=False,
            ) from None
        self._all.add(transport)
        return transport

    async def send(self, request: Request, *, seconds: float) -> Answer:
        """
        Send one request and read its whole answer.

        :param request: what to send.
        :param seconds: deadline for the whole exchange.
        :raises WireError: no answer arrived in time; ``sent`` says whether it may have been received.
        :raises UnexpectedResponse: the answer is larger than :data:`LONGEST_ANSWER`.
        """
        sent = _Sent()
        try:
            async with asyncio.timeout(seconds), _Exchange(self, request, None, sent) as opened:
                content = bytearray()
                async for piece in opened.chunks(None):
                    content += piece
                    if len(content) > LONGEST_ANSWER:
                        raise UnexpectedResponse(
                            f"The answer to {request.endpoint} is larger than {LONGEST_ANSWER >> 20} MB and was not "
                            "read.",
                            endpoint=request.endpoint,
                        )
                headers, body = _in_utf8(opened.headers, bytes(content))
                return Answer(opened.status, headers, _without_credential(body, request))
        except TimeoutError:
            raise WireError(f"No answer to {request.endpoint} within {seconds:g} s.", sent=sent.any) from None

    def open(self, request: Request, *, seconds: float) -> AbstractAsyncContextManager[Opened]:
        """
        Send one request and hand out its answer unread.

        :param request: what to send.
        :param seconds: the longest silence allowed, before the answer and within it.
        :raises WireError: no answer arrived, or it broke off.
        """
        return _Exchange(self, request, seconds, _Sent())


async def _shut(transport: httpx.AsyncHTTPTransport) -> None:
    # What was asked is answered, or its failure told; a paid answer must not be lost to a socket that closes badly.
    with contextlib.suppress(Exception):
        await transport.aclose()


class _Exchange:
    """
    One request on one connection, from the first byte sent to the last one wanted.

    :param silence: the longest one allowed, in seconds; None where a deadline for all of it is set outside.
    """

    def __init__(self, client: HttpClient, request: Request, silence: float | None, sent: _Sent) -> None:
        self._client = client
        self._request = request
        self._silence = silence
        self._errors = _Errors(sent, request)
        self._files = contextlib.ExitStack()

    async def __aenter__(self) -> Opened:
        self._origin = origin_of(self._request.url)
        self._transport = self._client.take(self._origin)
        try:
            with self._errors:
                token = _ours.set(True)
                try:
                    # It is kept in no variable: error trackers show the locals, and it holds the URL and the body.
                    self._response = await self._transport.handle_async_request(
                        await _built(self._request, self._silence, self._errors.sent, self._files)
                    )
                finally:
                    _ours.reset(token)
        except BaseException:
            await self._done(sound=False)
            raise
        return Opened(self._response, self._errors, self._request)

    async def __aexit__(self, kind: object, *_exc: object) -> None:
        sound = False
        try:
            with self._errors:
                await self._response.aclose()
            sound = kind is None  # cancelled at a bad moment, httpcore's pool waits for ever
        finally:
            await self._done(sound=sound)

    async def _done(self, *, sound: bool) -> None:
        self._files.close()
        await self._client.give_back(self._origin, self._transport, sound=sound)


class Opened:
    """
    An answer whose body has not been read yet.

    Whichever way the body is read, :class:`WireError` says that it broke off.
    """

    def __init__(self, response: httpx.Response, errors: _Errors, request: Request) -> None:
        self._response = response
        self._errors = errors
        self._request = request
        self.status = response.status_code
        self.headers: Mapping[str, str] = _in_lower_case(response.headers.raw)

    async def chunks(self, size: int | None = CHUNK) -> AsyncGenerator[bytes, None]:
        """Yield the body, decoded, so many bytes at a time, or as it arrives."""
        with self._errors:
            async for chunk in self._response.aiter_bytes(size):
                yield chunk

    async def raw(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it was sent and as it arrives, so that nothing received is lost when it breaks off."""
        with self._errors:
            async for piece in self._response.aiter_raw():
                yield piece

    async def events(self) -> AsyncGenerator[Event, None]:
        """
        Yield server-sent events.

        :raises UnexpectedResponse: it is no event stream.
        """
        if not self.headers.get("content-type", "").lower().startswith("text/event-stream"):
            raise UnexpectedResponse(
                f"The answer to {self._request.endpoint} is no event stream.", endpoint=self._request.endpoint
            )
        codec = charset_of(self.headers["content-type"]) or "utf-8"
        self._response.encoding = "utf-8-sig" if codec == "utf-8" else codec
        with self._errors:
            async for event in httpx_sse.EventSource(self._response).aiter_sse():
                made = Event(event.event, event.data)
                yield Event(made.name, _without_credential(made.data.encode(), self._request).decode())


# Headers that prove who asks; an idempotency key does not, and is rightly told back.
_CREDENTIAL = re.compile(r"auth|token|secret|api-?key|cookie", re.IGNORECASE)
# Shorter, it may be a part of what is really said (and no vendor has such keys).
_SHORTEST_CREDENTIAL = 12


def _without_credential(content: bytes, request: Request) -> bytes:
    """Take out the key where the host echoes it: what is read of an answer goes to logs, records and XCom."""
    for name, value in request.headers.items():
        key = value.rpartition(" ")[2]
        if _CREDENTIAL.search(name) and len(key) >= _SHORTEST_CREDENTIAL:
            content = content.replace(key.encode(), b"***")
    return content


def _in_utf8(headers: Mapping[str, str], content: bytes) -> tuple[Mapping[str, str], bytes]:
    """Return an answer in UTF-8, in which alone a key that is echoed can be found."""
    told = headers.get("content-type", "")
    if codec_of(content, told) in {"utf-8", "utf-8-sig"}:
        return headers, content
    return {**headers, "content-type": told.partition(";")[0]}, decoded(content, told).encode()


def _in_lower_case(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("ascii", "replace").lower()
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


# Where the caller says nothing else.
_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("User-Agent", f"airflow-provider-adgen/{VERSION}"),
)


async def _built(request: Request, silence: float | None, sent: _Sent, files: contextlib.ExitStack) -> httpx.Request:
    said = (*_HEADERS, *_about(request.body), *request.headers.items())
    # As bytes: httpx would refuse a header of the user's that is not ASCII, after everything was prepared for sending.
    named = {name.lower(): (name.encode(), value.encode()) for name, value in said}
    return httpx.Request(
        request.method,
        request.url,
        headers=list(named.values()),
        extensions={"trace": sent.trace, "timeout": httpx.Timeout(silence).as_dict()},
        **await _content(request.body, files),
    )


async def _content(body: Any, files: contextlib.ExitStack) -> dict[str, Any]:
    if body is None:
        return {}
    if isinstance(body, FileBody):
        file = files.enter_context(await asyncio.to_thread(body.open))
        return {"content": _read_in_thread(file)}
    if isinstance(body, Multipart):
        # Small by the vendors' own limits (10 MB); httpx would read a file object on the event loop.
        file = files.enter_context(await asyncio.to_thread(body.file.open))
        return {"files": {body.name: (body.file_name, await asyncio.to_thread(file.read), body.content_type)}}
    return {"content": body}


def _about(body: Any) -> list[tuple[str, str]]:
    if isinstance(body, bytes):
        return [("Content-Type", "application/json")]
    # Without it httpx sends the file in chunks, which S3 refuses for a presigned upload.
    return [("Content-Length", str(body.size))] if isinstance(body, FileBody) else []


async def _read_in_thread(file: Any) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK):
        yield chunk


class _Errors:
    """
    Turns what httpx raises into a :class:`WireError`.

    The cause is dropped: httpx puts the request, with its URL and headers, on its exceptions.
    """

    def __init__(self, sent: _Sent, request: Request) -> None:
        self.sent = sent
        self._request = request

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, httpx.TimeoutException):
            raise WireError(f"No answer to {self._request.endpoint}: it took too long.", sent=self.sent.any) from None
        if isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError)):
            endpoint, what = self._request.endpoint, type(error).__name__
            del error  # its text may quote a header or the URL, and error trackers show the locals
            if self.sent.any:
                raise WireError(f"The connection broke during {endpoint} ({what}).", sent=True) from None
            raise WireError(f"Could not connect for {endpoint} ({what}); nothing was sent.", sent=False) from None
