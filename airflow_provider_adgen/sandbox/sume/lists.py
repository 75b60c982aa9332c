# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's list envelope and its cursors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid
from airflow_provider_adgen.sandbox.engine.checks import query_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.sandbox.engine.call import Call

# Default and maximum of ``limit`` are not documented: the sandbox's own choice.
DEFAULT_LIMIT, LARGEST_LIMIT = 20, 100


def limit_of(call: Call) -> int:
    """Read ``limit``."""
    return query_number(call.query, "limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)


def cursor_of(call: Call) -> int | None:
    """Read ``cursor``: a number that this server wrote, opaque to the client."""
    text = call.query.get("cursor")
    if text is None:
        return None
    try:
        return int(base64.urlsafe_b64decode(text.encode()).decode().removeprefix("after "))
    except ValueError:
        raise Invalid("cursor", "is not a cursor of this list") from None


def listed(items: list[dict[str, Any]], next_number: int | None) -> Answer:
    """Answer one page; ``next_number`` is what the next cursor holds, None on the last page."""
    cursor = None if next_number is None else base64.urlsafe_b64encode(f"after {next_number}".encode()).decode()
    return Answer(200, {"object": "list", "data": items, "has_more": cursor is not None, "next_cursor": cursor})


def page(call: Call, items: Sequence[dict[str, Any]]) -> Answer:
    """Answer one page of a complete list."""
    first, limit = cursor_of(call) or 0, limit_of(call)
    after = first + limit
    return listed(list(items[first:after]), after if after < len(items) else None)
