# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's endpoints, one function each; all paths begin with ``/api/`` below the host that you give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from airflow_provider_adgen.core.calls import (
    Answer,
    Call,
    Emit,
    Sequence,
    read_model,
    read_object,
    unreadable,
)
from airflow_provider_adgen.core.requests import Arguments, Text, WebUrl, identifier
from airflow_provider_adgen.core.vocabulary import CreditBalance
from airflow_provider_adgen.vendors.cutx.models import Balance, CutxModel, Job, Product, Project, User
from airflow_provider_adgen.vendors.cutx.requests import Uuid

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "cutx"

M = TypeVar("M", bound=CutxModel)


class _Projects(Arguments):
    limit: Annotated[int, Field(ge=1)] | None = None


class _Products(_Projects):
    project_id: Uuid = Field(serialization_alias="projectId")


class _NewProject(Arguments):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=1000)] | None = None


class _Ingest(Arguments):
    url: WebUrl
    project_id: Uuid | None = Field(default=None, serialization_alias="projectId")


class _Id(Arguments):
    job_id: Text


def _wrapped(model: type[M], name: str, endpoint: str) -> Callable[[Answer], M]:
    """Read ``{name: {...}}``; an answer that is the thing itself is read too."""

    def parse(answer: Answer) -> M:
        value = read_object(answer, NAME, endpoint)
        return read_model(model, value.get(name, value), NAME, endpoint)

    return parse


def _rows(model: type[M], name: str, endpoint: str) -> Callable[[Answer], list[M]]:
    def parse(answer: Answer) -> list[M]:
        rows = read_object(answer, NAME, endpoint).get(name)
        if not isinstance(rows, list):
            raise unreadable(NAME, endpoint, name, "is not a list")
        return [read_model(model, row, NAME, endpoint) for row in rows]

    return parse


def _listing(query: dict[str, Any], model: type[M], name: str) -> Sequence[None]:
    endpoint = "GET /api/products"
    rows = yield Call(
        method="GET", path="/api/products", endpoint=endpoint, parse=_rows(model, name, endpoint), query=query
    )
    yield Emit(rows)


def list_projects(*, limit: int | None = None) -> Sequence[None]:
    """
    Iterate over the account's projects. ``GET /api/products`` without a project; no further pages are documented.

    :param limit: how many at most; the vendor's default is not documented.
    """
    return _listing(_Projects.check("list_projects", limit=limit).body(), Project, "projects")


def list_products(project_id: str, *, limit: int | None = None) -> Sequence[None]:
    """
    Iterate over the products of a project. ``GET /api/products?projectId=``; no further pages are documented.

    :param project_id: UUID of the project.
    :param limit: how many at most; the vendor's default is not documented.
    """
    query = _Products.check("list_products", project_id=identifier(project_id), limit=limit).body()
    return _listing(query, Product, "products")


def create_project(*, name: str, description: str | None = None) -> Call[Project]:
    """
    Create a project. ``POST /api/products``, which despite its name makes a project; costs no credits.

    It is sent once: the vendor documents no way to repeat it safely.

    :param name: 1 to 200 characters.
    :param description: at most 1000 characters.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    endpoint = "POST /api/products"
    return Call(
        method="POST",
        path="/api/products",
        endpoint=endpoint,
        parse=_wrapped(Project, "project", endpoint),
        body=_NewProject.check("create_project", name=name, description=description).body(),
    )


def ingest_product(*, url: str, project_id: str | None = None) -> Call[Product]:
    """
    Make a product from a shop's page. ``POST /api/products/ingest``, 0 credits.

    It is sent once: the vendor documents no way to repeat it safely.

    :param url: the product's page.
    :param project_id: UUID of the project to put it into; whether it is required is not documented.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    endpoint = "POST /api/products/ingest"
    return Call(
        method="POST",
        path="/api/products/ingest",
        endpoint=endpoint,
        parse=_wrapped(Product, "product", endpoint),
        body=_Ingest.check("ingest_product", url=url, project_id=project_id).body(),
    )


def get_me() -> Call[User]:
    """Read the user that the token belongs to. ``GET /api/auth/me``; costs nothing."""
    endpoint = "GET /api/auth/me"
    return Call(method="GET", path="/api/auth/me", endpoint=endpoint, parse=_wrapped(User, "user", endpoint))


def get_credits() -> Call[CreditBalance]:
    """Ask for the account's credits. ``GET /api/credits/balance``."""
    endpoint = "GET /api/credits/balance"

    def parse(answer: Answer) -> CreditBalance:
        balance = read_model(Balance, read_object(answer, NAME, endpoint), NAME, endpoint)
        # lifetime_used counts from the account's beginning and is no use of a billing period, so it is left out.
        return CreditBalance(remaining=balance.balance)

    return Call(method="GET", path="/api/credits/balance", endpoint=endpoint, parse=parse)


def job(job_id: str) -> Call[Job]:
    """Read one job as the vendor shows it. ``GET /api/generate/status``."""
    endpoint = "GET /api/generate/status"

    def parse(answer: Answer) -> Job:
        return read_model(Job, read_object(answer, NAME, endpoint), NAME, endpoint)

    return Call(
        method="GET",
        path="/api/generate/status",
        endpoint=endpoint,
        parse=parse,
        query={"jobId": _Id.check("get_generation", job_id=identifier(job_id)).job_id},
    )
