# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo is played on, and pictures are taken of: a sandbox of the vendors, and an Airflow that leads to it."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.ledger.records import Records, read_records
from tools.airflow_api import FINISHED, Run
from tools.airflow_stack import AirflowStack
from tools.demo_report import audit, paid_by, say_failures, shown
from tools.processes import ROOT, Programs
from tools.progress import Progress, clock
from tools.sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from airflow_provider_adgen.sandbox.client import SandboxClient

SPEED = 20
"""How many times faster the sandbox's jobs are than real ones."""

_LONGEST = 600.0
"""Seconds a run may take, without the time in which a person is asked."""

_ASKING = frozenset({"awaiting_input", "deferred"})
"""The states of a task that waits for a person's answer."""


class DemoFailed(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Ended:
    """
    A run that has ended.

    :param run: the run.
    :param state: how it ended.
    :param paid: what each vendor has charged meanwhile, less refunds.
    :param records: what the package has recorded of it.
    """

    run: Run
    state: str
    paid: Mapping[str, int]
    records: Records


@dataclass(frozen=True)
class Stage:
    """
    A sandbox and an Airflow that run.

    :param home: where they write.
    :param sandbox: the vendors.
    :param airflow: an Airflow with a connection to each of them.
    """

    home: Path
    sandbox: SandboxClient
    airflow: AirflowStack

    @property
    def creatives(self) -> Path:
        """Where the runs store what they make."""
        return self.home / "creatives"

    def run(
        self, dag_id: str, run_id: str, conf: dict[str, Any], *, when_asked: Callable[[Run, str], None] | None = None
    ) -> Ended:
        """
        Run a DAG to its end, whatever that is.

        :param when_asked: called with the run and the task as soon as that task, a review, waits for a person.
        """
        charges, refunds = len(self.sandbox.charges), len(self.sandbox.refunds)
        run = self.airflow.trigger_dag(dag_id, conf, run_id=run_id)
        say(f"  {self.airflow.base_url}/dags/{dag_id}/runs/{run_id}")
        state = self._follow(run, when_asked)
        say("")
        paid = paid_by(self.sandbox.charges[charges:], self.sandbox.refunds[refunds:])
        return Ended(run, state, paid, read_records(_ledger(self.home), (dag_id, run_id)))

    def _follow(self, run: Run, when_asked: Callable[[Run, str], None] | None) -> str:
        tasks = self.airflow.api("GET", f"dags/{run.dag_id}/tasks")["tasks"]
        view = Progress(sys.stdout, in_order({one["task_id"]: one["downstream_task_ids"] for one in tasks}))
        began = time.monotonic()
        deadline = began + _LONGEST
        while True:
            state, instances, now = run.state(), run.tasks(), time.monotonic()
            view.update(now - began, instances)
            if state in FINISHED:
                return state
            self.airflow.programs.check()
            asking = [
                one["task_id"] for one in instances if one["task_id"].endswith(".review") and one["state"] in _ASKING
            ]
            if asking:
                deadline = now + _LONGEST
                if when_asked is not None:
                    when_asked(run, asking[0])
                    when_asked = None
                    view.leave()
            elif now > deadline:
                raise DemoFailed(
                    f"The run is still {state} after {clock(_LONGEST)}. The logs are in {self.airflow.work}."
                )
            time.sleep(0.5)

    def say_failures(self, ended: Ended) -> None:
        """Say which tasks of a run failed, with the ends of their logs."""
        say(f"The run has ended as {ended.state}.")
        logs = self.airflow.work / "logs"
        for line in say_failures(ended.run, logs, ROOT):
            say(line)
        say(f"\nAll logs are in {shown(logs, ROOT)}/.")

    def ledgers_agree(self) -> bool:
        """Say whether the sandbox has charged what the package has recorded, each job once, and return it."""
        charges = self.sandbox.charges
        wrong = audit(read_records(_ledger(self.home)), charges)
        if wrong:
            say("  The sandbox's ledger does NOT agree: " + "; ".join(wrong) + ".")
        else:
            say(
                f"  The sandbox's ledger agrees: it has {len(charges)} charges, one for each job that is recorded here."
            )
        return not wrong


@contextlib.contextmanager
def open_stage(
    home: Path,
    *,
    dags: Path,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    start_timeout: float = 120,
) -> Iterator[Stage]:
    """
    Start a sandbox and an Airflow; nothing of them is left at the end of the block.

    :param home: an empty directory for everything that is written.
    :param dags: the directory with the DAGs.
    :param port: the user interface's port; None takes a free one.
    :param env: more variables of Airflow's environment.
    :param start_timeout: seconds until Airflow must be healthy.
    :raises ProcessDied: a program has ended.
    :raises TimeoutError: a program did not start.
    """
    with Programs(home / "output") as programs:
        began = time.monotonic()
        sandbox = SandboxProcess(programs, home, ["--speed", str(SPEED)])
        say(f"  Sandbox  {sandbox.url}  (after {time.monotonic() - began:.0f} s)")
        airflow = AirflowStack(
            home / "airflow",
            dags=[dags],
            connections={f"{name}_default": sandbox.connection(name) for name in sandbox.vendors()},
            # Looking as often as the sandbox is fast; at a vendor's own pace the defaults are right.
            env={
                "AIRFLOW__ADGEN__POLL_INTERVAL": "1",
                "AIRFLOW__ADGEN__FIRST_FIRE_DELAY": "3",
                "AIRFLOW__ADGEN__LEDGER_PATH": _ledger(home),
                "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
                **(env or {}),
            },
            serve_logs=True,
            start_timeout=start_timeout,
            port=port,
        )
        say("  Airflow  is starting; this takes about half a minute …")
        with airflow:
            say(f"  Airflow  {airflow.base_url}  (after {time.monotonic() - began:.0f} s)\n")
            yield Stage(home, sandbox, airflow)


def _ledger(home: Path) -> str:
    return f"file://{home / 'ledger'}"


def in_order(downstream: Mapping[str, list[str]]) -> list[str]:
    """Return tasks so that each comes after those before it, otherwise as they came."""
    left = dict(downstream)
    found: list[str] = []
    while left:
        waiting = {task for after in left.values() for task in after}
        ready = [task for task in left if task not in waiting] or list(left)
        found += ready
        for task in ready:
            del left[task]
    return found


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)
