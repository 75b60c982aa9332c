# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The asynchronous wire for synchronous callers: results, errors, interruptions, forks, threads."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core import blocking
from tests.support.raw import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def add(one: int, other: int) -> int:
    await asyncio.sleep(0)
    return one + other


def test_a_result_comes_back() -> None:
    assert blocking.run(add(1, 2)) == 3


def test_an_error_comes_back() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        blocking.run(fail())


def test_it_works_beside_a_running_loop() -> None:
    async def outer() -> int:
        return await asyncio.to_thread(blocking.run, add(1, 2))

    assert asyncio.run(outer()) == 3


def test_many_threads_share_one_loop() -> None:
    loops: list[Any] = []

    async def where() -> None:
        loops.append(asyncio.get_running_loop())

    threads = [threading.Thread(target=lambda: blocking.run(where())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(loops) == 8 and len(set(map(id, loops))) == 1


class Interrupted(Exception):
    pass


def test_an_interruption_reaches_the_coroutine() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    def interrupt(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        started = time.monotonic()
        with pytest.raises(Interrupted):
            blocking.run(slow())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < 5
    assert eventually(lambda: ended == ["cancelled"])


def test_a_forked_process_has_a_loop_of_its_own() -> None:
    assert blocking.run(add(1, 1)) == 2
    child = os.fork()
    if child == 0:
        try:
            status = 0 if blocking.run(add(2, 2)) == 4 else 1
        except BaseException:
            status = 2
        os._exit(status)
    deadline = time.monotonic() + 20
    done, status = os.waitpid(child, os.WNOHANG)
    while not done and time.monotonic() < deadline:
        time.sleep(0.01)
        done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert done and os.waitstatus_to_exitcode(status) == 0


def test_items_are_fetched_when_asked_for_and_the_iterator_is_closed() -> None:
    made: list[Any] = []

    async def items() -> AsyncIterator[int]:
        try:
            for number in range(10):
                made.append(number)
                yield number
        finally:
            made.append("closed")

    found = blocking.iterate(items())
    assert [next(found), next(found)] == [0, 1]
    assert made == [0, 1]
    found.close()
    assert made == [0, 1, "closed"]
    assert list(blocking.iterate(items())) == list(range(10))
