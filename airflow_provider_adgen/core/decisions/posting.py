# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the outcome of one paid POST proves about whether a job was started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.errors import (
    TEMPORARY,
    AdGenError,
    ApiError,
    InvalidRequest,
    RateLimited,
    UnexpectedResponse,
    WireError,
)

if TYPE_CHECKING:
    from airflow_provider_adgen.core.vendor import Promises


@dataclass(frozen=True)
class Verdict:
    """
    What a POST that gave no job proves.

    :param nothing_started: it is certain that no job exists.
    :param answered: the vendor answered it, so the next attempt gets a new key.
    :param unknown: repeating cannot settle it: it was accepted and the answer holds no job id.
    :param status: the HTTP status, 0 where no answer arrived.
    """

    nothing_started: bool
    answered: bool
    unknown: bool
    status: int


def classify_submit_error(error: AdGenError, promises: Promises) -> Verdict:
    """Return what *error*, raised by a paid POST, proves."""
    if isinstance(error, WireError):
        return Verdict(nothing_started=not error.sent, answered=False, unknown=False, status=0)
    if isinstance(error, RateLimited) and not error.sent:
        return Verdict(nothing_started=True, answered=False, unknown=False, status=0)
    if isinstance(error, UnexpectedResponse):
        return Verdict(nothing_started=False, answered=True, unknown=True, status=200)
    if isinstance(error, ApiError):
        if error.status in promises.nothing_started:
            return Verdict(nothing_started=True, answered=True, unknown=False, status=error.status)
        return Verdict(nothing_started=False, answered=False, unknown=False, status=error.status)
    # We refused it before anything was sent.
    ours = isinstance(error, InvalidRequest)
    return Verdict(nothing_started=ours, answered=False, unknown=False, status=0)


def refused_for_good(error: AdGenError) -> bool:
    """
    Return whether the same submission, sent unchanged, would be refused again.

    It says nothing about money: :func:`classify_submit_error` does. A 4xx blames the request, its key or its account,
    which a retry does not change; the exceptions ask to come back later. A 5xx and a missing answer may pass.
    """
    if isinstance(error, ApiError):
        return 400 <= error.status < 500 and error.status not in TEMPORARY
    return isinstance(error, InvalidRequest)
