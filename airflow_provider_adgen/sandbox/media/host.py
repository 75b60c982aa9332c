# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The storage host: signed downloads with ranges, and presigned uploads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_provider_adgen.sandbox.engine.answers import Answer
from airflow_provider_adgen.sandbox.media.artwork import Artwork, Blob, reading_seconds
from airflow_provider_adgen.sandbox.media.gallery import File, Gallery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.state import State
    from airflow_provider_adgen.sandbox.engine.vendor import Vendor

# Headers that belong to the vendor's API and must never reach a storage host.
FOREIGN_HEADERS = ("authorization", "x-api-key", "cookie")
# The Last-Modified of every file: they never change.
LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"


def problem(status: int, code: str, message: str) -> Answer:
    """Answer an error the way storage hosts do: in XML."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body=body.encode(), content_type="application/xml")


class MediaHost:
    """Serves ``/media/...`` and takes ``/upload/...``. It needs no credentials and refuses requests that have some.

    :param state: the state.
    :param vendors: the vendors by name.
    """

    longest_upload = 256 * 1024 * 1024

    def __init__(self, state: State, vendors: Mapping[str, Vendor]) -> None:
        self._state = state
        self._vendors = vendors
        self.gallery = Gallery()

    def close(self) -> None:
        """Stop the threads that make files."""
        self.gallery.close()

    async def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, expired: bool
    ) -> Answer:
        """Answer a request to the storage host.

        :param expired: behave as if the link had expired.
        """
        for name in FOREIGN_HEADERS:
            if name in headers:
                return problem(400, "InvalidArgument", f"A signed URL is used without a header {name}")
        if path.startswith("/media/public/") and method in ("GET", "HEAD"):
            artwork: Artwork | Blob | None = self._public(path)
        else:
            wrong = "Request has expired" if expired else self._state.links.problem(method, path, query)
            if wrong:
                return problem(403, "AccessDenied" if "expired" in wrong else wrong, wrong)
            if method == "PUT" and path.startswith("/upload/"):
                return self._upload(path, headers, body)
            if method not in ("GET", "HEAD") or not path.startswith("/media/"):
                return problem(405, "MethodNotAllowed", "This method is not allowed here")
            artwork = self._find(path)
        if artwork is None:
            return problem(404, "NoSuchKey", "There is no such file")
        settings = self._state.settings
        if settings.get("media", "shared") and isinstance(artwork, Artwork) and artwork.form != "zip":
            artwork = replace(artwork, title="Shared", text="", product="", seed="")
        file = await self.gallery.file(artwork, int(settings.get("media", "min_bytes")))
        return download(
            file, headers, ranges=bool(settings.get("media", "ranges")), etag=bool(settings.get("media", "etag"))
        )

    def _public(self, path: str) -> Artwork | None:
        """Make a picture or a sound from its name: ``/media/public/<kind>/<words>.<png|mp3|mp4>``."""
        kind, _, name = path.removeprefix("/media/public/").rpartition("/")
        words, _, form = unquote(name).rpartition(".")
        if not kind or form not in ("png", "mp3", "mp4"):
            return None
        text = words.replace("-", " ")
        return Artwork(form, kind, text, seed=words, seconds=reading_seconds(text))

    def _find(self, path: str) -> Artwork | Blob | None:
        _, _, vendor, owner, *rest = path.split("/")
        known = self._vendors.get(vendor)
        if known is None or len(rest) != 1:
            return None
        return known.artwork(self._state, owner, rest[0])

    def _upload(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        vendor = self._vendors.get(path.split("/")[2])
        if vendor is None:
            return problem(404, "NoSuchKey", "There is no such place to upload to")
        with self._state.store.transaction():
            return vendor.uploaded(self._state, path.split("/", 3)[3], headers, body)


def download(file: File, headers: Mapping[str, str], *, ranges: bool, etag: bool) -> Answer:
    """Answer with a file, or with the one range that was asked for."""
    size = len(file.data)
    shown = {"last-modified": LAST_MODIFIED, "cache-control": "private"}
    if ranges:
        shown["accept-ranges"] = "bytes"
    if etag:
        shown["etag"] = file.etag
    wanted = headers.get("range") if ranges else None
    condition = headers.get("if-range")
    if condition is not None and condition != (file.etag if etag else None) and condition != LAST_MODIFIED:
        wanted = None
    span = _span(wanted, size) if wanted else None
    if span is None:
        return Answer(200, body=file.data, headers=shown, content_type=file.content_type)
    first, last = span
    if first > last:
        answer = problem(416, "InvalidRange", "The requested range is not satisfiable")
        answer.headers["content-range"] = f"bytes */{size}"
        return answer
    shown["content-range"] = f"bytes {first}-{last}/{size}"
    return Answer(206, body=file.data[first : last + 1], headers=shown, content_type=file.content_type)


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """Read a Range with one span: first and last byte. None: ignore it; first > last: it cannot be satisfied."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return (size - min(int(last), size), size - 1) if int(last) else (1, 0)
    begin, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < begin:
        return None
    return (begin, end) if begin < size else (1, 0)
