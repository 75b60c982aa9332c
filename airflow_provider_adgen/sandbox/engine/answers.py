# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a handler returns: an answer, or a refusal that the vendor puts into its own envelope."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_adgen.sandbox.media.artwork import Artwork


@dataclass(slots=True)
class Answer:
    """An HTTP answer: JSON ``data``, or raw ``body``, or a ``stream`` of pieces.

    ``artwork`` is a file to be created outside the event loop and sent as the body.
    ``not_before`` is the time before which it is not sent, for a slow synchronous endpoint.
    """

    status: int = 200
    data: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None
    not_before: float | None = None
    artwork: Artwork | None = None

    def payload(self) -> bytes:
        """Return the body's bytes (none for a 204)."""
        if self.body is not None:
            return self.body
        if self.data is None and self.status == 204:
            return b""
        return json.dumps(self.data, separators=(",", ":")).encode()


class Refusal(Exception):
    """The request is refused; the vendor's envelope is put around it.

    :param status: HTTP status.
    :param message: for a person.
    :param code: the vendor's machine-readable code; its default for the status when None.
    :param headers: headers to answer with, ``Retry-After`` for one.
    """

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}


class Invalid(Refusal):
    """A field of the request breaks a documented rule."""

    def __init__(self, field_name: str, problem: str) -> None:
        super().__init__(400, f"{field_name}: {problem}" if field_name else problem)
        self.field = field_name


class Insufficient(Refusal):
    """There are too few credits; nothing was started and nothing charged."""

    def __init__(self, required: int, available: int) -> None:
        super().__init__(402, f"Insufficient credits. Required: {required}, available: {available}")
        self.required = required
        self.available = available
