# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Feeds with a header and separated values: with commas, semicolons, tabs or pipes.

The csv module is not used: its limit of 131,072 characters for a cell is process-wide, and it reads on after a broken
quotation mark, so that one row swallows others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from airflow_provider_adgen.campaigns._feeds.columns import Place
from airflow_provider_adgen.campaigns._feeds.lines import Lines
from airflow_provider_adgen.campaigns._feeds.report import (
    LONGEST_ROW,
    LONGEST_TEXT,
    MOST_COLUMNS,
    Pairs,
    Report,
    Unreadable,
    size_of,
)

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}

_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_HEADER_LINES = 100
_BROKEN = f"is a quotation mark missing, or not doubled, or a value longer than {LONGEST_TEXT:,} bytes?"
# What a row must reach to: a row that ends before one of them is broken rather than short.
_MAIN = frozenset(Place(name, 0) for name in ("id", "title", "description", "link", "image_link", "price"))


class _BrokenQuote(Exception):
    """A quotation mark is missing, or not doubled."""


class _Taken:
    """The lines of a row after its first. Where they are too many, a mark is missing."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._taken: list[str] = []
        self._row_size = self._cell_size = 0

    def begin_cell(self) -> None:
        self._cell_size = 0

    def next(self) -> str:
        line = self._lines.next()
        if line is None:
            raise _BrokenQuote
        self._taken.append(line)
        self._row_size += len(line) + 1
        self._cell_size += size_of(line) + 1
        if self._row_size > LONGEST_ROW or self._cell_size > LONGEST_TEXT:
            raise _BrokenQuote
        return line

    def give_back(self) -> None:
        self._lines.give_back(self._taken)


def read_delimited(
    pieces: Iterable[str],
    report: Report,
    place_of: Callable[[str], Place | None],
    check_header: Callable[[int, list[str]], None],
) -> Iterator[tuple[int, Pairs]]:
    """
    Yield each row with the line it begins on. Rows that are broken go to the report.

    :param pieces: the text.
    :param place_of: returns what a column is, None for the shop's own.
    :param check_header: raises ``Unreadable`` where a column is missing.
    :raises Unreadable: the header cannot be used, or a row is too long.
    """
    lines = Lines(pieces)
    separator = _separator(lines, place_of)
    header_line, header = _first_row(lines, separator)
    if header is None:
        raise Unreadable(header_line, f"the header is not readable; {_BROKEN}")
    while header and not header[-1]:
        header.pop()
    _check_names(header_line, header, place_of)
    check_header(header_line, [name for name in header if name])
    shortest = max((number for number, name in enumerate(header, 1) if place_of(name) in _MAIN), default=1)
    unnamed = [number for number, name in enumerate(header) if not name]
    for line, cells in _rows(lines, separator, len(header), report):
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if shortest <= len(cells) < len(header):  # spreadsheets leave out empty cells at the end
            cells.extend([""] * (len(header) - len(cells)))
        if len(cells) != len(header):
            advice = f"; a value that holds {SEPARATORS[separator]} needs quotation marks"
            counts = f"{_count(cells, 'value')} for {_count(header, 'column')}"
            report.problem(line, f"{counts}{advice if len(cells) > len(header) else ''}")
            continue
        lost = [number + 1 for number in unnamed if cells[number].strip()]
        if lost:
            report.problem(line, f"column {lost[0]} has a value, but no name in the header")
            continue
        yield line, zip(header, cells, strict=True)


def _check_names(line: int, header: list[str], place_of: Callable[[str], Place | None]) -> None:
    if len(header) > MOST_COLUMNS:
        raise Unreadable(line, f"the header has {len(header):,} columns; at most {MOST_COLUMNS:,} are read")
    bad = next((name for name in header if _CONTROL.search(name.replace("\n", " "))), None)
    if bad is not None:
        raise Unreadable(line, f"the column name {bad[:60]!r} has a control character")
    seen: dict[Place, str] = {}
    for name in header:
        place = place_of(name)
        if place is None:
            continue
        if place in seen:
            same = f"{name!r} more than once" if seen[place] == name else f"both {seen[place]!r} and {name!r}"
            raise Unreadable(line, f"the header names {same}")
        seen[place] = name


def _separator(lines: Lines, place_of: Callable[[str], Place | None]) -> str:
    """Find what separates the cells: what makes the most known columns of the header, then the most columns."""
    taken: list[str] = []
    while len(taken) < _MOST_HEADER_LINES and (line := lines.next()) is not None:
        taken.append(line)
    lines.give_back(taken)
    said = next((_SEPARATOR_LINE.fullmatch(line) for line in taken if line.strip()), None)
    if said is not None and said[1] in SEPARATORS:  # Excel's own first line
        while not (lines.next() or "").strip():
            continue
        return said[1]

    def score(separator: str) -> tuple[int, int]:
        number, header = _first_row(Lines(f"{line}\n" for line in taken), separator)
        if header is None:
            header = taken[number - 1].split(separator)
        return len({place_of(name) for name in header} - {None}), len(header)

    return max(SEPARATORS, key=score)


def _first_row(lines: Lines, separator: str) -> tuple[int, list[str] | None]:
    """Return the first row that is not empty, without marks and spaces around its cells; None for a broken one."""
    while (line := lines.next()) is not None:
        number = lines.number
        try:
            cells = [cell.strip(" \t\ufeff\xa0\n") for cell in _cells(line, lines, separator)]
        except _BrokenQuote:
            return number, None
        if any(cells):
            return number, cells
    raise Unreadable(1, "the file has no header")


def _rows(lines: Lines, separator: str, columns: int, report: Report) -> Iterator[tuple[int, list[str]]]:
    while (line := lines.next()) is not None:
        number = lines.number
        try:
            cells = _cells(line, lines, separator) if '"' in line else line.split(separator)
        except _BrokenQuote:
            cells = line.split(separator)
            # Exports that quote nothing have tabs, and names like {"Best" lamp}.
            if separator != "\t" or len(cells) < columns or any(cells[columns:]):
                report.problem(number, f"not readable; {_BROKEN}")
                continue
        if any(cells) and not line.isspace():
            yield number, cells


def _cells(line: str, lines: Lines, separator: str) -> list[str]:
    """
    Split a row, and take the further lines that it spans.

    :raises _BrokenQuote: only the row's first line was taken then, so that the rows after it are read.
    """
    cells: list[str] = []
    taken = _Taken(lines)
    position = 0
    while True:
        start = position
        while line[start : start + 1] == " ":
            start += 1
        if line[start : start + 1] != '"':
            end = line.find(separator, position)
            if end < 0:
                cells.append(line[position:])
                return cells
            cells.append(line[position:end])
            position = end + 1
            continue
        taken.begin_cell()
        try:
            cell, line, position = _quoted(line, start + 1, taken, separator)
        except _BrokenQuote:
            taken.give_back()
            raise
        cells.append(cell)
        if position == len(line):
            return cells
        position += 1


def _quoted(line: str, position: int, taken: _Taken, separator: str) -> tuple[str, str, int]:
    """Read a cell from behind its first quotation mark; return it, its last line, and where it ends there."""
    parts: list[str] = []
    start, spans = position, False
    while True:
        end = line.find('"', position)
        if end < 0:
            parts.append(f"{line[position:]}\n")
            if separator == "\t" and "\t" in line[start:]:
                raise _BrokenQuote
            line, position, start, spans = taken.next(), 0, 0, True
        elif line[end + 1 : end + 2] == '"':
            parts.append(line[position : end + 1])
            position = end + 2
        else:
            parts.append(line[position:end])
            break
    # Texts between tabs hold no tabs: two rows that each lack a mark are no cell.
    if spans and separator == "\t" and "\t" in line[:end]:
        raise _BrokenQuote
    end += 1
    while line[end : end + 1] == " ":
        end += 1
    if end < len(line) and line[end] != separator:
        raise _BrokenQuote
    return "".join(parts), line, end


def _count(things: list[str], noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
