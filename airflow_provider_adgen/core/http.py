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

import httpx
import httpx_sse

from airflow_provider_adgen.core.calls import Answer, Event, FileBody, Multipart
from airflow_provider_adgen.core.errors import UnexpectedResponse, WireError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

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


# httpx logs every URL at INFO and httpcore every header at DEBUG, signed links among them: ours are kept out of the
# logs, other users' of these libraries are not touched.
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"):
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

    async def trace(self, name: str, _info: Any) -> None:
        if name.endswith("send_request_headers.started"):
            self.any = True


class HttpClient:
    """
    A client for one account. It opens connections lazily and belongs to one event loop.

    Each connection has an httpx client of its own: the work of httpx's pool for one request grows with the square of
    the connections that are busy, and here a free one is simply at hand, the one used last first.

    :param verify: True, False, or the path of a CA bundle.
    :param fresh: never reuse a connection (a paid POST must not go out on one that may already be dead).
    """

    def __init__(self, *, verify: bool | str = True, fresh: bool = False) -> None:
        self._verify = _tls(verify)
        self._fresh = fresh
        self._free: list[httpx.AsyncClient] = []
        self._all: set[httpx.AsyncClient] = set()

    async def aclose(self) -> None:
        """Close all connections."""
        clients, self._all, self._free = self._all, set(), []
        for client in clients:
            await client.aclose()

    @contextlib.asynccontextmanager
    async def _one(self) -> AsyncIterator[httpx.AsyncClient]:
        client = self._free.pop() if self._free else self._new()
        try:
            yield client
        finally:
            if client in self._all:  # else all were closed meanwhile
                self._free.append(client)

    def _new(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            verify=self._verify,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - every request runs under a deadline of its own, below
            limits=httpx.Limits(
                max_connections=1,
                max_keepalive_connections=0 if self._fresh else 1,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
        )
        self._all.add(client)
        return client

    async def send(self, request: Request, *, seconds: float) -> Answer:
        """
        Send one request and read its whole answer.

        :param request: what to send.
        :param seconds: deadline for the whole exchange.
        :raises WireError: no answer arrived in time; ``sent`` says whether it may have been received.
        :raises UnexpectedResponse: the answer is larger than :data:`LONGEST_ANSWER`.
        """
        sent = _Sent()
        async with _deadline(sent, request, seconds), self._open(request, seconds, sent) as opened:
            content = bytearray()
            async for chunk in opened.chunks():
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise UnexpectedResponse(
                        f"The answer to {request.endpoint} is larger than {LONGEST_ANSWER >> 20} MB and was not read.",
                        endpoint=request.endpoint,
                    )
            return Answer(opened.status, opened.headers, _without_credential(bytes(content), request))

    @contextlib.asynccontextmanager
    async def open(self, request: Request, *, seconds: float) -> AsyncIterator[Opened]:
        """
        Send one request and hand out its answer unread.

        :param request: what to send.
        :param seconds: the longest silence allowed, before the answer and within it.
        :raises WireError: no answer arrived, or it broke off.
        """
        async with self._open(request, seconds, _Sent()) as opened:
            yield opened

    @contextlib.asynccontextmanager
    async def _open(self, request: Request, seconds: float, sent: _Sent) -> AsyncIterator[Opened]:
        async with self._one() as client:
            with _translated(sent, request), contextlib.ExitStack() as files:
                token = _ours.set(True)
                try:
                    # Neither is kept in a variable: error trackers show the locals, and these are the URL and the body.
                    response = await client.send(
                        _built(client, request, seconds, sent, await _content(request.body, files)), stream=True
                    )
                finally:
                    _ours.reset(token)
                try:
                    yield Opened(response, sent, request)
                finally:
                    await response.aclose()


class Opened:
    """
    An answer whose body has not been read yet.

    Whichever way the body is read, :class:`WireError` says that it broke off.
    """

    def __init__(self, response: httpx.Response, sent: _Sent, request: Request) -> None:
        self._response = response
        self._sent = sent
        self._request = request
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body, decoded, :data:`CHUNK` bytes at a time."""
        with _translated(self._sent, self._request):
            async for chunk in self._response.aiter_bytes(CHUNK):
                yield chunk

    async def raw(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it was sent and as it arrives, so that nothing received is lost when it breaks off."""
        with _translated(self._sent, self._request):
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
        with _translated(self._sent, self._request):
            async for event in httpx_sse.EventSource(self._response).aiter_sse():
                yield Event(event.event, _without_credential(event.data.encode(), self._request).decode())


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


def _built(
    client: httpx.AsyncClient, request: Request, seconds: float, sent: _Sent, content: dict[str, Any]
) -> httpx.Request:
    return client.build_request(
        request.method,
        request.url,
        headers={**request.headers, **_length(request.body)},
        timeout=httpx.Timeout(seconds),
        extensions={"trace": sent.trace, "timeout": httpx.Timeout(seconds).as_dict()},
        **content,
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
    return {"json": body}


def _length(body: Any) -> dict[str, str]:
    # Without it httpx sends the file in chunks, which S3 refuses for a presigned upload.
    return {"Content-Length": str(body.size)} if isinstance(body, FileBody) else {}


async def _read_in_thread(file: Any) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK):
        yield chunk


@contextlib.asynccontextmanager
async def _deadline(sent: _Sent, request: Request, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise WireError(f"No answer to {request.endpoint} within {seconds:g} s.", sent=sent.any) from None


@contextlib.contextmanager
def _translated(sent: _Sent, request: Request) -> Iterator[None]:
    # The cause is dropped: httpx puts the request, with its URL and headers, on its exceptions.
    try:
        yield
    except httpx.TimeoutException:
        raise WireError(f"No answer to {request.endpoint}: it took too long.", sent=sent.any) from None
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError) as error:
        what = type(error).__name__
        if sent.any:
            raise WireError(f"The connection broke during {request.endpoint} ({what}).", sent=True) from None
        raise WireError(f"Could not connect for {request.endpoint} ({what}); nothing was sent.", sent=False) from None
