# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The products that a vendor itself must know before a planned request can be sent."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import FOUND_BY, products_of, shop_ids, waits_for, with_vendor_ids
from airflow_provider_adgen.core.decisions.batch import (
    EQUAL_REFUSALS,
    UNANSWERED,
    Obstacle,
    ends_asking,
    obstacle,
)
from airflow_provider_adgen.core.errors import AdGenError, ApiError
from airflow_provider_adgen.core.known_products import REPLACES, found_by
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping

    from airflow_provider_adgen.campaigns.plan import Plan
    from airflow_provider_adgen.campaigns.vendor_ids import VendorIds

log = logging.getLogger(__name__)

_KEPT_AT_ONCE = 50
_NOT_ASKED = Obstacle(
    "The plan took it from the library, so the vendor was not asked for its product. Clear the task that plans, and "
    "those after it, to have it made.",
    moves=True,  # to the account that made it, which was asked
    retry_helps=False,
)


@dataclass
class AccountProducts:
    """
    The products of a plan at one account.

    :param ids: the vendor's ids.
    :param obstacles: by the shop's id why the vendor has none of a product.
    :param error: the first error; None where each product has its ids.
    """

    ids: VendorIds = field(default_factory=dict)
    obstacles: dict[str, Obstacle] = field(default_factory=dict)
    error: AdGenError | None = None


def ensure_vendor_products(
    plan: Plan, *, project: str, known: Mapping[str, VendorIds] | None = None
) -> dict[str, VendorIds]:
    """
    Make sure that each vendor has the products of a plan, and return their ids by connection.

    What is missing is made; whether that costs credits is not documented for Adsumo, and at CutX it costs none. What
    was made is found again, so a call that broke off can be repeated.
    :func:`~airflow_provider_adgen.core.briefs.with_vendor_ids` puts the ids into a request.

    :param plan: the plan.
    :param project: the name of the vendor's project, for vendors that have projects and briefs that name none in
        ``options``.
    :param known: the ids of an earlier call, by connection: those products are not asked for.
    :raises InvalidRequest: a product lacks what the vendor needs to make it. The others of its account are made.
    :raises ApiError: the vendor refused something.
    :raises WireError: no answer arrived.
    """
    found: dict[str, VendorIds] = {}
    for conn_id, needed in plan.vendor_products.items():
        vendor, before = plan.accounts[conn_id].vendor, (known or {}).get(conn_id, {})
        products = ensure_account_products(vendor, conn_id, needed, project=project, known=before)
        if products.error is not None:
            raise products.error
        found[conn_id] = products.ids
    return found


def ensure_account_products(
    vendor: str,
    conn_id: str,
    needed: Mapping[str, Any],
    *,
    project: str,
    known: VendorIds,
    doubted: Collection[str] = (),
    remembered_in: str = "",
    keep: Callable[[VendorIds], object] = lambda _ids: None,
) -> AccountProducts:
    """
    Make sure that one account has the products of a plan, as far as that goes.

    A product that the vendor refuses is that product's trouble. Where the account cannot be asked, nothing is known of
    those that it was not asked for, and what was known before stays.

    :param vendor: the vendor's name.
    :param conn_id: the account.
    :param needed: of :attr:`.Plan.vendor_products`.
    :param project: the name of the vendor's project; see :func:`ensure_vendor_products`.
    :param known: the ids of earlier runs, those of products that are not needed now included.
    :param doubted: the shop's ids of products whose id the vendor is asked for, because its product may be gone.
    :param remembered_in: where a person finds what is known.
    :param keep: is told the ids that were not known, as they come, also if a later product makes trouble.
    :raises InvalidRequest: there is no such account.
    """
    from airflow_provider_adgen.hooks.base import typed_hook

    found = AccountProducts(_usable(known, needed))
    in_doubt = {product: found.ids[product] for product in needed["products"] if product in found.ids}
    in_doubt = {product: ids for product, ids in in_doubt.items() if product in doubted}
    if not in_doubt and all(product in found.ids for product in needed["products"]):
        return found
    hook: Any = typed_hook(vendor, conn_id)
    with hook:
        gone = {product: found.ids.pop(product)["product_id"] for product in _deleted(hook, in_doubt, remembered_in)}
        wanted = {product: told for product, told in needed["products"].items() if product not in found.ids}
        wanted = {product: {**told, **_replacing(gone.get(product))} for product, told in wanted.items()}
        if wanted:
            _Making(hook, needed, project, found, keep).make(wanted, _others(known, needed, wanted))
    return found


def of_products(needed: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    """
    Return what an account has to know where only some of the planned products are wanted.

    :param needed: of :attr:`.Plan.vendor_products`.
    :param wanted: the shop's ids.
    """
    products = {product: told for product, told in needed["products"].items() if product in wanted}
    links = [told["link"] for product, told in needed["products"].items() if product not in wanted and "link" in told]
    return {**needed, "products": products, "other_links": [*needed["other_links"], *links]}


def _usable(known: VendorIds, needed: Mapping[str, Any]) -> VendorIds:
    """Return what is known of the products as they are, without another project's than the one the briefs name."""
    project, products = needed["project_id"], needed["products"]
    return {
        product: ids
        for product, ids in known.items()
        if set(needed["fields"]) <= set(ids)
        and project in (None, ids.get("project_id"))
        and (product not in products or ids.get(FOUND_BY) == _found_by(products[product]))
    }


def _found_by(arguments: Mapping[str, Any]) -> str:
    return found_by(arguments.get("name"), arguments.get("link"))


def _others(known: VendorIds, needed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return links and the vendor's own ids of what is known to be another product than each of those wanted."""
    its_own = {product: (None, found_by(told.get("name"), None)) for product, told in wanted.items()}
    ids = [
        one["product_id"]
        for product, one in known.items()
        # What a product was before its page changed is another one, too; without a page it may be the same.
        if product not in its_own or one.get(FOUND_BY) not in its_own[product]
    ]
    return [*ids, *needed.get("other_links", ())]


def _deleted(hook: Any, in_doubt: VendorIds, remembered_in: str) -> Iterator[str]:
    """Yield the shop's ids of products that the vendor certainly has no more."""
    places: dict[str | None, dict[str, list[str]]] = {}
    for product, ids in in_doubt.items():
        places.setdefault(ids.get("project_id"), {}).setdefault(ids["product_id"], []).append(product)
    find = getattr(hook, "find_deleted_products", None)
    for project_id, products in places.items():
        try:
            if find is None:
                raise AdGenError(f"{hook.vendor.title} lists no products.")
            for gone in find(list(products), project_id=project_id):
                log.warning("%s has no product %s any more: it is made anew.", hook.vendor.title, gone)
                yield from products[gone]
        except AdGenError as error:
            log.warning(
                "It was not checked whether connection %s still has the products that it had before: %s If it refuses "
                "one as not found, delete %s.",
                hook.conn_id,
                error.message,
                scrub(remembered_in) or "what is remembered of them",
            )


def sendable(choice: Mapping[str, Any], products: AccountProducts) -> dict[str, Any]:
    """
    Return a planned choice with the vendor's ids in place, or with the obstacle that keeps it from being sent.

    :param choice: ``{"conn_id": ..., "request": ...}``.
    :param products: the products of its account.
    """
    request = choice["request"]
    told = {**choice, "reuse_as": shop_ids(request)}
    if not waits_for(request, products.ids):
        return {**told, "request": with_vendor_ids(request, products.ids)}
    if "obstacle" in choice:
        return told
    found = [products.obstacles[one] for one in products_of(request).values() if one in products.obstacles]
    return {**told, "obstacle": asdict(found[0] if found else _NOT_ASKED)}


def _replacing(gone: str | None) -> dict[str, str]:
    return {} if gone is None else {REPLACES: gone}


class _Making:
    """Makes an account's missing products, one after the other."""

    def __init__(
        self,
        hook: Any,
        needed: Mapping[str, Any],
        project: str,
        found: AccountProducts,
        keep: Callable[[VendorIds], object],
    ) -> None:
        self._hook = hook
        self._needed = needed
        self._project = project
        self._found = found
        self._keep = keep
        self._promises = get_vendor(hook.vendor.name).promises
        self._unanswered = 0
        self._refused: dict[str, tuple[int, str | None]] = {}

    def make(self, wanted: Mapping[str, Any], others: list[str]) -> None:
        """
        Make them.

        :param wanted: by the shop's ids what is known of each.
        :param others: links and the vendor's ids of the shop's other products.
        """
        new: VendorIds = {}
        try:
            with contextlib.closing(self._come(wanted, others)) as coming:
                for product, ids in coming:
                    new[product] = self._found.ids[product] = ids
                    if len(new) >= _KEPT_AT_ONCE:
                        self._keep(new)
                        new = {}
        finally:
            if new:
                self._keep(new)
        self._doubt_refusals()

    def _come(self, wanted: Mapping[str, Any], others: list[str]) -> Generator[tuple[str, dict[str, str]]]:
        """Yield the ids of those that are there or were made, by the shop's ids; note what the others ran into."""
        hook, project_id = self._hook, self._needed["project_id"]
        try:
            if "project_id" in self._needed["fields"]:
                project_id = hook.ensure_project(name=self._project).id
            of_project = {"project_id": project_id} if project_id is not None else {}
            came = hook.ensure_products(list(wanted.values()), project_id=project_id, others=others, keep_going=True)
            with contextlib.closing(came):
                for product, vendors in zip(wanted, came, strict=True):
                    if not isinstance(vendors, AdGenError):
                        self._unanswered = 0
                        told = self._needed["products"][product]
                        yield product, {"product_id": vendors.id, **of_project, FOUND_BY: _found_by(told)}
                    elif self._takes_no_more(product, vendors):
                        self._out(wanted, vendors)
                        return
        except AdGenError as error:
            self._out(wanted, error)

    def _takes_no_more(self, product: str, error: AdGenError) -> bool:
        """Take in why there is no product; return whether the account need not be asked for others now."""
        found, name = self._found, self._needed["products"][product].get("name")
        why = f"Connection {self._hook.conn_id!r} has no product {product} ({name}): {error.message}"
        found.error = found.error or error
        found.obstacles[product] = obstacle(error, self._promises, why)
        if found.obstacles[product].moves:
            self._unanswered = 0
            if isinstance(error, ApiError):
                self._refused[product] = error.status, error.code
            return False
        self._unanswered += 1
        return ends_asking(error, self._hook.vendor.name) or self._unanswered >= UNANSWERED

    def _out(self, wanted: Iterable[str], error: AdGenError) -> None:
        """Take in that the account cannot be asked for what is still missing."""
        found, why = self._found, f"Connection {self._hook.conn_id!r} could not be asked for products: {error.message}"
        found.error = found.error or error
        for product in wanted:
            if product not in found.ids:
                found.obstacles.setdefault(product, Obstacle(why, moves=False, retry_helps=error.retry_helps))

    def _doubt_refusals(self) -> None:
        """Let nothing move where an account that knows no product has refused many equally."""
        if self._found.ids or len(self._refused) < EQUAL_REFUSALS or len(set(self._refused.values())) > 1:
            return
        for product in self._refused:
            before = self._found.obstacles[product]
            why = f"{before.reason} It refused {len(self._refused)} equally. Nothing was moved to another account."
            self._found.obstacles[product] = replace(before, reason=why, moves=False)
