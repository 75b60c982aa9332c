# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One creative from its link to its destination.

The network is read on the event loop, files are written in threads, and at most a few hundred kilobytes are held in
between. Nothing costs anything: it may all be repeated.
"""

from __future__ import annotations

import contextlib
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.rate_headers import retry_after
from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.errors import AdGenError, DownloadError, WireError
from airflow_provider_adgen.core.http import CHUNK, HttpClient, Opened, Request
from airflow_provider_adgen.core.version import VERSION
from airflow_provider_adgen.core.vocabulary import Creative
from airflow_provider_adgen.delivery import checksums
from airflow_provider_adgen.delivery.atomic_writer import AtomicWriter, NotStored
from airflow_provider_adgen.delivery.links import BadLink, Link, Links, checked, host
from airflow_provider_adgen.delivery.names import describe, media_type
from airflow_provider_adgen.delivery.ranges import Version, content_length, decodable, encoding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.delivery.places import Place

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often a download that makes no headway is tried."""

REFRESHES = 2
"""How often the vendor is asked for a fresh link while a download makes no headway."""

HEADWAY = 1 << 20
"""New bytes after which failures are counted anew, so that a long film survives many short breaks."""

_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
# An expired signature is a 403 at Amazon, Azure and Cloudflare, a 400 at Google; some say 401 or 410, and a file that
# was moved is a 404. A fresh link costs one free request, so all of them get it.
_SPENT = frozenset({400, 401, 403, 404, 410})
_PASSING = frozenset({202, 408, 425, 429})
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_DOCUMENTS = _PAGES | {"application/json", "application/problem+json", "application/xml", "text/xml"}


class _Broken(Exception):
    """It may work in a moment."""

    def __init__(self, what: str, *, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.wait = wait


class _Spent(Exception):
    """It may work with a fresh link."""

    def __init__(self, what: str, *, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True)
class DownloadItem:
    """
    What to fetch and where to put it.

    :param index: which of the generation's creatives.
    :param kind: ``image``, ``video``, ``audio`` or ``archive``.
    :param label: what messages call it.
    :param name: the name of its file, without the extension.
    :param place: where it goes.
    """

    index: int
    kind: str
    label: str
    name: str
    place: Place


class Download:
    """
    Fetches one creative, over broken connections and expired links.

    :param job: what to fetch and where to put it.
    :param links: where its link comes from.
    :param client: without auth and without headers of its own.
    :param clock: time, injected.
    :param timeout: the longest silence of a host, in seconds.
    """

    def __init__(self, job: DownloadItem, links: Links, client: HttpClient, clock: Clock, timeout: float) -> None:
        self._job = job
        self._links = links
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._deposit: AtomicWriter | None = None
        self._version = Version()
        self._promised: dict[str, bytes] = {}
        self._file_name = ""
        self._media_type = ""
        self._failures = 0
        self._refreshes = 0
        self._furthest = 0
        self._counted_from = 0

    async def run(self) -> Creative:
        """
        Fetch and store it.

        :raises DownloadError: it cannot be fetched, or the destination does not take it.
        """
        try:
            writer = await self._fetch()
            await writer.commit()
        except NotStored as problem:
            await self._give_up()
            raise refused(self._job.label, self._job.place, self._file_name, problem) from None
        except BaseException:
            await self._give_up()
            raise
        uri = self._job.place.uri_of(self._file_name)
        log.info("Stored %s: %s, %d bytes.", self._job.label, uri, writer.size)
        return Creative(
            kind=self._job.kind, uri=uri, media_type=self._media_type, size=writer.size, sha256=writer.sha256
        )

    async def _give_up(self) -> None:
        if self._deposit is not None:
            await self._deposit.abort()

    # --- attempts -------------------------------------------------------------------------------------------------

    async def _fetch(self) -> AtomicWriter:
        link = await self._renewed(self._links.of(self._job.index))
        while True:
            try:
                return await self._attempt(link)
            except _Broken as problem:
                self._count_headway()
                self._failures += 1
                if self._failures >= ATTEMPTS:
                    raise self._error(f"{problem}; it was tried {ATTEMPTS} times", status=problem.status) from None
                await self._clock.sleep(self._pause(problem.wait))
                link = await self._renewed(self._links.of(self._job.index))
            except _Spent as problem:
                self._count_headway()
                link = await self._fresh(link, problem)

    async def _renewed(self, link: Link) -> Link:
        """Do not try a link that is known to have expired; if no fresh one is to be had, try it all the same."""
        if link.url is None:
            return await self._fresh(link, _Spent("the vendor's answer holds no link to it"))
        if link.expired(self._clock.now()) and self._refreshes < REFRESHES:
            with contextlib.suppress(DownloadError):
                return await self._fresh(link, _Spent("its link has expired"))
        return link

    async def _fresh(self, spent: Link, problem: _Spent) -> Link:
        if self._refreshes >= REFRESHES:
            raise self._error(f"{problem}, and so with fresh links", status=problem.status) from None
        self._refreshes += 1
        log.info("A fresh link to %s is fetched: %s.", self._job.label, problem)
        try:
            link = await self._links.renew(self._job.index, spent)
        except AdGenError as error:
            raise self._error(
                f"{problem}, and a fresh link could not be fetched: {error.message}", status=problem.status
            ) from None
        if link.url is None:
            raise self._error(f"{problem}, and the vendor gives no other", status=problem.status) from None
        return link

    def _count_headway(self) -> None:
        self._furthest = max(self._furthest, self._deposit.size if self._deposit is not None else 0)
        if self._furthest - self._counted_from >= HEADWAY:
            self._counted_from = self._furthest
            self._failures = self._refreshes = 0

    def _pause(self, asked: float | None) -> float:
        backoff = min(8.0, 0.25 * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return backoff if asked is None else max(backoff, min(asked, NEAR))

    # --- one attempt ----------------------------------------------------------------------------------------------

    async def _attempt(self, link: Link) -> AtomicWriter:
        try:
            url = checked(link.url or "")
            offset = self._deposit.size if self._deposit is not None else 0
            async with self._following(url, self._version.request(offset)) as (opened, url):
                writer, end = await self._accept(opened, url)
                await self._receive(opened, writer, end, host(url))
        except BadLink as problem:
            raise self._error(str(problem)) from None
        except WireError as problem:
            raise _Broken(problem.message[:1].lower() + problem.message[1:].rstrip(".")) from None
        for algorithm, digest in self._promised.items():
            if writer.digest(algorithm) != digest:
                self._version = Version()
                raise _Broken(f"what {host(url)} sent does not have the {algorithm} checksum it told")
        return writer

    @contextlib.asynccontextmanager
    async def _following(self, url: str, asked: dict[str, str]) -> AsyncIterator[tuple[Opened, str]]:
        # These headers and no others: a storage host, or one it redirects to, must not see the account.
        headers = {"User-Agent": f"airflow-provider-adgen/{VERSION}", "Accept-Encoding": "identity", **asked}
        for _ in range(_REDIRECTS + 1):
            request = Request("GET", f"a GET on {host(url)}", url, headers)
            async with self._client.open(request, seconds=self._timeout) as opened:
                target = opened.headers.get("location") if opened.status in _MOVED else None
                if target is None:
                    yield opened, url
                    return
            url = checked(target, url)
        raise BadLink(f"it was redirected more than {_REDIRECTS} times, last to {host(url)}")

    async def _accept(self, opened: Opened, url: str) -> tuple[AtomicWriter, int | None]:
        """Return where the body goes and the offset at which it must end, or say why it is not the creative."""
        status, who = opened.status, host(url)
        resumed = self._deposit
        if status in _SPENT:
            raise _Spent(f"{who} answered {status}", status=status)
        if status in _PASSING or status >= 500:
            wait = retry_after(opened.headers, self._clock.now()) if status in {202, 429, 503} else None
            raise _Broken(f"{who} answered {status}", status=status, wait=wait)
        if status == 206 and resumed is not None and resumed.size > 0:
            fits = self._version.continues(opened.headers, resumed.size)
            if fits is not None:
                self._version = Version(self._version.validator, fits[1])
                return resumed, fits[0]
        if status in {206, 416}:
            self._version = Version()  # the next attempt asks for all of it
            raise _Broken(f"{who} answered {status} with a range that was not asked for", status=status)
        if status != 200:
            raise self._error(f"{who} answered {status}", status=status)
        return await self._begin(opened, url), content_length(opened.headers)

    async def _begin(self, opened: Opened, url: str) -> AtomicWriter:
        headers, who = opened.headers, host(url)
        told = media_type(headers.get("content-type", ""))
        if told in (_PAGES if self._job.kind == "archive" else _DOCUMENTS):
            raise _Spent(f"{who} answered with {told} where a file of kind {self._job.kind} is expected", status=200)
        if encoding(headers) and not decodable(encoding(headers)):
            raise self._error(f"{who} sends it in an encoding that was not asked for ({encoding(headers)[:20]})")
        self._version = Version.of(headers)
        self._promised = {} if encoding(headers) else checksums.told(headers)
        if self._deposit is not None:
            await self._deposit.restart(self._promised)
            return self._deposit
        extension, self._media_type = describe(told, url, self._job.kind)
        name = self._file_name = f"{self._job.name}.{extension}"
        place, stored_as = self._job.place, self._media_type
        self._deposit = AtomicWriter(lambda: place.sink(name, stored_as), self._promised)
        return self._deposit

    async def _receive(self, opened: Opened, writer: AtomicWriter, end: int | None, who: str) -> None:
        broken = await pour(opened, writer)
        size, total = writer.size, self._version.total
        if end is not None and size > end:
            self._version = Version()
            raise _Broken(f"{who} sent more than the {end} bytes it told")
        if size > 0 and (size == total or (total is None and broken is None)):
            return
        if size == 0 and broken is None:
            raise _Broken(f"{who} sent an empty file")
        told = f" of {total}" if total is not None else ""
        raise _Broken(f"the connection to {who} broke after {size}{told} bytes")

    def _error(self, what: str, *, status: int | None = None) -> DownloadError:
        return failure(self._job.label, what, status=status)


async def pour(opened: Opened, writer: AtomicWriter) -> WireError | None:
    """
    Write an answer's body, decoded; return the error it broke off with, after writing all that arrived.

    :raises NotStored: the destination does not take it.
    """
    held = bytearray()
    broken = None
    body = opened.chunks() if encoding(opened.headers) else opened.raw()
    async with contextlib.aclosing(body) as pieces:
        try:
            async for piece in pieces:
                held += piece
                if len(held) >= CHUNK:
                    await writer.write(bytes(held))
                    held.clear()
        except WireError as error:
            broken = error
    if held:
        await writer.write(bytes(held))
    return broken


def failure(label: str, what: str, *, status: int | None = None, advice: str = "") -> DownloadError:
    """
    Return the error for a paid file that could not be stored.

    :param label: what could not be stored.
    :param what: why, without a full stop and without URLs.
    :param advice: what to do beside trying again; a sentence.
    """
    text = f"{label} could not be stored: {what}. It is paid for; a retry fetches it again and costs nothing."
    return DownloadError(f"{text} {advice}".rstrip(), status=status)


def refused(label: str, place: Place, name: str, problem: NotStored) -> DownloadError:
    """Return the error for a file that its destination does not take."""
    advice = "Check the destination, its connection and its free space."
    return failure(label, f"{place} did not take {name} ({problem})", advice=advice)
