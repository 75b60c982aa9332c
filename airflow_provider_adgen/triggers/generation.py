# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for one generation without a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.polling import schedule
from airflow_provider_adgen.triggers.base import PollTrigger
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget, result_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.core.wire import Wire


@dataclass(kw_only=True, eq=False, repr=False)
class GenerationTrigger(PollTrigger):
    """
    Waits until a generation is finished, whichever way it ends.

    :param vendor: the vendor's name.
    :param job_ids: all job ids of the generation, kept as a tuple; one text may hold several, separated by commas.
    :param kind: ``video``, ``image`` ...
    :param stop_suspended: fire when the job is suspended for a person's review, too.
    """

    vendor: str
    job_ids: Sequence[str]
    kind: str | None = None
    stop_suspended: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = self.job_ids.split(",") if isinstance(self.job_ids, str) else self.job_ids
        self.job_ids = [part.strip() for part in parts]

    def subject(self) -> str:
        """Return the job ids."""
        return ",".join(self.job_ids)

    def target(self) -> PollTarget:
        """Ask the vendor for the generation until it is finished."""
        from airflow_provider_adgen.core.registry import get_vendor
        from airflow_provider_adgen.core.sealing import seal
        from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus

        ids, kind, vendor = list(self.job_ids), self.kind, get_vendor(self.vendor)
        stop_statuses = frozenset({str(GenerationStatus.SUSPENDED)}) if self.stop_suspended else frozenset[str]()
        streams = vendor.stream_seconds > 0

        async def poll(wire: Wire) -> PollResult:
            seen = await wire.run(wire.vendor.poll(ids, kind, stream_seconds=vendor.stream_seconds))
            if not isinstance(seen, Generation):
                return PollResult(str(seen), str(seen) in stop_statuses)
            # What a stream said it may not say again; the worker could ask in vain.
            sealed = await asyncio.to_thread(seal, seen, wire.account) if streams and seen.finished else ""
            return result_of(seen, stop_statuses, sealed)

        return PollTarget(
            key=("generation", tuple(ids), self.stop_suspended),
            poll=poll,
            schedule=schedule(vendor.tracking, kind or "", self.poll_interval),
            since=self.since,
            # A list tells of single jobs; what several add up to is the vendor's own to read.
            job_id=ids[0] if len(ids) == 1 else None,
            stop_statuses=stop_statuses,
            streams=streams,
            kind=kind or "",
        )
