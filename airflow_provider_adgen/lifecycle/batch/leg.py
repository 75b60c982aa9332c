# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One leg of a batch: collect what is over, submit what may be submitted, write down what came of it, wait.

Items run their own legs in threads. The main thread starts them, and takes in what came of them through one queue, so
that it never waits for one item while others could go on. The state is the board's.
"""

from __future__ import annotations

import contextlib
import queue
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_adgen.core.decisions.batch import ItemStatus, batch_fails
from airflow_provider_adgen.core.errors import AdGenError, GenerationTimeout
from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.board import Board, chosen
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
from airflow_provider_adgen.lifecycle.batch.results import results_name, summary, write_results
from airflow_provider_adgen.lifecycle.legs import Finished, SubmitLater, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.record import Record
    from airflow_provider_adgen.ledger.batch import BatchStore
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.member import Members
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.legs import Resumed, WaitForJob
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

LEG_SECONDS = 90.0
"""Seconds for which a leg starts something new."""

LINGER = 8.0
"""Seconds for which a leg that can do nothing waits for a job to end, before it leaves that to the triggerer."""

SOON = 5.0
THREADS = 24
COLLECTING = 8
"""Results that are fetched and stored at the same time."""


class Watch(Protocol):
    """Watches jobs while a leg runs."""

    def start(self, job: WaitForJob, over: Callable[[str, str], None]) -> None:
        """Watch a job; *over* is called from another thread, with its status and its sealed result."""

    def close(self) -> None:
        """Watch nothing any more."""


class BatchLeg:
    """
    One leg of a batch. The same object runs the next leg, too, where the task waits on its worker.

    :param opening: reads what is recorded and wanted.
    :param make_members: returns what runs the items' legs, for so many items.
    :param given: returns the items that the author gives.
    :param store: the batch's record.
    :param facts: the task.
    :param options: what the author chose.
    :param watch: watches jobs while the leg runs.
    :param stop_at: Unix time at which the worker must be done.
    :param tell: is told where the results are, whenever they were written.
    :param clock: time, injected.
    :param log: where to say what happened.
    """

    def __init__(
        self,
        *,
        opening: Opening,
        make_members: Callable[[int], Members],
        given: Callable[[], Any],
        store: BatchStore,
        facts: TaskFacts,
        options: BatchOptions,
        watch: Watch,
        stop_at: float,
        tell: Callable[[str], None],
        clock: Clock,
        log: Any,
    ) -> None:
        self._opening = opening
        self._make_members = make_members
        self._given = given
        self._store = store
        self._facts = facts
        self._options = options
        self._watch = watch
        self._stop_at = stop_at
        self._tell = tell
        self._clock = clock
        self._log = log
        self._members: Members | None = None
        self._inbox: queue.SimpleQueue[tuple[ItemState, Any]] = queue.SimpleQueue()
        # What each running item does: True for collecting.
        self._running: dict[ItemState, bool] = {}
        self._closed: str | None = None
        self._results = ""

    def close(self, reason: str) -> None:
        """Submit nothing more; may be called by a signal handler."""
        self._closed = reason
        if self._members is not None:
            self._members.closed = reason

    def run(self, resumed: Resumed | None) -> Finished[dict[str, Any]] | Wait:
        """
        Go as far as possible.

        :param resumed: how the wait before ended; None on the first leg of a try.
        :return: the summary; or what to wait for.
        :raises BatchFailed: items have no result. Everything that can be stored is stored, and the results are written.
        """
        began = self._clock.now()
        if self._members is None:
            self._board = self._open(resumed)
        self._take(resumed)
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="adgen-batch")
        try:
            self._drive(pool, min(began + LEG_SECONDS, self._stop_at))
        except BaseException:
            # A signal's handler raised: what is being posted is finished and recorded, and nothing new begins.
            self.close(self._closed or "the task is being stopped")
            while self._running:
                self._handle(*self._inbox.get())
            self._write()
            raise
        finally:
            self._watch.close()
            self._board.unwatched = [one for one in self._board.states if one.job is not None]
            pool.shutdown(wait=True)
        self._write()
        if all(state.status is not None for state in self._board.states):
            return self._end()
        if self._closed or self._clock.now() >= self._stop_at:
            reason = self._closed or "execution_timeout is nearly over"
            raise GenerationTimeout(f"The batch stopped: {reason}. What is paid for is recorded; a retry goes on.")
        return self._wait(began)

    def _open(self, resumed: Resumed | None) -> Board:
        states, first = self._opening.items(self._given, resumed=resumed is not None)
        members = self._members = self._make_members(len(states))
        members.closed = self._closed
        board = Board(
            states,
            opening=self._opening,
            members=members,
            facts=self._facts,
            options=self._options,
            clock=self._clock,
            log=self._log,
        )
        members.taken = board.job_ids
        same = not first and self._store.notes.get("try") == self._facts.try_number
        notes = self._store.notes if same else {}
        for state in states:
            mark = self._store.mark(item_folder(state.key))
            if mark and same:
                with contextlib.suppress(ValueError, AdGenError):  # then its record is read, and says the same
                    board.restore(state, Outcome.from_mark(mark))
        for conn_id, stopped in notes.get("stopped", {}).items():
            self._opening.account(conn_id).stop(stopped)
        board.open(notes.get("items", {}))
        return board

    def _take(self, resumed: Resumed | None) -> None:
        """Take in which jobs are over."""
        if resumed is None:
            return
        jobs = {(one.job.conn_id, ",".join(one.job.job_ids)): one for one in self._board.states if one.job is not None}
        for conn_id, ids, status, sealed in resumed.over:
            if (state := jobs.get((conn_id, ids))) is not None:
                self._board.is_over(state, status, sealed)

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _drive(self, pool: ThreadPoolExecutor, end: float) -> None:
        progress = began = self._clock.monotonic()
        while True:
            now = self._clock.now()
            goes_on = now < end and self._closed is None
            if goes_on:
                self._board.settle_held(self._running)
                self._start(pool, now)
            if not self._running and not (goes_on and self._ahead(now, progress)):
                return
            if self._clock.monotonic() - began > SOON and any(self._board.ready.values()):
                self._watch_all()
            try:
                state, came = self._inbox.get(timeout=0.25)
            except queue.Empty:
                continue
            progress = self._clock.monotonic()
            self._handle(state, came)

    def _ahead(self, now: float, progress: float) -> bool:
        """Whether something can be expected soon, so that the leg is not over yet."""
        if self._board.over:
            return True
        pauses = [self._opening.account(one).delay(now) for one, waiting in self._board.ready.items() if waiting]
        if not pauses:
            return False
        if min(pauses) > 0:
            return min(pauses) <= SOON
        # The accounts are open and have no room: jobs that end make some.
        self._watch_all()
        return self._clock.monotonic() - progress < LINGER

    def _watch_all(self) -> None:
        while self._board.unwatched:
            state = self._board.unwatched.pop()
            if state.job is not None and state.ended is None and state not in self._running:
                self._watch.start(state.job, lambda *told, state=state: self._inbox.put((state, told)))

    def _start(self, pool: ThreadPoolExecutor, now: float) -> None:
        board = self._board
        while board.over and sum(self._running.values()) < COLLECTING:
            state = board.over.popleft()
            self._launch(pool, state, state.ended)
        if now >= self._opening.began + self._options.submit.submit_timeout:
            board.give_up(f"submit_timeout ({self._options.submit.submit_timeout:g} s) is over")
        under_way = sum(account.in_flight for account in self._opening.accounts.values())
        for conn_id, waiting in board.ready.items():
            account = self._opening.account(conn_id)
            account.reopened(now)
            while waiting:
                state = waiting[0]
                if account.stopped:
                    waiting.popleft().finish(ItemStatus.WAITING, f"Nothing was submitted: {account.stopped}")
                    continue
                full = under_way >= self._options.max_in_flight or len(self._running) >= THREADS
                kind = str(chosen(state).request.get("kind", ""))
                if full or account.delay(now) > 0 or not account.has_room(kind, now):
                    break
                waiting.popleft()
                if board.plan(state):
                    account.in_flight += 1
                    account.posting += 1
                    under_way += 1
                    self._launch(pool, state, None)

    def _launch(self, pool: ThreadPoolExecutor, state: ItemState, resumed: Resumed | None) -> None:
        members = self._members
        self._running[state] = resumed is not None

        def act() -> None:
            came: Any
            try:
                came = members.run(state, resumed) if members is not None else None
            except Exception as error:  # it is that item's, and becomes its reason
                came = error
            self._inbox.put((state, came))

        pool.submit(act)

    def _handle(self, state: ItemState, came: Any) -> None:
        if isinstance(came, tuple):
            if state not in self._running:
                self._board.is_over(state, *came)
            return
        if not self._running.pop(state):
            self._board.account(state).posting -= 1
        if isinstance(came, Exception) and not isinstance(came, AdGenError):
            self._log.error("Item %r: %s", state.key, trouble(came), exc_info=came)
        self._board.ended(state, came)

    # --- the end of the leg -----------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Write the results, and what the next leg needs to begin quickly."""
        board = self._board
        stopped = {name: one.stopped for name, one in self._opening.accounts.items() if one.stopped}
        notes = {"try": self._facts.try_number, "items": board.notes(), "stopped": stopped}
        failpoint("before-snapshot")
        try:
            self._store.write_snapshot(self._clock.now(), map(_snapshot, board.states), notes)
        except Exception as error:  # the next leg reads the objects instead, which takes longer
            self._log.warning("The snapshot of this batch could not be written (%s).", trouble(error))
        name = results_name(self._facts.identity)
        self._results = write_results(self._options.destination, name, (state.text() for state in board.states))
        self._tell(self._results)
        counts = Counter(str(state.told) for state in board.states)
        self._log.info(
            "Batch of %d items: %s; %d jobs under way, %d items to come; credits %s. Results: %s",
            len(board.states),
            ", ".join(f"{number} {word}" for word, number in sorted(counts.items())) or "none",
            sum(1 for one in board.states if one.job is not None),
            sum(len(one) for one in board.ready.values()),
            board.costs(),
            self._results,
        )

    def _wait(self, began: float) -> Wait:
        now, later, room = self._clock.now(), [], [self._options.max_in_flight]
        jobs = tuple(one.job for one in self._board.states if one.job is not None)
        for conn_id, waiting in self._board.ready.items():
            if not waiting:
                continue
            account = self._opening.account(conn_id)
            delay, limit = account.delay(now), account.limit(now)
            room.extend([limit] if limit is not None else [])
            if account.later is not None and account.later.credits is not None:
                later.append(account.later)
            elif delay > 0 or not jobs:
                later.append(SubmitLater(conn_id, "rate limit", now + max(delay, 1.0)))
        window = self._opening.began + self._options.submit.submit_timeout
        return Wait(
            since=min([one.since for one in jobs], default=began),
            until=max([one.until for one in jobs] + ([window] if later else []), default=window),
            jobs=jobs,
            submit=tuple(later),
            collect_at=max(1, min(room) // 10) if any(self._board.ready.values()) else 0,
        )

    def _end(self) -> Finished[dict[str, Any]]:
        states = self._board.states
        told = summary(self._results, ((one.key, one.told, one.reason) for one in states), self._board.costs())
        stopped = [one for one in self._opening.accounts.values() if one.stopped]
        if not stopped and not batch_fails([one.told for one in states], self._options.fail_when):
            return Finished(told)
        raise BatchFailed(told, stopped, retry_helps=self._board.retry_helps())


def _snapshot(state: ItemState) -> tuple[str, Callable[[], Record | None], bytes]:
    """Return what a snapshot holds of an item."""
    mark = state.outcome.to_mark() if state.outcome is not None else b""
    return item_folder(state.key), lambda: readable(state), mark


class BatchFailed(AdGenError):
    """
    Items of a batch have no result. Everything else is stored; a retry goes on with what has none.

    :param told: the summary.
    :param stopped: accounts that took nothing more.
    :param retry_helps: whether the next try could do better for any item.
    """

    def __init__(self, told: dict[str, Any], stopped: list[BatchAccount], *, retry_helps: bool) -> None:
        counts = ", ".join(f"{number} {word}" for word, number in told["counts"].items() if number)
        text = f"{told['items']} items: {counts or 'none, the list is empty'}."
        for account in stopped:
            text += f"\nNothing more was sent to connection {account.conn_id!r}: {account.stopped}"
        for one in told["failures"]:
            text += f"\n{one['key']} ({one['status']}): {one['reason']}"
        text += f"\nAll items and reasons are in {told['results']}. What has a result is kept, and is not paid again."
        super().__init__(text)
        self.retry_helps = retry_helps
