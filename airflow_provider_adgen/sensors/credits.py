# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits until an account has credits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sensors.base import AdGenSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.hooks.base import AdGenHook
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
        self._found: dict[str, Any] | None = None

    def _credits(self) -> int:
        from airflow_provider_adgen.core.errors import InvalidRequest
        from airflow_provider_adgen.operators._options import whole_credits

        try:
            number = whole_credits("required", self.required)
        except ValueError as error:
            raise InvalidRequest(f"{error}. Nothing was sent.") from None
        if number is None:
            raise InvalidRequest("required must be a whole number of credits. Nothing was sent.")
        return number

    def look(self, hook: AdGenHook) -> bool:
        """Ask for the balance once."""
        from airflow_provider_adgen.core.errors import InvalidRequest

        needed = self._credits()
        balance = hook.get_credits()
        if balance.remaining is None:
            raise InvalidRequest(f"{hook.vendor.title} does not tell its balance, so it cannot be waited for.")
        self._found = {"remaining": balance.remaining, "used": balance.used, "limit": balance.limit}
        return balance.remaining >= needed

    def result(self) -> Any:
        """Return the balance as a dictionary."""
        return self._found

    def trigger(self, hook: AdGenHook, **waiting: Any) -> PollTrigger:
        """Wait for the credits in the triggerer."""
        from airflow_provider_adgen.triggers.credits import CreditTrigger

        return CreditTrigger(required=self._credits(), **waiting)
