# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The first step of a campaign: whether its accounts can take part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.campaigns.step import CampaignStep
from airflow_provider_adgen.core.wording import counted
from airflow_provider_adgen.operators._option_values import one_of, refused_options, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_provider_adgen.hooks.base import AdGenHook

ACCOUNTS = "accounts"
"""XCom with the accounts that take part."""
OUT = "out"
"""XCom with the accounts that take no part, and why."""


@dataclass(frozen=True)
class _Out:
    reason: str
    droppable: bool


class CheckAccountsOperator(CampaignStep):
    """
    Check the key and the balance of every account of a campaign. It reserves nothing and costs nothing.

    An account is *out* if the vendor refuses its key (401, 403), if it is known to have no credits, or if its key is a
    token that ends within the run. Returns ``{"accounts": [...], "out": {conn_id: reason}, "credits": {conn_id:
    remaining}}``; the XComs ``accounts`` and ``out`` have the accounts that take part, and those that do not.

    :param accounts: the Airflow connections, in order of preference.
    :param on_account_out: when an account is out: ``fail``, or ``drop`` it and go on with the others. Only an account
        that the vendor itself refuses, or that is known to have no credits, is dropped. A vendor that does not answer
        fails the task in any case, so that an outage does not move everything to a dearer vendor.
    :param longest: seconds (or a timedelta) that the run may take: a key must not end before.
    :raises AirflowFailException: an account is out.
    :raises ApiError: the vendor answered with another error. A retry may help, and costs nothing.
    :raises WireError: the vendor did not answer. A retry may help, and costs nothing.
    """

    template_fields: Sequence[str] = ("is_dry_run",)
    in_dry_run = True

    def __init__(
        self,
        *,
        accounts: Sequence[str],
        on_account_out: Literal["fail", "drop"] = "fail",
        longest: float | timedelta = 86400.0 + 7200.0,
        destination: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(destination=destination, **kwargs)
        self.accounts = list(accounts)
        self.on_account_out = on_account_out
        self.longest = longest

    def do(self, context: Context) -> dict[str, Any]:
        """Ask each account."""
        from airflow_provider_adgen.core.errors import InvalidRequest

        with refused_options():
            drop = one_of("on_account_out", self.on_account_out, ("fail", "drop")) == "drop"
            longest = seconds("longest", self.longest)
        remaining: dict[str, int | None] = {}
        out: dict[str, _Out] = {}
        for conn_id in self.accounts:
            found = self._ask(conn_id, longest)
            if isinstance(found, _Out):
                out[conn_id] = found
            else:
                remaining[conn_id] = found
        told = " ".join(f"{conn_id}: {one.reason}" for conn_id, one in out.items())
        if any(not (drop and one.droppable) for one in out.values()):
            raise InvalidRequest(f"An account of this campaign cannot take part. Nothing was charged. {told}")
        if not remaining:
            raise InvalidRequest(f"No account of this campaign can take part. Nothing was charged. {told}")
        if out:
            self.log.warning("Going on without accounts that cannot take part. %s", told)
        for conn_id, credits_left in remaining.items():
            known = "does not tell its balance" if credits_left is None else f"has {counted(credits_left, 'credit')}"
            self.log.info("%s takes part; it %s.", conn_id, known)
        reasons = {conn_id: one.reason for conn_id, one in out.items()}
        context["ti"].xcom_push(key=ACCOUNTS, value=list(remaining))
        context["ti"].xcom_push(key=OUT, value=reasons)
        return {"accounts": list(remaining), "out": reasons, "credits": remaining}

    def _ask(self, conn_id: str, longest: float) -> int | _Out | None:
        """Return the credits that remain, None where the vendor does not tell; or why the account is out."""
        from airflow_provider_adgen.core.errors import AuthenticationError, PermissionDenied
        from airflow_provider_adgen.hooks.base import AdGenHook

        hook = AdGenHook(conn_id)
        try:
            balance = hook.with_current_key(hook.get_credits)
        except (AuthenticationError, PermissionDenied) as error:
            # A key is refused with 401, whatever stands beside it. With 403 some proxy between may have answered.
            return _Out(error.message, droppable=error.own_words or isinstance(error, AuthenticationError))
        if balance.remaining is not None and balance.remaining <= 0:
            return _Out(f"{hook.vendor.title} says that it has no credits left.", droppable=True)
        return _ending(hook, longest) or balance.remaining


def _ending(hook: AdGenHook, longest: float) -> _Out | None:
    from datetime import UTC, datetime

    from airflow_provider_adgen.core.clock import SYSTEM
    from airflow_provider_adgen.core.tokens import token_end

    end = token_end(hook.account().key.reveal())
    if end is None or end > SYSTEM.now() + longest:
        return None
    moment = datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")
    return _Out(
        f"its key ends at {moment}, within the {longest:.0f} s that the run may take; put a newer key into the "
        "connection.",
        droppable=False,
    )
