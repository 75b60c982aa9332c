# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Checking a request's fields, strictly: the first broken rule is answered with 400."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_adgen.sandbox.engine.answers import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def is_uuid(text: object) -> bool:
    """Return whether a text is a UUID written with its dashes."""
    if not isinstance(text, str) or len(text) != 36:
        return False
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object from a request's body."""
    try:
        data = json.loads(body)
    except (ValueError, UnicodeDecodeError):
        raise Invalid("", "The request body is not valid JSON") from None
    if not isinstance(data, dict):
        raise Invalid("", "The request body must be a JSON object")
    return data


def query_number(query: Mapping[str, str], name: str, default: int, minimum: int, maximum: int | None = None) -> int:
    """Read a whole number from the query string."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < minimum or (maximum is not None and int(text) > maximum):
        span = f"from {minimum} to {maximum}" if maximum is not None else f"of at least {minimum}"
        raise Invalid(name, f"must be a whole number {span}")
    return int(text)


def query_choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """Read a parameter that must be one of *choices*; None when it is absent."""
    text = query.get(name)
    if text is not None and text not in choices:
        raise Invalid(name, f"must be one of {', '.join(choices)}")
    return text


class Fields:
    """The fields of a JSON body, read one by one. Every reader raises :class:`Invalid` at the first broken rule.

    A field that is null counts as absent.

    :param data: the body.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.known: set[str] = set()

    def _value(self, name: str, required: bool) -> Any:
        self.known.add(name)
        value = self.data.get(name)
        if value is None and required:
            raise Invalid(name, "is required")
        return value

    def text(
        self,
        name: str,
        *,
        required: bool = False,
        shortest: int = 1,
        longest: int | None = None,
        choices: Collection[str] | None = None,
    ) -> str | None:
        """Read a string; lengths are in characters."""
        value = self._value(name, required)
        if value is None:
            return None
        if not isinstance(value, str):
            raise Invalid(name, "must be a string")
        if choices is not None and value not in choices:
            raise Invalid(name, f"must be one of {', '.join(choices)}")
        if not value.strip():
            raise Invalid(name, "must not be empty")
        if len(value) < shortest:
            raise Invalid(name, f"must have at least {shortest} characters")
        if longest is not None and len(value) > longest:
            raise Invalid(name, f"must have at most {longest} characters")
        return value

    def needed(self, name: str, **rules: Any) -> str:
        """Read a string that must be there."""
        return self.text(name, required=True, **rules) or ""

    def number(
        self,
        name: str,
        *,
        required: bool = False,
        above: float | None = None,
        least: float | None = None,
        most: float | None = None,
        whole: bool = False,
    ) -> float | None:
        """Read a number; a number written as a string is refused."""
        value = self._value(name, required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid(name, "must be a number")
        if whole and value != int(value):
            raise Invalid(name, "must be a whole number")
        if above is not None and value <= above:
            raise Invalid(name, f"must be greater than {above:g}")
        if least is not None and value < least:
            raise Invalid(name, f"must be at least {least:g}")
        if most is not None and value > most:
            raise Invalid(name, f"must be at most {most:g}")
        return value

    def flag(self, name: str) -> bool | None:
        """Read a boolean."""
        value = self._value(name, False)
        if value is not None and not isinstance(value, bool):
            raise Invalid(name, "must be true or false")
        return value

    def identifier(self, name: str, *, required: bool = False) -> str | None:
        """Read a UUID."""
        value = self.text(name, required=required)
        if value is not None and not is_uuid(value):
            raise Invalid(name, "must be a UUID")
        return value

    def address(self, name: str, *, required: bool = False, https: bool = False) -> str | None:
        """Read a URL."""
        value = self.text(name, required=required)
        if value is not None:
            check_address(name, value, https=https)
        return value

    def texts(
        self,
        name: str,
        *,
        required: bool = False,
        least: int = 0,
        most: int | None = None,
        addresses: bool = False,
        https: bool = False,
    ) -> list[str] | None:
        """Read a list of strings, or of URLs."""
        value = self._value(name, required)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise Invalid(name, "must be a list of strings")
        if len(value) < least or (most is not None and len(value) > most):
            raise Invalid(name, f"must have from {least} to {most} items")
        if addresses:
            for item in value:
                check_address(name, item, https=https)
        return value

    def mapping(self, name: str) -> dict[str, Any] | None:
        """Read an object."""
        value = self._value(name, False)
        if value is not None and not isinstance(value, dict):
            raise Invalid(name, "must be an object")
        return value

    def refuse_unknown(self) -> None:
        """Refuse the fields that nobody read (the ``strict_fields`` setting)."""
        for name in self.data:
            if name not in self.known:
                raise Invalid(name, "is not a known field")


def check_address(name: str, value: str, *, https: bool = False) -> None:
    """Refuse what is not an http(s) URL. With ``https`` only a loopback address may be plain http."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(name, "must be an http or https URL")
    if https and parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Invalid(name, "must be an https URL")
