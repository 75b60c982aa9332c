# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Numbers about waiting and spending, through Airflow's own statistics; ``docs/metrics.md`` lists them.

A number that cannot be sent is dropped: no task fails for it. With no ``[metrics]`` configured nothing is sent.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import compat

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

WAITING = "adgen.waiting"
"""Gauge: deferred tasks that wait in a poll loop."""

REQUESTS = "adgen.requests"
"""Counter: requests that a poll loop sent."""

RATE_LIMITED = "adgen.rate_limited"
"""Counter: those of them that were answered 429."""

LATENESS = "adgen.lateness"
"""Timer, milliseconds: how long after its end a job was noticed."""

CREDITS_CHARGED = "adgen.credits.charged"
"""Counter: whole credits that submissions were charged."""

CREDITS_REFUNDED = "adgen.credits.refunded"
"""Counter: whole credits that were given back, as the vendor told or documents."""

CREDITS_REMAINING = "adgen.credits.remaining"
"""Gauge: an account's balance, as somebody last read it."""

SUBMISSIONS_UNKNOWN = "adgen.submissions.unknown"
"""Counter: submissions of which nobody knows whether they were accepted."""

GENERATIONS_COMPLETED = "adgen.generations.completed"
"""Counter: generations that were delivered."""

GENERATIONS_FAILED = "adgen.generations.failed"
"""Counter: jobs that ended without a result."""

BUDGET_DAY_LEFT = "adgen.budget.day_left"
"""Gauge: credits of a budget that are left for this UTC day."""

BUDGET_MONTH_LEFT = "adgen.budget.month_left"
"""Gauge: credits of a budget that are left for this calendar month."""

KEY_SECONDS_LEFT = "adgen.key.seconds_left"
"""Gauge: seconds until an account's key ends, where the key says so."""


def count(name: str, number: int, tags: Mapping[str, str]) -> None:
    """Add *number* to a counter."""
    if number > 0:
        _send("incr", name, number, tags=dict(tags))


def gauge(name: str, value: float, tags: Mapping[str, str]) -> None:
    """Set a gauge."""
    _send("gauge", name, value, tags=dict(tags))


def timing(name: str, seconds: float, tags: Mapping[str, str]) -> None:
    """Report how long something took; statsd's unit is the millisecond."""
    _send("timing", name, max(0.0, seconds) * 1000.0, tags=dict(tags))


def _send(how: str, *args: Any, **kwargs: Any) -> None:
    try:
        stats = compat.statistics()
        if stats is not None:
            getattr(stats, how)(*args, **kwargs)
    except Exception as error:
        _warn_once(type(error).__name__)


@cache
def _warn_once(what: str) -> None:
    # Once for each kind of error: a statsd that is gone must not fill the log.
    log.warning("A metric could not be sent to Airflow's statistics (%s); this is logged once.", what)
