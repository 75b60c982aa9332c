# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits until an account has credits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sensors.base import AdGenSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.hooks.base import AdGenHook
    from airflow_provider_adgen.lifecycle.legs import Resumed
    from airflow_provider_adgen.triggers.base import PollTrigger


class CreditSensor(AdGenSensor):
    """
    Wait until the account has so many credits; costs nothing and reserves nothing. Returns the balance.

    :param conn_id: the Airflow connection.
    :param required: whole credits.
    :raises AirflowFailException: the key is refused, or the vendor does not tell its balance.
    """

    template_fields: Sequence[str] = ("conn_id", "required")

    def __init__(self, *, required: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.required = required

    def _credits(self) -> int:
        from airflow_provider_adgen.core.errors import InvalidRequest
        from airflow_provider_adgen.operators._option_values import refused_options, whole_credits

        with refused_options():
            number = whole_credits("required", self.required)
        if number is None:
            raise InvalidRequest("required must be a whole number of credits. Nothing was sent.")
        return number

    def look(self, hook: AdGenHook, resumed: Resumed | None) -> Any | None:
        """Ask for the balance once."""
        from airflow_provider_adgen.core.errors import InvalidRequest

        needed = self._credits()
        balance = hook.get_credits()
        if balance.remaining is None:
            raise InvalidRequest(f"{hook.vendor.title} does not tell its balance, so it cannot be waited for.")
        if balance.remaining < needed:
            return None
        return {"remaining": balance.remaining, "used": balance.used, "limit": balance.limit}

    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Wait for the credits in the triggerer."""
        from airflow_provider_adgen.triggers.credits import CreditTrigger

        return CreditTrigger(required=self._credits(), **waiting)
