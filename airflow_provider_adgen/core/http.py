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
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import httpx_sse

from airflow_provider_adgen.core.calls import (
    Answer,
    Event,
    FileBody,
    Multipart,
    Request,
    broken,
    read_headers,
    too_long,
)
from airflow_provider_adgen.core.errors import UnexpectedResponse, WireError
from airflow_provider_adgen.core.proxies import Origin, origin_of, proxy_for
from airflow_provider_adgen.core.safe_json import charset_of, in_utf8
from airflow_provider_adgen.core.scrub import without_credential
from airflow_provider_adgen.core.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_adgen.core.kept import Kept

CHUNK = 1 << 18
"""Bytes read or written at a time when a file passes through."""

LONGEST_ANSWER = 32 << 20
"""Bytes of a JSON answer we are willing to hold in memory."""

_PIECE = 1 << 14
# A URL in which nothing is left to be quoted, and that names no user.
_PLAIN = re.compile(r"https?://[A-Za-z0-9\-._~:\[\]]+(?:[/?#][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?")

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
    """Do ahead of a connection's first request what takes tens of milliseconds; use a thread."""
    _tls(verify)
    import_module("airflow_provider_adgen.core.kept")


class HttpClient:
    """
    A client for one account. It opens connections lazily and belongs to one event loop.

    A GET whose answer is read whole goes over a connection that is kept and used again. Anything else gets a connection
    of its own, over httpx's transport: that one is never dead already, tells whether any byte of the request was sent,
    and hands out all that arrived of a file before it broke off. httpx's client would add cookies, redirects and a log
    line with the URL; it is not used.

    Proxies are the environment's (``HTTPS_PROXY``, ``NO_PROXY`` and so on).

    :param verify: True, False, or the path of a CA bundle.
    """

    def __init__(self, *, verify: bool | str = True) -> None:
        self._verify = _tls(verify)
        self._kept: Kept | None = None
        self._proxies: dict[Origin, str | None] = {}

    async def aclose(self) -> None:
        """Close all connections; those in use just now when their requests end."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _proxy(self, url: str) -> str | None:
        """Return the proxy for a URL; it may hold a password."""
        origin = origin_of(url)
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]

    def fresh(self, url: str) -> httpx.AsyncHTTPTransport:
        """
        Return a transport for one request.

        :raises WireError: the environment's proxy cannot be used.
        """
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        try:
            return httpx.AsyncHTTPTransport(verify=self._verify, limits=limits, proxy=self._proxy(url))
        except (ImportError, ValueError, httpx.InvalidURL):
            # The cause is dropped: it holds the proxy's URL, and that may hold a password.
            what = "The proxy that the environment names cannot be used (SOCKS needs the package httpx[socks])"
            raise WireError(f"{what}; nothing was sent.", sent=False) from None

    def _kept_for(self, request: Request) -> Kept | None:
        """Return the kept connections, where they can carry a request."""
        if request.method != "GET" or not _PLAIN.fullmatch(request.url):
            return None
        tunnel = self._proxy(request.url)
        if tunnel is not None and not (tunnel.startswith("http:") and request.url.startswith("https:")):
            return None
        if self._kept is None:
            # Imported when it is needed: a worker that submits and defers does without.
            from airflow_provider_adgen.core.kept import Kept

            self._kept = Kept(self._verify, self._proxy)
        return self._kept

    async def send(self, request: Request, *, seconds: float) -> Answer:
        """
        Send one request and read its whole answer.

        :param request: what to send.
        :param seconds: deadline for the whole exchange.
        :raises WireError: no answer arrived in time; ``sent`` says whether it may have been received.
        :raises UnexpectedResponse: the answer is larger than :data:`LONGEST_ANSWER`.
        """
        errors = _Errors(request)
        try:
            async with asyncio.timeout(seconds):
                kept = self._kept_for(request)
                if kept is not None:
                    errors.sent = True
                    return await _kept_answer(kept, request, errors)
                async with _Exchange(self, request, None, errors) as opened:
                    return _answer(opened.status, opened.headers, await _whole(opened.chunks(None), request), request)
        except TimeoutError:
            raise WireError(f"No answer to {request.endpoint} within {seconds:g} s.", sent=errors.sent) from None

    def open(self, request: Request, *, seconds: float) -> AbstractAsyncContextManager[Opened]:
        """
        Send one request and hand out its answer unread.

        :param request: what to send.
        :param seconds: the longest silence allowed, before the answer and within it.
        :raises WireError: no answer arrived, or it broke off.
        """
        return _Exchange(self, request, seconds, _Errors(request))


async def _kept_answer(kept: Kept, request: Request, errors: _Errors) -> Answer:
    reply = await kept.get(Request("GET", request.endpoint, request.url, dict(_headers(request))), LONGEST_ANSWER)
    headers, content = read_headers(reply.headers), bytes(reply.content)
    if "content-encoding" in headers:
        # A bit at a time: a few bytes may become very many.
        pieces = _Pieces(content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
        encoded = httpx.Response(reply.status, headers=list(reply.headers), stream=pieces)
        content = await _whole(Opened(encoded, errors, request).chunks(None), request)
    return _answer(reply.status, headers, content, request)


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def _whole(pieces: AsyncGenerator[bytes, None], request: Request) -> bytes:
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > LONGEST_ANSWER:
            raise too_long(request.endpoint, LONGEST_ANSWER)
    return bytes(content)


def _answer(status: int, headers: Mapping[str, str], content: bytes, request: Request) -> Answer:
    headers, content = in_utf8(headers, content)
    return Answer(status, headers, without_credential(content, request.headers))


class _Exchange:
    """
    One request on one connection, from the first byte sent to the last one wanted.

    :param silence: the longest one allowed, in seconds; None where a deadline for all of it is set outside.
    """

    def __init__(self, client: HttpClient, request: Request, silence: float | None, errors: _Errors) -> None:
        self._client = client
        self._request = request
        self._silence = silence
        self._errors = errors
        self._files = contextlib.ExitStack()

    async def __aenter__(self) -> Opened:
        self._transport = self._client.fresh(self._request.url)
        try:
            with self._errors:
                token = _ours.set(True)
                try:
                    # The request is kept in no variable: error trackers show the locals, and it holds URL and body.
                    self._response = await self._transport.handle_async_request(
                        await _built(self._request, self._silence, self._errors, self._files)
                    )
                finally:
                    _ours.reset(token)
        except BaseException:
            await self._done()
            raise
        return Opened(self._response, self._errors, self._request)

    async def __aexit__(self, *_exc: object) -> None:
        try:
            with self._errors:
                await self._response.aclose()
        finally:
            await self._done()

    async def _done(self) -> None:
        self._files.close()
        # What was asked is answered, or its failure told; a paid answer must not be lost to a socket that closes badly.
        with contextlib.suppress(Exception):
            await self._transport.aclose()


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
        self.headers: Mapping[str, str] = read_headers(response.headers.raw)

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
                yield Event(made.name, without_credential(made.data.encode(), self._request.headers).decode())


# Where the caller says nothing else.
_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("User-Agent", f"airflow-provider-adgen/{VERSION}"),
)


def _headers(request: Request) -> list[tuple[str, str]]:
    said = (*_HEADERS, *_about(request.body), *request.headers.items())
    return list({name.lower(): (name, value) for name, value in said}.values())


async def _built(
    request: Request, silence: float | None, errors: _Errors, files: contextlib.ExitStack
) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url,
        # As bytes: httpx would refuse a header of the user's that is not ASCII, after everything else was prepared.
        headers=[(name.encode(), value.encode()) for name, value in _headers(request)],
        extensions={"trace": errors.trace, "timeout": httpx.Timeout(silence).as_dict()},
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
    Turns what httpx raises into a :class:`WireError`, and remembers whether any byte of the request may have gone out.

    The cause is dropped: httpx puts the request, with its URL and headers, on its exceptions.
    """

    def __init__(self, request: Request) -> None:
        self.sent = False
        self._request = request

    async def trace(self, name: str, info: Any) -> None:
        """Take in what httpcore does."""
        # A proxy is asked for its tunnel by a request, too: that one is not the request.
        if name.endswith("send_request_headers.started"):
            self.sent = info["request"].method != b"CONNECT"
        elif name.endswith("send_request_headers.failed"):
            # A header that HTTP does not allow is refused on our own side, before the first byte.
            self.sent &= not isinstance(info["exception"], httpcore.LocalProtocolError)

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError)):
            what = None if isinstance(error, httpx.TimeoutException) else type(error).__name__
            del error  # its text may quote a header or the URL, and error trackers show the locals
            raise broken(self._request.endpoint, what, sent=self.sent) from None
