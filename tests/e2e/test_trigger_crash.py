# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Triggers come to grief in a real triggerer, and sensors wait in each of Airflow's modes: all of it on one Airflow."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tools.airflow_api import ApiFailed

if TYPE_CHECKING:
    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

TROUBLES = ("crash", "inflate", "overdue")
FATES = {"running": "success", "completed": "success", "failed": "failed"}
TASKS = tuple(f"{trouble}_{fate}" for trouble in TROUBLES for fate in FATES)
MODES = ("deferred", "poked", "rescheduled")
SENSORS = {
    **{f"found_{mode}": "success" for mode in MODES},
    **{f"late_{mode}": "failed" for mode in MODES},
    **{f"late_softly_{mode}": "skipped" for mode in MODES},
    **{f"lost_{mode}": "failed" for mode in ("deferred", "rescheduled")},
    **{f"lost_softly_{mode}": "skipped" for mode in ("deferred", "rescheduled")},
    **{f"credits_{mode}": "success" for mode in ("deferred", "rescheduled")},
    "crash_sensor": "success",
    "batch": "success",
    "asset": "success",
}
PATIENT = 120
"""Seconds: the longest that one step is waited for."""


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    # Jobs take their real time; the tests say when and how they end.
    return ["--speed", "1"]


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the triggerer is told what is broken, and tells what runs; see ``broken_triggerer/sitecustomize.py``."""
    return tmp_path_factory.mktemp("signs")


@pytest.fixture(scope="module")
def stack_options(signs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        "parallelism": 6,
        "env": {
            "PYTHONPATH": str(Path(__file__).parent / "broken_triggerer"),
            "BROKEN_TRIGGERS": str(signs),
            # Airflow 3.0 keeps nothing of a try for the next one.
            "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}",
        },
    }


def started(sandbox: SandboxProcess) -> dict[str, str]:
    """Return the job of each task that has one."""
    told = [(one["id"], json.dumps(one["request"])) for one in sandbox.jobs()]
    return {task: job for task in (*TASKS, "made", "lost") for job, request in told if f"sneaker, {task}" in request}


def submit_batch(sandbox: SandboxProcess) -> list[str]:
    """Start two workflows of one batch, as something else than Airflow does; return their jobs."""
    for _ in range(2):
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own URL
            f"{sandbox.host_for('cinematicads')}/api/workflow",
            data=json.dumps({"type": "staticad", "concept": "a batch", "batchId": "summer"}).encode(),
            headers={"authorization": f"Bearer {sandbox.key_for('cinematicads')}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - as above
            pass
    return [one["id"] for one in sandbox.jobs("cinematicads") if one["request"]["batchId"] == "summer"]


def freeze_triggerer(stack: AirflowStack) -> None:
    """Stop the triggerer where it does not hold the database, of which SQLite has one for all."""

    def stopped() -> bool:
        stack.kill("triggerer", signal.SIGSTOP, whole=True)
        with contextlib.closing(sqlite3.connect(stack.database, timeout=2)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                stack.kill("triggerer", signal.SIGCONT, whole=True)
                return False
            database.rollback()
        return True

    stack.airflow.wait_for("a triggerer that does not write", stopped, bool, timeout=PATIENT)


def strike(stack: AirflowStack, tasks: list[str]) -> None:
    """Let Airflow's own deadline for the deferral be over, which comes two minutes after the trigger's."""
    with contextlib.closing(sqlite3.connect(stack.database, timeout=60)) as database, database:
        database.executemany(
            "UPDATE task_instance SET trigger_timeout = '2020-01-01 00:00:00' WHERE state = 'deferred' AND task_id = ?",
            [(task,) for task in tasks],
        )


def told(stack: AirflowStack) -> str:
    """Return what the scheduler has heard of legs that are over."""
    said = stack.tail("scheduler", 10**6).splitlines()
    return "\n".join(line for line in said if "Received executor event" in line)


class WaitingJob:
    """What the tasks of a run do, seen from when it was made."""

    def __init__(self, run: Run, stack: AirflowStack) -> None:
        self._run = run
        self._stack = stack
        self._before = self._triggers()

    def _triggers(self) -> dict[str, int]:
        return {one["task_id"]: one["trigger"]["id"] for one in self._run.tasks() if one["trigger"]}

    def wait_for_ends(self, trouble: str) -> None:
        """Wait until the task whose job runs waits with another trigger, and the others have ended as their jobs."""
        for fate in ("completed", "failed"):
            self._run.wait_for_task(f"{trouble}_{fate}", FATES[fate], timeout=PATIENT)
        self.wait_for_another_trigger(f"{trouble}_running")

    def wait_for_another_trigger(self, task: str) -> None:
        before = self._before.get(task)
        self._stack.airflow.wait_for(
            f"another trigger of {task}",
            lambda: self._triggers().get(task),
            lambda found: found not in (None, before),
            timeout=PATIENT,
        )


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("films") / "shoe.mp4"
    found.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(500))
    return found


@pytest.fixture(scope="module")
def runs(stack: AirflowStack, sandbox: SandboxProcess, signs: Path, film: Path) -> dict[str, Run]:
    """One run of each DAG; each trigger has had its trouble, each thing waited for has come, each task has ended."""
    sandbox.settings({vendor: {"job_seconds": 1e6} for vendor in ("adsumo", "sume", "cinematicads")})
    sandbox.settings(sume={"ingest_seconds": 1000})
    batch = submit_batch(sandbox)
    (signs / "import-fails").touch()
    (signs / "inflate-fails").write_text("adsumo")
    wait = stack.airflow.wait_for
    crashes, sensors = stack.trigger_dag("adgen_trigger_crash"), stack.trigger_dag("adgen_sensors", {"film": str(film)})

    # The triggers run that are to crash, or to be late.
    awaited = {task for task in TASKS if not task.startswith("inflate")} | {"crash_sensor", "import-failed"}
    wait("triggers", lambda: awaited - {path.name for path in signs.iterdir()}, lambda left: not left, timeout=PATIENT)
    known = started(sandbox)

    # The scheduler has to know that their tasks are deferred; else it takes them for dead when they are resumed.
    awaited = {f"task_id='overdue_{fate}'" for fate in FATES}
    wait("events", lambda: {one for one in awaited if one not in told(stack)}, lambda left: not left, timeout=PATIENT)

    # Airflow's deadline strikes while the triggerer is frozen.
    freeze_triggerer(stack)
    watch, sensing = WaitingJob(crashes, stack), WaitingJob(sensors, stack)
    for task, job in known.items():
        if task.endswith(("completed", "failed")):
            sandbox.set_job(job, task.rpartition("_")[2])
    strike(stack, [f"overdue_{fate}" for fate in FATES])
    watch.wait_for_ends("overdue")

    # It thaws, and other triggers crash.
    (signs / "crash").touch()
    stack.kill("triggerer", signal.SIGCONT, whole=True)
    watch.wait_for_ends("crash")
    sensing.wait_for_another_trigger("crash_sensor")

    # A trigger that could not be made can be made again.
    (signs / "inflate-fails").unlink()
    wait("a trigger of inflate_running", (signs / "inflate_running").exists, bool, timeout=PATIENT)
    watch.wait_for_ends("inflate")

    for task, job in known.items():
        if task.endswith("running") or task == "made":
            sandbox.set_job(job, "completed")
    sandbox.set_job(known["lost"], "failed")
    sandbox.set_job(batch[0], "completed")
    sandbox.set_job(batch[1], "failed")
    sandbox.set_credits("adsumo", 1_000_000)
    sandbox.advance(1000)
    assert crashes.wait(timeout=PATIENT) == "failed", "the jobs that failed fail it"
    assert sensors.wait(timeout=PATIENT) == "failed", "the sensors that did fail it"
    return {"crashes": crashes, "sensors": sensors}


def logs(run: Run, task: str) -> list[str]:
    """Return the log of each try that Airflow remembers; one that it took for dead before it began, it may not."""
    found = []
    for number in range(1, run.task(task)["try_number"] + 1):
        with contextlib.suppress(ApiFailed):
            found.append(run.log(task, number))
    return found


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("fate", FATES)
def test_a_generation_ends_as_its_job_did_and_is_paid_for_once(
    runs: dict[str, Run], signs: Path, sandbox: SandboxProcess, trouble: str, fate: str
) -> None:
    run, task = runs["crashes"], f"{trouble}_{fate}"
    assert run.task(task)["state"] == FATES[fate]
    job = started(sandbox)[task]
    assert [json.dumps(one["request"]).count(task) for one in sandbox.jobs()].count(1) == 1
    assert [charge["job_id"] for charge in sandbox.charges].count(job) == 1
    if FATES[fate] == "success":
        made = run.xcom(task)
        assert (made["id"], made["status"]) == (job, "completed")
        assert made["creatives"]
    said = "\n".join(logs(run, task))
    if FATES[fate] == "failed":
        assert f"job {job} ended as failed" in said
    why = "Trigger timeout" if trouble == "overdue" else "Trigger failure"
    assert f"The trigger ended without an event ({why})" in said
    assert (signs / f"{task} has crashed").exists() == (trouble == "crash")


def test_nothing_else_was_paid_for(runs: dict[str, Run], sandbox: SandboxProcess) -> None:
    assert len(sandbox.charges) == len(TASKS) + len(("made", "lost")) + len(("batch", "batch"))


def test_the_triggers_were_broken_as_they_should_be(runs: dict[str, Run], stack: AirflowStack) -> None:
    said = stack.tail("triggerer", 10**6)
    assert "Trigger failed to load code" in said
    assert said.count("Trigger failed to inflate") >= len(FATES)


@pytest.mark.parametrize("task", SENSORS)
def test_a_sensor_ends_as_it_should(runs: dict[str, Run], task: str) -> None:
    assert runs["sensors"].task(task)["state"] == SENSORS[task]


def test_what_sensors_find(runs: dict[str, Run], sandbox: SandboxProcess) -> None:
    run, job = runs["sensors"], started(sandbox)["made"]
    for task in (*(f"found_{mode}" for mode in MODES), "crash_sensor"):
        found = run.xcom(task)
        assert (found["id"], found["status"]) == (job, "completed")
        assert found["creatives"][0]["url"]
    for mode in ("deferred", "rescheduled"):
        assert run.xcom(f"credits_{mode}")["remaining"] == 1_000_000
    assert run.xcom("batch") == {"total": 2, "completed": 1, "failed": 1, "pending": 0, "active": 0}
    assert run.xcom("asset")["id"] == run.xcom("uploaded", "asset_id")


@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_that_timed_out_says_so_and_is_not_retried(runs: dict[str, Run], mode: str) -> None:
    run, task = runs["sensors"], f"late_{mode}"
    assert "AirflowSensorTimeout" in logs(run, task)[-1]
    assert run.task(task)["try_number"] <= run.task(task)["max_tries"], "it had tries left"


@pytest.mark.parametrize("mode", ["deferred", "rescheduled"])
def test_a_sensor_whose_job_failed_says_so_and_is_not_retried(runs: dict[str, Run], mode: str) -> None:
    run, task = runs["sensors"], f"lost_{mode}"
    assert "ended as failed" in logs(run, task)[-1]
    assert run.task(task)["try_number"] <= run.task(task)["max_tries"], "it had tries left"


def test_a_sensor_whose_trigger_crashed_looked_and_deferred_again(runs: dict[str, Run]) -> None:
    assert "polling from here" in "\n".join(logs(runs["sensors"], "crash_sensor"))
