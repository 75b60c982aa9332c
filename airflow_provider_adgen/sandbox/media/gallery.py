# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Creating files from artworks, outside the event loop, each once."""

from __future__ import annotations

import asyncio
import io
import struct
import zipfile
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

from airflow_provider_adgen.sandbox.media.artwork import MEDIA_TYPES, Artwork, Blob

KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A finished file."""

    data: bytes
    content_type: str
    etag: str


def render(artwork: Artwork) -> bytes:
    """Make the file. Pillow and PyAV are imported here, when the first picture is wanted."""
    if artwork.form == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, member in artwork.members:
                # A fixed date: the same members give the same bytes.
                info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
                archive.writestr(info, member if isinstance(member, str) else render(member))
        return buffer.getvalue()
    if artwork.form == "png":
        from airflow_provider_adgen.sandbox.media.pictures import png

        return png(artwork)
    from airflow_provider_adgen.sandbox.media.films import mp3, mp4

    return mp4(artwork) if artwork.form == "mp4" else mp3(artwork)


def pad(data: bytes, form: str, least: int) -> bytes:
    """Pad a file to a minimum size in a way that its format allows, so that it can still be opened."""
    missing = least - len(data)
    if missing <= 0:
        return data
    if form == "png":
        chunk = b"paDd" + bytes(max(0, missing - 12))
        # Before the closing IEND chunk, which is always 12 bytes.
        return (
            data[:-12] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[-12:]
        )
    if form == "mp4":
        size = max(8, missing)
        return data + struct.pack(">I", size) + b"free" + bytes(size - 8)
    if form == "mp3":
        size = max(0, missing - 10)
        sizes = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
        return b"ID3\x04\x00\x00" + sizes + bytes(size) + data
    return data


class Gallery:
    """Files by artwork. The most recently used are kept; concurrent requests for one file create it once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="adgen-sandbox-media")
        self._files: OrderedDict[tuple[Artwork | Blob, int], File] = OrderedDict()
        self._size = 0
        self._making: dict[tuple[Artwork | Blob, int], asyncio.Future[File]] = {}

    async def file(self, artwork: Artwork | Blob, least: int = 0) -> File:
        """Return the file of an artwork, at least so many bytes long."""
        name = (artwork, least)
        found = self._files.get(name)
        if found is not None:
            self._files.move_to_end(name)
            return found
        if name not in self._making:
            future = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(self._pool, self._make, *name))
            self._making[name] = future
            future.add_done_callback(lambda _: self._making.pop(name, None))
        made = await asyncio.shield(self._making[name])
        if name not in self._files:
            self._files[name] = made
            self._size += len(made.data)
            while self._size > KEPT_BYTES and len(self._files) > 1:
                _, old = self._files.popitem(last=False)
                self._size -= len(old.data)
        return made

    @staticmethod
    def _make(artwork: Artwork | Blob, least: int) -> File:
        if isinstance(artwork, Blob):
            data, content_type = artwork.data, artwork.content_type
        else:
            data, content_type = pad(render(artwork), artwork.form, least), MEDIA_TYPES[artwork.form]
        return File(data, content_type, f'"{sha256(data).hexdigest()[:32]}"')

    def close(self) -> None:
        """Stop making files."""
        self._pool.shutdown(wait=False, cancel_futures=True)
