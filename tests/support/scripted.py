# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A wire to a server that a test scripts, and calls to send over it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.calls import Answer, Call, RateClass
from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.endpoint import Endpoint
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.vendors.adsumo import VENDOR
from tests.support.raw import saying

if TYPE_CHECKING:
    from airflow_provider_adgen.core.decisions.rates import RateBudget
    from airflow_provider_adgen.core.errors import AdGenError
    from tests.support.raw import RawServer

SECRET = "adsumo-key-1"
FINE = saying(200, {"id": "j"})


class Quick(Clock):
    """A clock whose sleeps pass at once and are remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def now(self) -> float:
        return super().now() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


def parse(answer: Answer) -> Any:
    return Endpoint("Adsumo", "X /x").object(answer)


def get(path: str = "/x", **fields: Any) -> Call[Any]:
    return Call(method="GET", path=path, endpoint="GET /x", parse=parse, **fields)


def paid(**fields: Any) -> Call[Any]:
    made = {
        "path": "/x",
        "endpoint": "POST /x",
        "parse": parse,
        "body": {"prompt": "p"},
        "rate_class": RateClass.SUBMIT,
    }
    return Call(method="POST", paid=True, **{**made, **fields})


def wire(
    server: RawServer,
    *,
    clock: Clock | None = None,
    budget: RateBudget | None = None,
    timeout: float = 2.0,
    **account: Any,
) -> Wire:
    made = {"base_url": server.url, "headers": {"X-Team": "growth"}, "timeout": timeout, **account}
    account = Account(vendor="adsumo", conn_id="c", key=Secret(SECRET), **made)
    return Wire(VENDOR, account, budget=budget, clock=clock or Quick())


def send(server: RawServer, call: Call[Any], **options: Any) -> Any:
    async def act() -> Any:
        async with wire(server, **options) as opened:
            return await opened.call(call)

    return asyncio.run(act())


def fails(server: RawServer, call: Call[Any], kind: type[AdGenError], **options: Any) -> Any:
    with pytest.raises(kind) as caught:
        send(server, call, **options)
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None, "httpx puts the request and its headers on its exceptions"
    return caught.value
