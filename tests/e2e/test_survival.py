# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The triggerer is killed while many paid generations wait: each is paid for once, and none is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

MANY = 20


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    # Jobs take their real time, so that nothing ends before the clock is moved on.
    return ["--speed", "1"]


def _until(run: Run, wanted: str, number: int, *, timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while True:
        states = [task["state"] for task in run.tasks()]
        if states.count(wanted) == number:
            return
        assert time.monotonic() < deadline, f"not all {wanted}: {states}"
        time.sleep(0.3)


def test_twenty_generations_survive_a_killed_triggerer(stack: AirflowStack, sandbox: SandboxProcess) -> None:
    sandbox.reset()
    run = stack.trigger_dag("adgen_many_wait")
    _until(run, "deferred", MANY)

    stack.kill("triggerer")
    stack.restart("triggerer", grace=0)
    sandbox.advance(600)

    assert run.wait(timeout=150) == "success"
    charged = [charge["job_id"] for charge in sandbox.charges]
    assert len(charged) == MANY
    assert {run.xcom("make", "id", map_index=number) for number in range(MANY)} == set(charged)
