# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the batch of a run has made, as the steps after it read it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.pages import draft_pages
from airflow_provider_adgen.campaigns.results import read_results
from airflow_provider_adgen.campaigns.run_folder import GALLERY, MANIFEST, PLAN, read_items, read_json
from airflow_provider_adgen.campaigns.step import pull
from airflow_provider_adgen.core.decisions.batch import WITH_RESULT
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.lifecycle.batch.results import credits_recorded
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.settings import ledger_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from airflow_provider_adgen.campaigns.run_folder import RunFolder


@dataclass(frozen=True)
class Made:
    """
    The results of a run's batch.

    :param run: what identifies the run.
    :param items: the items that the batch was given.
    :param results: one line for each item.
    :param credits: what was quoted, charged and refunded, by account.
    :param store: the batch's record.
    """

    run: dict[str, Any]
    items: list[dict[str, Any]]
    results: list[dict[str, Any]]
    credits: dict[str, dict[str, int]]
    store: BatchStore

    @classmethod
    def by(cls, context: Mapping[str, Any], task_id: str) -> Made | None:
        """
        Read what the batch of this run has made; None where it has written no results.

        :param context: the running task's context.
        :param task_id: the batch's task.
        :raises AdGenError: it cannot be read. A retry may help.
        :raises OSError: it cannot be read. A retry may help.
        """
        uri, items = pull(context, task_id, "results"), pull(context, task_id, "items")
        if uri is None or items is None:
            return None
        mine = TaskFacts.of(context).identity
        batch = TaskIdentity(mine.dag_id, mine.run_id, task_id, mine.map_index, mine.region)
        run = {"dag_id": mine.dag_id, "run_id": mine.run_id, "task_id": task_id, "logical_date": when(context)}
        store = BatchStore(ledger_path() or "", batch)
        return cls(run, read_items(items), list(read_results(uri)), credits_recorded(store.load()), store)

    @property
    def with_result(self) -> dict[str, dict[str, Any]]:
        """The lines that have a result, by key."""
        return {line["key"]: line for line in self.results if line["status"] in WITH_RESULT}

    def sent(self, keys: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """
        Yield the choices of some items, with the key of each, as they were in any try of the batch.

        :param keys: of the items.
        :raises RecordUnreadable: the record cannot be read. A retry may help.
        """
        for frozen in self.store.all_frozen():
            for item in frozen.lines():
                if item["key"] in keys:
                    for choice in item["choices"]:
                        yield item["key"], choice

    def write(self, folder: RunFolder, approvals: Mapping[str, bool] | None = None) -> dict[str, Any]:
        """
        Write manifest and gallery; return their paths, the hash that an approval is given for, and what was left out.

        What the plan left out is read of ``plan.json`` in the same folder.

        :param folder: where.
        :param approvals: which keys a person approved; None where nobody was asked.
        """
        plan = read_json(folder.uri_of(PLAN))
        manifest, gallery = draft_pages(
            self.run,
            self.items,
            self.results,
            credits=self.credits,
            approvals=approvals,
            base=folder.uri,
            plan=plan,
        )
        return {
            "manifest": folder.write(MANIFEST, manifest),
            "gallery": folder.write(GALLERY, gallery),
            "sha256": self.sha256,
            "left_out": _left_out(plan or {}),
        }

    @property
    def sha256(self) -> str:
        """The hash that an approval is given for: of all results, whatever a person thinks of them."""
        text = json.dumps([self.run, self.results, self.credits], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _left_out(plan: Mapping[str, Any]) -> dict[str, int]:
    return {"rows": (plan.get("catalogue") or {}).get("bad_rows", 0), "creatives": len(plan.get("trimmed") or ())}


def when(context: Mapping[str, Any]) -> str:
    """Return the time that a run is about, in ISO 8601 and UTC: its logical date, else when it was to run."""
    from datetime import UTC

    moment = context.get("logical_date") or context["dag_run"].run_after
    return str(moment.astimezone(UTC).isoformat())
