# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Lives of a batch drawn at random, each the same on every run: deaths, faults, retries, clears, and lists that change.

Written down beforehand: no item is paid twice, unless its job failed; the task succeeds only where every item in its
list has a result and nothing that was paid for is under way; what was paid for is stored in the end, or is named as
unknown.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.lifecycle.batch import leg
from tests.support.batch import item
from tests.support.batch_death import POINTS, Dead, Death

if TYPE_CHECKING:
    from tests.support.batch import BatchRig

SEEDS = range(*[int(one) for one in os.environ.get("ADGEN_BATCH_SEEDS", "0:4").split(":")])

POSTS: list[dict[str, Any] | None] = [
    None,
    None,
    {"kind": "drop"},
    {"kind": "drop", "when": "before"},
    {"kind": "status", "status": 500, "when": "after"},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 429, "retry_after": 200},
    {"kind": "status", "status": 400, "message": "This is not allowed"},
    {"kind": "status", "status": 402},
    {"kind": "truncate"},
]
READS: list[dict[str, Any] | None] = [
    None,
    None,
    {"kind": "drop"},
    {"kind": "status", "status": 500},
    {"kind": "not_json"},
    {"kind": "status", "status": 429, "retry_after": 0},
]
KEYS = [f"k{number}" for number in range(6)]


class Life:
    """One batch at a vendor, whose user never asks for a second generation of an item."""

    def __init__(self, batch: BatchRig, vendor: str, chance: random.Random) -> None:
        self.batch, self.vendor, self.chance = batch, vendor, chance
        self.told: list[str] = []

    def one_try(self, keys: list[str], *, clean: bool = False) -> bool:
        """Run one try; return whether it succeeded."""
        batch, chance = self.batch, self.chance
        batch.sandbox.clear_faults()
        point = None
        if not clean:
            point = chance.choice([*POINTS, None, None, None])
            for method, faults in (("POST", POSTS), ("GET", READS)):
                if (fault := chance.choice(faults)) is not None:
                    rules = dict(fault)
                    kind, times, skip = rules.pop("kind"), chance.randint(1, 4), chance.randint(0, 3)
                    batch.sandbox.fault(kind, self.vendor, method=method, times=times, skip=skip, **rules)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(leg, "LINGER", 0.5)
            patch.setattr(base, "_budgets", {})  # a process of its own: it has not heard what was refused before
            death = Death(patch, point or "", chance.randint(1, 4))
            death.operator = batch.batch(
                [item(key, self.vendor) for key in keys],
                deferrable=True,  # on a worker a pause would pass in real time
                max_in_flight=chance.choice([1, 3, 100]),
                on_clear=chance.choice(["missing", "reattach"]),
            )
            try:
                batch.run(death.operator)
            except Dead:
                self.told.append(f"died at {point}")
                return False
            except (AirflowFailException, AdGenError) as error:
                self.told.append(str(error))
                return False
        self.told.append("succeeded")
        return True

    def paid(self) -> Counter[str]:
        """Return how often each item was paid for."""
        said = {job["id"]: str(job["request"]) for job in self.batch.sandbox.jobs(self.vendor)}
        texts = [said[one["job_id"]] for one in self.batch.charges]
        return Counter(next(key for key in KEYS if f"A red bottle {key}'" in text) for text in texts)

    def stored(self) -> set[str]:
        return {name.split("-")[0] for name in self.batch.files()}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("vendor", ["adsumo", "sume"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_pays_once_for_each_item_or_says_so(batch: BatchRig, vendor: str, seed: int) -> None:
    life = Life(batch, vendor, random.Random(f"{vendor} {seed}"))
    chance = life.chance
    for _ in range(4):
        keys = [key for key in KEYS if chance.random() < 0.8]
        chance.shuffle(keys)
        if life.one_try(keys):
            assert set(keys) <= life.stored(), life.told
            assert set(life.paid()) <= life.stored(), life.told
        batch.clock.move(chance.choice([0, 0, 30, 4000]))
        (batch.clear if chance.random() < 0.3 else batch.retry)()
        assert max(life.paid().values(), default=0) <= 1, life.told
    ended = []
    for _ in range(3):
        ended.append(life.one_try(KEYS, clean=True))
        batch.retry()
        batch.clock.move(120)
    paid = life.paid()
    assert max(paid.values()) == 1, life.told
    unknown = {key for key, status in batch.statuses().items() if status == "unknown"}
    assert set(KEYS) == life.stored() | unknown, life.told
    assert ended[-1] == (not unknown), life.told
