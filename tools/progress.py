# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Show how a DAG run gets on: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WORDS = {
    "success": "done",
    "running": "running",
    "deferred": "waiting",
    "awaiting_input": "waiting",
    "failed": "failed",
    "up_for_retry": "to be retried",
    "upstream_failed": "not run",
    "skipped": "skipped",
    "queued": "starting",
    "scheduled": "starting",
    "restarting": "starting",
}
"""What a state of Airflow's means to someone who watches; any other is work to come."""
_ORDER = ("done", "running", "waiting", "starting", "to be retried", "to come", "skipped", "not run", "failed")
_PASSING = frozenset({"to come", "starting", "running"})
"""What is not worth a line where lines stay."""
_MARKS = {"done": "█", "running": "▓", "waiting": "▒", "skipped": "·", "not run": "·", "failed": "✗"}
_PLAIN_MARKS = {"done": "#", "running": "+", "waiting": "~", "skipped": ".", "not run": ".", "failed": "x"}
_BAR = 20


def count_states(instances: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Return for each task how many of its instances are in which state, in our words."""
    counts: dict[str, Counter[str]] = {}
    for one in instances:
        word = _WORDS.get(str(one["state"]), "to come")
        counts.setdefault(str(one["task_id"]), Counter())[word] += 1
    return counts


def say_counts(counts: Counter[str]) -> str:
    """Return the counts as words: ``3 done, 1 waiting``."""
    return ", ".join(f"{counts[word]} {word}" for word in _ORDER if counts[word])


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Progress:
    """
    A view of a run, told again and again what its task instances are.

    :param out: where to write.
    :param tasks: the DAG's tasks, in the order to show them.
    :param live: redraw a table in place; None decides by whether *out* is a terminal.
    """

    def __init__(self, out: TextIO, tasks: Sequence[str], *, live: bool | None = None) -> None:
        self._out = out
        self._tasks = list(tasks)
        self._live = (out.isatty() and os.environ.get("TERM") != "dumb") if live is None else live
        utf8 = (getattr(out, "encoding", None) or "").lower().replace("-", "") == "utf8"
        self._marks = _MARKS if utf8 else _PLAIN_MARKS
        self._drawn = 0
        self._said: dict[str, str] = {}

    def update(self, elapsed: float, instances: Iterable[Mapping[str, Any]]) -> None:
        """
        Show the run as it is now.

        :param elapsed: seconds since it began.
        :param instances: ``task_id`` and ``state`` of every task instance.
        """
        counts = count_states(instances)
        if self._live:
            self._redraw(elapsed, counts)
            return
        for task in self._tasks:
            states = counts.get(task, Counter())
            news = say_counts(Counter({word: number for word, number in states.items() if word not in _PASSING}))
            if news and news != self._said.get(task):
                self._said[task] = news
                self._out.write(f"  {clock(elapsed):>5}  {task}: {say_counts(states)}\n")
        self._out.flush()

    def leave(self) -> None:
        """Leave what was drawn as it is, because something else was written below it."""
        self._drawn = 0

    def _redraw(self, elapsed: float, counts: dict[str, Counter[str]]) -> None:
        columns = shutil.get_terminal_size().columns
        name = max(map(len, self._tasks), default=0)
        lines = [f"  {clock(elapsed)}"]
        for task in self._tasks:
            states = counts.get(task, Counter())
            lines.append(f"  {task:<{name}}  {self._bar(states)}  {say_counts(states)}")
        # A line that wraps would break the count of lines to go back.
        text = "".join(f"\x1b[2K{line[: columns - 1]}\n" for line in lines)
        self._out.write((f"\x1b[{self._drawn}A" if self._drawn else "") + text)
        self._out.flush()
        self._drawn = len(lines)

    def _bar(self, states: Counter[str]) -> str:
        total = sum(states.values())
        bar = ""
        seen = 0
        for word in _ORDER:
            # From sums, not from each share, so that rounding never loses or adds a cell.
            begin, seen = seen, seen + states[word]
            cells = round(_BAR * seen / total) - round(_BAR * begin / total) if total else 0
            bar += self._marks.get(word, " ") * cells
        return f"[{bar:<{_BAR}}]"
