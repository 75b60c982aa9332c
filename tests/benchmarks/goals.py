# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What this package has set itself to reach, and whether a run did."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

MB_GROWTH, LATE, BLOCK = 30.0, 5.0, 0.1
W1_CPU = {"adsumo": 1.5, "sume": 1.5, "cutx": 5.0}
W1_REQUESTS = {"adsumo": 150, "sume": 150, "cutx": 2500}
REFUSED_SHARE = 0.01
LEVEL = 1.1
"""How much more the jobs of a larger run may take, each, and still count as taking as much."""

IMPORT_SECONDS, PARSE_RATIO = 0.05, 1.3

YARDSTICK, YARDSTICK_CPU = "databricks", 7.3
"""Whose W1 took how many CPU seconds on the machine, and at the hour, for which the goals in CPU seconds were set."""


@dataclass(frozen=True)
class Goal:
    """
    One goal and what was measured.

    :param what: in words.
    :param wanted: in words.
    :param got: in words.
    :param reached: whether.
    """

    what: str
    wanted: str
    got: str
    reached: bool


def _most(what: str, got: float | None, most: float, unit: str, digits: int = 1) -> Goal:
    text = "never" if got is None else f"{got:,.{digits}f}{unit}"
    return Goal(what, f"at most {most:,g}{unit}", text, got is not None and got <= most)


def w1(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge W1."""
    found = []
    for run in results:
        name = run["spec"]["contender"]
        if name not in W1_CPU:
            continue
        found += [
            _most(f"W1, {name}: CPU", run["cpu_seconds"], W1_CPU[name], " s", 2),
            _most(f"W1, {name}: requests", run["server"]["requests"], W1_REQUESTS[name], "", 0),
            _most(f"W1, {name}: memory growth", run["memory_growth_mb"], MB_GROWTH, " MB", 0),
            _most(f"W1, {name}: lateness, 95 of 100 jobs", run["late_p95"], LATE, " s"),
            _most(f"W1, {name}: longest block of the loop", run["longest_block_own"], BLOCK, " s", 3),
        ]
    return found


def yardstick(results: list[dict[str, Any]]) -> float | None:
    """Return the CPU seconds that the yardstick took in this run's W1."""
    return next((run["cpu_seconds"] for run in results if run["spec"]["contender"] == YARDSTICK), None)


def w2(results: list[dict[str, Any]], ours: list[str]) -> list[Goal]:
    """Judge W2."""
    found = []
    for run in results:
        name, label = run["spec"]["contender"], f", {run['label']}" if run["label"] else ""
        if name not in ours:
            continue
        what = f"W2, {name}, {run['spec']['jobs']:,} jobs{label}"
        share = run["server"]["refused"] / max(1, run["server"]["requests"])
        found += [
            _most(f"{what}: jobs lost", run["lost"], 0, "", 0),
            Goal(f"{what}: share of 429s", "below 1 %", f"{100 * share:.1f} %", share < REFUSED_SHARE),
        ]
    return found


def w3(results: list[dict[str, Any]], ours: list[str]) -> list[Goal]:
    """
    Judge W3: what a job takes as the runs grow.

    :param results: the runs of all sizes, in any order.
    :param ours: our contenders.
    """
    found = []
    for name in ours:
        runs = sorted(
            (run for run in results if run["spec"]["contender"] == name and not run["label"]),
            key=lambda run: run["spec"]["jobs"],
        )
        for what, took in (
            ("CPU", [run["cpu_seconds"] / run["spec"]["jobs"] for run in runs]),
            ("requests", [run["server"]["requests"] / run["spec"]["jobs"] for run in runs]),
        ):
            if len(took) > 1:
                growth = max(after / before for before, after in itertools.pairwise(took))
                sizes = f"{runs[0]['spec']['jobs']:,} to {runs[-1]['spec']['jobs']:,} jobs"
                most = f"at most {LEVEL:g} times those of the next smaller run"
                got = f"{growth:.2f} times"
                found.append(Goal(f"W3, {name}, {sizes}: {what} per job", most, got, growth <= LEVEL))
    return found


def w5(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge W5."""
    found = []
    for run in results:
        if run["ours"]:
            what = f"W5, {run['contender']}, {run['tasks']:,} tasks in Airflow"
            found += [
                _most(f"{what}: failed", run["failed"], 0, "", 0),
                _most(f"{what}: warnings of a blocked loop", run["blocked_warnings"], 0, "", 0),
            ]
    return found


def cold(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge the cold path."""
    imports = [one for one in results if one["what"] == "import"]
    slowest = max(imports, key=lambda one: one["seconds"])
    extra = sorted({name for one in imports for name in one["unwanted"]})
    (parse,) = [one for one in results if one["what"] == "parse"]
    return [
        _most(
            f"Import of the slowest operator module (`{slowest['module'].rpartition('.')[2]}`)",
            1000 * slowest["seconds"],
            1000 * IMPORT_SECONDS,
            " ms",
            0,
        ),
        Goal(
            "Imports of httpx, vendors or the sandbox by operator modules",
            "none",
            ", ".join(extra) or "none",
            not extra,
        ),
        _most(f"DAG file with {parse['tasks']} operators, process and all", parse["ratio"], PARSE_RATIO, " times", 2),
    ]
