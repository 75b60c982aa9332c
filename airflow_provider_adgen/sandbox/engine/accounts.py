# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts (a vendor's team or workspace) and their keys."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.clock import Clock
    from airflow_provider_adgen.sandbox.engine.store import Store


@dataclass(frozen=True, slots=True)
class Account:
    """One team or workspace: what owns jobs and credits. ``used`` are the credits charged and not refunded."""

    vendor: str
    id: str
    credit_limit: int
    balance: int
    used: int
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
