# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
How a person resolves a submission whose outcome is unknown: by an Airflow Variable.

The error names the Variable. Its value is the id of the job that the submission started (several joined by commas), or
``not-submitted``; of a recorded job that the vendor no longer knows it is ``gone``. Then the task is cleared.
``airflow adgen ledger attach`` and ``dismiss`` set the same Variable, after having looked whether that makes sense.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.compat import ASKING_AIRFLOW
from airflow_provider_adgen.core.decisions.submission import Decision, Why
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest, NotFound
from airflow_provider_adgen.hooks.base import job_ids

if TYPE_CHECKING:
    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.attempt_log import AttemptLog

log = logging.getLogger(__name__)

NOT_SUBMITTED = "not-submitted"
"""The value that declares that nothing was started."""

GONE = "gone"
"""The value that declares that the vendor has deleted the recorded job; it counts only where the vendor says so too."""


def variable_name(uid: str) -> str:
    """Return the name of the Variable that resolves the attempt *uid*."""
    return f"adgen_resolve_{uid}"


def read_resolution(uid: str, *, needed: bool = False) -> str | None:
    """
    Return what a person said about an attempt, or None.

    :param uid: the attempt.
    :param needed: money is spent where nothing was said: an answer that cannot be read must not count as none.
    :raises AdGenError: it is needed, and cannot be read. A retry may help.
    """
    from airflow.sdk import Variable

    try:
        with ASKING_AIRFLOW:
            value = Variable.get(variable_name(uid), default=None)
    except Exception as error:
        if needed:
            raise AdGenError(
                f"Variable {variable_name(uid)} could not be read ({type(error).__name__}). It may hold what a person "
                "said of a submission that may have been accepted, so nothing more was sent. A retry reads it again."
            ) from None
        # The task stops, or asks the vendor with the submission's key; this error must not hide why.
        log.warning("Variable %s could not be read (%s).", variable_name(uid), type(error).__name__)
        return None
    text = str(value).strip() if value is not None else ""
    return text or None


def apply_resolution(
    decision: Decision, hook: AdGenHook, request: GenerationRequest, attempt_log: AttemptLog, log: Any
) -> bool:
    """
    Record what a person said about an unresolved attempt; return whether there was anything said.

    It is asked for before the risk of paying twice is taken, too: a job that was attached is not paid for again.

    :param decision: what was decided.
    :param hook: the account.
    :param request: what the task generates.
    :param attempt_log: the task's record.
    :param log: where to say it.
    :raises InvalidRequest: the vendor does not know the jobs that were named.
    :raises AdGenError: the risk of paying twice would be taken, and what was said cannot be read.
    """
    attempt = decision.attempt
    if decision.why not in {Why.UNRESOLVED, Why.UNKNOWN_RESUBMIT, Why.KEY_PROTECTS} or attempt is None:
        return False
    said = read_resolution(attempt.uid, needed=decision.why == Why.UNKNOWN_RESUBMIT)
    if said is None or said == GONE:  # that is about a recorded job, and is no job id
        return False
    if said == NOT_SUBMITTED and decision.why == Why.KEY_PROTECTS:
        # Its key tells for certain, and pays nothing twice if the person was wrong.
        log.info("A person declared that attempt %s was not submitted. Its key is asked first.", attempt.uid)
        return False
    if said == NOT_SUBMITTED:
        log.warning("A person declared that attempt %s was not submitted.", attempt.uid)
        attempt_log.dismissed(attempt)
        return True
    ids = job_ids(said)
    if not request.synchronous:
        _check_exists(hook, attempt, ids)
    log.warning("A person attached %s job %s to attempt %s.", hook.vendor.title, said, attempt.uid)
    attempt_log.adopt(attempt, ids)
    return True


def declared_gone(attempt: Attempt, title: str, attempt_log: AttemptLog, log: Any) -> bool:
    """
    Return whether a person declared that a recorded job is gone, which the vendor does not know; then record it.

    :param attempt: whose job it is.
    :param title: the vendor's.
    :param attempt_log: the task's record.
    :param log: where to say it.
    """
    if read_resolution(attempt.uid) != GONE:
        return False
    log.warning("A person declared that %s job %s is gone.", title, ", ".join(attempt.job_ids))
    attempt_log.gone(attempt)
    return True


def _check_exists(hook: AdGenHook, attempt: Attempt, ids: list[str]) -> None:
    # What is recorded cannot be taken back.
    try:
        hook.with_current_key(lambda: hook.get_generation(",".join(ids), kind=attempt.result_kind))
    except NotFound:
        raise InvalidRequest(
            f"Variable {variable_name(attempt.uid)} names job {', '.join(ids)}, which {hook.vendor.title} does not "
            "know in this account. Nothing was sent or recorded: put the Variable right and clear the task."
        ) from None
