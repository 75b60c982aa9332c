# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of all state of a batch's items while a leg runs: which are ready, under way or over, and why."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import Do, ItemStatus, Step, fate, may_move, next_step, stops_account
from airflow_provider_adgen.core.errors import AdGenError, ApiError, GenerationFailed
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.notes import Note, holds, why_failed
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.outcome import FINAL
from airflow_provider_adgen.lifecycle.batch.results import costs_of, credits_of
from airflow_provider_adgen.lifecycle.legs import Finished, Resumed, Wait, WaitForJob

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.items import Choice
    from airflow_provider_adgen.lifecycle.batch.member import Members
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class Board:
    """
    All items of a batch.

    :param states: the items.
    :param opening: accounts, and requests.
    :param members: the items' legs.
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

        self.unwatched: list[ItemState] = []
        """Items whose job has begun to be waited for."""

        self._held: list[ItemState] = []
        self._jobs: set[str] = set()
        self._opening = opening
        self._members = members
        self._facts = facts
        self._options = options
        self._clock = clock
        self._log = log
        # Where a clear is treated as a retry, it intends no new generations.
        self._epoch = facts.epoch if options.on_clear == "fresh" else None

    def account(self, state: ItemState) -> BatchAccount:
        """Return the account of an item's present choice."""
        return self._opening.account(chosen(state).conn_id)

    def costs(self) -> dict[str, dict[str, int]]:
        """Return what all submissions cost, for each account."""
        return credits_of(one for state in self.states for one in state.costs)

    def job_ids(self) -> Iterable[str]:
        """Return the jobs that the records name."""
        return self._jobs

    def notes(self) -> dict[str, Note]:
        """Return what the next leg of this try need not find out again."""
        found: dict[str, Note] = {}
        for one in self.states:
            if one.outcome is not None:
                continue  # the snapshot says it beside its record
            index = one.item.choices.index(one.choice) if one.choice in one.item.choices else None
            if one.status not in {None, ItemStatus.COMPLETED, ItemStatus.SKIPPED} or (one.status is None and index):
                found[item_folder(one.key)] = (str(one.status or ""), one.reason, index)
        return found

    # --- the beginning ----------------------------------------------------------------------------------------------

    def open(self, notes: dict[str, Any]) -> None:
        """
        Find out where each item stands.

        :param notes: of an earlier leg of this try; may be missing or old.
        """
        for state in self.states:
            if state.outcome is not None:
                continue
            record = readable(state)
            if record is None:
                state.finish(ItemStatus.UNKNOWN, state.reason)
                continue
            try:
                self.recount(state, record)
                self.decide(state, record, notes.get(item_folder(state.key)))
            except AdGenError as error:
                state.finish(fate(record, error), trouble(error))
            if state.job is None:
                self._close(state, record)

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
        state.put_away(outcome)

    def _close(self, state: ItemState, record: Record) -> None:
        """Keep little of an item about which nothing is done now."""
        if state.status in FINAL:
            state.put_away(state.summed_up(state.status, record, helps=self._improves(state)))
        state.close_ledger()
        self._opening.store.close(state.key, record)

    def recount(self, state: ItemState, record: Record, planned: int = 0) -> None:
        """
        Take in what an item costs its accounts.

        :param planned: credits that its present choice is about to cost.
        """
        now = {one.conn_id: 0 for one in record.attempts}
        for conn_id in now:
            its = [one for one in record.attempts if one.conn_id == conn_id] if len(now) > 1 else record.attempts
            now[conn_id] = record.model_copy(update={"attempts": its}).spent(self._epoch)
        for one in record.attempts:
            self._jobs.update(one.job_ids)
            self._opening.account(one.conn_id).accepted |= bool(one.job_ids)
        state.costs = costs_of(record)
        if planned:
            now[chosen(state).conn_id] = now.get(chosen(state).conn_id, 0) + planned
        for conn_id in {*now, *state.credits}:
            self._opening.account(conn_id).committed += now.get(conn_id, 0) - state.credits.get(conn_id, 0)
        state.credits = now

    def plan(self, state: ItemState) -> bool:
        """Count what an item is about to cost; False where that is too much: then it is refused."""
        record, choice = state.ledger.record(), chosen(state)
        last = record.counting if record is not None else None
        if record is None or (
            last is not None
            and last.phase == "intent"
            and self._options.submit.policy.on_unknown_submission != "resubmit"
        ):
            return True  # it counts already
        account, price = self.account(state), self._opening.price(choice, self._opening.request(choice))
        self.recount(state, record)
        if not account.affords(price):
            state.finish(
                ItemStatus.REFUSED,
                f"It costs {price} credits of connection {account.conn_id!r}, where this batch has committed "
                f"{account.committed} of max_credits={account.max_credits}. Nothing was sent.",
            )
            return False
        self.recount(state, record, price or 0)
        return True

    def decide(self, state: ItemState, record: Record, note: Note | None = None) -> None:
        """Find out by its record what is to be done about an item."""
        item, last = state.item, record.counting
        state.status = None
        if item.problem and not item.choices:
            state.finish(ItemStatus.SKIPPED, item.problem)
            return
        bought = last is not None and last.phase != "withdrawn"
        prints = [self._opening.fingerprint(one) for one in item.choices] if bought else [""] * len(item.choices)
        step = state.step = next_step(
            record,
            prints,
            try_number=self._facts.try_number,
            epoch=self._facts.epoch,
            on_clear="reattach" if state.removed else self._options.on_clear,
            on_failed="fail" if state.removed else self._options.submit.policy.on_failed,
            promises=lambda vendor: get_vendor(vendor).promises,
        )
        if step.choice is None and last is not None and step.do in {Do.RETURN, Do.FAIL}:
            if not self._goes_on_changed(state, last):
                return
            step = state.step = Step(Do.SUBMIT, 0)
        index = step.choice
        if note is not None and not bought and note[2] is not None and note[2] < len(item.choices):
            index = note[2]
        state.choice = item.choices[index] if index is not None else self._opening.recorded_choice(state)
        if note is not None and holds(note, last, step):
            state.finish(ItemStatus(note[0]), note[1])
        elif state.choice is None:
            job = ", ".join(last.job_ids) if last is not None else ""
            raise AdGenError(
                f"Job {job} of item {state.key!r} was submitted with a request that no list of items holds any more, "
                "so it cannot be collected. It is paid for, and its files are only at the vendor."
            )
        elif step.do is Do.COLLECT and last is not None:
            self.wait_for(state, last)
        elif step.do is Do.RETURN and last is not None:
            state.generation = last.result
            state.finish(ItemStatus.COMPLETED, (last.result or {}).get("error") or "")
        elif step.do is Do.FAIL and last is not None:
            state.finish(ItemStatus.FAILED, why_failed(last))
        else:
            self._ready(state)

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
            state.finish(ItemStatus.COMPLETED)
        else:
            state.finish(ItemStatus.FAILED, why_failed(last))
        return False

    def _ready(self, state: ItemState, *, first: bool = False) -> None:
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

    # --- what came of an item's leg ---------------------------------------------------------------------------------

    def ended(self, state: ItemState, came: Finished[Any] | Wait | Exception) -> None:
        """
        Take in how an item's leg ended.

        :param came: what it returned or raised.
        """
        account = self.account(state)
        account.in_flight -= 1
        state.ended = state.job = None
        record = readable(state)
        try:
            if record is not None:
                self.recount(state, record)
            self._follow(state, came, account, record)
        except AdGenError as error:
            state.finish(fate(record, error), trouble(error))
        if self._options.on_item_failure == "stop" and state.status in {ItemStatus.FAILED, ItemStatus.REFUSED}:
            self.give_up(f"item {state.key!r} is {state.status}, and on_item_failure is 'stop'")
        if state.status in FINAL and (record := readable(state)) is not None:
            self._close(state, record)

    def _follow(
        self, state: ItemState, came: Finished[Any] | Wait | Exception, account: BatchAccount, record: Record | None
    ) -> None:
        last = record.counting if record is not None else None
        if isinstance(came, Finished):
            state.generation = came.value.to_xcom(urls=False)
            state.finish(ItemStatus.COMPLETED, came.value.error or "")
            if state.choice not in state.item.choices and record is not None:
                self.decide(state, record)  # only now it counts that the item has changed
        elif isinstance(came, Wait):
            if came.jobs and last is not None:
                self.wait_for(state, last)
                return
            later = came.submit[0]
            account.wait(later, last.reason if last is not None and later.queue else None, self._clock.now())
            self._ready(state, first=True)
        elif isinstance(came, GenerationFailed) and record is not None and last is not None and last.ended:
            self.decide(state, record)
            if state.status is ItemStatus.FAILED:
                state.reason = trouble(came)
        elif record is None or (record.last is not None and record.last.phase != "withdrawn"):
            state.finish(fate(record, came), trouble(came))
        else:
            self._refused(state, came, account, record)

    def _refused(self, state: ItemState, error: Exception, account: BatchAccount, record: Record) -> None:
        if isinstance(error, AdGenError) and stops_account(error, account.vendor.name):
            account.stop(error)
            state.finish(ItemStatus.WAITING, trouble(error))
        elif isinstance(error, ApiError) and may_move(error, account.vendor.promises):
            state.held = trouble(error)
            self._held.append(state)
            account.refused(error)
        else:
            state.finish(fate(record, error), trouble(error))

    def settle_held(self, running: Iterable[ItemState]) -> None:
        """Let items whose move was held back go on, once it is known whether their account refuses everything."""
        if not self._held:
            return
        held, self._held = self._held, []
        busy = {chosen(one).conn_id for one in running} | {one for one, waiting in self.ready.items() if waiting}
        for state in held:
            account, reason = self.account(state), state.held or ""
            if account.stopped and not account.accepted:
                state.finish(ItemStatus.WAITING, f"{reason}\n{account.stopped}")
            elif account.accepted or account.conn_id not in busy:
                self._move(state, reason)
            else:
                self._held.append(state)

    def _move(self, state: ItemState, reason: str) -> None:
        """Send an item that was refused to its next choice."""
        choices = state.item.choices
        index = choices.index(chosen(state)) + 1
        if index >= len(choices):
            state.finish(ItemStatus.REFUSED, reason)
            return
        self._log.info("Item %r goes to %s: %s", state.key, choices[index].conn_id, reason)
        state.choice = choices[index]
        self._ready(state)

    def give_up(self, reason: str) -> None:
        """Submit nothing more of what is ready."""
        for waiting in self.ready.values():
            while waiting:
                waiting.popleft().finish(ItemStatus.WAITING, f"Nothing was submitted: {reason}.")

    def retry_helps(self) -> bool:
        """Whether the next try could do better for any item."""
        return any(self._improves(one) if one.outcome is None else one.outcome.helps for one in self.states)

    def _improves(self, state: ItemState) -> bool:
        stopped = state.choice is not None and bool(self.account(state).stopped)
        if state.status is ItemStatus.FAILED and state.choice in state.item.choices:
            record, on_failed = readable(state), self._options.submit.policy.on_failed
            last = record.counting if record is not None else None
            if last is None or last.phase != "submitted":
                return False
            refunded = last.ended in get_vendor(last.vendor).promises.refunded
            return on_failed == "resubmit" or (on_failed is None and refunded)
        return state.status is ItemStatus.SUBMITTED or (state.status is ItemStatus.WAITING and not stopped)


def chosen(state: ItemState) -> Choice:
    """Return an item's present choice."""
    if state.choice is None:
        raise AdGenError(f"Item {state.key!r} has no choice; this is a defect. Nothing was sent for it.")
    return state.choice
