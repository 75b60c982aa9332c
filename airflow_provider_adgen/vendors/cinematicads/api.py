# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
CinematicAds' endpoints below ``https://cinematicads.studio``, one function each (page ``/en/api-docs``).

The page shows a method for ``POST /api/workflow`` alone. Where another one is as likely, it is tried when the server
does not know the first.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from airflow_provider_adgen.core.calls import Answer, Call, Emit, FileBody, Multipart, Sequence, Stream, nothing
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.errors import ApiError, InvalidRequest
from airflow_provider_adgen.core.reading import as_int, as_number
from airflow_provider_adgen.core.requests import HttpsUrl, Text, WebUrl, checked, identifier
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.core.vocabulary import CreditBalance, Model
from airflow_provider_adgen.vendors.cinematicads import models, shapes
from airflow_provider_adgen.vendors.cinematicads.tracking import read_event

NAME = "cinematicads"
endpoint = partial(Endpoint, NAME)

KNOWLEDGE_TYPES: dict[str, str] = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "txt": "text/plain",
}
"""What the knowledge base takes, by the file name's extension."""

KNOWLEDGE_BYTES = 10 << 20
"""The largest knowledge file: "Max 10MB", read as 10 MiB so that nothing is refused here that the vendor might take."""

NO_METHOD = frozenset({404, 405, 501})
"""What a server answers to a method that it does not have."""

M = TypeVar("M", bound=Model)


def _calendar_day(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            if date.fromisoformat(value.strip()).isoformat() == value.strip():
                return value.strip()
        except ValueError:  # told below, with the form that is needed
            pass
        raise ValueError("a date YYYY-MM-DD is needed")
    return value


Day = Annotated[str | date, BeforeValidator(_calendar_day)]


Colors = dict[Literal["primary", "secondary", "accent"], Text]


# --- reading ------------------------------------------------------------------------------------------------------


def read_answer(answer: Answer, at: Endpoint) -> Any:
    """
    Return an answer's JSON.

    :raises UnexpectedResponse: it is not JSON, or says ``success: false`` in spite of its status.
    """
    value = at.json(answer)
    if isinstance(value, dict) and value.get("success") is False:
        raise at.unreadable("success", f"is false ({scrub(shapes.told_error(value)) or 'no reason told'})")
    return value


def _content(answer: Answer, at: Endpoint, *inner: str) -> dict[str, Any]:
    """Return what an answer is about: top-level fields, those of ``data``, those of an object named *inner*."""
    value = read_answer(answer, at)
    if not isinstance(value, dict):
        raise at.unreadable("", "is not a JSON object")
    fields = shapes.payload(value)
    for name in inner:
        if isinstance(fields.get(name), dict):
            fields = {**{key: item for key, item in fields.items() if key != name}, **fields[name]}
    return fields


def _ask(label: str, model: type[M], *inner: str, **options: Any) -> Call[M]:
    at = endpoint(label)
    return at.call(lambda answer: at.model(model, _content(answer, at, *inner)), **options)


def _either(*calls: Call[Any]) -> Sequence[Any]:
    """Make the first call; where the server does not know its method, make the next."""
    unknown: ApiError | None = None
    for call in calls:
        try:
            return (yield call)
        except ApiError as error:
            if error.status not in NO_METHOD:
                raise
            unknown = unknown or error
    raise unknown or InvalidRequest("There is nothing to call. Nothing was sent.")


# --- workflows ----------------------------------------------------------------------------------------------------


def workflow_stream(job_id: str) -> Stream[models.WorkflowEvent]:
    """Follow a workflow. ``GET /api/workflow/stream?jobId=``; connections are rationed (10 an hour)."""
    return endpoint("GET /api/workflow/stream").stream(read_event, {"jobId": identifier(job_id)})


def get_batch_status(batch_id: str) -> Call[models.BatchStatus]:
    """
    Ask how far a batch of workflows is. ``GET /api/batch/status?batchId=``.

    :param batch_id: the batch; how one is made is not documented.
    :raises NotFound: the account has no such batch.
    """
    inner = ("batch", "status", "stats", "counts", "summary")
    return _ask("GET /api/batch/status", models.BatchStatus, *inner, query={"batchId": identifier(batch_id)})


# --- the account --------------------------------------------------------------------------------------------------

_CREDITS = "GET /api/user/credits"
_REMAINING = ("remaining", "creditsremaining", "remainingcredits", "available", "availablecredits", "creditsavailable")
_BALANCE = (
    *("balance", "creditbalance", "creditsbalance", "credits"),
    *("current", "currentbalance", "currentcredits", "currentcreditbalance"),
)
_USED = ("used", "creditsused", "usedcredits")
_LIMIT = ("limit", "creditslimit", "creditlimit", "total", "totalcredits", "creditstotal", "quota")


def get_credits() -> Call[CreditBalance]:
    """Ask for the account's credits. ``GET /api/user/credits``; the name of the number is not documented."""
    at = endpoint(_CREDITS)

    def parse(answer: Answer) -> CreditBalance:
        value = read_answer(answer, at)
        bare = as_number(value.get("data") if isinstance(value, dict) else value)
        fields = shapes.plain(shapes.payload(value))
        inner = next((shapes.plain(fields[name]) for name in _BALANCE if isinstance(fields.get(name), dict)), None)
        fields = inner if inner is not None else fields
        found = as_number(shapes.first(fields, (*_REMAINING, *_BALANCE)))
        remaining = as_int(found if found is not None else bare)
        if remaining is None:
            raise at.unreadable("credits", "is missing")
        return CreditBalance(
            remaining=remaining,
            used=shapes.as_int(shapes.first(fields, _USED)),
            limit=shapes.as_int(shapes.first(fields, _LIMIT)),
        )

    return at.call(parse)


def check() -> Call[None]:
    """Ask for the account's credits only to see whether the key is accepted."""
    return endpoint(_CREDITS).call(nothing)


def get_stats(
    *,
    start_date: Annotated[Day | None, Field(serialization_alias="startDate")] = None,
    end_date: Annotated[Day | None, Field(serialization_alias="endDate")] = None,
) -> Call[models.Stats]:
    """
    Ask for statistics: projects by type, credits used, success rate. ``GET /api/user/stats``.

    :param start_date: first day, ``YYYY-MM-DD``.
    :param end_date: last day, ``YYYY-MM-DD``.
    :raises InvalidRequest: it is not a day, or the first comes after the last.
    """
    query = checked(get_stats, locals())
    if len(query) == 2 and query["startDate"] > query["endDate"]:
        raise InvalidRequest("get_stats: start_date must not be after end_date. Nothing was sent.")
    return _ask("GET /api/user/stats", models.Stats, "stats", query=query)


def get_analytics(*, period: Literal["7d", "30d", "90d"] | None = None) -> Call[models.Analytics]:
    """
    Ask for trends, usage by type, credit distribution and peak hours. ``GET /api/user/analytics``.

    :param period: ``7d``, ``30d`` (the vendor's default) or ``90d``.
    :raises InvalidRequest: it is none of those.
    """
    return _ask("GET /api/user/analytics", models.Analytics, "analytics", query=checked(get_analytics, locals()))


def raw_projects() -> Call[list[dict[str, Any]]]:
    """Ask for all projects as the vendor sends them. ``GET /api/user/projects``."""
    at = endpoint("GET /api/user/projects")

    def parse(answer: Answer) -> list[dict[str, Any]]:
        value = read_answer(answer, at)
        for _ in range(3):  # a list, or under data, or under data.projects
            if isinstance(value, dict):
                value = next((value[name] for name in ("projects", "items", "results", "data") if name in value), None)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise at.unreadable("projects", "is not a list of objects")
        return value

    return at.call(parse)


def list_projects() -> Sequence[None]:
    """Iterate over all projects, the latest first; the vendor documents no pages. ``GET /api/user/projects``."""
    found: list[dict[str, Any]] = yield raw_projects()
    yield Emit([models.project(item) for item in found])


# --- the brand ----------------------------------------------------------------------------------------------------

_BRAND = "/api/user/brand"


def get_brand() -> Call[models.Brand]:
    """Read the brand profile; one that was never set has no name. ``GET /api/user/brand``."""
    return _ask(f"GET {_BRAND}", models.Brand, "brand", "profile")


def update_brand(
    *,
    name: Text,
    industry: Text | None = None,
    tone: Text | None = None,
    target_audience: Annotated[Text | None, Field(serialization_alias="targetAudience")] = None,
    colors: Colors | None = None,
) -> Sequence[models.Brand]:
    """
    Create or update the brand profile, which all later generations use. ``POST /api/user/brand``.

    ``PUT`` is tried where the server does not know ``POST``: the page does not show the method. Whether it costs
    credits is not documented.

    :param name: the brand's name.
    :param industry: its sector.
    :param tone: how it speaks.
    :param target_audience: whom it speaks to.
    :param colors: ``{"primary": ..., "secondary": ..., "accent": ...}``.
    :return: the profile, with what was sent where the answer does not say.
    :raises InvalidRequest: a field breaks a documented rule.
    """
    body = checked(update_brand, locals())

    def call(method: str) -> Call[models.Brand]:
        at = endpoint(f"{method} {_BRAND}")

        def parse(answer: Answer) -> models.Brand:
            said = _content(answer, at, "brand", "profile") if answer.content else {}
            told = {key: item for key, item in said.items() if item is not None and key != "message"}
            if "audience" in told:
                told["targetAudience"] = told.pop("audience")
            return at.model(models.Brand, {**body, **told})

        return at.call(parse, body=body)

    return _either(call("POST"), call("PUT"))


def add_knowledge_url(url: WebUrl) -> Call[models.KnowledgeItem]:
    """
    Add a page to the brand's knowledge base; the vendor reads and indexes it. ``POST /api/user/brand/knowledge/urls``.

    Whether it costs credits is not documented.

    :param url: the page.
    :raises InvalidRequest: it is not an http(s) URL.
    """
    return _add("POST /api/user/brand/knowledge/urls", checked(add_knowledge_url, locals()))


def add_knowledge_file(name: str, file: FileBody) -> Call[models.KnowledgeItem]:
    """
    Add a file to the brand's knowledge base. ``POST /api/user/brand/knowledge/files``, multipart.

    Whether it costs credits is not documented.

    :param name: its name; the extension says what it is.
    :param file: its content.
    :raises InvalidRequest: it is of another kind than PDF, DOCX, XLSX, CSV or TXT, is empty, or has more than 10 MB.
    """
    extension = PurePosixPath(name).suffix.lower().removeprefix(".")
    if extension not in KNOWLEDGE_TYPES:
        known = ", ".join(kind.upper() for kind in KNOWLEDGE_TYPES)
        raise InvalidRequest(f"add_knowledge_file: {name!r} is none of {known}. Nothing was sent.")
    if not 0 < file.size <= KNOWLEDGE_BYTES:
        raise InvalidRequest(
            f"add_knowledge_file: {name!r} has {file.size} bytes; 1 to {KNOWLEDGE_BYTES} are taken. Nothing was sent."
        )
    return _add("POST /api/user/brand/knowledge/files", Multipart("file", name, KNOWLEDGE_TYPES[extension], file))


def _add(label: str, body: Any) -> Call[models.KnowledgeItem]:
    at = endpoint(label)

    def parse(answer: Answer) -> models.KnowledgeItem:
        fields = _content(answer, at, "item", "url", "file", "knowledge") if answer.content else {}
        return at.model(models.KnowledgeItem, fields)

    return at.call(parse, body=body)


# --- files and the service ----------------------------------------------------------------------------------------


def projects_archive() -> Call[None]:
    """Ask for all projects as a ZIP of videos and metadata. ``GET /api/user/projects/export``."""
    return endpoint("GET /api/user/projects/export").call(nothing, headers={"Accept": "application/zip, */*"})


def export_video(source: HttpsUrl) -> tuple[Call[None], Call[None]]:
    """
    Ask for a generated video as MP4. ``GET /api/export?source=``, or ``POST`` with a body.

    :param source: the video's https URL, on a domain that the vendor allows.
    :raises InvalidRequest: it is not an https URL.
    """
    fields = checked(export_video, locals())
    headers = {"Accept": "video/mp4, */*"}
    return (
        endpoint("GET /api/export").call(nothing, headers=headers, query=fields),
        endpoint("POST /api/export").call(nothing, headers=headers, body=fields),
    )


def get_models_status() -> Call[models.ModelsStatus]:
    """Ask which capabilities (text, image, video) are available. ``GET /api/models/status``."""
    return _ask("GET /api/models/status", models.ModelsStatus, "models", "capabilities")


def get_health() -> Call[models.Health]:
    """Ask for the service's status and version. ``GET /api/health``."""
    return _ask("GET /api/health", models.Health)
