# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the DAG's author allows; parsed once per leg, from the operator's arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_adgen.core.decisions.submission import Policy


@dataclass(frozen=True)
class SubmitOptions:
    """
    How a generation may be submitted; see :class:`GenerateOperator`.

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
    on_insufficient: Literal["fail", "wait"] = "fail"
    submit_timeout: float = 24 * 3600.0
    seed: str | None = None
    wait_seconds: float = 7200.0


@dataclass(frozen=True)
class GenerateOptions:
    """
    All that the author of a generating task chose.

    :param submit: how it may be submitted.
    :param destination: where the creatives are stored; None for nowhere.
    :param wait_for_completion: wait for the result.
    :param on_suspended: ``wait``, ``fail`` or ``skip``.
    """

    submit: SubmitOptions = field(default_factory=SubmitOptions)
    destination: str | None = None
    wait_for_completion: bool = True
    on_suspended: Literal["wait", "fail", "skip"] = "wait"
