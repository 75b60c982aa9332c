# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Finds a shop's products among those that a vendor knows, so that none is made twice, and makes the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_adgen.core.calls import Call, Emit, Sequence, gathered
from airflow_provider_adgen.core.errors import AdGenError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

P = TypeVar("P")

REPLACES = "replaces"
"""What is known of a product may hold the id of the vendor's that was it, and was deleted."""


def _parts(link: str | None) -> tuple[str, list[tuple[str, str]]]:
    """Return what a link's page is, and the parameters that tell variants of it, in order."""
    try:
        parts = urlsplit((link or "").strip())
    except ValueError:
        return (link or "").strip(), []
    query = [(name, value) for name, value in parse_qsl(parts.query, True) if not name.startswith("utm_")]
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}", query


def same_link(link: str | None) -> str:
    """
    Return a link as it is compared: without fragment and ``utm_`` parameters, and with or without ``https``.

    Other parameters stay: shops tell variants of a product by them.
    """
    page, query = _parts(link)
    return f"{page}?{urlencode(query)}" if query else page


def same_name(name: str | None) -> str:
    """Return a name as it is compared: white space and case do not count."""
    return " ".join((name or "").split()).casefold()


def found_by(name: str | None, link: str | None) -> str:
    """Return what a vendor's product is found by: two of the shop's with the same are one product to the vendor."""
    return same_link(link) if link else same_name(name)


def _differ(one: str, other: str) -> bool:
    """Whether two links name two variants: both have a parameter, and its values differ."""
    values = dict(_parts(one)[1])
    return any(name in values and values[name] != value for name, value in _parts(other)[1])


class _Known(Generic[P]):
    def __init__(self, product: P, id: str, link: str | None) -> None:  # noqa: A002 - the vendors' own name
        self.product = product
        self.id = id
        self.links = [link] if link else []


class KnownProducts(Generic[P]):
    """
    The products of a vendor's list.

    One is found by its link. Where none has that link, it is found by its name: a vendor may keep the page's canonical
    address in place of the one that it was given. Variants, such as the colours of a shoe, often share a name. So a
    product is not found by its name where

    * several products of the list have that name and a link;
    * its own link is known to be another product's, or its id is;
    * both links have a parameter whose values differ, such as ``?colour=red`` and ``?colour=blue``.

    Products of the list that have no link come before those that have one.

    :param others: links and the vendor's own ids of products that are known to be others; a link that is looked for is
        not its own other.
    """

    def __init__(self, others: Collection[str] = ()) -> None:
        self._others = {same_link(one) for one in others} | {*others}
        self._by_link: dict[str, _Known[P]] = {}
        self._by_name: dict[str, list[_Known[P]]] = {}

    def add(self, product: P, id: str, name: str | None, link: str | None) -> None:  # noqa: A002 - the vendors' own name
        """Add a product; the first of those that look the same is the one that is found."""
        known = _Known(product, id, link)
        if link and (key := same_link(link)):
            known = self._by_link.setdefault(key, known)
        if (key := same_name(name)) and known not in self._by_name.setdefault(key, []):
            self._by_name[key].append(known)

    def find(self, name: str, link: str | None) -> P | None:
        """Return the product; None where the vendor does not know it. What was found under a link stays that link's."""
        if link and (found := self._by_link.get(same_link(link))) is not None:
            return found.product
        named = self._by_name.get(same_name(name), [])
        if not link:
            return named[0].product if named else None
        candidates = [one for one in named if not one.links] or (named if len(named) == 1 else [])
        found = next((one for one in candidates if not self._is_another(one, link)), None)
        if found is None:
            return None
        found.links.append(link)
        self._by_link[same_link(link)] = found
        return found.product

    def _is_another(self, known: _Known[P], link: str) -> bool:
        if known.id in self._others:
            return True
        return any(same_link(one) in self._others or _differ(one, link) for one in known.links)


def ensuring(
    products: Iterable[Mapping[str, Any]],
    *,
    check: Callable[[Mapping[str, Any]], dict[str, Any]],
    listing: Sequence[None],
    told: Callable[[P], tuple[str, str | None, str | None]],
    make: Callable[[dict[str, Any]], Call[P]],
    others: Collection[str],
    keep_going: bool,
) -> Sequence[None]:
    """
    Emit a vendor's products that are the shop's, in their order; those that are missing are made one after the other.

    :param products: for each its ``name``, its ``link`` if it has one, and what the vendor makes one of.
    :param check: returns what is known of a product, checked.
    :param listing: lists the vendor's products.
    :param told: returns id, name and link of one of those.
    :param make: returns the call that makes one.
    :param others: links and ids of products that are known to be others; see :class:`KnownProducts`.
    :param keep_going: emit the error of a product that cannot be made in its place, and go on with the next one.
    :raises InvalidRequest: a product breaks a rule, and *keep_going* is false; nothing was made.
    """
    wanted: list[dict[str, Any] | AdGenError] = []
    for fields in products:
        try:
            wanted.append(check(fields))
        except AdGenError as error:
            if not keep_going:
                raise
            wanted.append(error)
    links = {one["link"] for one in wanted if isinstance(one, dict) and one.get("link")}
    known = KnownProducts[P](links | {*others})
    for product in (yield from gathered(listing)):
        known.add(product, *told(product))
    for one in wanted:
        if isinstance(one, AdGenError):
            yield Emit([one])
            continue
        name, link = one["name"], one.get("link")
        found = known.find(name, link)
        if found is None:
            try:
                found = yield make(one)
            except AdGenError as error:
                if not keep_going:
                    raise
                yield Emit([error])
                continue
            known.add(found, told(found)[0], name, link)
        yield Emit([found])
