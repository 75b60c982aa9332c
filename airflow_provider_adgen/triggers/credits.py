# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits for credits without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.triggers.base import ErrandTrigger
from airflow_provider_adgen.triggers.errands import Errand, Look

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire

ENOUGH = "enough"
"""Status word of the event when the balance suffices."""


class CreditTrigger(ErrandTrigger):
    """
    Waits until the account has so many credits.

    :param required: whole credits.
    """

    def __init__(self, *, required: int, **waiting: Any) -> None:
        super().__init__(**waiting)
        self.required = required

    def own_arguments(self) -> dict[str, Any]:
        """Return the credits."""
        return {"required": self.required}

    def subject(self) -> str:
        """Return an empty id: the event is about no job."""
        return ""

    def errand(self) -> Errand:
        """Ask for the balance until it suffices."""
        required = self.required

        async def look(wire: Wire) -> Look:
            balance = await wire.call(wire.vendor.credits())
            enough = balance.remaining is not None and balance.remaining >= required
            return Look(ENOUGH if enough else f"short of {required} credits", enough)

        plan = Schedule(interval=self.poll_interval)
        return Errand(key=("credits", required), look=look, plan=plan, since=self.since)
