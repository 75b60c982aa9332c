# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One request for an account's balance, for everybody who waits for it."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.errors import AdGenError, AuthenticationError
from airflow_provider_adgen.hooks.balance import ask_balance

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire

CLAIM = 60.0
"""Seconds after which a task that was let go has spent its credits, so that the balance shows it."""


class BalanceCache:
    """
    The balance of one account, as all waiters of one event loop see it.

    :param clock: time, injected.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._key = ""
        self._remaining: int | None = None
        self._error: AdGenError | None = None
        self._claims: list[tuple[float, int]] = []

    async def has(self, wire: Wire, required: int, *, max_age: float, claim: bool) -> bool:
        """
        Return whether the account has so many credits that nobody else was just promised.

        :param wire: the account.
        :param required: whole credits.
        :param max_age: seconds; a balance that is no older serves again.
        :param claim: they are about to be spent: nobody else is promised the same ones.
        :raises AdGenError: the vendor cannot be asked.
        """
        async with self._lock:
            # One request is under way at a time; whoever waited for it takes what it found.
            if self._clock.monotonic() - self._read_at >= max_age or self._key != wire.account.key_tag:
                await self._read(wire)
        if self._error is not None:
            raise self._error
        now = self._clock.monotonic()
        self._claims = [one for one in self._claims if one[0] > now]
        if self._remaining is None or self._remaining - sum(one[1] for one in self._claims) < required:
            return False
        if claim:
            self._claims.append((now + CLAIM, required))
        return True

    async def _read(self, wire: Wire) -> None:
        self._remaining, self._error, self._key = None, None, wire.account.key_tag
        try:
            balance = await ask_balance(wire)
        except AuthenticationError:
            # The connection is read again next; the key it holds then is worth another request at once.
            self._key = ""
            raise
        except AdGenError as error:
            self._error = error
        else:
            self._remaining = balance.remaining
        self._read_at = self._clock.monotonic()


_caches: weakref.WeakKeyDictionary[Wire, BalanceCache] = weakref.WeakKeyDictionary()


def balance_cache_of(wire: Wire) -> BalanceCache:
    """Return the balance cache of a poll loop's account."""
    return _caches.setdefault(wire, BalanceCache())
