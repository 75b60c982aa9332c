# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""W6 on the page: its goals and its section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.batches import LOCAL, LOST, REMOTE
from tests.benchmarks.goals import Goal, goal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LEG_SECONDS, CPU_MS = 120.0, 15.0
WORKER_MB, TRIGGERER_MB = 100.0, 20.0
BEGINNING = {LOCAL: 5.0, REMOTE: 30.0, LOST: 30.0}
"""Seconds within which a leg begins that finds all items recorded, by the storage of the record."""

_INTRO = """\
## W6: {items} items in one task

`GenerateBatchOperator` makes {items} images, at most {in_flight} at a time, each of which takes {job_seconds} s. It
pays, waits, stores each file on a local disk, and writes everything down. The vendor is the sandbox, on the same
machine and over plain HTTP. The poll interval is {interval} s. CPU and memory are those of the legs, each a new
process, and of the triggerer. Memory is the growth after what Airflow has imported, so a leg's includes our imports. An
item is *lost* if it has no result, no file, or was not paid for exactly once.

"""

_BEGINNING = """\
Here are whole legs of such tries: reading the record, checking the items, writing the snapshot and the results.

"""


def judge(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge W6."""

    def of(name: str) -> list[tuple[str, float | None]]:
        return [(_place(run), run[name]) for run in results]

    storages = list(dict.fromkeys(BEGINNING.values()))
    return [
        *goal("W6: longest leg", LEG_SECONDS, " s", of("longest_leg"), 0),
        *goal("W6: memory growth of the worker", WORKER_MB, " MB", of("worker_memory_growth_mb"), 0, below=True),
        *goal("W6: memory growth of the triggerer", TRIGGERER_MB, " MB", of("triggerer_memory_growth_mb"), below=True),
        *goal("W6: CPU of worker and triggerer per item", CPU_MS, " ms", of("cpu_ms_per_item")),
        *goal("W6: items lost", 0, "", of("lost"), 0),
        *(
            one
            for most in storages
            for one in goal(
                f"W6: a leg with all items recorded begins, {_where(most)}",
                most,
                " s",
                [
                    (f"{_place(run)}, {begun['where']}", begun["seconds"])
                    for run in results
                    for begun in run["beginnings"]
                    if BEGINNING[begun["where"]] == most
                ],
            )
        ),
    ]


def _where(most: float) -> str:
    return "record on a local disk" if most == BEGINNING[LOCAL] else "record in a storage that takes 20 ms a request"


def _place(run: dict[str, Any]) -> str:
    return f"{run['title']}, {run['items']:,} items"


def section(
    results: list[dict[str, Any]],
    table: Callable[[Sequence[str], Iterable[Sequence[str]]], str],
    number: Callable[[float | None, int], str],
) -> str:
    """
    Return the section of W6.

    :param results: its runs.
    :param table: makes a table.
    :param number: writes a number.
    """
    first = results[0]
    text = _INTRO.format(**{**first, "items": f"{first['items']:,}", "interval": f"{first['interval']:g}"})
    head = ["vendor", "seconds", "legs", "longest leg s", "CPU ms per item", "of it triggerer"]
    head += ["worker memory MB", "triggerer memory MB", "lost"]
    rows = [
        [
            f"**{run['title']}**",
            number(run["wall_seconds"], 0),
            number(len(run["legs"]), 0),
            number(run["longest_leg"], 0),
            number(run["cpu_ms_per_item"], 1),
            number(1000 * run["triggerer_cpu_seconds"] / run["items"], 2),
            "+" + number(run["worker_memory_growth_mb"], 0),
            "+" + number(run["triggerer_memory_growth_mb"], 0),
            number(run["lost"], 0),
        ]
        for run in results
    ]
    text += table(head, rows)
    text += f"\nA later try finds all {first['items']:,} items recorded and done. {_BEGINNING}"
    rows = [
        [
            f"**{run['title']}**",
            *(number(one["seconds"], 1) for one in run["beginnings"]),
            "+" + number(max(one["memory_growth_mb"] for one in run["beginnings"]), 0),
        ]
        for run in results
    ]
    head = ["vendor", *(f"{one['where']}, s" for one in first["beginnings"]), "worker memory MB"]
    return text + table(head, rows)
