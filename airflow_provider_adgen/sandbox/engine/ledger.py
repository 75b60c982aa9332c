# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger of the accounts' credits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Insufficient
from airflow_provider_adgen.sandbox.engine.clock import iso

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.accounts import Account
    from airflow_provider_adgen.sandbox.engine.clock import Clock
    from airflow_provider_adgen.sandbox.engine.store import Store


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
                "UPDATE accounts SET balance = balance + ?, used = used - ? WHERE vendor = ? AND id = ?",
                (change, 0 if kind == "grant" else change, account.vendor, account.id),
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
        asked = {"vendor": vendor, "kind": kind, "job_id": job_id}
        values = {name: value for name, value in asked.items() if value is not None}
        where = " AND ".join(["1", *(f"{name} = ?" for name in values)])
        rows = self._store.rows(f"SELECT * FROM ledger WHERE {where} ORDER BY seq", list(values.values()))  # noqa: S608 - built of constants
        return [
            {
                **dict(row),
                "credits": -row["credits"] if row["kind"] == "charge" else row["credits"],
                "time": iso(row["time"]),
            }
            for row in rows
        ]
