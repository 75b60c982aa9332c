# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a trigger asks the poll loop to wait for, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from airflow_provider_adgen.core.decisions.polling import Schedule
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.core.wire import Wire


@dataclass(frozen=True)
class PollResult:
    """
    What one poll found.

    :param status: the status as it is now.
    :param over: there is nothing more to wait for.
    :param ended_at: Unix time at which it ended, where the vendor says so.
    :param sealed: the result, where the vendor may tell it only once; readable with the account's key.
    """

    status: str
    over: bool
    ended_at: float | None = None
    sealed: str = field(default="", repr=False)


def result_of(generation: Generation, stop_statuses: frozenset[str], sealed: str = "") -> PollResult:
    """
    Return what an answer or a list says of a generation.

    :param generation: the generation.
    :param stop_statuses: statuses that end the wait, although the generation is not finished.
    :param sealed: as of :class:`PollResult`.
    """
    ended = generation.completed_at if generation.finished else None
    return PollResult(
        str(generation.status),
        generation.finished or str(generation.status) in stop_statuses,
        ended.timestamp() if ended is not None else None,
        sealed,
    )


@dataclass(frozen=True)
class PollTarget:
    """
    Something to poll until it is over.

    :param key: tells targets apart; waiters with the same key share the polls.
    :param poll: polls once.
    :param schedule: when to poll.
    :param since: Unix time at which it began.
    :param job_id: the vendor's job id, if a list of jobs can tell whether it is over.
    :param stop_statuses: statuses of a listed job that end the wait, although the job is not finished.
    :param streams: a poll may hold a stream open for long, so it does not count as a request under way.
    :param kind: what is waited for, among targets that take equally long: ``video``, ``image`` ...
    """

    key: Hashable
    poll: Callable[[Wire], Awaitable[PollResult]] = field(repr=False)
    schedule: Schedule
    since: float
    job_id: str | None = None
    stop_statuses: frozenset[str] = frozenset()
    streams: bool = False
    kind: str = ""


class UpdateKind(StrEnum):
    """What an update is about."""

    STATUS = "status"
    OVER = "over"
    UNREACHABLE = "unreachable"
    READ_CONNECTION = "read the connection"
    LOOP_STATE = "loop state"
    RESTART = "restart"


@dataclass(frozen=True)
class PollUpdate:
    """
    What a waiter is told.

    :param kind: what it is about.
    :param text: the status, or why the vendor cannot be asked.
    :param sealed: as of :class:`PollResult`.
    """

    kind: UpdateKind
    text: str = ""
    sealed: str = field(default="", repr=False)
