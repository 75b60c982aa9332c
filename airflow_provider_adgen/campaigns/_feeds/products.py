# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""From the texts of a row to a checked product."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from urllib.parse import urlsplit

from airflow_provider_adgen.campaigns._feeds.columns import FIELDS, Place, Row, joined
from airflow_provider_adgen.campaigns._feeds.plain_text import (
    has_markup,
    is_plain,
    to_line,
    to_text,
    without_control,
)
from airflow_provider_adgen.campaigns._feeds.prices import read_currency, read_price
from airflow_provider_adgen.campaigns._feeds.report import shown
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


def product_of(row: Row, currency: str | None) -> tuple[Product, list[str]]:
    """
    Return a row as a product, and what is wrong with it.

    :param currency: the code for a price that names none.
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
    price, code = _price(row, currency, wrong)
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
            price=price,
            currency=code,
            brand=to_line(_unguarded(row.value("brand"))),
            product_type=to_line(_unguarded(row.value("product_type"))),
            line=row.line,
            extra=extra,
            lacks=_lacks(row.given, currency),
        ),
        wrong,
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


def _price(row: Row, currency: str | None, wrong: list[str]) -> tuple[Decimal | None, str | None]:
    column = None
    try:
        column = read_currency(row.value("currency"))
    except ValueError as error:
        wrong.append(f"currency {error}")
    try:
        price, code = read_price(row.value("price"), column or currency)
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
    for image in images:
        before = joined(before, image)
    return before
