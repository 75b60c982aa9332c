# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Watches jobs while a worker does something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import WaitForJob


class WorkerWatch:
    """
    Watches jobs with the poll loops that the triggerer has, in the thread of the wire.

    :param hook_of: returns the open hook of a connection.
    :param poll_interval: seconds between polls.
    :param stop_suspended: a job that is suspended for a person's review is over.
    """

    def __init__(self, hook_of: Callable[[str], AdGenHook], *, poll_interval: float, stop_suspended: bool) -> None:
        self._hook_of = hook_of
        self._poll_interval = poll_interval
        self._stop_suspended = stop_suspended
        self._watching: list[Future[None]] = []

    def start(self, job: WaitForJob, over: Callable[[str, str], None]) -> None:
        """Watch a job; *over* is called from another thread, with its status and its sealed result."""
        from airflow_provider_adgen.core import blocking

        self._watching.append(blocking.start(self._watch(job, over)))

    async def _watch(self, job: WaitForJob, over: Callable[[str, str], None]) -> None:
        from airflow_provider_adgen.triggers.batch import BatchedJobTrigger
        from airflow_provider_adgen.triggers.loop import poll_loop

        connection = poll_loop(job.conn_id).connection
        if connection.wire is None:
            await connection.provide(self._hook_of(job.conn_id))
        trigger = BatchedJobTrigger(
            vendor=job.vendor,
            job_ids=job.job_ids,
            kind=job.kind or None,
            stop_suspended=self._stop_suspended,
            conn_id=job.conn_id,
            poll_interval=self._poll_interval,
            since=job.since,
            until=job.until,
        )
        over(*await trigger.wait_for_end())

    def close(self) -> None:
        """Watch nothing any more."""
        for one in self._watching:
            one.cancel()
        self._watching.clear()
