# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Finds a shop's product among those that a vendor knows, so that none is made twice."""

from __future__ import annotations

from typing import Generic, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

P = TypeVar("P")


def same_link(link: str | None) -> str:
    """
    Return a link as it is compared: without fragment and ``utm_`` parameters, and with or without ``https``.

    Other parameters stay: shops tell variants of a product by them.
    """
    try:
        parts = urlsplit((link or "").strip())
    except ValueError:
        return (link or "").strip()
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query, True) if not name.startswith("utm_")])
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}{'?' if query else ''}{query}"


def same_name(name: str | None) -> str:
    """Return a name as it is compared: white space and case do not count."""
    return " ".join((name or "").split()).casefold()


def found_by(name: str | None, link: str | None) -> str:
    """Return what a vendor's product is found by: two of the shop's with the same are one product to the vendor."""
    return same_link(link) if link else same_name(name)


class KnownProducts(Generic[P]):
    """
    The products of a vendor's list.

    One is found by its link. By its name it is found only where the list or the shop gives no link: products of one
    name with two links are two products, such as the colours of a shoe.
    """

    def __init__(self) -> None:
        self._by_link: dict[str, P] = {}
        self._by_name: dict[str, P] = {}
        self._without_link: dict[str, P] = {}

    def add(self, product: P, name: str | None, link: str | None) -> None:
        """Add a product; the first of those that look the same is the one that is found."""
        if link and (key := same_link(link)):
            self._by_link.setdefault(key, product)
        elif key := same_name(name):
            self._without_link.setdefault(key, product)
        if key := same_name(name):
            self._by_name.setdefault(key, product)

    def find(self, name: str, link: str | None) -> P | None:
        """Return the product; None where the vendor does not know it."""
        if link:
            return self._by_link.get(same_link(link)) or self._without_link.get(same_name(name))
        return self._by_name.get(same_name(name))
