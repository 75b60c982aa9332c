# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for a batch of CinematicAds workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sensors.base import AdGenSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import Resumed
    from airflow_provider_adgen.triggers.base import PollTrigger


class BatchSensor(AdGenSensor):
    """
    Wait until every workflow of a batch has ended; costs nothing. Returns the counts as a dictionary.

    CinematicAds documents how a batch is asked for, and not how one is made.

    :param conn_id: the Airflow connection of type ``cinematicads``.
    :param batch_id: the batch.
    :param max_failed: fail when more workflows than that have failed; None accepts any number.
    :raises AirflowFailException: the account has no such batch, or too many workflows failed.
    """

    template_fields: Sequence[str] = ("conn_id", "batch_id", "max_failed")

    def __init__(
        self,
        *,
        batch_id: str,
        max_failed: int | str | None = None,
        conn_id: str = "cinematicads_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.batch_id = batch_id
        self.max_failed = max_failed

    def _allowed(self) -> int | None:
        from airflow_provider_adgen.core.errors import InvalidRequest

        value = self.max_failed
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not str(value).strip().isdecimal():
            raise InvalidRequest("max_failed must be a whole number of workflows. Nothing was sent.")
        return int(value)

    def look(self, hook: AdGenHook, resumed: Resumed | None) -> Any | None:
        """Ask for the batch once."""
        from airflow_provider_adgen.core.errors import GenerationFailed
        from airflow_provider_adgen.hooks.base import typed_hook

        allowed = self._allowed()
        own: Any = typed_hook("cinematicads", self.conn_id)
        batch = own.get_batch_status(self.batch_id)
        if allowed is not None and batch.failed > allowed:
            raise GenerationFailed(
                f"{batch.failed} of {batch.total} workflows of CinematicAds batch {self.batch_id} failed, more than "
                f"max_failed={allowed}. CinematicAds documents that it refunds such workflows.",
                generation_id=self.batch_id,
            )
        if not batch.finished:
            return None
        return batch.model_dump(mode="json", include={"total", "completed", "failed", "pending", "active"})

    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Wait for the batch in the triggerer."""
        from airflow_provider_adgen.triggers.cinematicads import BatchTrigger

        return BatchTrigger(batch_id=self.batch_id, max_failed=self._allowed(), **waiting)
