# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: paid generations whose status is a function of the clock."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

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


COLUMNS = (
    "seq, id, vendor, account, key, type, request, created, ends, outcome, message, credits, refund, idempotency_key"
)


def _read(row: sqlite3.Row) -> Job:
    values = dict(row)
    return Job(**{**values, "request": json.loads(values["request"])})


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

    def due(self) -> list[Job]:
        """List the jobs that have ended and are not settled yet, in the order of their ends."""
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE due IS NOT NULL AND due <= ? ORDER BY due, seq",  # noqa: S608 - the constant above
            (self._clock.now(),),
        )
        return [_read(row) for row in rows]

    def settled(self, job: Job) -> None:
        """Mark a job's end as settled."""
        self._store.run("UPDATE jobs SET due = NULL WHERE id = ?", (job.id,))

    def running_with_key(self, vendor: str, account: str, idempotency_key: str) -> Job | None:
        """Find the newest job of an account with this key that has not ended."""
        row = self._store.row(
            f"SELECT {COLUMNS} FROM jobs WHERE vendor = ? AND account = ? AND idempotency_key = ? AND ends > ?"  # noqa: S608 - the constant above
            " ORDER BY seq DESC LIMIT 1",
            (vendor, account, idempotency_key, self._clock.now()),
        )
        return None if row is None else _read(row)

    def running(self, vendor: str, account: str) -> int:
        """Count an account's jobs that have not ended."""
        return self._store.number(
            "SELECT count(*) FROM jobs WHERE vendor = ? AND account = ? AND ends > ?",
            (vendor, account, self._clock.now()),
        )

    def page(
        self,
        vendor: str | None = None,
        account: str | None = None,
        *,
        kind: str | None = None,
        status: str | None = None,
        progress: tuple[float, float] | None = None,
        order: str = "newest",
        after: int | None = None,
        limit: int = -1,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        """List jobs.

        :param kind: only jobs of this type.
        :param status: ``processing`` or an outcome.
        :param progress: with ``processing``, only jobs whose progress (0 to 1) is within this range.
        :param order: newest, oldest or random (stable).
        :param after: the number of the last job already listed (newest and oldest only).
        :return: one page, and how many there are in total.
        """
        now = self._clock.now()
        where, values = ["1"], list[Any]()
        for column, value in (("vendor", vendor), ("account", account), ("type", kind)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        if status == "processing":
            where.append("ends > ?")
            values.append(now)
        elif status is not None:
            where.append("outcome = ? AND ends <= ?")
            values += [status, now]
        if progress is not None:
            where.append(
                f"(CASE WHEN ends >= {HELD} THEN 0.5 ELSE (? - created) / (ends - created) END) BETWEEN ? AND ?"
            )
            values += [now, progress[0], progress[1] - 1e-9]
        total = self._store.number(f"SELECT count(*) FROM jobs WHERE {' AND '.join(where)}", values)  # noqa: S608 - built of constants
        if after is not None:
            where.append("seq < ?" if order == "newest" else "seq > ?")
            values.append(after)
        rows = self._store.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE {' AND '.join(where)} ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?",  # noqa: S608 - built of constants
            [*values, limit, offset],
        )
        return [_read(row) for row in rows], total
