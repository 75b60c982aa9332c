# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Runs that want the same creatives, switched at random at every request, frozen and killed, in virtual time."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.core.record import Record
from tests.support.library import Dead, Run, Stage, StageClock, wanted, without_locks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.library import OwnMemory

SEEDS = int(os.environ.get("ADGEN_TEST_SEEDS", "12"))
DAY = 86400.0


class World:
    """
    Some runs over the same items, in one order of events.

    :param freeze: the share of requests at which a process stands still.
    :param longest: for so many seconds at most.
    :param die: the share at which it dies.
    :param revive: the share of dead processes after which Airflow starts another try.
    :param refuse: the share of submissions that the vendor refuses for now.
    :param skew: how many seconds the workers' clocks are off, at most.
    :param twins: each run has two processes: Airflow has given up the first one, which is still alive.
    """

    def __init__(
        self,
        seed: int,
        attached: Callable[[], tuple[OwnMemory, str]],
        *,
        runs: int,
        items: int,
        freeze: float = 0.0,
        longest: float = 2000.0,
        die: float = 0.0,
        revive: float = 1.0,
        refuse: float = 0.0,
        fails: float = 0.0,
        skew: float = 0.0,
        twins: bool = False,
    ) -> None:
        self.rng = random.Random(seed)
        self.fs, self.base = attached()
        self.stage = Stage(self.rng, freeze=freeze, die=die, longest=longest)
        self.items = [wanted(f"P-{number}/hero") for number in range(items)]
        self.revive, self.refuse, self.fails, self.skew = revive, refuse, fails, skew
        self.jobs: list[tuple[str, str]] = []
        self.ends: Counter[str] = Counter()
        self.fs.on = self.stage.request
        names = [f"run-{number}" for number in range(runs)]
        actors = {name: self.actor(name) for name in names}
        if twins:
            actors |= {f"{name}-again": self.actor(name) for name in names}
        self.stage.run(actors)
        self.fs.on = lambda *_: None

    def pay(self, digest: str, _run: str) -> str | None:
        self.stage.request()
        if self.rng.random() < self.refuse:
            return None
        job = f"job-{len(self.jobs)}"
        self.jobs.append((digest, job))
        self.stage.request()
        return job

    def actor(self, name: str) -> Callable[[], None]:
        clock = StageClock(self.stage, self.rng.uniform(-self.skew, self.skew))

        def live() -> None:
            todo = self.rng.sample(self.items, len(self.items))
            while todo:
                run = Run(
                    self.base, name, self.pay, clock=clock, rng=self.rng, sleep=self.stage.sleep, fails=self.fails
                )
                try:
                    while todo:
                        self.ends[run.make(todo[0])] += 1
                        todo.pop(0)
                except Dead:
                    if self.rng.random() >= self.revive:
                        self.ends["dead"] += len(todo)
                        return
                    self.stage.sleep(self.rng.uniform(0, 1500))

        return live

    def paid(self) -> Counter[str]:
        """Return how often each creative was paid for, less jobs that ended without a result."""
        failed = {job for _, job in self.jobs if random.Random(job).random() < self.fails}
        return Counter(digest for digest, job in self.jobs if job not in failed)

    def unresolved(self) -> list[Record]:
        """Return the records in which a submission is left whose outcome nobody knows."""
        records: dict[str, list[Record]] = {}
        for path, file in self.fs.store.items():
            if "/ledger/" in path:
                text = json.loads(file.getvalue())
                records.setdefault(path.rpartition("/")[0], []).append(Record.from_json(text, where=path))
        return [merged for some in records.values() if (merged := Record.merged(some)).open is not None]


@pytest.fixture(autouse=True)
def _turns(monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch)
    monkeypatch.setattr("airflow_provider_adgen.ledger.ledger._WRITE_PAUSES", ())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_where_nobody_dies_each_is_paid_once_and_nobody_stops(attached, seed) -> None:
    world = World(seed, attached, runs=12, items=2, refuse=0.2)
    assert world.paid() == {one.digest: 1 for one in world.items}
    assert world.ends == {"made": 2, "reused": 22}
    assert world.stage.time - 1_800_000_000 < 3600
    assert not [path for path in world.fs.store if "/claims/" in path]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_jobs_that_fail_are_made_again_by_anybody(attached, seed) -> None:
    world = World(seed, attached, runs=5, items=2, fails=0.4)
    assert world.paid() == {one.digest: 1 for one in world.items}
    assert world.ends == {"made": 2, "reused": 8}


@pytest.mark.parametrize("skew", [0, 900])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_frozen_processes_pay_once(attached, seed, skew) -> None:
    world = World(seed, attached, runs=5, items=2, freeze=0.05, refuse=0.2, skew=skew)
    assert max(world.paid().values()) == 1
    assert world.ends["waiting"] == 0
    if not skew:
        assert world.stage.time - 1_800_000_000 < DAY


@pytest.mark.parametrize("seed", range(SEEDS))
def test_processes_that_are_frozen_for_as_long_as_a_claim_holds_pay_once(attached, seed) -> None:
    world = World(seed, attached, runs=4, items=1, freeze=0.25, longest=1000, refuse=0.3)
    assert max(world.paid().values(), default=0) <= 1
    assert world.ends["waiting"] == 0


@pytest.mark.parametrize("seed", range(SEEDS))
def test_processes_that_die_anywhere_pay_once_and_nobody_waits_for_ever(attached, seed) -> None:
    world = World(seed, attached, runs=5, items=2, die=0.02, refuse=0.1)
    assert max(world.paid().values(), default=0) <= 1
    # With each dead process followed by another try, everything comes to an end: a result, or a person is asked.
    assert world.ends["waiting"] == world.ends["dead"] == 0
    assert bool(world.ends["unknown"]) == bool(world.unresolved())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_frozen_ones_among_the_dead_pay_once(attached, seed) -> None:
    world = World(seed, attached, runs=5, items=2, freeze=0.03, die=0.02, refuse=0.1)
    assert max(world.paid().values(), default=0) <= 1
    assert world.ends["waiting"] == 0


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_dead_that_nobody_follows_hold_up_nobody_else_beyond_the_timeout(attached, seed) -> None:
    world = World(seed, attached, runs=5, items=2, die=0.03, revive=0.3)
    assert max(world.paid().values(), default=0) <= 1
    assert world.ends.total() == 10
    assert world.stage.time - 1_800_000_000 < 3 * DAY


@pytest.mark.parametrize("seed", range(SEEDS))
def test_two_processes_of_one_run_among_others_pay_once(attached, seed) -> None:
    world = World(seed, attached, runs=3, items=2, freeze=0.03, twins=True)
    assert max(world.paid().values(), default=0) <= 1
    assert world.ends["waiting"] == 0
