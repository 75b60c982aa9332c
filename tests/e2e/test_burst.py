# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Tasks that may not submit yet hold no worker, are submitted when they may, and are each paid for once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

WORKERS = 4
HOUR = 30
"""Seconds that the vendor's hour takes here."""


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    return {"parallelism": WORKERS}


class WaitingJob:
    """Counts the tasks of a run by state while it goes on."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: list[dict[str, int]] = []

    def __enter__(self) -> WaitingJob:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1):
            states = [str(one["state"]) for one in self._run.tasks()]
            self.seen.append({state: states.count(state) for state in set(states)})

    def busy(self) -> list[int]:
        """Workers that were held, second by second, from when all tasks had their first turn."""
        later = [one for one in self.seen if not {"None", "scheduled"} & set(one) or "success" in one]
        return [one.get("running", 0) for one in later]


@pytest.mark.parametrize(
    ("count", "limit", "refusals"),
    [(15, 5, 25), pytest.param(50, 10, 80, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_a_mapped_burst_meets_a_vendor_that_takes_few_an_hour(
    stack: AirflowStack, sandbox: SandboxProcess, count: int, limit: int, refusals: int, record_property: Any
) -> None:
    sandbox.reset()
    sandbox.settings(cinematicads={"rate_limits": {"workflow": [limit, HOUR], "*": [10000, 60]}})
    started = time.monotonic()
    run = stack.trigger_dag(f"adgen_burst_{count}")
    with WaitingJob(run) as watch:
        deadline = time.monotonic() + 240
        while [one["state"] for one in run.tasks()].count("deferred") < count - limit:
            assert time.monotonic() < deadline, watch.seen[-1:]
            time.sleep(0.3)
        asked = time.monotonic()
        other = stack.trigger_dag("adgen_bystander")
        assert other.wait(timeout=60) == "success"
        passed = time.monotonic() - asked
        ended = run.wait(timeout=600)
    tasks = run.tasks("make")
    bad = [one["map_index"] for one in tasks if one["state"] != "success"]
    assert ended == "success", f"{bad} failed:\n{run.log('make', 1, bad[0]) if bad else ''}"
    assert [one["state"] for one in tasks] == ["success"] * count
    assert {one["try_number"] for one in tasks} == {1}, "waiting uses up no retry"
    charged = [charge["job_id"] for charge in sandbox.charges]
    assert len(charged) == count
    assert {run.xcom("make", "id", map_index=number) for number in range(count)} == set(charged)
    refused = [one["status"] for one in sandbox.requests("cinematicads", method="POST")].count(429)
    busy = watch.busy()
    measured = {
        "seconds": round(time.monotonic() - started),
        "refused": refused,
        "workers_held": round(sum(busy) / max(1, len(busy)), 2),
        "all_workers_held_seconds": sum(1 for one in busy if one >= WORKERS),
        "bystander_seconds": round(passed, 1),
    }
    for name, value in measured.items():
        record_property(name, value)
    print(measured)
    assert refused <= refusals


def test_credits_that_arrive_while_tasks_are_deferred(stack: AirflowStack, sandbox: SandboxProcess) -> None:
    sandbox.reset()
    sandbox.set_credits("adsumo", 0)
    run = stack.trigger_dag("adgen_short_of_credits")
    for number in range(3):
        run.wait_for_task("make", "deferred", map_index=number, timeout=90)
    assert sandbox.charges == []
    sandbox.set_credits("adsumo", 3)
    assert run.wait(timeout=120) == "success"
    charged = [charge["job_id"] for charge in sandbox.charges]
    assert len(charged) == 3 and sandbox.balance("adsumo") == 0
    assert {run.xcom("make", "id", map_index=number) for number in range(3)} == set(charged)
    refused = [one["status"] for one in sandbox.requests("adsumo", method="POST")].count(402)
    assert refused == 3, "each was refused once, and let go when the balance paid for it"
