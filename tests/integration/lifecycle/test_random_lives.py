# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Lives of a paid generation drawn at random, each the same on every run: deaths, faults, retries and clears mixed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.record import RecordUnreadable
from airflow_provider_adgen.lifecycle import generation, submission
from tests.integration.lifecycle.conftest import Killed

if TYPE_CHECKING:
    from tests.support.rig import Rig

POINTS = ["before-post", "before-record", "after-record", "before-store", "before-done", "after-done", None, None, None]
POSTS: list[dict[str, Any] | None] = [
    None,
    None,
    {"kind": "drop"},
    {"kind": "drop", "when": "before"},
    {"kind": "status", "status": 500, "when": "after"},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 429, "retry_after": 200},
    {"kind": "status", "status": 402},
    {"kind": "truncate"},
]
READS: list[dict[str, Any] | None] = [
    None,
    None,
    {"kind": "drop", "times": 2},
    {"kind": "status", "status": 500, "times": 3},
    {"kind": "not_json"},
    {"kind": "status", "status": 429, "retry_after": 0},
]


class Life:
    """One task; its user never asks for a second generation."""

    def __init__(self, rig: Rig, chance: random.Random, patch: pytest.MonkeyPatch) -> None:
        self.rig = rig
        self.chance = chance
        self.patch = patch
        self.told: list[str] = []

    def one_try(self, *, clean: bool = False) -> dict[str, Any] | None:
        """Run one try; return what it delivered, or None where it stopped or died."""
        rig, chance = self.rig, self.chance
        rig.sandbox.clear_faults()
        point = None
        if not clean:
            point = chance.choice(POINTS)
            for method, faults in (("POST", POSTS), ("GET", READS)):
                fault = chance.choice(faults)
                if fault is not None:
                    given = dict(fault)
                    rig.sandbox.fault(given.pop("kind"), "adsumo", method=method, **given)

        def failpoint(here: str) -> None:
            if here == point:
                raise Killed(here)

        self.patch.setattr(submission, "failpoint", failpoint)
        self.patch.setattr(generation, "failpoint", failpoint)
        operator = rig.operator(
            deferrable=chance.random() < 0.4, destination=rig.destination, on_clear="reattach", poll_interval=0.05
        )
        try:
            result: dict[str, Any] = rig.run(operator)
        except Killed:
            self.told.append("killed")
        except (AirflowFailException, AdGenError) as error:
            assert not isinstance(error, RecordUnreadable)
            self.told.append(str(error))
        else:
            assert result["status"] == "completed"
            return result
        return None


@pytest.mark.parametrize("keyed", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("records", ["state", "objects", "none"])
@pytest.mark.parametrize("seed", range(12))
def test_a_life_pays_once_or_says_so(
    make_rig: Callable[..., Rig],
    promising: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    keyed: bool,
    records: str,
    seed: int,
) -> None:
    if not keyed:
        promising()
    rig = make_rig(records=records)
    rig.connect(timeout=0.5)
    life = Life(rig, random.Random(f"{keyed} {records} {seed}"), monkeypatch)
    for _ in range(5):
        life.one_try()
        rig.clock.move(life.chance.choice([0, 0, 30, 4000]))
        if records != "none" and life.chance.random() < 0.3:
            rig.clear()
        else:
            rig.retry()
    assert len(rig.charges) <= 1
    results = []
    for _ in range(3):
        results.append(life.one_try(clean=True))
        rig.retry()
    assert len(rig.charges) <= 1
    if results[-1] is None:
        assert not keyed, life.told
        assert "Nobody knows" in life.told[-1] or "was not submitted to Adsumo" in life.told[-1]
    else:
        assert results[0] == results[-1]
        assert results[-1]["id"] == rig.charges[0]["job_id"]


@pytest.mark.parametrize("seed", range(12))
def test_with_keys_every_life_ends_with_its_one_result(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rig = make_rig(records="both")
    rig.connect(timeout=0.5)
    life = Life(rig, random.Random(f"delivery {seed}"), monkeypatch)
    for _ in range(8):
        life.one_try()
        rig.retry()
    result = life.one_try(clean=True)
    assert result is not None and result["creatives"][0]["sha256"]
    assert len(rig.charges) == 1
