# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the next try of a batch could do better for an item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.stop_messages import needs_nobody_until

if TYPE_CHECKING:
    from airflow_provider_adgen.lifecycle.batch.state import ItemState


def improves(state: ItemState, *, stopped: bool, on_failed: Literal["fail", "resubmit"] | None, now: float) -> bool:
    """
    Return whether the next try could do better for an item.

    :param state: the item.
    :param stopped: its account takes nothing more in this try.
    :param on_failed: what the author chose.
    :param now: Unix time.
    """
    if state.status is ItemStatus.FAILED and state.choice in state.item.choices:
        record = readable(state)
        last = record.counting if record is not None else None
        if last is None or last.phase != "submitted" or last.ended == GenerationStatus.CANCELED:
            return False
        refunded = last.ended in get_vendor(last.vendor).promises.refunded
        return on_failed == "resubmit" or (on_failed is None and refunded)
    if state.status is ItemStatus.UNKNOWN:
        record = readable(state)
        return record is not None and record.open is not None and needs_nobody_until(record.open, now) is not None
    obstacle = state.choice.obstacle if state.choice is not None else None
    in_vain = stopped or (obstacle is not None and not obstacle.retry_helps)
    return state.status is ItemStatus.SUBMITTED or (state.status is ItemStatus.WAITING and not in_vain)
