# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for one generation without a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.polling import schedule
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.sealing import seal
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.triggers.base import PollTrigger
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget, ended_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.core.wire import Wire


_imported: set[str] = set()


class GenerationTrigger(PollTrigger):
    """
    Waits until a generation is finished, whichever way it ends.

    :param vendor: the vendor's name.
    :param job_ids: all job ids of the generation.
    :param kind: ``video``, ``image`` ...
    :param stop_suspended: fire when the job is suspended for a person's review, too.
    """

    def __init__(
        self,
        *,
        vendor: str,
        job_ids: Sequence[str],
        kind: str | None = None,
        stop_suspended: bool = False,
        **waiting: Any,
    ) -> None:
        super().__init__(**waiting)
        self.vendor = vendor
        self.job_ids = tuple(job_ids)
        self.kind = kind
        self.stop_suspended = stop_suspended

    def own_arguments(self) -> dict[str, Any]:
        """Return vendor, ids and kind."""
        return {
            "vendor": self.vendor,
            "job_ids": list(self.job_ids),
            "kind": self.kind,
            "stop_suspended": self.stop_suspended,
        }

    def subject(self) -> str:
        """Return the job ids."""
        return ",".join(self.job_ids)

    async def prepare(self) -> None:
        """Import the vendor's models, in a thread: only the first one who waits for this vendor has to."""
        if self.vendor not in _imported:
            await asyncio.to_thread(get_vendor, self.vendor)
            _imported.add(self.vendor)

    def target(self) -> PollTarget:
        """Ask the vendor for the generation until it is finished."""
        ids, kind, stop_suspended = self.job_ids, self.kind, self.stop_suspended
        vendor = get_vendor(self.vendor)
        holds = vendor.stream_seconds > 0

        async def look(wire: Wire) -> PollResult:
            seen = await wire.run(wire.vendor.fetch(ids, kind, stream_seconds=vendor.stream_seconds))
            over = seen.finished or (stop_suspended and seen.status == GenerationStatus.SUSPENDED)
            # What a stream said it may not say again; the worker could ask in vain.
            sealed = await asyncio.to_thread(seal, seen, wire.account) if holds and seen.finished else ""
            return PollResult(str(seen.status), over, ended_at(seen), sealed)

        plan = schedule(vendor.tracking, self.kind or "", self.poll_interval)
        return PollTarget(
            key=("generation", ids, stop_suspended),
            look=look,
            plan=plan,
            since=self.since,
            # A list tells of single jobs; what several add up to is the vendor's own to read.
            job=ids[0] if len(ids) == 1 else None,
            stop_words=frozenset({GenerationStatus.SUSPENDED}) if stop_suspended else frozenset(),
            holds=holds,
            kind=kind or "",
        )
