# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Where one item of a batch stands while a leg runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import ALWAYS_FAIL, ItemStatus, Step
from airflow_provider_adgen.core.errors import AdGenError, ApiError
from airflow_provider_adgen.lifecycle.batch.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.record import Record
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice
    from airflow_provider_adgen.lifecycle.batch.results import Cost
    from airflow_provider_adgen.lifecycle.candidates import Candidates
    from airflow_provider_adgen.lifecycle.legs import Resumed, WaitForJob


@dataclass(eq=False, slots=True)
class ItemState:
    """
    One item. Only the leg's main thread writes to it.

    :param item: what the author wants.
    :param open_ledger: returns the ledger of an item by its key.
    :param removed: it is not in the list any more, and something was bought for it.
    :param step: what to do about it.
    :param choice: the choice that is submitted or collected.
    :param conn_id: the account of what is recorded, for the results of an item without a choice.
    :param job: the job that is waited for.
    :param ended: how the wait for its job ended.
    :param status: what became of it; None while that is open.
    :param reason: why it has no result, or what is wrong with its result.
    :param waits_for: why nothing was submitted for it yet, as far as that is known.
    :param candidates: the vendor's jobs that its lost submission could have started, once they were looked for.
    :param generation: its result, as in XCom.
    :param held: a refusal that may move it to its next choice, once its account has accepted something.
    :param credits: what it counts for among what each account has committed.
    :param affordable: another submission of it stays within ``max_credits``.
    :param costs: what each of its submissions cost.
    :param is_open: a submission of it may have been accepted, by its record when it was last let go of.
    :param outcome: what is kept of it, once nothing is done about it any more in this try.
    """

    item: BatchItem
    open_ledger: Callable[[str], Ledger] = field(repr=False)
    removed: bool = False
    step: Step | None = None
    choice: Choice | None = None
    conn_id: str | None = None
    job: WaitForJob | None = None
    ended: Resumed | None = field(default=None, repr=False)
    status: ItemStatus | None = None
    reason: str = ""
    waits_for: str = ""
    candidates: Candidates | None = field(default=None, repr=False)
    generation: dict[str, Any] | None = field(default=None, repr=False)
    held: ApiError | None = None
    credits: dict[str, int] = field(default_factory=dict)
    affordable: bool = True
    costs: tuple[Cost, ...] = ()
    is_open: bool = False
    outcome: Outcome | None = field(default=None, repr=False)
    _ledger: Ledger | None = field(default=None, init=False, repr=False)

    @property
    def key(self) -> str:
        """The item's identity."""
        return self.item.key

    @property
    def ledger(self) -> Ledger:
        """Its record, opened when it is first asked for."""
        if self._ledger is None:
            self._ledger = self.open_ledger(self.key)
        return self._ledger

    def close_ledger(self, record: Record) -> None:
        """Let go of its ledger and its record, which is kept as a text; it may be opened again."""
        self._ledger, self.is_open = None, record.open is not None

    def summed_up(self, status: ItemStatus, record: Record, *, helps: bool, risks: int) -> Outcome:
        """
        Return what is kept of it when it is put away.

        :param status: what became of it.
        :param record: what is recorded of it.
        :param helps: whether the next try could do better.
        :param risks: how many submissions of this try followed one that nobody knows about.
        """
        jobs = tuple((one.conn_id, job) for one in record.attempts for job in one.job_ids)
        spent = tuple(self.credits.items())
        return Outcome(status, self.reason, helps, risks, spent, self.costs, jobs, self.text())

    def put_away(self, outcome: Outcome) -> None:
        """Keep only what became of it: nothing is done about it any more in this try."""
        self.status, self.reason, self.outcome = outcome.status, outcome.reason, outcome
        self.item = replace(self.item, choices=(), meta={})
        self.choice = self.step = self.generation = self.job = self.ended = None
        self.credits, self.costs = {}, outcome.costs
        self._ledger = None

    def finish(self, status: ItemStatus, reason: str = "") -> None:
        """Say what became of it."""
        removed = self.removed and status not in ALWAYS_FAIL
        self.status = ItemStatus.REMOVED if removed else status
        self.reason = reason or self.item.problem
        self.job = None

    def stop(self, reason: str, waited: str = "") -> None:
        """Say that nothing more is submitted for it in this try, and what it waited for."""
        until_then = f" Until then it waited: {waited.rstrip('.')}." if waited else ""
        self.finish(self._open_status(), f"{self.not_sent} {reason.rstrip('.')}.{until_then}")

    def _open_status(self) -> ItemStatus:
        return ItemStatus.UNKNOWN if self.may_be_accepted else ItemStatus.WAITING

    @property
    def is_held_up(self) -> bool:
        """Whether it waits for its account to be there again, as when that was stopped."""
        why = self.choice.obstacle if self.choice is not None else None
        return self.status is ItemStatus.WAITING and why is not None and not why.moves

    @property
    def not_sent(self) -> str:
        """How a sentence begins that says why nothing more is sent for it."""
        if self.may_be_accepted:
            return "It was sent before and may have been accepted; it was not sent again:"
        return "Nothing was submitted:"

    @property
    def may_be_accepted(self) -> bool:
        """Whether a submission of it is open: nobody knows yet whether it was accepted, and it is counted."""
        if self._ledger is None:
            return self.is_open
        record = self._ledger.record()
        return record is not None and record.open is not None

    @property
    def told(self) -> ItemStatus:
        """What the results call it."""
        return self.status or (ItemStatus.SUBMITTED if self.job is not None else self._open_status())

    def text(self) -> bytes:
        """Return its line of the results, as JSON text."""
        if self.outcome is not None:
            return self.outcome.line
        return json.dumps(self.line(), separators=(",", ":"), default=str).encode()

    def line(self) -> dict[str, Any]:
        """Return its line of the results, as long as it is not put away."""
        same = next((one for one in self.item.choices if one == self.choice), None)
        jobs = {} if self.candidates is None else {"candidates": [one.to_json() for one in self.candidates.jobs]}
        return {
            "key": self.key,
            "status": str(self.told),
            "reason": self.reason or (self.waits_for if self.told is ItemStatus.WAITING else "") or None,
            "choice": same.number if same is not None else None,
            "conn_id": self.choice.conn_id if self.choice is not None else self.conn_id,
            "generation": self.generation,
            "meta": self.item.meta,
            **jobs,
        }


def chosen(state: ItemState) -> Choice:
    """Return an item's present choice."""
    if state.choice is None:
        raise AdGenError(f"Item {state.key!r} has no choice; this is a defect. Nothing was sent for it.")
    return state.choice
