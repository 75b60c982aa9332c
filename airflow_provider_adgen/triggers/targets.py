# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a waiter hands to the poll loop, and what it hears from it."""

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
    What one look at an errand found.

    :param word: the status as it is now.
    :param over: there is nothing more to wait for.
    :param ended: Unix time at which it ended, where the vendor says so.
    :param sealed: the result, where the vendor may tell it only once; readable with the account's key.
    """

    word: str
    over: bool
    ended: float | None = None
    sealed: str = field(default="", repr=False)


@dataclass(frozen=True)
class PollTarget:
    """
    Something to ask for until it is over.

    :param key: tells errands apart; waiters with the same key share the looks.
    :param look: asks once.
    :param plan: when to ask.
    :param since: Unix time at which it began.
    :param job: the vendor's job id, if a list of jobs can tell whether it is over.
    :param stop_words: status words of a listed job that end the errand, although the job is not finished.
    :param holds: a look may hold a stream open for long, so it does not count against the requests under way.
    :param kind: what is waited for, among errands that take alike: ``video``, ``image`` ...
    """

    key: Hashable
    look: Callable[[Wire], Awaitable[PollResult]] = field(repr=False)
    plan: Schedule
    since: float
    job: str | None = None
    stop_words: frozenset[str] = frozenset()
    holds: bool = False
    kind: str = ""

    def listed(self, seen: Generation) -> PollResult:
        """Return what a list says of this errand's job."""
        word = str(seen.status)
        return PollResult(word, seen.finished or word in self.stop_words, ended_at(seen))


def ended_at(seen: Generation) -> float | None:
    """Return the Unix time at which the vendor says that a finished generation ended."""
    return seen.completed_at.timestamp() if seen.finished and seen.completed_at is not None else None


class UpdateKind(StrEnum):
    """What news are about."""

    STATUS = "status"
    OVER = "over"
    UNREACHABLE = "unreachable"
    NEEDS_CONNECTION = "needs connection"
    VIEW = "view"
    RESTART = "restart"


@dataclass(frozen=True)
class PollUpdate:
    """
    News about an errand.

    :param word: what it is about.
    :param text: the status word, or why the vendor cannot be asked.
    :param sealed: as of :class:`PollResult`.
    """

    word: UpdateKind
    text: str = ""
    sealed: str = field(default="", repr=False)
