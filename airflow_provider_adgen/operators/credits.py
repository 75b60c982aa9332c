# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Checks that an account can pay for what is planned, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_provider_adgen.compat import TRIGGER_FAILED, AirflowFailException, AirflowSkipException, conf
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators._legs import LegRunner
from airflow_provider_adgen.operators._option_values import one_of, refused_options, seconds, whole_credits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context, XComArg

    from airflow_provider_adgen.core.vocabulary import CreditBalance
    from airflow_provider_adgen.hooks.base import AdGenHook

_SINCE = "since"


@dataclass(frozen=True)
class _Price:
    kind: str
    credits: int | None
    assumed: bool = False


class CreditCheckOperator(BaseOperator):
    """
    Check the account's balance against what is planned. Advisory: it reserves nothing and costs nothing.

    Returns a dictionary: ``remaining`` (None where the vendor does not tell), ``required`` (the sum of what is known),
    ``unpriced`` (how many requests have no price in it), ``sufficient`` (None where that is not known), ``requests``
    (each with ``kind``, ``price``, whether that was ``assumed``, and ``affordable``) and ``affordable``, the requests
    that fit into the balance in the order given, as they were passed in (with ``trim`` these are what to submit).
    Nothing unknown is counted as nothing.

    :param conn_id: the Airflow connection; its type says which vendor.
    :param required: whole credits that are needed.
    :param requests: the planned requests, ``{"kind": ..., ...}`` each, in place of ``required``; they are validated and
        priced from the vendor's documented prices.
    :param assume_credits: what to count for a request whose price is not documented; without it such a request is
        refused, unless *on_unknown_price* says otherwise.
    :param on_unknown_price: a request of which neither the vendor nor ``assume_credits`` says what it costs: ``fail``,
        or ``allow`` and let it go along, in place of its price an unknown.
    :param on_unknown_balance: a vendor that does not tell its balance: ``allow`` with a warning, or ``fail``.
    :param reserve: credits that must be left over, for instance for jobs under way where the vendor may charge at the
        end.
    :param on_insufficient: ``fail``, ``skip`` (the task and what follows), ``wait`` until there are enough, or ``trim``
        (go on with the affordable part; skipped if that is empty).
    :param deferrable: wait in the triggerer instead of on a worker (default: Airflow's ``default_deferrable``).
    :param poll_interval: seconds (or a timedelta) between looks while waiting (default 60).
    :param timeout: seconds (or a timedelta) to wait at most (default 24 hours).
    :raises AirflowFailException: the credits do not suffice, a request is wrong, or the key is refused.
    """

    template_fields: Sequence[str] = ("conn_id", "required", "requests", "assume_credits", "reserve")
    ui_color = "#fff3c4"

    def __init__(
        self,
        *,
        conn_id: str,
        required: int | str | None = None,
        requests: list[dict[str, Any]] | XComArg | None = None,
        assume_credits: int | str | None = None,
        on_unknown_price: Literal["fail", "allow"] = "fail",
        on_unknown_balance: Literal["allow", "fail"] = "allow",
        reserve: int | str = 0,
        on_insufficient: Literal["fail", "skip", "wait", "trim"] = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 60.0,
        timeout: float | timedelta = 86400.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.required = required
        self.requests: Any = requests
        self.assume_credits = assume_credits
        self.on_unknown_price = on_unknown_price
        self.on_unknown_balance = on_unknown_balance
        self.reserve = reserve
        self.on_insufficient = on_insufficient
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    def execute(self, context: Context) -> dict[str, Any]:
        """Price what is planned and compare it with the balance."""
        return self._run(context, resumed=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check again after the trigger fired."""
        return self._run(context, resumed=True, event=event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral, also after one that went wrong: the balance is not touched by it."""
        if next_method == TRIGGER_FAILED:
            reason = (next_kwargs or {}).get("error", "unknown")
            self.log.warning("The trigger ended without an event (%s); checking from here.", reason)
            return self._run(context, resumed=True)
        return super().resume_execution(next_method, next_kwargs, context)

    def _run(self, context: Context, *, resumed: bool, event: dict[str, Any] | None = None) -> dict[str, Any]:
        from airflow_provider_adgen.core.clock import SYSTEM
        from airflow_provider_adgen.core.errors import RateLimited, ServerError, WireError
        from airflow_provider_adgen.hooks.base import AdGenHook
        from airflow_provider_adgen.lifecycle.legs import Finished, Resumed, SubmitLater, Wait

        with no_useless_retry():
            hook = AdGenHook(self.conn_id)
            hook.account()
            with refused_options():
                one_of("on_insufficient", self.on_insufficient, ("fail", "skip", "wait", "trim"))
                one_of("on_unknown_price", self.on_unknown_price, ("fail", "allow"))
                one_of("on_unknown_balance", self.on_unknown_balance, ("allow", "fail"))
                reserve = whole_credits("reserve", self.reserve) or 0
                interval = seconds("poll_interval", self.poll_interval)
                timeout = seconds("timeout", self.timeout)
                prices = self._prices(hook)
            began = SYSTEM.now()

            def leg(resumed: Resumed | None) -> Finished[dict[str, Any]] | Wait:
                known = resumed.remembered.get(_SINCE) if resumed is not None else None
                since = float(known) if isinstance(known, int | float) else began
                over = (resumed is not None and resumed.timed_out) or SYSTEM.now() >= since + timeout
                try:
                    report = self._report(hook.with_current_key(hook.get_credits), prices, reserve)
                except (RateLimited, ServerError, WireError) as error:
                    if resumed is None or over:
                        raise
                    self.log.warning("%s The balance is asked for again.", error.message)
                    report = None
                if report is not None and (report["sufficient"] is not False or self.on_insufficient != "wait" or over):
                    return Finished(self._conclude(hook, report))
                needed = sum(one.credits or 0 for one in prices) + reserve
                reason, moment = f"fewer credits than {needed}", SYSTEM.now() + interval
                later = SubmitLater(self.conn_id, reason, moment, credits=needed, claims=False)
                return Wait(since=since, until=since + timeout, submit=(later,), remember={_SINCE: since})

            with hook:
                runner = LegRunner(self, context, hook, deferrable=self.deferrable, poll_interval=interval)
                return runner.run(leg, runner.resumed(event) if resumed else None)

    def _prices(self, hook: AdGenHook) -> list[_Price]:
        from airflow_provider_adgen.core.errors import InvalidRequest

        required = whole_credits("required", self.required)
        assumed = whole_credits("assume_credits", self.assume_credits)
        if (required is None) == (self.requests is None):
            raise InvalidRequest("Give either required or requests. Nothing was sent.")
        if required is not None:
            return [_Price("required", required)]
        prices = []
        for place, value in enumerate(self.requests or ()):
            try:
                request = hook.vendor.parse_request(value)
            except InvalidRequest as error:
                raise InvalidRequest(f"Request {place} of the plan: {error.message}") from None
            documented = request.price()
            price = documented if documented is not None else assumed
            if price is None and self.on_unknown_price != "allow":
                raise InvalidRequest(
                    f"Request {place} of the plan ({request.kind}) has no documented price at {hook.vendor.title}. Say "
                    'with assume_credits what to count, or let it go along with on_unknown_price="allow". Nothing was '
                    "sent."
                )
            prices.append(_Price(request.kind, price, assumed=documented is None and price is not None))
        return prices

    def _report(self, balance: CreditBalance, prices: list[_Price], reserve: int) -> dict[str, Any]:
        required = sum(one.credits or 0 for one in prices)
        unpriced = sum(1 for one in prices if one.credits is None)
        room = None if balance.remaining is None else balance.remaining - reserve
        rows, affordable, left, open_ = [], [], room, True
        for place, one in enumerate(prices):
            price = one.credits
            # In the order given: after one that does not fit, the others wait for the next run.
            open_ = open_ and (left is None or price is None or price <= left)
            if open_:
                left = left if left is None or price is None else left - price
                if self.requests is not None:
                    affordable.append(self.requests[place])
            # Without a price or a balance it is not known whether it fits.
            fits = None if open_ and (left is None or price is None) else open_
            rows.append({"kind": one.kind, "price": price, "assumed": one.assumed, "affordable": fits})
        enough = None if room is None else required <= room
        return {
            "remaining": balance.remaining,
            "required": required,
            "unpriced": unpriced,
            "sufficient": None if enough and unpriced else enough,
            "requests": rows if self.requests is not None else [],
            "affordable": affordable,
        }

    def _conclude(self, hook: AdGenHook, report: dict[str, Any]) -> dict[str, Any]:
        from airflow_provider_adgen.core.errors import InsufficientCredits
        from airflow_provider_adgen.core.wording import counted

        title = hook.vendor.title
        if report["remaining"] is None:
            silent = f"{title} does not tell its balance; nothing could be checked."
            if self.on_unknown_balance == "fail":
                raise AirflowFailException(f"{silent} Nothing was charged.")
            self.log.warning("%s", silent)
        if report["unpriced"]:
            priced = "has" if report["unpriced"] == 1 else "have"
            number = counted(report["unpriced"], "request")
            self.log.warning("%s of the plan %s no known price; the sum leaves that out.", number, priced)
        needed = counted(report["required"], "credit is", "credits are")
        left = report["remaining"]
        known = "it does not tell how many remain" if left is None else counted(left, "remains", "remain")
        text = f"{needed} needed at {title} and {known}"
        if report["sufficient"] is not False:
            self.log.info("%s.", text)
            return report
        if self.on_insufficient == "trim" and report["affordable"]:
            self.log.warning("%s: going on with %s.", text, counted(len(report["affordable"]), "request"))
            return report
        if self.on_insufficient in {"skip", "trim"}:
            raise AirflowSkipException(f"{text}. Nothing was charged.")
        error = InsufficientCredits(
            f"{text}. Nothing was charged. Top up the account or plan less.",
            vendor=hook.vendor.name,
            status=402,
            required=report["required"],
            available=report["remaining"],
        )
        raise AirflowFailException(error.message) from error
