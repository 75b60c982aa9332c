# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What every hook does: reads its connection, refuses what would go wrong, keeps the key to itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import (
    AuthenticationError,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.core.requests import GenerationRequest
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.hooks.base import AdGenHook, budget_of, job_ids
from airflow_provider_adgen.vendors.adsumo import TextToImage
from tests.support.raw import RawServer, dropping, saying

KEY = "adsumo_sk_0123456789abcdef"
BALANCE = saying(200, {"credits_used": 1, "credits_limit": 10, "credits_remaining": 9})
ACCEPTED = saying(200, {"generation_id": "g-1", "type": "image", "status": "processing"})
DONE = saying(200, {"id": "g-1", "type": "image", "status": "completed", "result_url": "https://cdn/a.png?sig=1"})
REQUEST = TextToImage(prompt="p", model="pro", aspect_ratio="1:1", quantity=2, resolution="2k")


@pytest.fixture
def server(quick: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    with RawServer(BALANCE) as running:
        connect(monkeypatch, running)
        yield running


def connect(monkeypatch: pytest.MonkeyPatch, server: RawServer, key: str = KEY, **extra: Any) -> None:
    value = {"conn_type": "adsumo", "password": key, "host": server.url, "extra": {"timeout": 2, **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_ADS", json.dumps(value))


def both(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Call a method and its twin, each with a hook of its own."""

    async def twin() -> Any:
        return await getattr(AdsumoHook("ads"), f"a{name}")(*args, **kwargs)

    return getattr(AdsumoHook("ads"), name)(*args, **kwargs), asyncio.run(twin())


def test_both_twins_say_the_same(server: RawServer) -> None:
    one, other = both("get_credits")
    assert one == other and one.remaining == 9
    assert [heard.path for heard in server.heard] == ["/account/credits"] * 2


def test_submitting_sends_once_and_quotes_the_price(server: RawServer) -> None:
    server.scripts = [ACCEPTED]
    one, other = both("submit", REQUEST, idempotency_key="k-1")
    assert one == other
    assert (one.id, one.status, one.credits.quoted) == ("g-1", "processing", 4)
    assert [heard.headers["idempotency-key"] for heard in server.heard] == ["k-1", "k-1"]
    assert json.loads(server.heard[0].body) == {
        "prompt": "p",
        "model": "pro",
        "aspect_ratio": "1:1",
        "quantity": 2,
        "resolution": "2k",
    }


@pytest.mark.parametrize("script", [saying(500, {}), dropping, saying(200, b"<html>")])
def test_submitting_is_never_repeated_by_the_hook(server: RawServer, script: Any) -> None:
    server.scripts = [script]
    with pytest.raises((ServerError, WireError, UnexpectedResponse)):
        AdsumoHook("ads").submit(REQUEST)
    assert len(server.heard) == 1


@pytest.mark.parametrize("key", ["", "x" * 65, "k\n", "k\u00e9"])
def test_a_key_that_cannot_be_sent_is_refused(server: RawServer, key: str) -> None:
    with pytest.raises(InvalidRequest, match=r"1 to 64 printable ASCII characters. Nothing was sent"):
        AdsumoHook("ads").submit(REQUEST, idempotency_key=key)
    assert server.heard == []


def test_another_vendors_request_is_refused(server: RawServer) -> None:
    class Other(GenerationRequest):
        kind = "other"  # type: ignore[misc]
        result_kind = "video"  # type: ignore[misc]

    with pytest.raises(InvalidRequest, match=r"Adsumo has no request Other. Nothing was sent"):
        AdsumoHook("ads").submit(Other())
    assert server.heard == []


def test_a_generation_has_fresh_links(server: RawServer) -> None:
    server.scripts = [DONE]
    one, other = both("get_generation", "g-1")
    assert one.creatives[0].url == other.creatives[0].url == "https://cdn/a.png?sig=1"
    assert one.creatives[0].expires_at is not None


@pytest.mark.parametrize("identity", ["../account/credits", "a/b", "a?b=1", "a%2Fb", "ä b"])
def test_an_id_stays_in_its_place(server: RawServer, identity: str) -> None:
    server.scripts = [saying(404, {})]
    with pytest.raises(NotFound):
        AdsumoHook("ads").get_generation(identity)
    (heard,) = server.heard
    assert heard.path.startswith("/generations/") and heard.path.count("/") == 2 and "?" not in heard.path


@pytest.mark.parametrize("text", ["", "  ", ",", " , ", None, 7, "..", "."])
def test_what_is_no_id_is_refused(text: Any) -> None:
    with pytest.raises(InvalidRequest):
        job_ids(text)


def test_several_jobs_of_one_generation() -> None:
    assert job_ids(" a, b ,,c ") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("script", "found", "said"),
    [
        (BALANCE, True, "Adsumo accepted the key."),
        (saying(401, {}), False, "Check the connection's password"),
        (saying(403, {}), False, "may not do this"),
        (saying(500, {}), False, "answered 500"),
        (saying(200, b"<html>"), False, "cannot read"),
        (dropping, False, "connection broke"),
    ],
)
def test_the_test_button_says_it_in_words_and_costs_nothing(
    server: RawServer, script: Any, found: bool, said: str
) -> None:
    server.scripts = [script]
    one, other = both("test_connection")
    assert one == other
    assert one[0] is found and said in one[1] and KEY not in one[1]
    assert {(heard.method, heard.path) for heard in server.heard} == {("GET", "/account/credits")}


def test_the_test_button_says_what_is_wrong_with_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ADS", json.dumps({"conn_type": "adsumo", "password": ""}))
    one, other = both("test_connection")
    assert one == other == (False, one[1]) and "has no password" in one[1]


# --- connections kept ---------------------------------------------------------------------------------------------


def test_within_a_block_connections_are_kept(server: RawServer) -> None:
    with AdsumoHook("ads") as hook:
        for _ in range(3):
            hook.get_credits()
    assert server.connections == 1
    hook.get_credits()
    hook.get_credits()
    assert server.connections == 3


def test_within_an_asynchronous_block_connections_are_kept(server: RawServer) -> None:
    async def act() -> None:
        async with AdsumoHook("ads") as hook:
            for _ in range(3):
                await hook.aget_credits()
        await hook.aget_credits()

    asyncio.run(act())
    assert server.connections == 2


# --- changed keys -------------------------------------------------------------------------------------------------


def refusing_old(connection: Any) -> None:
    if connection.heard.headers["authorization"] == f"Bearer {KEY}":
        connection.answer(401, {})
    else:
        BALANCE(connection)


def test_a_changed_key_is_read_and_used(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.scripts = [refusing_old]
    with AdsumoHook("ads") as hook:
        hook.account()
        connect(monkeypatch, server, "adsumo_sk_new")
        assert hook.with_current_key(hook.get_credits).remaining == 9
        assert hook.get_credits().remaining == 9
    assert len(server.heard) == 3


def test_a_key_that_was_not_changed_is_not_tried_again(server: RawServer) -> None:
    server.scripts = [saying(401, {})]
    hook = AdsumoHook("ads")
    with pytest.raises(AuthenticationError):
        hook.with_current_key(hook.get_credits)
    assert len(server.heard) == 1


def test_a_changed_key_that_is_refused_as_well_is_not_tried_for_ever(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.scripts = [saying(401, {})]
    hook = AdsumoHook("ads")
    hook.account()
    connect(monkeypatch, server, "adsumo_sk_new")
    with pytest.raises(AuthenticationError):
        hook.with_current_key(hook.get_credits)
    assert len(server.heard) == 2


# --- budgets ------------------------------------------------------------------------------------------------------


def test_every_hook_of_a_process_obeys_the_same_429(server: RawServer) -> None:
    server.scripts = [saying(429, {}, Retry_After="600"), BALANCE]
    with pytest.raises(RateLimited):
        AdsumoHook("ads").get_credits()
    with pytest.raises(RateLimited, match=r"was not sent"):
        AdGenHook("ads").get_credits()
    assert len(server.heard) == 1


def test_another_account_has_a_budget_of_its_own(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.scripts = [saying(429, {}, Retry_After="600"), BALANCE]
    with pytest.raises(RateLimited):
        AdsumoHook("ads").get_credits()
    connect(monkeypatch, server, "adsumo_sk_other")
    assert AdsumoHook("ads").get_credits().remaining == 9


def test_the_users_limit_is_followed_when_it_changes(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert budget_of(AdsumoHook("ads").account()).per_minute is None
    connect(monkeypatch, server, requests_per_minute=30)
    budget = budget_of(AdsumoHook("ads").account())
    assert budget.per_minute == 30 and len(base._budgets) == 1
    now = SYSTEM.monotonic()
    assert [budget.take(RateClass.READ, now) for _ in range(2)] == [0.0, 2.0]


# --- paid methods that look like others ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["get_credits", "submit", "get_generation", "download", "test_connection"])
def test_every_method_has_a_twin(name: str) -> None:
    method: Callable[..., Any] = getattr(AdGenHook, name)
    twin: Callable[..., Any] = getattr(AdGenHook, f"a{name}")
    assert asyncio.iscoroutinefunction(twin) and not asyncio.iscoroutinefunction(method)
    assert (
        method.__code__.co_varnames[: method.__code__.co_argcount]
        == twin.__code__.co_varnames[: twin.__code__.co_argcount]
    )


def test_a_vendor_has_one_hook_of_its_own_whoever_derives_from_it() -> None:
    class Mine(AdsumoHook):
        """Made for one team."""

    assert type(base.typed_hook("adsumo", "ads")) is AdsumoHook
    with pytest.raises(InvalidRequest, match="No AI-ad vendor is registered"):
        base.typed_hook("nobody", "ads")
    assert Mine.conn_type == "adsumo"
