# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The durable record of what one task bought: data only, no I/O.

A record is a list of attempts, oldest first. Each attempt goes through phases and never back::

    intent ──> withdrawn            nothing was started (refused, or never sent)
       └─────> submitted ──> done   a job exists; its result was delivered

The outcome of an attempt that stays ``intent`` is unknown: it may have been accepted.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_adgen.core.errors import AdGenError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_provider_adgen.core.vocabulary import Generation

Phase = Literal["intent", "withdrawn", "submitted", "done"]
_ORDER: dict[Phase, int] = {"intent": 0, "withdrawn": 1, "submitted": 2, "done": 3}


class RecordUnreadable(AdGenError):
    """The durable record exists and cannot be read. It never counts as "no job": the task stops, nothing is sent."""


class Attempt(BaseModel):
    """
    One intended submission.

    :param uid: tells attempts apart, also those of two processes that believe to be the same task.
    :param written_at: Unix time of this version of it.
    :param phase: how far it came.
    :param key: the idempotency key it was sent with, where the vendor has keys.
    :param epoch: Airflow's ``max_tries``, which changes when a user clears the task: as it was intended, and later as
        it was last taken up.
    :param try_number: the try that wrote it.
    :param fingerprint: hash of request and account.
    :param fields: hash of each request field, to name those that changed.
    :param vendor: the vendor's name.
    :param conn_id: the Airflow connection it was posted with.
    :param host: the account's host and port.
    :param reservation: what it is paid from: account, day and id of a reservation, where the account has a budget.
    :param request_kind: the request's word.
    :param endpoint: where it was posted.
    :param intended_at: Unix time of the intent; later than that of the attempt before, whatever the clock says.
    :param clock_at: the same as the clock said it; deadlines count from it.
    :param post_seconds: the submission's own deadline.
    :param first_intended_at: Unix time at which this try first wanted to submit, where refused attempts were replaced.
    :param refusals: refused attempts that this one replaced, one after the other.
    :param answered_before: of those, the ones that the vendor answered.
    :param claim: the claim on a library under which it was submitted.
    :param posters: the processes that may have posted it.
    :param withdrawn_by: of those, the ones that know that their posting started nothing.
    :param statuses: what each posting came to: an HTTP status, 0 where no answer arrived.
    :param sent_at: Unix time of the latest posting's end.
    :param retry_at: Unix time before which the vendor asked not to be posted to again.
    :param key_tag: short hash of the account's key at the time.
    :param answered: the vendor answered this attempt: declined it, or accepted it. Only unanswered ones keep their key.
    :param unknown: nothing can tell any more whether it was accepted.
    :param reason: why it was withdrawn or is unknown, scrubbed.
    :param answer: the beginning of an acceptance in which no job id could be read, scrubbed.
    :param job_ids: the jobs it started.
    :param submitted_at: Unix time of the answer.
    :param result_kind: kind of the result.
    :param wait_try: the try that waits for the job.
    :param wait_until: Unix time at which that try stops waiting.
    :param price: credits quoted before submitting.
    :param charged: credits the vendor says it took.
    :param refunded: credits given back, as documented.
    :param ended: the status the job ended with, once known.
    :param heard: the job's end, sealed with the account's key, where the vendor may tell it only once.
    :param result: the dictionary that was returned (``done``), or kept because the vendor gives it only once.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    uid: str = Field(default_factory=lambda: uuid.uuid4().hex[:12])
    written_at: float = 0.0
    phase: Phase
    key: str | None = None
    epoch: int
    try_number: int = 1
    fingerprint: str
    fields: dict[str, str] = Field(default_factory=dict)
    vendor: str = ""
    conn_id: str = ""
    host: str = ""
    reservation: str | None = None
    request_kind: str = Field(validation_alias=AliasChoices("request_kind", "kind"))
    endpoint: str = ""
    intended_at: float
    clock_at: float | None = None
    post_seconds: float
    first_intended_at: float | None = None
    refusals: int = 0
    answered_before: int = 0
    claim: str | None = None
    posters: list[str] = Field(default_factory=list)
    withdrawn_by: list[str] = Field(default_factory=list)
    statuses: list[int] = Field(default_factory=list)
    sent_at: float | None = None
    retry_at: float | None = None
    key_tag: str = ""
    answered: bool = False
    unknown: bool = False
    reason: str | None = None
    answer: str | None = None
    job_ids: list[str] = Field(default_factory=list)
    submitted_at: float | None = None
    result_kind: str | None = Field(default=None, validation_alias=AliasChoices("result_kind", "makes"))
    wait_try: int | None = None
    wait_until: float | None = None
    price: int | None = None
    charged: int | None = None
    refunded: int | None = None
    ended: str | None = None
    heard: str | None = None
    result: dict[str, Any] | None = None

    @property
    def began_at(self) -> float:
        """Unix time from which its deadline and its key's window count."""
        return self.intended_at if self.clock_at is None else self.clock_at

    @property
    def spent(self) -> int:
        """Credits this attempt may have cost, less what a documented refund gave back."""
        if self.phase == "withdrawn":
            return 0
        cost = self.charged if self.charged is not None else self.price
        return max(0, (cost or 0) - (self.refunded or 0))

    @property
    def posting_until(self) -> float:
        """
        Unix time until which somebody may be posting it; the time of its intent where nobody can be.

        Without a key nobody posts twice, so it is over when each process that may have posted it has written what came
        of that. With one, a process may repeat it at any time.
        """
        over = self.key is None and len(self.statuses) >= max(1, len(self.posters))
        return self.intended_at if over else self.intended_at + self.post_seconds

    def repeats(self, before: Attempt | None) -> bool:
        """
        Return whether it has the key of an attempt that is said to have started nothing.

        :param before: the attempt that it follows.
        """
        return before is not None and before.phase == "withdrawn" and before.key == self.key is not None

    def refund(self, refunds: Collection[str]) -> int | None:
        """
        Return the credits that were given back: as the vendor told, else as it documents; None if none were.

        :param refunds: the final statuses for which the vendor documents a refund.
        """
        if self.refunded is not None or self.ended not in refunds:
            return self.refunded
        return self.charged if self.charged is not None else self.price

    def told(self, name: Literal["charged", "refunded"]) -> int | None:
        """
        Return credits as the vendor told them, at the submission or only with the finished job; None if it did not.

        A result that is summed up with earlier submissions does not say what this one cost.
        """
        value = self.charged if name == "charged" else self.refunded
        result = self.result or {}
        if value is None and "earlier_submissions" not in (result.get("details") or {}):
            value = (result.get("credits") or {}).get(name)
        return value if isinstance(value, int) else None

    def ended_as(self, generation: Generation, refunds: Collection[str]) -> Self:
        """
        Return this attempt with its job's end.

        :param generation: the job, which has no result.
        :param refunds: the final statuses for which the vendor documents a refund.
        """
        told = generation.credits
        changes: dict[str, Any] = {
            "ended": str(generation.status),
            "reason": generation.error,
            "charged": told.charged if self.charged is None else self.charged,
            "refunded": told.refunded if self.refunded is None else self.refunded,
        }
        known = self.model_copy(update=changes)
        return known.model_copy(update={"refunded": known.refund(refunds)})


class Record(BaseModel):
    """
    All attempts of one task (one slot of it), oldest first.

    :param v: version of this shape.
    :param attempts: the attempts.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    v: Literal[1] = 1
    attempts: list[Attempt] = Field(default_factory=list)

    @property
    def last(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def counting(self) -> Attempt | None:
        """The attempt that counts: the latest that was not withdrawn, or the latest of all."""
        return next((one for one in reversed(self.attempts) if one.phase != "withdrawn"), self.last)

    @property
    def open(self) -> Attempt | None:
        """The attempt whose outcome is unknown, if it is the one that counts."""
        counting = self.counting
        return counting if counting is not None and counting.phase == "intent" else None

    @property
    def answered(self) -> int:
        """How many attempts the vendor has answered: part of the next attempt's key."""
        return sum(attempt.answered + attempt.answered_before for attempt in self.attempts)

    def spent(self, epoch: int | None) -> int:
        """
        Return the credits that one intended generation may have cost so far, less documented refunds.

        An attempt whose outcome is unknown counts for the generation that follows it, also after a clear between them.

        :param epoch: a cleared task intends a new generation, with a new epoch; None for all.
        """
        total, open_since = 0, True
        for attempt in reversed(self.attempts):
            if epoch is None or attempt.epoch == epoch:
                total += attempt.spent
            elif attempt.phase in {"submitted", "done"}:
                open_since = False
            elif open_since:
                total += attempt.spent
        return total

    def with_attempt(self, attempt: Attempt) -> Record:
        """Return the record with *attempt* in its place; an attempt never goes back to an earlier phase or version."""
        kept = [other for other in self.attempts if other.uid != attempt.uid]
        old = next((other for other in self.attempts if other.uid == attempt.uid), None)
        if old is not None:
            attempt = _merged(old, attempt)
        return Record(attempts=sorted([*kept, attempt], key=lambda one: one.intended_at))

    def without(self, uid: str) -> Record:
        """Return the record without one attempt."""
        return Record(attempts=[attempt for attempt in self.attempts if attempt.uid != uid])

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> Self:
        """
        Read a record.

        :param value: the stored JSON.
        :param where: the store, for the message.
        :raises RecordUnreadable: it is not a record of a known version.
        """
        why = "it is something else"
        try:
            record = cls.model_validate(value)
            if {"v", "attempts"} <= record.model_fields_set:
                return record
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            name = ".".join(str(part) for part in first["loc"]) or "its shape"
            why = f"{name}: {first['msg']}"
        raise RecordUnreadable(
            f"The record of this task's paid generation in {where} cannot be read ({why}). Nothing was sent, because a "
            "job may already be paid for. Repair or remove the record, then retry."
        )

    @classmethod
    def merged(cls, records: Iterable[Record]) -> Record:
        """Merge what several stores or writers hold: of each attempt, the furthest phase."""
        result = Record()
        for record in records:
            for attempt in record.attempts:
                result = result.with_attempt(attempt)
        return result


def _merged(one: Attempt, other: Attempt) -> Attempt:
    """Return what two versions of an attempt say together: the further phase, of the same phase the later version."""
    first, last = sorted((one, other), key=lambda version: (_ORDER[version.phase], version.written_at))
    posters = sorted({*first.posters, *last.posters})
    withdrawn_by = sorted({*first.withdrawn_by, *last.withdrawn_by})
    changes: dict[str, Any] = {"posters": posters, "withdrawn_by": withdrawn_by}
    if last.phase == "withdrawn" and not set(posters) <= set(withdrawn_by):
        changes["phase"] = "intent"  # another process has posted it too, and nobody knows what came of that
    return last.model_copy(update=changes)
