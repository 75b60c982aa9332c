# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Take keys and signed URLs out of text that comes from outside before it reaches a log, an exception or XCom."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

# Texts quote each other: a link arrives percent-encoded, once or twice, and with the escapes of JSON.
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]{1,20})(?::|%(?:25)*3A|\\u003a)(?:\\?/|%(?:25)*2F|\\u002f){2}(?P<rest>[^\s\"<>]+)",
    re.IGNORECASE,
)
_HOST_ENDS = re.compile(r"[/?#\\]|%(?:25)*(?:2F|3F|23)", re.IGNORECASE)
_USER_ENDS = re.compile(r"@|%(?:25)*40", re.IGNORECASE)
# Brackets and quotes may be part of a file's name; at the end of a link they rather belong to the text around it.
_AFTER = ")]}'.,;:!"
# A link that is torn (by a space in its file's name, by escapes) shows its signature all the same.
_SIGNATURE = re.compile(
    r"(?P<name>(?:(?<![a-z0-9])|(?<=3F)|(?<=26)|(?<=u003f))"
    r"(?:signature|credential|security-token|sig|token)(?:=|%(?:25)*3D|\\u003d))[^\s\"'<>\\&]+",
    re.IGNORECASE,
)
# The three parts of a JWT; each vendor adds the form of its own keys.
_KEY_SHAPES = {r"eyJ[\w\-]{5,}\.[\w\-]+\.[\w\-]+": None}
_BEARER = re.compile(r"\b(bearer)\s+[\w\-.~+/=]+", re.IGNORECASE)
_LONGEST = 500


def register_key_shapes(*shapes: str) -> None:
    """
    Take keys of these forms out of every text from now on.

    :param shapes: regular expressions, each for a whole key.
    """
    global _key
    _KEY_SHAPES.update(dict.fromkeys(shapes))
    _key = _any_key()


def _any_key() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(_KEY_SHAPES)})")


_key = _any_key()


def _forms(secret: str) -> re.Pattern[str]:
    """Match *secret* as it is, in any case, broken over lines, percent-encoded and in base64."""
    raw = secret.encode()
    coded = (quote(secret, safe=""), quote_plus(secret), base64.b64encode(raw), base64.urlsafe_b64encode(raw))
    texts = {secret, *(one if isinstance(one, str) else one.decode().rstrip("=") for one in coded)}
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(r"\s*".join(map(re.escape, text)) for text in longest_first), re.IGNORECASE)


def _short_url(match: re.Match[str]) -> str:
    rest = match["rest"]
    host = _USER_ENDS.split(_HOST_ENDS.split(rest, maxsplit=1)[0])[-1]
    return f"{match['scheme']}://{host.rstrip(_AFTER)}/…{rest[len(rest.rstrip(_AFTER)) :]}"


def scrub(text: str, *secrets: str, longest: int = _LONGEST) -> str:
    """
    Return *text* without keys, and with each URL cut to its host.

    :param text: anything a vendor or a library said.
    :param secrets: exact values to take out as well (the connection's own key).
    :param longest: characters to keep.
    """
    for secret in secrets:
        if secret and len(secret) >= 4:
            text = _forms(secret).sub("***", text)
    text = _key.sub("***", text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _URL.sub(_short_url, text)
    text = _SIGNATURE.sub(r"\g<name>***", text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def reason(error: Exception) -> str:
    """Return what a storage library's error says, scrubbed, in one line."""
    said = scrub(" ".join(str(error).split()), longest=300).rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _is_link(text: str) -> bool:
    return "://" in text or text.startswith("//") or bool(_URL.search(text) or _SIGNATURE.search(text))


def holds_url(value: Any) -> bool:
    """Whether a JSON value holds a URL anywhere, or what is left of a signed one."""
    if isinstance(value, str):
        return _is_link(value)
    if isinstance(value, dict):
        return any(holds_url(item) for item in value.values()) or any(holds_url(key) for key in value)
    if isinstance(value, list | tuple):
        return any(holds_url(item) for item in value)
    return False


def without_urls(value: Any) -> Any:
    """Return a JSON value without the strings that hold a URL; containers are kept, their URLs dropped."""
    if isinstance(value, dict):
        return {
            key: without_urls(item)
            for key, item in value.items()
            if not (isinstance(item, str) and _is_link(item)) and not (isinstance(key, str) and _is_link(key))
        }
    if isinstance(value, list | tuple):
        return [without_urls(item) for item in value if not (isinstance(item, str) and _is_link(item))]
    return value


# Headers that prove who asks; an idempotency key does not, and is rightly told back.
_CREDENTIAL = re.compile(r"auth|token|secret|api-?key|cookie", re.IGNORECASE)
# Shorter, it may be a part of what is really said (and no vendor has such keys).
_SHORTEST_CREDENTIAL = 12


@lru_cache(maxsize=256)
def _is_credential(name: str) -> bool:
    return _CREDENTIAL.search(name) is not None


def without_credential(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Take the key that *headers* carry out of an answer that echoes it: it goes to logs, records and XCom."""
    for name, value in headers.items():
        if not _is_credential(name):
            continue
        key = value.rpartition(" ")[2]
        if len(key) >= _SHORTEST_CREDENTIAL:
            content = content.replace(key.encode(), b"***")
    return content


class Secret:
    """A string that does not show itself: no repr, no str, no pickle, no JSON."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; call it only where the value goes on the wire."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a key is not serialised")
