# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The length of MP3 and WAV files."""

from __future__ import annotations

from airflow_provider_adgen.campaigns._media.window import Media, Unreadable, Window

_MOST_CHUNKS = 1000
_SEARCHED = 4096
"""Bytes after the tags within which the first MP3 frame must begin."""

_KBITS = {
    # By (MPEG 1 or not, layer): the table of the standard, by its four bits.
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
_SLOWER = {3: 1, 2: 2, 0: 4}
"""By the two bits of the version: MPEG 1, 2 and 2.5."""


class _Frame:
    """The header of one MP3 frame."""

    def __init__(self, header: bytes) -> None:
        version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
        bits, rate = header[2] >> 4, header[2] >> 2 & 3
        if header[0] != 0xFF or header[1] < 0xE0 or version == 1 or layer == 4 or bits in {0, 15} or rate == 3:
            raise Unreadable
        first = version == 3
        self.rate = _RATES[rate] // _SLOWER[version]
        self.bits = 1000 * _KBITS[first, layer][bits]
        self.samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
        mono = header[3] >> 6 == 3
        self.side = (17 if mono else 32) if first else (9 if mono else 17)
        """Bytes between the header and where an encoder writes how many frames there are."""
        self.bytes = (self.samples // 8 * self.bits // self.rate) + (header[2] >> 1 & 1) * (4 if layer == 1 else 1)


def mp3(file: Window) -> Media:
    """Count an MP3 file's frames where its encoder has written how many there are; else its bytes at its bit rate."""
    begin = 0
    if file.size > 10 and file.take(0, 3) == b"ID3":
        size = 0
        for byte in file.take(6, 4):
            size = size << 7 | byte & 0x7F
        begin = 10 + size
    begin, frame = _first_frame(file, begin)
    mark = begin + 4 + frame.side
    frames = None
    if mark + 12 <= file.size and file.take(mark, 4) in {b"Xing", b"Info"}:
        flags, told = file.numbers(">II", mark + 4)
        frames = told if flags & 1 else None
    elif begin + 54 <= file.size and file.take(begin + 36, 4) == b"VBRI":
        (frames,) = file.numbers(">I", begin + 50)
    if frames:
        return Media(seconds=frames * frame.samples / frame.rate)
    end = file.size - (128 if file.size > 128 and file.take(file.size - 128, 3) == b"TAG" else 0)
    return Media(seconds=(end - begin) * 8 / frame.bits)


def _first_frame(file: Window, begin: int) -> tuple[int, _Frame]:
    head = file.take(begin, min(_SEARCHED, max(0, file.size - begin)))
    for offset in range(len(head) - 3):
        if head[offset] != 0xFF:
            continue
        try:
            frame = _Frame(head[offset : offset + 4])
            after = begin + offset + frame.bytes
            if after + 4 <= file.size:  # two bytes may look like a frame by chance; two frames do not
                _Frame(file.take(after, 4))
        except Unreadable:
            continue
        return begin + offset, frame
    raise Unreadable


def wav(file: Window) -> Media:
    """Divide a WAV file's data by its rate; a recording whose length was never filled in ends with the file."""
    offset, rate = 12, 0
    for _ in range(_MOST_CHUNKS):
        name, size = file.numbers("<4sI", offset)
        offset += 8
        if name == b"fmt ":
            (rate,) = file.numbers("<I", offset + 8)
        elif name == b"data":
            if not rate:
                raise Unreadable
            left = file.size - offset
            return Media(seconds=(left if size in {0, 0xFFFFFFFF} else min(size, left)) / rate)
        offset += size + size % 2
    raise Unreadable
