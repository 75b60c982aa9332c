# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One leg of a generating task: obtain its job, wait for it here or in the triggerer, store it, hand it over."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_adgen.compat import AirflowSkipException
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.operators._options import seconds

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.paid import PaidJob
    from airflow_provider_adgen.lifecycle.submit_options import SubmitLater
    from airflow_provider_adgen.operators.generate import GenerateOperator

MARGIN = 120.0
"""Seconds by which Airflow's deferral timeout comes after the trigger's own deadline."""

_LONGEST_NAP = 300.0


class Course:
    """
    One leg of a task.

    :param task: the operator, for what its author chose; it is also what defers.
    :param context: Airflow's context.
    :param hook: the account, its connections kept open by the caller.
    :param job: the paid job.
    :param leg_started: Unix time at which this leg began.
    """

    def __init__(
        self, task: GenerateOperator, context: Context, hook: AdGenHook, job: PaidJob, *, leg_started: float
    ) -> None:
        self.task = task
        self.context = context
        self.hook = hook
        self.job = job
        self.log = task.log
        self._leg_started = leg_started
        self._resumed = False
        self._event: dict[str, Any] = {}
        self._trigger_failed = False

    def run(self, *, resumed: bool, event: dict[str, Any] | None) -> dict[str, Any]:
        """
        Go as far as possible; return the generation as a dictionary, or defer.

        :param resumed: this is a later leg of a try.
        :param event: what the trigger said; None on a first leg, and when the trigger ended without an event.
        """
        from airflow_provider_adgen.lifecycle.submit_options import SubmitLater
        from airflow_provider_adgen.triggers.base import TIMEOUT

        self._event = event or {}
        self._trigger_failed = resumed and event is None
        known = str(self._event.get("id", ""))
        # Only triggers that wait for a job carry its id; the others waited for being allowed to submit.
        self._resumed = resumed and not (event is not None and not known)
        if self._trigger_failed and not self.job.keeps:
            # The trigger died and nothing else remembers the job: what was pushed before deferring does.
            known = str(self._remembered("id") or "")
        ids = tuple(one for one in known.split(",") if one)
        while True:
            try:
                generation = self.job.obtain(resumed=self._resumed, event_ids=ids)
                break
            except SubmitLater as later:
                # The trigger's deadline was this try's own: where nothing is recorded, nothing else tells of it.
                if self._event.get("status") == TIMEOUT:
                    raise self.job.impatient(later.reason) from None
                self._park(later)
        return self._see_through(generation)

    def _remembered(self, key: str) -> Any:
        """Return what an earlier leg of this try pushed, where there is no record."""
        task_id, map_index = self.task.task_id, self.job.facts.identity.map_index
        return self.context["ti"].xcom_pull(task_ids=task_id, key=key, map_indexes=map_index)

    # --- the job's end --------------------------------------------------------------------------------------------

    def _see_through(self, generation: Generation) -> dict[str, Any]:
        from airflow_provider_adgen.core.sealing import together

        delivered = generation.finished and any(one.uri for one in generation.creatives)
        if delivered or not self.task.wait_for_completion:
            return self._hand_over(generation)
        heard = self._heard(generation)
        if not generation.finished:
            submitted_at, until = self._times()
            if self._resumed:
                generation = self._ask(generation, heard)
            generation = together(generation, heard)
            if not generation.finished and not self._suspended(generation):
                generation = self._wait(generation, submitted_at, until)
        generation = together(generation, heard)
        if not generation.succeeded:
            self._ended(generation)
        generation = self.job.with_credits(generation)
        if self.task.destination:
            failpoint("before-store")
            generation = self.job.with_credits(self.hook.download(generation, self.task.destination))
        elif generation.kind in {"video", "image", "voice"} and not generation.creatives:
            from airflow_provider_adgen.core.errors import DownloadError

            raise DownloadError(
                f"{self.hook.vendor.title} job {', '.join(generation.job_ids)} is completed, and no file of it is "
                "told. It is paid for: a retry asks again and costs nothing."
            )
        return self._hand_over(generation)

    def _heard(self, generation: Generation) -> Generation | None:
        """Return how a trigger, or an earlier try, heard the job end, where the vendor may tell that only once."""
        last = self.job.attempt_log.counting
        sealed = str(self._event.get("sealed") or "") or (last.heard if last is not None else None)
        if not sealed:
            return None
        from airflow_provider_adgen.core.sealing import unseal

        self.job.attempt_log.heard(sealed)
        found = unseal(sealed, self.hook.account(), generation.job_ids)
        if found is None:
            self.log.warning(
                "How %s job %s ended was told before the account's key was changed, and cannot be read with the new "
                "one; asking again. It is paid for; its files can also be found at the vendor.",
                self.hook.vendor.title,
                ", ".join(generation.job_ids),
            )
        return found

    def _ask(self, generation: Generation, heard: Generation | None) -> Generation:
        """Ask once more after a deferral: for the end, and for fresh links."""
        from airflow_provider_adgen.core.errors import AdGenError
        from airflow_provider_adgen.core.vocabulary import GenerationStatus

        failpoint("while-polling")
        if heard is not None and self.task.destination:
            return heard  # stored at once, or asked for again if its links are over: vendors ration such questions
        ids, kind = ",".join(generation.job_ids), generation.kind
        try:
            generation = self.hook.with_current_key(lambda: self.hook.get_generation(ids, kind=kind))
        except AdGenError:
            if heard is None:
                raise
            return heard
        if self._event.get("status") == "suspended" and not generation.finished:
            # Only a stream may tell of a review; a list that still says "processing" does not deny it.
            generation.status = GenerationStatus.SUSPENDED
        return generation

    # --- waiting --------------------------------------------------------------------------------------------------

    def _times(self) -> tuple[float, float]:
        """Return the Unix times of the submission and of this try's deadline, the same on all of its legs."""
        from airflow_provider_adgen.triggers.base import TIMEOUT

        submitted_at, until = self.job.attempt_log.waiting()
        if self._resumed and not self.job.keeps:
            told = self._remembered("waiting")
            if isinstance(told, list | tuple) and len(told) == 2:
                submitted_at, until = float(told[0]), float(told[1])
        return submitted_at, 0.0 if self._event.get("status") == TIMEOUT else until

    def _wait(self, generation: Generation, submitted_at: float, until: float) -> Generation:
        from airflow_provider_adgen.core.decisions.retry_delay import retry_delay
        from airflow_provider_adgen.core.errors import GenerationTimeout
        from airflow_provider_adgen.lifecycle.waiting import timed_out

        allowed, now = seconds("timeout", self.task.timeout), time.time()
        if self._resumed and now >= until:
            raise timed_out(self.hook.vendor.title, generation.job_ids, allowed)
        if not self.task.deferrable:
            return self._wait_here(generation, submitted_at, until)
        if not self.job.keeps and not self._resumed:
            self.context["ti"].xcom_push(key="id", value=",".join(generation.job_ids))
            self.context["ti"].xcom_push(key="waiting", value=[submitted_at, until])
        if self._trigger_failed and submitted_at < self._leg_started:
            # Deferring again at once may fail again at once; meanwhile the job is asked for from here.
            stream_seconds = retry_delay(now - submitted_at)
            self.log.warning("Waiting on the worker for %.0f s before deferring again.", stream_seconds)
            try:
                return self._wait_here(generation, submitted_at, min(until, now + stream_seconds))
            except GenerationTimeout:
                if time.time() >= min(until, self._worker_deadline()):
                    raise
        self._defer_for(generation, submitted_at, until)

    def _wait_here(self, generation: Generation, submitted_at: float, until: float) -> Generation:
        from airflow_provider_adgen.core.sealing import seal
        from airflow_provider_adgen.lifecycle.waiting import wait_for

        deadline = self._worker_deadline()
        found = wait_for(
            self.hook,
            generation,
            interval=self._interval(),
            submitted_at=submitted_at,
            until=min(until, deadline),
            seconds=min(seconds("timeout", self.task.timeout), round(deadline - time.time())),
            stop_suspended=self.task.on_suspended != "wait",
            sleep=time.sleep,
            now=time.time,
            log=self.log,
        )
        if self.hook.vendor.stream_seconds > 0 and found.succeeded:
            # What a stream said it may not say again: whoever comes after us must not ask in vain.
            self.job.attempt_log.heard(seal(found, self.hook.account()))
        return found

    def _defer_for(self, generation: Generation, submitted_at: float, until: float) -> NoReturn:
        from airflow_provider_adgen.settings import first_fire_delay
        from airflow_provider_adgen.triggers.generation import GenerationTrigger

        self.task.defer(
            trigger=GenerationTrigger(
                conn_id=self.task.conn_id,
                vendor=self.hook.vendor.name,
                job_ids=generation.job_ids,
                kind=generation.kind,
                stop_suspended=self.task.on_suspended != "wait",
                poll_interval=self._interval(),
                since=submitted_at,
                until=until,
                first_fire_delay=first_fire_delay(),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, until - time.time()) + MARGIN),
        )
        raise AssertionError("defer returns never")

    def _park(self, later: SubmitLater) -> None:
        """Wait for being allowed to submit: in the triggerer, or here."""
        self.log.info("Cannot submit yet (%s); trying again in %.0f s.", later.reason, later.seconds)
        if not self.task.deferrable:
            from airflow_provider_adgen.lifecycle.waiting import wait_for_credits

            if later.credits is None:
                time.sleep(later.seconds)
            else:
                wait_for_credits(self.hook, later, sleep=time.sleep, now=time.time, log=self.log)
            return
        from airflow_provider_adgen.settings import first_fire_delay
        from airflow_provider_adgen.triggers.base import WaitTrigger
        from airflow_provider_adgen.triggers.credits import CreditTrigger
        from airflow_provider_adgen.triggers.submit_queue import SubmitQueueTrigger

        if self._trigger_failed:
            # A trigger that fails at once would bring us back to submit every few seconds.
            time.sleep(min(later.seconds, _LONGEST_NAP))
        now, until = time.time(), later.until
        trigger: CreditTrigger | SubmitQueueTrigger | WaitTrigger
        if later.credits is not None:
            trigger = CreditTrigger(
                conn_id=self.task.conn_id,
                required=later.credits,
                claims=True,
                poll_interval=later.seconds,
                since=now,
                until=until,
                first_fire_delay=first_fire_delay(),
            )
        elif later.turn is not None:
            until = later.turn.until
            trigger = SubmitQueueTrigger(
                conn_id=self.task.conn_id,
                name=later.turn.name,
                moment=now + later.turn.seconds,
                since=later.turn.since,
                until=until,
                first_fire_delay=first_fire_delay(),
            )
        else:
            until = now + later.seconds
            trigger = WaitTrigger(moment=until)
        self.task.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, until - now) + MARGIN),
        )

    def _interval(self) -> float:
        from airflow_provider_adgen.settings import poll_interval

        chosen = self.task.poll_interval
        return seconds("poll_interval", chosen if chosen is not None else poll_interval())

    def _worker_deadline(self) -> float:
        """End before Airflow's ``execution_timeout`` does, so that the reason is ours to tell."""
        if self.task.execution_timeout is None:
            return 1e12
        allowed = self.task.execution_timeout.total_seconds()
        return self._leg_started + max(1.0, allowed - max(5.0, allowed * 0.05))

    # --- the end --------------------------------------------------------------------------------------------------

    def _suspended(self, generation: Generation) -> bool:
        from airflow_provider_adgen.core.vocabulary import GenerationStatus

        return self.task.on_suspended != "wait" and generation.status == GenerationStatus.SUSPENDED

    def _ended(self, generation: Generation) -> NoReturn:
        """Say how a job ended that has no result."""
        from airflow_provider_adgen.core.errors import GenerationFailed
        from airflow_provider_adgen.core.scrub import scrub

        job = self.job
        title, ids = job.vendor.title, ", ".join(generation.job_ids)
        if self._suspended(generation):
            text = f"{title} job {ids} is suspended until a person reviews it at {title}. It is paid for."
            if self.task.on_suspended == "skip":
                raise AirflowSkipException(text)
            raise GenerationFailed(text, generation_id=generation.id, status="suspended")
        if (last := job.attempt_log.counting) is not None and last.phase == "submitted":
            job.attempt_log.ended(last, generation)
        refunded = generation.status in job.vendor.promises.refunded
        raise GenerationFailed(
            f"{title} job {ids} ended as {generation.status}"
            + (f": {scrub(generation.error).rstrip('.')}" if generation.error else "")
            + ". "
            + (
                f"{title} documents that it refunds such jobs."
                if refunded
                else f"Whether {title} refunds it is not documented."
            ),
            generation_id=generation.id,
            status=str(generation.status),
        )

    def _hand_over(self, generation: Generation) -> dict[str, Any]:
        job = self.job
        result = generation.to_xcom(urls=not self.task.destination)
        failpoint("before-done")
        job.attempt_log.delivered(result)
        failpoint("after-done")
        ti = self.context["ti"]
        ti.xcom_push(key="id", value=result["id"])
        ti.xcom_push(key="uris", value=[one["uri"] for one in result["creatives"] if one["uri"]])
        if generation.succeeded and generation.error:
            # Several jobs of one request, of which some have a result.
            self.log.warning("%s job %s: %s", job.vendor.title, result["id"], generation.error)
        self.log.info(
            "%s job %s is %s%s.",
            job.vendor.title,
            result["id"],
            result["status"],
            f"; stored {len(result['creatives'])} file(s)" if self.task.destination else "",
        )
        return result
