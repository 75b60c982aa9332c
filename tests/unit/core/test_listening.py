# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Following a stream for a while, within a ration of connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.calls import Event, Listen, RateClass, Stream
from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.decisions.rates import RateBudget, RateLimit
from airflow_provider_adgen.core.errors import RateLimited, UnexpectedResponse, WireError
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.vendors.cinematicads import VENDOR
from tests.support.tiny import Reply, Sse, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "secret-key-1"
PATH = "GET /stream"
ONE, TWO, END = ("step", "1"), ("step", "2"), ("result", "3")


class Movable(Clock):
    """A clock whose sleeps pass at once."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return 1000.0 + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    with Tiny() as server:
        yield server


def wire_to(tiny: Tiny, *, ration: RateLimit | None = None, clock: Clock | None = None) -> Wire:
    account = Account(vendor="cinematicads", conn_id="c", base_url=tiny.url, key=Secret(KEY))
    budget = RateBudget(rate_limits={RateClass.STREAM: ration} if ration else {})
    return Wire(VENDOR, account, budget=budget, clock=clock or Movable())


def listen(seconds: float, *, linger: float = 0.0) -> Any:
    """A sequence of one step that answers the names of what was heard."""
    stream = Stream(path="/stream", endpoint="GET /stream", read=lambda event: event)

    def enough(event: Event) -> bool:
        return event.name == "result"

    heard = yield Listen(stream, seconds=seconds, enough=enough, linger=linger)
    return [event.data for event in heard]


async def hear(tiny: Tiny, seconds: float, *, linger: float = 0.0) -> tuple[list[str], float]:
    started = time.monotonic()
    async with wire_to(tiny) as wire:
        heard = await wire.run(listen(seconds, linger=linger))
    return heard, time.monotonic() - started


async def test_stream_that_ends_is_heard_at_once(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE, TWO])
    heard, took = await hear(tiny, 30)
    assert (heard, took < 5) == (["1", "2"], True)


async def test_a_key_that_a_stream_echoes_is_not_heard(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([("step", f"bad key {KEY}")])
    assert (await hear(tiny, 10))[0] == ["bad key ***"]


async def test_silent_stream_is_left_at_the_end_of_the_time(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE], hang=True)
    heard, took = await hear(tiny, 0.4)
    assert heard == ["1"]
    assert 0.3 < took < 5


async def test_enough_leaves_a_stream_that_stays_open(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE, END], hang=True)
    heard, took = await hear(tiny, 30)
    assert (heard, took < 5) == (["1", "3"], True)


async def test_lingering_hears_what_comes_right_after(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE, END, 0.1, END], hang=True)
    heard, took = await hear(tiny, 30, linger=0.6)
    assert (heard, took < 5) == (["1", "3", "3"], True)


async def test_lingering_is_never_longer_than_the_time(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([END], hang=True)
    _, took = await hear(tiny, 0.3, linger=30)
    assert took < 5


async def test_what_was_heard_before_a_break_is_not_lost(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE, TWO], broken=True)
    heard, _ = await hear(tiny, 30)
    assert heard == ["1", "2"]


async def test_break_without_a_word_is_an_error(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([], broken=True)
    with pytest.raises(WireError):
        await hear(tiny, 30)


async def test_answer_that_is_no_stream_is_an_error(tiny: Tiny) -> None:
    tiny.routes[PATH] = Reply({"success": True})
    with pytest.raises(UnexpectedResponse, match=r"is no event stream\.$"):
        await hear(tiny, 30)


async def test_used_up_ration_sends_nothing(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE])
    clock = Movable()
    async with wire_to(tiny, ration=RateLimit(2, 3600.0), clock=clock) as wire:
        for _ in range(2):
            assert await wire.run(listen(5)) == ["1"]
        with pytest.raises(RateLimited) as caught:
            await wire.run(listen(5))
        assert caught.value.retry_after == pytest.approx(3600.0)
        assert len(tiny.asked) == 2
        clock.ahead += 3601
        assert await wire.run(listen(5)) == ["1"]


async def test_ration_is_not_spent_on_waiting_for_it(tiny: Tiny) -> None:
    tiny.routes[PATH] = Sse([ONE])
    clock = Movable()
    async with wire_to(tiny, ration=RateLimit(1, 40.0), clock=clock) as wire:
        await wire.run(listen(5))
        # 40 s would be waited for elsewhere; a listener of 5 s would only have taken the slot along.
        for _ in range(3):
            with pytest.raises(RateLimited):
                await wire.run(listen(5))
        clock.ahead += 38.0
        assert await wire.run(listen(5)) == ["1"]
        assert clock.slept == [pytest.approx(2.0)]


async def test_refused_stream_is_not_tried_again_at_once(tiny: Tiny) -> None:
    tiny.routes[PATH] = [Reply({"error": "Rate limit exceeded"}, 429), Sse([ONE])]
    clock = Movable()
    async with wire_to(tiny, ration=RateLimit(10, 3600.0), clock=clock) as wire:
        with pytest.raises(RateLimited, match="Rate limit exceeded"):
            await wire.run(listen(600))
        with pytest.raises(RateLimited, match="was not sent"):
            await wire.run(listen(600))
        assert len(tiny.asked) == 1
        clock.ahead += 361
        assert await wire.run(listen(600)) == ["1"]


async def test_refused_stream_obeys_the_reset_it_was_told(tiny: Tiny) -> None:
    clock = Movable()
    headers = {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(clock.now()) + 900),
    }
    tiny.routes[PATH] = [Reply({"error": "no"}, 429, headers), Sse([ONE])]
    async with wire_to(tiny, ration=RateLimit(10, 3600.0), clock=clock) as wire:
        with pytest.raises(RateLimited) as caught:
            await wire.run(listen(600))
        assert caught.value.retry_after == pytest.approx(900, abs=5)
        clock.ahead += 500
        with pytest.raises(RateLimited, match="was not sent"):
            await wire.run(listen(600))
        clock.ahead += 405
        assert await wire.run(listen(600)) == ["1"]
