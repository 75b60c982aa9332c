# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The links of one generation, and fresh ones from the vendor when they no longer work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_adgen.core.vocabulary import Creative, Generation

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class BadLink(Exception):
    """A link that is not followed; the message says why, and shows only its host."""


@dataclass(frozen=True)
class Link:
    """
    The current link of one creative.

    :param url: the link, which may be signed; None where the vendor gave none.
    :param expires: Unix time after which it no longer works, where the vendor said so.
    :param round: the number of times that fresh links had been fetched before this one.
    """

    url: str | None = field(repr=False)
    expires: float | None
    round: int

    def expired(self, now: float) -> bool:
        """Whether it has expired by our own clock."""
        return self.expires is not None and self.expires <= now


class Links:
    """
    The links of one generation, shared by its downloads.

    :param generation: the generation with its first links.
    :param refetch: asks the vendor for the generation again.
    """

    def __init__(self, generation: Generation, refetch: Callable[[], Awaitable[Generation]]) -> None:
        self._first = list(generation.creatives)
        self._creatives = self._first
        self._refetch = refetch
        self._round = 0
        self._lock = asyncio.Lock()

    def of(self, index: int) -> Link:
        """Return the current link of a creative."""
        creative = self._match(index)
        if creative is None:
            return Link(None, None, self._round)
        expires = creative.expires_at
        return Link(creative.url, expires.timestamp() if expires is not None else None, self._round)

    async def renew(self, index: int, spent: Link) -> Link:
        """
        Return a fresh link. The vendor is asked once for all downloads whose links are of the same round.

        :param index: the creative's position.
        :param spent: the link that no longer works.
        """
        async with self._lock:
            if spent.round == self._round:
                self._creatives = list((await self._refetch()).creatives)
                self._round += 1
        return self.of(index)

    def _match(self, index: int) -> Creative | None:
        # No vendor promises an order. A fresh link to the same file has the same path, so links are matched by path,
        # and by position where several links differ in their query only.
        wanted = _file(self._first[index])
        same = [creative for creative in self._creatives if _file(creative) == wanted]
        if wanted is not None and len(same) == 1:
            return same[0]
        return self._creatives[index] if index < len(self._creatives) else None


def _file(creative: Creative) -> tuple[str, str] | None:
    try:
        parts = urlsplit(creative.url or "")
    except ValueError:
        return None
    return (parts.netloc, parts.path) if parts.netloc else None


def host(url: str) -> str:
    """Return a link's host, the only part of it that may be shown."""
    try:
        return urlsplit(url).hostname or "the host"
    except ValueError:
        return "the host"


def checked(url: str, base: str | None = None) -> str:
    """
    Return an absolute link that may be followed, without any user name in it.

    :param url: a link, or the target of a redirect.
    :param base: the link that redirected to it.
    :raises BadLink: it is not http or https, or leaves https for http on another machine.
    """
    try:
        parts = urlsplit(url if base is None else urljoin(base, url))
        name, scheme = parts.hostname or "", parts.scheme.lower()
        parts.port  # noqa: B018 - reading it raises ValueError where it is no number
    except ValueError:
        raise BadLink("the link cannot be read") from None
    if scheme not in {"http", "https"} or not name:
        raise BadLink(f"the link is not http or https but {scheme or 'nothing'}")
    if base is not None and scheme == "http" and urlsplit(base).scheme.lower() == "https" and name not in _LOOPBACK:
        raise BadLink(f"{host(base)} redirects from https to plain http on {name}")
    # A user name in it would become an Authorization header.
    return urlunsplit(parts._replace(scheme=scheme, netloc=parts.netloc.rpartition("@")[2]))
