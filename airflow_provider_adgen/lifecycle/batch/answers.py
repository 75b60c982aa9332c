# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What people said of a batch's submissions that nobody knows about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.ledger.stored_files import in_parallel
from airflow_provider_adgen.lifecycle.batch.opening import readable
from airflow_provider_adgen.lifecycle.batch.state import chosen

if TYPE_CHECKING:
    from airflow_provider_adgen.lifecycle.batch.board import Board
    from airflow_provider_adgen.lifecycle.batch.member import Members
    from airflow_provider_adgen.lifecycle.batch.state import ItemState


def take_answers(board: Board, members: Members) -> list[ItemState]:
    """
    Take in what was said, before anything is sent, and put what is still unknown before what is new.

    A job that was attached is paid for: it is collected also where its account takes nothing just now. Returned are
    items that were delivered before, and that a person may have rejected since: nothing came of making them anew.

    :param board: the items, whose places are known.
    :param members: the items' legs.
    """
    waiting = [one for some in board.ready.values() for one in some if one.is_open]
    for one in waiting:
        one.ledger.record()  # opened in this thread
    delivered: list[ItemState] = []
    for state, said in zip(waiting, in_parallel(members.take_answer, waiting), strict=True):
        if said:
            board.ready[chosen(state).conn_id].remove(state)
            record = board.look_at(state)
        else:
            record = readable(state)
        if state.job is None and record is not None:
            board.let_go(state, record)
            if board.may_be_rejected(state, record):
                delivered.append(state)
    for some in board.ready.values():
        # What may have been accepted comes first: it needs no room in a budget that others have to wait for.
        first = sorted(some, key=lambda one: not one.is_open)
        some.clear()
        some.extend(first)
    return delivered
