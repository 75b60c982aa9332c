# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What someone who watches a run sees."""

from __future__ import annotations

import io
import re

import pytest

from tools.progress import Progress, clock

TASKS = ["plan", "make"]


def states(**tasks: list[str | None]) -> list[dict[str, str | None]]:
    return [{"task_id": task, "state": state} for task, found in tasks.items() for state in found]


def test_elsewhere_each_result_is_a_line_and_nothing_is_said_twice() -> None:
    out = io.StringIO()
    view = Progress(out, TASKS)
    view.update(0, states(plan=[None], make=[None]))
    view.update(1, states(plan=["running"], make=[None]))
    view.update(1.5, states(plan=["running"], make=[None]))
    view.update(61, states(plan=["success"], make=["deferred", "success", None]))
    assert out.getvalue().splitlines() == [
        "   1:01  plan: 1 done",
        "   1:01  make: 1 done, 1 waiting, 1 to come",
    ]


def test_a_terminal_gets_a_table_that_is_drawn_over() -> None:
    out = io.StringIO()
    view = Progress(out, TASKS, live=True)
    view.update(1, states(plan=["running"]))
    view.update(2, states(plan=["success"], make=["deferred"] * 3 + ["success"]))
    first, second = out.getvalue().split("\x1b[3A")
    assert first.count("\n") == second.count("\n") == 3
    lines = re.sub(r"\x1b\[\w+", "", second).splitlines()
    assert lines == [
        "  0:02",
        "  plan  [####################]  1 done",
        "  make  [#####~~~~~~~~~~~~~~~]  1 done, 3 waiting",
    ]


def test_a_narrow_terminal_never_wraps_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    out = io.StringIO()
    Progress(out, TASKS, live=True).update(1, states(make=["failed", "upstream_failed", "skipped"]))
    assert max(len(line) for line in out.getvalue().replace("\x1b[2K", "").splitlines()) == 19


@pytest.mark.parametrize("total", [1, 3, 7, 19, 64])
def test_a_bar_is_always_full_width(total: int) -> None:
    out = io.StringIO()
    found = ["success", "deferred", "failed"]
    Progress(out, TASKS, live=True).update(1, states(make=[found[n % 3] for n in range(total)]))
    [bar] = re.findall(r"make  \[(.*)\]", out.getvalue())
    assert len(bar) == 20 and " " not in bar


def test_what_was_drawn_can_be_left_as_it_is() -> None:
    out = io.StringIO()
    view = Progress(out, TASKS, live=True)
    view.update(0, states(make=["awaiting_input"]))
    view.leave()
    before = len(out.getvalue())
    view.update(1, states(make=["success"]))
    assert "1 waiting" in out.getvalue()
    assert not re.search(r"\x1b\[\d+A", out.getvalue()[before:])


def test_a_state_of_a_later_airflow_is_work_to_come() -> None:
    out = io.StringIO()
    Progress(out, TASKS).update(0, states(make=["a_later_word", "queued", "success"]))
    assert out.getvalue() == "   0:00  make: 1 done, 1 starting, 1 to come\n"


def test_minutes_and_seconds() -> None:
    assert [clock(0), clock(59.9), clock(60), clock(3661)] == ["0:00", "0:59", "1:00", "61:01"]
