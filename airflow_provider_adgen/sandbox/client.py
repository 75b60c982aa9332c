# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A client for the control API of a running sandbox; it needs only the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime


class SandboxError(RuntimeError):
    """The sandbox refused a control request; the text says why."""


class SandboxClient:
    """The control API of a running sandbox.

    :param base_url: the address that the sandbox printed when it started.
    """

    def __init__(self, base_url: str) -> None:
        self._url = base_url.rstrip("/")
        self._vendors: dict[str, dict[str, str]] = {}
        # No proxies: the sandbox is on this machine or near it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def url(self) -> str:
        """The sandbox's base URL."""
        return self._url

    def _ask(self, verb: str, place: str, body: Any = None, /, **query: Any) -> Any:
        text = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        url = f"{self.url}/_sandbox{place}" + (f"?{text}" if text else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=verb)  # noqa: S310 - the sandbox's own URL
        try:
            with self._opener.open(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                message = json.loads(error.read() or b"{}").get("error", str(error))
            raise SandboxError(message) from None

    def overview(self) -> dict[str, Any]:
        """Return the sandbox's time, its vendors' hosts and keys, and the kinds of faults."""
        return dict(self._ask("GET", "/"))

    def vendors(self) -> dict[str, dict[str, str]]:
        """Return the host and the key of each vendor, by its name. They never change, so they are requested once."""
        if not self._vendors:
            self._vendors = self.overview()["vendors"]
        return self._vendors

    def host_for(self, vendor: str) -> str:
        """Return the base URL to put into a connection's host."""
        return self.vendors()[vendor]["host"]

    def key_for(self, vendor: str) -> str:
        """Return the key of a vendor's first account, to put into a connection's password."""
        return self.vendors()[vendor]["key"]

    def connection(self, vendor: str, **extra: Any) -> dict[str, Any]:
        """Return an Airflow connection to a vendor's sandbox.

        :param extra: what goes into its ``extra``.
        """
        return {
            "conn_type": vendor,
            "host": self.host_for(vendor),
            "password": self.key_for(vendor),
            "extra": dict(extra),
        }

    def connection_json(self, vendor: str, **extra: Any) -> str:
        """Return the connection as the text that an ``AIRFLOW_CONN_...`` variable takes."""
        return json.dumps(self.connection(vendor, **extra))

    def ledger(
        self,
        vendor: str | None = None,
        *,
        kind: str | None = None,
        job_id: str | None = None,
        account: str | None = None,
        key: str | None = None,
        idempotency_key: str | None = None,
        day: date | str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> list[dict[str, Any]]:
        """List charges, refunds and grants in order: all, or those that match every argument.

        Each has vendor, account, kind, credits (positive; ``kind`` says which way), job_id, what, idempotency_key (of
        a refund: its charge's), time and balance_after. A refund's time is the end of its job.

        :param kind: ``charge``, ``refund`` or ``grant``.
        :param key: an API key, for the account that it belongs to.
        :param day: a UTC day of the sandbox's time, such as ``2026-01-15``.
        :param since: a moment with its time zone; entries of that moment count.
        :param until: a moment with its time zone; entries of that moment do not count.
        :raises SandboxError: for an unknown vendor or key, and for a moment without a time zone.
        """
        given = locals()
        return list(self._ask("GET", "/ledger", **{name: value for name, value in given.items() if name != "self"}))

    def ledger_sums(self, vendor: str | None = None, *, by: str | None = None, **which: Any) -> list[dict[str, Any]]:
        """Sum up charges and refunds of each account: charges, charged, refunds, refunded.

        The first and the third are numbers of entries, the others credits. Credits of two accounts are never added up.

        :param by: ``day``, ``job_id`` or ``idempotency_key``, to sum up each of its values for itself.
        :param which: which entries count, as for :meth:`ledger`.
        """
        return list(self._ask("GET", "/ledger/sums", vendor=vendor, by=by, **which))

    @property
    def charges(self) -> list[dict[str, Any]]:
        """Every charge, of all vendors."""
        return self.ledger(kind="charge")

    @property
    def refunds(self) -> list[dict[str, Any]]:
        """Every refund, of all vendors."""
        return self.ledger(kind="refund")

    def accounts(self) -> list[dict[str, Any]]:
        """List accounts with their balances and keys."""
        return list(self._ask("GET", "/accounts"))

    def balance(self, vendor: str, account: str = "team") -> int:
        """Return the credits an account has left."""
        for found in self.accounts():
            if (found["vendor"], found["account"]) == (vendor, account):
                return int(found["balance"])
        raise SandboxError(f"{vendor} has no account {account!r}")

    def set_credits(
        self, vendor: str, remaining: int | None = None, *, limit: int | None = None, account: str = "team"
    ) -> int:
        """Set the credits an account has left, and its plan's limit."""
        body = {"vendor": vendor, "remaining": remaining, "limit": limit, "account": account}
        return int(self._ask("POST", "/credits", body)["balance"])

    def add_account(
        self,
        vendor: str,
        account: str,
        *,
        key: str | None = None,
        credits: int = 1000,  # noqa: A002 - the word of the command line
        status: str = "active",
        data: Mapping[str, Any] | None = None,
    ) -> str:
        """Make another account, or another key for one.

        :param status: ``active``, or ``forbidden`` for one whose plan has no API (403).
        :return: its key.
        """
        body = {"vendor": vendor, "account": account, "key": key, "credits": credits, "status": status, "data": data}
        return str(self._ask("POST", "/accounts", body)["key"])

    def set_account(
        self, vendor: str, *, account: str = "team", status: str | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        """Change an account: its status (``active``, ``forbidden``) or its vendor-specific data."""
        self._ask("POST", "/accounts", {"vendor": vendor, "account": account, "status": status, "data": data})

    def set_key(self, vendor: str, *, key: str | None = None, **values: Any) -> dict[str, Any]:
        """Change a key: ``status`` (active, revoked), ``expires`` (seconds since the epoch)."""
        return dict(self._ask("POST", "/keys", {"vendor": vendor, "key": key, **values}))

    def set_webhook(self, vendor: str, url: str | None, *, key: str | None = None, secret: str | None = None) -> str:
        """Set the URL that a key's webhooks go to; None for none.

        :return: the secret that they are signed with.
        """
        values = {"webhook_url": url} | ({"webhook_secret": secret} if secret else {})
        return str(self.set_key(vendor, key=key, **values)["webhook_secret"])

    def webhooks(self) -> list[dict[str, Any]]:
        """List webhook deliveries: job_id, url, attempts, the status answered, body, pending."""
        return list(self._ask("GET", "/webhooks"))

    def fault(self, kind: str, vendor: str | None = None, **rules: Any) -> int:
        """Inject a fault; ``engine.faults.Fault`` explains kinds and rules.

        :return: its number.
        """
        return int(self._ask("POST", "/faults", {"kind": kind, "vendor": vendor, **rules})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """List the faults that can still strike."""
        return list(self._ask("GET", "/faults"))

    def clear_faults(self) -> None:
        """Remove every fault and every failure announced by :meth:`fail_next`."""
        self._ask("DELETE", "/faults")

    def fail_next(
        self,
        vendor: str | None = None,
        *,
        type: str | None = None,  # noqa: A002 - the vendors' word for it
        times: int = 1,
        message: str | None = None,
        status: str = "failed",
        refund: bool | None = None,
        seconds: float | None = None,
    ) -> None:
        """Make the next jobs fail, or end as canceled, expired or suspended.

        :param type: only jobs of this type.
        :param refund: whether their credits are given back; None: as the vendor documents.
        :param seconds: how long they take; None: as usual.
        """
        given = locals()
        self._ask("POST", "/fail", {name: value for name, value in given.items() if name != "self"})

    def jobs(self, vendor: str | None = None, account: str | None = None) -> list[dict[str, Any]]:
        """List every job, oldest first: id, vendor, type, status, credits, request, created, ends."""
        return list(self._ask("GET", "/jobs", vendor=vendor, account=account))

    def set_job(
        self, job_id: str, status: str, *, message: str | None = None, refund: bool | None = None, after: float = 0.0
    ) -> dict[str, Any]:
        """Set how a job ends: an outcome, or ``processing`` to hold it until the next call."""
        return dict(
            self._ask(
                "POST", "/job", {"id": job_id, "status": status, "message": message, "refund": refund, "after": after}
            )
        )

    def requests(
        self, vendor: str | None = None, *, method: str | None = None, path: str | None = None, since: int = 0
    ) -> list[dict[str, Any]]:
        """List received requests: seq, time, vendor, method, path, query, headers (lower-case names), body, status.

        ``late`` is how many seconds the settings ``slow_...`` kept the answer back.

        :param path: only those whose path contains this.
        :param since: only those after this seq.
        """
        return list(self._ask("GET", "/requests", vendor=vendor, method=method, path=path, since=since))

    def advance(self, seconds: float) -> None:
        """Move the sandbox's time forward."""
        self._ask("POST", "/advance", {"seconds": seconds})

    def reset(self) -> None:
        """Reset everything: no jobs, charges, faults or requests; the settings it started with."""
        self._ask("POST", "/reset", {})

    def settings(
        self, values: Mapping[str, Mapping[str, Any]] | None = None, **sections: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change settings by section, and return all of them: ``settings(adsumo={"job_seconds": 2})``."""
        wanted = {**(values or {}), **sections}
        return dict(self._ask("POST", "/settings", wanted) if wanted else self._ask("GET", "/settings"))
