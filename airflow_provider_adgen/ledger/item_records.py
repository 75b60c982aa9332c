# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The record of one item that another run pays for, and what it says of a claim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.claims import ClaimedWork, claimed_work
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.ledger.stores import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class RecordRef:
    """
    Which record pays: that of an item of a batch, or of a task.

    :param task: the task.
    :param item: the item's key; None where the task makes one generation.
    """

    task: TaskIdentity
    item: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        task = self.task
        return {
            "dag_id": task.dag_id,
            "run_id": task.run_id,
            "task_id": task.task_id,
            "map_index": task.map_index,
            "region": task.region,
            "slot": task.slot,
            "item": self.item,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RecordRef:
        """
        Read back what :meth:`to_json` wrote.

        :raises KeyError: something is missing.
        """
        names = ("dag_id", "run_id", "task_id", "map_index", "region", "slot")
        return cls(TaskIdentity(**{name: value[name] for name in names}), value["item"])

    def __str__(self) -> str:
        return f"item {self.item!r} of {self.task}" if self.item is not None else str(self.task)


def record_store(ledger_path: str, ref: RecordRef) -> ObjectStore:
    """Return the store of a record under ``ledger_path``; an item's is in a folder of its task's."""
    return ObjectStore(ledger_path, replace(ref.task, item=ref.item))


class LedgerRecords:
    """
    Says what a record says of a claim, by reading ``[adgen] ledger_path``.

    :param ledger_path: the ledger's path, the same for all runs that share a library.
    """

    def __init__(self, ledger_path: str) -> None:
        self._path = ledger_path

    def __call__(self, ref: RecordRef, claim: str) -> ClaimedWork:
        """
        Return what was submitted under one claim.

        :param ref: the record.
        :param claim: the claim's id.
        :raises RecordUnreadable: there may be a record, but it cannot be read.
        """
        return claimed_work(record_store(self._path, ref).read(), claim)
