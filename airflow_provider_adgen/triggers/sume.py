# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for Sume's Asset Library without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.triggers.base import PollTrigger
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget
from airflow_provider_adgen.vendors.sume import uploads

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire


class AssetTrigger(PollTrigger):
    """
    Waits until the Asset Library has taken a video in, or says that it never will.

    :param asset_id: the asset.
    :param ready_words: further status words that mean it is ready, in lower case.
    """

    def __init__(self, *, asset_id: str, ready_words: list[str] | None = None, **waiting: Any) -> None:
        super().__init__(**waiting)
        self.asset_id = asset_id
        self.ready_words = sorted(ready_words or ())

    def own_arguments(self) -> dict[str, Any]:
        """Return the asset and the further words."""
        return {"asset_id": self.asset_id, "ready_words": self.ready_words}

    def subject(self) -> str:
        """Return the asset's id."""
        return self.asset_id

    def target(self) -> PollTarget:
        """Ask for the asset until it is ready or has failed."""
        asset_id, ready = self.asset_id, frozenset(self.ready_words)

        async def poll(wire: Wire) -> PollResult:
            seen = await wire.run(uploads.ingestion(asset_id, ready=ready))
            return PollResult(seen.word, seen.state != "waiting")

        every = Schedule(interval=self.poll_interval)
        return PollTarget(key=("asset", asset_id, ready), poll=poll, schedule=every, since=self.since, kind="asset")
