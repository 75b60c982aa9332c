# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A vendor that answers as its documentation's examples do, and remembers what it was asked, word for word."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_adgen.hooks.base import typed_hook
from tests.support.raw import Connection, RawServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "adsumo_sk_of_a_page"
PREFIX = {"adsumo": "/api/v1", "sume": "/api/v1", "cutx": "", "cinematicads": ""}


@dataclass
class Asked:
    """One request: what the vendor's page would show of it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        """The JSON body; None where there is none."""
        return json.loads(self.content) if self.content else None


class Pages:
    """
    One vendor's documentation as a server.

    :param vendor: whose.
    :param server: it runs.
    """

    def __init__(self, vendor: str, server: RawServer) -> None:
        self.vendor = vendor
        self.url = server.url
        self._server = server
        self._answers: dict[tuple[str, str], tuple[int, Any, dict[str, str]]] = {}
        server.scripts[:] = [self._answer]

    def say(self, method: str, path: str, value: Any, status: int = 200, **headers: str) -> None:
        """Answer so from now on; bytes are sent as they are."""
        self._answers[method, PREFIX[self.vendor] + path] = (status, value, headers)

    @property
    def hook(self) -> Any:
        """A new hook with this vendor's connection."""
        return typed_hook(self.vendor, "page")

    @property
    def asked(self) -> list[Asked]:
        """All requests, in order."""
        found = []
        for one in self._server.heard:
            parts = urlsplit(one.path)
            path = parts.path.removeprefix(PREFIX[self.vendor])
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            found.append(Asked(one.method, path, query, one.headers, one.body))
        return found

    @property
    def last(self) -> Asked:
        """The latest request."""
        return self.asked[-1]

    def _answer(self, connection: Connection) -> None:
        heard = connection.heard
        status, value, headers = self._answers.get(
            (heard.method, urlsplit(heard.path).path), (418, {"error": f"no page shows {heard.method}"}, {})
        )
        connection.answer(status, b"" if status == 204 else value, **{"Content_Type": "application/json", **headers})


def both(hook: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Return what both wires make of an endpoint, which must be the same."""
    blocking, waiting = getattr(hook, method)(*args, **kwargs), getattr(hook, f"a{method}")(*args, **kwargs)
    if hasattr(blocking, "__next__"):
        blocking = list(blocking)

        async def listed() -> list[Any]:
            return [item async for item in waiting]

        assert asyncio.run(listed()) == blocking
    else:
        assert asyncio.run(waiting) == blocking
    return blocking


@pytest.fixture
def pages_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Pages]]:
    """Make a vendor that answers as its pages do; the connection is ``page``."""
    monkeypatch.setattr("airflow_provider_adgen.core.retrying._backoff", lambda _state: 0.0)
    servers: list[RawServer] = []

    def make(vendor: str) -> Pages:
        server = RawServer(lambda connection: connection.close()).__enter__()
        servers.append(server)
        connection = {"conn_type": vendor, "host": server.url + PREFIX[vendor], "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_PAGE", json.dumps({**connection, "extra": json.dumps({"timeout": 5})}))
        return Pages(vendor, server)

    yield make
    for server in servers:
        server.__exit__()
