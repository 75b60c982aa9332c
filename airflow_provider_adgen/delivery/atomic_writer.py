# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The writer of one file for callers on the event loop: every blocking step runs in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_adgen.core.failpoints import failpoint
from airflow_provider_adgen.core.scrub import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_adgen.delivery.sinks import Sink

T = TypeVar("T")


class NotStored(Exception):
    """The destination did not take the file; the message says why, without URLs."""


class AtomicWriter:
    """
    Writes one file to its destination and computes its hashes.

    :param make: opens the sink; called on the first write, in a thread.
    :param algorithms: further hashes to compute, beside SHA-256.
    """

    def __init__(self, make: Callable[[], Sink], algorithms: Iterable[str] = ()) -> None:
        self._make = make
        self._sink: Sink | None = None
        self._lock = threading.Lock()
        self._ended = False
        self.size = 0
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=False) for name in dict.fromkeys(("sha256", *algorithms))
        }

    @property
    def sha256(self) -> str:
        """Hex digest of what was written."""
        return self.digest("sha256").hex()

    def digest(self, algorithm: str) -> bytes:
        """Return the digest of what was written."""
        return self._hashes[algorithm].digest()

    async def write(self, data: bytes) -> None:
        """
        Append *data*.

        :raises NotStored: the destination does not take it.
        """
        await self._in_thread(self._write, data)

    async def commit(self) -> None:
        """
        Check what was written and give it its final name.

        :raises NotStored: the destination does not take it.
        """
        await self._in_thread(self._commit)

    async def abort(self) -> None:
        """Remove what was written; has no effect after :meth:`commit`."""
        await asyncio.to_thread(self._abort)

    async def _in_thread(self, step: Callable[..., T], *args: Any) -> T:
        try:
            return await asyncio.to_thread(self._exclusive, step, *args)
        except NotStored:
            raise
        except Exception as error:  # a file system may raise anything: botocore's errors, a missing connection, ...
            raise NotStored(reason(error)) from None

    def _exclusive(self, step: Callable[..., T], *args: Any) -> T:
        # A cancelled wait leaves its thread running. The lock makes the cleanup wait for that thread.
        with self._lock:
            if self._ended:
                raise NotStored("it was given up")
            return step(*args)

    def _opened(self) -> Sink:
        if self._sink is None:
            self._sink = self._make()
        return self._sink

    def _write(self, data: bytes) -> None:
        self._opened().write(data)
        for value in self._hashes.values():
            value.update(data)
        self.size += len(data)

    def _commit(self) -> None:
        sink = self._opened()
        failpoint("while-storing")
        sink.commit(self.size, self.sha256)
        self._ended = True

    def _abort(self) -> None:
        with self._lock:
            if not self._ended and self._sink is not None:
                with contextlib.suppress(Exception):  # the error that led here is raised, and it matters more
                    self._sink.abort()
            self._ended = True
