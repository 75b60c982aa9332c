# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The one place that asks for an account's balance, and reports it to Airflow's statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen import metrics

if TYPE_CHECKING:
    from airflow_provider_adgen.core.vocabulary import CreditBalance
    from airflow_provider_adgen.core.wire import Wire


async def ask_balance(wire: Wire) -> CreditBalance:
    """Ask for an account's balance; costs nothing."""
    balance = await wire.call(wire.vendor.credits())
    if balance.remaining is not None:
        tags = {"vendor": wire.vendor.name, "conn_id": wire.account.conn_id}
        metrics.gauge(metrics.CREDITS_REMAINING, balance.remaining, tags)
    return balance
