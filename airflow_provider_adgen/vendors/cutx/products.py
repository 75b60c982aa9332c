# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's own products and projects: found, or made if there is none."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_adgen.core.calls import Emit, Sequence, gathered
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.known_products import KnownProducts
from airflow_provider_adgen.core.requests import Text, WebUrl, checked
from airflow_provider_adgen.vendors.cutx import api
from airflow_provider_adgen.vendors.cutx.models import Product, Project
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
    known = KnownProducts[Project]()
    for project in (yield from gathered(api.list_projects())):
        known.add(project, project.name, None)
    found = known.find(fields["name"], None)
    if found is None:
        found = yield api.create_project(**fields)
    return found


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

    ``GET /api/products``, ``POST /api/products/ingest``. It is found by its link; by its name, where the list or the
    caller has no link. CutX makes a product of the shop's page and of nothing else: name, description, category and
    image are those of the page. Making it is sent once; a call after a lost answer finds what was made. Two calls at
    the same time may make two, because CutX documents no key for it; later calls find the first.

    :param name: its name, to find it by.
    :param link: its page; needed to make one.
    :param description: not sent: CutX reads it from the page.
    :param category: not sent: CutX reads it from the page.
    :param image_url: not sent: CutX reads it from the page.
    :param project_id: UUID of the project.
    :raises InvalidRequest: a field breaks a documented rule, or there is no such product and no link.
    :raises NotFound: the account has no such project.
    """
    fields = checked(ensure_product, locals())
    (product,) = yield from gathered(ensure_products([fields], project_id=project_id))
    return product  # type: ignore[no-any-return]  # one of the list


def ensure_products(products: Iterable[Mapping[str, Any]], *, project_id: str) -> Sequence[None]:
    """
    Iterate over the project's products that are the shop's, in their order; the list is read once for all.

    Those that are missing are made, one after the other, which costs no credits. See :func:`ensure_product`, also for
    ``GET /api/products`` and ``POST /api/products/ingest``.

    :param products: for each what :func:`ensure_product` takes, without the project.
    :param project_id: UUID of the project.
    :raises InvalidRequest: a field breaks a documented rule, or there is no such product and no link.
    :raises NotFound: the account has no such project.
    """
    given = {**_NOTHING, "project_id": project_id}
    wanted = [checked(ensure_product, {**given, **fields}) for fields in products]
    known = KnownProducts[Product]()
    for product in (yield from gathered(api.list_products(project_id))):
        known.add(product, product.name, product.source_url)
    for fields in wanted:
        name, link = fields["name"], fields.get("link")
        product = known.find(name, link)
        if product is None:
            if not link:
                raise InvalidRequest(
                    f"CutX does not know the product {name!r}, and makes one of its page only: give link. It was not "
                    "made."
                )
            product = yield api.ingest_product(url=link, project_id=project_id)
            known.add(product, name, link)
        yield Emit([product])


_NOTHING = dict.fromkeys(inspect.signature(ensure_product).parameters)
