# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a reader of a feed has to say, and the limits that all readers share."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_TEXT = 8 * 1024 * 1024
"""Bytes of a text, in UTF-8."""

LONGEST_ROW = 4 * LONGEST_TEXT
"""Characters of a row. JSON may write three of them for each byte of a text."""

LARGEST_FILE = 1024 * 1024 * 1024
"""Bytes of an unpacked file."""

MOST_VALUES = 20_000_000
"""Values of a catalogue: rows times columns."""

MOST_COLUMNS = 10_000

MOST_PROBLEMS = 100_000

Pairs = Iterable[tuple[str, str]]
"""The values of a row with the names of their columns. A name may come more than once."""


class Unreadable(Exception):
    """
    The rest of the file cannot be read.

    :param line: where.
    :param text: the sentence that follows the line.
    """

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def row_too_long(line: int) -> Unreadable:
    """Return the error for a row that is over the limit."""
    return Unreadable(line, f"a row has more than {LONGEST_ROW:,} characters")


def text_too_long(line: int) -> Unreadable:
    """Return the error for a text that is over the limit."""
    return Unreadable(line, f"a text has more than {LONGEST_TEXT:,} bytes")


def size_of(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Report:
    """The problems and warnings of one file, by line."""

    def __init__(self) -> None:
        self._problems: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []

    def problem(self, line: int, text: str, product_id: str = "") -> None:
        """
        Note why a row cannot be used.

        :param product_id: of which product the row is, where that is known.
        :raises Unreadable: there are so many that the file is not what it is taken for.
        """
        self._problems.append((line, f"{_named(product_id)}: {text}"))
        if len(self._problems) == MOST_PROBLEMS:
            raise Unreadable(line, f"there are {MOST_PROBLEMS:,} problems up to here, so nothing after it was read")

    def warn(self, line: int, text: str) -> None:
        """Note what a person should know about a file that can be used."""
        self._warnings.append((line, f": {text}"))

    @property
    def problems(self) -> list[str]:
        """All problems in the order of their lines."""
        return _told(self._problems)

    @property
    def bad_rows(self) -> int:
        """How many rows have a problem: one may have several."""
        return len({line for line, _ in self._problems})

    @property
    def warnings(self) -> list[str]:
        """All warnings in the order of their lines."""
        return _told(self._warnings)


def _named(product_id: str) -> str:
    return f" ({shown(product_id)[1:-1]})" if product_id else ""  # escaped and shortened, without quotation marks


def _told(notes: list[tuple[int, str]]) -> list[str]:
    return [f"line {line}{text}" for line, text in sorted(notes, key=lambda note: note[0])]


def shown(value: str) -> str:
    """Return a value for a message, shortened; without its query string, which may be signed."""
    start = value[:1000].partition("?")[0]
    return repr(start if len(start) <= 60 else f"{start[:59]}…")
