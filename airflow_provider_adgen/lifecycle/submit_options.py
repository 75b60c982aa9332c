# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the DAG's author allows; parsed once per leg, from the operator's arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from airflow_provider_adgen.core.decisions.submission import Policy
from airflow_provider_adgen.lifecycle.candidates import find_candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.errors import AdGenError
    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.delivery.names import FileNames
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.candidates import Candidates
    from airflow_provider_adgen.lifecycle.legs import SubmitLater


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


class Permit(Protocol):
    """What a submission needs beside its payment: the right to make a creative that other runs want, too."""

    def take(self) -> str | SubmitLater:
        """Return the claim's id, or when to ask again; raise where nothing is to be submitted."""

    def stands(self) -> bool:
        """Whether the claim is still this run's, after its intent is written."""

    def withdraw(self) -> None:
        """Give the claim up: nothing is under way under it."""


@dataclass(frozen=True)
class Surroundings:
    """
    What a submission shares with others of the same task; the defaults are those of a task with one generation.

    :param near: seconds up to which it waits where it is, instead of saying when to come back; None for as usual.
    :param stopped: returns the error to raise where nothing may be submitted any more; asked before each intent.
    :param accepts_risk: whether another submission may be made whose predecessor nobody knows about; asked where
        ``on_unknown_submission`` is ``resubmit``.
    :param candidates: finds the vendor's jobs that a lost submission could have started.
    :param permit: what is needed before an intent is written; None for nothing.
    :param moved: the recorded job was another choice's of the same item, and its refund is documented.
    """

    near: float | None = None
    stopped: Callable[[], AdGenError | None] = lambda: None
    accepts_risk: Callable[[], bool] = lambda: True
    candidates: Callable[[AdGenHook, Attempt], Candidates] = find_candidates
    permit: Permit | None = None
    moved: bool = False


ALONE = Surroundings()
"""Those of a task with one generation."""


@dataclass(frozen=True)
class GenerateOptions:
    """
    All that the author of a generating task chose.

    :param submit: how it may be submitted.
    :param destination: where the creatives are stored; None for nowhere.
    :param wait_for_completion: wait for the result.
    :param on_suspended: ``wait``, ``fail`` or ``skip``.
    :param file_names: how the creatives' files are named; None for the usual names.
    :param stored: is told what was stored, before it is recorded as delivered.
    """

    submit: SubmitOptions = field(default_factory=SubmitOptions)
    destination: str | None = None
    wait_for_completion: bool = True
    on_suspended: Literal["wait", "fail", "skip"] = "wait"
    file_names: FileNames | None = None
    stored: Callable[[Generation], None] = lambda generation: None
