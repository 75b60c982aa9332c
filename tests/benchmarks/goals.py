# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What this package has set itself to reach, and whether the runs did: of each goal, the run that did worst counts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.contenders import CONTENDERS, OURS
from tests.benchmarks.workloads import EARLY

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTED, UNLISTED = ("adsumo", "sume"), ("cutx",)
"""Vendors whose API lists an account's jobs, and the one whose API does not."""

LISTED_CPU, LISTED_REQUESTS = 1.2, 150
YARDSTICK, UNLISTED_CPU = "databricks", 0.5
"""Whose CPU seconds in the same part of the benchmark ours are compared with, and the share that ours may be."""

LATE, LATE_EARLY = 1.1, 2.0
"""Poll intervals by which 95 of 100 ends may be noticed late: in general, and of jobs that end much too early."""

MB_GROWTH, BLOCK = 30.0, 0.1
REFUSED_SHARE = 0.05
LEVEL = 1.1
"""How much more the jobs of a larger run may take, each, and still count as taking as much."""

IMPORT_SECONDS, PARSE_RATIO = 0.05, 1.3

Measured = tuple[str, float | None]
"""Where it was measured, and what; None where it could not be."""


@dataclass(frozen=True)
class Goal:
    """
    One goal and what was measured.

    :param what: in words.
    :param wanted: in words.
    :param got: the worst, in words.
    :param where: where that was measured.
    :param runs: how many runs were judged.
    :param reached: whether all of them reached it.
    """

    what: str
    wanted: str
    got: str
    where: str
    runs: int
    reached: bool


def goal(
    what: str, most: float, unit: str, measured: Iterable[Measured], digits: int = 1, *, below: bool = False
) -> list[Goal]:
    """
    Return the goal that nothing in *measured* exceeds *most*; no goal where nothing was measured.

    :param below: what was measured must not even be as much.
    """
    found = list(measured)
    if not found:
        return []
    where, worst = max(found, key=lambda one: math.inf if one[1] is None else one[1])
    wanted = f"{'below' if below else 'at most'} {most:g}{unit}" if most else "0"
    got = "not measured" if worst is None else "never" if math.isinf(worst) else f"{worst:,.{digits}f}{unit}"
    reached = worst is not None and (worst < most if below else worst <= most)
    return [Goal(what, wanted, got, where, len(found), reached)]


def place(run: dict[str, Any]) -> str:
    """Return who waited in a run, in which situation, at which latency of the vendor."""
    label = f", {run['label']}" if run["label"] else ""
    return f"{CONTENDERS[run['spec']['contender']].title}{label}, {1000 * run['server_plan']['latency']:g} ms"


def late(run: dict[str, Any]) -> float:
    """Return the poll intervals by which 95 of 100 ends were noticed late at most; endless where a job was lost."""
    return math.inf if run["lost"] else float(run["late_p95"] / run["spec"]["interval"])


def of_yardstick(run: dict[str, Any], beside: Iterable[dict[str, Any]]) -> float | None:
    """Return the share that a run's CPU is of the yardstick's, *beside* it in the same part; None without one."""
    for other in beside:
        same = other["server_plan"]["latency"] == run["server_plan"]["latency"]
        if other["spec"]["contender"] == YARDSTICK and other["spec"]["jobs"] == run["spec"]["jobs"] and same:
            return float(run["cpu_seconds"] / other["cpu_seconds"])
    return None


def w1(parts: Iterable[list[dict[str, Any]]]) -> list[Goal]:
    """
    Judge W1.

    :param parts: the runs of each latency.
    """
    runs = [(run, part) for part in parts for run in part if run["spec"]["contender"] in OURS]
    ours = [run for run, _ in runs]
    listed = [run for run in ours if run["spec"]["contender"] in LISTED]
    unlisted = [(run, part) for run, part in runs if run["spec"]["contender"] in UNLISTED]
    usual = [run for run in ours if run["spec"]["contender"] in LISTED + UNLISTED and run["label"] != EARLY.title]
    early = [run for run in ours if run["label"] == EARLY.title]
    return [
        *goal(
            "W1, vendors with a list: CPU", LISTED_CPU, " s", [(place(run), run["cpu_seconds"]) for run in listed], 2
        ),
        *goal(
            "W1, vendors with a list: requests",
            LISTED_REQUESTS,
            "",
            [(place(run), run["server"]["requests"]) for run in listed],
            0,
        ),
        *goal(
            f"W1, vendor without a list: CPU, as part of that of {YARDSTICK} at the same latency",
            UNLISTED_CPU,
            "",
            [(place(run), of_yardstick(run, part)) for run, part in unlisted],
            2,
        ),
        *goal(
            "W1, vendors with and without a list: 95 of 100 ends are noticed within",
            LATE,
            " intervals",
            [(place(run), late(run)) for run in usual],
            2,
        ),
        *goal(
            "W1, jobs that end long before their documented time: 95 of 100 ends are noticed within",
            LATE_EARLY,
            " intervals",
            [(place(run), late(run)) for run in early],
            2,
        ),
        *goal("W1: memory growth", MB_GROWTH, " MB", [(place(run), run["memory_growth_mb"]) for run in ours], 0),
        *goal(
            "W1: longest block of the loop", BLOCK, " s", [(place(run), run["longest_block_own"]) for run in ours], 3
        ),
        *goal("W1: jobs lost", 0, "", [(place(run), run["lost"]) for run in ours], 0),
    ]


def w2(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge W2."""
    ours = [run for run in results if run["spec"]["contender"] in OURS]
    named = [(f"{place(run)}, {run['spec']['jobs']:,} jobs", run) for run in ours]
    shares = [(name, 100 * run["server"]["refused"] / max(1, run["server"]["requests"])) for name, run in named]
    return [
        *goal("W2: jobs lost", 0, "", [(name, run["lost"]) for name, run in named], 0),
        *goal("W2: requests answered 429", 100 * REFUSED_SHARE, " %", shares, below=True),
    ]


def w3(results: list[dict[str, Any]]) -> list[Goal]:
    """
    Judge W3: what a job takes as the runs grow.

    :param results: the runs of all sizes, in any order.
    """
    cpu: list[Measured] = []
    requests: list[Measured] = []
    for name in OURS:
        runs = sorted(
            (run for run in results if run["spec"]["contender"] == name and not run["label"]),
            key=lambda run: run["spec"]["jobs"],
        )
        for before, after in itertools.pairwise(runs):
            small, large = before["spec"]["jobs"], after["spec"]["jobs"]
            where = f"{CONTENDERS[name].title}, {small:,} to {large:,} jobs"
            cpu.append((where, (after["cpu_seconds"] / large) / (before["cpu_seconds"] / small)))
            requests.append((where, (after["server"]["requests"] / large) / (before["server"]["requests"] / small)))
    unit = " times that of the next smaller run"
    return [
        *goal("W3: CPU per job", LEVEL, unit, cpu, 2),
        *goal("W3: requests per job", LEVEL, unit, requests, 2),
    ]


def cold(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge the cold path."""
    imports = [(f"`{one['module']}`", one) for one in results if one["what"] == "import"]
    (parse,) = [one for one in results if one["what"] == "parse"]
    return [
        *goal(
            "Import of an operator module",
            1000 * IMPORT_SECONDS,
            " ms",
            [(name, 1000 * one["seconds"]) for name, one in imports],
            0,
        ),
        *goal(
            "Modules of httpx, the vendors or the sandbox that an operator module imports",
            0,
            "",
            [(name, len(one["unwanted"])) for name, one in imports],
            0,
        ),
        *goal(
            f"Parsing a DAG file with {parse['tasks']} operators, Airflow's import included",
            PARSE_RATIO,
            " times `EmptyOperator`",
            [("median of pairs", parse["ratio"])],
            2,
        ),
    ]
