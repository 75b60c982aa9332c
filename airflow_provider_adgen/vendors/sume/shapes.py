# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads what Sume answers where its pages do not say under which names: job ids, output files, credits.

Each reader takes any JSON value and never raises: what it does not find is empty or None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from airflow_provider_adgen.core.reading import (
    FileKind,
    as_int,
    file_kind,
    is_link,
    other_fields,
    readable_id,
    unwrapped,
)
from airflow_provider_adgen.core.vocabulary import CreditBalance, read_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pendulum

_DEEPEST = 12
"""Levels of a value that are looked into."""


# --- job ids ------------------------------------------------------------------------------------------------------


class JobRef(NamedTuple):
    """A job as the answer to a creation names it."""

    id: str
    status: str | None


class JobRefs(NamedTuple):
    """
    All jobs that the answer to a creation names.

    :param jobs: in the order of the answer, the primary one first.
    :param unreadable: entries of a list of jobs without a readable id.
    """

    jobs: list[JobRef]
    unreadable: int


_JOB_LISTS = ("job_ids", "jobs", "data")


def job_refs(value: Mapping[str, Any]) -> JobRefs:
    """
    Find the jobs in the answer to a creation: ``job.id``, ``job_id``, or a list of either.

    An ``id`` at the top may be something else than a job's; it counts only where it is evidently one.
    """
    flat = {**value, **value["data"]} if isinstance(value.get("data"), dict) else dict(value)
    found: dict[str, str | None] = {}
    unreadable = 0
    primary = _ref(_about_job(flat))
    if primary is not None:
        found[primary.id] = primary.status
    for name in dict.fromkeys((*_JOB_LISTS, *flat)):
        entries, likely = flat.get(name), name in _JOB_LISTS
        for entry in entries if isinstance(entries, list) else ():
            # The list's name is not documented: under any other one, what says that it is about a job counts.
            ref = _ref(entry if likely else _about_job(entry))
            if ref is None:
                unreadable += likely
            elif found.get(ref.id) is None:
                found[ref.id] = ref.status
    if not found and (flat.get("object") == "job" or str(flat.get("id")).startswith("job_")):
        ref = _ref({"id": flat.get("id"), "status": flat.get("status")})
        if ref is not None:
            found[ref.id] = ref.status
    return JobRefs([JobRef(*one) for one in found.items()], unreadable)


def _about_job(entry: Any) -> dict[str, Any]:
    return {key: entry.get(key) for key in ("job_id", "job", "status")} if isinstance(entry, dict) else {}


def _ref(entry: Any) -> JobRef | None:
    if not isinstance(entry, dict):
        identity = readable_id(entry)
        return JobRef(identity, None) if identity is not None else None
    status = _text(entry.get("status"))
    job = entry.get("job")
    if isinstance(job, dict):
        inner = _ref({key: item for key, item in job.items() if key != "job"})
        if inner is not None:
            return JobRef(inner.id, inner.status or status)
    for candidate in (entry.get("job_id"), job, entry.get("id")):
        identity = readable_id(candidate)
        if identity is not None:
            return JobRef(identity, status)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


# --- output -------------------------------------------------------------------------------------------------------


class OutputFile(NamedTuple):
    """An output file: its URL, its kind, and when the link ends where the vendor said so."""

    url: str
    kind: FileKind
    expires_at: pendulum.DateTime | None


OUTPUT = ("result", "output", "outputs", "results", "analysis")
_NAMES: dict[str, FileKind | None] = {
    "video_url": "video",
    "video": "video",
    "image_url": "image",
    "image": "image",
    "audio_url": "audio",
    "audio": "audio",
    **dict.fromkeys(("media_url", "url", "output_url", "result_url", "download_url", "file_url", "src")),
    **dict.fromkeys(("media", "output", "result", "file")),
}
# What goes in, or only shows what came out.
_NOT_OUTPUT = (
    "thumb",
    "poster",
    "preview",
    "cover",
    "source",
    "reference",
    "input",
    "request",
    "avatar",
    "brand",
    "frame",
    "original",
    "metadata",
)
_EXPIRY = ("expires_at", "url_expires_at", "media_url_expires_at")


def output(job: Mapping[str, Any]) -> Any:
    """Return what a job has as its output: the first of the likely fields that says something."""
    return next((job[name] for name in OUTPUT if job.get(name)), None)


def links(value: Any, kind: str) -> list[OutputFile]:
    """
    Find the output files in a value.

    Several URLs in one object under the names of :data:`_NAMES` are the same file at several addresses: the one that
    fits *kind* best is taken.

    :param value: a job's output, or a job.
    :param kind: ``video`` or ``image``: what was asked for.
    """
    found: dict[str, OutputFile] = {}
    for link in _walk(value, "result", kind, 0):
        found.setdefault(link.url, link)
    return list(found.values())


def _walk(value: Any, name: str, kind: str, depth: int) -> Iterator[OutputFile]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        if _is_file(value) and (_singular(name) in _NAMES or file_kind(value)):
            yield OutputFile(value, _kind(value, name, {}, kind), None)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, name, kind, depth + 1)
    elif isinstance(value, dict):
        yield from _object(value, kind, depth)


def _object(value: dict[str, Any], kind: str, depth: int) -> Iterator[OutputFile]:
    fields = {key: item for key, item in value.items() if not any(word in key.lower() for word in _NOT_OUTPUT)}
    files = {key: item for key, item in fields.items() if isinstance(item, str) and _is_file(item)}
    named = [key for key in (*_fitting(kind), *_NAMES) if key in files]
    chosen = named[:1] + [key for key in files if key not in _NAMES and file_kind(files[key])]
    expires = next((read_time(value[key]) for key in _EXPIRY if value.get(key)), None)
    for key in chosen:
        yield OutputFile(files[key], _kind(files[key], key, value, kind), expires)
    for key, item in fields.items():
        if isinstance(item, dict | list):
            yield from _walk(item, key, kind, depth + 1)


def _fitting(kind: str) -> list[str]:
    """Return the names that are of this kind, then those that may be of any."""
    return [key for key, one in _NAMES.items() if one == kind] + [key for key, one in _NAMES.items() if one is None]


def _singular(name: str) -> str:
    return name.lower().removesuffix("s")


def _is_file(text: str) -> bool:
    # A job may carry the address of its own endpoints.
    return is_link(text) and "/api/v" not in urlsplit(text).path


def _kind(url: str, name: str, around: Mapping[str, Any], kind: str) -> FileKind:
    told = next((around[key] for key in ("content_type", "mime_type", "media_type") if key in around), None)
    major = told.partition("/")[0].lower() if isinstance(told, str) else ""
    return (
        file_kind(url)
        or _MAJOR.get(major)
        or _NAMES.get(name.lower())
        or _NAMES.get(_singular(name))
        or ("image" if kind == "image" else "video")
    )


_MAJOR: dict[str, FileKind] = {"video": "video", "image": "image", "audio": "audio"}


# --- credits ------------------------------------------------------------------------------------------------------

_REMAINING = (
    "remaining",
    "remaining_credits",
    "credits_remaining",
    "total_remaining",
    "available_credits",
    "credits_available",
    "available",
    "balance",
)
_USED = ("used", "used_credits", "credits_used")
_LIMIT = ("limit", "credit_limit", "credits_limit", "monthly_limit", "monthly_credit_limit")
_CAPACITY = (
    "active_generation_capacity",
    "active_generation_limit",
    "active_generations_limit",
    "max_active_generations",
    "generation_capacity",
    "concurrency_limit",
    "capacity",
)
_CAPACITY_IN = (*_CAPACITY, "active_generations", "generations", "concurrency")
_WRAPPINGS = ("data", "credits", "account", "usage", "limits")


def balance(value: Mapping[str, Any]) -> CreditBalance:
    """Read ``GET /credits``; what is not found is None, never a guess. All that came is in ``details``."""
    return CreditBalance(
        details=other_fields(unwrapped(value, "credits"), "object"),
        remaining=_find(value, _REMAINING, _REMAINING, ("total", *_REMAINING)),
        used=_find(value, _USED, (), ()),
        limit=_find(value, _LIMIT, (), ()),
        in_flight_limit=_find(value, _CAPACITY, _CAPACITY_IN, ("limit", "max", "maximum", "total", *_CAPACITY)),
    )


def _find(
    value: Mapping[str, Any], names: tuple[str, ...], objects: tuple[str, ...], inside: tuple[str, ...], depth: int = 2
) -> int | None:
    """
    Return the first number under one of *names*.

    :param objects: objects in which further names count, because they are not ambiguous there.
    :param inside: those names.
    :param depth: how many levels of wrappings to look into.
    """
    for name in names:
        number = as_int(value.get(name))
        if number is not None:
            return number
    for name in objects:
        item = value.get(name)
        number = _find(item, inside, (), (), 0) if isinstance(item, dict) else None
        if number is not None:
            return number
    for name in _WRAPPINGS if depth else ():
        item = value.get(name)
        number = _find(item, names, objects, inside, depth - 1) if isinstance(item, dict) else None
        if number is not None:
            return number
    return None
