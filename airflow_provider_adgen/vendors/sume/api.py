# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's endpoints below ``https://www.sume.so/api/v1``, one function each (page API reference where not said)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from airflow_provider_adgen.core.calls import Answer, Call, Emit, Sequence
from airflow_provider_adgen.core.endpoint import Endpoint, row_of
from airflow_provider_adgen.core.errors import ApiError
from airflow_provider_adgen.core.reading import readable_id, unwrapped
from airflow_provider_adgen.core.requests import Count, Number, Text, checked
from airflow_provider_adgen.core.vocabulary import CreditBalance, read_time
from airflow_provider_adgen.vendors.sume import shapes
from airflow_provider_adgen.vendors.sume.models import Asset, Avatar, Brand, Job, KeyOwner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = "sume"
endpoint = partial(Endpoint, NAME)
PAGE = 100
"""Jobs asked for at a time where many are wanted; the largest page is not documented."""

T = TypeVar("T")

Limit = Annotated[Count, Field(ge=1)]
Seconds = Annotated[Number, Field(ge=0)]


def _a_time(value: Any) -> Any:
    text = value.isoformat() if hasattr(value, "isoformat") else value
    if read_time(text if isinstance(text, str) else None) is None:
        raise ValueError("a time in ISO 8601 is needed")
    return text


Time = Annotated[Any, BeforeValidator(_a_time)]


def pages(
    path: str, read: Callable[[Any, Endpoint], T | None], query: Mapping[str, Any], page_size: int | None = None
) -> Sequence[None]:
    """
    Emit every item of a list, page after page.

    :param path: the list.
    :param read: turns a row into an item; None leaves it out.
    :param query: filters; ``limit`` and ``cursor`` where the caller asks for them.
    :param page_size: a page's size, asked for until the vendor refuses it: the largest is not documented.
    """
    at = endpoint(f"GET {path}")

    def parse(answer: Answer) -> tuple[list[T], str | None]:
        value = at.json(answer)
        items = [read(row, at) for row in at.rows(value)]
        return [item for item in items if item is not None], _next(value, at)

    cursor, seen = query.get("cursor"), set[str]()
    while True:
        asked = {**query, **({"limit": page_size} if page_size is not None else {}), "cursor": cursor}
        try:
            items, cursor = yield at.call(parse, query=asked)
        except ApiError as error:
            if error.status != 400 or page_size is None:
                raise
            page_size = None
            continue
        yield Emit(items)
        if cursor is None:
            return
        if cursor in seen:
            raise at.unreadable("next_cursor", "repeats itself, so the list would never end")
        seen.add(cursor)


def _next(value: Any, at: Endpoint) -> str | None:
    if not isinstance(value, dict):
        return None
    more, cursor = value.get("has_more"), value.get("next_cursor")
    if more is False or (more is None and not cursor):
        return None
    if not isinstance(cursor, str | int) or isinstance(cursor, bool) or cursor == "":
        raise at.unreadable("next_cursor", "is missing, although there is more")
    return str(cursor)


def get_me() -> Call[KeyOwner]:
    """Ask whom the key belongs to: user, workspace, key. ``GET /me``; costs nothing."""
    return endpoint("GET /me").get(KeyOwner, inside=("account",))


def get_credits() -> Call[CreditBalance]:
    """
    Ask for the workspace's credits. ``GET /credits``; costs nothing.

    What it says beside the numbers that all vendors share (plan, monthly and bonus credits) is in ``details``.
    """
    at = endpoint("GET /credits")
    return at.call(lambda answer: shapes.balance(at.object(answer)))


def list_brands(
    *, domain: Text | None = None, limit: Limit | None = None, cursor: Text | None = None
) -> Sequence[None]:
    """
    Iterate over the workspace's brand profiles, all pages. ``GET /brand``.

    :param domain: only that of this web domain.
    :param limit: profiles per request; the vendor's default and most are not documented.
    """
    return pages("/brand", row_of(Brand), checked(list_brands, locals()))


def get_current_brand() -> Call[Brand]:
    """Read the brand profile that the vendor selects for the workspace. ``GET /brand/current``."""
    return endpoint("GET /brand/current").get(Brand, inside=("brand",))


def list_avatars(*, limit: Limit | None = None, cursor: Text | None = None) -> Sequence[None]:
    """
    Iterate over the avatars that the key may use, all pages. ``GET /avatars``.

    :param limit: avatars per request; the vendor's default and most are not documented.
    """
    return pages("/avatars", row_of(Avatar), checked(list_avatars, locals()))


def get_avatar(avatar_id: str) -> Call[Avatar]:
    """
    Read one avatar. ``GET /avatars/{avatarId}``.

    :raises NotFound: the workspace has no such avatar.
    """
    return endpoint("GET /avatars/{avatarId}").get(Avatar, avatar_id, inside=("avatar",))


def list_jobs(
    *,
    type: Text | None = None,  # noqa: A002 - the vendor's own name
    status: Text | None = None,
    limit: Limit | None = None,
    cursor: Text | None = None,
) -> Sequence[None]:
    """
    Iterate over the workspace's jobs, all pages. ``GET /jobs``.

    :param type: for example ``video_generation``; the vendor's list of types could not be read.
    :param status: for example ``queued``, ``running``, ``processing``, ``completed``, ``failed``.
    :param limit: jobs per request; the vendor's default and most are not documented.
    """
    return pages("/jobs", read_job, checked(list_jobs, locals()))


def _identity(fields: Mapping[str, Any]) -> str | None:
    return readable_id(fields.get("id")) or readable_id(fields.get("job_id"))


def job_id(value: Any) -> str | None:
    """Return the id of a job, bare or wrapped; None where it says none."""
    return _identity(unwrapped(value, "job")) if isinstance(value, dict) else None


def read_job(value: Any, at: Endpoint, job_id: str | None = None) -> Job:
    """
    Read a job, bare or wrapped.

    :param value: a JSON value.
    :param at: where it came from.
    :param job_id: the job that was asked for; without one the value must say which it is.
    :raises UnexpectedResponse: it is no object, or says no id or no status.
    """
    if not isinstance(value, dict):
        raise at.unreadable("", "is not a JSON object")
    fields = unwrapped(value, "job")
    identity = job_id or _identity(fields)
    if identity is None:
        raise at.unreadable("id", "is missing")
    return at.model(Job, {**fields, "id": identity, "result": shapes.output(fields)})


def get_job(job_id: str) -> Call[Job]:
    """Read one job. ``GET /jobs/{jobId}``."""
    at = endpoint("GET /jobs/{jobId}")
    return at.call(lambda answer: read_job(at.json(answer), at, job_id), job_id)


def get_job_result(job_id: str) -> Call[Job]:
    """
    Read one job with its output in ``result``. ``GET /jobs/{jobId}/result``.

    What is answered before the job is completed is not documented.

    :raises NotFound: the workspace has no such job, or there is no output (yet).
    """
    at = endpoint("GET /jobs/{jobId}/result")

    def parse(answer: Answer) -> Job:
        value = at.json(answer)
        if isinstance(value, dict) and "status" not in unwrapped(value, "job"):
            # An answer that has nothing but the output: only a completed job has one.
            value = {**value, "status": "completed"}
        return read_job(value, at, job_id)

    return at.call(parse, job_id)


def list_assets(
    *,
    q: Text | None = None,
    search_mode: Literal["auto", "text"] | None = None,
    source_type: Text | None = None,
    segment_type: Text | None = None,
    brand: Text | None = None,
    product: Text | None = None,
    tag: Text | None = None,
    keyword: Text | None = None,
    cta_present: bool | None = None,
    min_duration_seconds: Seconds | None = None,
    max_duration_seconds: Seconds | None = None,
    created_after: Time = None,
    created_before: Time = None,
    sort: Literal["relevance", "created_at_desc", "created_at_asc", "duration_desc"] | None = None,
    limit: Limit | None = None,
    cursor: Text | None = None,
) -> Sequence[None]:
    """
    Iterate over the scenes of the Asset Library, all pages. ``GET /assets`` (page Asset Library).

    :param q: what to search for.
    :param source_type: for example ``generated`` or ``upload``.
    :param segment_type: the part of an ad, for example a hook.
    :param cta_present: only scenes with, or without, a call to action.
    :param created_after: ISO 8601, or a datetime.
    :param created_before: ISO 8601, or a datetime.
    :param limit: scenes per request; the vendor's default and most are not documented.
    :raises InvalidRequest: a filter is not one of those.
    """
    return pages("/assets", row_of(Asset), checked(list_assets, locals()))


def get_asset(asset_id: str) -> Call[Asset]:
    """
    Read one scene. ``GET /assets/{assetId}``.

    :param asset_id: the scene, or what an upload was answered with.
    :raises NotFound: the workspace has no such scene; perhaps not yet.
    """
    return endpoint("GET /assets/{assetId}").get(Asset, asset_id, inside=("asset",))
