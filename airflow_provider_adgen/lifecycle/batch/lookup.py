# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch need not pay for when a leg begins: what its earlier tries used again, and what is in its library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.batch import Do, ItemStatus, Step
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.lifecycle.batch.reuse import why_unreadable
from airflow_provider_adgen.lifecycle.batch.state import chosen

if TYPE_CHECKING:
    from airflow_provider_adgen.lifecycle.batch.board import Board
    from airflow_provider_adgen.lifecycle.batch.kept_reuse import KeptReuse
    from airflow_provider_adgen.lifecycle.batch.reuse import Reuse
    from airflow_provider_adgen.lifecycle.batch.state import ItemState


def look_up(board: Board, kept: KeptReuse, reuse: Reuse | None, delivered: list[ItemState]) -> None:
    """
    Take what is there already, for items of which nothing is bought, and make anew what a person rejected.

    Items of which that cannot be found out wait for the next try. What is paid for is collected all the same.

    :param board: the items, whose places are known.
    :param kept: what earlier tries used again.
    :param reuse: the batch's library; None without one.
    :param delivered: items that were delivered before the task was cleared in order to make what is missing.
    """
    try:
        if reuse is not None:
            make_rejected_anew(board, reuse, delivered)
    except AdGenError as error:
        for state in delivered:
            state.finish(ItemStatus.WAITING, why_unreadable(error))
    for state in delivered:
        board.close(state)
    try:
        _take_kept(board, kept, reuse)
        found = reuse.find(_wanted(board)) if reuse is not None else {}
    except AdGenError as error:
        found = dict.fromkeys(_wanted(board), error)
    for state, one in found.items():
        if isinstance(one, AdGenError):
            _unreadable(board, state, one)
            continue
        board.ready[chosen(state).conn_id].remove(state)
        board.reused(state, *one)
        board.close(state)


def _take_kept(board: Board, kept: KeptReuse, reuse: Reuse | None) -> None:
    """Take what earlier tries used again, unless a person rejected it since."""
    found = kept.find(_wanted(board))
    told = [one[1] for one in found.values() if not isinstance(one, AdGenError)]
    # What a person rejected is not used again, by a retry neither: nothing was paid for it here.
    gone = reuse.rejected_of((one.identity, str(one.generation.get("id"))) for one in told) if reuse else set()
    for state, what in found.items():
        if isinstance(what, AdGenError):
            _unreadable(board, state, what)
            continue
        choice, creative = what
        if (creative.identity, str(creative.generation.get("id"))) not in gone:
            board.ready[chosen(state).conn_id].remove(state)
            board.reused(state, choice, creative.generation, kept=True)
            board.close(state)


def make_rejected_anew(board: Board, reuse: Reuse, delivered: list[ItemState]) -> None:
    """
    Let items be made anew whose delivered creative a person rejected.

    :param delivered: items that were delivered before the task was cleared in order to make what is missing.
    :raises LibraryUnavailable: it could not be found out what was rejected.
    """
    for state in reuse.rejected(delivered):
        state.step, state.status, state.generation = Step(Do.SUBMIT, 0, anew=True), None, None
        state.choice = state.item.choices[0]
        board.make_ready(state)


def _wanted(board: Board) -> list[ItemState]:
    return [one for waiting in board.ready.values() for one in waiting if not one.is_open]


def _unreadable(board: Board, state: ItemState, error: AdGenError) -> None:
    board.ready[chosen(state).conn_id].remove(state)
    state.finish(ItemStatus.WAITING, why_unreadable(error))
