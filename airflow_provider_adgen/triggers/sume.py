# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for Sume's Asset Library without a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.triggers.base import PollTrigger
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_adgen.core.wire import Wire


@dataclass(kw_only=True, eq=False, repr=False)
class AssetTrigger(PollTrigger):
    """
    Waits until the Asset Library has taken a video in, or says that it never will.

    :param asset_id: the asset.
    :param ready_words: further status words that mean it is ready, in lower case.
    """

    asset_id: str
    ready_words: Collection[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ready_words = tuple(sorted(self.ready_words or ()))

    def subject(self) -> str:
        """Return the asset's id."""
        return self.asset_id

    def target(self) -> PollTarget:
        """Ask for the asset until it is ready or has failed."""
        from airflow_provider_adgen.vendors.sume import uploads

        asset_id, ready = self.asset_id, frozenset(self.ready_words)

        async def poll(wire: Wire) -> PollResult:
            seen = await wire.run(uploads.ingestion(asset_id, ready=ready))
            return PollResult(seen.word, seen.state != "waiting")

        every = Schedule(interval=self.poll_interval)
        return PollTarget(key=("asset", asset_id, ready), poll=poll, schedule=every, since=self.since, kind="asset")
