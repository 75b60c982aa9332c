# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured: W1 1,000 jobs, W2 under a rate limit, W3 as waiters grow, W4 after a restart, the cold path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks import cold
from tests.benchmarks.contenders import OURS, PEERS
from tests.benchmarks.run import Plan, Server, run_together

if TYPE_CHECKING:
    from collections.abc import Callable

TOGETHER = 3
"""Runs at a time where only what the server counts is of interest."""

PER_MINUTE = Server(limit=100, window=60.0)
PER_SECOND = Server(limit=100, window=1.0)
TOLD = "limit in the connection"
UNLUCKY = "oldest first, 2,000 older jobs"

SIZES = (10, 100, 1_000, 10_000)
GROWING = ("adsumo", "cutx", "databricks", "dbt-cloud")


def w1() -> list[dict[str, Any]]:
    """Wait for 1,000 jobs, one contender after the other: here the machine's speed matters."""
    return run_together([Plan(name, 1000) for name in (*OURS, *PEERS)])


def w2() -> list[dict[str, Any]]:
    """Wait under a limit: 100 jobs with 100 requests a minute, 1,000 with 100 a second."""
    ours = [name for name in OURS if name != "cinematicads"]  # has a limit of its own, in W1 too
    plans = [
        *(Plan(name, 1000, server=PER_SECOND) for name in (*ours, *PEERS)),
        Plan("cutx", 1000, TOLD, PER_SECOND, extra={"requests_per_minute": 6000}),
    ]
    few = [
        *(Plan(name, 100, server=PER_MINUTE, seconds=180) for name in (*ours, *PEERS)),
        Plan("cutx", 100, TOLD, PER_MINUTE, seconds=180, extra={"requests_per_minute": 100}),
    ]
    # A hundred triggers that are mostly refused cost next to nothing: all of them at a time.
    return run_together(few, len(few)) + run_together(plans, TOGETHER)


def w3() -> list[dict[str, Any]]:
    """Let the waiters grow; what 1,000 cost is in W1. Beside it, lists that show other jobs first."""
    small = [Plan(name, size) for name in GROWING for size in SIZES[:2]]
    lists = [Plan(name, 1000, UNLUCKY, Server(history=2000, oldest_first=True)) for name in ("adsumo", "sume")]
    large = [Plan(name, SIZES[-1], seconds=180) for name in GROWING[:2]]
    return run_together(small, len(small)) + run_together(lists, len(lists)) + run_together(large)


def w4() -> list[dict[str, Any]]:
    """Hand over 1,000 triggers at once, whose jobs have run for a minute, and look at the first half minute."""
    server = Server(first=40.0, last=60.0)
    return run_together(
        [Plan(name, 1000, server=server, age=60.0, seconds=30.0) for name in ("adsumo", "sume", "cutx", *PEERS)],
        2,
    )


def cold_path() -> list[dict[str, Any]]:
    """Import operators, parse DAG files."""
    return cold.measure()


WORKLOADS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "w1": w1,
    "w2": w2,
    "w3": w3,
    "w4": w4,
    "cold": cold_path,
}
