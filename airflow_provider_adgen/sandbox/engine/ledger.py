# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger of the accounts' credits."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Insufficient
from airflow_provider_adgen.sandbox.engine.clock import iso, moment_of

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.accounts import Account
    from airflow_provider_adgen.sandbox.engine.clock import Clock
    from airflow_provider_adgen.sandbox.engine.store import Store

DAY = 86_400
KINDS = ("charge", "refund", "grant")
# What sums can be divided by, and the number or text that each part has in the store.
SUMS_BY = {"day": f"CAST(time / {DAY} AS INTEGER)", "job_id": "job_id", "idempotency_key": "idempotency_key"}


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

    def entries(self, **wanted: str | None) -> list[dict[str, Any]]:
        """Read the ledger. Credits of charges and of refunds are positive; ``kind`` distinguishes them.

        :param wanted: see :meth:`_where`.
        """
        where, values = self._where(**wanted)
        rows = self._store.rows(f"SELECT * FROM ledger WHERE {where} ORDER BY seq", values)  # noqa: S608 - built of constants
        return [
            {
                **dict(row),
                "credits": -row["credits"] if row["kind"] == "charge" else row["credits"],
                "time": iso(row["time"]),
            }
            for row in rows
        ]

    def sums(self, by: str | None = None, **wanted: str | None) -> list[dict[str, Any]]:
        """Sum up charges and refunds, each account for itself: credits of two accounts are not comparable.

        :param by: one of :data:`SUMS_BY`, to sum up each of its values for itself.
        :param wanted: see :meth:`_where`.
        """
        if by is not None and by not in SUMS_BY:
            raise ValueError(f"sums can be by {', '.join(SUMS_BY)}, not by {by!r}")
        where, values = self._where(**wanted)
        part = "NULL" if by is None else SUMS_BY[by]
        rows = self._store.rows(
            f"SELECT vendor, account, {part} AS part, count(CASE kind WHEN 'charge' THEN 1 END),"  # noqa: S608 - built of constants
            " -total(CASE kind WHEN 'charge' THEN credits END), count(CASE kind WHEN 'refund' THEN 1 END),"
            f" total(CASE kind WHEN 'refund' THEN credits END) FROM ledger WHERE {where} AND kind != 'grant'"
            " GROUP BY 1, 2, 3 ORDER BY min(seq)",
            values,
        )
        return [
            {"vendor": vendor, "account": account}
            | ({} if by is None else {by: iso(part * DAY)[:10] if by == "day" else part})
            | {"charges": charges, "charged": int(charged), "refunds": refunds, "refunded": int(refunded)}
            for vendor, account, part, charges, charged, refunds, refunded in rows
        ]

    def _where(
        self, *, day: str | None = None, since: str | None = None, until: str | None = None, **equal: str | None
    ) -> tuple[str, list[Any]]:
        """Return the condition for entries, and its values.

        :param day: a UTC day, as ``2026-01-15``.
        :param since: a moment with its offset from UTC; entries of that moment count.
        :param until: a moment; entries of that moment do not count.
        :param equal: vendor, account, key (an API key: its account's), kind, job_id or idempotency_key.
        """
        where, values = ["1"], list[Any]()
        for name, value in equal.items():
            if name not in ("vendor", "account", "key", "kind", "job_id", "idempotency_key"):
                raise ValueError(f"the ledger cannot be asked for {name!r}")
            if name == "kind" and value not in (None, *KINDS):
                raise ValueError(f"entries are of the kinds {', '.join(KINDS)}, not {value!r}")
            if value is not None:
                of_key = "(vendor, account) IN (SELECT vendor, account FROM keys WHERE key = ?)"
                where.append(of_key if name == "key" else f"{name} = ?")
                values.append(value)
        if day is not None:
            begins = moment_of(f"{date.fromisoformat(day)}T00:00:00Z")
            where.append("time >= ? AND time < ?")
            values += [begins, begins + DAY]
        for name, text in ((">=", since), ("<", until)):
            if text is not None:
                where.append(f"time {name} ?")
                values.append(moment_of(text))
        return " AND ".join(where), values
