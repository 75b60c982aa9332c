# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
From a validated request to a job that exists and is recorded: the only place that spends money.

The order is fixed: write *intent*, post, write *submitted* (or *withdrawn*). What to do next is decided by
:func:`airflow_provider_adgen.core.decisions.submission.decide`, again after every step that went wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.posting import judge
from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.decisions.submission import MISSING, Action, Decision, Policy, Situation, decide
from airflow_provider_adgen.core.errors import (
    AdGenError,
    AuthenticationError,
    GenerationTimeout,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    RateLimited,
)
from airflow_provider_adgen.core.identity import field_hashes, fingerprint, idempotency_key
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.seams import seam
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus, Kind
from airflow_provider_adgen.lifecycle.alarm import alarm_held
from airflow_provider_adgen.lifecycle.candidates import describe_candidates
from airflow_provider_adgen.lifecycle.stops import stop_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.facts import TaskFacts

CREDIT_PAUSE = 300.0
"""Seconds between looks at a balance that does not suffice."""


class Park(Exception):
    """
    Nothing can be submitted now; come back later.

    :param seconds: how long from now.
    :param reason: why, for the log.
    :param credits: come back when the account has so many credits, if that is what is missing.
    """

    def __init__(self, seconds: float, reason: str, *, credits: int | None = None) -> None:  # noqa: A002 - money's own word
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason
        self.credits = credits


@dataclass(frozen=True)
class Terms:
    """
    What the DAG's author allows; see :class:`GenerateOperator`.

    :param policy: what to do about earlier attempts.
    :param max_credits: the most that all tries together may cost.
    :param assume_credits: what to count where no price is documented.
    :param on_insufficient: ``fail`` or ``wait``.
    :param submit_timeout: seconds to wait for being allowed to submit.
    :param seed: replaces DAG, run and task in the idempotency key.
    :param wait_seconds: how long a try waits for the job.
    """

    policy: Policy = field(default_factory=Policy)
    max_credits: int | None = None
    assume_credits: int | None = None
    on_insufficient: str = "fail"
    submit_timeout: float = 24 * 3600.0
    seed: str | None = None
    wait_seconds: float = 7200.0


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
        self.request = request
        self.ledger = ledger
        self.facts = facts
        self.terms = terms
        self._sleep = sleep
        self._now = now
        self._log = log
        profile = hook.profile()
        self.vendor = hook.vendor
        identity = (request.kind, request.body(), self.vendor.name, profile.host, hook.conn_id)
        self.fingerprint = fingerprint(*identity)
        self.fields = field_hashes(*identity)
        if terms.seed is not None and self.vendor.promises.idempotency is None:
            raise InvalidRequest(
                f"idempotency_key was given, but {self.vendor.title} has no idempotency keys. Nothing was sent."
            )
        self._reread = False

    # --- the loop -------------------------------------------------------------------------------------------------

    def obtain(self, *, resumed: bool = False, event_ids: tuple[str, ...] = ()) -> Generation:
        """
        Return the generation of this task, submitting it if and only if that is safe.

        :param resumed: this is a later leg of the try that submitted.
        :param event_ids: job ids that came with the trigger's event; used where nothing is recorded.
        :raises Park: it cannot be submitted now.
        :raises AdGenError: it stops, and says why.
        """
        own, says, seen = False, None, None
        while True:
            record = self.ledger.record()
            if record is None and event_ids:
                return self._stub(list(event_ids))
            decision = decide(self._situation(record, resumed=resumed, own=own, says=says))
            match decision.action:
                case Action.SUBMIT:
                    done = self._submit(decision, record)
                    own = True
                case Action.REPEAT:
                    done = self._post(_attempt(decision))
                    own = True
                case Action.ASK:
                    seen, says = self._ask(_attempt(decision))
                    continue
                case Action.ATTACH:
                    attempt = _attempt(decision)
                    self._log.info("Going on with %s job %s.", self.vendor.title, ", ".join(attempt.job_ids))
                    return self.with_credits(seen or self._stub(attempt.job_ids, attempt.makes), attempt)
                case Action.RETURN:
                    return Generation.from_xcom(_attempt(decision).result or {})
                case Action.WAIT:
                    self._pause(decision.seconds, decision.why)
                    continue
                case Action.STOP:
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
            fingerprint=self.fingerprint,
            fields=self.fields,
            key_tag=self.hook.profile().key_tag,
            now=self._now(),
            resumed=resumed,
            own=own,
            says=says,
        )

    # --- spending -------------------------------------------------------------------------------------------------

    def _submit(self, decision: Decision, record: Record | None) -> Generation | None:
        before = decision.attempt
        if before is not None and before.phase == "submitted":
            self._close(before)
            record = self.ledger.record()
        self._check_budget(record)
        return self._post(self._new_attempt(before, record))

    def _close(self, attempt: Attempt) -> None:
        """Record that the earlier job is over, and its refund where one is documented."""
        refunded = attempt.price if attempt.ended in self.vendor.promises.refunded else None
        self.ledger.write(attempt.model_copy(update={"refunded": refunded}), patient=True)

    def _new_attempt(self, before: Attempt | None, record: Record | None) -> Attempt:
        profile = self.hook.profile()
        answered = record.answered if record is not None else 0
        rule = self.vendor.promises.idempotency
        key = None
        if rule is not None and rule.covers(self.request.kind):
            key = idempotency_key(
                self.facts.identity,
                epoch=self.facts.epoch,
                fingerprint=self.fingerprint,
                answered=answered,
                seed=self.terms.seed,
            )
            unanswered = before is not None and not before.answered and before.key is not None
            if unanswered and before is not None and before.fingerprint == self.fingerprint:
                key = before.key
        return Attempt(
            phase="intent",
            key=key,
            epoch=self.facts.epoch,
            try_number=self.facts.try_number,
            fingerprint=self.fingerprint,
            fields=self.fields,
            kind=self.request.kind,
            endpoint=self.vendor.submit(self.request, None).endpoint,
            intended_at=self._now(),
            post_seconds=profile.timeout,
            key_tag=profile.key_tag,
            makes=self.request.makes,
            price=self.price(),
        )

    def price(self) -> int | None:
        """Return what this generation counts for: its documented price, or ``assume_credits``."""
        documented = self.request.price()
        return documented if documented is not None else self.terms.assume_credits

    def _check_budget(self, record: Record | None) -> None:
        limit = self.terms.max_credits
        if limit is None:
            return
        price = self.price()
        if price is None:
            raise InvalidRequest(
                f"max_credits={limit} cannot be kept: {self.vendor.title} documents no price for a "
                f"{self.request.kind} request. Say with assume_credits what to count. Nothing was sent."
            )
        spent = record.spent(self.facts.epoch) if record is not None else 0
        if spent + price > limit:
            raise InvalidRequest(
                f"This {self.request.kind} request costs {price} credits and earlier attempts of {self.facts.identity} "
                f"may have cost {spent}: together more than max_credits={limit}. Nothing was sent."
            )

    def _post(self, attempt: Attempt) -> Generation | None:
        """Write the intent, post, write what came of it; return the generation, or None to decide again."""
        with alarm_held():
            if attempt.phase == "intent":
                attempt = self.ledger.write(attempt)
            seam("before-post")
            try:
                generation = self.hook.submit(self.request, idempotency_key=attempt.key)
            except AdGenError as error:
                self._refused(attempt, error)
                return None
            seam("before-record")
            self._keep(attempt, generation)
        seam("after-record")
        cost = generation.credits.charged if generation.credits.charged is not None else attempt.price
        self._log.info(
            "Submitted %s to %s: job %s%s.",
            self.request.kind,
            self.vendor.title,
            ", ".join(generation.job_ids),
            f", {cost} credits" if cost is not None else "",
        )
        return self.with_credits(generation, attempt)

    def _keep(self, attempt: Attempt, generation: Generation) -> None:
        synchronous = generation.finished and self.request.synchronous and generation.variants
        kept = attempt.model_copy(
            update={
                "phase": "submitted",
                "answered": True,
                "job_ids": list(generation.job_ids),
                "submitted_at": self._now(),
                "sent_at": self._now(),
                "charged": generation.credits.charged,
                "wait_try": self.facts.try_number,
                "wait_until": self._now() + self.terms.wait_seconds,
                # Copy is given once, with this answer: it is kept before anything else can go wrong.
                "result": generation.to_xcom(urls=False) if synchronous else None,
            }
        )
        try:
            self.ledger.write(kept, patient=True)
        except Exception as error:
            self._log.error(
                "%s job %s is paid for and could not be recorded (%s). If this task fails now, attach that job instead "
                "of submitting again.",
                self.vendor.title,
                ", ".join(generation.job_ids),
                type(error).__name__,
            )

    def _refused(self, attempt: Attempt, error: AdGenError) -> None:
        verdict = judge(error, self.vendor.promises)
        changed = {
            "statuses": [*attempt.statuses, verdict.status],
            "sent_at": self._now(),
            "answered": attempt.answered or verdict.answered,
            "reason": error.message,
            "retry_at": self._now() + (error.retry_after or 0.0) if isinstance(error, RateLimited) else None,
        }
        collecting = attempt.phase == "submitted"
        # A refused repeat says nothing about the posting before it, which may have been accepted.
        if verdict.nothing_started and not collecting and not attempt.statuses:
            self.ledger.write(attempt.model_copy(update={**changed, "phase": "withdrawn"}), patient=True)
            self._after_refusal(error)
            return
        if collecting:
            raise error
        self._log.warning("%s The submission may have been accepted.", error.message)
        self.ledger.write(attempt.model_copy(update={**changed, "unknown": verdict.unknown}), patient=True)

    def _after_refusal(self, error: AdGenError) -> None:
        """Nothing was started: wait where that helps, or raise."""
        if isinstance(error, RateLimited):
            self._pause(error.retry_after if error.retry_after is not None else NEAR * 1.5, "rate limit")
            return
        if isinstance(error, InsufficientCredits) and self.terms.on_insufficient == "wait":
            self._check_patience(CREDIT_PAUSE, "not enough credits")
            raise Park(CREDIT_PAUSE, "not enough credits", credits=error.required or self.price())
        if isinstance(error, AuthenticationError) and not self._reread:
            # The key may have been rotated after the connection was read.
            self._reread = True
            before = self.hook.profile().key_tag
            if self.hook.changed_key() != before:
                return
        raise error

    # --- asking, waiting, stopping --------------------------------------------------------------------------------

    def _ask(self, attempt: Attempt) -> tuple[Generation | None, str]:
        try:
            ids = ",".join(attempt.job_ids)
            seen = self.hook.with_current_key(lambda: self.hook.get_generation(ids, kind=attempt.makes))
        except NotFound:
            return None, MISSING
        if seen.finished and not seen.succeeded:
            self.ledger.write(
                attempt.model_copy(update={"ended": str(seen.status), "reason": seen.error}), patient=True
            )
        return seen, str(seen.status)

    def _pause(self, seconds: float, reason: str) -> None:
        self._check_patience(seconds, reason)
        if seconds > NEAR:
            raise Park(seconds, reason)
        self._log.info("Waiting %.0f s before asking %s again: %s.", seconds, self.vendor.title, reason)
        self._sleep(seconds)

    def _check_patience(self, seconds: float, reason: str) -> None:
        record = self.ledger.record()
        first = min(
            (one.intended_at for one in (record.attempts if record else []) if one.try_number == self.facts.try_number),
            default=self._now(),
        )
        if self._now() + seconds > first + self.terms.submit_timeout:
            raise GenerationTimeout(
                f"{self.facts.identity} was not allowed to submit to {self.vendor.title} within "
                f"{self.terms.submit_timeout:g} s ({reason}). Nothing was started by this attempt."
            )

    def _stop(self, decision: Decision) -> AdGenError:
        found = ""
        if decision.attempt is not None and decision.attempt.phase == "intent" and self.vendor.promises.lists_jobs:
            found = describe_candidates(self.hook, decision.attempt)
        return stop_error(decision, self.vendor, self.facts, candidates=found)

    # --- after the submission -------------------------------------------------------------------------------------

    def waiting(self) -> tuple[float, float]:
        """Return the Unix times at which the job was submitted and at which this try stops waiting for it."""
        now = self._now()
        record = self.ledger.record()
        last = record.last if record is not None else None
        if last is None or last.phase not in {"submitted", "done"}:
            return now, now + self.terms.wait_seconds
        if last.wait_try != self.facts.try_number or last.wait_until is None:
            until = now + self.terms.wait_seconds
            last = self.ledger.write(
                last.model_copy(update={"wait_try": self.facts.try_number, "wait_until": until}), patient=True
            )
        return last.submitted_at or now, last.wait_until or now + self.terms.wait_seconds

    def ended(self, generation: Generation) -> None:
        """Record that the job ended without a result."""
        self._update(ended=str(generation.status), reason=generation.error)

    def delivered(self, result: dict[str, Any]) -> None:
        """Record that the result was delivered: *result* without its links."""
        creatives = [{**one, "url": None, "expires_at": None} for one in result.get("creatives", [])]
        self._update(phase="done", result={**result, "creatives": creatives})

    def _update(self, **changes: Any) -> None:
        record = self.ledger.record()
        last = record.last if record is not None else None
        if last is not None and last.phase in {"submitted", "done"}:
            self.ledger.write(last.model_copy(update=changes), patient=True)

    def _stub(self, ids: list[str], makes: str | None = None) -> Generation:
        kind: Kind = self.request.makes
        return Generation(
            vendor=self.vendor.name, id=ids[0], job_ids=ids, kind=kind, status=GenerationStatus.PROCESSING
        )

    def with_credits(self, generation: Generation, attempt: Attempt | None = None) -> Generation:
        """Put quoted and charged credits, which the vendor says at the submission only, onto *generation*."""
        if attempt is None:
            record = self.ledger.record()
            attempt = record.last if record is not None else None
        if generation.credits.quoted is None:
            generation.credits.quoted = self.request.price()
        if generation.credits.charged is None and attempt is not None:
            generation.credits.charged = attempt.charged
        return generation


def _attempt(decision: Decision) -> Attempt:
    if decision.attempt is None:
        raise InvalidRequest(
            f"A decision to {decision.action} is about no attempt; this is a defect. Nothing was sent."
        )
    return decision.attempt
