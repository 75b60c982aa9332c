# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
From a validated request to a job that exists and is recorded: the only place that spends money.

The order is fixed: write *intent*, post, write *submitted* (or *withdrawn*). What to do next is decided by
:func:`airflow_provider_adgen.core.decisions.submission.decide`, again after every step that went wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.posting import classify_submit_error
from airflow_provider_adgen.core.decisions.spending import check_spending
from airflow_provider_adgen.core.decisions.submission import (
    LOST,
    MISSING,
    Action,
    Decision,
    Situation,
    Why,
    decide,
)
from airflow_provider_adgen.core.errors import AdGenError, DownloadError, InvalidRequest, NotFound
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus
from airflow_provider_adgen.ledger.purse import Purse
from airflow_provider_adgen.ledger.stores import record_folder
from airflow_provider_adgen.lifecycle.asking import ask_for_job
from airflow_provider_adgen.lifecycle.attempt_log import AttemptLog
from airflow_provider_adgen.lifecycle.costs import put_costs, say_cost
from airflow_provider_adgen.lifecycle.counting import count_changes, count_unknown
from airflow_provider_adgen.lifecycle.legs import SubmitLater
from airflow_provider_adgen.lifecycle.paying import Payment, given_back, payment_for, still_paid, withdrawn_unless_used
from airflow_provider_adgen.lifecycle.resolution import apply_resolution, declared_gone
from airflow_provider_adgen.lifecycle.sigalrm import sigalrm_deferred
from airflow_provider_adgen.lifecycle.stop_messages import stop_error, unanswered
from airflow_provider_adgen.lifecycle.submit_options import ALONE, Surroundings
from airflow_provider_adgen.lifecycle.submit_window import SubmitWindow

if TYPE_CHECKING:
    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.submit_options import Permit, SubmitOptions
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

MOST_LOST = 2
"""Submissions of one try of which nobody knows, at most, also where ``on_unknown_submission`` is ``resubmit``."""


class Submission:
    """
    One task's intended generation.

    :param hook: the account.
    :param request: what to generate, validated.
    :param ledger: the task's record.
    :param facts: the task.
    :param options: what the DAG's author allows.
    :param clock: time, injected.
    :param log: where to say what happened.
    :param surroundings: what it shares with the other submissions of the same task.
    :param purse: what pays for it; None: it has a purse of its own, as its record has a folder of its own.
    """

    def __init__(
        self,
        *,
        hook: AdGenHook,
        request: GenerationRequest,
        ledger: Ledger,
        facts: TaskFacts,
        options: SubmitOptions,
        clock: Clock,
        log: Any,
        surroundings: Surroundings = ALONE,
        purse: Purse | None = None,
    ) -> None:
        self.hook = hook
        self.vendor = hook.vendor
        self.request = request
        self.facts = facts
        self.options = options
        self.keeps = ledger.keeps
        self._outlives_clear = ledger.outlives_clear
        self.attempt_log = AttemptLog(
            vendor=hook.vendor,
            account=hook.account(),
            request=request,
            ledger=ledger,
            facts=facts,
            options=options,
            now=clock.now,
            log=log,
        )
        self._clock = clock
        self._log = log
        self._surroundings = surroundings
        self.purse = purse or Purse(hook.account(), record_folder(facts.identity), clock=clock, log=log)
        ledger.on_write = self._wrote
        self.window = SubmitWindow(
            hook=hook,
            attempt_log=self.attempt_log,
            facts=facts,
            timeout=options.submit_timeout,
            near=surroundings.near,
            clock=clock,
            log=log,
        )
        # Attempts whose posting by this process is over: another process may still be posting the others.
        self._posted: set[str] = set()
        if options.seed is not None and self.vendor.promises.idempotency is None:
            raise InvalidRequest(
                f"idempotency_key was given, but {self.vendor.title} has no idempotency keys. Nothing was sent."
            )

    def _wrote(self, attempt: Attempt, before: Attempt | None) -> None:
        self.purse.note(attempt)
        count_changes(attempt, before)

    # --- the loop -------------------------------------------------------------------------------------------------

    def obtain(
        self, *, resumed: bool = False, job_ids: list[str] | None = None, closed: str | None = None
    ) -> Generation | SubmitLater:
        """
        Return the generation of this task, submitting it if and only if that is safe; or when to try again.

        :param resumed: this is a later leg of the try that submitted.
        :param job_ids: jobs that the trigger carried; they count where the record has none.
        :param closed: why nothing may be submitted any more; None while it may.
        :raises AdGenError: it stops, and says why.
        """
        if not self.keeps and not resumed:
            self._log.warning(
                "Nothing records what this task pays for: Airflow before 3.3 keeps no task state, and [adgen] "
                "ledger_path is not set. A retry is refused, or relies on the vendor's idempotency keys."
            )
        self.attempt_log.refresh()
        if job_ids:
            last, record = self.attempt_log.last, self.attempt_log.record()
            if last is None:
                return self._stub(job_ids)
            known = record is not None and any(set(one.job_ids) & set(job_ids) for one in record.attempts)
            if last.phase == "intent" and known:
                # This try's job is paid for. What another try is submitting is not for this one to settle.
                return self.with_credits(self._stub(job_ids))
            if last.phase == "intent" and last.try_number == self.facts.try_number:
                # The job was accepted and could not be recorded; the trigger carried its id until now.
                self.attempt_log.adopt(last, job_ids, insist=True)
        asked, says, seen = None, None, None
        while True:
            record = self.attempt_log.record()
            counting = record.counting if record is not None else None
            if counting is None or counting.uid != asked:
                # What was said of one attempt's job says nothing about another's, by whichever process it was made.
                says = seen = None
            decision = decide(self._situation(record, resumed=resumed, says=says))
            if apply_resolution(decision, self.hook, self.request, self.attempt_log, self._log):
                continue
            decision = self._once(decision, record)
            done: Generation | SubmitLater | None = None
            match decision.action:
                case Action.SUBMIT if closed is not None:
                    raise self.window.closed(closed)
                case Action.SUBMIT if (stopped := self._surroundings.stopped()) is not None:
                    raise stopped
                case Action.SUBMIT:
                    done = self._submit(decision.attempt)
                case Action.REPEAT:
                    done = self._post(decision.subject)
                case Action.ASK:
                    asked = decision.subject.uid
                    seen, says = self._ask(decision.subject)
                case Action.ATTACH:
                    attempt = decision.subject
                    self._log.info("Going on with %s job %s.", self.vendor.title, ", ".join(attempt.job_ids))
                    return self.with_credits(seen or self._stub(attempt.job_ids))
                case Action.RETURN:
                    return Generation.from_xcom(decision.subject.result or {})
                case Action.WAIT:
                    done = self.window.pause(decision.seconds, decision.why)
                    self.attempt_log.refresh()
                case Action.STOP:
                    raise self._stop(decision)
            if done is not None:
                return done

    def take_answer(self) -> bool:
        """Record what a person said of a submission that nobody knows about; return whether there was anything."""
        decision = decide(self._situation(self.attempt_log.record(), resumed=False, says=None))
        return apply_resolution(decision, self.hook, self.request, self.attempt_log, self._log)

    def _once(self, decision: Decision, record: Record | None) -> Decision:
        """Let one try accept the risk of paying twice once, not for as long as the vendor's answers are broken."""
        if decision.why != Why.UNKNOWN_RESUBMIT or record is None:
            return decision
        lost = [one for one in record.attempts if one.phase == "intent" and one.try_number == self.facts.try_number]
        accepted = len(lost) < MOST_LOST and self._surroundings.accepts_risk()
        return decision if accepted else Decision(Action.STOP, Why.UNRESOLVED, decision.attempt)

    def _situation(self, record: Record | None, *, resumed: bool, says: str | None) -> Situation:
        counting = record.counting if record is not None else None
        return Situation(
            record=record,
            promises=self.vendor.promises,
            policy=self.options.policy,
            kind=self.request.kind,
            synchronous=self.request.synchronous and not self.request.askable,
            epoch=self.facts.epoch,
            try_number=self.facts.try_number,
            fingerprint=self.attempt_log.fingerprint,
            fields=self.attempt_log.fields,
            key_tag=self.hook.account().key_tag,
            now=self._clock.now(),
            resumed=resumed,
            own=counting is not None and counting.uid in self._posted,
            waits=self.options.on_insufficient == "wait",
            moved=self._surroundings.moved,
            says=says,
        )

    # --- spending -------------------------------------------------------------------------------------------------

    def _submit(self, before: Attempt | None) -> Generation | SubmitLater | None:
        self.attempt_log.check_budget()
        if self.request.overrides:
            self._log.warning(
                "extra_fields replaces %s of this %s request. It is sent as it is, and its price is not known.",
                ", ".join(self.request.overrides),
                self.request.kind,
            )
        return self._post(None, before)

    def _post(self, attempt: Attempt | None, before: Attempt | None = None) -> Generation | SubmitLater | None:
        """
        Write the intent, post, write what came of it.

        :param attempt: the recorded attempt to post again; None intends a new one.
        :param before: the attempt that a new one follows.
        :return: the generation; when to try again; or None to decide again.
        """
        collects = attempt is not None and attempt.phase != "intent"
        if not collects:
            check_spending(self.hook.account())
        held = self.hook.submit_delay()
        if held > 0:
            # Waited for before the intent: an intent counts as dead after the deadline of its request.
            return self.window.queue(held)
        permit = self._surroundings.permit if attempt is None else None
        claim = permit.take() if permit is not None else None
        if isinstance(claim, SubmitLater):
            return claim
        with withdrawn_unless_used(permit, claim, self.attempt_log):
            return self._pay(attempt, before, permit, claim, collects=collects)

    def _pay(
        self,
        attempt: Attempt | None,
        before: Attempt | None,
        permit: Permit | None,
        claim: str | None,
        *,
        collects: bool,
    ) -> Generation | SubmitLater | None:
        own = attempt is not None and attempt.uid in self._posted
        payment = payment_for(attempt, self.purse, self.attempt_log, self.window, self.options, own=own)
        if not isinstance(payment, Payment):
            return payment
        refused: AdGenError | None = None
        first, nothing_started = attempt is None, False
        with sigalrm_deferred():
            if attempt is None:
                failpoint("before-intent")
                with given_back(self.purse, payment):
                    paid = {"reservation": payment.reservation, "claim": claim}
                    attempt = self.attempt_log.intend(before, self.hook.account(), **paid)
                if before is not None and before.phase == "intent" and not attempt.refusals:
                    count_unknown(before, self.facts.try_number, own=before.uid in self._posted)
                failpoint("after-intent")
                if self.attempt_log.contested(attempt) or not still_paid(self.purse, permit, self.attempt_log, attempt):
                    return None
            elif not collects and (not own or len(attempt.posters) > 1):
                fresh = payment.reservation != attempt.reservation
                taken = self.attempt_log.take_up(attempt.model_copy(update={"reservation": payment.reservation}))
                if taken is None or (fresh and not self.purse.stands(payment.reservation, None)):
                    return None
                attempt = taken
            failpoint("before-post")
            try:
                generation = self.hook.post(self.request, idempotency_key=attempt.key, collects=collects)
            except AdGenError as error:
                self._posted.add(attempt.uid)
                refused, nothing_started = error, self._refused(attempt, error, first=first)
            else:
                if generation.credits.charged == 0 and (not first or attempt.repeats(before)):
                    # "Nothing charged" is said of this repeat; the posting before it may have cost the full price.
                    generation.credits.charged = None
                failpoint("before-record")
                self.attempt_log.submitted(attempt, generation)
        if refused is not None:
            waits = self.options.on_insufficient == "wait"
            return self.window.refused(refused, attempt.refusals, waits=waits) if nothing_started else None
        failpoint("after-record")
        self._log.info(
            "Submitted %s to %s: job %s, %s.",
            self.request.kind,
            self.vendor.title,
            ", ".join(generation.job_ids),
            say_cost(generation.credits.charged, attempt.price),
        )
        return self.with_credits(generation)

    def _refused(self, attempt: Attempt, error: AdGenError, *, first: bool) -> bool:
        """
        Write what a posting without a job proves; return whether it is certain that nothing was started.

        :param first: no process posted this attempt before.
        """
        if attempt.phase != "intent":
            # It was posted again only to collect its result; it is recorded as paid for already.
            raise error
        verdict = classify_submit_error(error, self.vendor.promises)
        if verdict.nothing_started and first:
            self.attempt_log.withdrawn(attempt, verdict, error)
            return True
        # A refused repeat says nothing about the posting before it, which may have been accepted.
        self._log.warning("%s", unanswered(error, attempt, verdict, self.vendor))
        self.attempt_log.unanswered(attempt, verdict, error)
        return False

    # --- asking, waiting, stopping --------------------------------------------------------------------------------

    def _ask(self, attempt: Attempt) -> tuple[Generation | None, str]:
        """Return the recorded job as the vendor has it, and its status or what else can be said of it."""
        try:
            seen = self.ask(attempt.job_ids, attempt.result_kind, attempt.submitted_at)
        except NotFound:
            gone = declared_gone(attempt, self.vendor.title, self.attempt_log, self._log)
            return None, GenerationStatus.EXPIRED if gone else MISSING
        except DownloadError:
            if not self.request.synchronous:
                raise
            return None, LOST
        if seen is None:
            return None, GenerationStatus.PROCESSING
        if seen.finished and not seen.succeeded:
            self.attempt_log.ended(attempt, seen)
        return seen, str(seen.status)

    def ask(self, job_ids: list[str], kind: str | None, submitted_at: float | None) -> Generation | None:
        """Ask the vendor for a job; see :func:`.ask_for_job`."""
        return ask_for_job(self.hook, job_ids, kind, submitted_at, clock=self._clock, log=self._log)

    def missing_job(self, error: NotFound) -> AdGenError:
        """Return the error for a job that the vendor does not know, with what a person can do about it."""
        attempt = self.attempt_log.counting
        if attempt is None or attempt.phase != "submitted":
            return error
        if declared_gone(attempt, self.vendor.title, self.attempt_log, self._log):
            return self._stop(Decision(Action.STOP, Why.EXPIRED, self.attempt_log.counting))
        return self._stop(Decision(Action.STOP, Why.MISSING_JOB, attempt))

    def _stop(self, decision: Decision) -> AdGenError:
        found = None
        if decision.attempt is not None and decision.why == Why.UNRESOLVED:
            own = decision.attempt.uid in self._posted
            count_unknown(decision.attempt, self.facts.try_number, own=own)
            if self.vendor.why_unlisted(decision.attempt.result_kind) is None:
                found = self._surroundings.candidates(self.hook, decision.attempt)
        return stop_error(decision, self.vendor, self.facts, candidates=found, outlives_clear=self._outlives_clear)

    def awaited(self) -> list[str]:
        """Return the jobs that this try waits for, as the record says."""
        last = self.attempt_log.counting
        waits = last is not None and last.phase == "submitted" and last.ended is None
        return list(last.job_ids) if last and waits and last.wait_try == self.facts.try_number else []

    def _stub(self, job_ids: list[str]) -> Generation:
        return Generation(
            vendor=self.vendor.name,
            id=job_ids[0],
            job_ids=job_ids,
            kind=self.request.result_kind,
            status=GenerationStatus.PROCESSING,
        )

    def with_credits(self, generation: Generation) -> Generation:
        """Put onto *generation* what its task cost."""
        return put_costs(generation, self.request.price(), self.attempt_log)
