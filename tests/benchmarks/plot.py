# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Draws what waiting jobs cost: one bar per contender and situation, one panel per cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from tests.benchmarks.contenders import CONTENDERS

if TYPE_CHECKING:
    from pathlib import Path

mpl.use("svg")
# The same results give the same file, so that a page that was not measured anew does not change.
mpl.rcParams["svg.hashsalt"] = "bench"

_PANELS = (
    ("CPU seconds", lambda run: run["cpu_seconds"], "{:.1f}"),
    ("requests", lambda run: run["server"]["requests"], "{:,.0f}"),
    ("memory growth, MB", lambda run: run["memory_growth_mb"], "{:.0f}"),
    ("late p95, s", lambda run: run["late_p95"] or 0.0, "{:.1f}"),
)
_OURS, _THEIRS = "#2a6f97", "#b7b7b7"


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Write the plot of W1 at one latency."""
    from matplotlib import pyplot

    runs = results[::-1]
    titles = [CONTENDERS[run["spec"]["contender"]].title for run in runs]
    names = [f"{title}, {run['label']}" if run["label"] else title for title, run in zip(titles, runs, strict=True)]
    colours = [_OURS if CONTENDERS[run["spec"]["contender"]].ours else _THEIRS for run in runs]
    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(12, 0.42 * len(runs) + 1.1), sharey=True)
    for panel, (title, value, form) in zip(panels, _PANELS, strict=True):
        values = [value(run) for run in runs]
        bars = panel.barh(names, values, color=colours)
        panel.bar_label(bars, [form.format(one) for one in values], padding=3, fontsize=9)
        panel.set_title(title, fontsize=10)
        panel.set_xlim(0, 1.25 * max(values))
        panel.set_xticks([])
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    jobs, latency = runs[0]["spec"]["jobs"], 1000 * runs[0]["server_plan"]["latency"]
    figure.suptitle(f"{jobs:,} jobs waited for by one triggerer, {latency:g} ms latency", fontsize=12)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    # matplotlib leaves blanks at the ends of lines.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
