# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
200 mapped tasks and four batches in other DAGs race for a budget of 600 credits, in a whole Airflow.

Written down beforehand, judged by the sandbox's own ledger:

- At equal prices they buy exactly what 600 credits buy. The account has exactly 600, and the vendor refuses nothing.
- At mixed prices, and when a fifth of the processes are killed between their reservation and its settlement, it is
  never a credit more. Whatever is paid for is some task's result. What the dead had reserved is spent by others later:
  in the end 600 credits are spent.
- Across midnight UTC each day has its own 600.
- Who bought nothing was refused by the budget, and by nothing else.
- ``airflow adgen report`` says what the sandbox's ledger says, by connection and by DAG.

Our processes' clock is moved (``moved_clock/sitecustomize.py``), the sandbox's with it; Airflow's own is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import read_results
from airflow_provider_adgen.core.decisions.budgets import VOID_AFTER
from tools.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_stack import AirflowStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

HERE = Path(__file__).parent
BUDGET = 600
ACCOUNTS = {"even": BUDGET, "dying": BUDGET, "midnight": 2 * BUDGET}
"""The credits of each race's account: one more than the budget allows, and the vendor would refuse it (402)."""

KINDS = ("batch0", "batch1", "batch2", "batch3", "tasks")
TASKS = int(os.environ.get("ADGEN_RACE_TASKS", "200"))
PRICE = 8
"""What each purchase costs in the races at equal prices."""

MOST = 1500
"""Seconds: the longest that a race is waited for."""


class MovedClock:
    """The clock of all processes of the stack, and the sandbox's; it only goes forward."""

    def __init__(self, path: Path, sandbox: SandboxProcess) -> None:
        self.path = path
        self._sandbox = sandbox
        self._ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead)

    def forward(self, seconds: float) -> None:
        self._ahead += seconds
        unfinished = self.path.with_suffix(".new")
        unfinished.write_text(str(self._ahead))
        unfinished.replace(self.path)
        self._sandbox.advance(seconds)

    def go_to(self, moment: datetime) -> None:
        self.forward((moment - self.now()).total_seconds())


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    return ["--speed", "8"]


@pytest.fixture(scope="module")
def clock(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> MovedClock:
    """A clock that says noon, so that no race meets a midnight by chance."""
    moved = MovedClock(tmp_path_factory.mktemp("clock") / "ahead", sandbox)
    moved.go_to((moved.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0))
    return moved


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a process leaves a sign before it dies."""
    return tmp_path_factory.mktemp("deaths")


@pytest.fixture(scope="module")
def stack_options(
    sandbox: SandboxProcess, clock: MovedClock, deaths: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    budgets = {f"race_{race}": {"day": BUDGET, "month": 8000} for race in ACCOUNTS}
    path = [str(HERE / "moved_clock"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "dags": [HERE / "dags"],
        "parallelism": 8,
        "connections": {
            f"race_{race}": {
                **sandbox.connection("adsumo", timeout=10),
                "password": sandbox.add_account("adsumo", race, credits=balance),
            }
            for race, balance in ACCOUNTS.items()
        },
        "env": {
            "PYTHONPATH": os.pathsep.join(path),
            # On a busy machine Airflow takes for dead what is only slow, which would use up retries.
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "300",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
            "ADGEN_MOVED_CLOCK": str(clock.path),
            "ADGEN_RACE_DEATHS": str(deaths),
            "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}",
            "AIRFLOW__ADGEN__BUDGETS": json.dumps(budgets),
        },
    }


@dataclass
class Told:
    """What a race's tasks said: the jobs that they returned, and who was refused."""

    jobs: Counter[str]
    refused: int


class Race:
    """
    One race.

    :param name: which.
    :param place: where its batches store what they make.
    """

    def __init__(self, stack: AirflowStack, sandbox: SandboxProcess, name: str, place: Path) -> None:
        self.stack, self.sandbox, self.name = stack, sandbox, name
        self._place = f"file://{place}"
        dags = [f"adgen_race_{name}_{kind}" for kind in KINDS]
        for dag in dags:
            stack.airflow.wait_for_dag(dag)
        self._first = max((one["seq"] for one in sandbox.requests()), default=0)
        # The batches first: Airflow would start them after all the mapped tasks.
        self.runs = [stack.trigger_dag(dag, {"place": self._place}) for dag in dags]

    def charges(self) -> list[dict[str, Any]]:
        return self.sandbox.ledger("adsumo", kind="charge", account=self.name)

    def sold(self) -> int:
        return sum(one["credits"] for one in self.charges())

    def finish(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until all is over."""

        def left() -> list[str]:
            meanwhile()
            return [run.dag_id for run in self.runs if run.state() not in {"success", "failed"}]

        self.stack.airflow.wait_for("the race's end", left, lambda left: not left, timeout=MOST, every=1)

    def told(self) -> Told:
        """Return what all tasks said; whoever bought nothing must have been refused by the budget."""
        told = Told(Counter(), 0)
        for run in self.runs[:-1]:
            lines = list(read_results(run.xcom("buy", "results")))
            assert {one["status"] for one in lines} <= {"completed", "waiting"}, run.log("buy")
            told.jobs.update(one["generation"]["id"] for one in lines if one["status"] == "completed")
            waiting = [one for one in lines if one["status"] == "waiting"]
            assert all("not fit into the budget" in one["reason"] for one in waiting), waiting
            assert run.state() == ("failed" if waiting else "success")
            told.refused += len(waiting)
        tasks = self.runs[-1]
        for ti in tasks.tasks("buy"):
            number = ti["map_index"]
            if ti["state"] == "success":
                told.jobs[tasks.xcom("buy", "id", map_index=number)] += 1
                continue
            log = tasks.log("buy", ti["try_number"], number)
            assert ti["state"] == "failed" and "not fit into the budget" in log, log
            told.refused += 1
        return told

    def judge(self) -> Told:
        """Judge what is true of every race; return what the tasks said."""
        charges, told = self.charges(), self.told()
        assert told.jobs == Counter(one["job_id"] for one in charges), "each is paid for once, and is a result"
        answers = self.answers()
        assert set(answers) == {200}, f"the vendor refuses nothing, a 402 least of all: {answers}"
        check_report(self.stack, self.sandbox)
        print({"race": self.name, "sold": self.sold(), "purchases": len(charges), "refused": told.refused})
        return told

    def answers(self) -> Counter[int]:
        """Return what the vendor answered to submissions."""
        found = self.sandbox.requests("adsumo", method="POST", since=self._first)
        return Counter(one["status"] for one in found)

    def last_bids(self, place: Path) -> dict[str, int]:
        """Bid for all that is left, and for three credits more; return what became of the items."""
        conf = {"place": f"file://{place}", "race": self.name, "count": BUDGET - self.sold() + 3}
        run = self.stack.trigger_dag("adgen_race_last_bids", conf)
        assert run.wait(timeout=MOST) == "failed"
        return Counter(one["status"] for one in read_results(run.xcom("buy", "results")))


def report(stack: AirflowStack, by: str) -> list[dict[str, Any]]:
    command = [str(stack.python), "-m", "airflow_provider_adgen", "report", "-o", "json", "--by", by]
    done = subprocess.run(command, env=stack.env, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def check_report(stack: AirflowStack, sandbox: SandboxProcess) -> None:
    """Compare the report with the sandbox's ledger, of all races until now."""
    by_account = {
        f"race_{one['account']}": (one["charges"], one["charged"], one["refunded"])
        for one in sandbox.ledger_sums("adsumo")
    }
    rows = report(stack, "conn")
    assert {one["conn_id"]: (one["purchases"], one["charged"], one["refunded"]) for one in rows} == by_account
    assert [(one["unknown"], one["unpriced"]) for one in rows] == [(0, 0)] * len(rows)
    dags = {one["id"]: one["request"]["prompt"].split()[0] for one in sandbox.jobs("adsumo")}
    by_dag: Counter[str] = Counter()
    for charge in sandbox.ledger("adsumo", kind="charge"):
        by_dag[dags[charge["job_id"]]] += charge["credits"]
    assert {one["dag"]: one["charged"] for one in report(stack, "dag")} == by_dag


def test_at_equal_prices_they_buy_exactly_what_it_buys(
    stack: AirflowStack, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    race = Race(stack, sandbox, "even", tmp_path)
    race.finish()
    told = race.judge()
    assert race.sold() == BUDGET
    assert len(race.charges()) == BUDGET // PRICE
    assert told.refused == TASKS + 4 * 15 - BUDGET // PRICE
    assert sandbox.balance("adsumo", "even") == 0


def test_at_mixed_prices_where_a_fifth_of_the_processes_is_killed_it_is_never_more(
    stack: AirflowStack, sandbox: SandboxProcess, clock: MovedClock, deaths: Path, tmp_path: Path
) -> None:
    race = Race(stack, sandbox, "dying", tmp_path / "race")
    moved = time.monotonic()

    def pass_time() -> None:
        # What the dead hold is void after a while, which passes more quickly here.
        nonlocal moved
        assert race.sold() <= BUDGET
        if time.monotonic() - moved > 20:
            clock.forward(VOID_AFTER + 1)
            moved = time.monotonic()

    race.finish(pass_time)
    race.judge()
    assert race.sold() <= BUDGET
    died = [one.name.split("@") for one in deaths.iterdir()]
    print("killed:", Counter(place for place, _, _ in died), "batches:", sum(kind != "tasks" for _, kind, _ in died))
    assert {kind for _, kind, _ in died} == set(KINDS), "each batch was killed"
    places = {place for place, kind, _ in died if kind == "tasks"}
    assert len(places) == 6, f"mapped tasks were killed at every place: {places}"

    clock.forward(VOID_AFTER + 1)
    left = BUDGET - race.sold()
    assert race.last_bids(tmp_path / "last") == Counter({"completed": left, "waiting": 3})
    assert race.sold() == BUDGET, "what the dead had reserved is not lost"
    assert sandbox.balance("adsumo", "dying") == 0
    assert 402 not in race.answers()
    check_report(stack, sandbox)


def test_across_midnight_each_day_has_its_own_budget(
    stack: AirflowStack, sandbox: SandboxProcess, clock: MovedClock, tmp_path: Path
) -> None:
    midnight = (clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    clock.go_to(midnight - timedelta(minutes=20))
    race = Race(stack, sandbox, "midnight", tmp_path)
    stack.airflow.wait_for("a third of the day's sales", race.sold, lambda sold: sold >= BUDGET // 3, timeout=MOST)
    clock.go_to(midnight - timedelta(seconds=3))
    race.finish()
    race.judge()

    days = {one["day"]: one["charged"] for one in report(stack, "day") if one["conn_id"] == "race_midnight"}
    eve, day = (f"{one:%Y-%m-%d}" for one in (midnight - timedelta(days=1), midnight))
    print(days)
    assert set(days) == {eve, day}
    assert BUDGET // 3 <= days[eve] < BUDGET, "midnight came in the middle of the race"
    assert days[day] == BUDGET, "more was wanted than the second day's budget buys"
    # The vendor's day is that of the charge, ours that of the intent, which is written before it.
    charged = sum(one["credits"] for one in sandbox.ledger("adsumo", kind="charge", account="midnight", day=day))
    late = sum(one["credits"] for one in race.charges() if 0 <= _after(one, midnight) < 10)
    assert days[day] <= charged <= days[day] + late


def _after(charge: dict[str, Any], moment: datetime) -> float:
    return (datetime.fromisoformat(charge["time"]) - moment).total_seconds()
