# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: paid generations whose status is a function of the clock."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from airflow_provider_adgen.sandbox.engine.clock import Clock
    from airflow_provider_adgen.sandbox.engine.store import Store

# The end of a job that is held: never.
HELD = 1e12

ORDERS = {"newest": "seq DESC", "oldest": "seq ASC", "random": "shuffle ASC, seq ASC"}


@dataclass(frozen=True, slots=True)
class Job:
    """One generation.

    ``outcome`` is what it becomes at the moment ``ends``: completed, failed, canceled, expired or suspended.
    ``refund`` is how many credits its end gives back.
    """

    seq: int
    id: str
    vendor: str
    account: str
    key: str
    type: str
    request: dict[str, Any]
    created: float
    ends: float
    outcome: str
    message: str | None
    credits: int
    refund: int
    idempotency_key: str | None

    def over(self, now: float) -> bool:
        """Return whether it has reached its outcome."""
        return now >= self.ends

    def progress(self, now: float) -> float:
        """Return the progress from 0 to 1. A held job stays at 0.5."""
        if self.over(now):
            return 1.0
        if self.ends >= HELD:
            return 0.5
        return max(0.0, min(1.0, (now - self.created) / (self.ends - self.created)))

    def status(self, now: float) -> str:
        """Return ``processing`` or the outcome; a vendor with more statuses divides ``processing`` by progress."""
        return self.outcome if self.over(now) else "processing"


COLUMNS = ", ".join(field.name for field in fields(Job))
_REQUEST = [field.name for field in fields(Job)].index("request")


def _read(row: sqlite3.Row) -> Job:
    values = list(row)
    values[_REQUEST] = json.loads(values[_REQUEST])
    return Job(*values)


@dataclass(frozen=True, slots=True)
class Which:
    """Which jobs to list or to count. Statuses are those of the last :meth:`State.settle`.

    :param kinds: only jobs of these types; of any when empty.
    :param status: ``processing`` or an outcome.
    :param progress: only jobs whose progress (0 to 1) is within a range: the moment, from, and below.
    :param field: only jobs whose request has this value: the name and the value.
    """

    vendor: str | None = None
    account: str | None = None
    kinds: Sequence[str] = ()
    status: str | None = None
    progress: tuple[float, float, float] | None = None
    field: tuple[str, str] | None = None

    def sql(self) -> tuple[str, list[Any]]:
        """Return the condition and its values. The indexes of the store answer each combination that occurs."""
        where, values = ["1"], list[Any]()
        for column, value in (("vendor", self.vendor), ("account", self.account)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        if self.field is not None:
            where.append(f"json_extract(request, '$.{self.field[0]}') = ?")
            values.append(self.field[1])
        if self.kinds:
            where.append(f"type IN ({', '.join('?' * len(self.kinds))})")
            values += self.kinds
        if self.status == "processing":
            where.append("due IS NOT NULL")
        elif self.status is not None:
            where.append("due IS NULL AND outcome = ?")
            values.append(self.status)
        if self.progress is not None:
            where.append(f"(CASE WHEN due >= {HELD} THEN 0.5 ELSE (? - created) / (due - created) END) BETWEEN ? AND ?")
            values += [self.progress[0], self.progress[1], self.progress[2] - 1e-9]
        return " AND ".join(where), values


class Jobs:
    """Jobs, kept in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, **values: Any) -> Job:
        """Keep a new job. Its ``due`` (when its end must be settled) is its end."""
        row = {
            **values,
            "request": json.dumps(values["request"]),
            "due": values["ends"],
            "shuffle": secrets.randbits(48),
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._store.run(f"INSERT INTO jobs ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608 - our columns
        job = self.get(values["vendor"], values["id"])
        if job is None:
            raise LookupError(values["id"])
        return job

    def get(self, vendor: str, job_id: str, account: str | None = None) -> Job | None:
        """Find a job; with an account, only that account's."""
        row = self._store.row(f"SELECT {COLUMNS} FROM jobs WHERE id = ? AND vendor = ?", (job_id, vendor))  # noqa: S608 - the constant above
        if row is None or (account is not None and row["account"] != account):
            return None
        return _read(row)

    def change(self, job: Job, *, ends: float, outcome: str, message: str | None, refund: int) -> None:
        """Change how and when a job ends; the new end is settled again."""
        self._store.run(
            "UPDATE jobs SET ends = ?, due = ?, outcome = ?, message = ?, refund = ? WHERE id = ?",
            (ends, ends, outcome, message, refund, job.id),
        )
        self._clock.wake()

    def any_due(self, now: float) -> bool:
        """Return whether a job has ended and is not settled yet."""
        return self._store.row("SELECT 1 FROM jobs WHERE due <= ? LIMIT 1", (now,)) is not None

    def due(self, now: float) -> list[Job]:
        """List the ended jobs whose settling takes more than a mark, in the order of their ends.

        They have a refund, or a key with a webhook.
        """
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE due <= ? AND (refund > 0 OR EXISTS (SELECT 1 FROM keys"  # noqa: S608 - the constant above
            " WHERE keys.vendor = jobs.vendor AND keys.key = jobs.key AND webhook_url IS NOT NULL)) ORDER BY due, seq",
            (now,),
        )
        return [_read(row) for row in rows]

    def settled(self, now: float) -> None:
        """Mark every end up to now as settled."""
        self._store.run("UPDATE jobs SET due = NULL WHERE due <= ?", (now,))

    def running_with_key(self, vendor: str, account: str, idempotency_key: str) -> Job | None:
        """Find the newest job of an account with this key that has not ended."""
        row = self._store.row(
            f"SELECT {COLUMNS} FROM jobs WHERE vendor = ? AND account = ? AND idempotency_key = ? AND ends > ?"  # noqa: S608 - the constant above
            " ORDER BY seq DESC LIMIT 1",
            (vendor, account, idempotency_key, self._clock.now()),
        )
        return None if row is None else _read(row)

    def running(self, vendor: str, account: str | None = None, *, most: int = -1) -> int:
        """Count the jobs of a vendor, or of one account, that have not ended.

        :param most: where to stop counting; -1 for nowhere.
        """
        where, values = Which(vendor, account, status="processing").sql()
        return self._store.number(
            f"SELECT count(*) FROM (SELECT 1 FROM jobs WHERE {where} AND due > ? LIMIT ?)",  # noqa: S608 - built of constants
            [*values, self._clock.now(), most],
        )

    def page(
        self, which: Which, *, order: str = "newest", after: int | None = None, limit: int = -1, offset: int = 0
    ) -> list[Job]:
        """List jobs.

        :param order: newest, oldest or random (stable).
        :param after: the number of the last job already listed (newest and oldest only).
        """
        where, values = which.sql()
        if after is not None:
            where += " AND seq < ?" if order == "newest" else " AND seq > ?"
            values.append(after)
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE {where} ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?",  # noqa: S608 - built of constants
            [*values, limit, offset],
        )
        return [_read(row) for row in rows]

    def count(self, which: Which) -> int:
        """Count jobs."""
        where, values = which.sql()
        return self._store.number(f"SELECT count(*) FROM jobs WHERE {where}", values)  # noqa: S608 - built of constants

    def tally(self, which: Which, since: float, until: float = HELD) -> list[tuple[str, str, int, int, int]]:
        """Sum up the jobs that were made in a period.

        :return: type, status, hour (since the epoch), how many, and their credits.
        """
        where, values = which.sql()
        rows = self._store.rows(
            "SELECT type, CASE WHEN due IS NULL THEN outcome ELSE 'processing' END, CAST(created / 3600 AS INTEGER),"  # noqa: S608 - built of constants
            f" count(*), sum(credits) FROM jobs WHERE {where} AND created >= ? AND created < ? GROUP BY 1, 2, 3",
            [*values, since, until],
        )
        return [tuple(row) for row in rows]
