# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Finds what we need in answers whose names and nesting CinematicAds does not document.

A name is compared without case, ``_`` and ``-``. Nothing here raises, whatever JSON it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_adgen.core import reading
from airflow_provider_adgen.core.reading import as_link, as_number, is_link

_DEEPEST = 4

# Parts of an answer that tell of something else than the thing itself.
_ELSEWHERE = ("parent", "source", "original", "template", "previous", "reference", "remix")

_JOB_NAMES = ("jobid", "workflowid", "workflowjobid", "runid")
_JOBS = ("job", "jobs", "workflow", "workflows")
_ID_NAMES = ("id", "uuid", "externalid", "requestid", "projectid")

_VIDEO = ("videourl", "videourls", "videos", "video", "finalvideourl", "finalvideo", "mp4")
_IMAGE = ("imageurl", "imageurls", "images", "image", "finalimageurl", "finalimage")
_EITHER = ("formats", "resulturl", "outputurl", "downloadurl", "mediaurl", "outputs", "results", "urls", "creatives")
_NESTED = ("data", "result", "output", "outputs", "results")
_LINK = ("url", "videourl", "imageurl", "downloadurl", "mediaurl", "src", "href")
_MEDIA = (".mp4", ".mov", ".m4v", ".webm", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".zip")
_FORMAT = re.compile(r"^(\d{1,2})[:x_\-/](\d{1,2})$")
_SHAPE_WORDS = frozenset({"vertical", "square", "horizontal", "landscape", "portrait"})
# Query parameters that sign a link: they differ each time the same file is linked to.
_SIGNING = re.compile(
    r"^(x-.*|.*(signature|expires|token|credential|accesskeyid|accessid).*|sig|exp|policy|hmac|key-pair-id|s[etvpr]|st|spr)$",
    re.IGNORECASE,
)


def plain(value: Any) -> dict[str, Any]:
    """
    Return an object's fields by their plain names; nothing for what is not an object.

    Of several that have one plain name, the first that says something counts.
    """
    fields: dict[str, Any] = {}
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key).lower().replace("_", "").replace("-", "")
            if item is not None and fields.get(name) in (None, "", [], {}):
                fields[name] = item
    return fields


def payload(value: Any) -> dict[str, Any]:
    """Return what an answer is about: the fields of ``data`` and those beside it, without the envelope's own."""
    if not isinstance(value, dict):
        return {}
    fields = {key: item for key, item in value.items() if key not in {"success", "error", "data"}}
    data = value.get("data")
    if isinstance(data, dict):
        return {**fields, **data}
    return fields if data is None else {**fields, "data": data}


def first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the value under the first of some plain names; None where none is there."""
    return next((fields[name] for name in names if name in fields), None)


def as_text(value: Any) -> str | None:
    """Return a string that says something, or a whole number as a string."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def as_int(value: Any) -> int | None:
    """Return a whole number; None for anything else, parts of a credit included."""
    found = as_number(value)
    return reading.as_int(found) if found is not None and found.is_integer() else None


def told_error(value: Any) -> str:
    """Return what an answer gives as its error: documented as a bare string, read as an object as well."""
    fields = {**plain(payload(value)), **plain(value)}
    said = first(fields, ("error", "reason", "errormessage"))
    if isinstance(said, dict):
        said = first(plain(said), ("message", "error", "detail", "code"))
    if not isinstance(said, str) or not said.strip():
        said = fields.get("message")
    return said.strip() if isinstance(said, str) else ""


# --- jobs ---------------------------------------------------------------------------------------------------------


def job_id(value: Any) -> str | None:
    """Return the id of the job that an answer or a project is about, under any of the names it may have."""
    return named_job(value) or as_text(first(plain(payload(value)), _ID_NAMES))


def named_job(value: Any) -> str | None:
    """Return the id that is named after jobs, if there is one."""
    return next(iter(_named(payload(value), 0)), None)


def is_about(value: Any, job: str) -> bool:
    """Whether an object is about *job*: by its own job id, or else by the ids of its jobs, or its own id."""
    fields = plain(payload(value))
    own = [as_text(fields[name]) for name in _JOB_NAMES if name in fields]
    if any(own):
        return job in own
    return job in _named(fields, 0) or any(as_text(fields.get(name)) == job for name in _ID_NAMES)


def _named(value: Any, depth: int) -> list[str]:
    """Return the ids named after jobs, at the outermost level that has any."""
    fields = plain(value)
    found = [as_text(fields.get(name)) for name in _JOB_NAMES]
    found += [as_text(plain(one).get("id")) for name in _JOBS for one in _objects(fields.get(name))]
    here = [one for one in found if one is not None]
    if here or depth >= _DEEPEST:
        return here
    inner = [one for name, item in fields.items() if not name.startswith(_ELSEWHERE) for one in _objects(item)]
    return [one for each in inner for one in _named(each, depth + 1)]


def _objects(value: Any) -> list[Any]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


# --- links --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OutputFile:
    """
    A link to a finished file.

    :param url: where it is; kept out of reprs.
    :param format: its aspect ratio, where that is told.
    :param expires: when it stops working, as the vendor says it.
    """

    url: str = field(repr=False)
    format: str | None = None
    expires: Any = None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is the same whenever the same file is linked to."""
        parts = urlsplit(self.url)
        query = [pair for pair in parse_qsl(parts.query) if not _SIGNING.match(pair[0])]
        return (parts.netloc.lower(), parts.path, *sorted(query))


def links(value: Any, kind: str | None, *, own_url: bool = False) -> list[OutputFile]:
    """
    Return the links to finished files in an answer, each file once.

    :param value: an event's data, or a project.
    :param kind: ``video`` never takes images (they may be key frames); ``image`` takes videos only without images.
    :param own_url: a bare ``url`` is the file, too; elsewhere that may be the source that the user gave.
    """
    found = _united(_under(value, (*_VIDEO, *_EITHER) if kind != "image" else (*_IMAGE, *_EITHER), 0))
    if kind == "image" and not found:
        found = _united(_under(value, _VIDEO, 0))
    if kind not in {"video", "image"}:
        found += _united(_under(value, _IMAGE, 0))
    if not found:
        url = as_link(plain(payload(value)).get("url"))
        if is_link(url) and (own_url or urlsplit(url).path.lower().endswith(_MEDIA)):
            found = [OutputFile(url)]
    return distinct(found)


def _united(groups: Iterable[list[OutputFile]]) -> list[OutputFile]:
    """Join what several fields link to; one link beside a list of links is one of them, however it is signed."""
    ordered = sorted(groups, key=len, reverse=True)
    found = list(ordered[0]) if ordered else []
    listed = {link.identity[:2] for link in found}
    for group in ordered[1:]:
        shorter = len(group) < len(ordered[0])
        found += [link for link in group if not (shorter and link.identity[:2] in listed)]
    return found


def distinct(found: Iterable[OutputFile]) -> list[OutputFile]:
    """Return each file's link once, at its first place; the latest link of a file is the freshest."""
    kept: dict[tuple[Any, ...], OutputFile] = {}
    for link in found:
        before = kept.get(link.identity)
        kept[link.identity] = (
            link if before is None else OutputFile(link.url, link.format or before.format, link.expires)
        )
    return list(kept.values())


def _under(value: Any, names: tuple[str, ...], depth: int) -> Iterator[list[OutputFile]]:
    fields = plain(value)
    for name in names:
        if name in fields:
            yield list(_gather(fields[name], None, 0))
    if depth < _DEEPEST:
        for name in _NESTED:
            if isinstance(fields.get(name), dict):
                yield from _under(fields[name], names, depth + 1)


def _gather(value: Any, shape: str | None, depth: int) -> Iterator[OutputFile]:
    if is_link(value):
        yield OutputFile(value, shape)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _gather(item, shape, depth + 1)
    elif isinstance(value, dict) and depth < _DEEPEST:
        fields = plain(value)
        told = as_text(first(fields, ("format", "aspectratio", "ratio")))
        url = next((fields[name] for name in _LINK if is_link(fields.get(name))), None)
        if url is not None:
            expires = first(fields, ("expiresat", "expiry", "urlexpiresat"))
            yield OutputFile(url, _ratio(told) or told or shape, expires)
            return
        for key, item in value.items():
            named = _ratio(str(key))
            if named is not None or str(key).lower() in _SHAPE_WORDS:
                yield from _gather(item, named or str(key).lower(), depth + 1)


def count_formats(value: Any) -> int | None:
    """Return how many aspect ratios are named, by a list, a map or a string with commas."""
    named = value.split(",") if isinstance(value, str) else value
    if not isinstance(named, list | dict):
        return None
    return len({_ratio(as_text(one)) for one in named} - {None}) or None


def _ratio(text: str | None) -> str | None:
    found = _FORMAT.match(text.strip()) if text else None
    return f"{found[1]}:{found[2]}" if found else None
