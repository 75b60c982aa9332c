# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a leg notes of items that have no result yet, for the next leg of the same try; and why they have none."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_adgen.core.record import Attempt, Record

Note = tuple[str, str, int | None, dict[str, Any] | None]
"""
Of one item its status ("" while open), the reason, the number of its choice, and the generation that is used again.
"""


def risks(record: Record, try_number: int) -> int:
    """Return how many submissions of a try followed one that nobody knows about; what started nothing counts not."""
    pairs = itertools.pairwise(one for one in record.attempts if one.phase != "withdrawn")
    return sum(1 for before, one in pairs if before.phase == "intent" and one.try_number == try_number)


def why_failed(last: Attempt) -> str:
    """Say how a recorded job ended that has no result."""
    said = f": {last.reason}" if last.reason else ""
    return f"Job {', '.join(last.job_ids)} ended as {last.ended}{said}"
