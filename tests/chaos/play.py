# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Plays rows of deaths on one Airflow and one sandbox, many cells side by side, and takes down what became of each."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_adgen.sandbox.cutx.products import fixtures
from tests.chaos.accountant import Outcome, judged
from tests.chaos.cells import VENDORS
from tools.airflow_api import ApiFailed, Run
from tools.airflow_stack import AirflowStack
from tools.processes import Programs
from tools.sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.chaos.cells import Row, Script

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
ENDED = ("success", "failed")

# Short, and long enough to be met while under way. CutX's key protects a job that still runs: its videos take longer.
JOB_SECONDS = {"adsumo": 6, "cutx": 16, "sume": 6, "cinematicads": 6}

SIDE_BY_SIDE = 4
"""Rows that are played at a time: SQLite does not take more, and the tasks of four keep two cores busy."""

RECORDED_AFTER = 3.0
"""Seconds after which the id of an accepted job is certainly recorded: it is written when the answer arrives."""


@dataclass
class Cell:
    """
    One task: a row, a vendor, a way of waiting.

    :param stage: where it plays.
    :param row: how it dies.
    :param task: its task id.
    """

    stage: Stage
    row: Row
    task: str
    run: Run | None = None
    state: str = ""
    tried: int = 0
    triggerer: int | None = None
    results: list[str] = field(default_factory=list)
    waits: bool = False
    told: bool = False
    outcome: Outcome | None = None
    script: Script | None = None

    @property
    def vendor(self) -> str:
        """The vendor."""
        return self.task.rpartition("_")[0]

    @property
    def way(self) -> str:
        """How it waits."""
        return self.task.rpartition("_")[2]

    @property
    def account(self) -> str:
        """Its account at the vendor, which no other cell has; also its connection."""
        return f"{self.row.name}_{self.task}"

    def __str__(self) -> str:
        return f"{self.row.name}-{self.task}"

    # --- what is known of it ------------------------------------------------------------------------------------------

    def charges(self) -> list[dict[str, Any]]:
        """Return what was charged."""
        return [one for one in self.stage.ledger[self.account] if one["kind"] == "charge"]

    def refunds(self) -> list[dict[str, Any]]:
        """Return what was given back."""
        return [one for one in self.stage.ledger[self.account] if one["kind"] == "refund"]

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs of its account, the oldest first."""
        return self.stage.jobs[self.account]

    @property
    def running(self) -> Run:
        """Its run."""
        assert self.run is not None
        return self.run

    # --- what a script does -------------------------------------------------------------------------------------------

    def hold(self) -> Script:
        """Wait for the job and let it take until it is released."""
        while not self.jobs():
            yield
        self.end_job("processing")

    def release(self) -> None:
        """Let the held job complete."""
        self.end_job("completed")

    def end_job(self, status: str) -> None:
        """Decide the end of the latest job."""
        self.stage.sandbox.set_job(self.jobs()[-1]["id"], status)

    def until(self, state: str, *, recorded: bool = False) -> Script:
        """Wait for a state; with *recorded*, until the job's id is in the record."""
        while self.state != state or (recorded and time.time() - self.jobs()[-1]["created"] < RECORDED_AFTER):
            yield

    def until_next_try(self, state: str) -> Script:
        """Wait until a try after the present one is in that state."""
        tried = self.tried
        while self.tried <= tried or self.state != state:
            yield

    def clear(self) -> None:
        """Clear the task as a user does."""
        again(lambda: self.running.clear(self.task))
        self.state = "cleared"

    def note_result(self) -> None:
        """Take down what the task returned."""
        self.results.append(self.returned()["id"])

    def returned(self) -> dict[str, Any]:
        """Return the task's result."""
        value = self.running.xcom(self.task)
        found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
        return found


def again(act: Callable[[], T]) -> T:
    """Do what a person would do again: SQLite refuses a request while something else writes, and nothing was done."""
    for _attempt in range(20):
        try:
            return act()
        except ApiFailed as error:
            if error.status != 500:
                raise
            time.sleep(0.3)
    return act()


class Stage:
    """
    One Airflow and one sandbox for all rows.

    :param work: a directory.
    :param rows: what will be played: each task's account and connection are made before Airflow starts.
    :param template: where to keep a migrated database.
    :param only: vendors to play.
    """

    def __init__(self, work: Path, rows: Sequence[Row], *, template: Path, only: Sequence[str] = VENDORS) -> None:
        self.work = work
        self.rows = list(rows)
        self.failpoints = work / "failpoints"
        self.ledger: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.cells = {
            row.name: [Cell(self, row, task) for task in row.tasks if task.rpartition("_")[0] in only] for row in rows
        }
        self._vendors = tuple(only)
        self._template = template
        self._open = contextlib.ExitStack()
        self._started = time.monotonic()
        self.seconds = 0.0
        self.orphans: list[int] = []

    def __enter__(self) -> Self:
        self.failpoints.mkdir(parents=True)
        programs = self._open.enter_context(Programs(self.work / "sandbox"))
        self.sandbox = SandboxProcess(programs, self.work, [])
        self.sandbox.settings({vendor: {"job_seconds": seconds} for vendor, seconds in JOB_SECONDS.items()})
        try:
            self.stack = self._open.enter_context(
                AirflowStack(
                    self.work / "airflow",
                    dags=[HERE / "dags"],
                    connections=self._accounts(),
                    env={
                        "ADGEN_FAILPOINTS": str(self.failpoints),
                        "ADGEN_CHAOS_VENDORS": ",".join(self._vendors),
                        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
                    },
                    parallelism=8,
                    template=self._template,
                )
            )
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.orphans = self._orphans()
        self._open.close()
        self.seconds = self.elapsed()
        self.orphans += left_behind(self.failpoints)

    def _accounts(self) -> dict[str, dict[str, Any]]:
        made = {}
        for cell in self.all_cells():
            key = self.sandbox.add_account(cell.vendor, cell.account)
            made[cell.account] = {
                **self.sandbox.connection(cell.vendor, timeout=cell.row.post_timeout),
                "password": key,
            }
        return made

    def all_cells(self) -> list[Cell]:
        """Return every cell, in the order of rows, vendors and ways."""
        return [cell for cells in self.cells.values() for cell in cells]

    # --- playing ------------------------------------------------------------------------------------------------------

    def play(self, *, most: float) -> None:
        """
        Play all rows: first those in which tasks die, some side by side; then, one by one, those in which Airflow does.

        :param most: seconds after which a row is given up; what is not over then is an outcome, too.
        """
        waiting = [row for row in self.rows if row.act is None]
        hard = [row for row in self.rows if row.act is not None]
        under_way: dict[str, float] = {}
        while waiting or hard or under_way:
            while waiting and len(under_way) < SIDE_BY_SIDE:
                under_way[waiting[0].name] = time.monotonic()
                self._begin(waiting.pop(0))
            if not under_way:
                under_way[hard[0].name] = time.monotonic()
                self._begin(hard.pop(0))
            self.stack.programs.check()
            self.look()
            for name, began in list(under_way.items()):
                if self._over(self.cells[name], gave_up=time.monotonic() - began > most):
                    del under_way[name]
                    print(f"[{self.elapsed():5.0f} s] {name}", file=sys.stderr, flush=True)
            time.sleep(0.5)

    def elapsed(self) -> float:
        """Return the seconds since this stage was set up."""
        return time.monotonic() - self._started

    def _over(self, cells: list[Cell], *, gave_up: bool) -> bool:
        for cell in cells:
            self._step(cell)
            if cell.outcome is None and gave_up:
                cell.outcome = judged(cell, gave_up=True)
        self._hit(cells)
        return all(cell.outcome is not None for cell in cells)

    def _begin(self, row: Row) -> None:
        for cell in self.cells[row.name]:
            if row.failpoint is not None:
                point, later = row.failpoint
                (self.failpoints / f"{point}@{row.name}@{cell.task}").write_text(str(later) if later else "")
            if row.fault is not None:
                self.sandbox.fault(vendor=cell.vendor, account=cell.account, method="POST", **row.fault)
            cell.script = row.play(cell) if row.play is not None else None
        products = {}
        for cell in self.cells[row.name]:
            if cell.vendor == "cutx":
                products[cell.task] = [name for _kind, name, _value in fixtures(cell.account)]
        conf = {"cutx": products, "destination": f"file://{self.work}/results"}
        run = again(lambda: self.stack.trigger_dag(row.dag, conf, run_id=row.name))
        for cell in self.cells[row.name]:
            cell.run = run

    def _step(self, cell: Cell) -> None:
        if cell.outcome is not None:
            return
        if cell.script is not None:
            try:
                next(cell.script)
            except StopIteration:
                cell.script = None
        elif cell.state in ENDED:
            cell.outcome = judged(cell)

    def _hit(self, cells: list[Cell]) -> None:
        row = cells[0].row
        if row.act is None or cells[0].told or not all(cell.waits for cell in cells):
            return
        row.act(self, cells)
        for cell in cells:
            cell.told = True

    def look(self) -> None:
        """Look at all task instances, the ledger and the jobs once."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.stack.api("GET", "dags/~/dagRuns/~/taskInstances", limit=100, offset=len(found))
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                break
        cells = {(cell.row.name, cell.task): cell for cell in self.all_cells()}
        for ti in found:
            cell = cells.get((ti["dag_run_id"], ti["task_id"]))
            if cell is not None:
                cell.state, cell.tried = str(ti["state"]), int(ti["try_number"])
                cell.triggerer = (ti.get("triggerer_job") or {}).get("id")
        self.ledger, self.jobs = defaultdict(list), defaultdict(list)
        for entry in self.sandbox.ledger():
            self.ledger[entry["account"]].append(entry)
        for job in self.sandbox.jobs():
            self.jobs[job["account"]].append(job)

    # --- what is done to Airflow --------------------------------------------------------------------------------------

    def kill(self, component: str) -> None:
        """SIGKILL all processes of a component."""
        self.stack.kill(component, whole=True)

    def restart(self, component: str, *, grace: float) -> None:
        """End a component and start it again."""
        self.stack.restart(component, grace=grace)

    def take_over(self, cells: list[Cell]) -> None:
        """Stop the triggerer, start a second one, and let the first go on when all waiting was handed over."""
        first = {cell.triggerer for cell in cells}
        self.stack.kill("triggerer", signal.SIGSTOP, whole=True)
        self.stack.launch("triggerer", name="triggerer-2")
        deadline = time.monotonic() + 120
        while any(cell.triggerer is None or cell.triggerer in first for cell in cells):
            assert time.monotonic() < deadline, "the second triggerer took nothing over"
            time.sleep(0.5)
            self.look()
        self.stack.kill("triggerer", signal.SIGCONT, whole=True)

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def _orphans(self) -> list[int]:
        # Processes that execute tasks although no task is under way.
        deadline = time.monotonic() + 30
        while (left := self.stack.task_processes()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return left

    def log(self, cell: Cell) -> str:
        """Return the log of a task's last try."""
        with contextlib.suppress(ApiFailed):
            return cell.running.log(cell.task, cell.tried)
        return ""


def left_behind(failpoints: Path) -> list[int]:
    """Return the processes of an Airflow that was ended, found by the directory that it was told of."""
    found = []
    for pid in {int(path.name) for path in Path("/proc").glob("[0-9]*")}:
        with contextlib.suppress(OSError):
            if str(failpoints).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return found
