# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Draws one history from a seed, and runs it: troubled tries of some batches, then calm ones until all is settled."""

from __future__ import annotations

import json
import logging
import random
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.ledger.library import Library
from tests.support.histories.batches import Batch, Wanted
from tests.support.histories.judge import Judge
from tests.support.histories.machine import Fate, Machine, build
from tests.support.histories.themes import THEMES
from tests.support.histories.vendors import DAY, FINE, WEATHERS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.library import OwnMemory

CALM_TRIES = 8

SETTLED = 4000.0
"""Seconds after which everybody knows what a dead process has not bought."""

MOST_MORE = 8


class History:
    """
    One history.

    :param seed: everything follows from it.
    :param attach: gives a storage to Airflow.
    :param patch: undoes what is put in the place of everything real.
    """

    def __init__(self, seed: int, attach: Callable[[], tuple[OwnMemory, str]], patch: pytest.MonkeyPatch) -> None:
        self.seed, self.patch = seed, patch
        rng = self.rng = random.Random(f"history {seed}")
        random.seed(rng.random())
        fs, self.base = attach()
        self.machine = Machine(rng, fs)
        theme = self.theme = rng.choice(THEMES)
        self.skew = rng.choice([0.0, 0.0, 0.0, 5.0, 60.0, 600.0])
        self.shared = rng.random() < theme.shared
        self.budgets = self._draw_budgets()
        count = 2 if rng.random() < (0.8 if self.shared else 0.3) else 1
        self.batches = [self._draw_batch(number) for number in range(count)]
        self.judge = Judge(self.machine, self.batches, skew=self.skew, shared=self.shared, budgets=self.budgets)
        self.looks = rng.random() < theme.looks
        self.twins = rng.random() < 0.12
        self.deadly = rng.choice(theme.deadly)
        self.stormy = rng.random() < 0.85
        for shop in self.machine.shops.values():
            shop.sick = theme.sick

    # --- what is drawn ------------------------------------------------------------------------------------------------

    def _draw_budgets(self) -> dict[str, dict[str, int]]:
        if self.rng.random() >= self.theme.budgets:
            return {}
        day = {"adsumo": self.rng.randint(2, 8), "sume": self.rng.randint(10, 40), "cutx": self.rng.randint(6, 120)}
        return {
            f"{name}_default": {"day": limit} | ({"month": int(limit * 1.5)} if self.rng.random() < 0.5 else {})
            for name, limit in day.items()
            if self.rng.random() < 0.7
        }

    def _draw_batch(self, number: int) -> Batch:
        rng, theme, name = self.rng, self.theme, f"batch{number}"
        prefix = "" if self.shared else f"{name}-"
        makers = rng.choice(theme.makers)
        wanted = {}
        for item in range(rng.randint(*theme.items)):
            one = random.Random(f"{self.seed} {item}") if self.shared else rng
            most = min(3, len(makers))
            wanted[f"{prefix}k{item}"] = Wanted(
                one.sample(makers, one.randint(min(2, most) if theme.several else 1, most))
            )
            if rng.random() < 0.06:
                self.machine.shops[rng.choice(sorted(self.machine.shops))].banned.add(f"{prefix}k{item}")
        fields: dict[str, Any] = {
            "deferrable": rng.random() < theme.deferrable,
            "assume_credits": 5,
            "max_in_flight": rng.choice([1, 2, 100]),
            "on_clear": rng.choice(["missing", "missing", "reattach", "fresh"]),
            "on_failed": rng.choice([None, None, "resubmit", "fail"]),
            "on_changed_input": rng.choice(["fail", "reattach", "fresh"]),
            "on_unknown_submission": "resubmit" if rng.random() < theme.resubmits else "fail",
            "on_insufficient": rng.choice(["fail", "wait"]),
            "on_item_failure": "stop" if rng.random() < 0.1 else "continue",
            "timeout": rng.choice([600.0, 7200.0]),
            "submit_timeout": rng.choice([1800.0, 86400.0]),
        }
        if self.shared:
            fields["library"] = f"{self.base}/library"
            fields["submit_timeout"] = 1800.0  # for so long one waits for another's claim, and looks every 45 s
            fields["reuse_max_age"] = rng.choice([None, None, 3000.0, 30000.0])
        if rng.random() < theme.max_credits:
            vendors = sorted({one.split()[0] for one in makers})
            fields["max_credits"] = {f"{vendor}_default": rng.randint(4, 60) for vendor in vendors}
        return Batch(self.machine, name, self.base, wanted, fields)

    def _fate(self) -> Fate:
        rng, fate = self.rng, Fate()
        if rng.random() < self.deadly:
            if rng.random() < 0.5:
                fate.dies = int(rng.expovariate(1 / 120)) + 1
            else:
                fate.dies_writing = rng.randint(1, 40)
        if rng.random() < 0.1:
            fate.seconds = rng.choice([20.0, 90.0, 700.0, 2000.0])
            if rng.random() < 0.5:
                fate.freezes = rng.randint(1, 200)
            else:
                fate.freezes_writing = rng.randint(1, 40)
        if rng.random() < 0.08:
            fate.stops = rng.randint(1, 150)
        if rng.random() < 0.05:
            fate.timed_out = rng.randint(1, 150)
        if rng.random() < 0.2:
            first = rng.randint(1, 150)
            fate.broken = (first, first + rng.choice([1, 1, 3, 20, 200]), rng.choice([0.3, 1.0]))
        if rng.random() < self.theme.deaf:
            fate.deaf = rng.choice([0.3, 1.0])
        return fate

    # --- what happens -------------------------------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Run it; return what went wrong."""
        state, disabled = random.getstate(), logging.root.manager.disable
        logging.disable(logging.CRITICAL)  # what goes wrong on purpose
        try:
            return self._run()
        finally:
            random.setstate(state)
            logging.disable(disabled)

    def _run(self) -> list[str]:
        random.seed(self.rng.random())
        self._connect()
        self.patch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"{self.base}/ledger")
        self.patch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
        if self.budgets:
            self.patch.setenv("AIRFLOW__ADGEN__BUDGETS", json.dumps(self.budgets))
        build(self.machine, self.patch)
        actors = {batch.name: lambda batch=batch: self._troubled(batch) for batch in self.batches}
        if self.twins:
            first = self.batches[0]  # Airflow has given up one of its processes, which is still alive
            first.has_twin = True
            actors["twin"] = lambda: self._troubled(first, late=True)
        self.machine.act(actors)
        self.machine.say("everything is calm")
        self._spending("allowed")
        for shop in self.machine.shops.values():
            shop.weather, shop.balance, shop.lazy, shop.sick = FINE, 1_000_000, 0.0, 1.0
        self.machine.act({batch.name: lambda batch=batch: self._calm(batch) for batch in self.batches})
        for shop in self.machine.shops.values():
            shop.settle()
        self.judge.sum_up()
        if self.budgets and not self.machine.wrong and not self.judge.wrong:
            self._buy_the_rest()
        return [*self.machine.wrong, *self.judge.wrong]

    def _connect(self) -> None:
        for shop in self.machine.shops.values():
            value: dict[str, Any] = {"conn_type": shop.name, "password": shop.key, "extra": {"timeout": 30}}
            if shop.name == "cutx":
                value["host"] = f"https://{shop.host}"
            self.patch.setenv(f"AIRFLOW_CONN_{shop.name.upper()}_DEFAULT", json.dumps(value))

    def _troubled(self, batch: Batch, *, late: bool = False) -> None:
        rng, machine, theme = self.rng, self.machine, self.theme
        machine.sleep(rng.uniform(0, 900) if late else rng.choice([0.0, rng.uniform(0, 100)]))
        for _ in range(rng.randint(1, 4)):
            if batch.number and not late:
                self._edit(batch)
            self._weather()
            self._spending("forbidden" if rng.random() < 0.06 else "allowed")
            edits = (lambda: None) if late else (lambda: self._edit(batch, theme.edits))
            self.judge.tried(batch, batch.run(self._fate, edits=edits, leaves=0.08, dead_triggers=0.05, skew=self.skew))
            machine.sleep(rng.choice([0.0, 5.0, 60.0, 400.0, 4000.0, 40000.0]))
            for shop in machine.shops.values():
                shop.settle()
            if rng.random() < 0.04:
                self.judge.delete(batch)
            if rng.random() < theme.answers:
                self.judge.answer(batch, looks=self.looks)
            if rng.random() < theme.rejects and self.shared:
                self._reject()
            if rng.random() < theme.losses and self.shared:
                self.judge.lose_a_file()
            if rng.random() < theme.clears and not late:
                batch.clear()

    def _edit(self, batch: Batch, share: float = 0.5) -> None:
        rng = self.rng
        if rng.random() >= share:
            return
        batch.listed = [key for key in batch.wanted if rng.random() < 0.85]
        rng.shuffle(batch.listed)
        for one in batch.wanted.values():
            if rng.random() < 0.08:
                one.version, one.edited = one.version + 1, self.machine.time
            if rng.random() < 0.05:
                one.choices, one.edited = one.choices[::-1], self.machine.time

    def _weather(self) -> None:
        rng, machine = self.rng, self.machine
        for shop in machine.shops.values():
            if self.stormy and rng.random() < 0.7:
                shop.weather = WEATHERS[rng.choice(self.theme.weathers)]
                shop.until = machine.time + rng.choice([60.0, 600.0, 2500.0])
            if rng.random() < 0.1:
                shop.balance = rng.randint(0, 20)
            elif rng.random() < 0.5:
                shop.balance = max(shop.balance, 1_000_000)
            if rng.random() < 0.04:
                shop.key = f"{shop.name}_key_{rng.randint(2, 99)}"
                machine.say(f"the key of {shop.name} is changed")
                self._connect()

    def _spending(self, word: str) -> None:
        """What ``[adgen] spending`` says from now on."""
        self.patch.setenv("AIRFLOW__ADGEN__SPENDING", word)
        forbidden = self.machine.time if word == "forbidden" else None
        if self.machine.forbidden_since is None or forbidden is None:
            self.machine.forbidden_since = forbidden

    def _reject(self) -> None:
        """A person rejects a creative."""
        from airflow_provider_adgen.ledger.library_objects import DIGITS

        entries = [path for path in self.machine.fs.store if "/library/entries/" in path and "-x-" not in path]
        if not entries:
            return
        path = self.rng.choice(sorted(entries))
        made = json.loads(self.machine.fs.store[path].getvalue())["generation"]
        Library(f"{self.base}/library").reject(path.rpartition("/")[2][:DIGITS], made["id"])
        self.judge.rejected.setdefault(made["id"], self.machine.time)
        self.machine.say(f"a person rejects {made['id']}")

    def _calm(self, batch: Batch) -> None:
        """Retry, answer and clear until it succeeds, or nothing changes any more."""
        seen: list[Any] = []
        for _ in range(CALM_TRIES):
            done = batch.run(Fate)
            self.judge.tried(batch, done)
            if done.end == "succeeded":
                return
            statuses = [line["status"] for line in batch.lines()]
            seen.append((done.end, statuses, len(self.judge.sold)))
            if seen[-4:].count(seen[-1]) == 4 and not {"submitted", "unknown"} & {*statuses}:
                break
            self.machine.sleep(self.rng.choice([120.0, 4000.0]))
            self.judge.answer(batch)
            if done.end == "failed for good":
                batch.clear()
        self.judge.unsettled(batch)

    def _buy_the_rest(self) -> None:
        """Somebody wants more than what is left of the budgets, and gets exactly that."""
        machine = self.machine
        machine.time += SETTLED
        if machine.time % DAY > DAY - SETTLED:
            machine.time += SETTLED
        for shop in machine.shops.values():
            shop.sick = 0.0
        wanted, expected = {}, {}
        for conn_id in self.budgets:
            vendor = conn_id.partition("_")[0]
            fewest, most = (left // min(machine.shops[vendor].prices.values()) for left in self.judge.left(conn_id))
            expected[vendor] = (min(fewest, MOST_MORE), min(most, MOST_MORE))
            wanted |= {f"more {vendor} {number}": Wanted([vendor]) for number in range(min(most + 1, MOST_MORE))}
        fields = {"deferrable": True, "assume_credits": 5, "timeout": 7200.0, "submit_timeout": 86400.0}
        more = Batch(machine, "more", self.base, wanted, fields)
        machine.act({more.name: lambda: self.judge.tried(more, more.run(Fate))})
        for vendor, (fewest, most) in expected.items():
            bought = sum(job.buyer is more for job in machine.shops[vendor].jobs.values())
            if not fewest <= bought <= most:
                machine.wrong.append(
                    f"what is left of {vendor}'s budget is {fewest} to {most} jobs, and {bought} were bought"
                )
