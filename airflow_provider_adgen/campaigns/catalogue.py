# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Product catalogues: CSV files with the column names of Google Merchant's product data specification.

The whole file is read and checked before anything is paid for. One error names every row that is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.delivery.names import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLUMNS = ("id", "title", "description", "link", "image_link", "price", "brand", "product_type")
"""The columns a catalogue must have, in any order. Others are kept."""

_OPTIONAL = frozenset({"brand", "product_type"})

_NOTHING_SPENT = "Nothing was sent to the vendor and nothing was charged."
# One cell and what ends it. The csv module is not used: its limit of 131,072 characters for a cell is process-wide.
_CELL = re.compile(r'(?:"((?:[^"]+|"")*+)"|((?!")[^,\r\n]*+))(,|\r\n|\r|\n|\Z)')
_LINE_END = re.compile(r"\r\n|\r|\n")
_PRICE = re.compile(r"\d+(\.\d+)? [A-Z]{3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_URL_LIMIT = 2000


class CatalogueError(InvalidRequest):
    """
    The catalogue has rows that cannot be used. A retry does not help until the file is corrected; nothing was charged.

    :param source: the file's name.
    :param problems: one sentence for each problem, beginning with its line.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"The catalogue {source} has {count}. {_NOTHING_SPENT}{lines}")
        self.source = source
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Product:
    """
    One row of a catalogue.

    :param id: the product's own id, unique in its catalogue.
    :param title: its name.
    :param description: what it is.
    :param link: its page.
    :param image_link: its main picture.
    :param price: as in the file, ``29.99 USD``.
    :param brand: may be empty.
    :param product_type: the shop's own category, may be empty.
    :param line: the line on which the row begins; the header is line 1.
    :param extra: the values of all other columns, by the names the file gives them.
    """

    id: str
    title: str
    description: str
    link: str
    image_link: str
    price: str
    brand: str
    product_type: str
    line: int
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of the product's folder: its id, made safe for any file system, and unique."""
        return safe(self.id)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON, for XCom and the manifest."""
        return asdict(self)


def parse_catalogue(data: bytes, *, source: str = "catalogue") -> list[Product]:
    """
    Read a catalogue and check every row of it.

    :param data: the file: CSV with commas, UTF-8 (a byte order mark is fine), the first line naming the columns.
    :param source: the file's name in errors.
    :raises CatalogueError: naming every row that is missing something, malformed or a duplicate, with its line.
    """
    rows = _rows(_decode(data, source), source)
    header_line, header = next(rows, (1, []))
    names = _column_names(header, header_line, source)
    products: list[Product] = []
    problems: list[str] = []
    first_seen: dict[str, int] = {}
    try:
        for line, cells in rows:
            wrong, product = _read_row(line, cells, names)
            problems.extend(f"line {line}: {problem}" for problem in wrong)
            if product is None:
                continue
            if product.id in first_seen:
                problems.append(f"line {line}: id {product.id!r} is already used on line {first_seen[product.id]}")
            elif product.id:
                first_seen[product.id] = line
            products.append(product)
    except CatalogueError as broken:  # the rest cannot be read; the problems found so far are reported as well
        problems.extend(broken.problems)
    if problems:
        raise CatalogueError(source, problems)
    if not products:
        raise CatalogueError(source, [f"line {header_line}: there is no product after the header"])
    return products


def shorten(text: str, longest: int) -> str:
    """
    Return *text* in at most *longest* characters, with an ellipsis where it was cut.

    It is cut at a space where there is one near the end. Languages without spaces (Japanese, Thai, Khmer) are cut
    inside the word, but not between a letter and its marks.

    :param text: any text; white space is collapsed.
    :param longest: characters of the result, the ellipsis included.
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    end = text.rfind(" ", longest * 3 // 4, longest)
    if end < 0:
        end = longest - 1
        while end > longest // 2 and _belongs_together(text[end - 1], text[end]):
            end -= 1
    return f"{text[:end].rstrip()}…"


def _belongs_together(before: str, after: str) -> bool:
    joiner = "\u200d"
    virama = 9  # combining class of the marks that join two letters, in Khmer and the scripts of India
    if unicodedata.category(after)[0] == "M" or joiner in (before, after) or unicodedata.combining(before) == virama:
        return True
    # Skin tones, and the pairs of letters that are flags.
    return (
        "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U0001f1e6" <= min(before, after) <= max(before, after) <= "\U0001f1ff"
    )


def _decode(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogueError(source, [f"line {line}: the text is not UTF-8; save the file as UTF-8"]) from None


def _rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins on (a quoted cell may span lines); empty lines are skipped."""
    line, position, cells, started = 1, 0, list[str](), 0
    while position < len(text):
        cell = _CELL.match(text, position)
        if cell is None:
            problem = f"line {line}: not readable as CSV; is a quotation mark missing or not doubled?"
            raise CatalogueError(source, [problem])
        quoted, plain, end = cell.groups()
        cells.append((plain if quoted is None else quoted.replace('""', '"')).strip())
        position = cell.end()
        if end == "," and position < len(text):
            continue
        if end == ",":
            cells.append("")
        if any(cells):
            yield line, cells
        line += len(_LINE_END.findall(text, started, position))
        cells, started = [], position


def _column_names(header: list[str], line: int, source: str) -> list[str]:
    """
    Return the file's column names, without empty ones at the end.

    Google's own are spelled as in :data:`COLUMNS`; it accepts ``Image link`` for ``image_link``, too.
    """
    while header and not header[-1]:
        header.pop()
    spelled = [name.lower().replace(" ", "_") for name in header]
    names = [known if known in COLUMNS else name for known, name in zip(spelled, header, strict=True)]
    missing = [name for name in COLUMNS if name not in names]
    problems = []
    if missing:
        hint = ""
        if len(header) == 1 and re.search(r"[;\t|]", header[0]):
            hint = "; columns must be separated by commas"
        problems.append(f"line {line}: the header has no column {', '.join(missing)}{hint}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    problems.extend(f"line {line}: the header names {name!r} more than once" for name in twice)
    problems.extend(
        f"line {line}: the column name {name!r} has a control character" for name in names if _CONTROL.search(name)
    )
    if problems:
        raise CatalogueError(source, problems)
    return names


def _read_row(line: int, cells: list[str], names: list[str]) -> tuple[list[str], Product | None]:
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    # Spreadsheets leave out empty cells at the end of a row.
    if all(name in _OPTIONAL or name not in COLUMNS for name in names[len(cells) :]):
        cells.extend([""] * (len(names) - len(cells)))
    if len(cells) != len(names):
        hint = "; put a value that holds a comma in quotation marks" if len(cells) > len(names) else ""
        return [f"{_count(cells, 'value')} for {_count(names, 'column')}{hint}"], None
    row = {name: value for name, value in zip(names, cells, strict=True) if name}
    known = {name: row.pop(name) for name in COLUMNS}
    wrong = [f"{name} {problem}" for name in COLUMNS if (problem := _CHECKS[name](known[name]))]
    wrong += [f"{name} has a control character" for name, value in row.items() if _CONTROL.search(value)]
    wrong += [
        f"column {number} has a value, but no name in the header"
        for number, (name, value) in enumerate(zip(names, cells, strict=True), 1)
        if value and not name
    ]
    return wrong, Product(**known, line=line, extra=row)


def _count(things: list[str], noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"


def _text(longest: int, *, required: bool) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value:
            return "is missing" if required else ""
        if len(value) > longest:
            return f"has {len(value)} characters; at most {longest} are allowed"
        return "has a control character" if _CONTROL.search(value) else ""

    return check


def _url(value: str) -> str:
    if not value:
        return "is missing"
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\x00-\x1f\x7f]", value):
        return f"is not an http or https address: {_short(value)}"
    return f"is longer than {_URL_LIMIT} characters" if len(value) > _URL_LIMIT else ""


def _price(value: str) -> str:
    if not value:
        return "is missing"
    return "" if _PRICE.fullmatch(value) else f"must look like '29.99 USD', not {_short(value)}"


def _short(value: str) -> str:
    # A query string may be signed, so an error never shows it.
    shown = value.partition("?")[0]
    return repr(shown if len(shown) <= 60 else shown[:59] + "…")


_CHECKS: dict[str, Callable[[str], str]] = {
    "id": _text(50, required=True),
    "title": _text(150, required=True),
    "description": _text(5000, required=True),
    "link": _url,
    "image_link": _url,
    "price": _price,
    "brand": _text(70, required=False),
    "product_type": _text(750, required=False),
}
"""Limits of Google Merchant's product data specification; each check returns what is wrong, or nothing."""
