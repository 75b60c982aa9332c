# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the DAG's author allows, and the signal that nothing can be submitted now."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_adgen.core.decisions.submission import Policy


@dataclass(frozen=True)
class QueuePlace:
    """
    A place in the queue of those whom a far rate limit refused.

    :param name: the task.
    :param seconds: how long from now the vendor takes no more.
    :param since: Unix time at which this try first wanted to submit.
    :param until: Unix time at which it gives up.
    """

    name: str
    seconds: float
    since: float
    until: float


class SubmitLater(Exception):  # not an error: the caller waits
    """
    Nothing can be submitted now; come back later.

    :param seconds: how long from now.
    :param reason: why, for the log.
    :param credits: come back when the account has so many credits, if that is what is missing.
    :param until: Unix time at which waiting for them ends.
    :param turn: its place in the queue, if it was a rate limit.
    """

    def __init__(
        self,
        seconds: float,
        reason: str,
        *,
        credits: int | None = None,  # noqa: A002 - money's own word
        until: float = 0.0,
        turn: QueuePlace | None = None,
    ) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason
        self.credits = credits
        self.until = until
        self.turn = turn


@dataclass(frozen=True)
class SubmitOptions:
    """
    What the DAG's author allows; see :class:`GenerateOperator`.

    :param policy: what to do about earlier attempts.
    :param max_credits: the most that all tries together may cost.
    :param assume_credits: what to count where no price is documented.
    :param on_insufficient: ``fail`` or ``wait``.
    :param submit_timeout: seconds to wait for being allowed to submit.
    :param seed: replaces DAG, run and task in the idempotency key.
    :param wait_seconds: how long a try waits for the job.
    """

    policy: Policy = field(default_factory=Policy)
    max_credits: int | None = None
    assume_credits: int | None = None
    on_insufficient: str = "fail"
    submit_timeout: float = 24 * 3600.0
    seed: str | None = None
    wait_seconds: float = 7200.0
