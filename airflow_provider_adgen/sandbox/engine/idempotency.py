# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Replaying the answer to an idempotency key."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from airflow_provider_adgen.sandbox.engine.answers import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_adgen.sandbox.engine.clock import Clock
    from airflow_provider_adgen.sandbox.engine.store import Store


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return a hash that identifies a request."""
    return sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


class Replays:
    """The first answer to each key, kept for a while.

    :param seconds: how long.
    """

    def __init__(self, store: Store, clock: Clock, seconds: float = 24 * 3600) -> None:
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._turns: dict[tuple[str, str, str], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, vendor: str, account: str, key: str | None) -> AsyncIterator[None]:
        """Let only one request with a key run at a time; the next one finds its answer. Without a key nothing waits."""
        if not key:
            yield
            return
        name = (vendor, account, key)
        lock, waiting = self._turns.get(name, (asyncio.Lock(), 0))
        self._turns[name] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[name]
            if waiting == 1:
                del self._turns[name]
            else:
                self._turns[name] = (lock, waiting - 1)

    def find(self, vendor: str, account: str, key: str) -> tuple[Answer, str] | None:
        """Return the kept answer and the fingerprint of its request."""
        row = self._store.row(
            "SELECT * FROM idempotency WHERE vendor = ? AND account = ? AND key = ?", (vendor, account, key)
        )
        if row is None or row["time"] + self._seconds <= self._clock.now():
            return None
        answer = Answer(status=row["status"], body=row["body"], headers=json.loads(row["headers"]))
        return answer, row["fingerprint"]

    def keep(self, vendor: str, account: str, key: str, print_: str, answer: Answer) -> None:
        """Keep an answer if it is a success: a refused request may be sent again with its key."""
        if answer.status >= 300:
            return
        self._store.run(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                vendor,
                account,
                key,
                print_,
                self._clock.now(),
                answer.status,
                json.dumps(answer.headers),
                answer.payload(),
            ),
        )
