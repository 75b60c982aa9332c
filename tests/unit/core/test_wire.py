# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The wire against a server that misbehaves: deadlines, repeats, redirects, and that a paid POST goes out once."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import decimal
import email.utils
import gzip
import json
import pathlib
import threading
import time
import traceback
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core import http
from airflow_provider_adgen.core.calls import Answer, Call, RateClass
from airflow_provider_adgen.core.decisions.posting import Verdict, classify_submit_error
from airflow_provider_adgen.core.decisions.rates import RateBudget, RateLimit
from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.core.retrying import ATTEMPTS
from tests.support.raw import RawServer, dropping, eventually, resetting, saying
from tests.support.scripted import FINE, SECRET, Quick, fails, get, paid, parse, send, wire

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(FINE) as running:
        yield running


# --- what goes out ------------------------------------------------------------------------------------------------


def test_a_request_carries_key_and_headers(server: RawServer) -> None:
    send(server, get(query={"limit": 3, "flag": True, "none": None}))
    (heard,) = server.heard
    assert heard.path == "/x?limit=3&flag=true"
    assert heard.headers["authorization"] == f"Bearer {SECRET}"
    assert heard.headers["x-team"] == "growth"
    assert heard.headers["user-agent"].startswith("airflow-provider-adgen/")


def test_a_storage_host_sees_neither(server: RawServer) -> None:
    call = Call(
        method="PUT", path="", endpoint="PUT upload", parse=parse, foreign_url=f"{server.url}/up?sig=1", body={}
    )
    send(server, call)
    (heard,) = server.heard
    assert heard.path == "/up?sig=1"
    assert "authorization" not in heard.headers and "x-team" not in heard.headers


def test_a_header_of_the_users_takes_the_place_of_ours_however_it_is_spelled(server: RawServer) -> None:
    send(server, get(), headers={"accept": "text/plain", "USER-AGENT": "theirs"})
    (heard,) = server.heard
    assert heard.headers["accept"] == "text/plain" and heard.headers["user-agent"] == "theirs"
    assert [name for name in heard.names if name.lower() in {"accept", "user-agent"}] == ["accept", "USER-AGENT"]


def test_a_cookie_is_not_sent_back(server: RawServer) -> None:
    server.scripts = [saying(200, {"id": "j"}, Set_Cookie="session=1; Path=/"), FINE]

    async def act() -> None:
        async with wire(server) as opened:
            await opened.call(get())
            await opened.call(get())

    asyncio.run(act())
    assert len(server.heard) == 2 and "cookie" not in server.heard[1].headers


# --- what nobody is to read ---------------------------------------------------------------------------------------


def test_a_storage_hosts_refusal_shows_no_link(server: RawServer) -> None:
    server.scripts = [saying(403, b"no")]
    call = Call(
        method="PUT", path="", endpoint="PUT upload", parse=parse, foreign_url=f"{server.url}/up?sig=1", body={}
    )
    assert "sig" not in str(fails(server, call, ApiError))


def test_a_key_that_the_vendor_echoes_is_read_nowhere(server: RawServer) -> None:
    server.scripts = [saying(200, {"id": "j", "status": SECRET, "error": f"the key {SECRET} is bad"})]
    assert send(server, get()) == {"id": "j", "status": "***", "error": "the key *** is bad"}


def test_a_traceback_with_locals_shows_no_link_and_no_body(server: RawServer) -> None:
    server.scripts = [dropping]
    call = Call(
        method="PUT",
        path="",
        endpoint="PUT up",
        parse=parse,
        foreign_url=f"{server.url}/u?sig=5e4d",
        body={"a": "beef"},
    )
    error = fails(server, call, WireError)
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "in send" in told
    assert "5e4d" not in told and "beef" not in told and SECRET not in told


# --- paid submissions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (saying(500, {"error": {"message": "x"}}), ServerError),
        (saying(503, {}, Retry_After="0"), ServerError),
        (saying(429, {}, Retry_After="0"), RateLimited),
        (saying(408, {}), ApiError),
        (saying(307, b"", Location="/elsewhere"), ApiError),
        (saying(302, b"", Location="/elsewhere"), ApiError),
        (dropping, WireError),
        (resetting, WireError),
        (lambda connection: connection.answer(200, b'{"id": "j"}', length=90) or connection.close(), WireError),
        (saying(200, b'{"id": '), UnexpectedResponse),
        (saying(200, b"<html>"), UnexpectedResponse),
        (saying(200, [1]), UnexpectedResponse),
        (saying(204, b""), UnexpectedResponse),
    ],
)
def test_a_paid_post_is_sent_exactly_once_whatever_comes_back(server: RawServer, script: Any, kind: Any) -> None:
    server.scripts = [script]
    error = fails(server, paid(), kind)
    assert len(server.heard) == 1 and server.connections == 1
    assert getattr(error, "sent", True)


def test_a_paid_answer_is_not_lost_to_a_connection_that_closes_badly(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def badly(_self: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(http.httpx.AsyncHTTPTransport, "aclose", badly)
    assert send(server, paid()) == {"id": "j"}


def test_a_paid_post_never_goes_out_on_a_used_connection(server: RawServer) -> None:
    async def act() -> None:
        async with wire(server) as opened:
            await opened.call(get())
            await opened.call(paid())
            await opened.call(paid())
            await opened.call(get())

    asyncio.run(act())
    assert [heard.connection for heard in server.heard] == [1, 2, 3, 1]


def test_a_refused_connection_is_known_not_to_have_been_sent(server: RawServer) -> None:
    with RawServer(FINE) as closed:
        pass
    error = fails(closed, paid(), WireError)
    assert error.sent is False and "nothing was sent" in str(error)


def test_tls_that_fails_is_known_not_to_have_been_sent(server: RawServer) -> None:
    server.scripts = [dropping]
    error = fails(server, paid(), WireError, base_url=f"https://127.0.0.1:{server.port}", timeout=0.3)
    assert error.sent is False
    assert server.heard == []


def test_a_ca_bundle_that_is_not_there_is_known_not_to_have_been_sent(server: RawServer) -> None:
    error = fails(server, paid(), WireError, verify="/no/such/bundle.pem")
    assert error.sent is False and "verify" in str(error)


def test_what_could_not_be_read_of_an_acceptance_is_kept_without_links(server: RawServer) -> None:
    text = r'{"job":{"uuid":"j-77"},"url":"https:\/\/b.s3\/a?X-Amz-Signature=deadbeef","echo":"' + SECRET + '"}'
    server.scripts = [saying(200, text.encode())]

    def no_id(_answer: Answer) -> Any:
        raise UnexpectedResponse("id is missing")

    error = fails(server, paid(parse=no_id), UnexpectedResponse)
    assert "j-77" in error.excerpt
    assert "deadbeef" not in error.excerpt and SECRET not in error.excerpt


# --- deadlines ----------------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [
        lambda connection: connection.hang(),
        lambda connection: connection.drip(HEAD + b" " * 400, 0.03),
        lambda connection: (connection.send(HEAD), connection.drip(b" " * 400, 0.03)),
        lambda connection: (connection.send(HEAD + b"{"), connection.hang()),
    ],
    ids=["silence", "slow headers", "slow body", "half a body"],
)
@pytest.mark.parametrize("call", [get(repeatable=False), paid()], ids=["read", "paid"])
def test_a_deadline_is_for_the_whole_exchange(server: RawServer, script: Any, call: Any) -> None:
    server.scripts = [script]
    started = time.monotonic()
    error = fails(server, call, WireError, timeout=0.3)
    assert 0.25 < time.monotonic() - started < 2.0
    assert error.sent
    assert "0.3 s" in str(error) or "too long" in str(error)
    assert len(server.heard) == 1


def test_a_slow_answer_within_the_deadline_arrives(server: RawServer) -> None:
    body = b'{"id": "j"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.scripts = [lambda connection: connection.drip(head + body, 0.002)]
    assert send(server, paid()) == {"id": "j"}


def test_an_answer_that_never_ends_is_not_held_in_memory(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_ANSWER", 1 << 20)
    sent = []

    def pour(connection: Any) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(400):
            connection.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent.append(0x10000)

    server.scripts = [pour]
    assert "larger than" in str(fails(server, paid(), UnexpectedResponse))
    assert sum(sent) < 20 << 20


def test_a_bomb_is_not_held_in_memory(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_ANSWER", 1 << 20)
    server.scripts = [saying(200, gzip.compress(b"[" * (30 << 20)), Content_Encoding="gzip")]
    fails(server, paid(), UnexpectedResponse)


@pytest.mark.parametrize(("size", "apart"), [(100, False), (100_000, True)])
def test_what_is_large_is_read_beside_the_event_loop(server: RawServer, size: int, apart: bool) -> None:
    server.scripts[:] = [saying(200, {"id": "x" * size})]
    looping: list[int] = []

    async def act() -> Any:
        looping.append(threading.get_ident())
        async with wire(server) as opened:
            call = get()
            return await opened.call(replace(call, parse=lambda answer: (threading.get_ident(), call.parse(answer))))

    reading, value = asyncio.run(act())
    assert value == {"id": "x" * size}
    assert ([reading] != looping) is apart


def test_json_nested_beyond_reason_is_unreadable(server: RawServer) -> None:
    server.scripts = [saying(200, b"[" * 200_000)]
    fails(server, paid(), UnexpectedResponse)


# --- reads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [saying(500, {}), saying(502, b"<html>"), saying(503, {}), saying(504, {}), dropping, resetting],
    ids=["500", "502", "503", "504", "drop", "reset"],
)
def test_a_read_is_repeated_until_it_is_answered(server: RawServer, script: Any) -> None:
    server.scripts = [script, script, script, FINE]
    assert send(server, get()) == {"id": "j"}
    assert len(server.heard) == ATTEMPTS


def test_a_read_is_not_repeated_for_ever(server: RawServer) -> None:
    server.scripts = [saying(500, {"error": {"code": "internal_error", "message": f"key {SECRET}"}})]
    error = fails(server, get(), ServerError)
    assert len(server.heard) == ATTEMPTS
    assert error.code == "internal_error" and error.status == 500


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_a_refused_read_is_not_repeated(server: RawServer, status: int) -> None:
    server.scripts = [saying(status, {})]
    assert fails(server, get(), ApiError).status == status
    assert len(server.heard) == 1


def test_an_unreadable_answer_is_not_asked_for_again(server: RawServer) -> None:
    server.scripts = [saying(200, b"<html>")]
    fails(server, get(), UnexpectedResponse)
    assert len(server.heard) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_only_a_get_is_repeated(server: RawServer, method: str) -> None:
    server.scripts = [saying(500, {})]
    fails(server, Call(method=method, path="/x", endpoint=f"{method} /x", parse=parse), ServerError)
    assert len(server.heard) == 1


def test_a_creation_with_a_key_is_repeated_with_that_key(server: RawServer) -> None:
    server.scripts = [dropping, saying(502, {}), saying(201, {"id": "p"})]
    from airflow_provider_adgen.vendors.adsumo import api

    call = api.create_product(name="n", description="d", category="c", image_url="https://h/i.png")
    assert send(server, call).id == "p"
    assert len(server.heard) == 3
    assert len({heard.headers["idempotency-key"] for heard in server.heard}) == 1
    assert len({heard.body for heard in server.heard}) == 1


class Overtaken(Quick):
    """A clock during whose first sleep somebody else's request is answered 429."""

    def __init__(self, budget: RateBudget, rate_class: RateClass, seconds: int) -> None:
        super().__init__()
        self.budget, self.rate_class, self.seconds = budget, rate_class, seconds

    async def sleep(self, seconds: float) -> None:
        if not self.slept:
            self.budget.learn(
                self.rate_class, 429, {"retry-after": str(self.seconds)}, self.monotonic(), self.now(), self.monotonic()
            )
        await super().sleep(seconds)


def test_a_429_stops_those_too_that_wait_for_their_turn(server: RawServer) -> None:
    def overtaken(seconds: int) -> Overtaken:
        budget = RateBudget(per_minute=60.0, rate_limits={RateClass.READ: RateLimit(5, 3600.0)})
        budget.take(RateClass.READ, time.monotonic())
        return Overtaken(budget, RateClass.READ, seconds)

    clock = overtaken(20)
    assert send(server, get(), clock=clock, budget=clock.budget) == {"id": "j"}
    assert sum(clock.slept) == pytest.approx(20, abs=0.5) and len(server.heard) == 1
    assert clock.budget.room(RateClass.READ, clock.monotonic()) == 3
    clock = overtaken(600)
    assert "was not sent" in str(fails(server, get(), RateLimited, clock=clock, budget=clock.budget))
    assert len(server.heard) == 1


class Renewed(Quick):
    """A clock on which whatever is waited for is stopped anew when the wait is over."""

    def __init__(self, budget: RateBudget) -> None:
        super().__init__()
        self.budget = budget

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.budget.stop(RateClass.READ, self.monotonic() + 15.0)


def test_a_stop_that_is_renewed_is_not_waited_for_any_longer(server: RawServer) -> None:
    clock = Renewed(RateBudget(per_minute=60.0))
    clock.budget.take(RateClass.READ, time.monotonic())
    assert "was not sent" in str(fails(server, get(), RateLimited, clock=clock, budget=clock.budget))
    assert 45 <= sum(clock.slept) <= 61 and not server.heard


def test_a_paid_request_goes_out_at_once_or_is_not_sent(server: RawServer) -> None:
    clock, budget = Quick(), RateBudget(per_minute=60.0)

    async def act() -> None:
        async with wire(server, clock=clock, budget=budget) as opened:
            assert opened.submit_delay() == 0.0
            await opened.call(paid())
            assert 0.5 < opened.submit_delay() <= 1.0
            with pytest.raises(RateLimited, match="was not sent") as caught:
                await opened.call(paid())
            assert not caught.value.sent and caught.value.retry_after == pytest.approx(1.0, abs=0.1)
            verdict = classify_submit_error(caught.value, opened.vendor.promises)
            assert verdict == Verdict(nothing_started=True, answered=False, unknown=False, status=0)
            assert copy.copy(caught.value).sent is False
            clock.ahead += opened.submit_delay()
            await opened.call(paid())

    asyncio.run(act())
    assert len(server.heard) == 2 and not clock.slept


@pytest.mark.parametrize(
    ("told", "obeyed"),
    [
        ("0", True),
        (email.utils.formatdate(time.time() - 1, usegmt=True), True),
        (str(int(time.time()) - 1), True),
        ("-5", False),
        ("999999999", False),
        ("4000000000", False),
    ],
    # The same names in each of pytest's processes.
    ids=["0", "date", "unix", "negative", "years", "far"],
)
def test_a_paid_request_that_is_refused_again_and_again_waits_ever_longer(
    server: RawServer, told: str, obeyed: bool
) -> None:
    server.scripts = [saying(429, {}, Retry_After=told)] * 4 + [FINE, saying(429, {}, Retry_After=told)]
    clock, pauses = Quick(), []

    async def act() -> None:
        async with wire(server, clock=clock) as opened:
            for refused in (True, True, True, True, False, True):
                if refused:
                    with pytest.raises(RateLimited) as caught:
                        await opened.call(paid())
                    assert caught.value.sent
                    pauses.append(opened.submit_delay())
                    # What makes no sense was not said.
                    assert caught.value.retry_after == (pytest.approx(pauses[-1], abs=0.1) if obeyed else None)
                    clock.ahead += pauses[-1]
                else:
                    await opened.call(paid())

    asyncio.run(act())
    assert pauses == pytest.approx([1, 2, 4, 8, 1], abs=0.2)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_near_rate_limit_is_waited_for(server: RawServer, form: str) -> None:
    told = "30" if form == "seconds" else email.utils.formatdate(time.time() + 30, usegmt=True)
    server.scripts = [saying(429, {}, Retry_After=told), FINE]
    clock = Quick()
    assert send(server, get(), clock=clock) == {"id": "j"}
    assert 25 <= sum(clock.slept) <= 61


def test_a_far_rate_limit_is_told_at_once(server: RawServer) -> None:
    server.scripts = [saying(429, {}, Retry_After="600"), FINE]
    clock = Quick()
    assert fails(server, get(), RateLimited, clock=clock).retry_after == 600
    assert clock.slept == []


def test_nothing_is_sent_while_the_lane_is_known_to_be_stopped(server: RawServer) -> None:
    server.scripts = [saying(429, {}, Retry_After="600"), FINE]

    async def act() -> None:
        async with wire(server) as opened:
            for _ in range(3):
                with pytest.raises(RateLimited) as caught:
                    await opened.call(paid())
            assert "was not sent" in str(caught.value)
            assert await opened.call(get()) == {"id": "j"}

    asyncio.run(act())
    assert [heard.method for heard in server.heard] == ["POST", "GET"]


def test_the_users_own_pace_is_kept(server: RawServer) -> None:
    clock = Quick()

    async def act() -> None:
        async with wire(server, clock=clock, requests_per_minute=30.0) as opened:
            for _ in range(4):
                await opened.call(get())

    asyncio.run(act())
    assert clock.slept == pytest.approx([2.0, 2.0, 2.0], abs=0.5)


def test_a_pool_whose_connections_died_is_no_trouble(server: RawServer) -> None:
    server.scripts = [lambda connection: (connection.answer(200, {"id": "j"}), connection.close())]

    async def act() -> None:
        async with wire(server) as opened:
            for _ in range(5):
                assert await opened.call(get()) == {"id": "j"}
                await asyncio.sleep(0.01)

    asyncio.run(act())
    assert len(server.heard) == 5


def test_connections_are_kept_between_reads_and_closed_at_the_end(server: RawServer) -> None:
    async def act() -> None:
        async with wire(server) as opened:
            for _ in range(5):
                await opened.call(get())

    asyncio.run(act())
    assert server.connections == 1


# --- redirects ----------------------------------------------------------------------------------------------------


def test_a_read_follows_a_redirect_on_its_host(server: RawServer) -> None:
    server.scripts = [saying(302, b"", Location="/y?page=2"), saying(308, b"", Location=f"{server.url}/z"), FINE]
    assert send(server, get()) == {"id": "j"}
    assert [heard.path for heard in server.heard] == ["/x", "/y?page=2", "/z"]
    assert all("authorization" in heard.headers for heard in server.heard)


@pytest.mark.parametrize("target", ["http://localhost:{port}/y", "//localhost:{port}/y", "https://127.0.0.1:{port}/y"])
def test_a_read_takes_its_key_to_no_other_host(server: RawServer, target: str) -> None:
    with RawServer(FINE) as other:
        server.scripts = [saying(302, b"", Location=target.format(port=other.port))]
        error = fails(server, get(), UnexpectedResponse)
        assert "another host" in str(error) and "localhost" not in str(error)
        assert other.heard == []
    assert len(server.heard) == 1


def test_another_port_is_another_host(server: RawServer) -> None:
    with RawServer(FINE) as other:
        server.scripts = [saying(302, b"", Location=f"{other.url}/y")]
        fails(server, get(), UnexpectedResponse)
        assert other.heard == []


def test_redirects_end(server: RawServer) -> None:
    server.scripts = [saying(302, b"", Location="/x")]
    assert "more than" in str(fails(server, get(), UnexpectedResponse))
    assert len(server.heard) <= 7


def test_a_redirect_without_a_target_is_an_error(server: RawServer) -> None:
    server.scripts = [saying(302, b"")]
    assert fails(server, get(), ApiError).status == 302


# --- errors -------------------------------------------------------------------------------------------------------


def test_a_refusal_is_a_sentence_without_what_must_not_be_shown(server: RawServer) -> None:
    said = f"bad key {SECRET}, see https://b/a?X-Amz-Signature=deadbeef"
    server.scripts = [saying(401, {"error": {"code": "unauthorized", "message": said}})]
    error = fails(server, get("/secret/path"), AuthenticationError)
    assert "Adsumo answered 401 to GET /x (unauthorized)" in str(error)
    assert "deadbeef" not in str(error) and "/secret/path" not in str(error)
    assert "Check the connection's password" in str(error)


def test_an_error_page_is_an_error_all_the_same(server: RawServer) -> None:
    server.scripts = [saying(404, b"\xff\xfe<html>" + b"x" * 5000)]
    assert str(fails(server, get(), NotFound)) == "Adsumo answered 404 to GET /x."


def test_credits_are_read_from_the_vendors_sentence(server: RawServer) -> None:
    said = "Your team does not have enough credits for this generation. Required: 20, available: 5."
    server.scripts = [saying(402, {"error": {"code": "insufficient_credits", "message": said}})]
    error = fails(server, paid(), ApiError)
    assert (error.required, error.available) == (20, 5)
    assert "Nothing was started" in str(error)


# --- concurrency --------------------------------------------------------------------------------------------------


def test_a_cancelled_request_is_cancelled_and_leaves_the_wire_usable(server: RawServer) -> None:
    server.scripts = [lambda connection: connection.hang(), FINE]

    async def act() -> Any:
        async with wire(server) as opened:
            waiting = asyncio.create_task(opened.call(get()))
            assert await asyncio.to_thread(eventually, lambda: bool(server.heard))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return await opened.call(get())

    assert asyncio.run(act()) == {"id": "j"}


def test_a_closed_wire_can_be_used_again(server: RawServer) -> None:
    async def act() -> Any:
        opened = wire(server)
        await opened.call(get())
        await opened.aclose()
        found = await opened.call(get())
        await opened.aclose()
        await opened.aclose()
        return found

    assert asyncio.run(act()) == {"id": "j"}


UNSENDABLE = {
    "date": datetime.date(2026, 1, 1),
    "Decimal": decimal.Decimal("1.5"),
    "NaN": float("nan"),
    "Infinity": float("-inf"),
    "Unicode": "half \ud83d",
    "UUID": uuid.uuid4(),
    "PosixPath": pathlib.PosixPath("/x"),
    "set": {1},
    "bytes": b"x",
    "digits": 10**5000,
    "object": object(),
}


@pytest.mark.parametrize("what", UNSENDABLE)
def test_what_cannot_be_encoded_is_refused_when_the_call_is_made_and_named(what: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^POST /x: extra\.list\.1 .*Nothing was sent") as caught:
        paid(body={"prompt": "p", "extra": {"list": [1, UNSENDABLE[what]]}})
    assert what in caught.value.message and caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "named"),
    [({"x": {(1, 2): 3}}, "x has a key"), ({"x": {"\ud83d": 3}}, "x.\ufffd has a name"), ({"x": b"y"}, "x is a bytes")],
)
def test_so_is_a_name_that_cannot_be_encoded(body: Any, named: str) -> None:
    with pytest.raises(InvalidRequest, match=f"POST /x: {named}"):
        paid(body=body)


def test_a_body_that_holds_itself_is_refused() -> None:
    body: dict[str, Any] = {}
    body["x"] = body
    with pytest.raises(InvalidRequest, match="nested"):
        paid(body=body)


def test_what_is_sent_is_what_was_encoded_when_the_call_was_made(server: RawServer) -> None:
    body = {"prompt": "Größe"}
    call = paid(body=body)
    body["prompt"] = object()
    send(server, call)
    assert server.heard[0].body == call.payload == '{"prompt":"Größe"}'.encode()


def test_a_get_cannot_be_paid_for() -> None:
    with pytest.raises(ValueError, match="may be sent twice"):
        get(paid=True)


def test_a_header_of_the_users_need_not_be_ascii(server: RawServer) -> None:
    send(server, paid(), headers={"X-Team": "Größe"})
    assert server.heard[0].headers["x-team"].encode("latin-1").decode() == "Größe"


def test_a_header_that_http_does_not_allow_means_that_nothing_was_sent(server: RawServer) -> None:
    error = fails(server, paid(), WireError, headers={"X-Team": "a\nb"})
    assert not error.sent and not server.heard


def test_the_body_is_what_was_given(server: RawServer) -> None:
    send(server, paid(headers={"Idempotency-Key": "k-1"}))
    (heard,) = server.heard
    assert json.loads(heard.body) == {"prompt": "p"}
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["idempotency-key"] == "k-1"


@pytest.mark.parametrize("warm", [False, True], ids=["new", "used"])
def test_a_cancellation_at_any_moment_leaves_no_connection_that_waits_for_ever(warm: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def act() -> None:
        # On this very loop, so that each turn of it is one step of the request.
        running = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = running.sockets[0].getsockname()[1]
        request = http.Request("GET", "GET /x", f"http://127.0.0.1:{port}/x")
        ended = False
        for turns in range(60):
            client = http.HttpClient()
            if warm:
                await client.send(request, seconds=5.0)
            task = asyncio.create_task(client.send(request, seconds=5.0))
            for _ in range(turns):
                await asyncio.sleep(0)
            ended = ended or task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await client.send(request, seconds=2.0)).status == 200, turns
            await client.aclose()
        running.close()
        assert ended, "no cancellation came late enough"

    asyncio.run(act())


def test_a_header_that_cannot_be_sent_is_in_no_traceback(server: RawServer) -> None:
    request = http.Request("GET", "GET /x", f"{server.url}/x", {"Authorization": "Bearer hunter2\nhunter2"})

    async def act() -> None:
        await http.HttpClient().send(request, seconds=5.0)

    with pytest.raises(WireError) as caught:
        asyncio.run(act())
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True, compact=True).format()
    # This test's own frames hold it.
    assert not [line for line in "".join(told).split("core/http.py")[1:] if "hunter2" in line]
