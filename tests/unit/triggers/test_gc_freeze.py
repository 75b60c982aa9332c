# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""When a triggerer's process has what it holds taken out of full garbage collections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs import triggerer_job_runner

from airflow_provider_adgen.triggers.gc_freeze import freeze_gc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator


class TriggerRunner:
    """Watches the event loop under the name under which Airflow's triggerer does."""

    async def block_watchdog(self) -> None:
        await asyncio.sleep(60)


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


@contextlib.asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in work]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_it_is_the_name_under_which_airflow_watches_the_loop() -> None:
    theirs, ours = triggerer_job_runner.TriggerRunner.block_watchdog, TriggerRunner.block_watchdog
    assert theirs.__qualname__ == ours.__qualname__


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__FREEZE_HEAP", "True")


async def test_it_is_off_by_default() -> None:
    async with running(TriggerRunner().block_watchdog()):
        freeze_gc()
        assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("wanted")
async def test_a_triggerer_freezes_what_it_holds_once() -> None:
    async with running(TriggerRunner().block_watchdog()):
        freeze_gc()
        held = gc.get_freeze_count()
        assert held > 50_000
        more = [[number] for number in range(10_000)]
        freeze_gc()
        assert gc.get_freeze_count() <= held and len(more) == 10_000


@pytest.mark.usefixtures("wanted")
async def test_nothing_is_frozen_elsewhere() -> None:
    freeze_gc()
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("wanted")
async def test_nothing_is_frozen_where_many_triggers_run() -> None:
    async with running(TriggerRunner().block_watchdog(), *(asyncio.sleep(60) for _ in range(20))):
        freeze_gc()
        assert gc.get_freeze_count() == 0
