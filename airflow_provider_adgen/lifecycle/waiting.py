# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for a job on the worker, for tasks that do not defer; the same decisions as the triggers' loop."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.polling import PollAction, Schedule, judge_poll, schedule
from airflow_provider_adgen.core.errors import AdGenError, GenerationTimeout
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.submit_options import SubmitLater


def timed_out(vendor: str, ids: list[str], seconds: float) -> GenerationTimeout:
    """Return the error for a job that did not finish in time."""
    return GenerationTimeout(
        f"{vendor} job {', '.join(ids)} did not finish within {seconds:g} s. It is paid for and may still finish: a "
        "retry goes on waiting for it and submits nothing.",
        generation_id=ids[0],
    )


def wait_for(
    hook: AdGenHook,
    generation: Generation,
    *,
    interval: float,
    submitted_at: float,
    until: float,
    seconds: float,
    stop_suspended: bool,
    sleep: Callable[[float], None],
    now: Callable[[], float],
    log: Any,
) -> Generation:
    """
    Ask for *generation* until it is finished.

    :param hook: the account, its connections kept open by the caller.
    :param generation: the job.
    :param interval: seconds between looks.
    :param submitted_at: Unix time of the submission.
    :param until: Unix time at which to stop.
    :param seconds: the time that was allowed, for the message.
    :param stop_suspended: return when the job is suspended for a person's review, too.
    :raises GenerationTimeout: it did not finish in time.
    """
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    plan = schedule(hook.vendor.tracking, generation.kind, interval)
    ids = ",".join(generation.job_ids)
    failures, refreshed, status = 0, False, str(generation.status)
    pause = plan.after(now() - submitted_at, rng=rng)
    while True:
        if now() + pause > until:
            # One last look at the deadline itself, so that a job that ended meanwhile is not left behind.
            pause = max(0.0, until - now())
        sleep(pause)
        failpoint("while-polling")
        try:
            stream_seconds = max(0.0, min(hook.vendor.stream_seconds, until - now()))
            seen = hook.get_generation(ids, kind=generation.kind, stream_seconds=stream_seconds)
        except AdGenError as error:
            verdict = judge_poll(
                error, schedule=plan, age=now() - submitted_at, failures=failures, rng=rng, reread=refreshed
            )
            failures += 1
            if verdict.action == PollAction.READ_CONNECTION:
                refreshed = True
                hook.changed_key()
                pause = 0.0
            elif verdict.action == PollAction.AGAIN:
                log.warning("%s Asking again in %.0f s.", error.message, verdict.pause)
                pause = verdict.pause
            else:
                raise
        else:
            failures, refreshed = 0, False
            if seen.finished or (stop_suspended and seen.status == GenerationStatus.SUSPENDED):
                return seen
            if str(seen.status) != status:
                status = str(seen.status)
                log.info("%s job %s is %s.", hook.vendor.title, ids, status)
            pause = plan.after(now() - submitted_at, rng=rng)
        if now() >= until:
            raise timed_out(hook.vendor.title, generation.job_ids, seconds)


def wait_for_credits(
    hook: AdGenHook, later: SubmitLater, *, sleep: Callable[[float], None], now: Callable[[], float], log: Any
) -> None:
    """
    Look at the balance until it suffices or the time is over; what is wrong with looking, the submission will meet too.

    :param hook: the account, its connections kept open by the caller.
    :param later: how many credits, how often to look, until when.
    """
    while True:
        sleep(max(0.0, min(later.seconds, later.until - now())))
        if now() >= later.until:
            return
        try:
            remaining = hook.with_current_key(hook.get_credits).remaining
        except AdGenError as error:
            verdict = judge_poll(error, schedule=Schedule(later.seconds), age=math.inf, failures=0, rng=random.Random())  # noqa: S311 - jitter, not a secret
            if verdict.action != PollAction.AGAIN:
                return
            log.warning("%s Asking again in %.0f s.", error.message, later.seconds)
        else:
            if remaining is None or remaining >= (later.credits or 0):
                return
