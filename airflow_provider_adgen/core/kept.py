# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The only module that knows aiohttp: connections that are kept and used again, for requests that may be sent twice.

A GET takes half of the CPU time that it takes over httpx's own transport. What httpx does not do is turned off: no
redirects, no cookies, no .netrc, no decoding; a URL is sent as it is, because it may be signed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from airflow_provider_adgen.core.calls import broken

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

    from airflow_provider_adgen.core.calls import Request

# Longer than any sensible poll interval, so that a waiting loop does not open a new TLS session for every poll.
_KEEPALIVE_SECONDS = 120.0
# As long as httpx allows: a signed link of several kilobytes may be in one.
_LONGEST_HEADER = 100 << 10
# A URL in which nothing is left to be quoted.
_QUOTED = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)


class _Errors:
    """
    Turns what aiohttp raises into a :class:`.WireError`.

    The cause is dropped: aiohttp puts the URL and the headers on its exceptions.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not isinstance(error, aiohttp.ClientError | OSError | ValueError):
            return
        # A ValueError is a header or a URL that HTTP does not allow.
        refused = aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError
        unsent = isinstance(error, refused | ValueError)
        what = type(error).__name__
        del error  # its text may quote a header or the URL, and error trackers show the locals
        raise broken(self._endpoint, what, sent=not unsent) from None


@dataclass(frozen=True)
class Reply:
    """An answer whose body has not been read yet."""

    status: int
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    _endpoint: str
    _answer: aiohttp.ClientResponse = field(repr=False)

    async def body(self) -> AsyncIterator[bytes]:
        """
        Yield the body as it arrives.

        :raises WireError: it broke off.
        """
        with _Errors(self._endpoint):
            async for piece in self._answer.content.iter_any():
                yield piece

    def close(self) -> None:
        """Close its connection, unless the body was read to its end: then the connection is free already."""
        self._answer.close()


class Kept:
    """
    Kept connections to any hosts. It belongs to one event loop.

    :param verify: the TLS context.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=verify, limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )

    async def send(self, request: Request, proxy_for: Callable[[str], str | None]) -> Reply:
        """
        Send a GET. Whoever calls it sets the deadline.

        :param request: what to send.
        :param proxy_for: tells the http proxy for a URL.
        :raises WireError: no answer arrived.
        """
        with _Errors(request.endpoint):
            # What holds the URL, the key or a proxy's password is in no variable: error trackers show the locals.
            answer = await self._session.get(
                URL(request.url, encoded=_QUOTED.fullmatch(request.url) is not None),
                headers=request.headers,
                allow_redirects=False,
                proxy=proxy_for(request.url),
                timeout=_NO_TIMEOUT,
            )
        return Reply(answer.status, answer.raw_headers, request.endpoint, answer)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
