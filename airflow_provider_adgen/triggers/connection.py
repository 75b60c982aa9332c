# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The connection behind a poll loop: looked up once for all, and again when it may have changed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.http import prepare
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.hooks.base import AdGenHook, budget_of
from airflow_provider_adgen.triggers.targets import PollUpdate, UpdateKind

if TYPE_CHECKING:
    from airflow_provider_adgen.core.account import Account

log = logging.getLogger(__name__)

STALE = 300.0
"""Seconds after which a connection is read again, because it may have been edited."""

_PAUSES = (1.0, 2.0, 4.0)
_SAME_ERROR = 0.5


class LiveConnection:
    """
    The account of one connection, on one event loop.

    It must be looked up in a trigger's own coroutine: only there Airflow's look-up is safe. So one waiter at a time is
    asked to do it, through its inbox.

    :param conn_id: the connection.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.wire: Wire | None = None
        self.version = 0
        """Grows with each other account or reading after a refusal: which version an answer belongs to."""

        self._reader: asyncio.Queue[PollUpdate] | None = None
        self._reread: int | None = None
        self._read_at = self._asked_at = float("-inf")
        self._failed: tuple[float, Exception] | None = None
        self._lock = asyncio.Lock()

    async def look_up(self) -> None:
        """
        Read the connection if it was not read yet, or long ago; an outage of its backend is ridden out for seconds.

        :raises InvalidRequest: it cannot be used.
        :raises Exception: whatever Airflow says where it cannot be read.
        """
        if self.wire is not None and not self.stale(SYSTEM.monotonic()):
            return  # also while somebody holds the lock: a thousand waiters need not queue for it
        for pause in (*_PAUSES, None):
            try:
                return await self._look_up(None)
            except AdGenError:
                raise
            except Exception:
                if pause is None:
                    raise
            await SYSTEM.sleep(pause)

    async def provide(self, hook: AdGenHook) -> None:
        """Take the account of a hook that has read the connection already, on a worker."""
        async with self._lock:
            self._read_at = SYSTEM.monotonic()
            await self._adopt(hook, hook.account(), None)

    async def look_up_for(self, request: PollUpdate) -> None:
        """
        Do what a waiter was asked to do through its inbox.

        Where the connection cannot be read just now, the old key stays, and the next refusal tries again.

        :raises InvalidRequest: it can no longer be used.
        """
        try:
            await self._look_up(int(request.text) if request.text else None)
        except AdGenError:
            raise
        except Exception as error:
            log.warning("Connection %s cannot be read just now (%s).", self.conn_id, type(error).__name__)
            await SYSTEM.sleep(_PAUSES[-1])

    async def _look_up(self, refused: int | None) -> None:
        async with self._lock:
            now = SYSTEM.monotonic()
            if self.wire is not None and (not self.stale(now) if refused is None else refused != self.version):
                return
            if self._failed is not None and now < self._failed[0] + _SAME_ERROR:
                # A thousand waiters of a connection that is gone ask once.
                raise self._failed[1]
            try:
                hook = AdGenHook(self.conn_id)
                account: Account = await hook.aaccount(refresh=True)
                await asyncio.to_thread(prepare, account.verify)
            except Exception as error:
                if refused is None and self.wire is not None:
                    # It was read only because it may have changed; what is known still holds.
                    self._read_at = now
                    return
                self._failed = (SYSTEM.monotonic(), error)
                raise
            self._failed, self._read_at = None, SYSTEM.monotonic()
            await self._adopt(hook, account, refused)

    async def _adopt(self, hook: AdGenHook, account: Account, refused: int | None) -> None:
        if self.wire is None:
            # The loop repeats by its own schedule; the wire must not repeat on top of that.
            self.wire = Wire(hook.vendor, account, budget=budget_of(account), attempts=1)
            self.version += 1
            return
        before, self.wire.account = self.wire.account, account
        self.wire.budget = budget_of(account)
        if account.verify != before.verify:
            await self.wire.aclose()
        same = (account.key_tag, account.base_url) == (before.key_tag, before.base_url)
        if refused is not None or not same:
            self.version += 1
            self._reread = self.version if same and refused is not None else None

    def stale(self, now: float) -> bool:
        """Whether the connection was read long ago."""
        return now - self._read_at > STALE

    @property
    def awaited(self) -> bool:
        """Whether a waiter reads the connection after a refusal: with this key, others would only be refused too."""
        return self._reader is not None

    def ask_if_stale(self, inbox: asyncio.Queue[PollUpdate], now: float) -> None:
        """Ask a waiter to read the connection again if that was long ago; once, then not again for a while."""
        if self._reader is None and self.stale(now) and now - self._asked_at > STALE:
            self._asked_at = now
            inbox.put_nowait(PollUpdate(UpdateKind.READ_CONNECTION))

    def refused(self, inbox: asyncio.Queue[PollUpdate], version: int) -> None:
        """Take in that the vendor refused the key of a version, and ask a waiter to read the connection again."""
        if self._reader is None and version == self.version:
            self._reader = inbox
            inbox.put_nowait(PollUpdate(UpdateKind.READ_CONNECTION, str(version)))

    def done_reading(self, inbox: asyncio.Queue[PollUpdate]) -> bool:
        """Take in that a waiter has read the connection, or waits no longer; return whether it was awaited."""
        awaited = self._reader is inbox
        if awaited:
            self._reader = None
        return awaited

    def key_accepted(self) -> None:
        """Take in that the vendor accepted the key."""
        self._reread = None

    def was_reread(self, version: int) -> bool:
        """Whether this version was read after its key had been refused, and holds no other key."""
        return version == self.version == self._reread

    async def aclose(self) -> None:
        """Close what is open; it can be used again."""
        if self.wire is not None:
            await self.wire.aclose()
