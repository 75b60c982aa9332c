# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Asks the vendor for a recorded job, riding out what passes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.polling import PollAction, Schedule, judge_poll
from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.errors import AdGenError, NotFound

if TYPE_CHECKING:
    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.hooks.base import AdGenHook

_ASKS, _ASK_PAUSE = 3, 5.0


def ask_for_job(
    hook: AdGenHook, job_ids: list[str], kind: str | None, submitted_at: float | None, *, clock: Clock, log: Any
) -> Generation | None:
    """
    Ask the vendor for a job; None where it cannot answer just now, or does not know the job yet.

    :param submitted_at: Unix time of the submission, if known.
    :raises AdGenError: asking again does not help.
    """
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    for failures in range(_ASKS):
        try:
            return hook.with_current_key(lambda: hook.get_generation(",".join(job_ids), kind=kind))
        except AdGenError as error:
            age = clock.now() - (submitted_at or 0.0)
            verdict = judge_poll(error, schedule=Schedule(_ASK_PAUSE), age=age, failures=failures, rng=rng, reread=True)
            if verdict.action != PollAction.AGAIN:
                raise
            log.warning("%s The job is asked for again.", error.message)
            if isinstance(error, NotFound) or verdict.pause > NEAR or failures + 1 == _ASKS:
                break
            clock.sleep_blocking(verdict.pause)
    return None
