# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What waiting needs is imported in a thread: once for all that begin to wait at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_adgen.triggers import base
from airflow_provider_adgen.triggers.base import PollTrigger


class Imports:
    """Takes the place of the import; it ends when it is let go."""

    def __init__(self, *wrong: Exception) -> None:
        self.begun = 0
        self._wrong = list(wrong)

    async def to_thread(self, _function: Any) -> None:
        self.begun += 1
        await asyncio.sleep(0)
        if self._wrong:
            raise self._wrong.pop(0)


class Waiting(PollTrigger):
    def target(self) -> Any:
        raise AssertionError("nothing is imported here")


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Imports:
    made = Imports()
    monkeypatch.setattr(base, "_imported", set())
    monkeypatch.setattr(base, "_importing", {})
    monkeypatch.setattr(base.asyncio, "to_thread", lambda function: made.to_thread(function))
    return made


def trigger(conn_id: str = "adsumo_default") -> Waiting:
    return Waiting(conn_id=conn_id, since=0.0, until=1.0, poll_interval=1.0)


async def prepare(*triggers: Waiting) -> list[BaseException | None]:
    return await asyncio.gather(*[one._prepare() for one in triggers], return_exceptions=True)


def test_many_that_begin_at_once_import_once(imports: Imports) -> None:
    async def begin() -> None:
        assert await prepare(*[trigger() for _ in range(100)]) == [None] * 100
        assert await prepare(trigger(), trigger()) == [None, None]

    asyncio.run(begin())
    assert imports.begun == 1
    assert asyncio.run(prepare(trigger())) == [None], "in another event loop, too"
    assert imports.begun == 1


def test_each_connection_is_imported_for(imports: Imports) -> None:
    asyncio.run(prepare(trigger("one"), trigger("two"), trigger("one")))
    assert imports.begun == 2


def test_an_import_that_fails_is_done_again_by_who_comes_next(imports: Imports) -> None:
    imports._wrong.append(ImportError("not yet"))

    async def begin() -> None:
        assert [type(one) for one in await prepare(trigger(), trigger())] == [ImportError, ImportError]
        assert await prepare(trigger()) == [None]

    asyncio.run(begin())
    assert imports.begun == 2


def test_who_stops_waiting_leaves_the_import_to_the_others(imports: Imports) -> None:
    async def begin() -> None:
        first, second = (asyncio.create_task(trigger()._prepare()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled()

    asyncio.run(begin())
    assert imports.begun == 1


def test_an_import_of_a_loop_that_is_gone_is_not_waited_for(imports: Imports) -> None:
    async def begin() -> None:
        first = asyncio.create_task(trigger()._prepare())
        await asyncio.sleep(0)
        first.cancel()

    asyncio.run(begin())
    assert asyncio.run(asyncio.wait_for(prepare(trigger()), 5)) == [None]
    assert imports.begun == 2
