# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The log of every request that the sandbox received."""

from __future__ import annotations

import base64
import itertools
from collections import deque
from dataclasses import dataclass, fields
from typing import Any

# How much is kept: enough for a long test, limited so that memory does not grow without end.
KEPT_REQUESTS = 50_000
KEPT_BODY_BYTES = 65_536
# Only the beginning of an upload's body is kept: the whole is in the store already.
KEPT_UPLOAD_BYTES = 1_024


@dataclass(slots=True)
class Entry:
    """One request. ``status`` is None while it has no answer, or was dropped without one.

    ``late`` is how many real seconds the settings ``slow_...`` kept its answer back.
    """

    seq: int
    time: float
    vendor: str
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    body_size: int = 0
    account: str | None = None
    status: int | None = None
    fault: str | None = None
    late: float = 0.0

    def keep_body(self, body: bytes, most: int = KEPT_BODY_BYTES) -> None:
        """Keep the body, or its beginning."""
        self.body, self.body_size = body[:most], len(body)

    def plain(self, known_keys: set[str]) -> dict[str, Any]:
        """Return the entry as JSON data. A credential that is not one of the sandbox's own keys is hidden."""
        headers: dict[str, str] = {}
        for name, value in self.headers:
            if name in ("authorization", "x-api-key", "cookie") and not any(key in value for key in known_keys):
                value = "(hidden)"
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        try:
            body = self.body.decode()
        except UnicodeDecodeError:
            body = "base64:" + base64.b64encode(self.body).decode()
        return {**{name: getattr(self, name) for name in NAMES}, "headers": headers, "body": body}


NAMES = tuple(field.name for field in fields(Entry))


class RequestLog:
    """Requests, oldest first, bounded."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_REQUESTS)
        self._numbers = itertools.count(1)

    def open(
        self, moment: float, vendor: str, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]
    ) -> Entry:
        """Begin an entry."""
        plain = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
        entry = Entry(next(self._numbers), moment, vendor, method, path, query, plain)
        self._entries.append(entry)
        return entry

    def since(self, number: int) -> list[Entry]:
        """List what is kept of the requests after one, by its ``seq``."""
        known = number + 1 - self._entries[0].seq if self._entries else 0
        return list(itertools.islice(self._entries, max(0, known), None))

    def clear(self) -> None:
        """Delete everything."""
        self._entries.clear()
