# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Product catalogues: the feeds and exports of shops.

The whole file is read and checked before anything is paid for. One error names every row that is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.campaigns._feeds.columns import FIELDS, Columns, Row
from airflow_provider_adgen.campaigns._feeds.currencies import read_currency
from airflow_provider_adgen.campaigns._feeds.delimited import read_delimited
from airflow_provider_adgen.campaigns._feeds.json_lines import read_json_lines
from airflow_provider_adgen.campaigns._feeds.merchant_xml import read_merchant_xml
from airflow_provider_adgen.campaigns._feeds.opening import text_of
from airflow_provider_adgen.campaigns._feeds.products import Products
from airflow_provider_adgen.campaigns._feeds.report import LONGEST_ROW, MOST_VALUES, Pairs, Report, Unreadable
from airflow_provider_adgen.campaigns._feeds.shops import SHOPS
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.delivery.sources import open_source

if TYPE_CHECKING:
    from airflow_provider_adgen.core.product import Product

log = logging.getLogger(__name__)

_SHOWN = 20
_NOTHING_SPENT = "Nothing was sent to a vendor and nothing was charged."
_ADVICE = '\nMend them, or leave them out with on_bad_row="skip".'


class CatalogueError(InvalidRequest):
    """
    The catalogue has rows that cannot be used. A retry does not help until the file is corrected; nothing was charged.

    The message shows the first 20 problems, and how many there are.

    :param source: the file's name.
    :param problems: one sentence for each problem, beginning with its line, and with the product's id where that is
        known.
    :param advice: what to do about them.
    """

    def __init__(self, source: str, problems: list[str], advice: str = "") -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
        super().__init__(f"The catalogue {source} has {count}. {_NOTHING_SPENT}{_listed(problems)}{advice}")
        self.source = source
        self.problems = problems


@dataclass(frozen=True)
class Catalogue:
    """
    What was read of a feed.

    :param products: the products, in the order of the file.
    :param problems: with ``on_bad_row="skip"``, why rows were left out: one sentence for each problem, beginning with
        its line, and with the product's id where it is known.
    :param warnings: what a person should know of the file and of products that are used, or are not for sale: one
        sentence each, beginning with its line.
    :param columns: what a brief may name: the fields of a product that the feed has, then its other columns in the
        order of the file. Of JSON Lines and XML a column is there if any product has it.
    :param read_as: the header words that were read into a field, with the field: ``{"Variant Price": "price"}``. A
        brief names the field.
    :param bad_rows: how many rows ``problems`` is about: one may have several.
    """

    products: list[Product]
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    read_as: dict[str, str] = field(default_factory=dict)
    bad_rows: int = 0


def read_catalogue(
    path: Any,
    *,
    columns: Mapping[str, str] | Literal["google", "woocommerce", "shopify"] | None = None,
    on_bad_row: Literal["fail", "skip"] = "fail",
    currency: str | None = None,
) -> Catalogue:
    """
    Read a product feed and check every row of it. It blocks, sends nothing to a vendor and costs nothing.

    Format, encoding, packing and separator are found out: CSV with commas, semicolons, tabs or pipes, JSON Lines,
    Google Merchant's XML (RSS 2.0 or Atom), each plain or with gzip, in UTF-8, UTF-16 or Windows-1252.

    :param path: the file: a path of this machine, or anything that Airflow's ``ObjectStoragePath`` takes.
    :param columns: the header words of the shop: ``{"title": "Name", ...}``, or the name of a ready map. A field that
        is not named keeps Google's name. None is the same as ``"google"``.
    :param on_bad_row: what to do about rows that cannot be used: ``"fail"`` raises one error that names them all,
        ``"skip"`` leaves them out.
    :param currency: the code (ISO 4217) for prices that name none.
    :raises CatalogueError: the file cannot be read as a feed, or has bad rows, or no product. A retry does not help.
    :raises InvalidRequest: an argument is wrong, or there is no such file. A retry does not help.
    :raises AdGenError: the storage failed. A retry may help.
    """
    if on_bad_row not in ("fail", "skip"):
        raise InvalidRequest(f"on_bad_row must be 'fail' or 'skip', not {on_bad_row!r}. {_NOTHING_SPENT}")
    try:
        code = read_currency(currency or "")
    except ValueError as error:
        raise InvalidRequest(f"currency {error}. {_NOTHING_SPENT}") from None
    named = Columns(columns)
    source = open_source(path)
    name = source.name.partition("?")[0] or "catalogue"
    report = Report()
    with source.body.open() as file:
        try:
            products = _products(text_of(file, name, report), named, code, report)
        except Unreadable as error:
            report.problem(error.line, error.text)
            raise CatalogueError(name, report.problems) from None
    found = Catalogue(
        products, report.problems, report.warnings, _columns_of(products), named.read_as(), report.bad_rows
    )
    if found.problems and (on_bad_row == "fail" or not products):
        raise CatalogueError(name, found.problems, _ADVICE if products else "")
    if not products:
        raise CatalogueError(name, ["line 1: there is no product in the file", *found.warnings])
    if found.warnings:
        log.warning("The catalogue %s was read with warnings.%s", name, _listed(found.warnings))
    if found.problems:
        log.warning("Rows of the catalogue %s were left out.%s", name, _listed(found.problems))
    return found


def _columns_of(products: list[Product]) -> tuple[str, ...]:
    absent = {one.lacks for one in products}
    lacking = frozenset.intersection(*absent) if absent else frozenset()
    extra = dict.fromkeys(chain.from_iterable(one.extra for one in products))
    return (*(name for name in FIELDS if name not in lacking), *extra)


def _listed(sentences: list[str]) -> str:
    lines = [f"\n  {sentence}" for sentence in sentences[:_SHOWN]]
    if len(sentences) > _SHOWN:
        lines.append(f"\n  and {len(sentences) - _SHOWN:,} more")
    return "".join(lines)


def _products(pieces: Iterator[str], columns: Columns, currency: str | None, report: Report) -> list[Product]:
    rows: Iterable[Row] = _rows(pieces, columns, report)
    if columns.shop in SHOPS:
        rows = SHOPS[columns.shop](rows, report)
    products = Products(currency, report)
    for row in rows:
        products.add(row)
    return products.all()


def _rows(pieces: Iterator[str], columns: Columns, report: Report) -> Iterator[Row]:
    values = 0
    records, has_header = _records(pieces, columns, report)
    for line, pairs in records:
        row = columns.row(line, pairs)
        values += len(row.given) + len(row.extra)
        if values > MOST_VALUES:
            raise Unreadable(line, f"the file has more than {MOST_VALUES:,} values; split it, or leave columns out")
        yield row
    if not has_header and values:
        columns.check_seen()
    if has_header or values:
        for line, text in columns.lacking():
            report.warn(line, text)


def _records(pieces: Iterator[str], columns: Columns, report: Report) -> tuple[Iterator[tuple[int, Pairs]], bool]:
    """Find out the format by the first character; return the records, and whether a header names their columns."""
    first = ""
    while not (start := first.lstrip("\ufeff \t\r\n\x00")):
        piece = next(pieces, None)
        if piece is None:
            raise Unreadable(1, "the file is empty")
        first += piece
        if len(first) > LONGEST_ROW:
            raise Unreadable(1, "the file begins with blanks only")
    text = chain([first], pieces)
    if start[:200].lower().startswith(("<!doctype html", "<html")):
        raise Unreadable(1, "the file is an HTML page, and not a feed; is a sign-in needed to download it?")
    if start.startswith("<"):
        return read_merchant_xml(text), False
    if start.startswith("{"):
        return read_json_lines(text, report), False
    if start.startswith("["):
        raise Unreadable(1, "the file is a JSON array; write JSON Lines, one object in each line")
    return read_delimited(text, report, columns.place, columns.check_header), True
