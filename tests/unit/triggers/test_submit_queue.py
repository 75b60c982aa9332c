# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Who goes first when a window opens, and how many at once."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.triggers import submit_queue
from airflow_provider_adgen.triggers.submit_queue import SubmitQueue, SubmitQueueTrigger

if TYPE_CHECKING:
    import pytest


class Door:
    """A vendor that takes so many in each window, and whoever it refuses queues up again."""

    def __init__(self, limit: int, window: float) -> None:
        self.queue = SubmitQueue()
        self.limit, self.window = limit, window
        self.opened, self.taken = time.time(), limit
        self.entered: list[str] = []
        self.refused = 0

    async def enter(self, name: str, since: float) -> None:
        while True:
            now = time.time()
            if now >= self.opened + self.window:
                self.opened, self.taken = now, 0
            if self.taken < self.limit:
                self.taken += 1
                self.entered.append(name)
                return
            self.refused += 1
            await self.queue.turn(name, moment=self.opened + self.window, since=since)
            await asyncio.sleep(0.005)


async def test_each_window_is_filled_and_few_are_refused_again() -> None:
    door = Door(5, 0.8)
    await asyncio.wait_for(asyncio.gather(*(door.enter(f"t{number}", number) for number in range(20))), 20)
    assert len(door.entered) == 20
    assert door.refused - 20 <= 9, "each learns it once; then the first window's overshoot, and one in each other"


async def test_who_began_first_goes_first() -> None:
    queue, order, opens = SubmitQueue(), [], time.time() + 0.1

    async def wait(number: int) -> None:
        await queue.turn(f"t{number}", moment=opens, since=100.0 - number)
        order.append(number)

    await asyncio.wait_for(asyncio.gather(*(wait(number) for number in range(8))), 10)
    assert order == list(reversed(range(8)))


async def test_nobody_goes_before_the_moment_it_was_told() -> None:
    queue, started = SubmitQueue(), time.time()

    async def wait(number: int) -> float:
        await queue.turn(f"t{number}", moment=started + 0.1 * number, since=0.0)
        return time.time() - started

    waited = await asyncio.gather(*(wait(number) for number in range(1, 6)))
    assert all(took >= 0.1 * number - 0.01 for number, took in enumerate(waited, start=1))


async def test_newcomers_do_not_keep_back_those_who_wait() -> None:
    queue, started = SubmitQueue(), time.time()
    first = asyncio.create_task(queue.turn("first", moment=started + 0.3, since=0.0))
    others = []
    for number in range(10):
        await asyncio.sleep(0.05)
        others.append(asyncio.create_task(queue.turn(f"n{number}", moment=time.time() + 60, since=1.0)))
    await asyncio.wait_for(first, 1)
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    assert queue._waiting == []


async def test_a_defect_lets_everybody_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: SubmitQueue) -> Any:
        raise RuntimeError("a defect")

    monkeypatch.setattr(SubmitQueue, "_due", broken)
    queue, opens = SubmitQueue(), time.time() + 0.05
    await asyncio.wait_for(asyncio.gather(*(queue.turn(f"t{n}", moment=opens, since=0.0) for n in range(3))), 5)


async def test_the_trigger_gives_up_at_its_deadline_and_after_a_restart_goes_on() -> None:
    now = time.time()
    given = {"conn_id": "c", "name": "t", "moment": now + 60, "since": now, "until": now + 0.1, "first_fire_delay": 0.0}
    path, kwargs = SubmitQueueTrigger(**given).serialize()
    assert path == f"{submit_queue.__name__}.SubmitQueueTrigger" and json.loads(json.dumps(kwargs)) == given
    assert [event.payload async for event in SubmitQueueTrigger(**given).run()] == [{"id": "", "status": "timeout"}]
    again = SubmitQueueTrigger(**{**given, "moment": now - 5, "until": now + 60})
    assert [event.payload async for event in again.run()] == [{"id": "", "status": "waited"}]
