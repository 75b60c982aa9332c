# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What follows when an item's leg has ended: it is over, waits, is submitted again, or goes to its next choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import (
    ItemStatus,
    Stop,
    choice_after,
    fate,
    may_move,
    stops_account,
    under_way,
)
from airflow_provider_adgen.core.errors import AdGenError, ApiError, GenerationFailed
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.batch.lookup import make_rejected_anew
from airflow_provider_adgen.lifecycle.batch.member import Answered, Held
from airflow_provider_adgen.lifecycle.batch.notes import held_refusal
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.reuse import MadeElsewhere, why_unreadable
from airflow_provider_adgen.lifecycle.batch.state import chosen
from airflow_provider_adgen.lifecycle.legs import Finished, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.decisions.batch import Obstacle
    from airflow_provider_adgen.core.record import Record
    from airflow_provider_adgen.lifecycle.batch.accounts import BatchAccount
    from airflow_provider_adgen.lifecycle.batch.board import Board
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class Outcomes:
    """
    Follows up what came of the items' legs.

    :param board: the owner of their state.
    :param opening: accounts, and requests.
    :param reuse: the batch's library; None without one.
    :param facts: the task.
    :param options: what the author chose.
    :param clock: time, injected.
    :param log: where to say what happened.
    """

    def __init__(
        self,
        board: Board,
        *,
        opening: Opening,
        reuse: Reuse | None,
        facts: TaskFacts,
        options: BatchOptions,
        clock: Clock,
        log: Any,
    ) -> None:
        self._board = board
        self._opening = opening
        self._reuse = reuse
        self._facts = facts
        self._options = options
        self._clock = clock
        self._log = log
        # Refused items of which is not known yet whether their account refuses everything.
        self._held: list[ItemState] = []

    def ended(self, state: ItemState, came: Finished[Any] | Wait | Answered | Exception) -> None:
        """
        Take in how an item's leg ended.

        :param came: what it returned or raised.
        """
        account = self._board.account(state)
        account.in_flight -= 1
        state.ended = state.job = None
        record = readable(state)
        try:
            if record is not None:
                self._board.recount(state, record)
                if record.last is not None and record.last.job_ids:
                    account.answered()
                elif record.open is not None and record.open.statuses:
                    account.unanswered(self._clock.now())
            self._follow(state, came, account, record)
            if record is not None and self._board.may_be_rejected(state, record):
                self._look_again(state)
        except AdGenError as error:
            state.finish(fate(record, error), trouble(error))
        self.stop_after(state)
        self._board.close(state)

    def stop_after(self, state: ItemState) -> None:
        """Submit nothing more if an item failed or was refused, and the author wants that."""
        if self._options.on_item_failure == "stop" and state.status in {ItemStatus.FAILED, ItemStatus.REFUSED}:
            self._board.give_up(f"item {state.key!r} is {state.status}, and on_item_failure is 'stop'", Stop.FAILURE)

    def _follow(
        self,
        state: ItemState,
        came: Finished[Any] | Wait | Answered | Exception,
        account: BatchAccount,
        record: Record | None,
    ) -> None:
        last = record.counting if record is not None else None
        if isinstance(came, Finished):
            state.generation = came.value.to_xcom(urls=False)
            state.finish(ItemStatus.COMPLETED, came.value.error or "")
            if state.choice not in state.item.choices and record is not None:
                self._board.decide(state, record)  # only now it counts that the item has changed
        elif isinstance(came, Answered):
            if record is not None:
                self._board.decide(state, record)
            else:
                state.finish(ItemStatus.UNKNOWN, state.reason)
        elif isinstance(came, Wait):
            if came.jobs and last is not None:
                self._board.wait_for(state, last)
                return
            later = came.submit[0]
            if later.queue or later.credits is not None:
                account.wait(later, last.reason if last is not None and later.queue else None, self._clock.now())
                self._board.make_ready(state, first=True)
            else:
                # It is this item's: its submission before may be under way in another process, or gets a pause.
                self._board.sleep(state, later.not_before, later.reason)
        elif isinstance(came, MadeElsewhere):
            self._board.reused(state, chosen(state), came.generation)
        elif isinstance(came, GenerationFailed) and record is not None and last is not None and last.ended:
            self._board.decide(state, record)
            if state.status is ItemStatus.FAILED:
                state.reason = trouble(came)
        elif isinstance(came, Held) and record is not None and not under_way(last):
            state.finish(ItemStatus.WAITING, trouble(came))
        elif record is None or under_way(last) or (_has_ended(record) and not _stops(account, came)):
            status, told = fate(record, came), trouble(came)
            if status is ItemStatus.UNKNOWN and _stops(account, came):
                told = f"{state.not_sent} {told}"  # the error is about sending it again
            state.finish(status, told)
        else:
            self._refused(state, came, account, record)

    def _look_again(self, state: ItemState) -> None:
        """Make an item anew whose earlier creative was rejected, where nothing came of making it anew before."""
        try:
            if self._reuse is not None:
                make_rejected_anew(self._board, self._reuse, [state])
        except AdGenError as error:
            state.finish(ItemStatus.WAITING, why_unreadable(error))

    def _refused(self, state: ItemState, error: Exception, account: BatchAccount, record: Record) -> None:
        if isinstance(error, AdGenError) and _stops(account, error):
            account.stop(error)
            state.stop(account.stopped or error.message)
        elif isinstance(error, ApiError) and not error.retry_helps:
            self._hold(state, error, account)
        else:
            state.finish(fate(record, error), trouble(error))

    def _hold(self, state: ItemState, error: ApiError, account: BatchAccount) -> None:
        state.held = error
        self._held.append(state)
        account.refused(error)

    def hold_again(self, notes: Mapping[str, Mapping[str, Any]]) -> None:
        """
        Take in what an earlier leg of this try held.

        Such items are not sent again: where a pause ends the leg after each few submissions, nothing would follow them.

        :param notes: of :func:`.held_of`, by the items' folders.
        """
        if not notes:
            return
        for conn_id, waiting in self._board.ready.items():
            account = self._opening.account(conn_id)
            for state in list(waiting):
                note = notes.get(item_folder(state.key))
                if note is not None and note["choice"] == chosen(state).number and not state.is_open:
                    waiting.remove(state)
                    self._hold(state, held_refusal(note), account)
            account.settle()

    def cannot_be_sent(self, state: ItemState, obstacle: Obstacle) -> None:
        """Take in that an item's present choice cannot be sent in this try."""
        if obstacle.moves:
            self._move(state, obstacle.reason, obstacle.reason)
        else:
            state.stop(obstacle.reason)

    def settle_held(self, running: Iterable[ItemState]) -> None:
        """Let refused items move or end, once it is known whether their account refuses everything."""
        if not self._held:
            return
        held, self._held = self._held, []
        busy = {chosen(one).conn_id for one in running} | {one for one, waiting in self._board.ready.items() if waiting}
        for state in held:
            account, error = self._board.account(state), state.held
            if error is None:
                continue
            state.held = None
            if account.stopped and not account.accepted:
                state.finish(ItemStatus.WAITING, f"{error.message}\n{account.stopped}")
            elif account.accepted or account.conn_id not in busy:
                self._move_or_end(state, error, account)
            else:
                state.held = error
                self._held.append(state)

    def _end(self, state: ItemState, status: ItemStatus, reason: str) -> None:
        state.finish(status, reason)
        self.stop_after(state)

    def _move_or_end(self, state: ItemState, error: ApiError, account: BatchAccount) -> None:
        if may_move(error, account.vendor.promises):
            self._move(state, error.message, error.happened)
        else:
            self._end(state, ItemStatus.REFUSED, error.message)

    def _move(self, state: ItemState, reason: str, happened: str) -> None:
        """
        Send an item to its next choice; it is refused where none is left.

        :param reason: why it is refused.
        :param happened: why it goes; another account is asked, so nothing has to be put right.
        """
        choices, refused = state.item.choices, chosen(state)
        if (record := readable(state)) is None:
            state.finish(ItemStatus.UNKNOWN, state.reason)
            return
        where = choices.index(refused) if refused in choices else None
        try:
            prints = self._opening.fingerprints(state.item)
        except AdGenError as other:
            state.finish(ItemStatus.WAITING, f"{happened} Another choice cannot be used. {trouble(other)}")
            return
        index = choice_after(record, prints, where, try_number=self._facts.try_number)
        if index is None:
            self._end(state, ItemStatus.REFUSED, reason)
            return
        self._log.info("Item %r goes to %s: %s", state.key, choices[index].conn_id, happened)
        state.choice = choices[index]
        self._board.make_ready(state)


def _has_ended(record: Record) -> bool:
    """Whether what was sent last is over, or under way: what goes wrong is about that, unless it is the account's."""
    return record.last is not None and record.last.phase != "withdrawn"


def _stops(account: BatchAccount, came: Exception) -> bool:
    return isinstance(came, AdGenError) and stops_account(came, account.vendor.name)
