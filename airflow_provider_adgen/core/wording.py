# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers, names and times in sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def counted(number: int, one: str, many: str = "") -> str:
    """
    Return a number with its word: ``1 item``, ``2 items``.

    :param number: how many.
    :param one: the word for one.
    :param many: the word for another number; by default with an s.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def named(names: Sequence[str], most: int) -> str:
    """
    Return the first names, and how many more there are.

    :param names: all names.
    :param most: names that are said.
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def moment(value: datetime | float) -> str:
    """
    Return a time in ISO 8601, UTC, to the millisecond; without milliseconds where there are none.

    :param value: a time with a time zone, or a Unix time.
    """
    time = datetime.fromtimestamp(round(value, 3), UTC) if isinstance(value, float | int) else value.astimezone(UTC)
    text = time.isoformat(timespec="milliseconds" if time.microsecond >= 1000 else "seconds")
    return text.removesuffix("+00:00") + "Z"
