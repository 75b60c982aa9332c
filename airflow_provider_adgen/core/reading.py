# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads what vendors answer, tolerantly: a field that nobody needs and that came as something else is None, no error.

After a paid request nothing but the job's id may be missing. Nothing here raises but what is said to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeGuard
from urllib.parse import urlsplit

from pydantic import BeforeValidator, model_validator

from airflow_provider_adgen.core.scrub import holds_url
from airflow_provider_adgen.core.vocabulary import Model

FileKind = Literal["image", "video", "audio", "archive"]

_LONGEST_ID = 200
_TOO_LARGE = 2.0**63  # what is stored as a whole number has 64 bits
# An answer that has one of these is about a thing itself: its ``data`` is a part of that, not a wrapping.
_OWN = frozenset({"id", "status", "job_id", "jobId", "generation_id"})


def is_word(value: Any) -> bool:
    """Whether a value is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def as_text(value: Any) -> str | None:
    """Return a text, or a number as text; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:  # more digits than Python writes
            return None
    return value if isinstance(value, str) else None


def as_int(value: Any) -> int | None:
    """Return a number, also from a text, as a whole one, rounded down: a part of a credit buys nothing."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _TOO_LARGE:
        return None
    return math.floor(value)


def as_number(value: Any) -> float | None:
    """Return a finite number, also from a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def readable_id(value: Any) -> str | None:
    """Return an id that can go into a path and into a list joined by commas; None for anything else."""
    text = (as_text(value) or "").strip() if not isinstance(value, float) else ""
    # Of all white space only the common blank is printable.
    # U+FFFD stands for what could not be decoded: the id is another one.
    plain = text.isprintable() and not any(mark in text for mark in (" ", ",", "\ufffd"))
    return text if text not in {"", ".", ".."} and plain and len(text) <= _LONGEST_ID else None


def unwrapped(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """
    Return an object with the fields of the one it wraps, which count more.

    :param value: an answer.
    :param names: what the wrapping may be called; besides, ``data`` where the answer says nothing of its own.
    """
    flat = dict(value)
    for name in ("data", *names):
        inner = flat.get(name)
        if isinstance(inner, dict) and (name != "data" or not _OWN & set(flat)):
            flat = {**{key: item for key, item in flat.items() if key != name}, **inner}
    return flat


# --- links --------------------------------------------------------------------------------------------------------

_SUFFIXES: dict[str, FileKind] = {
    **dict.fromkeys(("mp4", "mov", "webm", "m4v", "mkv"), "video"),
    **dict.fromkeys(("png", "jpg", "jpeg", "webp", "gif", "avif"), "image"),
    **dict.fromkeys(("mp3", "wav", "m4a", "aac", "ogg"), "audio"),
    "zip": "archive",
}


def is_link(value: Any) -> TypeGuard[str]:
    """Whether it is an http(s) URL with a host."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


_URL_FIELDS = ("url", "result_url", "audio_url", "video_url", "image_url", "media_url", "download_url", "src", "href")


def as_link(value: Any) -> str | None:
    """Return a link: a text, or what an object has as its URL; None for anything else."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in _URL_FIELDS if isinstance(value.get(name), str) and value[name]), None)
    return value if isinstance(value, str) and value else None


def as_links(value: Any) -> list[str]:
    """Return the links of a list, or the one link that *value* is."""
    found = map(as_link, value if isinstance(value, list) else [value])
    return [link for link in found if link is not None]


def file_kind(url: str) -> FileKind | None:
    """Return what a link leads to, by the ending of its path; None where that does not tell."""
    try:
        return _SUFFIXES.get(urlsplit(url).path.lower().rpartition(".")[2])
    except ValueError:
        return None


# --- fields of models ---------------------------------------------------------------------------------------------


def _needed(value: Any) -> Any:
    text = as_text(value)
    if text is None or not text.strip():
        raise ValueError("is not an id")
    return text.strip()


def _job_id(value: Any) -> Any:
    text = readable_id(value)
    if text is None:
        raise ValueError("is not an id")
    return text


def _dictionaries(value: Any) -> list[Any]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def _mapping(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


RequiredId = Annotated[str, BeforeValidator(_needed)]
"""An id, as text; an answer without it cannot be used."""

JobId = Annotated[str, BeforeValidator(_job_id)]
"""A job's id: it can be told from others in a list joined by commas."""

OptionalText = Annotated[str | None, BeforeValidator(as_text)]
OptionalInt = Annotated[int | None, BeforeValidator(as_int)]
OptionalNumber = Annotated[float | None, BeforeValidator(as_number)]
OptionalLink = Annotated[str | None, BeforeValidator(as_link)]
Flag = Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)]
Fields = Annotated[dict[str, Any], BeforeValidator(_mapping)]
Objects = BeforeValidator(_dictionaries)
"""Keeps the objects of a list, or the one object in its place; anything else is an empty list."""


class Answered(Model):
    """Base of what a vendor answers: what holds a URL does not show in a repr, under whatever name it came."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        # A null under one of two names must not hide the other.
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave out what holds a URL."""
        return [(name, value) for name, value in super().__repr_args__() if not holds_url(value)]


def other_fields(said: Mapping[str, Any] | Model, *placed: str) -> dict[str, Any]:
    """
    Return what a vendor said beside the fields that have a place of their own: a generation's ``details``.

    :param said: an answer, or what was read of it.
    :param placed: the names that have a place, and those that hold nothing but links.
    """
    fields = said.model_extra or {} if isinstance(said, Model) else said
    return {key: item for key, item in fields.items() if key not in placed and item is not None}
