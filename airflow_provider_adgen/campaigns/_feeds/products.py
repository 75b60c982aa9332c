# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""From the texts of a row to a checked product."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from urllib.parse import urlsplit

from airflow_provider_adgen.campaigns._feeds.columns import FIELDS, Joined, Place, Row
from airflow_provider_adgen.campaigns._feeds.currencies import read_currency
from airflow_provider_adgen.campaigns._feeds.plain_text import (
    has_markup,
    is_plain,
    to_line,
    to_text,
    without_control,
)
from airflow_provider_adgen.campaigns._feeds.prices import Doubt, Prices
from airflow_provider_adgen.campaigns._feeds.report import Report, shown
from airflow_provider_adgen.core.product import Product

MORE_IMAGES = "additional_image_link"
"""Where the pictures after the first are: Google's name."""

_URL_LIMIT = 2000
# A list of addresses; one address may hold commas.
_NEXT_URL = re.compile(r"(?<![\s,;|])[\s,;|]++(?=https?://|//)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# A text that a spreadsheet must not take for a number or a formula: ="00123", and '-20 (WooCommerce).
_FORMULA = re.compile(r'="([^"]*)"')
_GUARDED = re.compile(r"'(?=[=+\-@\t\r])")


class Products:
    """
    The products of a feed, in its order.

    :param currency: the code for a price that names none.
    :param report: is told what is wrong with rows.
    """

    def __init__(self, currency: str | None, report: Report) -> None:
        self._prices = Prices(currency)
        self._report = report
        self._first_seen: dict[str, int] = {}
        self._products: dict[str, Product] = {}
        self._doubts: list[tuple[int, str, Doubt]] = []
        self._unused_doubts: list[tuple[int, str, Doubt]] = []

    def add(self, row: Row) -> None:
        """Take a row. A price with two meanings is settled when all rows are there."""
        product, wrong, doubt = product_of(row, self._prices)
        for problem in wrong:
            self._report.problem(row.line, problem, product.id)
        if doubt is not None:
            self._doubts.append((row.line, product.id, doubt))
        if product.id and product.id in self._first_seen:
            text = f"id {product.id[:60]!r} is already used on line {self._first_seen[product.id]}"
            self._report.problem(row.line, text)
        elif product.id:
            self._first_seen[product.id] = row.line
            if not wrong:
                self._products[product.id] = product
        for line, text in row.more_prices:
            try:
                price, _ = self._prices.read(text)
            except ValueError as error:
                self._warn(line, product.id, error)
            else:
                if isinstance(price, Doubt):
                    self._unused_doubts.append((line, product.id, price))

    def all(self) -> list[Product]:
        """Return the products, after the last row."""
        for line, product_id, doubt in self._doubts:
            product = self._products.get(product_id)
            own = product if product is not None and product.line == line else None  # an id may come twice
            try:
                price = self._prices.settle(doubt)
            except ValueError as error:
                self._report.problem(line, f"price {error}", product_id)
                if own is not None:
                    del self._products[product_id]
            else:
                if own is not None:
                    self._products[product_id] = replace(own, price=price)
        for line, product_id, doubt in self._unused_doubts:
            try:
                self._prices.settle(doubt)
            except ValueError as error:
                self._warn(line, product_id, error)
        return list(self._products.values())

    def _warn(self, line: int, product_id: str, error: ValueError) -> None:
        self._report.warn(line, f"price {error}; the product {product_id[:60]!r} has the price of its first variant")


def product_of(row: Row, prices: Prices) -> tuple[Product, list[str], Doubt | None]:
    """
    Return a row as a product, what is wrong with it, and its price if that has two meanings.

    :param prices: reads the prices of the feed.
    """
    wrong = list(row.wrong)

    def checked(name: str, problem: str) -> None:
        if problem:
            wrong.append(f"{name} {problem}")

    product_id = _unguarded(row.value("id")).strip()
    checked("id", _id_problem(product_id))
    title = to_line(_unguarded(row.value("title")))
    checked("title", "" if title else "is missing")
    link = _address(row.value("link"))
    checked("link", _address_problem(link))
    images = [_address(image) for image in _NEXT_URL.split(row.value("image_link").strip().rstrip(",;|"))]
    checked("image_link", next(filter(None, map(_address_problem, images)), ""))
    price, code = _price(row, prices, wrong)
    doubt = price if isinstance(price, Doubt) else None
    extra = {name.strip(): _other(value) for name, value in row.extra.items()}
    if len(images) > 1:
        extra[MORE_IMAGES] = _all_of(extra.get(MORE_IMAGES, ""), images[1:])
    return (
        Product(
            id=product_id,
            title=title,
            description=to_text(_unguarded(row.value("description"))),
            link=link,
            image_link=images[0],
            price=None if isinstance(price, Doubt) else price,
            currency=code,
            brand=to_line(_unguarded(row.value("brand"))),
            product_type=to_line(_unguarded(row.value("product_type"))),
            line=row.line,
            extra=extra,
            lacks=_lacks(row.given, prices.currency),
        ),
        wrong,
        doubt,
    )


def _lacks(given: Iterable[Place], currency: str | None) -> frozenset[str]:
    has = {"id", "title", *(place.field for place in given)}
    if currency or "price" in has:  # a price may name its currency
        has.add("currency")
    return _one_of_each(tuple(name for name in FIELDS if name not in has))


@lru_cache(maxsize=1 << len(FIELDS))
def _one_of_each(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)  # shared by all products that lack the same


def _unguarded(value: str) -> str:
    formula = _FORMULA.fullmatch(value.strip())
    return formula[1] if formula else _GUARDED.sub("", value, count=1) if value.startswith("'") else value


def _id_problem(value: str) -> str:
    if not value:
        return "is missing"
    return f"has a control character: {shown(value)}" if _CONTROL.search(value) else ""


def _address(value: str) -> str:
    """Return an address as a browser reads it from a page: with ``&amp;``, without a scheme, with spaces."""
    value = value.strip().replace("&amp;", "&").replace(" ", "%20")
    return f"https:{value}" if value.startswith("//") else value


def _address_problem(value: str) -> str:
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", value) or _CONTROL.search(value):
        return f"is not an http or https address: {shown(value)}"
    return f"is longer than {_URL_LIMIT} characters" if len(value) > _URL_LIMIT else ""


def _price(row: Row, prices: Prices, wrong: list[str]) -> tuple[Decimal | Doubt | None, str | None]:
    column = None
    try:
        column = read_currency(row.value("currency"))
    except ValueError as error:
        wrong.append(f"currency {error}")
    try:
        price, code = prices.read(row.value("price"), column)
    except ValueError as error:
        wrong.append(f"price {error}")
        return None, None
    if column and code and code != column:
        wrong.append(f"price is in {code}, but currency says {column}")
    return price, code


def _other(value: str) -> str:
    """Return the text of a column that is none of a product's fields; addresses stay as they are."""
    value = value.strip()
    if is_plain(value):
        return value
    if not value.lower().startswith(("http://", "https://")) and has_markup(value):
        return to_text(value)
    return without_control(value)


def _all_of(before: str, images: Iterable[str]) -> str:
    joined = Joined(before)
    for image in images:
        joined.add(image)
    return joined.text()
