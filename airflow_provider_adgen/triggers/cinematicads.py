# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for a batch of CinematicAds workflows without a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.triggers.base import PollTrigger
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire


@dataclass(kw_only=True, eq=False, repr=False)
class BatchTrigger(PollTrigger):
    """
    Waits until every workflow of a batch has ended, or too many have failed.

    :param batch_id: the batch.
    :param max_failed: fire when more workflows than that have failed, too.
    """

    batch_id: str
    max_failed: int | None = None

    def subject(self) -> str:
        """Return the batch's id."""
        return self.batch_id

    def target(self) -> PollTarget:
        """Ask for the batch until nothing more can change."""
        from airflow_provider_adgen.vendors.cinematicads import api

        batch_id, allowed = self.batch_id, self.max_failed

        async def poll(wire: Wire) -> PollResult:
            batch = await wire.call(api.get_batch_status(batch_id))
            over = batch.finished or (allowed is not None and batch.failed > allowed)
            return PollResult(f"{batch.completed + batch.failed} of {batch.total} ended", over)

        every = Schedule(interval=self.poll_interval)
        return PollTarget(key=("batch", batch_id, allowed), poll=poll, schedule=every, since=self.since, kind="batch")
