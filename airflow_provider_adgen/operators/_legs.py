# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs a task's legs: between two legs the task waits, in the triggerer or on its worker.

Both ways wait for the same target, which the trigger makes, and judge each poll by the same function. A leg that was
waited for on the worker is told the same as one that a trigger resumed.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_adgen.core.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow.sdk import BaseOperator, Context

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import Finished, Resumed, Wait
    from airflow_provider_adgen.triggers.targets import PollResult, PollTarget

T = TypeVar("T")

MARGIN = 120.0
"""Seconds by which Airflow's deferral timeout comes after the trigger's own deadline."""

REMEMBERED = "adgen_wait"
"""XCom that carries what the next leg needs. XCom outlives a deferral and no retry, on every Airflow."""

_NEVER = 1e12
_LAST_POLL = 5.0
_SPREAD = 0.1


class LegRunner:
    """
    Runs the legs of one try of a task.

    :param task: the operator, which defers.
    :param context: Airflow's context.
    :param hook: the account, its connections kept open by the caller.
    :param deferrable: wait in the triggerer.
    :param poll_interval: seconds between polls.
    :param make_trigger: returns the trigger for a wait, from the keywords that all triggers have; None for
        :func:`trigger_for`.
    :param hooks: of a batch, returns its accounts, open; None for the one account.
    """

    def __init__(
        self,
        task: BaseOperator,
        context: Context,
        hook: AdGenHook,
        *,
        deferrable: bool,
        poll_interval: float,
        make_trigger: Callable[..., Any] | None = None,
        hooks: Callable[[], Iterable[AdGenHook]] | None = None,
    ) -> None:
        from airflow_provider_adgen.core.clock import SYSTEM

        self._task = task
        self._context = context
        self._hook = hook
        self._deferrable = deferrable
        self._poll_interval = poll_interval
        self._make_trigger = make_trigger or trigger_for
        self._hooks = hooks or (lambda: (hook,))
        self._clock: Clock = SYSTEM
        self.stop_at = self._worker_deadline()
        """Unix time at which the worker must be done, so that the reason is ours to tell."""

    def resumed(self, event: Mapping[str, Any] | None, *, remembers: bool = True) -> Resumed:
        """
        Return how the wait before this leg ended.

        :param event: the trigger's event; None where it ended without one.
        :param remembers: whether legs of this task remember anything. Airflow 3.0 warns of an XCom that is not there.
        """
        from airflow_provider_adgen.lifecycle.legs import Resumed

        kept = None
        if remembers:
            ti = self._context["ti"]
            kept = ti.xcom_pull(task_ids=self._task.task_id, key=REMEMBERED, map_indexes=getattr(ti, "map_index", -1))
        told = event or {}
        return Resumed(
            status=str(told.get("status") or ""),
            job_ids=[one for one in str(told.get("id") or "").split(",") if one],
            sealed=str(told.get("sealed") or ""),
            trigger_failed=event is None,
            remembered=kept if isinstance(kept, dict) else {},
            over=told.get("over") or (),
        )

    def run(self, leg: Callable[[Resumed | None], Finished[T] | Wait], resumed: Resumed | None) -> T:
        """
        Run legs until one is finished, and return its value; or defer.

        :param leg: goes as far as possible.
        :param resumed: how the wait before ended; None on the first leg of a try.
        """
        from airflow_provider_adgen.lifecycle.legs import Finished

        while True:
            value = leg(resumed)
            if isinstance(value, Finished):
                return value.value
            resumed = self._wait(value, resumed)

    def _wait(self, wait: Wait, resumed: Resumed | None) -> Resumed:
        for later in wait.submit:
            pause = max(0.0, later.not_before - self._clock.now())
            self._task.log.info(
                "Cannot submit to %s yet: %s. Trying again in %.0f s.", later.conn_id, later.reason, pause
            )
        trigger = self._trigger(wait)
        if not self._deferrable:
            return self._wait_here(trigger, wait, wait.until)
        if resumed is not None and resumed.trigger_failed:
            # Deferring again at once may fail again at once; meanwhile this worker waits.
            from airflow_provider_adgen.core.decisions.retry_delay import retry_delay

            now = self._clock.now()
            patience = retry_delay(now - wait.since)
            if patience > 1:
                self._task.log.warning("Waiting on the worker for up to %.0f s before deferring again.", patience)
                until = min(wait.until, now + patience)
                ended = self._wait_here(trigger, wait, until)
                if not ended.timed_out or until >= min(wait.until, self.stop_at):
                    return ended
        self._defer(trigger, wait)
        raise AssertionError("defer returns never")

    def _trigger(self, wait: Wait) -> Any:
        from airflow_provider_adgen.settings import first_fire_delay

        return self._make_trigger(
            wait,
            conn_id=self._hook.conn_id,
            poll_interval=self._poll_interval,
            since=wait.since,
            until=wait.until,
            first_fire_delay=first_fire_delay(),
        )

    def _defer(self, trigger: Any, wait: Wait) -> None:
        if wait.remember:
            self._context["ti"].xcom_push(key=REMEMBERED, value=dict(wait.remember))
        timeout = max(0.0, wait.until - self._clock.now()) + MARGIN
        self._task.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=timeout))

    # --- on the worker --------------------------------------------------------------------------------------------

    def _wait_here(self, trigger: Any, wait: Wait, until: float) -> Resumed:
        """Wait as the trigger would, on this worker, until the wait is over or the time is."""
        from airflow_provider_adgen.core import blocking
        from airflow_provider_adgen.core.decisions.polling import TIMEOUT
        from airflow_provider_adgen.lifecycle.legs import Resumed
        from airflow_provider_adgen.triggers.base import WAITED, PollTrigger
        from airflow_provider_adgen.triggers.batch import COLLECT, BatchTrigger, wait_on_worker

        until, began = min(until, self.stop_at), self._clock.now()
        rng = random.Random()  # noqa: S311 - jitter, not a secret
        over: Sequence[Sequence[str]] = ()
        if isinstance(trigger, BatchTrigger):
            trigger.until = min(trigger.until, until)
            over, status, sealed = blocking.run(wait_on_worker(trigger, self._hooks())), COLLECT, ""
        elif isinstance(trigger, PollTrigger):
            result = self._poll(trigger.target(), until)
            if wait.submit and self._clock.now() >= until:
                result = None  # nothing is submitted at the last moment: nobody would wait for it
            status, sealed = (result.status, result.sealed) if result is not None else (TIMEOUT, "")
        else:
            later = min(wait.submit, key=lambda one: one.not_before)
            # Those who wait for the same moment must not come back at once.
            spread = _SPREAD * rng.random() if later.queue else 0.0
            moment = later.not_before + spread * max(0.0, later.not_before - began)
            self._clock.sleep_blocking(min(moment, until) - began)
            status, sealed = (WAITED, "") if moment <= until else (TIMEOUT, "")
        return Resumed(
            status=status,
            job_ids=[one for job in wait.jobs for one in job.job_ids],
            sealed=sealed,
            remembered=wait.remember,
            over=over,
            waited=round(self.stop_at - began) if until == self.stop_at else None,
        )

    def _poll(self, target: PollTarget, until: float) -> PollResult | None:
        """Poll until it is over, or cannot be polled: the leg finds out why. None where the time is over before."""
        from airflow_provider_adgen.core.decisions.polling import UNREACHABLE, PollAction, judge_poll
        from airflow_provider_adgen.core.errors import AdGenError
        from airflow_provider_adgen.triggers.targets import PollResult

        rng = random.Random()  # noqa: S311 - jitter, not a secret
        result: PollResult | None = None
        error: AdGenError | None = None
        failures, reread, status = 0, False, ""
        while True:
            verdict = judge_poll(
                error or (result is not None and result.over),
                schedule=target.schedule,
                age=max(0.0, self._clock.now() - target.since),
                failures=failures,
                rng=rng,
                reread=reread,
            )
            left = until - self._clock.now()
            if verdict.action == PollAction.OVER:
                return result
            if error is not None and verdict.action == PollAction.GIVE_UP:
                self._task.log.warning("%s", error.message)
                return PollResult(UNREACHABLE, over=True)
            if left <= 0:
                return None
            pause = verdict.pause
            if verdict.action == PollAction.READ_CONNECTION:
                before = self._hook.account().key_tag
                reread = self._hook.changed_key() == before
                # A key that differs at each reading must not be tried without a pause.
                pause = target.schedule.interval * min(failures, 10)
                failures += 1
            elif error is not None:
                self._task.log.warning("%s Polling again in %.0f s.", error.message, pause)
                failures += 1
            # One last poll at the deadline itself, so that a job that ended meanwhile is not left behind.
            self._clock.sleep_blocking(min(pause, left))
            failpoint("while-polling")
            try:
                result = self._hook.run_blocking(lambda wire: _in_time(target, wire, until - self._clock.now()))
            except TimeoutError:
                return None
            except AdGenError as problem:
                error = problem
            else:
                error, failures, reread = None, 0, False
                if not result.over and result.status != status:
                    status = result.status
                    self._task.log.info("%s is %s.", target.job_id or self._hook.conn_id, status)

    def _worker_deadline(self) -> float:
        """End before Airflow's ``execution_timeout`` does, so that the reason is ours to tell."""
        if self._task.execution_timeout is None:
            return _NEVER
        allowed = self._task.execution_timeout.total_seconds()
        return self._clock.now() + max(1.0, allowed - max(5.0, allowed * 0.05))


async def _in_time(target: PollTarget, wire: Wire, seconds: float) -> PollResult:
    # A stream may be held open for long; a poll at the deadline itself gets a moment.
    async with asyncio.timeout(max(seconds, _LAST_POLL)):
        return await target.poll(wire)


def trigger_for(wait: Wait, **common: Any) -> Any:
    """Return the trigger that waits for a job, or for being allowed to submit."""
    from airflow_provider_adgen.triggers.base import WaitTrigger
    from airflow_provider_adgen.triggers.credits import CreditTrigger
    from airflow_provider_adgen.triggers.generation import GenerationTrigger
    from airflow_provider_adgen.triggers.submit_queue import SubmitQueueTrigger

    for job in wait.jobs:
        return GenerationTrigger(
            vendor=job.vendor, job_ids=job.job_ids, kind=job.kind, stop_suspended=job.stop_suspended, **common
        )
    later = wait.submit[0]
    if later.credits is not None:
        pause = {"poll_interval": later.poll_interval} if later.poll_interval is not None else {}
        return CreditTrigger(required=later.credits, claims=later.claims, **{**common, **pause})
    if later.queue:
        return SubmitQueueTrigger(
            conn_id=common["conn_id"],
            name=later.queue,
            moment=later.not_before,
            since=wait.since,
            until=wait.until,
            first_fire_delay=common["first_fire_delay"],
        )
    return WaitTrigger(moment=later.not_before)
