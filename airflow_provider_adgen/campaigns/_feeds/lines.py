# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Lines of a text that comes in pieces, with their numbers."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from airflow_provider_adgen.campaigns._feeds.report import LONGEST_ROW, row_too_long


class Lines:
    """
    The lines of a text, without their ends. Any line end counts: LF, CR LF or CR.

    :param pieces: the text.
    """

    def __init__(self, pieces: Iterable[str]) -> None:
        self._source = _split(pieces)
        self._returned: list[str] = []
        self.number = 0

    def next(self) -> str | None:
        """Return the next line, None at the end; ``number`` is then its number."""
        line = self._returned.pop() if self._returned else next(self._source, None)
        if line is not None:
            self.number += 1
        return line

    def give_back(self, lines: Sequence[str]) -> None:
        """Return the last lines, to read them again."""
        self._returned.extend(reversed(lines))
        self.number -= len(lines)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while (line := self.next()) is not None:
            yield self.number, line


def _split(pieces: Iterable[str]) -> Iterator[str]:
    translate = io.IncrementalNewlineDecoder(None, translate=True)
    number, size = 1, 0
    rest: list[str] = []
    for piece in pieces:
        text = translate.decode(piece)
        rest.append(text)
        size += len(text)
        if "\n" not in text:
            if size > LONGEST_ROW:
                raise row_too_long(number)
            continue
        lines = "".join(rest).split("\n")
        rest = [lines.pop()]
        size = len(rest[0])
        for line in lines:
            if len(line) > LONGEST_ROW:
                raise row_too_long(number)
            yield line
            number += 1
        if size > LONGEST_ROW:
            raise row_too_long(number)
    last = "".join(rest) + translate.decode("", final=True)
    if last:
        yield from last.removesuffix("\n").split("\n")
