# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which column of a feed is which field of a product."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from airflow_provider_adgen.campaigns._feeds.report import (
    LONGEST_TEXT,
    Pairs,
    Unreadable,
    shown,
    size_of,
    text_too_long,
)
from airflow_provider_adgen.core.errors import InvalidRequest

FIELDS = ("id", "title", "description", "link", "image_link", "price", "currency", "brand", "product_type")
"""The fields of a product that a column can fill: Google Merchant's names."""

GOOGLE: dict[str, tuple[str, ...]] = {name: (name,) for name in FIELDS}

# Neither shop exports the page of a product. These are the words under which people add it.
_PAGE = ("Link", "URL", "Product URL")
# Of several columns, the first that has a value counts. Names that begin with an underscore are no fields of a product:
# they say how rows belong together.
WOOCOMMERCE: dict[str, tuple[str, ...]] = {
    "id": ("SKU", "ID"),
    "title": ("Name",),
    "description": ("Description", "Short description"),
    "link": ("External URL", *_PAGE),
    "image_link": ("Images",),
    "price": ("Regular price",),
    "brand": ("Brands", "Brand"),
    "product_type": ("Categories",),
    "_type": ("Type",),
    "_parent": ("Parent",),
    "_published": ("Published",),
}
# Each with the words of both templates of that export, the longer known one first.
SHOPIFY: dict[str, tuple[str, ...]] = {
    "id": ("Handle", "URL handle"),
    "title": ("Title",),
    "description": ("Body (HTML)", "Description"),
    "link": _PAGE,
    "image_link": ("Image Src", "Product image URL"),
    "price": ("Variant Price", "Price"),
    "brand": ("Vendor",),
    "product_type": ("Type", "Product Category"),
    "_position": ("Image Position",),
    "_published": ("Published", "Published on online store"),
    "_status": ("Status",),
}
READY: dict[str, dict[str, tuple[str, ...]]] = {"google": GOOGLE, "woocommerce": WOOCOMMERCE, "shopify": SHOPIFY}

# Without these a row is no product. Without its type, a parent of WooCommerce's cannot be told from what is bought.
_NEEDED = {"google": ("id", "title"), "woocommerce": ("id", "title", "_type"), "shopify": ("id", "title")}
# What the fields that begin with an underscore are for, as messages say it.
_PURPOSES = {"_type": " (to tell parents from what is bought)", "_published": "", "_parent": "", "_status": ""}
# What else each export has, and what it means where none of these columns is there.
_NO_DRAFTS = "drafts are not told from what is for sale"
_NO_VALUES: dict[tuple[str, ...], str] = {
    ("price",): "no product has a price",
    ("image_link",): "no product has a picture",
}
_EXPECTED: dict[str, dict[tuple[str, ...], str]] = {
    "google": {},
    "woocommerce": {
        ("_published",): _NO_DRAFTS,
        ("_parent",): "variations take nothing from their parents",
        **_NO_VALUES,
    },
    "shopify": {("_published", "_status"): _NO_DRAFTS, **_NO_VALUES},
}
_OWN_WORDS = 'name the words of this file: columns={"id": ..., "title": ...}'
_ADVICE = {
    "google": _OWN_WORDS,
    "woocommerce": "is it in another language? Switch the language of your account to English and export again, or "
    f"{_OWN_WORDS}; then each row is a product",
    "shopify": f"is it Shopify's export of products? Export it again with all its columns, or {_OWN_WORDS}; then each "
    "row is a product",
}

_HINTS = {"shopify": ("handle", "url_handle", "variant_price"), "woocommerce": ("sku", "regular_price", "is_featured?")}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAPS = re.compile(r"[\s_-]+")
_REMEMBERED = 100_000
# Values of these may come more than once and belong together; of the others only one can be right.
_LISTS = frozenset({"description", "image_link", "brand", "product_type"})


class Place(NamedTuple):
    """
    What a column is.

    :param field: a field of a product, or a word that begins with an underscore.
    :param rank: 0 for the column that counts first for this field.
    """

    field: str
    rank: int


_PLACES: dict[str, tuple[Place, ...]] = {
    name: tuple(Place(name, rank) for rank in range(max(len(words.get(name, ())) for words in READY.values())))
    for name in dict.fromkeys(name for words in READY.values() for name in words)
}
"""All places of a field in any ready map, the one that counts first in front."""


@dataclass(slots=True)
class Row:
    """
    One row of a feed, its values sorted into fields.

    :param line: where it begins.
    :param given: the values of the columns that have a place.
    :param extra: the other columns, and those that are not taken whole.
    :param wrong: what is wrong with the row.
    :param more_prices: prices of further rows of the same product, with their lines. The product has the first.
    """

    line: int
    given: dict[Place, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    more_prices: list[tuple[int, str]] = field(default_factory=list)

    def value(self, name: str) -> str:
        """Return the first value of a field that is not empty."""
        return next((text for place in _PLACES[name] if (text := self.given.get(place))), "")


Key = TypeVar("Key", Place, str)


class Columns:
    """
    The columns of a feed.

    :param columns: None for Google's names, the name of a ready map, or the shop's own names: the header word of each
        field. Fields that it leaves out keep Google's name.
    :raises InvalidRequest: there is no such map or field.
    """

    def __init__(self, columns: Mapping[str, str] | str | None) -> None:
        self.own: dict[str, str] = {}
        self.shop = "google"
        if isinstance(columns, str):
            if columns not in READY:
                raise InvalidRequest(f"There are no ready columns {columns!r}; there are {', '.join(READY)}.")
            self.shop = columns
        elif columns is not None:
            self.own = _checked(columns)
        words = {**READY[self.shop], **{name: (word,) for name, word in self.own.items()}}
        self._places: dict[str, Place] = {}
        # A word that the caller names is his, even if it is Google's name for another field.
        for name in sorted(words, key=lambda name: name not in self.own):
            for rank, word in enumerate(words[name]):
                self._places.setdefault(spelled(word), Place(name, rank))
        self._found: dict[str, Place | None] = {}
        self._header: tuple[int, set[Place]] | None = None

    def place(self, name: str) -> Place | None:
        """Return what the column *name* is; None for one of the shop's own."""
        if name in self._found:
            return self._found[name]
        place = self._places.get(spelled(name))
        if place is not None or len(self._found) < _REMEMBERED:
            self._found[name] = place
        return place

    def check_header(self, line: int, names: list[str]) -> None:
        """Refuse a header that cannot name a product, or that lacks a column which the caller named."""
        places = {place for name in names if (place := self.place(name))}
        self._header = line, places
        missing = self._missing(places, _NEEDED[self.shop])
        if missing:
            has = ", ".join(repr(name[:40]) for name in names[:12]) + (", …" if len(names) > 12 else "")
            text = f"the header has no column {self._named(missing)}; it has {has}"
            raise Unreadable(line, "; ".join(filter(None, (text, self._advice(names)))))

    def check_seen(self) -> None:
        """Refuse a feed without a header in which no row had a column that the caller named, or that the shop needs."""
        # That a row lacks its id or its title is said of the row.
        needed = [name for name in _NEEDED[self.shop] if name not in FIELDS]
        missing = self._missing(self._seen(), needed)
        if missing:
            text = f"no product has {self._named(missing)}"
            raise Unreadable(1, "; ".join(filter(None, (text, self._advice([])))))

    def lacking(self) -> list[tuple[int, str]]:
        """Return what it means that the file lacks columns which the shop's export has, each with a line."""
        line = self._header[0] if self._header else 1
        start = "the header has no column" if self._header else "no product has"
        seen = {place.field for place in self._seen()}
        return [
            (line, f"{start} {' and no '.join(map(self._words, names))}, so {meaning}")
            for names, meaning in _EXPECTED[self.shop].items()
            if seen.isdisjoint(names)
        ]

    def read_as(self) -> dict[str, str]:
        """Return the words of the file that are a field and no column of their own, with the field."""
        taken = ((name.strip(), place) for name, place in self._found.items() if place is not None)
        return {
            name: place.field
            for name, place in taken
            if not place.rank and not place.field.startswith("_") and name != place.field
        }

    def _seen(self) -> set[Place]:
        return self._header[1] if self._header else {place for place in self._found.values() if place}

    def _missing(self, places: set[Place], needed: Iterable[str]) -> list[str]:
        seen = {place.field for place in places}
        return [name for name in dict.fromkeys((*FIELDS, *needed)) if name not in seen and name in {*self.own, *needed}]

    def _advice(self, names: list[str]) -> str:
        words = {spelled(name) for name in names}
        hint = next((shop for shop, marks in _HINTS.items() if words.intersection(marks)), None)
        if hint and hint != self.shop:
            return f'is it an export of {hint}? Then give columns="{hint}"'
        return "" if self.own else _ADVICE[self.shop]

    def _named(self, fields: Iterable[str]) -> str:
        return ", ".join(map(self._words, fields))

    def _words(self, name: str) -> str:
        words = (self.own[name],) if name in self.own else READY[self.shop][name]
        if words == (name,):
            return name
        purpose = _PURPOSES.get(name, f" (for {name})")
        return " or ".join(map(repr, words)) + purpose

    def row(self, line: int, pairs: Pairs) -> Row:
        """
        Sort the values of a row into fields.

        :raises Unreadable: a text is too long.
        """
        row = Row(line)
        lists: dict[Place | str, Joined] = {}
        copies: list[tuple[str, Place]] = []
        for name, value in pairs:
            place = self.place(name)
            if place is None:
                if not name and value.strip():
                    row.wrong.append(f"a value has no name: {shown(value)}")
                elif name:
                    _put(row.extra, sys.intern(name), value, lists)  # JSON and XML bring a new text for each row
                continue
            before = row.given.get(place, "")
            if before and value and before != value and place.field not in _LISTS:
                row.wrong.append(f"{name} is given more than once")
            else:
                _put(row.given, place, value, lists)
            if place.rank or place.field.startswith("_"):
                copies.append((name, place))
                row.extra[name] = ""
        for key, values in lists.items():
            if isinstance(key, Place):
                row.given[key] = values.text()
            else:
                row.extra[key] = values.text()
        for name, place in copies:
            row.extra[name] = row.given.get(place, "")
        for text in chain(row.given.values(), row.extra.values()):
            if len(text) > LONGEST_TEXT // 4 and size_of(text) > LONGEST_TEXT:
                raise text_too_long(line)
        return row


class Joined:
    """
    Several values in one text; the same value only once.

    :param first: the first value; it may be a list itself.
    """

    def __init__(self, first: str) -> None:
        self._values = [first] if first else []
        self._seen = set(first.split(", "))

    def add(self, value: str) -> None:
        """Take one more value."""
        if value and value not in self._seen:
            self._values.append(value)
            self._seen.update(value.split(", "))

    def text(self) -> str:
        """Return all values, with commas between them."""
        return ", ".join(self._values)


def _put(values: dict[Key, str], key: Key, value: str, lists: dict[Place | str, Joined]) -> None:
    before = values.get(key, "")
    if before and value:
        if key not in lists:
            lists[key] = Joined(before)
        lists[key].add(value)
    else:
        values[key] = before or value


def spelled(name: str) -> str:
    """Return a header word in the spelling that words are compared in: ``Image Link`` and ``imageLink`` are one."""
    return _GAPS.sub("_", _CAMEL.sub("_", name.strip())).lower().removeprefix("g:")


def _checked(columns: Any) -> dict[str, str]:
    if not isinstance(columns, Mapping):
        raise InvalidRequest(f"columns must be a dict or one of {', '.join(READY)}, not {columns!r:.80}.")
    unknown = [name for name in columns if name not in FIELDS]
    if unknown:
        raise InvalidRequest(
            f"columns names {unknown[0]!r}, which is no field of a product; the fields are {', '.join(FIELDS)}."
        )
    bad = [name for name, word in columns.items() if not isinstance(word, str) or not word.strip()]
    if bad:
        raise InvalidRequest(f"columns must give {bad[0]!r} the header word of one column.")
    return dict(columns)
