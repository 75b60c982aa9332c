# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One look at an account's balance for everybody who waits for it."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import AdGenError, AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.wire import Wire

CLAIM = 60.0
"""Seconds after which a task that was let go has spent its credits, so that the balance shows it."""


class BalanceCache:
    """
    The balance of one account, as all waiters of one event loop see it.

    :param now: seconds of a clock that never goes back, injected.
    """

    def __init__(self, now: Callable[[], float] = SYSTEM.monotonic) -> None:
        self._now = now
        self._lock = asyncio.Lock()
        self._asked = float("-inf")
        self._key = ""
        self._remaining: int | None = None
        self._error: AdGenError | None = None
        self._claims: list[tuple[float, int]] = []

    async def holds(self, wire: Wire, required: int, *, within: float, claims: bool) -> bool:
        """
        Return whether the account holds so many credits that nobody else was just promised.

        :param wire: the account.
        :param required: whole credits.
        :param within: seconds; a look that is no older serves again.
        :param claims: they are about to be spent: nobody else is promised the same ones.
        :raises AdGenError: the vendor cannot be asked.
        """
        async with self._lock:
            # One look is under way at a time; whoever waited for it takes what it found.
            if self._now() - self._asked >= within or self._key != wire.account.key_tag:
                await self._look(wire)
        if self._error is not None:
            raise self._error
        now = self._now()
        self._claims = [one for one in self._claims if one[0] > now]
        if self._remaining is None or self._remaining - sum(one[1] for one in self._claims) < required:
            return False
        if claims:
            self._claims.append((now + CLAIM, required))
        return True

    async def _look(self, wire: Wire) -> None:
        self._remaining, self._error, self._key = None, None, wire.account.key_tag
        try:
            balance = await wire.call(wire.vendor.credits())
        except AuthenticationError:
            # The connection is read anew next; what it says then is worth another look at once.
            self._key = ""
            raise
        except AdGenError as error:
            self._error = error
        else:
            self._remaining = balance.remaining
        self._asked = self._now()


_purses: weakref.WeakKeyDictionary[Wire, BalanceCache] = weakref.WeakKeyDictionary()


def balance_cache_of(wire: Wire) -> BalanceCache:
    """Return the purse of a poll loop's account."""
    return _purses.setdefault(wire, BalanceCache())
