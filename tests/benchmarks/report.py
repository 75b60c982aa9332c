# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Writes ``docs/performance.md`` and its plot from kept results. No number on that page is written by hand."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.benchmarks import goals
from tests.benchmarks.contenders import CONTENDERS, OURS
from tests.benchmarks.seal import sealed
from tests.benchmarks.workloads import SIZES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.benchmarks.goals import Goal

Kept = dict[str, dict[str, Any]]

_INTRO = """\
# Performance

What waiting costs a triggerer: its CPU and memory, the vendor's rate limit, and how late the end of a job is noticed.
Beside this package stand three providers that wait for jobs as well. Each is driven through its own public trigger, all
triggers of a run in one event loop, against one TLS server on the same machine, which answers as the services'
documentation says. `make bench` measures it and writes this page.
"""

_READING = """\
How to read it. CPU, memory and the loop are those of the triggering process alone, first imports of the measured code
included; memory is what was added, at the peak, to a process that had imported what a triggerer imports. *Late* is the
time from the end of a job at the server to the trigger's event. A *block* is one turn of the event loop, in which
nothing else could run; Airflow warns from 0.2 seconds. It is shown without Python's own collection of garbage, the
longest of which is shown beside it: that goes through all that Airflow has imported, whoever's code runs just then. Not
included is what Airflow's supervisor and its comms add per trigger, which is the same for everyone. CinematicAds keeps
its documented limits throughout (10 streams an hour, 100 other requests a minute). Whether vendors that list jobs show
the newest first is not documented; here they do, unless a row says otherwise.
"""


def load(kept: Path) -> Kept:
    """Read what was measured, by part."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(kept.glob("*.json"))}


def write(kept: Path, docs: Path) -> list[Path]:
    """Write the page and the plot into *docs*; return what was written."""
    found = load(kept)
    plot = None
    if "w1" in found:
        from tests.benchmarks.plot import draw

        plot = docs / "_static" / "performance.svg"
        plot.parent.mkdir(parents=True, exist_ok=True)
        draw(found, plot)
    page = docs / "performance.md"
    page.write_text(render(found, plot))
    return [page, *([plot] if plot else [])]


def render(found: Kept, plot: Path | None) -> str:
    """Return the page."""
    parts = [_INTRO, _machine(found)]
    parts += [_goals(found)]
    if plot is not None:
        digest = hashlib.sha256(plot.read_bytes()).hexdigest()[:12]
        parts.append(f"![What 1,000 waiting jobs cost](_static/performance.svg)\n\n<!-- plot: {digest} -->\n")
    for part, section in (("w1", _w1), ("w2", _w2), ("w3", _w3), ("w4", _w4), ("w5", _w5), ("cold", _cold)):
        if part in found:
            parts.append(section(found))
    parts.append(_READING)
    return sealed("\n".join(part.rstrip() + "\n" for part in parts))


# --- sections ---------------------------------------------------------------------------------------------------------


def _machine(found: Kept) -> str:
    lines = []
    said: dict[str, list[str]] = {}
    for part, one in found.items():
        day = datetime.fromtimestamp(one["made"], UTC).strftime("%Y-%m-%d")
        machine = one["machine"]
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        text = (
            f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, {machine['system']}, "
            f"Python {machine['python']}, {day}. {packages}."
        )
        said.setdefault(text, []).append(part.upper() if part != "cold" else "cold path")
    for text, names in said.items():
        lines.append(f"Measured on {text}" if len(said) == 1 else f"{', '.join(names)} measured on {text}")
    return "\n\n".join(lines)


def _goals(found: Kept) -> str:
    judged: list[Goal] = []
    if "w1" in found:
        judged += goals.w1(found["w1"]["results"])
    if "w2" in found:
        judged += goals.w2(found["w2"]["results"], OURS)
    if "w3" in found:
        judged += goals.w3([*found["w3"]["results"], *found.get("w1", {"results": []})["results"]], OURS)
    if "w5" in found:
        judged += goals.w5(found["w5"]["results"])
    if "cold" in found:
        judged += goals.cold(found["cold"]["results"])
    if not judged:
        return ""
    missed = [goal for goal in judged if not goal.reached]
    text = f"## Goals\n\nOf the {len(judged)} goals that this package has set itself, {len(judged) - len(missed)} were "
    text += "reached in this run."
    took = goals.yardstick(found["w1"]["results"]) if "w1" in found else None
    if took is not None:
        text += f" Those in CPU seconds were set where {goals.YARDSTICK}' run of W1 took {goals.YARDSTICK_CPU:g} s; "
        text += f"here it took {took:.1f} s."
    if not missed:
        return text + "\n"
    rows = [[goal.what, goal.wanted, goal.got] for goal in missed]
    return text + " Missed:\n\n" + _table(["Goal", "Wanted", "Measured"], rows)


def _w1(found: Kept) -> str:
    head = ["1,000 jobs", "CPU s", "CPU ms per job", "memory MB", "requests", "connections", "429s", "lost"]
    head += ["late mean s", "late p95 s", "longest block s", "garbage collection s", "log lines"]
    rows = [
        [
            *_who(run),
            _number(run["cpu_seconds"], 2),
            _number(1000 * run["cpu_seconds"] / run["spec"]["jobs"], 1),
            "+" + _number(run["memory_growth_mb"], 0),
            _number(run["server"]["requests"], 0),
            _number(run["server"]["connections"], 0),
            _number(run["server"]["refused"], 0),
            _number(run["lost"], 0),
            _number(run["late_mean"], 1),
            _number(run["late_p95"], 1),
            _number(run["longest_block_own"], 3),
            _number(run["longest_collection"], 2),
            _number(run["log_lines"], 0),
        ]
        for run in found["w1"]["results"]
    ]
    text = "## A thousand jobs\n\nThey end 15 to 35 seconds after the triggers begin to wait; 150 ms latency; poll "
    text += "interval 5 seconds.\n\n"
    return text + _table(head, rows)


def _w2(found: Kept) -> str:
    head = [
        "under a limit",
        "jobs",
        "accepted",
        "lost",
        "requests",
        "429s",
        "share of 429s",
        "late mean s",
        "late p95 s",
    ]
    rows = [
        [
            *_who(run),
            _number(run["spec"]["jobs"], 0),
            "100 a minute" if run["server_plan"]["window"] == 60 else "100 a second",
            _number(run["lost"], 0),
            _number(run["server"]["requests"], 0),
            _number(run["server"]["refused"], 0),
            _number(100 * run["server"]["refused"] / max(1, run["server"]["requests"]), 1) + " %",
            _number(run["late_mean"], 1),
            _number(run["late_p95"], 1),
        ]
        for run in found["w2"]["results"]
    ]
    text = "## Under a rate limit\n\nThe same jobs, but the server refuses what is above its limit, with `Retry-After` "
    text += (
        "where the service documents it. A job is lost when its trigger gave up while it ran on, or had not noticed "
    )
    text += "its end when the run was over.\n\n"
    return text + _table(head, rows)


def _w3(found: Kept) -> str:
    runs = [*found["w3"]["results"], *found.get("w1", {"results": []})["results"]]
    grown = [run for run in runs if not run["label"]]
    head = [
        "growth",
        "jobs",
        "CPU ms per job",
        "requests per job",
        "memory MB",
        "memory KB per job",
        "lost",
        "late p95 s",
    ]
    rows = []
    for name in dict.fromkeys(run["spec"]["contender"] for run in found["w3"]["results"] if not run["label"]):
        for size in SIZES:
            for run in grown:
                if (run["spec"]["contender"], run["spec"]["jobs"]) == (name, size):
                    rows.append(_growth(run))
    text = "## As waiters grow\n\n" + _table(head, rows)
    unlucky = [run for run in runs if run["label"]]
    if unlucky:
        text += (
            "\n1,000 jobs of an account whose list shows other jobs first, of which each page holds none of ours:\n\n"
        )
        text += _table(head, [_growth(run) for run in unlucky])
    return text


def _growth(run: dict[str, Any]) -> list[str]:
    jobs = run["spec"]["jobs"]
    return [
        *_who(run),
        _number(jobs, 0),
        _number(1000 * run["cpu_seconds"] / jobs, 2),
        _number(run["server"]["requests"] / jobs, 2),
        "+" + _number(run["memory_growth_mb"], 0),
        _number(1024 * run["memory_growth_mb"] / jobs, 0),
        _number(run["lost"], 0),
        _number(run["late_p95"], 1),
    ]


def _w4(found: Kept) -> str:
    head = ["restart", "first status of the last job s", "most requests in a second", "requests in 30 s", "connections"]
    rows = [
        [
            *_who(run),
            _number(run["first_status_of_last_job"], 1),
            _number(run["server"]["peak_per_second"], 0),
            _number(run["server"]["requests"], 0),
            _number(run["server"]["connections"], 0),
        ]
        for run in found["w4"]["results"]
    ]
    text = "## After a restart\n\n1,000 triggers handed over at once, for jobs that have run for a minute.\n\n"
    return text + _table(head, rows)


def _w5(found: Kept) -> str:
    head = ["in Airflow", "tasks", "run s", "triggerer CPU s", "triggerer memory MB", "requests", "429s", "failed"]
    head += ["“async thread was blocked”", "triggerer log lines"]
    rows = [
        [
            f"**{run['title']}**" if run["ours"] else run["title"],
            _number(run["tasks"], 0),
            _number(run["wall_seconds"], 0),
            _number(run["triggerer_cpu_seconds"], 1),
            _number(run["triggerer_memory_mb"], 0),
            _number(run["requests"], 0),
            _number(run["refused"], 0),
            _number(run["failed"], 0),
            _number(run["blocked_warnings"], 0),
            _number(run["triggerer_log_lines"], 0),
        ]
        for run in found["w5"]["results"]
    ]
    text = (
        "## In Airflow\n\nMapped deferrable tasks on a whole Airflow (scheduler with LocalExecutor, one triggerer with "
    )
    text += "default capacity), each submitting a job that takes "
    text += (
        f"{found['w5']['results'][0]['job_seconds']} seconds. Most of the wall time is Airflow starting two processes "
    )
    text += (
        "per task on two cores; it is the same for both. The triggerer's CPU is that of all its processes, idle share "
    )
    text += "included.\n\n"
    return text + _table(head, rows)


def _cold(found: Kept) -> str:
    results = found["cold"]["results"]
    rows = [
        [
            f"`{one['module']}`",
            _number(1000 * one["seconds"], 0),
            _number(one["modules"], 0),
            ", ".join(one["unwanted"]) or "none",
        ]
        for one in results
        if one["what"] == "import"
    ]
    text = "## At DAG parse\n\nImporting an operator module, on top of what any DAG file with an operator imports: "
    text += "CPU time, median of fresh processes.\n\n"
    text += _table(["module", "ms", "modules", "of httpx, vendors, sandbox"], rows)
    (parse,) = [one for one in results if one["what"] == "parse"]
    text += f"\nA DAG file with {parse['tasks']} of our operators, against the same with `EmptyOperator`:\n\n"
    rows = [
        [what, _number(1000 * parse[f"empty_{key}"], 0), _number(1000 * parse[f"ours_{key}"], 0)]
        for what, key in (("a fresh process, Airflow's import included", "total"), ("the file alone", "parse"))
    ]
    return text + _table(["", "`EmptyOperator` ms", "ours ms"], rows)


# --- helpers ----------------------------------------------------------------------------------------------------------


def _who(run: dict[str, Any]) -> list[str]:
    contender = CONTENDERS[run["spec"]["contender"]]
    label = f" ({run['label']})" if run["label"] else ""
    return [f"**{contender.title}**{label}" if contender.ours else contender.title + label]


def _number(value: float | None, digits: int) -> str:
    return "not in time" if value is None else f"{value:,.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
