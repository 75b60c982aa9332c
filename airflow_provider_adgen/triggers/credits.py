# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for credits without a worker."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.triggers.base import PollTrigger
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire

ENOUGH = "enough"
"""Status of the event when the balance suffices."""


@dataclass(kw_only=True, eq=False, repr=False)
class CreditTrigger(PollTrigger):
    """
    Waits until the account has so many credits.

    However many wait at one connection, the balance is asked for about twice in each poll interval.

    :param required: whole credits.
    :param claims: who waits will spend them: of those, only as many are let go as the balance pays for.
    """

    required: int
    claims: bool = False

    def target(self) -> PollTarget:
        """Ask for the balance until it suffices."""
        from airflow_provider_adgen.triggers.balance_cache import balance_cache_of

        required, claims, max_age = self.required, self.claims, self.poll_interval / 2

        async def poll(wire: Wire) -> PollResult:
            enough = await balance_cache_of(wire).has(wire, required, max_age=max_age, claim=claims)
            return PollResult(ENOUGH if enough else f"short of {required} credits", enough)

        # What one of them may spend, another may not: they do not share what a poll finds.
        key = ("credits", required, uuid.uuid4().hex if claims else "")
        every = Schedule(interval=self.poll_interval)
        return PollTarget(key=key, poll=poll, schedule=every, since=self.since, kind="credits")
