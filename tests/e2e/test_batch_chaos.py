# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A batch in a whole Airflow is hit while it submits and while it waits; ``test_batch.py`` has the short version.

Written down beforehand, judged by the sandbox's own ledger:

- The triggerer that holds a batch is killed while another one runs: that one takes over, every item is paid for once.
- A deploy (SIGTERM to all that runs with the scheduler) while submissions are under way: what is being posted is
  finished and recorded, every item is paid for once, also at a vendor without idempotency keys.
- A deploy that ends with SIGKILL 5 seconds later, while the vendor needs longer to answer: with keys every item is paid
  for once. Without, those under way are unknown (at most 4 are sent at a time), each is told by its key, all others are
  paid for once and delivered. When a person has said which jobs they started, all are delivered, and nothing is paid.
- Clears: while deferred, nothing is paid; after a failure, what failed is paid for again; after success, nothing is.
- The account's key is rotated while the batch is deferred: it goes on with the new one, every item is paid for once.
"""

from __future__ import annotations

import contextlib
import csv
import re
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import read_results
from tools.processes import ROOT, session_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COUNT = 30
PATIENT = 150
UNPROTECTED = 4
"""Submissions to one account at the same time where no idempotency key protects them."""

ANSWER = 8.0
"""Seconds that the vendor takes to answer a submission in a deploy: longer than the 5 until SIGKILL."""

LONG, SHORT = 3600, 1


@pytest.fixture(scope="module")
def stack_options(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        # The deadline of a submission: what a retry waits for before it settles one that was under way.
        "connections": {f"{vendor}_default": sandbox.connection(vendor, timeout=12) for vendor in ("adsumo", "sume")},
        "env": {
            "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}",
            # On a busy machine Airflow takes for dead what is only slow, which would use up retries.
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
        },
    }


@pytest.fixture(autouse=True)
def anew(sandbox: SandboxProcess) -> None:
    sandbox.reset()
    sandbox.settings(adsumo={"job_seconds": LONG}, sume={"job_seconds": LONG})


def start(stack: AirflowStack, place: Path, vendor: str = "adsumo", **conf: Any) -> Run:
    conf = {"vendor": vendor, "conn_id": f"{vendor}_default", "count": COUNT, "place": f"file://{place}", **conf}
    return stack.trigger_dag("adgen_batch_chaos", conf)


def wait_deferred(stack: AirflowStack, run: Run, *, after_try: int = 0) -> dict[str, Any]:
    """Wait until the batch is deferred, in a try after that one, with a triggerer that holds it."""

    def held(ti: dict[str, Any]) -> bool:
        return ti["state"] == "deferred" and ti["try_number"] > after_try and holder(ti) is not None

    return stack.airflow.wait_for("a deferred batch", lambda: run.task("make"), held, timeout=PATIENT)


def holder(ti: dict[str, Any]) -> int | None:
    """Return the triggerer that holds a task."""
    found: int | None = (ti["triggerer_job"] or {}).get("id")
    return found


def paid(sandbox: SandboxProcess, vendor: str) -> Counter[str]:
    """Return how often each item was paid for, by its request."""
    prompts = {one["id"]: one["request"]["prompt"] for one in sandbox.jobs(vendor)}
    return Counter(prompts[one["job_id"]] for one in sandbox.ledger(vendor, kind="charge"))


def once(vendor: str, count: int = COUNT) -> Counter[str]:
    return Counter(f"{vendor} {n}" for n in range(count))


def end_jobs(stack: AirflowStack, sandbox: SandboxProcess, vendor: str = "adsumo") -> None:
    """Let jobs end until every item is submitted and over: their places are free for others then."""
    while len(sandbox.ledger(vendor, kind="charge")) < COUNT:
        before = len(sandbox.ledger(vendor, kind="charge"))
        sandbox.advance(LONG + 1)
        stack.airflow.wait_for(
            "more submissions",
            lambda: len(sandbox.ledger(vendor, kind="charge")),
            lambda number, before=before: number > before,
            timeout=PATIENT,
        )
    sandbox.settings({vendor: {"job_seconds": SHORT}})
    sandbox.advance(LONG + 1)


def check_delivered(sandbox: SandboxProcess, run: Run, vendor: str, count: int = COUNT) -> None:
    """Check that every item was paid for once, and is in the results."""
    assert paid(sandbox, vendor) == once(vendor, count)
    lines = list(read_results(run.xcom("make", "results")))
    assert [one["status"] for one in lines] == ["completed"] * count
    assert {one["generation"]["id"] for one in lines} == {one["id"] for one in sandbox.jobs(vendor)}


# --- triggerers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def two_triggerers(stack: AirflowStack) -> Iterator[None]:
    """Leave one triggerer behind, whatever has become of the first and of a second."""
    yield
    for name in ("triggerer", "triggerer-2"):
        if name in stack.programs:
            stack.programs.stop(name, grace=0)
    started = time.time()
    stack.launch("triggerer")
    stack.wait_until_healthy(started, ["triggerer"])


def alive_triggerers(stack: AirflowStack) -> set[int]:
    """Return the triggerers that Airflow takes for alive."""
    with contextlib.closing(sqlite3.connect(stack.database, timeout=60)) as database:
        found = database.execute("SELECT id FROM job WHERE job_type = 'TriggererJob' AND state = 'running'")
        return {number for (number,) in found}


@pytest.mark.usefixtures("two_triggerers")
def test_another_triggerer_takes_the_batch_over(stack: AirflowStack, sandbox: SandboxProcess, tmp_path: Path) -> None:
    run = start(stack, tmp_path)
    first = holder(wait_deferred(stack, run))
    stack.launch("triggerer", name="triggerer-2")
    stack.airflow.wait_for(
        "two triggerers", lambda: alive_triggerers(stack), lambda ids: len(ids) == 2, timeout=PATIENT
    )
    stack.kill("triggerer", whole=True)
    stack.programs.stop("triggerer", grace=0)
    stack.airflow.wait_for(
        "the other triggerer to hold the batch",
        lambda: holder(run.task("make")),
        lambda found: found not in {first, None},
        timeout=PATIENT,
    )
    end_jobs(stack, sandbox)
    assert run.wait(timeout=PATIENT) == "success"
    assert run.task("make")["try_number"] == 1, "a move uses up no retry"
    check_delivered(sandbox, run, "adsumo")


# --- deploys ------------------------------------------------------------------------------------------------------


def deploy(stack: AirflowStack, kill_after: float | None) -> None:
    """End the scheduler and all that it runs, and start it again, as the deploy of a new version does."""
    leader = stack.programs["scheduler"].pid
    stack.kill("scheduler", signal.SIGTERM, whole=True)
    deadline = time.monotonic() + (60 if kill_after is None else kill_after)
    while session_members([leader]) and time.monotonic() < deadline:
        time.sleep(0.1)
    if kill_after is None:
        assert not session_members([leader]), "what was being posted was not finished in time"
    else:
        assert session_members([leader]), "there was nothing left to kill"
        stack.kill("scheduler", whole=True)
    stack.restart("scheduler", grace=0)


def attach(stack: AirflowStack, run: Run, jobs: dict[str, str], file: Path) -> None:
    """Say of the items by key which jobs they started, as a person does who looks at the vendor's list."""
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("key", "job_id"), *jobs.items()])
    words = ["ledger", "attach", run.dag_id, run.run_id, "make", "--from", str(file)]
    command = [str(stack.python), "-m", "airflow_provider_adgen", *words]
    done = subprocess.run(command, env=stack.env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kill_after", [None, 5.0], ids=["SIGTERM", "SIGTERM then SIGKILL"])
def test_a_deploy_while_submissions_are_under_way(
    stack: AirflowStack, sandbox: SandboxProcess, tmp_path: Path, kill_after: float | None
) -> None:
    sandbox.settings(adsumo={"job_seconds": SHORT}, sume={"job_seconds": SHORT})
    runs = {}
    for vendor in ("sume", "adsumo"):
        sandbox.fault("slow", vendor, method="POST", seconds=ANSWER, times=-1)
        runs[vendor] = start(stack, tmp_path / vendor, vendor)
    stack.airflow.wait_for(
        "submissions under way after some that are recorded",
        lambda: [len(sandbox.ledger(vendor, kind="charge")) for vendor in ("sume", "adsumo")],
        lambda found: found[0] > UNPROTECTED and found[1] > 0,
        timeout=PATIENT,
    )
    deploy(stack, kill_after)
    sandbox.clear_faults()

    assert runs["adsumo"].wait(timeout=PATIENT) == "success"
    check_delivered(sandbox, runs["adsumo"], "adsumo")
    run = runs["sume"]
    ended = run.wait(timeout=PATIENT)
    assert paid(sandbox, "sume") == once("sume"), "whatever was under way was paid for, and only once"
    if kill_after is not None:
        assert ended == "failed"
        lines = list(read_results(run.xcom("make", "results")))
        unknown = [one["key"] for one in lines if one["status"] == "unknown"]
        assert Counter(one["status"] for one in lines) == {"completed": COUNT - len(unknown), "unknown": len(unknown)}
        assert 1 <= len(unknown) <= UNPROTECTED
        log = run.log("make", run.task("make")["try_number"])
        told = [rf"unknown \([^)]*{re.escape(key)}|{re.escape(key)} \(unknown\)" for key in unknown]
        assert all(re.search(one, log) for one in told), log
        jobs = {one["request"]["prompt"].replace("sume ", "k"): one["id"] for one in sandbox.jobs("sume")}
        attach(stack, run, {key: jobs[key] for key in unknown}, tmp_path / "found.csv")
        run.clear("make")
        ended = run.wait(timeout=PATIENT)
    assert ended == "success"
    check_delivered(sandbox, run, "sume")


# --- clears -------------------------------------------------------------------------------------------------------


def test_clears_while_deferred_after_failure_and_after_success(
    stack: AirflowStack, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    sandbox.fail_next("adsumo", times=3)
    run = start(stack, tmp_path)
    tried = wait_deferred(stack, run)["try_number"]
    before = paid(sandbox, "adsumo")
    run.clear("make")
    wait_deferred(stack, run, after_try=tried)
    assert paid(sandbox, "adsumo") == before, "what is under way is waited for"

    end_jobs(stack, sandbox)
    assert run.wait(timeout=PATIENT) == "failed"
    assert paid(sandbox, "adsumo") == once("adsumo")
    failed = [one["request"]["prompt"] for one in sandbox.jobs("adsumo") if one["status"] == "failed"]
    assert len(failed) == 3
    lines = list(read_results(run.xcom("make", "results")))
    assert Counter(one["status"] for one in lines) == {"completed": COUNT - 3, "failed": 3}

    expected = once("adsumo") + Counter(failed)
    for _ in ("after a failure", "after success"):
        run.clear("make")
        assert run.wait(timeout=PATIENT) == "success"
        assert paid(sandbox, "adsumo") == expected, "what failed is paid for again, and nothing else"
    lines = list(read_results(run.xcom("make", "results")))
    assert [one["status"] for one in lines] == ["completed"] * COUNT


# --- keys ---------------------------------------------------------------------------------------------------------


def test_the_key_is_rotated_while_the_batch_is_deferred(
    stack: AirflowStack, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    old = sandbox.add_account("adsumo", "rotating")
    connection = {"connection_id": "rotating", "conn_type": "adsumo", "host": sandbox.host_for("adsumo")}
    stack.api("POST", "connections", {**connection, "password": old})
    run = start(stack, tmp_path, conn_id="rotating")
    wait_deferred(stack, run)
    before = len(sandbox.charges)
    seen = max(one["seq"] for one in sandbox.requests("adsumo"))
    stack.airflow.wait_for(
        "the triggerer to ask with the old key",
        lambda: sandbox.requests("adsumo", method="GET", since=seen),
        bool,
        timeout=PATIENT,
    )

    new = sandbox.add_account("adsumo", "rotating", key=f"{old[:-4]}0000")
    stack.api("PATCH", "connections/rotating", {**connection, "password": new}, update_mask="password")
    sandbox.set_key("adsumo", key=old, status="revoked")
    seen = max(one["seq"] for one in sandbox.requests("adsumo"))
    stack.airflow.wait_for(
        "the triggerer to be refused with the old key and to go on with the new one",
        lambda: [one["status"] for one in sandbox.requests("adsumo", method="GET", since=seen)],
        lambda found: 401 in found and 200 in found[found.index(401) :],
        timeout=PATIENT,
    )
    end_jobs(stack, sandbox)
    assert run.wait(timeout=PATIENT) == "success"
    assert before < COUNT, "the rest was submitted with the new key"
    assert {one["account"] for one in sandbox.charges} == {"rotating"}
    check_delivered(sandbox, run, "adsumo")
    assert run.task("make")["try_number"] == 1
    assert stack.files_holding(old) == stack.files_holding(new) == []
