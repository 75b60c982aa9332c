# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's endpoints that spend nothing, one function each; paths begin with ``/api/`` below the connection's host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from airflow_provider_adgen.core.calls import (
    Answer,
    Call,
    Emit,
    Sequence,
    read_json,
    read_model,
    read_object,
    unreadable,
)
from airflow_provider_adgen.core.errors import ApiError, InvalidRequest
from airflow_provider_adgen.core.reading import unwrapped
from airflow_provider_adgen.core.requests import Arguments, Count, WebUrl, identifier
from airflow_provider_adgen.core.vocabulary import CreditBalance
from airflow_provider_adgen.vendors.cutx.models import Balance, CutxModel, Job, Product, Project, User
from airflow_provider_adgen.vendors.cutx.requests import Uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = "cutx"
PROJECTS_PAGE = 20
PRODUCTS_PAGE = 50
"""The limits of the vendor's own examples; the largest are not documented."""

M = TypeVar("M", bound=CutxModel)
T = TypeVar("T", Project, Product)


class _Projects(Arguments):
    limit: Annotated[Count, Field(ge=1)]


class _Products(_Projects):
    project_id: Uuid = Field(serialization_alias="projectId")


class _NewProject(Arguments):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=1000)] | None = None


class _Ingest(Arguments):
    url: WebUrl
    project_id: Uuid | None = Field(default=None, serialization_alias="projectId")


def _one(model: type[M], endpoint: str, wrapping: str) -> Callable[[Answer], M]:
    """Return a reader of ``{wrapping: {...}}``, or of the object itself."""

    def read(answer: Answer) -> M:
        return read_model(model, unwrapped(read_object(answer, NAME, endpoint), wrapping), NAME, endpoint)

    return read


def _pages(model: type[T], name: str, query: Mapping[str, Any], known: int) -> Sequence[None]:
    """
    Emit every item of a list.

    Only ``limit`` is documented. Further items are asked for with ``offset``, which other lists of the vendor have;
    where that shows the same items again, or is refused, a larger limit is asked for instead.

    :param name: the field that holds the list.
    :param query: the filter, and ``limit``.
    :param known: a limit that the vendor's own example asks for: a shorter page is the last one.
    """
    endpoint = "GET /api/products"
    limit, offset, larger, seen = query["limit"], 0, False, set[str]()

    def parse(answer: Answer) -> list[T]:
        value = read_json(answer, NAME, endpoint)
        if isinstance(value, dict):
            flat = unwrapped(value)
            value = flat.get(name, flat.get("data"))
        rows = value
        if not isinstance(rows, list):
            raise unreadable(NAME, endpoint, name, "is not a list")
        return [read_model(model, row, NAME, endpoint) for row in rows]

    while True:
        page = {**query, "limit": limit, "offset": offset or None}
        try:
            items: list[T] = yield Call(method="GET", path="/api/products", endpoint=endpoint, parse=parse, query=page)
        except ApiError as error:
            if error.status != 400 or not seen:
                raise
            if larger:
                return
            larger, offset, limit = True, 0, limit * 2
            continue
        fresh = list({item.id: item for item in items if item.id not in seen}.values())
        seen.update(item.id for item in fresh)
        yield Emit(fresh)
        if len(items) < (limit if larger else min(limit, known)) or (larger and not fresh):
            return
        if larger or not fresh:
            larger, offset, limit = True, 0, limit * 2
        else:
            offset += len(items)


def list_projects(*, limit: int = PROJECTS_PAGE) -> Sequence[None]:
    """
    Iterate over the account's projects, all pages. ``GET /api/products`` without a project.

    :param limit: projects per request.
    """
    query = _Projects.check("list_projects", limit=limit).body()
    return _pages(Project, "projects", query, PROJECTS_PAGE)


def list_products(project_id: str, *, limit: int = PRODUCTS_PAGE) -> Sequence[None]:
    """
    Iterate over the products of a project, all pages. ``GET /api/products?projectId=``.

    :param project_id: UUID of the project.
    :param limit: products per request.
    :raises NotFound: the account has no such project.
    """
    query = _Products.check("list_products", project_id=identifier(project_id), limit=limit).body()
    return _pages(Product, "products", query, PRODUCTS_PAGE)


def create_project(*, name: str, description: str | None = None) -> Call[Project]:
    """
    Create a project. ``POST /api/products``, which despite its name makes a project; costs no credits.

    It is sent once: whether repeating it makes a second project is not documented.

    :param name: 1 to 200 characters.
    :param description: at most 1000 characters.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    endpoint = "POST /api/products"
    return Call(
        method="POST",
        path="/api/products",
        endpoint=endpoint,
        parse=_one(Project, endpoint, "project"),
        body=_NewProject.check("create_project", name=name, description=description).body(),
    )


def ingest_product(*, url: str, project_id: str | None = None) -> Call[Product]:
    """
    Make a product of a shop's page, which CutX reads. ``POST /api/products/ingest``; costs no credits.

    It is sent once: whether repeating it makes a second product is not documented.

    :param url: the product's page.
    :param project_id: UUID of the project to put it into; whether it can be left out is not documented.
    :raises InvalidRequest: a field breaks a documented rule.
    :raises NotFound: the account has no such project.
    """
    endpoint = "POST /api/products/ingest"
    return Call(
        method="POST",
        path="/api/products/ingest",
        endpoint=endpoint,
        parse=_one(Product, endpoint, "product"),
        body=_Ingest.check("ingest_product", url=url, project_id=project_id).body(),
    )


def get_me() -> Call[User]:
    """Read the user that the token belongs to. ``GET /api/auth/me``; costs nothing."""
    endpoint = "GET /api/auth/me"
    return Call(method="GET", path="/api/auth/me", endpoint=endpoint, parse=_one(User, endpoint, "user"))


def get_credits() -> Call[CreditBalance]:
    """
    Ask for the account's credits. ``GET /api/credits/balance``.

    The vendor counts ``lifetime_purchased`` and ``lifetime_used`` from the account's beginning: they are no use of a
    billing period, so ``used`` and ``limit`` are None, and they are kept under their own names.
    """
    endpoint = "GET /api/credits/balance"

    def parse(answer: Answer) -> CreditBalance:
        told = read_model(Balance, unwrapped(read_object(answer, NAME, endpoint)), NAME, endpoint)
        lifetime = told.model_dump(include={"lifetime_purchased", "lifetime_used"}, exclude_none=True)
        return CreditBalance.model_validate({"remaining": told.balance, **lifetime})

    return Call(method="GET", path="/api/credits/balance", endpoint=endpoint, parse=parse)


def job(job_id: str) -> Call[tuple[Job, dict[str, Any]]]:
    """
    Read one job, and the answer as it came. ``GET /api/generate/status``.

    :param job_id: what a submission answered as ``jobId``.
    """
    endpoint = "GET /api/generate/status"
    name = identifier(job_id)
    if not name.isprintable():
        raise InvalidRequest("A CutX job id holds characters that no id has. Nothing was sent.")

    def parse(answer: Answer) -> tuple[Job, dict[str, Any]]:
        value = unwrapped(read_object(answer, NAME, endpoint), "job")
        return read_model(Job, value, NAME, endpoint), value

    return Call(method="GET", path="/api/generate/status", endpoint=endpoint, parse=parse, query={"jobId": name})
