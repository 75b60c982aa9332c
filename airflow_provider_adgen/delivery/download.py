# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The download of one creative into its destination.

The network is read on the event loop, and files are written in threads. At most a few hundred kilobytes are held in
memory. A download costs nothing and may be repeated.
"""

from __future__ import annotations

import contextlib
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import Request
from airflow_provider_adgen.core.decisions.rate_headers import retry_after
from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.errors import AdGenError, DownloadError, WireError
from airflow_provider_adgen.core.http import CHUNK, HttpClient, Opened
from airflow_provider_adgen.core.version import VERSION
from airflow_provider_adgen.core.vocabulary import Creative
from airflow_provider_adgen.delivery import checksums
from airflow_provider_adgen.delivery.atomic_writer import AtomicWriter, NotStored
from airflow_provider_adgen.delivery.links import BadLink, Link, Links, checked, host
from airflow_provider_adgen.delivery.names import describe, media_type
from airflow_provider_adgen.delivery.ranges import Version, content_length, decodable, encoding
from airflow_provider_adgen.delivery.signatures import ARCHIVES, HEAD, fits, misfit, types_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.delivery.places import Place

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""Attempts of a download that makes no progress."""

REFRESHES = 2
"""Fresh links that the vendor is asked for while a download makes no progress."""

PROGRESS = 1 << 20
"""New bytes after which failures are counted from zero again, so that a long video survives many short breaks."""

_REDIRECTS = 5
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
# For an expired signature, Amazon, Azure and Cloudflare answer 403, Google answers 400, others 401 or 410. A file that
# was moved is a 404. A fresh link costs one free request, so all of these statuses lead to one.
_REFRESH_STATUSES = frozenset({400, 401, 403, 404, 410})
_RETRY_STATUSES = frozenset({202, 408, 425, 429})


class _TryAgain(Exception):
    """The attempt failed; another one with the same link may succeed."""

    def __init__(self, what: str, *, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.wait = wait


class _NeedsFreshLink(Exception):
    """The link does not lead to the creative; a fresh one may."""

    def __init__(self, what: str, *, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True)
class DownloadItem:
    """
    What to fetch and where to put it.

    :param index: the position among the generation's creatives.
    :param kind: ``image``, ``video``, ``audio`` or ``archive``.
    :param label: its name in messages.
    :param file_name: returns the name of its file, from an extension.
    :param place: the destination.
    :param key: the batch's item that it belongs to, for the log; empty outside of a batch.
    """

    index: int
    kind: str
    label: str
    file_name: Callable[[str], str]
    place: Place
    key: str = ""


class Download:
    """
    Fetches one creative. Broken connections are resumed, and expired links are renewed.

    :param item: what to fetch and where to put it.
    :param links: the generation's links.
    :param client: a client without auth and without headers of its own.
    :param clock: time, injected.
    :param timeout: the longest silence of a host, in seconds.
    """

    def __init__(self, item: DownloadItem, links: Links, client: HttpClient, clock: Clock, timeout: float) -> None:
        self._item = item
        self._links = links
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._writer: AtomicWriter | None = None
        self._version = Version()
        self._checksums: dict[str, bytes] = {}
        self._header_type = ""
        self._file_name = ""
        self._media_type = ""
        self._failures = 0
        self._refreshes = 0
        self._most_bytes = 0
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
            raise storage_error(self._item.label, self._item.place, self._file_name, problem) from None
        finally:
            await self._discard()
        uri = self._item.place.uri_of(self._file_name)
        of_item = f"{self._item.key}: " if self._item.key else ""
        log.info("%sStored %s: %s, %d bytes.", of_item, self._item.label, uri, writer.size)
        kind = "archive" if self._media_type in ARCHIVES else self._item.kind
        return Creative(kind=kind, uri=uri, media_type=self._media_type, size=writer.size, sha256=writer.sha256)

    async def _discard(self) -> None:
        if self._writer is not None:
            await self._writer.abort()

    # --- attempts -------------------------------------------------------------------------------------------------

    async def _fetch(self) -> AtomicWriter:
        link = await self._usable_link(self._links.of(self._item.index))
        while True:
            try:
                return await self._attempt(link)
            except _TryAgain as problem:
                self._count_progress()
                self._failures += 1
                if self._failures >= ATTEMPTS:
                    raise self._error(f"{problem}; it was tried {ATTEMPTS} times", status=problem.status) from None
                await self._clock.sleep(self._retry_delay(problem.wait))
                link = await self._usable_link(self._links.of(self._item.index))
            except _NeedsFreshLink as problem:
                self._count_progress()
                link = await self._fresh_link(link, problem)

    async def _usable_link(self, link: Link) -> Link:
        """Replace a link that has expired by our clock; keep it if there is no fresh one, because the host decides."""
        if link.url is None:
            return await self._fresh_link(link, _NeedsFreshLink("the vendor's answer holds no link to it"))
        if link.expired(self._clock.now()) and self._refreshes < REFRESHES:
            with contextlib.suppress(DownloadError):
                return await self._fresh_link(link, _NeedsFreshLink("its link has expired"))
        return link

    async def _fresh_link(self, spent: Link, problem: _NeedsFreshLink) -> Link:
        if self._refreshes >= REFRESHES:
            raise self._error(f"{problem}, also with fresh links", status=problem.status) from None
        self._refreshes += 1
        log.info("Fetching a fresh link to %s: %s.", self._item.label, problem)
        try:
            link = await self._links.renew(self._item.index, spent)
        except AdGenError as error:
            raise self._error(
                f"{problem}, and a fresh link could not be fetched: {error.message}", status=problem.status
            ) from None
        if link.url is None:
            raise self._error(f"{problem}, and the vendor gives no other", status=problem.status) from None
        return link

    def _count_progress(self) -> None:
        self._most_bytes = max(self._most_bytes, self._writer.size if self._writer is not None else 0)
        if self._most_bytes - self._counted_from >= PROGRESS:
            self._counted_from = self._most_bytes
            self._failures = self._refreshes = 0

    def _retry_delay(self, asked: float | None) -> float:
        backoff = min(8.0, 0.25 * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return backoff if asked is None else max(backoff, min(asked, NEAR))

    # --- one attempt ----------------------------------------------------------------------------------------------

    async def _attempt(self, link: Link) -> AtomicWriter:
        try:
            url = checked(link.url or "")
            offset = self._writer.size if self._writer is not None else 0
            async with self._follow(url, self._version.request(offset)) as (opened, url):
                writer, end = await self._accept(opened, url)
                await self._receive(opened, writer, end, url)
        except BadLink as problem:
            raise self._error(str(problem)) from None
        except WireError as problem:
            raise _TryAgain(problem.message[:1].lower() + problem.message[1:].rstrip(".")) from None
        for algorithm, digest in self._checksums.items():
            if writer.digest(algorithm) != digest:
                self._version = Version()
                raise _TryAgain(f"what {host(url)} sent does not have the {algorithm} checksum that it announced")
        return writer

    @contextlib.asynccontextmanager
    async def _follow(self, url: str, asked: dict[str, str]) -> AsyncIterator[tuple[Opened, str]]:
        # No other headers: a storage host, or one that it redirects to, must not see the account.
        headers = {"User-Agent": f"airflow-provider-adgen/{VERSION}", "Accept-Encoding": "identity", **asked}
        for _ in range(_REDIRECTS + 1):
            request = Request("GET", f"a GET on {host(url)}", url, headers)
            async with self._client.open(request, seconds=self._timeout) as opened:
                target = opened.headers.get("location") if opened.status in _REDIRECT_STATUSES else None
                if target is None:
                    yield opened, url
                    return
            url = checked(target, url)
        raise BadLink(f"it was redirected more than {_REDIRECTS} times, last to {host(url)}")

    async def _accept(self, opened: Opened, url: str) -> tuple[AtomicWriter, int | None]:
        """Return the writer for the body and the offset at which the body must end; raise where it is no creative."""
        status, who = opened.status, host(url)
        resumed = self._writer
        if status in _REFRESH_STATUSES:
            raise _NeedsFreshLink(f"{who} answered {status}", status=status)
        if status in _RETRY_STATUSES or status >= 500:
            wait = retry_after(opened.headers, self._clock.now()) if status in {202, 429, 503} else None
            raise _TryAgain(f"{who} answered {status}", status=status, wait=wait)
        if status == 206 and resumed is not None and resumed.size > 0:
            rest = self._version.continues(opened.headers, resumed.size)
            if rest is not None:
                end, total = rest
                self._version = Version(self._version.validator, total)
                return resumed, end
        if status in {206, 416}:
            self._version = Version()  # the next attempt asks for all of it
            raise _TryAgain(f"{who} answered {status} with a range that was not asked for", status=status)
        if status != 200:
            raise self._error(f"{who} answered {status}", status=status)
        return await self._start(opened, host(url)), content_length(opened.headers)

    async def _start(self, opened: Opened, who: str) -> AtomicWriter:
        headers = opened.headers
        if encoding(headers) and not decodable(encoding(headers)):
            raise self._error(f"{who} sends it in an encoding that was not asked for ({encoding(headers)[:20]})")
        await self._discard()
        self._header_type = media_type(headers.get("content-type", ""))
        self._version = Version.of(headers)
        self._checksums = {} if encoding(headers) else checksums.announced(headers)
        # The name and the type are known when the first bytes are, and those are written first.
        place = self._item.place
        self._writer = AtomicWriter(lambda: place.sink(self._file_name, self._media_type), self._checksums)
        return self._writer

    def _recognize(self, head: bytes, url: str) -> None:
        """Find the file's name and type by its first bytes, or refuse what is evidently not the creative."""
        kind = self._item.kind
        if came := misfit(head, self._header_type, kind):
            raise _NeedsFreshLink(f"{host(url)} sent {came} where a file of kind {kind} is expected", status=200)
        fitting = [one for one in types_of(head) if fits(one, kind)]
        found = self._header_type if self._header_type in fitting or not fitting else fitting[0]
        extension, self._media_type = describe(found, url, kind)
        self._file_name = self._item.file_name(extension)

    async def _receive(self, opened: Opened, writer: AtomicWriter, end: int | None, url: str) -> None:
        broken = await write_body(opened, writer, lambda head: self._recognize(head, url))
        size, total, who = writer.size, self._version.total, host(url)
        if end is not None and size > end:
            self._version = Version()
            raise _TryAgain(f"{who} sent more than the {end} bytes that it announced")
        if size == total or (total is None and broken is None):
            return
        told = f" of {total}" if total is not None else ""
        raise _TryAgain(f"the connection to {who} broke after {size}{told} bytes")

    def _error(self, what: str, *, status: int | None = None) -> DownloadError:
        return download_error(self._item.label, what, status=status)


async def write_body(
    opened: Opened, writer: AtomicWriter, check: Callable[[bytes], None] | None = None
) -> WireError | None:
    """
    Write an answer's body, decoded. Where the body breaks off, write all that arrived and return the error.

    :param check: called with the first :data:`HEAD` bytes of the file before anything is written. Where the body breaks
        off before them, nothing is written.
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
                    await _write(held, writer, check)
        except WireError as error:
            broken = error
    if writer.size > 0 or check is None or broken is None or len(held) >= HEAD:
        await _write(held, writer, check)
    return broken


async def _write(held: bytearray, writer: AtomicWriter, check: Callable[[bytes], None] | None) -> None:
    if check is not None and writer.size == 0:
        check(bytes(held[:HEAD]))
    if held:
        await writer.write(bytes(held))
        held.clear()


def download_error(label: str, what: str, *, status: int | None = None, advice: str = "") -> DownloadError:
    """
    Return the error for a paid file that could not be stored.

    :param label: what could not be stored.
    :param what: the reason, without a full stop and without URLs.
    :param advice: a sentence that says what else to do.
    """
    text = f"{label} could not be stored: {what}. It is paid for; a retry fetches it again and costs nothing."
    return DownloadError(f"{text} {advice}".rstrip(), status=status)


def storage_error(label: str, place: Place, name: str, problem: NotStored) -> DownloadError:
    """Return the error for a file that its destination does not take."""
    advice = "Check the destination, its connection and its free space."
    return download_error(label, f"{place} did not take {name} ({problem})", advice=advice)
