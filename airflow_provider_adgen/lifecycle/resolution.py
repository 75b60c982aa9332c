# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
How a person resolves a submission that nobody knows about, without touching code: by an Airflow Variable.

The error names the Variable. Its value is the id of the job that the submission started (several joined by commas), or
``not-submitted``. Then the task is cleared or retried.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

NOT_SUBMITTED = "not-submitted"
"""The value that declares that nothing was started."""


def variable_name(uid: str) -> str:
    """Return the name of the Variable that resolves the attempt *uid*."""
    return f"adgen_resolve_{uid}"


def read_resolution(uid: str) -> str | None:
    """Return what a person said about the attempt *uid*, or None."""
    from airflow.sdk import Variable

    try:
        value = Variable.get(variable_name(uid), default=None)
    except Exception as error:  # the task stops anyway; whatever kept the Variable from being read must not hide why
        log.warning("Variable %s could not be read (%s).", variable_name(uid), type(error).__name__)
        return None
    text = str(value).strip() if value is not None else ""
    return text or None
