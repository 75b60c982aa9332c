# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's endpoints that spend nothing, one function each; paths begin with ``/api/`` below the connection's host."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from airflow_provider_adgen.core.calls import Answer, Call, Emit, Sequence
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.errors import ApiError, InvalidRequest
from airflow_provider_adgen.core.reading import unwrapped
from airflow_provider_adgen.core.requests import Count, Text, WebUrl, checked, identifier
from airflow_provider_adgen.core.vocabulary import CreditBalance
from airflow_provider_adgen.vendors.cutx.models import Asset, Balance, Job, Product, Project, User
from airflow_provider_adgen.vendors.cutx.requests import Uuid

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "cutx"
endpoint = partial(Endpoint, NAME)
PROJECTS_PAGE = 20
PRODUCTS_PAGE = 50
ASSETS_PAGE = 20
"""The limits of the vendor's own examples; the largest are not documented."""

T = TypeVar("T", Project, Product, Asset)


Limit = Annotated[Count, Field(ge=1)]
_PROJECT = Field(serialization_alias="projectId")
ProjectId = Annotated[Uuid, _PROJECT]
OptionalProjectId = Annotated[Uuid | None, _PROJECT]


def _pages(path: str, model: type[T], name: str, query: Mapping[str, Any], known: int) -> Sequence[None]:
    """
    Emit every item of a list.

    Where only ``limit`` is documented, or ``offset`` is not obeyed, further items are asked for all the same: with
    ``offset``; where that shows the same items again, or is refused, with a larger limit.

    :param path: the list.
    :param name: the field that holds the list.
    :param query: the filter, and ``limit``.
    :param known: a limit that the vendor's own example asks for: a shorter page is the last one.
    """
    at = endpoint(f"GET {path}")
    limit, offset, larger, seen = query["limit"], 0, False, set[str]()

    def parse(answer: Answer) -> list[T]:
        value = at.json(answer)
        if isinstance(value, dict):
            flat = unwrapped(value)
            value = {name: next((flat[key] for key in (name, "data", "items") if key in flat), None)}
        return [at.model(model, row) for row in at.rows(value, name)]

    while True:
        try:
            items: list[T] = yield at.call(parse, query={**query, "limit": limit, "offset": offset or None})
        except ApiError as error:
            if error.status != 400 or not seen:
                raise
            if larger:
                return
            larger, offset, limit = True, 0, limit * 2
            continue
        fresh = {key: item for item in items if (key := _key(item)) not in seen}
        seen.update(fresh)
        yield Emit(fresh.values())
        if len(items) < (limit if larger else min(limit, known)) or (larger and not fresh):
            return
        if larger or not fresh:
            larger, offset, limit = True, 0, limit * 2
        else:
            offset += len(items)


def _key(item: Project | Product | Asset) -> str:
    # A file without an id is known by its link; a signature differs from page to page.
    return item.id or str(getattr(item, "url", None)).partition("?")[0]


def list_projects(*, limit: Limit = PROJECTS_PAGE) -> Sequence[None]:
    """
    Iterate over the account's projects, all pages. ``GET /api/products`` without a project.

    :param limit: projects per request.
    """
    return _pages("/api/products", Project, "projects", checked(list_projects, locals()), PROJECTS_PAGE)


def list_products(project_id: ProjectId, *, limit: Limit = PRODUCTS_PAGE) -> Sequence[None]:
    """
    Iterate over the products of a project, all pages. ``GET /api/products?projectId=``.

    :param project_id: UUID of the project.
    :param limit: products per request.
    :raises NotFound: the account has no such project.
    """
    return _pages("/api/products", Product, "products", checked(list_products, locals()), PRODUCTS_PAGE)


def list_assets(
    project_id: OptionalProjectId = None,
    *,
    type: Text | None = None,  # noqa: A002 - the vendor's own name
    limit: Limit = ASSETS_PAGE,
) -> Sequence[None]:
    """
    Iterate over the files that were made, all pages. ``GET /api/assets``; what it answers is not documented.

    :param project_id: UUID of a project; whether it can be left out is not documented.
    :param type: for example ``image``.
    :param limit: files per request.
    """
    return _pages("/api/assets", Asset, "assets", checked(list_assets, locals()), ASSETS_PAGE)


def create_project(
    *,
    name: Annotated[str, Field(min_length=1, max_length=200)],
    description: Annotated[str, Field(max_length=1000)] | None = None,
) -> Call[Project]:
    """
    Create a project. ``POST /api/products``, which despite its name makes a project.

    It is sent once: whether repeating it makes a second project is not documented. Whether it costs credits is not
    documented.

    :param name: 1 to 200 characters.
    :param description: at most 1000 characters.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    body = checked(create_project, locals())
    return endpoint("POST /api/products").get(Project, inside=("project",), body=body)


def ingest_product(*, url: WebUrl, project_id: OptionalProjectId = None) -> Call[Product]:
    """
    Make a product of a shop's page, which CutX reads. ``POST /api/products/ingest``; costs no credits.

    It is sent once: whether repeating it makes a second product is not documented.

    :param url: the product's page.
    :param project_id: UUID of the project to put it into; whether it can be left out is not documented.
    :raises InvalidRequest: a field breaks a documented rule.
    :raises NotFound: the account has no such project.
    """
    body = checked(ingest_product, locals())
    return endpoint("POST /api/products/ingest").get(Product, inside=("product",), body=body)


def get_me() -> Call[User]:
    """Read the user that the token belongs to. ``GET /api/auth/me``; costs nothing."""
    return endpoint("GET /api/auth/me").get(User, inside=("user",))


def get_credits() -> Call[CreditBalance]:
    """
    Ask for the account's credits. ``GET /api/credits/balance``.

    The vendor counts ``lifetime_purchased`` and ``lifetime_used`` from the account's beginning: they are no use of a
    billing period, so ``used`` and ``limit`` are None, and they are kept in ``details``.
    """
    at = endpoint("GET /api/credits/balance")

    def parse(answer: Answer) -> CreditBalance:
        told = at.model(Balance, unwrapped(at.object(answer)))
        return CreditBalance(remaining=told.balance, details=told.model_dump(exclude={"balance"}, exclude_none=True))

    return at.call(parse)


_STATUS = endpoint("GET /api/generate/status")


def job(job_id: str) -> Call[dict[str, Any]]:
    """
    Ask for one job, and return the answer as it came. ``GET /api/generate/status``.

    :param job_id: what a submission answered as ``jobId``.
    """
    name = identifier(job_id)
    if not name.isprintable():
        raise InvalidRequest("A CutX job id holds characters that no id has. Nothing was sent.")
    return _STATUS.call(lambda answer: unwrapped(_STATUS.object(answer), "job"), query={"jobId": name})


def read_job(value: Mapping[str, Any]) -> Job:
    """
    Read what :func:`job` returned.

    :raises UnexpectedResponse: it says no status.
    """
    return _STATUS.model(Job, value)
