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
    fate,
    next_step,
    note_holds,
)
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.reuse import why_unreadable
from airflow_provider_adgen.lifecycle.batch.state import chosen
from airflow_provider_adgen.lifecycle.legs import Resumed, WaitForJob

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.items import Choice
    from airflow_provider_adgen.lifecycle.batch.member import Members
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

# A note about an item of the same try: its status ("" while open), the reason, the number of its choice, and the
# generation that is used again.
Note = tuple[str, str, int | None, dict[str, Any] | None]


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

        self.given_up = ""
        """Why nothing more is submitted in this try; empty while something may be."""

        self._order = itertools.count()
        self._opening = opening
        self._members = members
        self._reuse = reuse
        self._facts = facts
        self._options = options
        self._clock = clock
        self._log = log
        # Where a clear is treated as a retry, it intends no new generations.
        self._epoch = facts.epoch if options.on_clear == "fresh" else None

    def account(self, state: ItemState) -> BatchAccount:
        """Return the account of an item's present choice."""
        return self._opening.account(chosen(state).conn_id)

    def records(self) -> dict[str, Record]:
        """Return the records that can be read, by the items' folders."""
        return {item_folder(one.key): record for one in self.states if (record := readable(one)) is not None}

    def job_ids(self) -> Iterable[str]:
        """Yield the jobs that the records name."""
        for record in self.records().values():
            for attempt in record.attempts:
                yield from attempt.job_ids

    def unknown(self) -> dict[str, Attempt]:
        """Return the submissions of which nobody knows whether they were accepted, by the items' keys."""
        found = ((one.key, readable(one)) for one in self.states if one.status is ItemStatus.UNKNOWN)
        return {key: record.open for key, record in found if record is not None and record.open is not None}

    def notes(self) -> dict[str, Note]:
        """Return what the next leg of this try need not find out again."""
        found: dict[str, Note] = {}
        for one in self.states:
            index = one.item.choices.index(one.choice) if one.choice in one.item.choices else None
            if one.status not in {None, ItemStatus.COMPLETED, ItemStatus.SKIPPED} or (one.status is None and index):
                kept = one.generation if one.status is ItemStatus.REUSED else None
                found[item_folder(one.key)] = (str(one.status or ""), one.reason, index, kept)
        return found

    # --- the beginning ----------------------------------------------------------------------------------------------

    def open(self, notes: dict[str, Any]) -> None:
        """
        Find out where each item stands.

        :param notes: of an earlier leg of this try; may be missing or old.
        """
        for state in self.states:
            record = readable(state)
            if record is None:
                state.finish(ItemStatus.UNKNOWN, state.reason)
                continue
            try:
                self.recount(state, record)
                self._members.risked(_risks(record, self._facts.try_number))
                for one in record.attempts:
                    self._opening.account(one.conn_id).accepted |= bool(one.job_ids)
                self.decide(state, record, notes.get(item_folder(state.key)))
            except AdGenError as error:
                state.finish(fate(record, error), trouble(error))
        if self._reuse is not None:
            self._look_up(self._reuse)

    def _look_up(self, reuse: Reuse) -> None:
        """Take from the library what is there, for items of which nothing was bought."""
        if self._options.on_clear == "missing":
            # A person rejected these: after a clear they are made anew.
            delivered = [one for one in self.states if one.status is ItemStatus.COMPLETED and not one.removed]
            before = [one for one in delivered if (record := readable(one)) and _cleared(record, self._facts.epoch)]
            for state in reuse.rejected(before):
                state.step, state.status, state.generation = Step(Do.SUBMIT, 0, anew=True), None, None
                state.choice = state.item.choices[0]
                self.make_ready(state)
        wanted = [one for waiting in self.ready.values() for one in waiting if not _is_open(one)]
        for state, told in reuse.find(wanted).items():
            self.ready[chosen(state).conn_id].remove(state)
            if isinstance(told, AdGenError):
                state.finish(ItemStatus.WAITING, why_unreadable(told))
            else:
                self.reused(state, *told)

    def reused(self, state: ItemState, choice: Choice, generation: dict[str, Any]) -> None:
        """Take in that an item was made before, by this run or another one."""
        state.choice, state.generation = choice, generation
        state.finish(ItemStatus.REUSED)

    def recount(self, state: ItemState, record: Record, planned: int = 0) -> None:
        """
        Take in what an item costs its accounts.

        :param planned: credits that its present choice is about to cost.
        """
        now = {one.conn_id: 0 for one in record.attempts}
        for conn_id in now:
            its = record.model_copy(update={"attempts": [one for one in record.attempts if one.conn_id == conn_id]})
            now[conn_id] = its.spent(self._epoch)
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
        if item.problem and not item.choices and not state.removed:
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
            state.finish(ItemStatus.FAILED, _why_failed(last))
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
            state.finish(ItemStatus.COMPLETED)
        else:
            state.finish(ItemStatus.FAILED, _why_failed(last))
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

    def sleep(self, state: ItemState, until: float) -> None:
        """Let an item be submitted from a Unix time on."""
        heapq.heappush(self.sleeping, (until, next(self._order), state))

    def wake(self, now: float) -> None:
        """Let items go on whose time has come."""
        while self.sleeping and self.sleeping[0][0] <= now:
            self.make_ready(heapq.heappop(self.sleeping)[2], first=True)

    def give_up(self, reason: str) -> None:
        """Submit nothing more in this try."""
        self.given_up = reason
        for waiting in self.ready.values():
            while waiting:
                waiting.popleft().stop(reason)
        while self.sleeping:
            self.sleeping.pop()[2].stop(reason)

    def _settles(self, attempt: Attempt) -> bool:
        """Whether a repeat with the same key can still tell what came of a submission."""
        rule = get_vendor(attempt.vendor).promises.idempotency
        covered = rule is not None and rule.covers(attempt.request_kind) and not attempt.unknown
        return rule is not None and covered and self._clock.now() < attempt.began_at + rule.seconds

    def retry_helps(self) -> bool:
        """Whether the next try could do better for any item."""
        return any(self._improves(state) for state in self.states)

    def _improves(self, state: ItemState) -> bool:
        stopped = state.choice is not None and bool(self.account(state).stopped)
        if state.status is ItemStatus.FAILED and state.choice in state.item.choices:
            record, on_failed = readable(state), self._options.submit.policy.on_failed
            last = record.counting if record is not None else None
            if last is None or last.phase != "submitted":
                return False
            refunded = last.ended in get_vendor(last.vendor).promises.refunded
            return on_failed == "resubmit" or (on_failed is None and refunded)
        if state.status is ItemStatus.UNKNOWN:
            record = readable(state)
            return record is not None and record.open is not None and self._settles(record.open)
        return state.status is ItemStatus.SUBMITTED or (state.status is ItemStatus.WAITING and not stopped)


def _is_open(state: ItemState) -> bool:
    """Whether a submission of an item may have been accepted."""
    record = readable(state)
    return record is None or record.open is not None


def _cleared(record: Record, epoch: int) -> bool:
    """Whether the task was cleared since an item was delivered."""
    return record.counting is not None and record.counting.epoch != epoch


def _risks(record: Record, try_number: int) -> int:
    """Return how many submissions of a try followed one that nobody knows about."""
    pairs = itertools.pairwise(record.attempts)
    return sum(1 for before, one in pairs if before.phase == "intent" and one.try_number == try_number)


def _why_failed(last: Attempt) -> str:
    said = f": {last.reason}" if last.reason else ""
    return f"Job {', '.join(last.job_ids)} ended as {last.ended}{said}"
