# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of all state of a batch's items while a leg runs: which are ready, under way or over, and why."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import (
    Do,
    ItemStatus,
    Step,
    Stop,
    fate,
    note_holds,
    settles,
)
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.notes import Note, risks, why_failed
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.outcome import FINAL
from airflow_provider_adgen.lifecycle.batch.planned import spent_of, step_of
from airflow_provider_adgen.lifecycle.batch.prospects import improves
from airflow_provider_adgen.lifecycle.batch.results import costs_of, credits_of
from airflow_provider_adgen.lifecycle.batch.state import chosen
from airflow_provider_adgen.lifecycle.legs import Resumed, WaitForJob

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.items import Choice
    from airflow_provider_adgen.lifecycle.batch.member import Members
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
    from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class Board:
    """
    All items of a batch.

    :param states: the items.
    :param opening: accounts, and requests.
    :param members: the items' legs.
    :param reuse: the batch's library; None without one.
    :param facts: the task.
    :param options: what the author chose.
    :param clock: time, injected.
    :param log: where to say what happened.
    """

    def __init__(
        self,
        states: list[ItemState],
        *,
        opening: Opening,
        members: Members,
        reuse: Reuse | None,
        facts: TaskFacts,
        options: BatchOptions,
        clock: Clock,
        log: Any,
    ) -> None:
        self.states = states
        self.ready: dict[str, deque[ItemState]] = {}
        """Items that may be submitted, by account."""

        self.over: deque[ItemState] = deque()
        """Items whose job is over, to be collected."""

        self.sleeping: list[tuple[float, int, ItemState]] = []
        """Items that may be submitted later, however willing their account is: a heap of Unix times."""

        self.unwatched: list[ItemState] = []
        """Items whose job has begun to be waited for."""

        self._jobs: set[str] = set()
        self._order = itertools.count()
        self._opening = opening
        self._members = members
        self._reuse = reuse
        self._facts = facts
        self._options = options
        self._clock = clock
        self._log = log

    def account(self, state: ItemState) -> BatchAccount:
        """Return the account of an item's present choice."""
        return self._opening.account(chosen(state).conn_id)

    def costs(self) -> dict[str, dict[str, int]]:
        """Return what all submissions cost, for each account."""
        return credits_of(one for state in self.states for one in state.costs)

    def job_ids(self) -> Collection[str]:
        """Return the jobs that the records name."""
        return self._jobs

    @property
    def given_up(self) -> str:
        """Why nothing new is submitted in this try; empty while something may be."""
        return self._members.given_up

    # --- the beginning ----------------------------------------------------------------------------------------------

    def open(self, notes: dict[str, Any]) -> list[ItemState]:
        """
        Find out where each item stands; return those that were delivered and that a person may have rejected since.

        :param notes: of an earlier leg of this try; may be missing or old.
        """
        delivered: list[ItemState] = []
        for state in (one for one in self.states if one.outcome is None):
            if (record := self.look_at(state, notes.get(item_folder(state.key)))) is None:
                continue
            self._members.risked(risks(record, self._facts.try_number))
            if self.may_be_rejected(state, record):
                delivered.append(state)
                self.let_go(state, record)
            elif state.job is None:
                self._close(state, record)
        return delivered

    def look_at(self, state: ItemState, note: Note | None = None) -> Record | None:
        """Find out where an item stands, and return its record; None where that cannot be read."""
        if (record := readable(state)) is None:
            state.finish(ItemStatus.UNKNOWN, state.reason)
            return None
        try:
            self.recount(state, record)
            self.decide(state, record, note)
        except AdGenError as error:
            state.finish(fate(record, error), trouble(error))
        return record

    def restore(self, state: ItemState, outcome: Outcome) -> None:
        """
        Take in what an earlier leg of this try made of an item, whose record is the same as then.

        :raises AdGenError: an account of it cannot be used.
        """
        accounts = {one: self._opening.account(one) for one, *_ in (*outcome.credits, *outcome.jobs)}
        for conn_id, spent in outcome.credits:
            accounts[conn_id].committed += spent
        for conn_id, job in outcome.jobs:
            self._jobs.add(job)
            accounts[conn_id].accepted = True
        self._members.risked(outcome.risks)
        state.put_away(outcome)

    def may_be_rejected(self, state: ItemState, record: Record) -> bool:
        """Whether an item was delivered before the task was cleared in order to make anew what is missing."""
        missing = self._reuse is not None and self._options.on_clear == "missing" and not state.removed
        missing = missing and self._opening.refusal is None
        cleared = record.counting is not None and record.counting.epoch != self._facts.epoch
        return missing and cleared and state.status is ItemStatus.COMPLETED

    def reused(self, state: ItemState, choice: Choice, generation: dict[str, Any], *, kept: bool = False) -> None:
        """Take in that an item was made before, by this run or another one; *kept*: an earlier try says so already."""
        state.choice, state.generation = choice, generation
        if not kept:
            self._opening.reused.note(state.key, choice, generation)
        state.finish(ItemStatus.REUSED)

    def close(self, state: ItemState) -> None:
        """Keep little of an item if nothing is done about it any more."""
        if state.status in FINAL and (record := readable(state)) is not None:
            self._close(state, record)

    def _close(self, state: ItemState, record: Record) -> None:
        if state.status in FINAL:
            tried = risks(record, self._facts.try_number)
            state.put_away(state.summed_up(state.status, record, helps=self._improves(state), risks=tried))
        self.let_go(state, record)

    def let_go(self, state: ItemState, record: Record) -> None:
        """Keep its record as a text until something is done about it."""
        state.close_ledger(record)
        self._opening.store.close(state.key, record)

    def recount(self, state: ItemState, record: Record, planned: int = 0) -> None:
        """
        Take in what an item costs its accounts.

        :param planned: credits that its present choice is about to cost.
        """
        now = spent_of(record, self._options.epoch(self._facts))
        for one in record.attempts:
            self._jobs.update(one.job_ids)
            self._opening.account(one.conn_id).accepted |= bool(one.job_ids)
        state.costs, state.conn_id = costs_of(record), record.counting.conn_id if record.counting is not None else None
        if planned:
            now[chosen(state).conn_id] = now.get(chosen(state).conn_id, 0) + planned
        for conn_id in {*now, *state.credits}:
            self._opening.account(conn_id).committed += now.get(conn_id, 0) - state.credits.get(conn_id, 0)
        state.credits = now

    def price(self, state: ItemState) -> int | None:
        """Return the credits that an item's present choice counts for."""
        return self._opening.price(chosen(state), self._opening.request(chosen(state)))

    def plan(self, state: ItemState) -> bool:
        """Count what an item is about to cost; False where that is too much: then it is refused."""
        record = state.ledger.record()
        last = record.counting if record is not None else None
        # What may have been accepted counts already, and is settled whatever another submission would cost.
        is_open = last is not None and last.phase == "intent"
        if record is None or (is_open and self._options.submit.policy.on_unknown_submission != "resubmit"):
            return True
        account, price = self.account(state), self.price(state)
        self.recount(state, record)
        state.affordable = account.affords(price)
        if not state.affordable:
            if is_open:
                return True
            state.finish(
                ItemStatus.REFUSED,
                f"It costs {counted(price or 0, 'credit')} of connection {account.conn_id!r}, where this batch has "
                f"committed {account.committed} of max_credits={account.max_credits}. Nothing was sent.",
            )
            return False
        self.recount(state, record, price or 0)
        return True

    def decide(self, state: ItemState, record: Record, note: Note | None = None) -> None:
        """Find out by its record what is to be done about an item."""
        item, last, state.status = state.item, record.counting, None
        if item.problem and not item.choices and not state.removed:
            state.finish(ItemStatus.SKIPPED, item.problem)
            return
        bought = last is not None and last.phase != "withdrawn"
        prints = self._opening.fingerprints(item) if bought else [""] * len(item.choices)
        step = state.step = step_of(
            record,
            prints,
            facts=self._facts,
            options=self._options,
            removed=state.removed,
            as_retry=self._opening.refusal is not None,
            refused=item.refused,
        )
        changed = not bought and not state.removed and self._opening.is_changed(item)
        if changed and self._options.submit.policy.on_changed_input != "fresh":
            state.finish(
                ItemStatus.FAILED,
                "It has no key of its own, and is not among the items of the first try: it may be one of them whose "
                'request changed. Nothing was sent for it. Give items keys, or set on_changed_input to "fresh" to pay.',
            )
            return
        if step.choice is None and last is not None and step.do in {Do.RETURN, Do.FAIL}:
            if not self._goes_on_changed(state, last):
                return
            step = state.step = Step(Do.SUBMIT, 0)
        index = step.choice
        if note is not None and not bought and note[2] is not None and note[2] < len(item.choices):
            index = note[2]
        state.choice = item.choices[index] if index is not None else self._opening.recorded_choice(state)
        state.waits_for = note[1] if note is not None and not note[0] else ""
        if note is not None and note_holds(note[0], last, step):
            state.generation = note[3]
            state.finish(ItemStatus(note[0]), note[1])
        elif state.choice is None:
            job = ", ".join(last.job_ids) if last is not None else ""
            raise AdGenError(
                f"Job {job} of item {state.key!r} was submitted with a request that no list of items holds any more, "
                "so it cannot be collected. It is paid for, and its files are only at the vendor."
            )
        elif step.do is Do.COLLECT and last is not None:
            self.wait_for(state, last)
            if last.heard or last.result:
                self.is_over(state, "", "")  # how it ended is written down, and may not be said again
        elif step.do is Do.RETURN and last is not None:
            state.generation = last.result
            state.finish(ItemStatus.COMPLETED, (last.result or {}).get("error") or "")
        elif step.do is Do.FAIL and last is not None:
            state.finish(ItemStatus.FAILED, why_failed(last))
        else:
            self.make_ready(state)

    def _goes_on_changed(self, state: ItemState, last: Attempt) -> bool:
        """Whether something new is submitted for an item that is over, and whose request is none of its choices."""
        policy = "reattach" if state.removed else self._options.submit.policy.on_changed_input
        if policy == "fresh":
            return True
        state.generation = last.result
        if policy == "fail":
            state.finish(
                ItemStatus.FAILED,
                f"The request of item {state.key!r} changed since job {', '.join(last.job_ids)} was paid for. Nothing "
                'was sent. Set on_changed_input to "reattach" to take that job\'s result, or to "fresh" to pay for a '
                "new one.",
            )
        elif last.phase == "done":
            state.choice = self._opening.recorded_choice(state)  # the library knows by it whether it was rejected
            state.finish(ItemStatus.COMPLETED)
        else:
            state.finish(ItemStatus.FAILED, why_failed(last))
        return False

    def make_ready(self, state: ItemState, *, first: bool = False) -> None:
        """Let an item be submitted when its account takes something."""
        waiting = self.ready.setdefault(chosen(state).conn_id, deque())
        (waiting.appendleft if first else waiting.append)(state)

    def wait_for(self, state: ItemState, last: Attempt) -> None:
        """Wait for the job that is recorded for an item."""
        choice, account = chosen(state), self.account(state)
        since, until = last.submitted_at or last.intended_at, last.wait_until
        if last.wait_try != self._facts.try_number or until is None:
            since, until = self._members.submission(state).attempt_log.waiting()
        state.ended, state.status = None, None
        state.job = WaitForJob(
            choice.conn_id,
            account.vendor.name,
            last.job_ids,
            last.result_kind or "",
            stop_suspended=self._options.on_suspended != "wait",
            since=since,
            until=until,
        )
        account.in_flight += 1
        self.unwatched.append(state)

    def is_over(self, state: ItemState, status: str, sealed: str) -> None:
        """Take in that an item's job is over."""
        if state.job is None or state.ended is not None:
            return
        state.ended = Resumed(status, list(state.job.job_ids), sealed)
        if sealed:
            # The vendor may not say it again: it is written down before anything else.
            self._members.submission(state).attempt_log.heard(sealed)
        self.over.append(state)

    def sleep(self, state: ItemState, until: float, why: str) -> None:
        """Let an item be submitted from a Unix time on, and not before, for a reason."""
        state.waits_for = why
        heapq.heappush(self.sleeping, (until, next(self._order), state))

    def wake(self, now: float) -> None:
        """Let items go on whose time has come."""
        while self.sleeping and self.sleeping[0][0] <= now:
            self.make_ready(heapq.heappop(self.sleeping)[2], first=True)

    def give_up(self, reason: str, stop: Stop) -> None:
        """Submit nothing new in this try; *stop* says what kind of reason that is."""
        self._members.given_up = reason
        for waiting in self.ready.values():
            for state in [one for one in waiting if not settles(stop, is_open=one.may_be_accepted)]:
                waiting.remove(state)
                state.stop(reason, state.waits_for or self.account(state).why(self._clock.now()))
        asleep, self.sleeping = self.sleeping, []
        for moment, _, state in asleep:
            if settles(stop, is_open=state.may_be_accepted):
                self.sleep(state, moment, state.waits_for)
            else:
                state.stop(reason, state.waits_for)

    def retry_helps(self) -> bool:
        """Whether the next try could do better for any item."""
        helped = [(one, self._improves(one) if one.outcome is None else one.outcome.helps) for one in self.states]
        if self._options.on_item_failure == "stop" and any(
            one.status is ItemStatus.FAILED and not helps for one, helps in helped
        ):
            # The next try finds that failure again, and stops at once.
            return any(helps and one.status is not ItemStatus.WAITING for one, helps in helped)
        return any(helps for _, helps in helped)

    def collects_more(self, *, stores: bool) -> bool:
        """Whether the next try could collect more, although it buys nothing either; *stores*: it is stored, too."""
        wanted = {ItemStatus.UNKNOWN, ItemStatus.SUBMITTED} if stores else {ItemStatus.UNKNOWN}
        return any(one.status in wanted and self._improves(one) for one in self.states)

    def _improves(self, state: ItemState) -> bool:
        stopped = state.choice is not None and bool(self.account(state).stopped)
        on_failed = self._options.submit.policy.on_failed
        return improves(state, stopped=stopped, on_failed=on_failed, now=self._clock.now())
