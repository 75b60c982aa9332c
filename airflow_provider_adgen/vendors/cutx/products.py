# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's own products and projects: found, or made if there is none."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_adgen.core.calls import Call, Emit, Sequence, gathered
from airflow_provider_adgen.core.errors import InvalidRequest, NotFound
from airflow_provider_adgen.core.known_products import ensuring, same_name
from airflow_provider_adgen.core.requests import Text, WebUrl, checked
from airflow_provider_adgen.vendors.cutx import api
from airflow_provider_adgen.vendors.cutx.models import Product, Project  # noqa: TC001 - the signatures are evaluated
from airflow_provider_adgen.vendors.cutx.requests import Uuid

ProjectId = Annotated[Uuid, Field()]


def ensure_project(
    *,
    name: Annotated[str, Field(min_length=1, max_length=200)],
    description: Annotated[str, Field(max_length=1000)] | None = None,
) -> Sequence[Project]:
    """
    Return the project of a name, made if there is none. ``GET /api/products``, ``POST /api/products``.

    Making it is sent once; whether it costs credits is not documented. A call after a lost answer finds what was made.

    :param name: 1 to 200 characters.
    :param description: at most 1000 characters; only for one that is made.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    fields = checked(ensure_project, locals())
    wanted = same_name(fields["name"])
    for project in (yield from gathered(api.list_projects())):
        if same_name(project.name) == wanted:
            return project  # type: ignore[no-any-return]  # one of the list
    return (yield api.create_project(**fields))  # type: ignore[no-any-return]  # what the call was read as


def ensure_product(
    *,
    name: Text,
    link: WebUrl | None = None,
    description: Text | None = None,
    category: Text | None = None,
    image_url: WebUrl | None = None,
    project_id: ProjectId,
) -> Sequence[Product]:
    """
    Return the project's product that is the shop's, made if there is none; costs no credits.

    ``GET /api/products``, ``POST /api/products/ingest``. It is found by its link, else by its name: where no product
    has that link, and one of the list alone has that name. It is not, where the links of both have a parameter with
    different values, as those of a shoe's colours may; variants that nothing tells apart but the page itself go into
    one :meth:`ensure_products` together. CutX makes a product of the shop's page and of nothing else: name,
    description, category and image are those of the page. Making it is sent once; a call after a lost answer finds what
    was made. Two calls at the same time may make two, because CutX documents no key for it; later calls find the first.

    :param name: its name, to find it by.
    :param link: its page; needed to make one.
    :param description: None, because CutX reads it from the page.
    :param category: None, because CutX reads it from the page.
    :param image_url: None, because CutX reads it from the page.
    :param project_id: UUID of the project.
    :raises InvalidRequest: a field breaks a documented rule or is one that CutX does not take, or there is no such
        product and no link.
    :raises NotFound: the account has no such project.
    """
    fields = checked(ensure_product, locals())
    if unused := [one for one in ("description", "category", "image_url") if one in fields]:
        raise InvalidRequest(
            f"CutX makes a product of the shop's page, and takes no {' and no '.join(unused)} of it: leave that out. "
            "Nothing was sent."
        )
    (product,) = yield from gathered(ensure_products([fields], project_id=project_id))
    return product  # type: ignore[no-any-return]  # one of the list


def _told(product: Product) -> tuple[str, str | None, str | None]:
    return product.id, product.name, product.source_url


def ensure_products(
    products: Iterable[Mapping[str, Any]],
    *,
    project_id: str,
    others: Collection[str] = (),
    keep_going: bool = False,
) -> Sequence[None]:
    """
    Iterate over the project's products that are the shop's, in their order; the list is read once for all.

    Those that are missing are made, one after the other, which costs no credits. See :func:`ensure_product`, also for
    ``GET /api/products`` and ``POST /api/products/ingest``. None is found by its name alone whose link is that of
    another one of these.

    :param products: for each its ``name`` and ``link``; whatever else is known of it is not sent, because CutX reads
        the page.
    :param project_id: UUID of the project.
    :param others: links, and ids at CutX, of the shop's other products: none of them is taken by its name alone.
    :param keep_going: yield the error of a product that cannot be made in its place, and go on.
    :raises InvalidRequest: a field breaks a documented rule, or there is no such product and no link.
    :raises NotFound: the account has no such project.
    """

    def make(fields: dict[str, Any]) -> Call[Product]:
        if not fields.get("link"):
            raise InvalidRequest(
                f"CutX does not know the product {fields['name']!r}, and makes one of its page only: give link. It was "
                "not made."
            )
        return api.ingest_product(url=fields["link"], project_id=project_id)

    given = {**_NOTHING, "project_id": project_id}
    return ensuring(
        products,
        check=lambda fields: checked(ensure_product, {**given, **fields}),
        listing=api.list_products(project_id),
        told=_told,
        make=make,
        others=others,
        keep_going=keep_going,
    )


def find_deleted_products(product_ids: Iterable[str], *, project_id: str) -> Sequence[None]:
    """
    Iterate over those ids whose product is certainly gone. ``GET /api/products``.

    CutX has no request for one product, and how long its lists can be is not documented. So a product that is not in
    the project's list is gone only where the list holds as many as the project's ``product_count`` says. All are gone
    where the project is not among the account's, and its list is not found.

    :param product_ids: ids that CutX gave.
    :param project_id: UUID of the project in which they were.
    :raises InvalidRequest: the project is no UUID.
    :raises ApiError: a list could not be read. That never means gone.
    """
    missing, refusal = list(product_ids), None
    listed = 0
    try:
        there = {product.id for product in (yield from gathered(api.list_products(project_id)))}
    except NotFound as error:
        if not error.own_words:  # some proxy's answer
            raise
        refusal = error
    else:
        listed, missing = len(there), [one for one in missing if one not in there]
    if not missing:
        return
    projects = {project.id: project for project in (yield from gathered(api.list_projects()))}
    project = projects.get(project_id)
    if refusal is not None and project is not None:
        raise refusal
    if refusal is not None or (project is not None and project.product_count == listed):
        yield Emit(missing)


_NOTHING = dict.fromkeys(inspect.signature(ensure_product).parameters)
