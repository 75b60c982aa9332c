# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A batch in a whole Airflow: its worker and its triggerer are killed, it is cleared."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import read_results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_stack import AirflowStack

COUNT = 30


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    # Jobs take their real time, so that nothing ends before the clock is moved on.
    return ["--speed", "1"]


@pytest.fixture(scope="module")
def stack_options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"env": {"AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}"}}


def test_a_batch_survives(stack: AirflowStack, sandbox: SandboxProcess, tmp_path: Path) -> None:
    sandbox.reset()
    place = f"file://{tmp_path / 'creatives'}"
    sandbox.fault("slow", "adsumo", method="POST", seconds=0.4, times=-1)
    run = stack.trigger_dag("adgen_batches", {"count": COUNT, "place": place})
    pid = stack.task_process(run, "make")
    stack.airflow.wait_for("a charge", lambda: len(sandbox.charges), lambda number: number > 2, timeout=60)
    os.kill(pid, signal.SIGKILL)
    stack.airflow.wait_for(
        "the next try to wait",
        lambda: (run.task("make")["try_number"], run.task("make")["state"]),
        lambda found: found[0] > 1 and found[1] == "deferred",
        timeout=120,
    )
    stack.kill("triggerer")
    stack.restart("triggerer", grace=0)
    sandbox.advance(600)
    stack.airflow.wait_for(
        "all submissions",
        lambda: len(sandbox.charges),
        lambda number: number == COUNT,
        timeout=120,
    )
    sandbox.advance(600)
    assert run.wait(timeout=200) == "success"
    told = run.xcom("make")
    assert told["counts"]["completed"] == COUNT
    assert run.xcom("make", "results") == told["results"]
    lines = list(read_results(told["results"]))
    paid = Counter(str(charge["job_id"]) for charge in sandbox.charges)
    assert len(paid) == sum(paid.values()) == COUNT, "each item is paid for once"
    assert {line["generation"]["id"] for line in lines} == set(paid)
    assert [line["meta"]["number"] for line in lines] == list(range(COUNT))
    prompts = {job["request"]["prompt"] for job in sandbox.jobs()}
    assert prompts == {f"{{{{ ds }}}} {number}" for number in range(COUNT)}, "items are not rendered"
    log = run.log("make", try_number=run.task("make")["try_number"])
    assert f"Batch of {COUNT} items: {COUNT} completed" in log

    run.clear("make")
    assert run.wait(timeout=120) == "success"
    assert len(sandbox.charges) == COUNT, "results are kept"
