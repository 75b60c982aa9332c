# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A few blocks of a file, read as they are needed; and what is found in it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BLOCK = 64 * 1024
"""Bytes of one read."""

MOST_BLOCKS = 24
"""Reads of one file. A film whose index is at its end needs two or three."""


class Unreadable(Exception):
    """The file is cut off, damaged, or would need more reads than it is worth."""


@dataclass(frozen=True)
class Media:
    """
    What a file says of itself; None where it says nothing.

    :param width: pixels, as it is shown.
    :param height: pixels, as it is shown.
    :param seconds: how long it plays.
    """

    width: int | None = None
    height: int | None = None
    seconds: float | None = None


class Window:
    """
    A file of which only some blocks are read.

    :param read: returns the bytes from one offset to another.
    :param size: the file's bytes.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self._blocks: dict[int, bytes] = {}
        self.size = size

    def take(self, offset: int, count: int) -> bytes:
        """
        Return *count* bytes.

        :raises Unreadable: the file ends before, or too many blocks were read already.
        """
        if offset < 0 or count < 0 or offset + count > self.size or count > BLOCK:
            raise Unreadable
        first, last = offset // BLOCK, (offset + count - 1) // BLOCK
        found = b"".join(self._block(number) for number in range(first, last + 1))[offset - first * BLOCK :][:count]
        if len(found) < count:
            raise Unreadable
        return found

    def numbers(self, layout: str, offset: int) -> tuple[Any, ...]:
        """Return numbers, laid out as :mod:`struct` says it."""
        return struct.unpack(layout, self.take(offset, struct.calcsize(layout)))

    def head(self, count: int) -> bytes:
        """Return the first bytes; fewer where the file is shorter."""
        return self.take(0, min(count, self.size))

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= MOST_BLOCKS:
                raise Unreadable
            self._blocks[number] = self._read(number * BLOCK, min((number + 1) * BLOCK, self.size))
        return self._blocks[number]
