# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What an account keeps at a vendor besides jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.clock import Clock
    from airflow_provider_adgen.sandbox.engine.store import Store


@dataclass(frozen=True, slots=True)
class Document:
    """A thing an account keeps at a vendor: a product, an avatar, a project, an asset."""

    seq: int
    id: str
    account: str
    created: float
    data: dict[str, Any]


class Documents:
    """Everything that is not a job, kept in the store as JSON by vendor, kind and id."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, vendor: str, account: str, kind: str, name: str, data: dict[str, Any]) -> Document:
        """Store a new document, or replace the data of an existing one."""
        self._store.run(
            "INSERT INTO documents (vendor, account, kind, id, created, data) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (vendor, kind, id) DO UPDATE SET data = excluded.data",
            (vendor, account, kind, name, self._clock.now(), json.dumps(data)),
        )
        found = self.get(vendor, kind, name)
        if found is None:
            raise LookupError(name)
        return found

    def get(self, vendor: str, kind: str, name: str, account: str | None = None) -> Document | None:
        """Find a document; with an account, only that account's."""
        row = self._store.row(
            "SELECT seq, id, account, created, data FROM documents WHERE vendor = ? AND kind = ? AND id = ?",
            (vendor, kind, name),
        )
        if row is None or (account is not None and row["account"] != account):
            return None
        return Document(**{**dict(row), "data": json.loads(row["data"])})

    def page(
        self, vendor: str, account: str, kind: str, *, project: str | None = None, limit: int = -1, offset: int = 0
    ) -> list[Document]:
        """List an account's documents of one kind, oldest first; with a project, only that project's."""
        where, values = self._where(vendor, account, kind, project)
        rows = self._store.rows(
            f"SELECT seq, id, account, created, data FROM documents WHERE {where} ORDER BY seq LIMIT ? OFFSET ?",  # noqa: S608 - built of constants
            [*values, limit, offset],
        )
        return [Document(**{**dict(row), "data": json.loads(row["data"])}) for row in rows]

    def count(self, vendor: str, account: str, kind: str, *, project: str | None = None) -> int:
        """Count the documents that :meth:`page` lists."""
        where, values = self._where(vendor, account, kind, project)
        return self._store.number(f"SELECT count(*) FROM documents WHERE {where}", values)  # noqa: S608 - built of constants

    @staticmethod
    def _where(vendor: str, account: str, kind: str, project: str | None) -> tuple[str, list[Any]]:
        where, values = "vendor = ? AND account = ? AND kind = ?", list[Any]([vendor, account, kind])
        if project is not None:
            where += " AND json_extract(data, '$.project') = ?"
            values.append(project)
        return where, values

    def delete(self, vendor: str, kind: str, name: str) -> None:
        """Delete a document."""
        self._store.run("DELETE FROM documents WHERE vendor = ? AND kind = ? AND id = ?", (vendor, kind, name))
