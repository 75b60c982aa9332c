# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
From a validated request to a job that exists and is recorded: the only place that spends money.

The order is fixed: write *intent*, post, write *submitted* (or *withdrawn*). What to do next is decided by
:func:`airflow_provider_adgen.core.decisions.submission.decide`, again after every step that went wrong.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.posting import judge
from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.decisions.submission import MISSING, Action, Decision, Situation, Why, decide
from airflow_provider_adgen.core.errors import (
    AdGenError,
    AuthenticationError,
    GenerationTimeout,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    RateLimited,
)
from airflow_provider_adgen.core.seams import seam
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus, Kind
from airflow_provider_adgen.hooks.base import job_ids
from airflow_provider_adgen.lifecycle.alarm import alarm_held
from airflow_provider_adgen.lifecycle.book import Book
from airflow_provider_adgen.lifecycle.candidates import describe_candidates
from airflow_provider_adgen.lifecycle.resolution import NOT_SUBMITTED, read_resolution, variable_name
from airflow_provider_adgen.lifecycle.stops import stop_error
from airflow_provider_adgen.lifecycle.terms import Park, Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.facts import TaskFacts

CREDIT_PAUSE = 300.0
"""Seconds between looks at a balance that does not suffice."""

SPREAD = 0.1
"""Part of a long wait over which those who wait are spread, so that they do not all come back at once."""


class PaidJob:
    """
    One task's intended generation.

    :param hook: the account.
    :param request: what to generate, validated.
    :param ledger: the task's record.
    :param facts: the task.
    :param terms: what the DAG's author allows.
    :param sleep: waits on the worker, injected.
    :param now: Unix time, injected.
    :param log: where to say what happened.
    """

    def __init__(
        self,
        *,
        hook: AdGenHook,
        request: GenerationRequest,
        ledger: Ledger,
        facts: TaskFacts,
        terms: Terms,
        sleep: Callable[[float], None],
        now: Callable[[], float],
        log: Any,
    ) -> None:
        self.hook = hook
        self.vendor = hook.vendor
        self.request = request
        self.facts = facts
        self.terms = terms
        self.keeps = ledger.keeps
        self.book = Book(
            vendor=hook.vendor,
            profile=hook.profile(),
            request=request,
            ledger=ledger,
            facts=facts,
            terms=terms,
            now=now,
            log=log,
        )
        self._sleep = sleep
        self._now = now
        self._log = log
        self._reread = False
        if terms.seed is not None and self.vendor.promises.idempotency is None:
            raise InvalidRequest(
                f"idempotency_key was given, but {self.vendor.title} has no idempotency keys. Nothing was sent."
            )

    # --- the loop -------------------------------------------------------------------------------------------------

    def obtain(self, *, resumed: bool = False, event_ids: tuple[str, ...] = ()) -> Generation:
        """
        Return the generation of this task, submitting it if and only if that is safe.

        :param resumed: this is a later leg of the try that submitted.
        :param event_ids: job ids that the trigger carried; they count where the record has none.
        :raises Park: it cannot be submitted now.
        :raises AdGenError: it stops, and says why.
        """
        if not self.keeps and not resumed:
            self._log.warning(
                "Nothing records what this task pays for: Airflow before 3.3 keeps no task state, and [adgen] "
                "ledger_path is not set. A retry is refused, or relies on the vendor's idempotency keys."
            )
        self.book.refresh()
        if event_ids:
            last = self.book.last
            if last is None:
                return self._stub(list(event_ids))
            if last.phase == "intent":
                # The job was accepted and could not be recorded; the trigger carried its id until now.
                self.book.adopt(last, list(event_ids), insist=True)
        own, says, seen = False, None, None
        while True:
            decision = decide(self._situation(self.book.record(), resumed=resumed, own=own, says=says))
            done = None
            match decision.action:
                case Action.SUBMIT:
                    done, own = self._submit(decision.attempt), True
                case Action.REPEAT:
                    done, own = self._post(_attempt(decision)), True
                case Action.ASK:
                    seen, says = self._ask(_attempt(decision))
                case Action.ATTACH:
                    attempt = _attempt(decision)
                    self._log.info("Going on with %s job %s.", self.vendor.title, ", ".join(attempt.job_ids))
                    return self.with_credits(seen or self._stub(attempt.job_ids))
                case Action.RETURN:
                    return Generation.from_xcom(_attempt(decision).result or {})
                case Action.WAIT:
                    self._pause(decision.seconds, decision.why)
                    self.book.refresh()
                case Action.STOP:
                    if not self._resolved(decision):
                        raise self._stop(decision)
            if done is not None:
                return done

    def _situation(self, record: Record | None, *, resumed: bool, own: bool, says: str | None) -> Situation:
        return Situation(
            record=record,
            promises=self.vendor.promises,
            policy=self.terms.policy,
            kind=self.request.kind,
            synchronous=self.request.synchronous,
            epoch=self.facts.epoch,
            try_number=self.facts.try_number,
            fingerprint=self.book.fingerprint,
            fields=self.book.fields,
            key_tag=self.hook.profile().key_tag,
            now=self._now(),
            resumed=resumed,
            own=own,
            says=says,
        )

    # --- spending -------------------------------------------------------------------------------------------------

    def _submit(self, before: Attempt | None) -> Generation | None:
        if before is not None and before.phase == "submitted":
            self.book.closed(before)
        self.book.check_budget()
        return self._post(None, before)

    def _post(self, attempt: Attempt | None, before: Attempt | None = None) -> Generation | None:
        """
        Write the intent, post, write what came of it.

        :param attempt: the recorded attempt to post again; None intends a new one.
        :param before: the attempt that a new one follows.
        :return: the generation, or None to decide again.
        """
        refusal: AdGenError | None = None
        first, nothing_started = attempt is None, False
        with alarm_held():
            if attempt is None:
                attempt = self.book.intend(before, self.hook.profile())
            seam("before-post")
            try:
                generation = self.hook.submit(self.request, idempotency_key=attempt.key)
            except AdGenError as error:
                refusal, nothing_started = error, self._refused(attempt, error, first=first)
            else:
                if not first and generation.credits.charged == 0:
                    # "Nothing charged" is said of this repeat; the posting before it may have cost the full price.
                    generation.credits.charged = None
                seam("before-record")
                self.book.submitted(attempt, generation)
        if refusal is not None:
            if nothing_started:
                self._after_refusal(refusal)
            return None
        seam("after-record")
        cost = generation.credits.charged if generation.credits.charged is not None else attempt.price
        self._log.info(
            "Submitted %s to %s: job %s%s.",
            self.request.kind,
            self.vendor.title,
            ", ".join(generation.job_ids),
            f", {cost} credits" if cost is not None else "",
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
        verdict = judge(error, self.vendor.promises)
        if verdict.nothing_started and first:
            self.book.withdrawn(attempt, verdict, error)
            return True
        # A refused repeat says nothing about the posting before it, which may have been accepted.
        self._log.warning("%s The submission may have been accepted.", error.message)
        self.book.unanswered(attempt, verdict, error)
        return False

    def _after_refusal(self, error: AdGenError) -> None:
        """Nothing was started: wait where that helps, or raise."""
        if isinstance(error, RateLimited):
            self._pause(error.retry_after if error.retry_after is not None else NEAR * 1.5, "rate limit")
            return
        if isinstance(error, InsufficientCredits) and self.terms.on_insufficient == "wait":
            self._check_patience(CREDIT_PAUSE, "not enough credits")
            raise Park(CREDIT_PAUSE, "not enough credits", credits=error.required or self.book.price())
        if isinstance(error, AuthenticationError) and not self._reread:
            # The key may have been rotated after the connection was read.
            self._reread = True
            before = self.hook.profile().key_tag
            if self.hook.changed_key() != before:
                return
        raise error

    # --- asking, waiting, stopping --------------------------------------------------------------------------------

    def _ask(self, attempt: Attempt) -> tuple[Generation | None, str]:
        ids = ",".join(attempt.job_ids)
        try:
            seen = self.hook.with_current_key(lambda: self.hook.get_generation(ids, kind=attempt.makes))
        except NotFound:
            return None, MISSING
        if seen.finished and not seen.succeeded:
            self.book.ended(attempt, seen)
        return seen, str(seen.status)

    def _pause(self, seconds: float, reason: str) -> None:
        self._check_patience(seconds, reason)
        if seconds > NEAR:
            raise Park(seconds * (1 + SPREAD * random.random()), reason)  # noqa: S311 - jitter, not a secret
        self._log.info("Waiting %.0f s before asking %s again: %s.", seconds, self.vendor.title, reason)
        self._sleep(seconds)

    def _check_patience(self, seconds: float, reason: str) -> None:
        record = self.book.record()
        first = min(
            (one.intended_at for one in (record.attempts if record else []) if one.try_number == self.facts.try_number),
            default=self._now(),
        )
        if self._now() + seconds > first + self.terms.submit_timeout:
            raise self.impatient(reason)

    def impatient(self, reason: str) -> GenerationTimeout:
        """Return the error for not having been allowed to submit in time."""
        last = self.book.last
        return GenerationTimeout(
            f"{self.facts.identity} was not allowed to submit to {self.vendor.title} within "
            f"{self.terms.submit_timeout:g} s ({reason}). "
            + (
                "Whether the submission before was accepted is not known; a retry settles that first."
                if last is not None and last.phase == "intent"
                else "Nothing was started by this attempt."
            )
        )

    def _resolved(self, decision: Decision) -> bool:
        """Apply what a person said about an unresolved attempt; return whether there was anything to apply."""
        attempt = decision.attempt
        if decision.why != Why.UNRESOLVED or attempt is None:
            return False
        said = read_resolution(attempt.uid)
        if said is None:
            return False
        if said == NOT_SUBMITTED:
            self._log.warning("A person declared that attempt %s was not submitted.", attempt.uid)
            self.book.dismissed(attempt)
        else:
            ids = job_ids(said)
            self._check_exists(attempt, ids)
            self._log.warning("A person attached %s job %s to attempt %s.", self.vendor.title, said, attempt.uid)
            self.book.adopt(attempt, list(ids))
        return True

    def _check_exists(self, attempt: Attempt, ids: tuple[str, ...]) -> None:
        """
        Check that the vendor knows the jobs that a person named: what is recorded cannot be taken back.

        :raises InvalidRequest: it does not.
        """
        if self.request.synchronous:
            return
        try:
            self.hook.with_current_key(lambda: self.hook.get_generation(",".join(ids), kind=attempt.makes))
        except NotFound:
            raise InvalidRequest(
                f"Variable {variable_name(attempt.uid)} names job {', '.join(ids)}, which {self.vendor.title} does not "
                "know in this account. Nothing was sent or recorded: put the Variable right and clear the task."
            ) from None

    def _stop(self, decision: Decision) -> AdGenError:
        found = ""
        if decision.attempt is not None and decision.attempt.phase == "intent" and self.vendor.promises.lists_jobs:
            found = describe_candidates(self.hook, decision.attempt)
        return stop_error(decision, self.vendor, self.facts, candidates=found)

    def _stub(self, ids: list[str]) -> Generation:
        kind: Kind = self.request.makes
        return Generation(
            vendor=self.vendor.name, id=ids[0], job_ids=ids, kind=kind, status=GenerationStatus.PROCESSING
        )

    def with_credits(self, generation: Generation) -> Generation:
        """Put quoted and charged credits, which the vendor says at the submission only, onto *generation*."""
        last = self.book.last
        if generation.credits.quoted is None:
            generation.credits.quoted = self.request.price()
        if generation.credits.charged is None and last is not None:
            generation.credits.charged = last.charged
        return generation


def _attempt(decision: Decision) -> Attempt:
    if decision.attempt is None:
        raise InvalidRequest(
            f"A decision to {decision.action} is about no attempt; this is a defect. Nothing was sent."
        )
    return decision.attempt
