# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Size and length of MP4 and QuickTime, and of WebM and Matroska."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from airflow_provider_adgen.campaigns._media.window import Media, Unreadable, Window

_MOST_PARTS = 1000
"""Boxes or elements that are looked at in one file."""


def mp4(file: Window) -> Media:
    """Read the film's header, wherever in the file it is, and the first track that has a picture."""
    movie = _box(file, 0, file.size, b"moov")
    scale, length = _clock(file, _box(file, *movie, b"mvhd"))
    if not length:
        length = _fragmented(file, *movie)
    width = height = None
    for name, begin, end in _boxes(file, *movie):
        if name == b"trak":
            across, down = _track_size(file, _box(file, begin, end, b"tkhd"))
            if across and down:
                width, height = across, down
                break
    return Media(width, height, length / scale if scale and length else None)


def _boxes(file: Window, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and end of the content of each box."""
    for _ in range(_MOST_PARTS):
        if begin + 8 > end:
            return
        size, name = file.numbers(">I4s", begin)
        header = 8
        if size == 1:
            (size,) = file.numbers(">Q", begin + 8)
            header = 16
        elif size == 0:  # to the end of the file
            size = end - begin
        if size < header:
            raise Unreadable
        yield name, begin + header, min(begin + size, end)
        begin += size


def _box(file: Window, begin: int, end: int, name: bytes) -> tuple[int, int]:
    for found, inner, inner_end in _boxes(file, begin, end):
        if found == name:
            return inner, inner_end
    raise Unreadable


def _clock(file: Window, header: tuple[int, int]) -> tuple[int, int]:
    begin, _ = header
    if file.take(begin, 1) == b"\x01":
        scale, length = file.numbers(">IQ", begin + 20)
        return scale, 0 if length == 2**64 - 1 else length
    scale, length = file.numbers(">II", begin + 12)
    return scale, 0 if length == 2**32 - 1 else length


def _fragmented(file: Window, begin: int, end: int) -> int:
    for name, inner, inner_end in _boxes(file, begin, end):
        if name == b"mvex":
            for part, at, _ in _boxes(file, inner, inner_end):
                if part == b"mehd":
                    length: int = file.numbers(">Q" if file.take(at, 1) == b"\x01" else ">I", at + 4)[0]
                    return length
    return 0


def _track_size(file: Window, header: tuple[int, int]) -> tuple[int, int]:
    begin, _ = header
    matrix = begin + (52 if file.take(begin, 1) == b"\x01" else 40)
    a, _b, _u, _c, d = file.numbers(">5i", matrix)
    width, height = (number >> 16 for number in file.numbers(">II", matrix + 36))
    # A film taken with a phone held upright is stored lying down, and turned when it is shown.
    return (height, width) if a == d == 0 else (width, height)


_SEGMENT, _INFO, _TRACKS, _TRACK, _VIDEO, _CLUSTER = (
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0xAE,
    0xE0,
    0x1F43B675,
)
_SCALE, _LENGTH, _WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT = 0x2AD7B1, 0x4489, 0xB0, 0xBA, 0x54B0, 0x54BA


def webm(file: Window) -> Media:
    """Read the segment's information and its first track with a picture; both come before the first cluster."""
    seconds = width = height = None
    segment = next((one for one in _elements(file, 0, file.size) if one[0] == _SEGMENT), None)
    if segment is None:
        raise Unreadable
    for number, begin, end in _elements(file, *segment[1:]):
        if number == _INFO:
            seconds = _length(file, begin, end)
        elif number == _TRACKS:
            width, height = _picture(file, begin, end)
        elif number == _CLUSTER:
            break
    return Media(width, height, seconds)


def _elements(file: Window, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, begin and end of the content of each element."""
    for _ in range(_MOST_PARTS):
        if begin >= end:
            return
        number, begin, _ = _variable(file, begin, longest=4, marked=True)
        size, begin, unknown = _variable(file, begin, longest=8, marked=False)
        if unknown:  # written while it was recorded: it ends where the file ends
            size = end - begin
        yield number, begin, min(begin + size, end)
        begin += size


def _variable(file: Window, offset: int, *, longest: int, marked: bool) -> tuple[int, int, bool]:
    """Return a number whose first bits tell its length, where it ends, and whether all its bits are set."""
    (first,) = file.take(offset, 1)
    length = 9 - first.bit_length()
    if length > longest:
        raise Unreadable
    value = int.from_bytes(file.take(offset, length), "big")
    bare = value & ((1 << 7 * length) - 1)
    return value if marked else bare, offset + length, bare == (1 << 7 * length) - 1


def _length(file: Window, begin: int, end: int) -> float | None:
    scale, length = 1_000_000, None
    for number, at, after in _elements(file, begin, end):
        if number == _SCALE:
            scale = _unsigned(file, at, after)
        elif number == _LENGTH and after - at in {4, 8}:
            length = struct.unpack(">f" if after - at == 4 else ">d", file.take(at, after - at))[0]
    return None if length is None else length * scale / 1e9


def _picture(file: Window, begin: int, end: int) -> tuple[int | None, int | None]:
    for number, at, after in _elements(file, begin, end):
        if number != _TRACK:
            continue
        for inner, inner_at, inner_after in _elements(file, at, after):
            if inner == _VIDEO:
                sizes = {
                    name: _unsigned(file, one, one_end)
                    for name, one, one_end in _elements(file, inner_at, inner_after)
                    if name in {_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT}
                }
                return sizes.get(_SHOWN_WIDTH, sizes.get(_WIDTH)), sizes.get(_SHOWN_HEIGHT, sizes.get(_HEIGHT))
    return None, None


def _unsigned(file: Window, begin: int, end: int) -> int:
    if end - begin > 8:
        raise Unreadable
    return int.from_bytes(file.take(begin, end - begin), "big")
