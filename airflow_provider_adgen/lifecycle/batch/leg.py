# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One leg of a batch: collect what is over, submit what may be submitted, write down what came of it, wait.

Items run their own legs in threads. The main thread starts them, and takes in what came of them through one queue, so
that it never waits for one item while others could go on. The state is the board's.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import Stop, settles
from airflow_provider_adgen.core.errors import AdGenError, BudgetBusy, GenerationTimeout
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.answers import take_answers
from airflow_provider_adgen.lifecycle.batch.board import Board
from airflow_provider_adgen.lifecycle.batch.ending import Ending
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.lookup import look_up
from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
from airflow_provider_adgen.lifecycle.batch.outcomes import Outcomes
from airflow_provider_adgen.lifecycle.batch.refusal import Refusal
from airflow_provider_adgen.lifecycle.batch.state import chosen
from airflow_provider_adgen.lifecycle.paying import BUSY_PAUSE

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.ledger.batch import BatchStore
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.member import Members
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.legs import Finished, Resumed, Wait, Watch
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

LEG_SECONDS = 90.0
"""Seconds for which a leg starts something new."""

LINGER = 8.0
"""Seconds for which a leg that can do nothing waits for a job to end, before it leaves that to the triggerer."""

SOON = 5.0
THREADS = 24
COLLECTING = 8
"""Results that are fetched and stored at the same time."""


class BatchLeg:
    """
    One leg of a batch. The same object runs the next leg, too, where the task waits on its worker.

    :param opening: reads what is recorded and wanted.
    :param make_members: returns what runs the items' legs, for so many items.
    :param reuse: the batch's library; None without one.
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
        reuse: Reuse | None,
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
        self._reuse = reuse
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
        # What the leg before has noted, if it was of the same try.
        self._notes: Mapping[str, Any] = {}
        self._inbox: queue.SimpleQueue[tuple[ItemState, Any]] = queue.SimpleQueue()
        # What each running item does: True for collecting.
        self._running: dict[ItemState, bool] = {}
        self._closed: str | None = None

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
            board = self._board = self._open(resumed)
            self._outcomes = Outcomes(
                board,
                opening=self._opening,
                reuse=self._reuse,
                facts=self._facts,
                options=self._options,
                clock=self._clock,
                log=self._log,
            )
            for state in board.states:
                self._outcomes.stop_after(state)
            self._outcomes.hold_again(self._notes.get("held", {}))
            self._ending = Ending(
                board,
                opening=self._opening,
                store=self._store,
                facts=self._facts,
                options=self._options,
                tell=self._tell,
                clock=self._clock,
                log=self._log,
            )
        self._take(resumed)
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="adgen-batch")
        try:
            self._drive(pool, min(began + LEG_SECONDS, self._stop_at))
        except BaseException:
            # A signal's handler raised: what is being posted is finished and recorded, and nothing new begins.
            self.close(self._closed or "the task is being stopped")
            pool.shutdown(wait=True)
            self._drain()
            self._ending.write()
            raise
        finally:
            self._watch.close()
            pool.shutdown(wait=True)
            for account in self._opening.accounts.values():
                account.purse.flush()
                account.covered = 0
        self._drain()
        self._outcomes.settle_held(())
        self._board.unwatched = [one for one in self._board.states if one.job is not None]
        over = all(state.status is not None for state in self._board.states)
        if over:
            self._ending.look_for_lost()
        self._ending.write()
        if over:
            return self._ending.finish()
        if self._closed or self._clock.now() >= self._stop_at:
            reason = self._closed or "execution_timeout is nearly over"
            raise GenerationTimeout(f"The batch stopped: {reason}. What is paid for is recorded; a retry goes on.")
        return self._ending.wait(began)

    def _open(self, resumed: Resumed | None) -> Board:
        states, first = self._opening.items(self._given, resumed=resumed is not None)
        members = self._members = self._make_members(len(states))
        board = Board(
            states,
            opening=self._opening,
            members=members,
            reuse=self._reuse,
            facts=self._facts,
            options=self._options,
            clock=self._clock,
            log=self._log,
        )
        same = not first and self._store.notes.get("try") == self._facts.try_number
        notes = self._notes = self._store.notes if same else {}
        # What was refused stays refused until the next try, also where its options are right again.
        refusal = self._opening.refusal = self._opening.refusal or Refusal.of(notes.get("refusal"))
        members.closed = self._closed or (refusal.short if refusal is not None else None)
        for state in states:
            mark = self._store.mark(item_folder(state.key))
            if mark and same:
                with contextlib.suppress(ValueError, AdGenError):  # then its record is read, and says the same
                    board.restore(state, Outcome.from_mark(mark))
        for conn_id, stopped in notes.get("stopped", {}).items():
            with contextlib.suppress(AdGenError):  # nothing can be sent to it
                self._opening.account(conn_id).stop(stopped)
        for conn_id, why in notes.get("waiting", {}).items():
            with contextlib.suppress(AdGenError):
                self._opening.account(conn_id).waited_for = why
        members.given_up = notes.get("given_up", "") if refusal is None else refusal.short
        delivered = board.open(notes.get("items", {})) + take_answers(board, members)
        reuse = self._reuse if refusal is None else None  # what is in the library is for what may be bought
        look_up(board, self._opening.reused, reuse, delivered)
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
                self._board.wake(now)
                self._outcomes.settle_held(self._running)
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
        heads = [(self._opening.account(one), waiting[0]) for one, waiting in self._board.ready.items() if waiting]
        pauses = [account.delay(now, reserved=state.may_be_accepted) for account, state in heads]
        pauses += [moment - now for moment, *_ in self._board.sleeping[:1]]
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
            board.give_up(f"submit_timeout ({self._options.submit.submit_timeout:g} s) is over", Stop.TIME)
        elif board.given_up:
            board.give_up(board.given_up, Stop.FAILURE)
        under_way = sum(account.in_flight for account in self._opening.accounts.values())
        for conn_id, waiting in list(board.ready.items()):  # an item may go to an account that has had none
            account = self._opening.account(conn_id)
            account.reopened(now)
            while waiting:
                state = waiting[0]
                # What may have been accepted is settled all the same: that pays nothing.
                is_open = state.may_be_accepted
                if (obstacle := chosen(state).obstacle) is not None and not settles(Stop.ACCOUNT, is_open=is_open):
                    self._outcomes.cannot_be_sent(waiting.popleft(), obstacle)
                    continue
                if account.stopped and not settles(Stop.ACCOUNT, is_open=is_open):
                    waiting.popleft().stop(account.stopped)
                    continue
                full = under_way >= self._options.max_in_flight or len(self._running) >= THREADS
                kind = str(chosen(state).request.get("kind", ""))
                reserved = is_open
                if full or account.delay(now, reserved=reserved) > 0 or not account.has_room(kind, now):
                    break
                if not reserved and not self._covered(account, waiting):
                    break
                waiting.popleft()
                if board.plan(state):
                    account.in_flight += 1
                    account.posting += 1
                    under_way += 1
                    self._launch(pool, state, None)
                else:
                    self._outcomes.stop_after(state)

    def _covered(self, account: BatchAccount, waiting: deque[ItemState]) -> bool:
        """Reserve under the account's budget, if it has one, for as many items as may follow now."""
        if account.covered == 0:
            if 0 < account.posting == account.short_at:
                return False
            prices = []
            for state in itertools.islice(waiting, self._options.max_in_flight):
                if chosen(state).obstacle is not None:
                    continue  # nothing is sent for it
                price = self._board.price(state)
                if price is None:
                    break  # a budget refuses it; that is this item's
                prices.append(price)
            try:
                filled = account.purse.fill(prices)
                if filled.over is not None and account.posting:
                    account.short_at = account.posting
                    return False
                if filled.over is not None and account.purse.flush():
                    filled = account.purse.fill(prices)
            except BudgetBusy as error:
                if account.posting:
                    account.short_at = account.posting
                else:
                    account.out_of_budget(self._clock.now() + BUSY_PAUSE, error.happened)
                return False
            except AdGenError as error:
                account.stop(error)
                return True
            if filled.over is not None and filled.until is not None and self._options.submit.on_insufficient == "wait":
                account.out_of_budget(filled.until, filled.why)
                return False
            account.covered = max(1, filled.count)
        account.covered -= 1
        return True

    def _launch(self, pool: ThreadPoolExecutor, state: ItemState, resumed: Resumed | None) -> None:
        members = self._members
        self._running[state] = resumed is not None

        def act() -> None:
            came: Any
            try:
                came = members.run(state, resumed) if members is not None else None
            except BaseException as error:
                came = error
            self._inbox.put((state, came))

        pool.submit(act)

    def _drain(self) -> None:
        """Take in what came last: a result that was told once must not be lost with the leg."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._handle(*self._inbox.get_nowait())

    def _handle(self, state: ItemState, came: Any) -> None:
        if isinstance(came, tuple):
            if state not in self._running:
                self._board.is_over(state, *came)
            return
        account = self._board.account(state)
        if not self._running.pop(state):
            account.posting -= 1
        if isinstance(came, BaseException) and not isinstance(came, Exception):
            raise came
        if isinstance(came, Exception) and not isinstance(came, AdGenError):
            # Only where it happened: what a storage library says may hold a signed link.
            places = "".join(traceback.format_tb(came.__traceback__))
            self._log.error("Item %r: %s\n%s", state.key, trouble(came), places)
        self._outcomes.ended(state, came)
        account.settle()
