# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What is measured: W1 1,000 jobs, W2 under a rate limit, W3 as waiters grow, W4 after a restart, the cold path.

W1 is three parts, one per latency of the vendor, so that databricks' trigger runs beside ours at each of them. In all
runs the jobs end 15 to 35 seconds after the triggers begin to wait: what differs is how long the jobs ran before.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.benchmarks import cold
from tests.benchmarks.batches import w6
from tests.benchmarks.contenders import OURS, PEERS
from tests.benchmarks.run import Plan, Server, run_together

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Situation:
    """
    Which jobs the triggers of a W1 run begin to wait for.

    CutX' pages say how long its jobs take: the static ad of an example took 25 seconds, videos "typically 1-3 minutes".

    :param title: as the page calls it.
    :param kind: what the jobs make.
    :param ages: seconds since the last and since the first job was submitted; the others lie evenly between.
    """

    title: str
    kind: str = "image"
    ages: tuple[float, float] = (0.0, 0.0)


FIRST_END, LAST_END = 15.0, 35.0
"""Seconds after the triggers begin to wait in which the jobs of W1 end, evenly spread."""

FRESH = Situation("new jobs")
# Older than an interval, so that their first poll is due at once, as after a restart.
MIXED = Situation("mixed ages", ages=(5.0, 25.0))
EARLY = Situation("videos that end early", "video", (5.0, 25.0))
USUAL = Situation("videos that end as usual", "video", (45.0, 145.0))
SITUATIONS = {one.title: one for one in (FRESH, MIXED, EARLY, USUAL)}

LATENCIES = {"w1-0": 0.0, "w1-150": 0.15, "w1-500": 0.5}
"""The parts of W1, and the seconds that the vendor takes for an answer."""

MAIN = "w1-150"
"""The part that has all contenders, and on which the plot and W3 are based."""

TOGETHER = 3
"""Runs at a time where only what the server counts is of interest."""

PER_MINUTE = Server(limit=100, window=60.0)
PER_SECOND = Server(limit=100, window=1.0)
TOLD = "limit in the connection"
UNLUCKY = "oldest first, 2,000 older jobs"

SIZES = (10, 100, 1_000, 10_000)
GROWING = ("adsumo", "cutx", "databricks", "dbt-cloud")


def w1(part: str, jobs: int = 1000) -> list[dict[str, Any]]:
    """
    Wait for 1,000 jobs, one run after the other: here the machine's speed matters.

    :param part: of :data:`LATENCIES`.
    :param jobs: how many; fewer only to try whether it works.
    """
    runs = [
        ("databricks", FRESH),
        ("adsumo", FRESH),
        ("adsumo", MIXED),
        *([("sume", FRESH)] if part == MAIN else []),
        ("sume", MIXED),
        ("cutx", FRESH),
        ("cutx", MIXED),
        ("cutx", EARLY),
        ("cutx", USUAL),
        ("cinematicads", FRESH),
        *([(name, FRESH) for name in PEERS if name != "databricks"] if part == MAIN else []),
    ]
    return run_together([_w1_plan(name, situation, LATENCIES[part], jobs) for name, situation in runs])


def _w1_plan(name: str, situation: Situation, latency: float, jobs: int) -> Plan:
    # Peers do not know how old a job is, so there is one situation for them, and it needs no name.
    label = situation.title if name in OURS else ""
    server = Server(FIRST_END, LAST_END, latency, kind=situation.kind)
    return Plan(name, jobs, label, server, situation.ages)


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
    # A hundred triggers that are mostly refused cost next to nothing: all of them at a time, beside the others.
    with ThreadPoolExecutor(2) as pool:
        groups = [pool.submit(run_together, few, len(few)), pool.submit(run_together, plans, TOGETHER)]
        return [result for group in groups for result in group.result()]


def w3() -> list[dict[str, Any]]:
    """Let the waiters grow; what 1,000 cost is in W1. Beside it, lists that show other jobs first."""
    small = [Plan(name, size) for name in GROWING for size in SIZES[:2]]
    lists = [Plan(name, 1000, UNLUCKY, Server(history=2000, oldest_first=True)) for name in ("adsumo", "sume")]
    large = [Plan(name, SIZES[-1], seconds=180) for name in GROWING[:2]]
    return run_together(small, len(small)) + run_together(lists, len(lists)) + run_together(large)


def w4() -> list[dict[str, Any]]:
    """Hand over 1,000 triggers at once, whose jobs have run for a minute, and look at the first half minute."""
    server, ages = Server(first=40.0, last=60.0), (60.0, 60.0)
    names = ("adsumo", "sume", "cutx", *PEERS)
    return run_together([Plan(name, 1000, server=server, ages=ages, seconds=30.0) for name in names], 2)


def cold_path() -> list[dict[str, Any]]:
    """Import operators, parse DAG files."""
    return cold.measure()


WORKLOADS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    **{part: partial(w1, part) for part in LATENCIES},
    "w2": w2,
    "w3": w3,
    "w4": w4,
    "w6": w6,
    "cold": cold_path,
}
