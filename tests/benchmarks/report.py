# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Writes ``docs/performance.md`` and its plot from kept results. No number on that page is written by hand."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.benchmarks import batch_page, goals, whole_page
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.machine import OWN
from tests.benchmarks.seal import sealed
from tests.benchmarks.workloads import FRESH, LATENCIES, MAIN, SIZES, WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.benchmarks.goals import Goal

Kept = dict[str, dict[str, Any]]
Runs = list[dict[str, Any]]

PARTS = (*WORKLOADS, "w5")
"""All parts, in the order of the page."""

_INTRO = """\
# Performance

What does a waiting job cost the triggerer? This page shows its CPU time and memory, the requests it sends to the
vendor, and how late it notices that a job has ended. Three other Airflow providers that wait for jobs are measured in
the same way. Each provider is run through its own public trigger. All triggers of a run share one event loop. They
talk to a TLS server on the same machine, which answers as the documentation of each service says. `make bench` measures
everything and writes this page; a test fails when the page is changed by hand.
"""

_READING = """\
## How to read the numbers

- CPU, memory and event loop are those of the triggering process alone. The first import of the measured code is
  included.
- *source* is a digest of this package's code: what was measured with other code is listed by itself.
- Memory is the growth from start to peak, in a process that has imported what a triggerer imports.
- *Late* is the time from the end of a job at the server to the event of its trigger; *p95* means that 95 of 100 jobs
  were noticed within that time. The time of the vendor's answer is part of it.
- A job is *lost* when its trigger gave up while the job was still running, or had not noticed its end when the run was
  over.
- A *block* is one turn of the event loop, during which nothing else can run. Airflow logs a warning from 0.2 seconds.
  Python's garbage collection is not part of it: it goes through everything that Airflow has imported, and may happen
  during anybody's turn. The longest collection is shown in a column of its own.
- Airflow's own work per trigger (supervisor, communication) is not included, except in W5. It is the same for everyone.
- CinematicAds has its documented limits in all runs, as we read its page: 10 streams an hour, 100 other requests a
  minute.
- No vendor documents the order of its list. Here the newest job comes first, unless a row says otherwise.
"""


def load(kept: Path) -> Kept:
    """Read what was measured, by part."""
    return {part: json.loads((kept / f"{part}.json").read_text()) for part in PARTS if (kept / f"{part}.json").exists()}


def write(kept: Path, docs: Path) -> list[Path]:
    """
    Write the page and the plot into *docs*; return what was written.

    :raises FileNotFoundError: nothing was measured: a page without numbers must not replace one with.
    """
    found = load(kept)
    if not found:
        raise FileNotFoundError(f"There are no results in {kept}.")
    plot = None
    if MAIN in found:
        from tests.benchmarks.plot import draw

        plot = docs / "_static" / "performance.svg"
        plot.parent.mkdir(parents=True, exist_ok=True)
        draw(found[MAIN]["results"], plot)
    page = docs / "performance.md"
    page.write_text(render(found, plot))
    return [page, *([plot] if plot else [])]


def render(found: Kept, plot: Path | None) -> str:
    """Return the page."""
    parts = [_INTRO, _machine(found), _goals(found)]
    if plot is not None:
        digest = hashlib.sha256(plot.read_bytes()).hexdigest()[:12]
        parts.append(f"![What waiting jobs cost](_static/performance.svg)\n\n<!-- plot: {digest} -->\n")
    if any(part in found for part in LATENCIES):
        parts.append(_w1(found))
    for part, section in (("w2", _w2), ("w3", _w3), ("w4", _w4), ("w5", _w5), ("w6", _w6), ("cold", _cold)):
        if part in found:
            parts.append(section(found))
    parts.append(_READING)
    return sealed("\n".join(part.rstrip() + "\n" for part in parts))


# --- sections ---------------------------------------------------------------------------------------------------------


def _machine(found: Kept) -> str:
    said: dict[str, list[str]] = {}
    for part, one in found.items():
        day = datetime.fromtimestamp(one["made"], UTC).strftime("%Y-%m-%d")
        machine = one["machine"]
        versions = {**machine["packages"]}
        versions[OWN] += f" (source {machine['source']})"
        packages = ", ".join(f"{name} {version}" for name, version in versions.items())
        text = (
            f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, {machine['system']}, "
            f"Python {machine['python']}, {day}. {packages}."
        )
        said.setdefault(text, []).append(_title(part))
    lines = [f"{', '.join(names)}: measured on {text}" for text, names in said.items()]
    missing = [_title(part) for part in PARTS if part not in found]
    if missing:
        lines.append(f"Not measured: {', '.join(missing)}.")
    return "\n\n".join(lines)


def _title(part: str) -> str:
    if part in LATENCIES:
        return f"W1 at {1000 * LATENCIES[part]:g} ms"
    return "cold path" if part == "cold" else part.upper()


def _goals(found: Kept) -> str:
    judged: list[Goal] = goals.w1([found[part]["results"] for part in LATENCIES if part in found])
    if "w2" in found:
        judged += goals.w2(found["w2"]["results"])
    if "w3" in found:
        judged += goals.w3([*found["w3"]["results"], *_thousand(found)])
    if "w5" in found:
        judged += whole_page.judge(found["w5"]["results"])
    if "w6" in found:
        judged += batch_page.judge(found["w6"]["results"])
    if "cold" in found:
        judged += goals.cold(found["cold"]["results"])
    if not judged:
        return ""
    reached = sum(goal.reached for goal in judged)
    text = f"## Goals\n\nThis package has set itself the goals below; {reached} of {len(judged)} were reached. "
    text += "A goal is judged by its worst run.\n\n"
    head = ["goal", "wanted", "worst measured", "where", "runs judged", "reached"]
    rows = [
        [goal.what, goal.wanted, goal.got, goal.where, str(goal.runs), "yes" if goal.reached else "**no**"]
        for goal in judged
    ]
    return text + _table(head, rows, numbers=0)


def _w1(found: Kept) -> str:
    parts = {part: found[part]["results"] for part in LATENCIES if part in found}
    runs = [run for results in parts.values() for run in results]
    (jobs,) = {f"{run['spec']['jobs']:,}" for run in runs}
    text = f"## W1: {jobs} jobs\n\n{jobs} triggers begin to wait at the same time. " + _ends(runs)
    text += " The situations differ in how old the jobs are when the waiting begins:\n\n"
    text += _situations(runs)
    text += "\nCutX documents how long its jobs take: a static ad took 25 s in an example, videos take “typically 1-3 "
    text += "minutes”. The other providers do not know the age of a job, so one situation is enough for them.\n\n"
    text += f"CPU seconds depend on the machine, so the trigger of {goals.YARDSTICK} is measured beside ours at each "
    text += "latency.\n"
    for part, results in parts.items():
        text += f"\n### {_title(part)} latency\n\n" + _w1_table(results)
        others = _number(100 * max(run["others_share"] for run in results), 0)
        text += f"\nOther processes used at most {others} % of the machine's CPU during one of these runs.\n"
    return text


def _ends(runs: Runs) -> str:
    """Return when the jobs end, of runs in which they end alike."""
    ((first, last, interval),) = {
        (run["server_plan"]["first"], run["server_plan"]["last"], run["spec"]["interval"]) for run in runs
    }
    text = f"The jobs end {first:g} to {last:g} seconds after that, evenly spread. The poll interval is {interval:g} "
    return text + "seconds."


def _new_jobs(runs: Runs) -> str:
    """Return what runs have in common that wait for new jobs."""
    return f"The triggers begin to wait when the jobs are submitted. {_ends(runs)} The latency is {_latency(runs)}."


def _situations(runs: Runs) -> str:
    rows = {}
    for run in runs:
        spec, server = run["spec"], run["server_plan"]
        if run["label"]:
            rows[run["label"]] = [
                run["label"],
                f"{spec['kind']}s",
                _range(spec["youngest"], spec["oldest"]),
                _range(spec["youngest"] + server["first"], spec["oldest"] + server["last"]),
            ]
    head = ["situation", "jobs make", "age when the waiting begins, s", "age when the jobs end, s"]
    return _table(head, rows.values(), numbers=0)


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _w1_table(results: Runs) -> str:
    head = ["who, situation", "CPU s", f"of {goals.YARDSTICK}' CPU", "requests", "CPU ms per request", "memory MB"]
    head += ["connections", "429s", "lost", "late mean s", "late p95 s", "longest block s", "garbage collection s"]
    head += ["log lines"]
    rows = []
    for run in results:
        share = goals.of_yardstick(run, results)
        requests = run["server"]["requests"]
        rows.append(
            [
                _who(run),
                _number(run["cpu_seconds"], 2),
                "not measured" if share is None else _number(share, 2),
                _number(requests, 0),
                _number(1000 * run["cpu_seconds"] / max(1, requests), 2),
                "+" + _number(run["memory_growth_mb"], 0),
                _number(run["server"]["connections"], 0),
                _number(run["server"]["refused"], 0),
                _number(run["lost"], 0),
                _number(run["late_mean"], 1),
                _number(run["late_p95"], 1),
                _number(run["longest_block_own"], 3),
                _number(run["longest_collection"], 2),
                _number(run["log_lines"], 0),
            ]
        )
    return _table(head, rows)


def _thousand(found: Kept) -> Runs:
    """Return the runs of W1 that W3 compares with: new jobs, at the latency of W3."""
    results = found[MAIN]["results"] if MAIN in found else []
    return [{**run, "label": ""} for run in results if run["label"] in {"", FRESH.title}]


def _w2(found: Kept) -> str:
    results = found["w2"]["results"]
    head = ["who", "jobs", "accepted", "lost", "requests", "429s", "share of 429s", "late mean s", "late p95 s"]
    rows = [
        [
            _who(run),
            _number(run["spec"]["jobs"], 0),
            f"{run['server_plan']['limit']} " + ("a minute" if run["server_plan"]["window"] == 60 else "a second"),
            _number(run["lost"], 0),
            _number(run["server"]["requests"], 0),
            _number(run["server"]["refused"], 0),
            _number(100 * run["server"]["refused"] / max(1, run["server"]["requests"]), 1) + " %",
            _number(run["late_mean"], 1),
            _number(run["late_p95"], 1),
        ]
        for run in results
    ]
    text = f"## W2: under a rate limit\n\n{_new_jobs(results)}"
    text += " The server accepts a number of requests and answers the others with 429. `Retry-After` is sent where the "
    text += "service documents it. Unless a row says otherwise, the trigger is not told the limit.\n\n"
    return text + _table(head, rows)


def _w3(found: Kept) -> str:
    runs = [*found["w3"]["results"], *_thousand(found)]
    grown = [run for run in runs if not run["label"]]
    head = ["who", "jobs", "CPU ms per job", "requests per job", "memory MB", "memory KB per job", "lost", "late p95 s"]
    rows = []
    for name in dict.fromkeys(run["spec"]["contender"] for run in found["w3"]["results"] if not run["label"]):
        for size in SIZES:
            for run in grown:
                if (run["spec"]["contender"], run["spec"]["jobs"]) == (name, size):
                    rows.append(_growth(run))
    text = f"## W3: more and more jobs\n\n{_new_jobs(grown)}\n\n{_table(head, rows)}"
    unlucky = [run for run in runs if run["label"]]
    if unlucky:
        text += (
            "\nHere the account has older jobs, and its list shows them first: the first pages hold none of the jobs "
        )
        text += "that are waited for.\n\n" + _table(head, [_growth(run) for run in unlucky])
    return text


def _growth(run: dict[str, Any]) -> list[str]:
    jobs = run["spec"]["jobs"]
    return [
        _who(run),
        _number(jobs, 0),
        _number(1000 * run["cpu_seconds"] / jobs, 2),
        _number(run["server"]["requests"] / jobs, 2),
        "+" + _number(run["memory_growth_mb"], 0),
        _number(1024 * run["memory_growth_mb"] / jobs, 0),
        _number(run["lost"], 0),
        _number(run["late_p95"], 1),
    ]


def _w4(found: Kept) -> str:
    results = found["w4"]["results"]
    ((jobs, age, seconds, first),) = {
        (run["spec"]["jobs"], run["spec"]["oldest"], run["spec"]["seconds"], run["server_plan"]["first"])
        for run in results
    }
    head = ["who", "first status of the last job after s", "most requests in a second"]
    head += [f"requests in {seconds:g} s", "connections"]
    rows = [
        [
            _who(run),
            _number(run["first_status_of_last_job"], 1),
            _number(run["server"]["peak_per_second"], 0),
            _number(run["server"]["requests"], 0),
            _number(run["server"]["connections"], 0),
        ]
        for run in results
    ]
    text = f"## W4: after a restart\n\n{jobs:,} triggers begin to wait at the same time, for jobs that were submitted "
    text += f"{age:g} seconds before, at {_latency(results)} latency. This is measured for {seconds:g} "
    text += f"seconds; the first job ends after {first:g}.\n\n"
    return text + _table(head, rows)


def _latency(runs: Runs) -> str:
    (latency,) = {run["server_plan"]["latency"] for run in runs}
    return f"{1000 * latency:g} ms"


def _w5(found: Kept) -> str:
    return whole_page.section(found["w5"]["results"], _table, _number)


def _w6(found: Kept) -> str:
    return batch_page.section(found["w6"]["results"], _table, _number)


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
    text = "## Cold path: DAG parsing\n\nWhat importing an operator module takes, after the imports that any DAG file "
    text += "with an operator makes: CPU time, median of fresh processes.\n\n"
    text += _table(["module", "ms", "modules", "of httpx, vendors, sandbox"], rows)
    (parse,) = [one for one in results if one["what"] == "parse"]
    text += f"\nA DAG file with {parse['tasks']} of our operators, compared with {parse['tasks']} `EmptyOperator`:\n\n"
    rows = [
        [what, _number(1000 * parse[f"empty_{key}"], 0), _number(1000 * parse[f"ours_{key}"], 0)]
        for what, key in (("a fresh process, Airflow's import included", "total"), ("the file alone", "parse"))
    ]
    return text + _table(["", "`EmptyOperator` ms", "ours ms"], rows)


# --- helpers ----------------------------------------------------------------------------------------------------------


def _who(run: dict[str, Any]) -> str:
    contender = CONTENDERS[run["spec"]["contender"]]
    title = f"**{contender.title}**" if contender.ours else contender.title
    return f"{title}, {run['label']}" if run["label"] else title


def _number(value: float | None, digits: int) -> str:
    return "not in time" if value is None else f"{value:,.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int | None = None) -> str:
    """
    Return a table.

    :param numbers: how many of the last columns hold numbers; default: all but the first.
    """
    right = len(head) - 1 if numbers is None else numbers
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * (len(head) - right) + " ---: |" * right]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
