# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a leg notes of items that have no result yet, for the next leg of the same try; and why they have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.batch import Do, ItemStatus, Step

if TYPE_CHECKING:
    from airflow_provider_adgen.core.record import Attempt

Note = tuple[str, str, int | None]
"""Of one item its status ("" while open), the reason, the number of its choice."""


def holds(note: Note, last: Attempt | None, step: Step) -> bool:
    """Whether what an earlier leg of this try noted of an item still holds, by its record."""
    match note[0]:
        case ItemStatus.UNKNOWN:
            return last is not None and last.phase == "intent"
        case ItemStatus.SUBMITTED:
            return step.do is Do.COLLECT
        case ItemStatus.FAILED:
            return step.do is Do.FAIL
        case ItemStatus.REFUSED | ItemStatus.WAITING:
            return last is None or last.phase == "withdrawn"
        case _:
            return False


def why_failed(last: Attempt) -> str:
    """Say how a recorded job ended that has no result."""
    said = f": {last.reason}" if last.reason else ""
    return f"Job {', '.join(last.job_ids)} ended as {last.ended}{said}"
