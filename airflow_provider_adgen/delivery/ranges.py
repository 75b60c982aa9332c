# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Headers about the length of a body, and about resuming a broken download."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d+)-(\d+)/(\d+)\s*", re.IGNORECASE)
_DECODED = frozenset({"gzip", "x-gzip", "deflate"})


def encoding(headers: Mapping[str, str]) -> str:
    """Return the body's content encoding; empty where it has none."""
    told = headers.get("content-encoding", "").strip().lower()
    return "" if told == "identity" else told


def decodable(name: str) -> bool:
    """Whether httpx can decode this encoding without further packages."""
    return name in _DECODED


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the size of the body in bytes; None where there is no such header, or where the body is encoded."""
    text = headers.get("content-length", "").strip()
    return int(text) if text.isascii() and text.isdigit() and not encoding(headers) else None


@dataclass(frozen=True)
class Version:
    """
    The version of a file that an answer holds. A resumed download must not mix two versions.

    :param validator: a strong ``ETag`` or a ``Last-Modified``; None where the host cannot resume.
    :param total: bytes of the whole file, where told.
    """

    validator: str | None = None
    total: int | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Version:
        """Read the headers of an answer that holds the whole file."""
        total = content_length(headers)
        if encoding(headers) or headers.get("accept-ranges", "").strip().lower() == "none":
            return cls(None, total)
        return cls(_strong_tag(headers) or headers.get("last-modified") or None, total)

    def request(self, offset: int) -> dict[str, str]:
        """Return the headers that ask for the bytes from *offset* on, if the file is still the same version."""
        if offset == 0 or self.validator is None or not self.validator.isascii():
            return {}
        return {"Range": f"bytes={offset}-", "If-Range": self.validator}

    def continues(self, headers: Mapping[str, str], offset: int) -> tuple[int, int] | None:
        """
        Return where a partial answer ends and the size of the whole file; None where it does not continue at *offset*.

        :param headers: the headers of a 206.
        :param offset: bytes that were already received.
        """
        told = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if told is None or encoding(headers):
            return None
        start, end, total = int(told[1]), int(told[2]) + 1, int(told[3])
        if start != offset or not offset < end <= total or (self.total is not None and self.total != total):
            return None
        tag = _strong_tag(headers)
        if tag is not None and self.validator is not None and self.validator.startswith('"') and tag != self.validator:
            return None
        return end, total


def _strong_tag(headers: Mapping[str, str]) -> str | None:
    tag = headers.get("etag", "").strip()
    return tag if len(tag) > 2 and tag[0] == tag[-1] == '"' else None
