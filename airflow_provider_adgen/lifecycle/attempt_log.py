# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Writes one task's attempts into its ledger: the intent, and its outcome. It sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import TEMPORARY, AdGenError, InvalidRequest, RateLimited, UnexpectedResponse
from airflow_provider_adgen.core.identity import field_hashes, fingerprint, idempotency_key
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.core.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.decisions.posting import Verdict
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.core.vendor import Vendor
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.submit_options import SubmitOptions
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


_LATER = TEMPORARY | {402}
"""Refusals after which the same submission may be accepted later."""


class AttemptLog:
    """
    One task's attempts.

    :param vendor: the vendor.
    :param account: the account.
    :param request: what to generate, validated.
    :param ledger: the task's record.
    :param facts: the task.
    :param options: what the DAG's author allows.
    :param now: Unix time, injected.
    :param log: where to say what could not be written.
    """

    def __init__(
        self,
        *,
        vendor: Vendor,
        account: Account,
        request: GenerationRequest,
        ledger: Ledger,
        facts: TaskFacts,
        options: SubmitOptions,
        now: Callable[[], float],
        log: Any,
    ) -> None:
        self._vendor = vendor
        self._request = request
        self._ledger = ledger
        self._facts = facts
        self._options = options
        self._now = now
        self._log = log
        identity = (request.kind, request.body(), vendor.name, account.host, account.conn_id)
        self.fingerprint = fingerprint(*identity)
        self.fields = field_hashes(*identity)
        self._replaced: Attempt | None = None

    def record(self) -> Record | None:
        """Return the record; None where no store is configured and this process has written nothing."""
        return self._ledger.record()

    def refresh(self) -> None:
        """Read the record again: another process of the same task may have written meanwhile."""
        self._ledger.refresh()

    @property
    def last(self) -> Attempt | None:
        """The latest attempt."""
        record = self.record()
        return record.last if record is not None else None

    @property
    def counting(self) -> Attempt | None:
        """The attempt that counts: the latest that was not withdrawn. Its job is waited for and delivered."""
        record = self.record()
        return record.counting if record is not None else None

    def earlier(self) -> list[Attempt]:
        """Return the attempts before the one that counts that started jobs for the same intended generation."""
        record, last = self.record(), self.counting
        if record is None or last is None:
            return []
        return [
            one
            for one in record.attempts
            if one.uid != last.uid
            and one.epoch == last.epoch
            and one.phase in {"submitted", "done"}
            and one.conn_id == last.conn_id  # credits of two accounts are never added up
        ]

    # --- before the submission ------------------------------------------------------------------------------------

    def price(self) -> int | None:
        """Return the credits that this generation counts for: its documented price, or ``assume_credits``."""
        documented = self._request.price()
        return documented if documented is not None else self._options.assume_credits

    def check_budget(self) -> None:
        """
        Check ``max_credits``.

        :raises InvalidRequest: the price is not known, or it is too much together with earlier attempts.
        """
        limit = self._options.max_credits
        if limit is None:
            return
        price = self.price()
        if price is None:
            raise InvalidRequest(
                f"max_credits={limit} cannot be kept: {self._vendor.title} documents no price of "
                f"{self._request.kind} requests. Say with assume_credits what to count. Nothing was sent."
            )
        record = self.record()
        # Where a clear is treated as a retry, it intends no new generation.
        epoch = self._facts.epoch if self._options.policy.on_clear == "fresh" else None
        spent = record.spent(epoch) if record is not None else 0
        if spent + price > limit:
            raise InvalidRequest(
                f"This {self._request.kind} request costs {counted(price, 'credit')} and earlier attempts of "
                f"{self._facts.identity} may have cost {spent}: together more than max_credits={limit}. Nothing was "
                "sent."
            )

    def intend(self, before: Attempt | None, account: Account, **paid: str | None) -> Attempt:
        """
        Write the intent of a new attempt. If the store raises, nothing is posted.

        It replaces the last attempt if the vendor only asked to come back later, so that any number of refusals leaves
        one entry.

        :param paid: ``reservation`` and ``claim``, under which it is going to be paid.
        :raises InvalidRequest: the request cannot be sent; nothing was written.
        """
        now, last, key = self._now(), self.last, self._key(before)
        endpoint = self._vendor.submit(self._request, key).endpoint
        refused = last if last is not None and self._replaces(last) else None
        attempt = Attempt(
            phase="intent",
            key=key,
            epoch=self._facts.epoch,
            try_number=self._facts.try_number,
            fingerprint=self.fingerprint,
            fields=self.fields,
            vendor=self._vendor.name,
            conn_id=account.conn_id,
            host=account.host,
            **paid,
            request_kind=self._request.kind,
            endpoint=endpoint,
            # Attempts are ordered by time; a worker whose clock is behind must come last all the same.
            intended_at=now if last is None else max(now, last.intended_at + 0.001),
            clock_at=now,
            posters=[self._ledger.process],
            post_seconds=account.timeout,
            key_tag=account.key_tag,
            result_kind=self._request.result_kind,
            price=self.price(),
        )
        if refused is not None:
            attempt.refusals = refused.refusals + 1
            attempt.answered_before = refused.answered_before + refused.answered
            if refused.try_number == attempt.try_number:
                attempt.first_intended_at = refused.first_intended_at or refused.intended_at
        try:
            written = self._ledger.write(attempt)
        except Exception as error:
            # One of two stores may have taken it. Nothing is posted, so a later try must not ask a person about it.
            self.withdraw(attempt, f"its intent could not be recorded ({type(error).__name__})")
            raise
        self._replaced = refused
        return written

    def take_up(self, attempt: Attempt) -> Attempt | None:
        """
        Write that this process repeats an attempt of another one, which then sees that it is not alone.

        :return: the attempt to post; None where another process has written something meanwhile.
        """
        if not self._ledger.keeps:
            return attempt
        posters = sorted({*attempt.posters, self._ledger.process})
        written = self._ledger.write(attempt.model_copy(update={"posters": posters}))
        if not self._ledger.newcomers():
            return written
        by = sorted({*written.withdrawn_by, self._ledger.process})
        self._ledger.write(written.model_copy(update={"withdrawn_by": by}), retrying=True)
        return None

    def _replaces(self, last: Attempt) -> bool:
        """Whether a new attempt replaces the last one, which the vendor refused only for now."""
        return (
            last.phase == "withdrawn"
            and last.fingerprint == self.fingerprint
            and last.epoch == self._facts.epoch
            and bool(last.statuses)
            and all(status in _LATER for status in last.statuses)
        )

    def contested(self, attempt: Attempt) -> bool:
        """
        Return whether another process wrote something for this task after the decision to post *attempt*.

        This process may have been frozen between reading the record and writing its intent, and Airflow may have
        started another try meanwhile. A process that sees another's entry withdraws its own intent and decides again.
        """
        if not self._ledger.keeps:
            return False
        try:
            others = self._ledger.newcomers()
        except AdGenError:
            self.withdraw(attempt, "the record could not be read again")
            raise
        if not others:
            if self._replaced is not None:
                self._ledger.forget(self._replaced)
            return False
        self._log.warning(
            "Another process has recorded a submission of %s meanwhile. This one posts nothing.", self._facts.identity
        )
        if attempt.uid in {one.uid for one in others}:
            return True  # it repeats this attempt: what comes of it is for both
        self.withdraw(attempt, "another process was submitting for the same task")
        return True

    def _key(self, before: Attempt | None) -> str | None:
        if self._vendor.promises.idempotency is None:
            return None
        if before is not None and not before.answered and before.key and before.fingerprint == self.fingerprint:
            # It was not answered: with the same key the vendor may still recognise it.
            return before.key
        # Without a record a later try cannot count attempts: it must come to the same key as this one, and so must a
        # try after a clear that is treated as a retry.
        record = self.record() if self._ledger.keeps else None
        return idempotency_key(
            self._facts.identity,
            epoch=0 if record is None and self._options.policy.on_clear == "reattach" else self._facts.epoch,
            fingerprint=self.fingerprint,
            answered=record.answered if record is not None else 0,
            seed=self._options.seed,
        )

    # --- what came of it ------------------------------------------------------------------------------------------

    def submitted(self, attempt: Attempt, generation: Generation) -> None:
        """Write that a job exists. It is paid for: if that cannot be written, it is logged and the task goes on."""
        keep = generation.finished and self._request.synchronous and bool(generation.variants)
        told = generation.credits.charged
        self._insist(
            attempt.model_copy(
                update={
                    "phase": "submitted",
                    "epoch": self._facts.epoch,
                    "answered": True,
                    "job_ids": generation.job_ids,
                    "submitted_at": self._now(),
                    "sent_at": self._now(),
                    # A repeat that only collects the result does not say what was charged.
                    "charged": told if told is not None else attempt.charged,
                    "wait_try": self._facts.try_number,
                    "wait_until": self._now() + self._options.wait_seconds,
                    # Copy comes with this answer: it is kept before anything else can go wrong.
                    "result": generation.to_xcom(urls=False) if keep else None,
                }
            ),
            self._unrecorded(generation.job_ids),
        )

    def _unrecorded(self, job_ids: list[str]) -> str:
        return (
            f"{self._vendor.title} job {', '.join(job_ids)} is paid for and could not be recorded. If this task fails "
            "now, attach that job instead of submitting again"
        )

    def adopt(self, attempt: Attempt, job_ids: list[str], *, insist: bool = False) -> None:
        """
        Write that *attempt* is known to have started these jobs.

        :param insist: the vendor said so: if it cannot be written, that is said and it goes on.
        """
        changes = {
            "phase": "submitted",
            "epoch": self._facts.epoch,
            "answered": True,
            "job_ids": job_ids,
            "submitted_at": self._now(),
        }
        known = attempt.model_copy(update=changes)
        if insist:
            self._insist(known, self._unrecorded(job_ids))
        else:
            self._ledger.write(known, retrying=True)

    def withdrawn(self, attempt: Attempt, verdict: Verdict, error: AdGenError) -> None:
        """Write that nothing was started; if it cannot be written, the intent stays and a later try stops."""
        self.withdraw(attempt.model_copy(update=self._outcome(attempt, verdict, error)), error.message)

    def withdraw(self, attempt: Attempt, reason: str) -> None:
        """Write that nothing was started; if it cannot be written, the intent stays and a later try stops."""
        by = sorted({*attempt.withdrawn_by, self._ledger.process})
        self._insist(
            attempt.model_copy(update={"phase": "withdrawn", "reason": reason, "withdrawn_by": by}),
            "Nothing was started, which could not be recorded: a later try will ask a person",
        )

    def dismissed(self, attempt: Attempt) -> None:
        """Write that a person says *attempt* started nothing."""
        reason = "a person declared that it was not submitted"
        by = {"phase": "withdrawn", "reason": reason, "withdrawn_by": attempt.posters}
        self._ledger.write(attempt.model_copy(update=by), retrying=True)

    def unanswered(self, attempt: Attempt, verdict: Verdict, error: AdGenError) -> None:
        """Write that the outcome is unknown."""
        # Only an acceptance answers it. A refused repeat says nothing about the posting before, and the key of that one
        # may still tell.
        answered = attempt.answered or verdict.unknown
        changes = {**self._outcome(attempt, verdict, error), "unknown": verdict.unknown, "answered": answered}
        if isinstance(error, UnexpectedResponse):
            changes["answer"] = error.excerpt
        self._ledger.write(attempt.model_copy(update=changes), retrying=True)

    def _outcome(self, attempt: Attempt, verdict: Verdict, error: AdGenError) -> dict[str, Any]:
        asked = error.retry_after if isinstance(error, RateLimited) else None
        return {
            "statuses": [*attempt.statuses, verdict.status],
            "sent_at": self._now(),
            "answered": attempt.answered or verdict.answered,
            "reason": error.message,
            "retry_at": None if asked is None else self._now() + asked,
        }

    def ended(self, attempt: Attempt, generation: Generation) -> None:
        """Write that the job ended without a result, and its refund where one is told or documented."""
        self._ledger.write(attempt.ended_as(generation, self._vendor.promises.refunded), retrying=True)

    def gone(self, attempt: Attempt) -> None:
        """Write that a person says the vendor has deleted the job; what it cost stays counted."""
        changes = {"ended": str(GenerationStatus.EXPIRED), "reason": "the vendor does not know it any more"}
        self._ledger.write(attempt.model_copy(update=changes), retrying=True)

    def heard(self, sealed: str) -> None:
        """Write how the job ended, before anything else can go wrong: the vendor may not say it again."""
        last = self.counting
        if last is None or last.phase != "submitted" or last.heard == sealed:
            return
        self._insist(
            last.model_copy(update={"heard": sealed}),
            f"What {self._vendor.title} said of job {', '.join(last.job_ids)} could not be recorded, and it may not "
            "say it again: if this task fails now, look for the result at the vendor",
        )

    def delivered(self, result: dict[str, Any]) -> None:
        """Write that the result was delivered: *result* without its links."""
        last = self.counting
        if last is None or last.phase not in {"submitted", "done"}:
            return
        if last.phase == "done" and last is not self.last:
            return  # delivered before; a fresh one was refused since, so the earlier delivery still stands
        creatives = [{**one, "url": None, "expires_at": None} for one in result.get("creatives", [])]
        kept = {**result, "creatives": creatives}
        # A cleared task that took up a job owns it: its retry must not see another clear.
        changes = {"phase": "done", "epoch": self._facts.epoch, "result": kept, "heard": None}
        self._insist(
            last.model_copy(update=changes),
            f"{self._vendor.title} job {', '.join(last.job_ids)} was delivered, which could not be recorded: this task "
            "would deliver it again",
        )

    def waiting(self) -> tuple[float, float]:
        """Return the Unix times at which the job was submitted and at which this try stops waiting for it."""
        now, last = self._now(), self.counting
        if last is None or last.phase not in {"submitted", "done"}:
            return now, now + self._options.wait_seconds
        if last.wait_try != self._facts.try_number or last.wait_until is None:
            changes = {
                "epoch": self._facts.epoch,
                "wait_try": self._facts.try_number,
                "wait_until": now + self._options.wait_seconds,
            }
            last = last.model_copy(update=changes)
            self._insist(last, "How long this try waits could not be recorded")
        return last.submitted_at or now, last.wait_until or now + self._options.wait_seconds

    def _insist(self, attempt: Attempt, otherwise: str) -> None:
        try:
            self._ledger.write(attempt, retrying=True)
        except Exception as error:  # it is logged, and the caller goes on: the money is spent already
            self._log.error("%s (%s).", otherwise, type(error).__name__)
