# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for the jobs of a batch, over several accounts, in one trigger."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.triggers.base import AdGenTrigger
from airflow_provider_adgen.triggers.credits import CreditTrigger
from airflow_provider_adgen.triggers.generation import GenerationTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from airflow_provider_adgen.hooks.base import AdGenHook

COLLECT = "collect"
"""Status of the event: jobs are over, or something may be submitted."""

_STALLED = 1.0


class BatchedJobTrigger(GenerationTrigger):
    """One job of a batch: there are too many for a line in the log whenever a status changes."""

    status_level = logging.DEBUG


@dataclass(kw_only=True, eq=False, repr=False)
class BatchTrigger(AdGenTrigger):
    """
    Waits until a batch has something to do, and fires once.

    It fires when all jobs are over; when so many are over that more may be submitted; when an account that refused
    submissions may take them again; some time after the first job was over; and at once when a stream told a result
    that it may not tell again. The event lists the jobs that are over.

    :param jobs: for each job its connection, vendor, kind of result, ids (joined by commas), and the Unix times of its
        submission and of the deadline for it.
    :param resume: for each account that takes nothing just now its connection, the Unix time of the next attempt, and
        the credits it must have before (None: only the time counts).
    :param collect_at: fire when so many jobs are over; 0 for only when all are.
    :param collect_seconds: fire so many seconds after the first job was over.
    :param until: Unix time at which to fire in any case.
    :param poll_interval: seconds between polls.
    :param stop_suspended: a job that is suspended for a person's review is over.
    :param first_fire_delay: seconds before it may fire first; the scheduler may still be closing the first leg.
    """

    jobs: Sequence[Sequence[Any]]
    resume: Sequence[Sequence[Any]] = ()
    collect_at: int = 0
    collect_seconds: float = 300.0
    until: float
    poll_interval: float
    stop_suspended: bool = False
    first_fire_delay: float = 2.0

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield one event."""
        began = SYSTEM.monotonic()
        over = await self.wait()
        await SYSTEM.sleep(self.first_fire_delay - (SYSTEM.monotonic() - began))
        yield TriggerEvent({"id": "", "status": COLLECT, "over": over})  # type: ignore[no-untyped-call]  # not annotated

    async def wait(self) -> list[list[str]]:
        """Return the connection, the ids, the status and the sealed result of each job that is over."""
        waits = [asyncio.create_task(self._job(job)) for job in self.jobs]
        resumes = [asyncio.create_task(self._resumed(one)) for one in self.resume]
        try:
            await self._enough(waits, resumes)
            return [one.result() for one in waits if one.done()]
        finally:
            for task in [*waits, *resumes]:
                task.cancel()
            await asyncio.gather(*waits, *resumes, return_exceptions=True)

    async def _enough(self, waits: list[asyncio.Task[list[str]]], resumes: list[asyncio.Task[None]]) -> None:
        pending: set[asyncio.Task[Any]] = {*waits, *resumes}
        jobs, fire_by, over = set(waits), self.until, 0
        while pending:
            limit = max(0.0, fire_by - SYSTEM.now())
            done, pending = await asyncio.wait(pending, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            ended = done & jobs
            if ended and not over:
                fire_by = min(fire_by, SYSTEM.now() + self.collect_seconds)
            over += len(ended)
            told = any(one.result()[3] for one in ended)
            enough = 0 < self.collect_at <= over or over == len(jobs) > 0
            if not done or enough or told or done - jobs:
                return

    async def _job(self, job: Sequence[Any]) -> list[str]:
        conn_id, vendor, kind, ids, since, until = job
        trigger = BatchedJobTrigger(
            vendor=vendor,
            job_ids=ids,
            kind=kind or None,
            stop_suspended=self.stop_suspended,
            conn_id=conn_id,
            poll_interval=self.poll_interval,
            since=since,
            until=until,
        )
        return [conn_id, ids, *await trigger.wait_for_end()]

    async def _resumed(self, account: Sequence[Any]) -> None:
        conn_id, moment, required = account
        if required is None:
            await SYSTEM.sleep(moment - SYSTEM.now())
            return
        await CreditTrigger(
            required=required,
            conn_id=conn_id,
            poll_interval=max(_STALLED, moment - SYSTEM.now()),
            since=SYSTEM.now(),
            until=self.until,
        ).wait_for_end()


async def wait_on_worker(trigger: BatchTrigger, hooks: Iterable[AdGenHook]) -> list[list[str]]:
    """
    Wait as the triggerer would.

    :param trigger: what to wait for.
    :param hooks: the accounts, which this worker has read already.
    """
    from airflow_provider_adgen.triggers.loop import poll_loop

    for hook in hooks:
        await poll_loop(hook.conn_id).connection.provide(hook)
    return await trigger.wait()
