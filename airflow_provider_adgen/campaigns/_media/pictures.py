# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The size of PNG, GIF, JPEG and WebP pictures."""

from __future__ import annotations

from airflow_provider_adgen.campaigns._media.window import Media, Unreadable, Window

_MOST_SEGMENTS = 1000
# All that begin a frame: C4, C8 and CC lie between them and mean something else.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def png(file: Window) -> Media:
    """Read a PNG's header."""
    if file.take(12, 4) != b"IHDR":
        raise Unreadable
    width, height = file.numbers(">II", 16)
    return Media(width, height)


def gif(file: Window) -> Media:
    """Read a GIF's header. How long it plays is told by its frames alone, and they are not read."""
    width, height = file.numbers("<HH", 6)
    return Media(width, height)


def jpeg(file: Window) -> Media:
    """Find the frame's header behind colour profiles and the camera's notes, whose rotation is left alone."""
    offset = 2
    for _ in range(_MOST_SEGMENTS):
        mark, code = file.numbers("BB", offset)
        if mark != 0xFF:
            raise Unreadable
        if code == 0xFF:  # a filler
            offset += 1
        elif code in _JPEG_ALONE:
            offset += 2
        elif code in _JPEG_FRAMES:
            height, width = file.numbers(">HH", offset + 5)
            return Media(width, height)
        else:
            offset += 2 + max(2, file.numbers(">H", offset + 2)[0])
    raise Unreadable


def webp(file: Window) -> Media:
    """Read the first chunk of a WebP file: extended, lossless or lossy."""
    form = file.take(12, 4)
    if form == b"VP8X":
        data = file.take(24, 6)
        return Media(1 + int.from_bytes(data[:3], "little"), 1 + int.from_bytes(data[3:], "little"))
    if form == b"VP8L" and file.take(20, 1) == b"\x2f":
        (bits,) = file.numbers("<I", 21)
        return Media(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if form == b"VP8 " and file.take(23, 3) == b"\x9d\x01\x2a":
        width, height = file.numbers("<HH", 26)
        return Media(width & 0x3FFF, height & 0x3FFF)
    raise Unreadable
