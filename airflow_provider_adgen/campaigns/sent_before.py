# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What an earlier try of the same run sent: a job that is paid for is known by the request that it was sent with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.core.briefs import products_of
from airflow_provider_adgen.core.decisions.batch import next_step
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.planned import bought
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.settings import ledger_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.record import Record
    from airflow_provider_adgen.ledger.frozen import Frozen


class SentBefore:
    """
    The items that an earlier try of a run's batch sent.

    A vendor's product may be made anew between two tries, or may not be known just now. Neither changes what a job that
    was paid for was asked for: its item keeps the vendor's ids of then, for as long as that job counts. Where the page
    of the product in the shop has changed since, so has the request.

    What a try sent is read in the batch's record: nobody writes over it there.

    :param context: the running task's context.
    :param on_clear: what the author of the batch chose.
    """

    def __init__(self, context: Mapping[str, Any], *, on_clear: Literal["missing", "fresh", "reattach"]) -> None:
        self._facts = TaskFacts.of(context)
        self._on_clear = on_clear
        # Of each try the choices about products as they were sent, by the item's key and the connection.
        self._read: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def kept(self, key: str, choice: dict[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return a choice as it is sent now; with the ids of then where a job counts that was sent with them.

        :param key: the item's key.
        :param choice: the choice with the ids of now, or with its obstacle.
        :param planned: the choice as it was planned.
        :raises AdGenError: the storage cannot be read. A retry may help.
        """
        waiting = products_of(planned["request"])
        for sent in self._tries(key, planned["conn_id"]) if waiting else ():
            before = self._choices(sent).get((key, planned["conn_id"]))
            if before is None or before.get("reuse_as") != choice["reuse_as"]:
                continue
            then = {name: before["request"][name] for name in waiting if isinstance(before["request"].get(name), str)}
            if len(then) < len(waiting):
                continue
            if then.items() <= choice["request"].items():
                return choice
            kept = {name: value for name, value in choice.items() if name != "obstacle"}
            return {**kept, "request": {**planned["request"], **then}}
        return choice

    def _tries(self, key: str, conn_id: str) -> list[Frozen]:
        """
        Return the tries of which one sent the job of an item that counts, if it was sent to an account.

        A job counts that is collected, or that may have been accepted.
        """
        folder = item_folder(key)
        record = self._records.get(folder)
        if folder in self._store.unread:
            return self._frozen[::-1]  # it may have been paid for, by any of them
        if record is None or not bought(record):
            return []
        step = next_step(
            record,
            (),
            try_number=self._facts.try_number,
            epoch=self._facts.epoch,
            on_clear=self._on_clear,
            on_failed="fail",
            promises=lambda vendor: get_vendor(vendor).promises,
        )
        last = record.counting
        if last is None or last.conn_id != conn_id or step.anew:
            return []
        return [one for one in self._frozen if one.try_number == last.try_number][:1]

    def _choices(self, sent: Frozen) -> dict[tuple[str, str], dict[str, Any]]:
        if sent.name not in self._read:
            self._read[sent.name] = {
                (item["key"], choice["conn_id"]): choice
                for item in sent.lines()
                for choice in item["choices"]
                if choice.get("reuse_as")
            }
        return self._read[sent.name]

    @cached_property
    def _frozen(self) -> list[Frozen]:
        return self._store.all_frozen()

    @cached_property
    def _store(self) -> BatchStore:
        return BatchStore(ledger_path() or "", self._facts.identity)

    @cached_property
    def _records(self) -> Mapping[str, Record]:
        return self._store.load()
