# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
JSON as it comes from a vendor, made safe, and JSON as it goes to one, checked.

Whatever :func:`loads` returns can be stored and passed on: as strict JSON in UTF-8, in msgpack, in a column of
PostgreSQL's type ``jsonb``, in an XCom and in a trigger's event.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_adgen.core.errors import InvalidRequest

DEEPEST = 64
"""Levels of nesting that are read; Airflow, pydantic and msgpack all have a limit of their own above it."""

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
# Python has codecs under these names that are no charsets of the web; some take very long for a long text.
_NOT_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
# What a text needs before anything in it can be unsafe: an escaped surrogate, NUL or underscore, NUL itself, or a key
# that may be one of those by which Airflow tells its own objects from plain dictionaries.
_SUSPECT = re.compile(r'\\u(?:d[89a-f]|00(?:00|5f))|[\x00\ud800-\udfff]|"__', re.IGNORECASE)
_RESERVED = frozenset({"__classname__", "__version__", "__data__", "__source__", "__id__", "__type", "__var"})
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


def charset_of(content_type: str) -> str | None:
    """Return the codec of the charset that a ``Content-Type`` names, None where it names none that is known."""
    found = _CHARSET.search(content_type)
    if found is None:
        return None
    try:
        codec = codecs.lookup(found[1])
        "".encode(codec.name)  # a LookupError for what turns bytes into bytes
    except (LookupError, ValueError):
        return None
    return None if codec.name.replace("_", "-") in _NOT_CHARSETS else codec.name


def codec_of(content: bytes, content_type: str = "") -> str:
    """Return how JSON is encoded: by its byte order mark, its first bytes, or the charset that is named."""
    found = json.detect_encoding(content)
    named = charset_of(content_type)
    # The first characters of JSON are ASCII, so UTF-16 and UTF-32 are told by their bytes alone.
    return found if found != "utf-8" or named is None or named.startswith(("utf-16", "utf-32")) else named


def decoded(content: bytes, content_type: str = "") -> str:
    """
    Return *content* as text.

    What cannot be decoded is replaced: an id must not be lost to a broken byte elsewhere.
    """
    named = codec_of(content, content_type)
    for codec in (named, "utf-8"):
        try:
            return clean_text(content.decode(codec))
        except UnicodeError:  # it is something else than it says, or broken
            continue
    return clean_text(content.decode(named, "replace"))


def in_utf8(headers: Mapping[str, str], content: bytes) -> tuple[Mapping[str, str], bytes]:
    """Return an answer in UTF-8, in which alone a key that is echoed can be found."""
    told = headers.get("content-type", "")
    if codec_of(content, told) in {"utf-8", "utf-8-sig"}:
        return headers, content
    return {**headers, "content-type": told.partition(";")[0]}, decoded(content, told).encode()


def clean_text(text: str) -> str:
    """Return *text* without lone surrogates and NUL characters, which UTF-8 and PostgreSQL cannot hold."""
    return _UNSAFE.sub("\ufffd", text)


def loads(content: bytes | str, content_type: str = "") -> Any:
    """
    Read JSON that somebody else wrote, and make it safe.

    NaN and Infinity become None, a whole number beyond 64 bits becomes text, lone surrogates and NUL become U+FFFD, and
    a key that Airflow reserves loses its leading underscores.

    :param content: the JSON.
    :param content_type: the ``Content-Type`` header, which may name a charset.
    :raises ValueError: it is not JSON, or too deeply nested.
    """
    text = content if isinstance(content, str) else decoded(content, content_type)
    try:
        value = _DECODER.decode(text.removeprefix("\ufeff"))
        if _SUSPECT.search(text) or text.count("[") + text.count("{") > DEEPEST:
            return _clean(value, DEEPEST)
    except RecursionError:
        raise ValueError("too deeply nested") from None
    return value


def _clean(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if not isinstance(value, dict | list):
        return value
    if not levels:
        raise ValueError("too deeply nested")
    if isinstance(value, list):
        return [_clean(item, levels - 1) for item in value]
    return {_key(clean_text(key)): _clean(item, levels - 1) for key, item in value.items()}


def _key(key: str) -> str:
    return key.lstrip("_") if key in _RESERVED else key


def _whole(digits: str) -> int | str:
    # Python refuses to read very long ones at all.
    number = int(digits) if len(digits) <= 20 else None
    return number if number is not None and -(2**63) <= number < 2**64 else digits


def _real(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


# Not strict: a control character within a string is no reason to lose the answer.
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole, parse_float=_real, parse_constant=lambda _name: None)


def dumps(value: Any, what: str) -> bytes:
    """
    Return *value* as the bytes of a request's JSON body.

    :param value: what to send.
    :param what: the request, for the message.
    :raises InvalidRequest: a part of it has no form in JSON; the message names it.
    """
    try:
        return _encoded(value)
    except (TypeError, ValueError, RecursionError):
        name, why = _culprit(value, "", DEEPEST) or ("", "cannot be written as JSON")
    # Outside of the handler: the first error holds the whole body.
    raise InvalidRequest(
        f"{what}: {name[:120] or 'the body'} {why}.", advice="Nothing was sent and nothing was charged."
    )


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _culprit(value: Any, name: str, levels: int) -> tuple[str, str] | None:
    """Return the dotted name of the first part that cannot be encoded, and why not."""
    if isinstance(value, dict | list | tuple):
        if not levels:
            return name, "is too deeply nested"
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if not isinstance(key, str | int | float | None):
                return name, f"has a key that is a {type(key).__name__}; JSON's keys are text"
            part = clean_text(str(key))
            found = _culprit(item, f"{name}.{part}" if name else part, levels - 1)
            if found is not None:
                return found
            if part != str(key):
                return f"{name}.{part}" if name else part, "has a name that is not valid Unicode"
        return None
    try:
        _encoded(value)
    except UnicodeError:
        return name, "is not valid Unicode (half of a surrogate pair)"
    except TypeError:
        return name, f"is a {type(value).__name__}, which JSON does not have"
    except ValueError:
        return name, "is a number that JSON does not have (NaN, Infinity, or too many digits)"
    return None
