# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What a leg of a task returns, and what the next leg begins with; data only.

A task runs in legs: from its start, or from the end of a wait, to the next wait or the task's end. A leg neither defers
nor sleeps. It returns :class:`Finished` or :class:`Wait`, or it raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from airflow_provider_adgen.core.decisions.polling import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True)
class Finished(Generic[T]):
    """
    The task is done.

    :param value: what it returns.
    """

    value: T


@dataclass(frozen=True)
class WaitForJob:
    """
    A job to wait for.

    :param conn_id: the account's connection.
    :param vendor: the vendor's name.
    :param job_ids: all jobs of the generation.
    :param kind: kind of the result.
    :param stop_suspended: the wait is over when the job is suspended for a person's review, too.
    :param since: Unix time of its submission, where that is not the time of the whole wait.
    :param until: Unix time at which this job is no longer waited for, where that is not the end of the whole wait.
    """

    conn_id: str
    vendor: str
    job_ids: list[str]
    kind: str
    stop_suspended: bool = False
    since: float = 0.0
    until: float = 0.0


@dataclass(frozen=True)
class SubmitLater:
    """
    Something that cannot be submitted yet.

    :param conn_id: the account's connection.
    :param reason: why, for the log.
    :param not_before: Unix time of the next attempt.
    :param credits: credits that the account must have before, if credits are what is missing.
    :param poll_interval: seconds between two requests for the balance; None for the task's own interval.
    :param claims: those credits are spent next: of all that wait, only as many go on as the balance pays for.
    :param queue: the name under which it queues with all others that the same rate limit refused; empty for none.
    """

    conn_id: str
    reason: str
    not_before: float
    credits: int | None = None
    poll_interval: float | None = None
    claims: bool = True
    queue: str = ""


@dataclass(frozen=True)
class Wait:
    """
    The task has to wait.

    :param since: Unix time at which the waiting began, on the first leg that waited for this.
    :param until: Unix time at which the task stops waiting.
    :param jobs: jobs to wait for.
    :param submit: submissions to wait for.
    :param remember: what the next leg needs and nothing else keeps; pushed as an XCom where the task defers.
    :param collect_at: the wait is over when so many of the jobs are; 0 for all.
    """

    since: float
    until: float
    jobs: tuple[WaitForJob, ...] = ()
    submit: tuple[SubmitLater, ...] = ()
    remember: Mapping[str, Any] = field(default_factory=dict)
    collect_at: int = 0


@dataclass(frozen=True)
class Resumed:
    """
    How a wait ended.

    :param status: the last status, or ``timeout``, or another word of the trigger.
    :param job_ids: the jobs that were waited for; none where it was a submission.
    :param sealed: the result, where the vendor may tell it only once; readable with the account's key.
    :param trigger_failed: the trigger ended without an event.
    :param remembered: what an earlier leg of this try had remembered.
    :param over: of a batch, the connection, the ids, the status and the sealed result of each job that is over.
    :param waited: seconds for which a worker waited, where that ended before the task's own deadline.
    """

    status: str = ""
    job_ids: list[str] = field(default_factory=list)
    sealed: str = field(default="", repr=False)
    trigger_failed: bool = False
    remembered: Mapping[str, Any] = field(default_factory=dict)
    over: Sequence[Sequence[str]] = field(default=(), repr=False)
    waited: float | None = None

    @property
    def timed_out(self) -> bool:
        """Whether the wait ended at its deadline."""
        return self.status == TIMEOUT


class Watch(Protocol):
    """Watches jobs while a leg runs."""

    def start(self, job: WaitForJob, over: Callable[[str, str], None]) -> None:
        """Watch a job; *over* is called from another thread, with its status and its sealed result."""

    def close(self) -> None:
        """Watch nothing any more."""
