# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Carries out calls, sequences and streams for one connected account.

All policy of the transport is here, once: authentication, deadlines, redirects of a GET on the same host, repeating
what may be repeated, the account's rate budget, errors. The synchronous hooks run this same code on a loop of their
own (:mod:`airflow_provider_adgen.core.blocking`).
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from airflow_provider_adgen.core.calls import (
    AccountState,
    Answer,
    Call,
    Emit,
    Listen,
    RateClass,
    Request,
    Sequence,
    Stream,
    query_text,
)
from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.decisions.rate_headers import retry_after
from airflow_provider_adgen.core.decisions.rates import NEAR, RateBudget
from airflow_provider_adgen.core.decisions.spending import check_spending
from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.core.http import HttpClient, Opened
from airflow_provider_adgen.core.retrying import ATTEMPTS, retrying
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.core.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.vendor import Vendor

T = TypeVar("T")


@dataclass
class Tally:
    """
    What a wire has sent so far.

    :param requests: requests, answered or not; a redirect that is followed is part of its request.
    :param refused: answers 429.
    :param streams: streams that are open just now.
    """

    requests: int = 0
    refused: int = 0
    streams: int = 0


_REDIRECTS = 5
_EXCERPT = 4096
# Bytes of an answer from which reading it would hold up the event loop.
_LARGE = 64 << 10
_USER_AGENT = f"airflow-provider-adgen/{VERSION} Python/{platform.python_version()}"


class Wire:
    """
    Carries out calls for one connected account, on one event loop.

    :param vendor: the vendor's definition.
    :param account: the account.
    :param budget: the account's rate budget in this process; shared by all its wires.
    :param clock: time, injected.
    :param attempts: how often a repeatable request is sent at most.
    """

    def __init__(
        self,
        vendor: Vendor,
        account: Account,
        *,
        budget: RateBudget | None = None,
        clock: Clock = SYSTEM,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.vendor = vendor
        self.account = account
        self.budget = budget if budget is not None else RateBudget(account.requests_per_minute, vendor.rate_limits)
        self.tally = Tally()
        self._clock = clock
        self._attempts = attempts
        self._client: HttpClient | None = None
        self._reading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what is open; the wire can be used again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # --- the three kinds ------------------------------------------------------------------------------------------

    async def call(self, call: Call[T]) -> T:
        """
        Carry out one call.

        :raises ApiError: the vendor answered with an error status.
        :raises WireError: no answer arrived.
        :raises UnexpectedResponse: the answer cannot be read.
        """
        if not call.may_repeat or self._attempts == 1:
            answer = await self._once(call)
        else:
            answer = await retrying(self._attempts, self._clock)(self._once, call)
        if len(answer.content) <= _LARGE:
            return self._read(call, answer)
        async with self._reading:  # several threads at a time would hold up the loop, too
            return await asyncio.to_thread(self._read, call, answer)

    async def run(self, sequence: Sequence[T]) -> T:
        """Carry out a sequence and return its result; what it emits is dropped."""
        try:
            order = sequence.send(None)
            while True:
                order = sequence.send(None) if isinstance(order, Emit) else _tell(sequence, *await self._do(order))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            sequence.close()

    async def _do(self, order: Any) -> tuple[Any, AdGenError | None]:
        """Do what a sequence asks for; return what came of it, or the error it is told."""
        if isinstance(order, AccountState):
            return self.account.state, None
        try:
            return await (self._listen(order) if isinstance(order, Listen) else self.call(order)), None
        except (ApiError, WireError, UnexpectedResponse) as error:
            return None, error

    async def _listen(self, listen: Listen[T]) -> list[T]:
        heard: list[T] = []
        loop = asyncio.get_running_loop()
        until, ending = loop.time() + listen.seconds, False
        # Not longer than that, or a rationed connection is used up by waiting for it.
        events = self.stream(listen.stream, silence=listen.seconds, near=min(NEAR, listen.seconds / 2))
        try:
            async with asyncio.timeout_at(until) as timer, contextlib.aclosing(events) as items:
                async for item in items:
                    heard.append(item)
                    if not ending and listen.enough(item):
                        if listen.linger <= 0:
                            break
                        ending = True
                        timer.reschedule(min(until, loop.time() + listen.linger))
        except TimeoutError:
            pass
        except WireError:
            if not heard:
                raise
        return heard

    async def iterate(self, sequence: Sequence[Any]) -> AsyncGenerator[Any]:
        """Carry out a sequence and yield what it emits, asking for more only when the consumer does."""
        async with contextlib.aclosing(self.pages(sequence)) as pages:
            async for page in pages:
                for item in page:
                    yield item

    async def pages(self, sequence: Sequence[Any]) -> AsyncGenerator[list[Any]]:
        """Carry out a sequence and yield what it emits at a time, asking for more only when the consumer does."""
        try:
            order = sequence.send(None)
            while True:
                if isinstance(order, Emit):
                    yield list(order.items)
                    order = sequence.send(None)
                else:
                    order = _tell(sequence, *await self._do(order))
        except StopIteration:
            return
        finally:
            sequence.close()

    async def stream(self, stream: Stream[T], *, silence: float, near: float = NEAR) -> AsyncGenerator[T]:
        """
        Open a stream and yield what its events are read as, until it ends.

        :param stream: what to open.
        :param silence: seconds without a byte after which it counts as broken.
        :param near: seconds up to which a rate limit is waited for.
        :raises ApiError: the vendor answered with an error status.
        :raises WireError: it broke.
        """
        sent = await self._pass(stream.rate_class, stream.endpoint, near)
        request = Request(
            "GET",
            stream.endpoint,
            self._url(stream.path, stream.query),
            {**self._headers(), "Accept": "text/event-stream", "Cache-Control": "no-store"},
        )
        self.tally.streams += 1
        try:
            async with self._reused().open(request, seconds=silence) as opened:
                if opened.status != 200:
                    answer = Answer(opened.status, opened.headers, b"".join([part async for part in opened.chunks()]))
                    self._learn(stream.rate_class, answer, sent)
                    raise self._error(answer, stream.endpoint, stream.rate_class)
                self._learn(stream.rate_class, Answer(opened.status, opened.headers, b""), sent)
                async for event in opened.events():
                    item = stream.read(event)
                    if item is not None:
                        yield item
        finally:
            self.tally.streams -= 1

    @contextlib.asynccontextmanager
    async def open(self, call: Call[Any]) -> AsyncIterator[Opened]:
        """
        Carry out a GET of the vendor's own whose answer is a file, and hand out its body unread.

        :raises ApiError: the vendor answered with an error status.
        """
        sent, request = await self._pass(call.rate_class, call.endpoint), self._request(call)
        async with self._reused().open(request, seconds=self.account.timeout) as opened:
            if opened.status >= 300:
                content = b"".join([part async for part in opened.chunks()])
                answer = Answer(opened.status, opened.headers, content)
                self._learn(call.rate_class, answer, sent)
                raise self._error(answer, call.endpoint, call.rate_class)
            yield opened

    # --- one request ----------------------------------------------------------------------------------------------

    def _read(self, call: Call[T], answer: Answer) -> T:
        try:
            return call.parse(answer)
        except UnexpectedResponse as error:
            if call.paid:
                error.excerpt = scrub(answer.normalized, self.account.key.reveal(), longest=_EXCERPT)
            raise

    async def _once(self, call: Call[Any]) -> Answer:
        if call.foreign_url is not None:
            return await self._foreign(call)
        if call.paid and not call.collects:
            check_spending(self.account)
        sent = await self._pass(call.rate_class, call.endpoint, paid=call.paid)
        request = self._request(call)
        answer = await self._following_redirects(request)
        self._learn(call.rate_class, answer, sent)
        if not 200 <= answer.status < 300:
            raise self._error(answer, call.endpoint, call.rate_class)
        return answer

    async def _following_redirects(self, request: Request) -> Answer:
        for _ in range(_REDIRECTS + 1):
            answer = await self._reused().send(request, seconds=self.account.timeout)
            if answer.status not in {301, 302, 303, 307, 308} or request.method != "GET":
                return answer
            if not answer.headers.get("location"):
                return answer
            # What it redirects to is kept in no variable of this frame: error trackers show those.
            following = _redirected(request, answer)
            if following is None:
                raise UnexpectedResponse(
                    f"{self.vendor.title} redirected {request.endpoint} to another host; that is not followed, because "
                    "the key would go along.",
                    vendor=self.vendor.name,
                    endpoint=request.endpoint,
                )
            request = following
        raise UnexpectedResponse(
            f"{self.vendor.title} redirected {request.endpoint} more than {_REDIRECTS} times.",
            vendor=self.vendor.name,
            endpoint=request.endpoint,
        )

    async def _foreign(self, call: Call[Any]) -> Answer:
        # A storage host sees neither the key nor the connection's extra headers.
        request = Request(call.method, call.endpoint, call.foreign_url or "", dict(call.headers), call.payload)
        answer = await self._reused().send(request, seconds=max(self.account.timeout, 600.0))
        if not 200 <= answer.status < 300:
            cls = ServerError if answer.status >= 500 else ApiError
            raise cls(
                f"The storage host answered {answer.status} to {call.endpoint}.",
                vendor=self.vendor.name,
                endpoint=call.endpoint,
                status=answer.status,
            )
        return answer

    # --- helpers --------------------------------------------------------------------------------------------------

    def _reused(self) -> HttpClient:
        if self._client is None:
            self._client = HttpClient(verify=self.account.verify)
        return self._client

    def _request(self, call: Call[Any]) -> Request:
        headers = {**self._headers(), **call.headers}
        return Request(call.method, call.endpoint, self._url(call.path, call.query), headers, call.payload)

    def _url(self, path: str, query: Any) -> str:
        pairs = [(name, query_text(value)) for name, value in dict(query).items() if value is not None]
        url = self.account.base_url + path
        return f"{url}?{urlencode(pairs)}" if pairs else url

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/json",
            "User-Agent": _USER_AGENT,
            **self.account.headers,
            **self.vendor.auth_headers(self.account.key.reveal(), self.account.auth),
        }

    def submit_delay(self) -> float:
        """Return the seconds until a paid submission may go out; one that is sent earlier is refused, not held back."""
        return self.budget.delay(RateClass.SUBMIT, self._clock.monotonic())

    async def _pass(self, rate_class: RateClass, endpoint: str, near: float = NEAR, *, paid: bool = False) -> float:
        """
        Wait for the budget, and return the moment at which the request goes out.

        :param near: the longest wait, in seconds.
        :param paid: do not wait at all: what may be charged goes out at once, or is said not to have been sent.
        """
        began = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            wait = self.budget.delay(rate_class, now)
            if wait > 0 if paid else now + wait > began + near:
                raise self._held_back(rate_class, endpoint, wait)
            moment = now + self.budget.take(rate_class, now)
            if moment > now:
                if paid:  # another thread took the slot in between
                    self.budget.give_back(rate_class, moment)
                    raise self._held_back(rate_class, endpoint, moment - now)
                await self._clock.sleep(moment - now)
                if self.budget.stopped(rate_class, self._clock.monotonic()):
                    self.budget.give_back(rate_class, moment)  # a 429 to somebody else's request came meanwhile
                    continue
            self.tally.requests += 1
            return moment

    def _held_back(self, rate_class: RateClass, endpoint: str, wait: float) -> RateLimited:
        return RateLimited(
            f"{self.vendor.title}'s rate limit allows no {rate_class} request for another {wait:.0f} s; {endpoint} was "
            "not sent, and nothing was charged.",
            vendor=self.vendor.name,
            endpoint=endpoint,
            status=429,
            retry_after=wait,
            sent=False,
        )

    def _learn(self, rate_class: RateClass, answer: Answer, sent: float) -> None:
        self.tally.refused += answer.status == 429
        self.budget.learn(rate_class, answer.status, answer.headers, self._clock.monotonic(), self._clock.now(), sent)

    def _error(self, answer: Answer, endpoint: str, rate_class: RateClass) -> ApiError:
        wait = retry_after(answer.headers, self._clock.now()) if answer.status in {429, 503} else None
        if answer.status == 429 and wait is not None:
            # However short the vendor says: the budget lets nothing out before its own pause is over.
            wait = max(wait, self.budget.delay(rate_class, self._clock.monotonic()))
        return self.vendor.error(answer, endpoint, self.account.key.reveal(), retry_after=wait)


def _tell(sequence: Sequence[Any], done: Any, error: AdGenError | None) -> Any:
    # Not a coroutine: a sequence ends with StopIteration, which must not pass through one.
    return sequence.send(done) if error is None else sequence.throw(error)


def _redirected(request: Request, answer: Answer) -> Request | None:
    """Return the request that an answer redirects to; None where that is another host."""
    url = urljoin(request.url, answer.headers["location"])
    if urlsplit(url)[:2] != urlsplit(request.url)[:2]:
        return None
    return Request("GET", request.endpoint, url, request.headers)
