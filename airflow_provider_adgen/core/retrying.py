# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""When the wire sends a repeatable request again, and after which pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tenacity

from airflow_provider_adgen.core.decisions.rates import NEAR
from airflow_provider_adgen.core.errors import ApiError, RateLimited, ServerError, WireError

if TYPE_CHECKING:
    from airflow_provider_adgen.core.clock import Clock

ATTEMPTS = 4
"""How often a repeatable request is sent at most."""

_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=8.0)


def retrying(attempts: int, clock: Clock) -> tenacity.AsyncRetrying:
    """
    Return what sends a request again while that may help.

    :param attempts: how often it is sent at most.
    :param clock: what pauses.
    """
    return tenacity.AsyncRetrying(
        sleep=clock.sleep,
        retry=tenacity.retry_if_exception(worth_retrying),
        wait=pause,
        stop=tenacity.stop_after_attempt(attempts),
        reraise=True,
    )


def worth_retrying(error: BaseException) -> bool:
    """Whether the same request may be answered if it is sent again soon."""
    if isinstance(error, RateLimited):
        # What our own budget held back has waited long enough already.
        return error.sent and (error.retry_after is None or error.retry_after <= NEAR)
    return isinstance(error, ServerError | WireError)


def pause(state: tenacity.RetryCallState) -> float:
    """Return the seconds before the next attempt: a pause that grows, or what the vendor asks for if that is longer."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return max(_backoff(state), asked if asked is not None and asked <= NEAR else 0.0)
