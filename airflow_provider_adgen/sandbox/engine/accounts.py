# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts (a vendor's team or workspace), their keys, and the ledger of their credits."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Insufficient
from airflow_provider_adgen.sandbox.engine.clock import Clock, iso

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.store import Store


@dataclass(frozen=True, slots=True)
class Account:
    """One team or workspace: what owns jobs and credits."""

    vendor: str
    id: str
    credit_limit: int
    balance: int
    status: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One API key or token of an account."""

    key: str
    vendor: str
    account: str
    status: str
    expires: float | None
    webhook_url: str | None
    webhook_secret: str


class Accounts:
    """Accounts and keys, kept in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, vendor: str, account: str, key: str, *, balance: int, expires: float | None = None) -> None:
        """Create an account with one key; an account that exists keeps its credits and gets one more key."""
        with self._store.transaction():
            if self.find(vendor, account) is None:
                self._store.run(
                    "INSERT INTO accounts (vendor, id, credit_limit, balance) VALUES (?, ?, ?, ?)",
                    (vendor, account, balance, balance),
                )
            secret = "whsec_" + hmac.new(b"adgen sandbox", f"{vendor} {key}".encode(), sha256).hexdigest()[:32]
            self._store.run(
                "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, 'active', ?, NULL, ?)",
                (key, vendor, account, expires, secret),
            )

    def find(self, vendor: str, account: str) -> Account | None:
        """Look an account up."""
        row = self._store.row("SELECT * FROM accounts WHERE vendor = ? AND id = ?", (vendor, account))
        return None if row is None else Account(**{**dict(row), "data": json.loads(row["data"])})

    def all(self) -> list[Account]:
        """List every account."""
        rows = self._store.rows("SELECT * FROM accounts ORDER BY vendor, id")
        return [Account(**{**dict(row), "data": json.loads(row["data"])}) for row in rows]

    def key(self, vendor: str, key: str) -> Key | None:
        """Look a key up; expired and revoked keys are not found."""
        row = self._store.row("SELECT * FROM keys WHERE key = ? AND vendor = ?", (key, vendor))
        if row is None or row["status"] != "active":
            return None
        if row["expires"] is not None and row["expires"] <= self._clock.now():
            return None
        return Key(**dict(row))

    def first_key(self, vendor: str) -> Key | None:
        """Return the vendor's first key, whatever its status. Public endpoints use its account."""
        row = self._store.row("SELECT * FROM keys WHERE vendor = ? ORDER BY rowid", (vendor,))
        return None if row is None else Key(**dict(row))

    def all_keys(self) -> list[Key]:
        """List every key, including revoked ones."""
        return [Key(**dict(row)) for row in self._store.rows("SELECT * FROM keys ORDER BY rowid")]

    def change_key(self, vendor: str, key: str, **values: Any) -> bool:
        """Change a key's ``status`` (active, revoked), ``expires``, ``webhook_url`` or ``webhook_secret``.

        :return: whether there is such a key.
        """
        changed = 0
        for name in ("status", "expires", "webhook_url", "webhook_secret"):
            if name in values:
                statement = f"UPDATE keys SET {name} = ? WHERE vendor = ? AND key = ?"  # noqa: S608 - names as above
                changed = self._store.run(statement, (values[name], vendor, key))
        return changed > 0

    def change(
        self, vendor: str, account: str, *, status: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        """Change an account's ``status`` (active, or forbidden: 403) or add to its vendor-specific data."""
        found = self.find(vendor, account)
        if found is None:
            return
        self._store.run(
            "UPDATE accounts SET status = ?, data = ? WHERE vendor = ? AND id = ?",
            (status or found.status, json.dumps({**found.data, **(data or {})}), vendor, account),
        )


class Ledger:
    """Every charge, refund and grant, in order. The only place where a balance changes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def charge(
        self, account: Account, price: int, *, job_id: str | None, what: str, idempotency_key: str | None = None
    ) -> int:
        """Take credits.

        :return: what is left.
        :raises Insufficient: when there are too few; nothing was taken then.
        """
        balance = self.balance(account.vendor, account.id)
        if price > balance:
            raise Insufficient(price, balance)
        return self._write(account, "charge", -price, job_id, what, idempotency_key, self._clock.now())

    def refund(self, account: Account, amount: int, *, job_id: str, what: str, moment: float) -> int:
        """Refund credits of a job, at most what was charged for it and not refunded yet.

        :return: the balance afterwards.
        """
        taken = self._store.number(
            "SELECT -sum(credits) FROM ledger WHERE job_id = ? AND kind IN ('charge', 'refund')", (job_id,)
        )
        amount = min(amount, taken)
        if amount <= 0:
            return self.balance(account.vendor, account.id)
        key = self._store.row("SELECT idempotency_key FROM ledger WHERE job_id = ? AND kind = 'charge'", (job_id,))
        return self._write(account, "refund", amount, job_id, what, key[0] if key else None, moment)

    def set_credits(self, account: Account, remaining: int | None, limit: int | None) -> int:
        """Set what remains and, if given, the limit of the plan; the difference is written as a grant."""
        current = self.balance(account.vendor, account.id)
        if limit is not None:
            self._store.run(
                "UPDATE accounts SET credit_limit = ? WHERE vendor = ? AND id = ?", (limit, account.vendor, account.id)
            )
        if remaining is None or remaining == current:
            return current
        self._store.run(
            "UPDATE accounts SET credit_limit = max(credit_limit, ?) WHERE vendor = ? AND id = ?",
            (remaining, account.vendor, account.id),
        )
        return self._write(account, "grant", remaining - current, None, "set by hand", None, self._clock.now())

    def balance(self, vendor: str, account: str) -> int:
        """Return the credits an account has left."""
        return self._store.number("SELECT balance FROM accounts WHERE vendor = ? AND id = ?", (vendor, account))

    def _write(
        self, account: Account, kind: str, change: int, job_id: str | None, what: str, key: str | None, moment: float
    ) -> int:
        with self._store.transaction():
            self._store.run(
                "UPDATE accounts SET balance = balance + ? WHERE vendor = ? AND id = ?",
                (change, account.vendor, account.id),
            )
            balance = self.balance(account.vendor, account.id)
            self._store.run(
                "INSERT INTO ledger"
                " (vendor, account, kind, credits, job_id, what, idempotency_key, time, balance_after)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (account.vendor, account.id, kind, change, job_id, what, key, moment, balance),
            )
        return balance

    def entries(
        self, vendor: str | None = None, kind: str | None = None, job_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Read the ledger. Credits of charges and of refunds are positive; ``kind`` distinguishes them."""
        rows = self._store.rows(
            "SELECT * FROM ledger WHERE (? IS NULL OR vendor = ?) AND (? IS NULL OR kind = ?)"
            " AND (? IS NULL OR job_id = ?) ORDER BY seq",
            (vendor, vendor, kind, kind, job_id, job_id),
        )
        return [
            {
                **dict(row),
                "credits": -row["credits"] if row["kind"] == "charge" else row["credits"],
                "time": iso(row["time"]),
            }
            for row in rows
        ]
