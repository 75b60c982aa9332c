# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A person marks a task that waits, or Airflow's timeout stops one: what was paid for is not paid for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

MARKED = {"marked_success": "success", "marked_failed": "failed"}
POSTING = 9
"""Seconds that the vendor takes to answer a submission: longer than the task's ``execution_timeout`` of 4."""


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    # Jobs take their real time, so that nothing ends before the clock is moved on.
    return ["--speed", "1"]


@pytest.fixture(scope="module")
def run(stack: AirflowStack, sandbox: SandboxProcess) -> Run:
    """One run in which each task has had its trouble and was then cleared, or has retried by itself."""
    sandbox.fault("slow", "cinematicads", method="POST", seconds=POSTING, times=1)
    found = stack.trigger_dag("adgen_interventions")
    for task, state in MARKED.items():
        found.wait_for_task(task, "deferred")
        found.mark(state, task)
    for task in ("timed_out_waiting", "timed_out_posting"):
        stack.airflow.wait_for(
            f"the second try of {task}",
            lambda task=task: found.task(task)["try_number"],
            lambda number: number > 1,
            timeout=90,
        )
    sandbox.advance(1800)
    assert found.wait(timeout=150) == "failed", "a task that a person marked as failed fails the run"
    assert {task: found.task(task)["state"] for task in MARKED} == MARKED, "marked while it waited, it stays so"
    found.clear(*MARKED)
    assert found.wait(timeout=150) == "success"
    return found


@pytest.mark.parametrize("task", ["marked_success", "marked_failed", "timed_out_waiting", "timed_out_posting"])
def test_the_job_that_was_paid_for_is_what_the_task_returns(run: Run, sandbox: SandboxProcess, task: str) -> None:
    made = run.xcom(task)
    assert made["status"] == "completed" and made["creatives"]
    assert [charge["job_id"] for charge in sandbox.charges].count(made["id"]) == 1
    assert len(run.tries(task)) == 2


def test_nothing_else_was_paid_for(run: Run, sandbox: SandboxProcess) -> None:
    assert len(sandbox.charges) == 4
    assert len([one for one in sandbox.requests(method="POST") if one["status"] < 300]) == 4


def test_the_alarm_was_held_until_the_job_was_recorded(run: Run) -> None:
    said = run.log("timed_out_posting", try_number=1)
    assert "Submitted workflow to CinematicAds" not in said, "the alarm came first"
    assert "Going on with CinematicAds job" in run.log("timed_out_posting", try_number=2)
    assert "SubmissionUnknown" not in said and "Nobody knows" not in said
