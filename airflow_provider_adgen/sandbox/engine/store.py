# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Where the sandbox keeps its state: SQLite, in memory or in a file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE accounts (
    vendor TEXT NOT NULL, id TEXT NOT NULL, credit_limit INTEGER NOT NULL, balance INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'active', data TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (vendor, id));
CREATE TABLE keys (
    key TEXT NOT NULL, vendor TEXT NOT NULL, account TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active',
    expires REAL, webhook_url TEXT, webhook_secret TEXT NOT NULL, PRIMARY KEY (vendor, key));
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, vendor TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL,
    credits INTEGER NOT NULL, job_id TEXT, what TEXT NOT NULL, idempotency_key TEXT, time REAL NOT NULL,
    balance_after INTEGER NOT NULL);
CREATE INDEX ledger_by_job ON ledger (job_id);
CREATE INDEX ledger_by_account ON ledger (vendor, account, time);
CREATE INDEX ledger_by_key ON ledger (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, vendor TEXT NOT NULL, account TEXT NOT NULL,
    key TEXT NOT NULL, type TEXT NOT NULL, request TEXT NOT NULL, created REAL NOT NULL, ends REAL NOT NULL,
    outcome TEXT NOT NULL, message TEXT, credits INTEGER NOT NULL, refund INTEGER NOT NULL, idempotency_key TEXT,
    due REAL, shuffle INTEGER NOT NULL);
CREATE INDEX jobs_in_order ON jobs (vendor, account, seq, type);
CREATE INDEX jobs_running ON jobs (vendor, account, seq, type, due) WHERE due IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (vendor, account, outcome, seq, type, due) WHERE due IS NULL;
CREATE INDEX jobs_of_project ON jobs
    (vendor, account, json_extract(request, '$.projectId'), outcome, seq, type, due) WHERE due IS NULL;
CREATE INDEX jobs_of_batch ON jobs (vendor, account, json_extract(request, '$.batchId'));
CREATE INDEX jobs_shuffled ON jobs (vendor, account, shuffle);
CREATE INDEX jobs_by_key ON jobs (vendor, account, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_due ON jobs (due) WHERE due IS NOT NULL;
CREATE TABLE documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, vendor TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL,
    id TEXT NOT NULL, created REAL NOT NULL, data TEXT NOT NULL, UNIQUE (vendor, kind, id));
CREATE INDEX documents_in_order ON documents (vendor, account, kind, seq);
CREATE INDEX documents_of_project ON documents
    (vendor, account, kind, json_extract(data, '$.project'), seq);
CREATE TABLE blobs (name TEXT PRIMARY KEY, content_type TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE idempotency (
    vendor TEXT NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, time REAL NOT NULL,
    status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (vendor, account, key));
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, vendor TEXT NOT NULL, job_id TEXT NOT NULL, url TEXT NOT NULL,
    secret TEXT NOT NULL, next REAL, attempts INTEGER NOT NULL DEFAULT 0, status INTEGER, error TEXT, body TEXT);
CREATE INDEX deliveries_pending ON deliveries (seq) WHERE next IS NOT NULL;
"""

# Changes with the schema, so that a state file of another version is told and not misread.
VERSION = 1

TABLES = ("meta", "accounts", "keys", "ledger", "jobs", "documents", "blobs", "idempotency", "deliveries")


class Store:
    """One SQLite database, used from the server's event loop only.

    A transaction is committed before its answer is sent, so a sandbox that is killed loses nothing it answered.

    :param path: the file to keep the state in; in memory when None.
    :raises ValueError: when another version of the sandbox wrote the file.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        # One thread writes (the event loop's); the flag only allows close() from another thread.
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # WAL with NORMAL survives the process being killed (not a power cut), and costs microseconds per commit.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        if self.number("SELECT count(*) FROM sqlite_master"):
            if self.number("PRAGMA user_version") != VERSION:
                self.close()
                raise ValueError(f"another version of the sandbox wrote {path}; name a new state file")
        else:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, or nothing. A transaction inside another joins it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement.

        :return: how many rows it changed.
        """
        return self._db.execute(statement, values).rowcount

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Read every row of a query."""
        return self._db.execute(statement, values).fetchall()

    def row(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Read the first row of a query, None when there is none."""
        found: sqlite3.Row | None = self._db.execute(statement, values).fetchone()
        return found

    def number(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Read a single number."""
        found = self.row(statement, values)
        return int(found[0]) if found is not None and found[0] is not None else 0

    def get_meta(self, key: str, default: Any = None) -> Any:
        """Read a value that :meth:`set_meta` wrote."""
        found = self.row("SELECT value FROM meta WHERE key = ?", (key,))
        return default if found is None else json.loads(found["value"])

    def set_meta(self, key: str, value: Any) -> None:
        """Keep a JSON value under a name."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def wipe(self) -> None:
        """Delete everything."""
        with self.transaction():
            for table in TABLES:
                self.run(f"DELETE FROM {table}")  # noqa: S608 - the names are the constant above

    def close(self) -> None:
        """Close the database."""
        self._db.close()
