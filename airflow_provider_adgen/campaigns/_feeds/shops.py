# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Exports in which several rows are one product, or one row lends values to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_adgen.campaigns._feeds.columns import Place, Row

if TYPE_CHECKING:
    from airflow_provider_adgen.campaigns._feeds.report import Report

_NO = frozenset({"0", "-1", "false", "no"})
_NOT_SOLD = frozenset({"draft", "archived"})
_SKU, _ID = Place("id", 0), Place("id", 1)
_LAST = 1_000_000
_TEXTS = frozenset({"title", "description", "brand", "product_type"})
# WooCommerce writes a line end in a text as a backslash and an n.
_LINE_END = re.compile(r"(?<!\\)\\n")


def woocommerce(rows: Iterable[Row], report: Report) -> Iterator[Row]:
    """Yield what can be bought: simple products, and variations with what their parent lends them."""
    held = list(rows)  # a parent may come after its variations
    parents: dict[str, Row] = {}
    for row in held:
        if _is_parent(row):
            parents.setdefault(row.given.get(_SKU, "").strip(), row)
            parents.setdefault(f"id:{row.given.get(_ID, '').strip()}", row)
    parents.pop("", None)
    for row in held:
        name = row.value("_parent").strip()
        varies = any(word.endswith("variation") for word in _types(row))
        parent = parents.get(name) if varies else None
        if varies and parent is None:
            report.warn(row.line, f"its parent {name[:60]!r} is not in the file, so it lends nothing")
        hidden = [one for one in (row, parent) if one and one.value("_published").strip().lower() in _NO]
        if _is_parent(row):
            if row.wrong:
                report.problem(row.line, f"the parent product: {'; '.join(row.wrong)}", row.value("id").strip())
        elif hidden:
            report.warn(row.line, f"left out: {'it' if hidden[0] is row else 'its parent'} is not published")
        else:
            if parent is not None:
                _lend(parent, row)
            row.given = {
                place: _with_line_ends(value) if place.field in _TEXTS else value for place, value in row.given.items()
            }
            row.extra = {name: _with_line_ends(value) for name, value in row.extra.items()}
            yield row


def _with_line_ends(value: str) -> str:
    return _LINE_END.sub("\n", value) if "\\n" in value else value


def _is_parent(row: Row) -> bool:
    """Whether a row is never bought itself. Plugins add types such as ``variable-subscription``."""
    return any(word == "grouped" or word.startswith("variable") for word in _types(row))


def _types(row: Row) -> set[str]:
    # {"variation", "virtual"}: the export has a list.
    return {word.strip() for word in row.value("_type").lower().split(",")}


def _lend(parent: Row, row: Row) -> None:
    # A field is lent whole: the parent's long text does not replace the variation's short one.
    missing = {place.field for place in parent.given if not row.value(place.field)} - {"id"}
    row.given.update({place: value for place, value in parent.given.items() if place.field in missing})
    for name, value in parent.extra.items():
        if value and not row.extra.get(name):
            row.extra[name] = value


def shopify(rows: Iterable[Row], report: Report) -> Iterator[Row]:
    """Yield one row for each handle: the first, with the pictures and the variants of those that follow."""
    products: dict[str, Row] = {}
    pictures: dict[str, list[tuple[int, str]]] = {}
    variants: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        handle = row.value("id").strip()
        first = products.setdefault(handle or f"\n{row.line}", row)  # without a handle it stays alone
        image, position = row.value("image_link").strip(), row.value("_position").strip()
        if image and handle:
            place = int(position) if position.isdecimal() and len(position) < 6 else _LAST
            pictures.setdefault(handle, []).append((place, image))
        if first is not row:
            _complete(first, row)
            for name, value in row.extra.items():
                if value and value != first.extra.get(name):
                    both = variants.setdefault((handle, name), {first.extra.get(name, ""): None})
                    both[value] = None
    for (handle, name), values in variants.items():
        products[handle].extra[name] = ", ".join(filter(None, values))
    for handle, row in products.items():
        if handle in pictures:
            ordered = sorted(pictures[handle], key=lambda picture: picture[0])
            row.given[Place("image_link", 0)] = ", ".join(dict.fromkeys(image for _, image in ordered))
        status = row.value("_status").strip().lower()
        if status in _NOT_SOLD:
            report.warn(row.line, f"left out: its status is {status!r}")
        elif row.value("_published").strip().lower() in _NO:
            report.warn(row.line, "left out: it is not published")
        else:
            yield row


def _complete(first: Row, row: Row) -> None:
    title = row.value("title").strip()
    if title and first.value("title").strip() not in {"", title}:
        first.wrong.append(f"line {row.line} gives the same product another title")
    first.wrong.extend(f"line {row.line}: {wrong}" for wrong in row.wrong)
    price = row.value("price")
    if price.strip() and first.value("price").strip():
        first.more_prices.append((row.line, price))
    for place, value in row.given.items():
        if value and not first.value(place.field):
            first.given[place] = value


SHOPS: dict[str, Callable[[Iterable[Row], Report], Iterator[Row]]] = {"woocommerce": woocommerce, "shopify": shopify}
"""What puts the rows of a shop's export together, by the name of its ready columns."""
