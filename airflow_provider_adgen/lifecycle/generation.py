# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One leg of a generating task: obtain its job, say what to wait for, store its result, record the delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_adgen.compat import AirflowSkipException
from airflow_provider_adgen.core.errors import AdGenError, DownloadError, GenerationFailed, GenerationTimeout, NotFound
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.core.requests import note_missing_files
from airflow_provider_adgen.core.sealing import together, unseal
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.lifecycle.legs import Finished, SubmitLater, Wait, WaitForJob
from airflow_provider_adgen.lifecycle.stop_messages import ended_without_result

if TYPE_CHECKING:
    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.lifecycle.legs import Resumed
    from airflow_provider_adgen.lifecycle.submission import Submission
    from airflow_provider_adgen.lifecycle.submit_options import GenerateOptions

_JOBS, _WAITING, _SUBMITTING, _REASON = "job_ids", "waiting", "submitting", "reason"


class GenerationLeg:
    """
    One leg of a task that wants one generation.

    :param submission: the intended generation, its account and its record.
    :param options: what the DAG's author chose.
    :param clock: time, injected.
    :param log: where to say what happened.
    """

    def __init__(self, submission: Submission, options: GenerateOptions, *, clock: Clock, log: Any) -> None:
        self._submission = submission
        self._options = options
        self._clock = clock
        self._log = log
        self._hook = submission.hook
        self._title = submission.vendor.title

    def run(self, resumed: Resumed | None) -> Finished[Generation] | Wait:
        """
        Go as far as possible.

        :param resumed: how the wait before ended; None on the first leg of a try.
        :return: the generation, delivered and recorded; or what to wait for.
        :raises AdGenError: it stops, and says why.
        """
        job_ids: list[str] = []
        again, closed = False, None
        if resumed is not None:
            job_ids = list(resumed.job_ids)
            if resumed.trigger_failed:
                # The trigger died; what it waited for was remembered.
                job_ids = self._submission.awaited() or list(resumed.remembered.get(_JOBS) or ())
            # A wait for being allowed to submit names no job: that leg begins as the first one does.
            again = bool(job_ids)
            if resumed.timed_out and not again:
                closed = str(resumed.remembered.get(_REASON) or "its time is over")
            self._submission.window.began_at = resumed.remembered.get(_SUBMITTING)
        found = self._submission.obtain(resumed=again, job_ids=job_ids, closed=closed)
        if isinstance(found, SubmitLater):
            return self._wait_to_submit(found, resumed)
        return self._see_through(found, resumed if again else None)

    def _wait_to_submit(self, later: SubmitLater, resumed: Resumed | None) -> Wait:
        if resumed is not None and resumed.timed_out:
            raise self._submission.window.closed(later.reason)
        since, until = self._submission.window.times()
        return Wait(since=since, until=until, submit=(later,), remember={_SUBMITTING: since, _REASON: later.reason})

    # --- the job's end --------------------------------------------------------------------------------------------

    def _see_through(self, generation: Generation, resumed: Resumed | None) -> Finished[Generation] | Wait:
        delivered = generation.finished and any(one.uri for one in generation.creatives)
        if delivered or not self._options.wait_for_completion:
            return self._deliver(generation)
        heard = self._heard(generation, resumed)
        if not generation.finished:
            submitted_at, until = self._times(resumed)
            if resumed is not None:
                generation = self._ask(generation, heard, resumed, submitted_at)
            generation = together(generation, heard)
            if not generation.finished and not self._suspended(generation):
                return self._wait(generation, resumed, submitted_at, until)
        generation = together(generation, heard)
        if not generation.succeeded:
            self._ended(generation)
        generation = self._submission.with_credits(generation)
        if self._options.destination is not None:
            failpoint("before-store")
            stored = self._hook.download(generation, self._options.destination, names=self._options.file_names)
            generation = self._submission.with_credits(stored)
        elif generation.kind in {"video", "image", "voice"} and not generation.creatives:
            raise DownloadError(
                f"{self._title} job {', '.join(generation.job_ids)} is completed, and the answer names no file of it. "
                "It is paid for: a retry asks again and costs nothing."
            )
        return self._deliver(generation)

    def _heard(self, generation: Generation, resumed: Resumed | None) -> Generation | None:
        """Return how a trigger, or an earlier try, heard the job end, where the vendor may tell that only once."""
        last = self._submission.attempt_log.counting
        sealed = (resumed.sealed if resumed is not None else "") or (last.heard if last is not None else None)
        if not sealed:
            return None
        self._submission.attempt_log.heard(sealed)
        found = unseal(sealed, self._hook.account(), generation.job_ids)
        if found is None:
            self._log.warning(
                "The end of %s job %s was recorded before the account's key was changed, and cannot be read with the "
                "new key. The vendor is asked again. The job is paid for; its files can also be found at the vendor.",
                self._title,
                ", ".join(generation.job_ids),
            )
        return found

    def _ask(
        self, generation: Generation, heard: Generation | None, resumed: Resumed, submitted_at: float
    ) -> Generation:
        """Ask once more after a wait: for the end, and for fresh links."""
        failpoint("while-polling")
        if heard is not None and (self._options.destination is not None or not heard.succeeded):
            return heard  # stored at once, or asked for again if its links are over: vendors ration such requests
        try:
            # Without a record nobody knows when it was submitted, and so it is not young.
            known = self._submission.keeps or _WAITING in resumed.remembered
            seen = self._submission.ask(generation.job_ids, generation.kind, submitted_at if known else None)
        except AdGenError as error:
            if heard is not None:
                return heard
            if isinstance(error, NotFound):
                raise self._submission.missing_job(error) from None
            if resumed.timed_out and error.retry_helps:
                return generation  # that the time is over says more than what the last request met
            raise
        if seen is None:
            return generation
        if resumed.status == GenerationStatus.SUSPENDED and not seen.finished:
            # Only a stream may tell of a review; a list that still says "processing" does not deny it.
            seen.status = GenerationStatus.SUSPENDED
        return seen

    # --- waiting --------------------------------------------------------------------------------------------------

    def _times(self, resumed: Resumed | None) -> tuple[float, float]:
        """Return the Unix times of the submission and of this try's deadline, the same on all of its legs."""
        submitted_at, until = self._submission.attempt_log.waiting()
        told = resumed.remembered.get(_WAITING) if resumed is not None and not self._submission.keeps else None
        if isinstance(told, list | tuple) and len(told) == 2:
            submitted_at, until = float(told[0]), float(told[1])
        return submitted_at, until

    def _wait(self, generation: Generation, resumed: Resumed | None, submitted_at: float, until: float) -> Wait:
        if resumed is not None and (resumed.timed_out or self._clock.now() >= until):
            allowed = self._options.submit.wait_seconds
            waited = allowed if resumed.waited is None else resumed.waited
            raise self._timed_out(generation, min(allowed, waited))
        job = WaitForJob(
            self._hook.conn_id,
            self._submission.vendor.name,
            generation.job_ids,
            generation.kind,
            stop_suspended=self._options.on_suspended != "wait",
        )
        remember = {_JOBS: list(generation.job_ids), _WAITING: [submitted_at, until]}
        keeps = self._submission.keeps
        return Wait(since=submitted_at, until=until, jobs=(job,), remember={} if keeps else remember)

    def _timed_out(self, generation: Generation, seconds: float) -> GenerationTimeout:
        return GenerationTimeout(
            f"{self._title} job {', '.join(generation.job_ids)} did not finish within {seconds:g} s. It is paid for "
            "and may still finish: a retry goes on waiting for it and submits nothing.",
            generation_id=generation.id,
        )

    # --- the end --------------------------------------------------------------------------------------------------

    def _suspended(self, generation: Generation) -> bool:
        return self._options.on_suspended != "wait" and generation.status == GenerationStatus.SUSPENDED

    def _ended(self, generation: Generation) -> NoReturn:
        """Say how a job ended that has no result."""
        title, job = self._title, ", ".join(generation.job_ids)
        if self._suspended(generation):
            text = f"{title} job {job} is suspended until a person reviews it at {title}. It is paid for."
            if self._options.on_suspended == "skip":
                raise AirflowSkipException(text)
            raise GenerationFailed(text, generation_id=generation.id, status="suspended")
        log = self._submission.attempt_log
        if (last := log.counting) is not None and last.phase == "submitted":
            log.ended(last, generation)
        raise GenerationFailed(
            ended_without_result(self._submission.vendor, job, str(generation.status), generation.error),
            generation_id=generation.id,
            status=str(generation.status),
        )

    def _deliver(self, generation: Generation) -> Finished[Generation]:
        missing = note_missing_files(self._submission.request, generation)
        if missing is not None:
            self._log.warning("%s", missing)
        if generation.succeeded and self._options.destination is not None:
            self._options.stored(generation)
        failpoint("before-done")
        self._submission.attempt_log.delivered(generation.to_xcom(urls=False))
        failpoint("after-done")
        if generation.succeeded and generation.error:
            # Several jobs of one request, of which some have a result.
            self._log.warning("%s job %s: %s", self._title, generation.id, generation.error)
        self._log.info(
            "%s job %s is %s%s.",
            self._title,
            generation.id,
            generation.status,
            f"; stored {counted(len(generation.creatives), 'file')}" if self._options.destination is not None else "",
        )
        return Finished(generation)
