# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A submission's answer is lost; a person resolves it with what the task's log says, and nothing else."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import command_line

if TYPE_CHECKING:
    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

pytestmark = pytest.mark.skipif(
    version("apache-airflow").startswith(("3.0.", "3.1.", "3.2.")),
    reason="the stack sets no ledger_path, and Airflow before 3.3 keeps no record",
)

PATIENCE = 120


@pytest.fixture(scope="module")
def stack_options(sandbox: SandboxProcess) -> dict[str, Any]:
    # A short deadline for the submission: a person who comes earlier is sent away.
    return {"connections": {"sume_default": sandbox.connection("sume", timeout=3)}}


def lose_an_answer(stack: AirflowStack, sandbox: SandboxProcess, **fault: Any) -> Run:
    """Run the task, and lose the answer to its submission; return the run, which has failed."""
    sandbox.reset()
    sandbox.fault("drop", "sume", method="POST", **fault)
    run = stack.trigger_dag("adgen_lost_answer")
    assert run.wait(timeout=PATIENCE) == "failed"
    return run


def from_the_log(run: Run, verb: str) -> list[str]:
    """Return the command that the log says."""
    task = run.task("make")
    assert task["try_number"] == 1, "nothing is retried that a person has to decide"
    log = run.log("make").replace("\\n", "\n")
    found = re.search(rf"^\s*(?:\S+Exception: )?({re.escape(command_line())} ledger {verb} .*?)\s*$", log, re.MULTILINE)
    assert found is not None, log
    return shlex.split(found[1])


def carry_out(stack: AirflowStack, command: list[str], typed: str = "") -> str:
    """Carry a command out in a shell of the machine that Airflow runs on; return what it says."""
    words = [str(stack.python), "-m", *command] if command[0] == "airflow" else [str(stack.python), *command[1:]]
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(words, env=stack.env, input=typed, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode == 0:
            return done.stdout
        # Within the submission's own deadline a person is sent away, and does come back.
        assert "Try again in" in done.stderr and time.monotonic() < deadline, done.stdout + done.stderr
        time.sleep(0.5)


def test_a_person_attaches_the_job_that_was_started(stack: AirflowStack, sandbox: SandboxProcess) -> None:
    run = lose_an_answer(stack, sandbox)
    (charge,) = sandbox.charges
    command = from_the_log(run, "attach")
    assert command[-1] == charge["job_id"], "it is the only job that it can be"

    said = carry_out(stack, command)
    assert "Sume knows the job" in said
    shown = carry_out(stack, [*command[:3], "show", *command[4:7], "-o", "json"])
    found = json.loads(shown[shown.index("{") :])
    assert found["state"] == "unresolved"
    assert found["resolution"] == charge["job_id"]
    run.clear("make")
    assert run.wait(timeout=PATIENCE) == "success", run.log("make", 2)
    assert run.xcom("make", "id") == charge["job_id"]
    assert sandbox.charges == [charge], "one charge"


def test_a_person_says_that_nothing_was_started(stack: AirflowStack, sandbox: SandboxProcess) -> None:
    run = lose_an_answer(stack, sandbox, when="before")
    assert sandbox.charges == []
    assert "None of the vendor's" in run.log("make")

    said = carry_out(stack, from_the_log(run, "dismiss"), typed="yes\n")
    assert "submits again" in said
    run.clear("make")
    assert run.wait(timeout=PATIENCE) == "success", run.log("make", 2)
    (charge,) = sandbox.charges
    assert run.xcom("make", "id") == charge["job_id"]
