# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a plan may cost at each account, and what is counted where no price is documented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.operators._option_values import of_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.core.vendor import Vendor


@dataclass(frozen=True)
class CampaignAccount:
    """
    An account that takes part in a campaign.

    :param conn_id: its connection.
    :param vendor: whose it is.
    """

    conn_id: str
    vendor: Vendor

    def __str__(self) -> str:
        return f"{self.conn_id} ({self.vendor.title})"


@dataclass
class AccountPlan:
    """
    What one account has to do.

    :param conn_id: the account.
    :param vendor: whose it is.
    :param items: creatives that it is to make.
    :param credits: what they cost, as far as a price is known.
    :param unpriced: how many of them have no known price.
    :param reused: creatives that it made before, and that are used again.
    :param reused_credits: what those would have cost, as far as a price is known.
    :param max_credits: the most it may spend; None without a limit.
    :param out: why it takes no part: it makes nothing new. None where it takes part.
    """

    conn_id: str
    vendor: str
    items: int = 0
    credits: int = 0
    unpriced: int = 0
    reused: int = 0
    reused_credits: int = 0
    max_credits: int | None = None
    out: str | None = None

    def has_room(self, price: int | None) -> bool:
        """Whether one more creative of that price fits."""
        return self.max_credits is None or self.credits + (price or 0) <= self.max_credits

    def allows(self, price: int | None) -> bool:
        """Whether a creative of that price fits if nothing else is made."""
        return self.max_credits is None or (price or 0) <= self.max_credits

    def take(self, price: int | None) -> None:
        """Count one more creative."""
        self.items += 1
        self.credits += price or 0
        self.unpriced += price is None


Assumed = Mapping[str, Mapping[str, int] | int]
"""What to count for one generation without a documented price, by connection, or by connection and kind."""


def check_names(name: str, value: Any, conn_ids: Sequence[str], *, every: bool) -> None:
    """
    Check which accounts a dictionary of credits names; anything else than a dictionary is not looked at.

    :param name: the argument.
    :param conn_ids: the accounts of the campaign.
    :param every: each of them must be in it.
    :raises InvalidRequest: it names a connection that is no account of the campaign, or misses one.
    """
    if not isinstance(value, Mapping):
        return
    if unknown := _unknown(value, conn_ids):
        raise InvalidRequest(
            f"{name} names {unknown}, which accounts does not have. The accounts are {', '.join(conn_ids)}."
        )
    if every and (missing := [one for one in conn_ids if one not in value]):
        raise InvalidRequest(f"{name} has no limit for {', '.join(missing)}: name every account, or none.")


def read_max_credits(value: Any, accounts: Sequence[CampaignAccount]) -> dict[str, int] | None:
    """
    Return the most credits by connection; None where there is no limit.

    :param value: a whole number where there is one account, else ``{conn_id: number}``.
    :raises InvalidRequest: it is something else, or an account is missing from it. Nothing was sent.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        missing = [one.conn_id for one in accounts if one.conn_id not in value]
        if missing:
            unknown = _unknown(value, [one.conn_id for one in accounts])
            more = f" It names {unknown}, which is no account of this plan." if unknown else ""
            raise InvalidRequest(
                f"max_credits has no limit for {', '.join(missing)}: name every account, or none.{more} Nothing was "
                "sent."
            )
        return {one.conn_id: _whole("max_credits", value[one.conn_id]) for one in accounts}
    return {_only("max_credits", accounts): _whole("max_credits", value)}


def read_assumed(value: Any, accounts: Sequence[CampaignAccount]) -> Assumed:
    """
    Return what to count where no price is documented, by connection; an account that is not in it has nothing.

    :param value: a whole number where there is one account, else ``{conn_id: number}`` or
        ``{conn_id: {kind: number}}``.
    :raises InvalidRequest: it is something else, or names a kind that the vendor does not have. Nothing was sent.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return {_only("assume_credits", accounts): _whole("assume_credits", value)}
    found: dict[str, Mapping[str, int] | int] = {}
    for one in accounts:
        given = value.get(one.conn_id)
        if isinstance(given, Mapping):
            for kind in given:
                one.vendor.request_class(kind)
            found[one.conn_id] = {kind: _whole("assume_credits", number) for kind, number in given.items()}
        elif given is not None:
            found[one.conn_id] = _whole("assume_credits", given)
    return found


def assumed_for(assumed: Assumed, conn_id: str, kind: str) -> int | None:
    """Return what to count for a request of a kind; None where nothing was said."""
    value = assumed.get(conn_id)
    return value.get(kind) if isinstance(value, Mapping) else value


def _unknown(value: Mapping[Any, Any], conn_ids: Sequence[str]) -> str:
    return ", ".join(repr(one) for one in value if one not in conn_ids)


def _only(name: str, accounts: Sequence[CampaignAccount]) -> str:
    if len(accounts) > 1:
        raise InvalidRequest(
            f"{name} must name the accounts, because there are several: {{conn_id: number}}. Credits of two accounts "
            "are never added up. Nothing was sent."
        )
    return accounts[0].conn_id


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = int(str(value))
    except (TypeError, ValueError):
        raise InvalidRequest(
            f"{name} must be whole numbers of credits, not {value!r:.40}{of_nothing(value)}. Nothing was sent."
        ) from None
    if number < 0:
        raise InvalidRequest(f"{name} must not be negative. Nothing was sent.")
    return number
