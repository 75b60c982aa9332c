# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Twelve runs that want the same thirty creatives at once: each creative is paid for once."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.core.clock import SYSTEM
from tests.support.library import Run, wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.library import OwnMemory

ITEMS = [wanted(f"P-{number}/hero") for number in range(30)]
RUNS = 12
SCALE = 0.002
"""Seconds that a second lasts."""


def live(base: str, name: str, pay: Callable[[str, str], str]) -> Counter[str]:
    rng = random.Random(name)
    run = Run(base, name, pay, clock=SYSTEM, rng=rng, sleep=lambda seconds: time.sleep(seconds * SCALE))
    mine = list(ITEMS)
    rng.shuffle(mine)
    return Counter(run.make(one) for one in mine)


def test_threads_over_a_slow_object_store(attached: Callable[[], tuple[OwnMemory, str]]) -> None:
    fs, base = attached()
    rng = random.Random(1)
    fs.on = lambda _operation, _path: time.sleep(rng.uniform(0, 0.001))
    paid: list[str] = []

    def pay(digest: str, _run: str) -> str:
        paid.append(digest)
        return uuid.uuid4().hex

    ends: list[Counter[str]] = []
    threads = [threading.Thread(target=lambda n=n: ends.append(live(base, f"run-{n}", pay))) for n in range(RUNS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert sum(ends, Counter()) == {"made": len(ITEMS), "reused": (RUNS - 1) * len(ITEMS)}
    assert Counter(paid) == dict.fromkeys((one.digest for one in ITEMS), 1)
    assert not [path for path in fs.store if "/claims/" in path]


def live_in_process(folder: Path, number: int) -> None:
    def pay(digest: str, run: str) -> str:
        job = uuid.uuid4().hex
        (folder / "charges" / f"{digest}-{job}").write_text(run)
        return job

    ends = live(f"file://{folder}", f"run-{number}", pay)
    (folder / "ends" / str(number)).write_text(f"{ends['made']} {ends['reused']} {ends.total()}")


@pytest.mark.slow
def test_processes_over_a_local_folder(tmp_path: Path) -> None:
    for name in ("charges", "ends"):
        (tmp_path / name).mkdir()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=live_in_process, args=(tmp_path, number)) for number in range(RUNS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert [process.exitcode for process in processes] == [0] * RUNS
    charges = Counter(path.name.partition("-")[0] for path in (tmp_path / "charges").iterdir())
    assert charges == dict.fromkeys((one.digest for one in ITEMS), 1)
    ends = [tuple(map(int, path.read_text().split())) for path in (tmp_path / "ends").iterdir()]
    assert [sum(column) for column in zip(*ends, strict=True)] == [30, 330, 360]
    assert not list((tmp_path / "library" / "claims").rglob("*.json"))
