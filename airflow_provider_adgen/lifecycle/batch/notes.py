# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a leg notes of items that have no result yet, for the next leg of the same try; and why they have none."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.errors import ApiError
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.stop_messages import ended_without_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.lifecycle.batch.state import ItemState

Note = tuple[str, str, int | None, dict[str, Any] | None]
"""
Of one item its status ("" while open), the reason (while open: what it waits for), the number of its choice, and the
generation that is used again.
"""


def notes_of(states: Iterable[ItemState]) -> dict[str, Note]:
    """Return what the next leg of this try need not find out again."""
    found: dict[str, Note] = {}
    for one in states:
        if one.outcome is not None:
            continue  # the snapshot says it beside its record
        index = one.item.choices.index(one.choice) if one.choice in one.item.choices else None
        waits = "" if one.job is not None else one.waits_for
        if one.status not in {None, ItemStatus.COMPLETED, ItemStatus.SKIPPED} or (
            one.status is None and (index or waits)
        ):
            kept = one.generation if one.status is ItemStatus.REUSED else None
            found[item_folder(one.key)] = (str(one.status or ""), one.reason if one.status else waits, index, kept)
    return found


_REFUSAL = ("vendor", "endpoint", "status", "code", "own_words", "advice")


def held_of(states: Iterable[ItemState]) -> dict[str, dict[str, Any]]:
    """Return the refusals of which the next leg of this try finds out whether their account refuses everything."""
    return {
        item_folder(one.key): {
            "happened": one.held.happened,
            "choice": one.choice.number,
            **{name: getattr(one.held, name) for name in _REFUSAL},
        }
        for one in states
        if one.held is not None and one.choice is not None
    }


def held_refusal(note: Mapping[str, Any]) -> ApiError:
    """Return a refusal that :func:`held_of` has noted."""
    return ApiError(note["happened"], **{name: note[name] for name in _REFUSAL})


def risks(record: Record, try_number: int) -> int:
    """Return how many submissions of a try followed one that nobody knows about; what started nothing counts not."""
    pairs = itertools.pairwise(one for one in record.attempts if one.phase != "withdrawn")
    return sum(1 for before, one in pairs if before.phase == "intent" and one.try_number == try_number)


def why_failed(last: Attempt) -> str:
    """Say how a recorded job ended that has no result."""
    return ended_without_result(get_vendor(last.vendor), ", ".join(last.job_ids), last.ended or "", last.reason)
