# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The states of waiting jobs, and the queue of what is due."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget, PollUpdate, UpdateKind
from airflow_provider_adgen.triggers.waiting_jobs import NEVER, JobState, WaitingJobs

Inbox = asyncio.Queue[PollUpdate]


def target(key: str, **fields: Any) -> PollTarget:
    async def poll(_wire: Any) -> PollResult:
        raise NotImplementedError

    return PollTarget(key=key, poll=poll, schedule=Schedule(5.0), since=0.0, job_id=key, **fields)


def nobody(_due: float) -> None:
    """Wakes nobody."""


async def forever() -> None:
    await asyncio.sleep(60)


async def test_the_earliest_due_comes_first_and_each_job_once() -> None:
    woken: list[float] = []
    jobs, rng = WaitingJobs(woken.append), random.Random(1)
    waiting = [jobs.add(target(f"job-{number}"), Inbox()) for number in range(50)]
    assert jobs.first() is None and {job.state for job in waiting} == {JobState.NEW}
    for _ in range(200):
        jobs.schedule(rng.choice(waiting), rng.random())
    for job in waiting:
        jobs.schedule(job, rng.random())
    order = []
    while (job := jobs.first()) is not None:
        order.append(job)
        jobs.start_listing([job])
    assert order == sorted(waiting, key=lambda job: job.due) and len(woken) == 250


async def test_a_job_is_due_only_while_it_is_scheduled() -> None:
    jobs = WaitingJobs(nobody)
    job = jobs.add(target("job"), Inbox())
    jobs.schedule(job, 1.0)
    assert jobs.first() is job and jobs.due_by(1.0) == [job] and jobs.due_by(0.5) == []
    task = asyncio.create_task(forever())
    jobs.start_poll(job, task)
    assert (job.state, jobs.first(), jobs.due_by(NEVER)) == (JobState.POLLED, None, [])
    jobs.schedule(job, 2.0, failed=True)
    assert (job.state, job.task, job.failures, jobs.first()) == (JobState.SCHEDULED, None, 1, job)
    assert jobs.seen_running(job, "processing", 3.0) and not jobs.seen_running(job, "processing", 4.0)
    assert (job.failures, job.polls, job.last_running) == (0, 2, 4.0)
    task.cancel()


async def test_an_end_is_told_to_all_and_cancels_a_poll_that_is_under_way() -> None:
    jobs, inboxes = WaitingJobs(nobody), [Inbox(), Inbox()]
    job = [jobs.add(target("job"), inbox) for inbox in inboxes][1]
    jobs.schedule(job, 1.0)
    task = asyncio.create_task(forever())
    jobs.start_poll(job, task)
    jobs.end(job, PollUpdate(UpdateKind.OVER, "completed"))
    await asyncio.wait([task])
    assert task.cancelled() and job.state is JobState.OVER and jobs.first() is None
    assert [inbox.get_nowait().text for inbox in inboxes] == ["completed"] * 2


async def test_a_job_goes_with_its_last_waiter_and_its_poll_with_it() -> None:
    jobs, inboxes = WaitingJobs(nobody), [Inbox(), Inbox()]
    job, _ = (jobs.add(target("job"), inbox) for inbox in inboxes)
    task = asyncio.create_task(forever())
    jobs.schedule(job, 1.0)
    jobs.start_poll(job, task)
    assert jobs.remove("job", inboxes[0]) is job and jobs.remove("job", inboxes[0]) is None
    assert len(jobs) == 1 and jobs.of_job_id("job") == (job,)
    assert jobs.remove("job", inboxes[1]) is job
    await asyncio.wait([task])
    assert task.cancelled() and len(jobs) == 0 and jobs.of_job_id("job") == ()


async def test_a_queue_keeps_no_more_than_a_few_entries_for_each_job() -> None:
    jobs = WaitingJobs(nobody)
    for number in range(500):
        inbox = Inbox()
        jobs.schedule(jobs.add(target(f"job-{number}"), inbox), 1.0)
        jobs.remove(f"job-{number}", inbox)
    assert len(jobs._queue) < 100
