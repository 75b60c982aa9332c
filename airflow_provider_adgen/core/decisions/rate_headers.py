# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the headers of an answer say about when to come back; the one place that reads them."""

from __future__ import annotations

import contextlib
import email.utils
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_WINDOW = 86400.0
# From here on a number is no length but a moment: in seconds since 1970, or in milliseconds.
_MOMENT, _MOMENT_MS = 1e9, 1e11


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """
    Return the seconds that an answer asks to wait, or None where it does not say.

    Reads ``Retry-After``, then ``X-RateLimit-Reset`` and ``RateLimit-Reset``. Each may be a number of seconds, a moment
    in Unix seconds or milliseconds, an HTTP date or an ISO date: vendors do not document which. A moment that is past
    is 0. What is negative, or more than a day away, was misread and counts as not said.

    :param headers: the answer's headers, names in lower case.
    :param now: Unix time.
    """
    for name in ("retry-after", "x-ratelimit-reset", "ratelimit-reset"):
        if name not in headers:
            continue
        text = headers[name].strip()
        number = _number(text)
        if number is not None and number >= _MOMENT:
            moment: float | None = number / 1000.0 if number >= _MOMENT_MS else number
        else:
            moment = _date(text) if number is None else None
        wait = max(0.0, moment - now) if moment is not None else number
        if wait is not None and 0.0 <= wait <= _LONGEST_WINDOW:
            return wait
    return None


def remaining(headers: Mapping[str, str]) -> int | None:
    """Return how many requests the vendor says are left until the moment of :func:`retry_after`."""
    for name in ("x-ratelimit-remaining", "ratelimit-remaining"):
        left = _number(headers.get(name, ""))
        if left is not None and left >= 0:
            return int(left)
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e14 else None  # NaN is not


def _date(text: str) -> float | None:
    for read in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        with contextlib.suppress(TypeError, ValueError, OverflowError, OSError):  # not of this form
            found = read(text)
            return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    return None
