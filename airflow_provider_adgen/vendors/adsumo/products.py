# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo's own products: found, or made if there is none."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from airflow_provider_adgen.core.calls import Call, Emit, Sequence, gathered
from airflow_provider_adgen.core.errors import InvalidRequest, NotFound
from airflow_provider_adgen.core.known_products import REPLACES, ensuring
from airflow_provider_adgen.core.requests import Text, WebUrl, checked
from airflow_provider_adgen.vendors.adsumo import api
from airflow_provider_adgen.vendors.adsumo.models import Product  # noqa: TC001 - the signatures are evaluated


def ensure_product(
    *,
    name: Text,
    link: WebUrl | None = None,
    description: Text | None = None,
    category: Text | None = None,
    image_url: WebUrl | None = None,
    project_id: Text | None = None,
) -> Sequence[Product]:
    """
    Return the product of the account that is the shop's, made if there is none. ``GET /products``, ``POST /products``.

    It is found by its link, else by its name: where no product has that link, and one of the list alone has that name.
    It is not, where the links of both have a parameter with different values, as those of a shoe's colours may;
    variants that nothing tells apart but the page itself go into one :meth:`ensure_products` together. Whether making
    one costs credits is not documented. Making it carries a key that follows from its fields, so that two tasks at once
    make one. To that key Adsumo repeats its answer for 24 hours, also where the product was deleted meanwhile:
    :meth:`find_deleted_products` tells, and :meth:`ensure_products` can be told.

    :param name: its name.
    :param link: its page.
    :param description: what it is; needed to make one.
    :param category: for example ``Electronics``; needed to make one.
    :param image_url: a public image of at most 10 MB; needed to make one.
    :param project_id: None, because Adsumo has no projects.
    :raises InvalidRequest: a field breaks a documented rule, or one that is needed is missing. Nothing was made.
    """
    (product,) = yield from gathered(ensure_products([checked(ensure_product, locals())]))
    return product  # type: ignore[no-any-return]  # one of the list


def _told(product: Product) -> tuple[str, str | None, str | None]:
    return product.id, product.name, product.link


def ensure_products(
    products: Iterable[Mapping[str, Any]],
    *,
    project_id: str | None = None,
    others: Collection[str] = (),
    keep_going: bool = False,
) -> Sequence[None]:
    """
    Iterate over the account's products that are the shop's, in their order; the list is read once for all.

    Those that are missing are made, one after the other; whether that costs credits is not documented. See
    :func:`ensure_product`, also for ``GET /products`` and ``POST /products``. None is found by its name alone whose
    link is that of another one of these.

    :param products: for each what :func:`ensure_product` takes; also ``replaces``, the id that Adsumo gave it before,
        where that was deleted: Adsumo then does not repeat its answer of then.
    :param project_id: None, because Adsumo has no projects.
    :param others: links, and ids at Adsumo, of the shop's other products: none of them is taken by its name alone.
    :param keep_going: yield the error of a product that cannot be made in its place, and go on.
    :raises InvalidRequest: a field breaks a documented rule, or one that is needed is missing.
    """

    def check(fields: Mapping[str, Any]) -> dict[str, Any]:
        found = checked(ensure_product, {**_NOTHING, "project_id": project_id, **fields})
        if "project_id" in found:
            raise InvalidRequest("Adsumo has no projects: leave project_id out. Nothing was sent.")
        return {**found, REPLACES: fields[REPLACES]} if REPLACES in fields else found

    return ensuring(
        products,
        check=check,
        listing=api.list_products(),
        told=_told,
        make=_creation,
        others=others,
        keep_going=keep_going,
    )


def find_deleted_products(product_ids: Iterable[str], *, project_id: str | None = None) -> Sequence[None]:
    """
    Iterate over those ids whose product is certainly gone. ``GET /products``, ``GET /products/{id}``.

    The list is read once. Only what is not in it is asked for, because a list may be behind; what that answers as not
    found is gone, deleted or another team's.

    :param product_ids: ids that Adsumo gave.
    :param project_id: None, because Adsumo has no projects.
    :raises InvalidRequest: a project is named.
    :raises ApiError: something could not be asked. That never means gone.
    """
    if project_id is not None:
        raise InvalidRequest("Adsumo has no projects: leave project_id out. Nothing was sent.")
    listed = {product.id for product in (yield from gathered(api.list_products()))}
    for one in product_ids:
        if one in listed:
            continue
        try:
            yield api.get_product(one)
        except NotFound as error:
            if not error.own_words:  # some proxy's answer
                raise
            yield Emit([one])


_NOTHING = dict.fromkeys(inspect.signature(ensure_product).parameters)


def _creation(fields: dict[str, Any]) -> Call[Product]:
    missing = [name for name in ("description", "category", "image_url") if name not in fields]
    if missing:
        raise InvalidRequest(
            f"Adsumo does not know the product {fields['name']!r}, and to make it needs {', '.join(missing)}. "
            "It was not made."
        )
    key = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    fields = {name: value for name, value in fields.items() if name != REPLACES}
    return api.create_product(**fields, idempotency_key=key)
