# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Processes are killed while paid generations are under way: each is paid for once, and none is lost."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

MANY = 20


@pytest.fixture(scope="module")
def seams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory through which a worker is told where to die."""
    return tmp_path_factory.mktemp("seams")


@pytest.fixture(scope="module")
def stack_options(seams: Path, sandbox: SandboxProcess) -> dict[str, Any]:
    # A short deadline for the submission: a second posting waits for the first one's to pass.
    connection = sandbox.connection("adsumo", timeout=5)
    return {"env": {"ADGEN_SEAMS": str(seams)}, "parallelism": 4, "connections": {"adsumo_default": connection}}


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


@pytest.mark.skipif(
    version("apache-airflow").startswith("3.0."), reason="Airflow 3.0 fails a killed task without retrying it"
)
@pytest.mark.parametrize("path", ["deferrable", "worker"])
@pytest.mark.parametrize("point", ["before-record", "after-record"])
def test_one_charge_when_a_worker_dies_around_the_record(
    stack: AirflowStack, sandbox: SandboxProcess, seams: Path, path: str, point: str
) -> None:
    sandbox.reset()
    (seams / point).touch()
    run = stack.trigger_dag(f"adgen_one_retry_{path}")
    deadline = time.monotonic() + 120
    while run.state() not in {"success", "failed"}:
        assert time.monotonic() < deadline, f"the run never ended:\n{run.log('make', 2)}"
        if run.task("make")["try_number"] == 2:
            sandbox.advance(120)
        time.sleep(0.5)
    assert not (seams / point).exists(), "the worker died where it was told to"
    assert run.task("make")["try_number"] == 2
    assert run.state() == "success", run.log("make", 2)
    assert len(sandbox.charges) == 1
    assert run.xcom("make", "id") == sandbox.charges[0]["job_id"]
