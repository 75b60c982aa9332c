# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Storing the creatives of a finished generation.

Blocking callers use ``core.blocking.run(store_generation(...))``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.errors import AdGenError, DownloadError
from airflow_provider_adgen.core.http import HttpClient, Opened
from airflow_provider_adgen.core.scrub import without_urls
from airflow_provider_adgen.core.vocabulary import Creative, Generation
from airflow_provider_adgen.delivery.atomic_writer import AtomicWriter, NotStored
from airflow_provider_adgen.delivery.download import Download, DownloadItem, download_error, storage_error, write_body
from airflow_provider_adgen.delivery.links import Links
from airflow_provider_adgen.delivery.names import USUAL_NAMES, FileNames, media_type
from airflow_provider_adgen.delivery.places import Place, resolve, resolve_file
from airflow_provider_adgen.delivery.ranges import content_length, decodable, encoding
from airflow_provider_adgen.delivery.signatures import misfit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

log = logging.getLogger(__name__)

AT_A_TIME = 3
"""Creatives of one generation that are downloaded at the same time."""

_JSON = "application/json"


class StoredFile(NamedTuple):
    """
    A file in object storage.

    :param uri: its path for ``ObjectStoragePath``.
    :param size: bytes.
    :param sha256: hex digest.
    """

    uri: str
    size: int
    sha256: str


async def store_generation(
    generation: Generation,
    destination: str,
    *,
    refetch: Callable[[], Awaitable[Generation]],
    names: FileNames = USUAL_NAMES,
    verify: bool | str = True,
    clock: Clock = SYSTEM,
    timeout: float = 60.0,  # noqa: ASYNC109 - a host's longest silence, not a deadline for the whole
) -> Generation:
    """
    Store every creative below *destination*, and ad copy and analyses as JSON. It costs nothing and may be repeated.

    Files are named ``<vendor>-<job id>-<n>.<extension>``, ``<vendor>-<job id>-copy.json`` and ``...-analysis.json``
    unless *names* says otherwise, the same on every try. The file of an earlier try stays until the new one is
    complete. A creative that is already stored (``uri``, no link) is not stored again. When one cannot be stored, the
    others are stored before the error is raised.

    :param generation: the vendor's latest answer; its links may have expired.
    :param destination: anything that Airflow's ``ObjectStoragePath`` takes, or a plain path of this machine.
    :param refetch: asks the vendor for the generation again, for fresh links.
    :param names: how files are named.
    :param verify: how to verify the storage hosts' certificates: True, False, or the path of a CA bundle.
    :param clock: time, injected.
    :param timeout: the longest silence of a storage host, in seconds.
    :return: a copy whose creatives have ``uri``, ``media_type``, ``size`` and ``sha256``, and no link. The file with ad
        copy is one more of them, of kind ``archive`` and type ``application/json``.
    :raises DownloadError: a creative could not be fetched or stored; a retry costs nothing.
    """
    label = f"{generation.vendor} job {generation.id}"
    if not generation.creatives and not generation.variants and generation.kind in {"video", "image", "voice"}:
        generation = await _asked_again(generation, refetch, label)
    place = await asyncio.to_thread(resolve, destination)
    copy = await _store_text(generation, place, names, label)
    media = await _store_creatives(generation, place, names, label, refetch, verify, clock, timeout)
    if copy is not None:
        media = [creative for creative in media if creative.uri != copy.uri] + [copy]
    return generation.model_copy(update={"creatives": media})


async def store_stream(
    opened: Opened, path: str, *, label: str = "The file", kind: str | None = None, may_be_empty: bool = False
) -> StoredFile:
    """
    Store the body of an answer as one file. An incomplete body is not stored.

    :param opened: a successful answer whose body has not been read.
    :param path: the file's whole path: anything that Airflow's ``ObjectStoragePath`` takes, or one of this machine.
    :param label: the file's name in messages.
    :param kind: ``image``, ``video``, ``audio`` or ``archive``, to refuse a body that is evidently something else.
    :param may_be_empty: accept an empty body.
    :raises DownloadError: the body broke off or is not of this kind, or the destination does not take it.
    """
    place, name = await asyncio.to_thread(resolve_file, path)
    if encoding(opened.headers) and not decodable(encoding(opened.headers)):
        raise download_error(label, f"it came in an encoding that was not asked for ({encoding(opened.headers)[:20]})")
    stored_as = media_type(opened.headers.get("content-type", ""))

    def check(head: bytes) -> None:
        if kind is not None and (head or not may_be_empty) and (came := misfit(head, stored_as, kind)):
            raise download_error(label, f"{came} came where a file of kind {kind} is expected")

    async with _stored(place, name, stored_as, label) as writer:
        broken = await write_body(opened, writer, check)
        told = content_length(opened.headers)
        if broken is not None or (told is not None and told != writer.size):
            of = f" of {told}" if told is not None else ""
            raise download_error(label, f"the connection broke after {writer.size}{of} bytes")
        if writer.size == 0 and not may_be_empty:
            raise download_error(label, "it is empty")
    return StoredFile(place.uri_of(name), writer.size, writer.sha256)


@contextlib.asynccontextmanager
async def _stored(place: Place, name: str, media_type: str, label: str) -> AsyncIterator[AtomicWriter]:
    """Hand out the writer of one file; the file appears if all goes well, and nothing is left behind if not."""
    writer = AtomicWriter(lambda: place.sink(name, media_type))
    try:
        yield writer
        await writer.commit()
    except NotStored as problem:
        raise storage_error(label, place, name, problem) from None
    finally:
        await writer.abort()


async def _asked_again(generation: Generation, refetch: Callable[[], Awaitable[Generation]], label: str) -> Generation:
    """Ask the vendor once more for a generation whose answer has no creatives."""
    try:
        fresh = await refetch()
    except AdGenError as error:
        raise download_error(f"The result of {label}", f"asking for it failed: {error.message.rstrip('.')}") from None
    if not fresh.creatives:
        raise download_error(f"The result of {label}", f"the vendor lists none (status {fresh.status})")
    return fresh


async def _store_creatives(
    generation: Generation,
    place: Place,
    names: FileNames,
    label: str,
    refetch: Callable[[], Awaitable[Generation]],
    verify: bool | str,
    clock: Clock,
    timeout: float,  # noqa: ASYNC109 - a host's longest silence, not a deadline for the whole
) -> list[Creative]:
    media = list(generation.creatives)
    todo = [index for index, creative in enumerate(media) if creative.uri is None or creative.url is not None]
    if not todo:
        return media
    # In a thread, because the certificates are read from disk. The client has no auth and no headers of the account.
    client = await asyncio.to_thread(HttpClient, verify=verify)
    links, slots = Links(generation, refetch), asyncio.Semaphore(AT_A_TIME)

    async def one(index: int) -> None:
        kind = media[index].kind
        named = functools.partial(names.name, generation, index, kind=kind)
        item = DownloadItem(index, kind, f"Creative {index} of {label}", named, place, names.key)
        async with slots:
            media[index] = await Download(item, links, client, clock, timeout).run()

    try:
        ended = await asyncio.gather(*map(one, todo), return_exceptions=True)
    finally:
        await client.aclose()
    errors = [error for error in ended if error is not None]
    for error in errors:
        if not isinstance(error, DownloadError):
            raise error
    if errors and len(todo) > 1:
        first = errors[0]
        raise DownloadError(
            f"{first} Of {len(todo)} creatives, {len(todo) - len(errors)} were stored.",
            status=first.status if isinstance(first, DownloadError) else None,
        )
    if errors:
        raise errors[0]
    return media


async def _store_text(generation: Generation, place: Place, names: FileNames, label: str) -> Creative | None:
    """Store ad copy or an analysis as JSON; None where the generation has neither."""
    content: dict[str, Any] = {"vendor": generation.vendor, "id": generation.id}
    if generation.variants:
        word, content["variants"] = "copy", [variant.model_dump(mode="json") for variant in generation.variants]
    elif generation.kind == "analysis" and generation.details:
        # In XCom it is cut at 4 KB. It is paid for, so all of it is kept here.
        word, content["details"] = "analysis", without_urls(generation.details)
    else:
        return None
    name = names.name(generation, word, "json", "archive")
    text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
    async with _stored(place, name, _JSON, f"The {word} of {label}") as writer:
        await writer.write(text.encode("utf-8", "replace") + b"\n")
    uri = place.uri_of(name)
    of_item = f"{names.key}: " if names.key else ""
    log.info("%sStored the %s of %s: %s, %d bytes.", of_item, word, label, uri, writer.size)
    return Creative(kind="archive", uri=uri, media_type=_JSON, size=writer.size, sha256=writer.sha256)
