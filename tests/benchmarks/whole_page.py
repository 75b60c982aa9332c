# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""W5 on the page: its goals and its section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.goals import Goal, goal
from tests.benchmarks.whole import BATCH, MAPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

WALL, CPU = 0.35, 0.1
"""What a batch may take of what mapped tasks take."""

_INTRO = """\
## W5: in Airflow

{tasks:,} jobs of {seconds} seconds each, on a whole Airflow: a scheduler with LocalExecutor ({parallelism} tasks at
once) and one triggerer with its default capacity. *Mapped tasks* are deferrable tasks, one for each job. *One batch* is
one `GenerateBatchOperator`. Ours store each creative on a local disk and keep a record; the other provider stores
nothing. Airflow starts two processes for each mapped task of any provider, and that is most of what such a run takes.
Tasks are children of the scheduler here, so their CPU is counted with it. All CPU is that of the time of the run, idle
work included.

"""

_REST = """
A job takes {seconds} s, so {rest} s of the batch's run are left for everything else: Airflow starts the task, the task
submits all jobs, the triggerer takes over and notices the end within the poll interval, a second process stores the
files, and the scheduler ends the run.
"""


def judge(results: list[dict[str, Any]]) -> list[Goal]:
    """Judge W5."""
    ours = [(f"{run['title']}, {run['how']}", run) for run in results if run["ours"]]
    (batch,) = [run for run in results if run["how"] == BATCH]
    mapped = [run for run in results if run["how"] == MAPPED]

    def share(of: Callable[[dict[str, Any]], float]) -> list[tuple[str, float | None]]:
        return [(f"beside {run['title']}, {run['how']}", of(batch) / of(run)) for run in mapped]

    return [
        *goal("W5: creatives lost", 0, "", [(name, run["lost"]) for name, run in ours], 0),
        *goal("W5: warnings of a blocked loop", 0, "", [(name, run["blocked_warnings"]) for name, run in ours], 0),
        *goal(
            "W5: time of a batch, as part of that of mapped tasks",
            WALL,
            "",
            share(lambda run: float(run["wall_seconds"])),
            2,
        ),
        *goal(
            "W5: CPU of scheduler and worker for a batch, as part of that for mapped tasks",
            CPU,
            "",
            share(lambda run: float(run["cpu_seconds"]["scheduler"])),
            2,
        ),
    ]


def section(
    results: list[dict[str, Any]],
    table: Callable[[Sequence[str], Iterable[Sequence[str]]], str],
    number: Callable[[float | None, int], str],
) -> str:
    """Return the section of W5."""
    head = ["who", "run s", "CPU s of scheduler and worker", "of triggerer", "of API server", "of DAG processor"]
    head += ["triggerer MB", "requests", "429s", "lost", "“async thread was blocked”", "triggerer log lines"]
    rows = []
    for run in results:
        who = f"{run['title']}, {run['how']}"
        cpu = run["cpu_seconds"]
        rows.append(
            [
                f"**{who}**" if run["ours"] else who,
                number(run["wall_seconds"], 0),
                number(cpu["scheduler"], 1),
                number(cpu["triggerer"], 1),
                number(cpu["api-server"], 1),
                number(cpu["dag-processor"], 1),
                number(run["peak_mb"]["triggerer"], 0),
                number(run["requests"], 0),
                number(run["refused"], 0),
                number(run["lost"], 0),
                number(run["blocked_warnings"], 0),
                number(run["triggerer_log_lines"], 0),
            ]
        )
    ((tasks, seconds, parallelism),) = {(run["tasks"], run["job_seconds"], run["parallelism"]) for run in results}
    (batch,) = [run for run in results if run["how"] == BATCH]
    intro = _INTRO.format(tasks=tasks, seconds=seconds, parallelism=parallelism)
    return intro + table(head, rows) + _REST.format(seconds=seconds, rest=number(batch["wall_seconds"] - seconds, 0))
