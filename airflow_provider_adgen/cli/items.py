# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The items of a batch as they are recorded, read from outside the task."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.cli import server
from airflow_provider_adgen.cli.resolving import Refused, resolution_of, seconds_left
from airflow_provider_adgen.cli.text import when
from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.record import Record, RecordUnreadable
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
from airflow_provider_adgen.lifecycle.batch.results import costs_of, credits_of
from airflow_provider_adgen.lifecycle.resolution import GONE, NOT_SUBMITTED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.record import Attempt
    from airflow_provider_adgen.ledger.ledger import Ledger

SUBMITTING, RESOLVED, UNREADABLE = "submitting", "resolved", "unreadable"
"""States beside those that results have: the submission may be in progress; a person has decided; see its folder."""

OPEN = (ItemStatus.UNKNOWN, RESOLVED, SUBMITTING, ItemStatus.SUBMITTED, UNREADABLE)
"""States of what is paid for, or may be, and is not over; what a person has to decide comes first."""


class Item:
    """
    One item.

    :param key: its key.
    :param ledger: its record.
    :param note: the status and reason that its last leg noted, for what the record does not say.
    """

    def __init__(self, key: str, ledger: Ledger, note: tuple[str, str]) -> None:
        self.key = key
        self.note = note
        self._ledger = ledger

    @property
    def record(self) -> Record:
        """
        Return what is recorded of it.

        :raises RecordUnreadable: that cannot be read.
        """
        return self._ledger.record() or Record()

    @cached_property
    def known(self) -> Record | None:
        """What is recorded of it; None where that cannot be read."""
        try:
            return self.record
        except RecordUnreadable as error:
            self.note = ("", error.message)
            return None

    @property
    def open(self) -> Attempt | None:
        """The attempt whose outcome is unknown, or still in progress."""
        return self.known.open if self.known is not None else None

    @cached_property
    def resolution(self) -> str | None:
        """What a person has decided about the open attempt."""
        said = resolution_of(self.open) if self.open is not None else None
        return None if said == GONE else said  # that is about a recorded job, and has no effect here

    @property
    def attached(self) -> str | None:
        """The jobs that a person has attached to the open attempt, joined by commas."""
        return self.resolution if self.resolution != NOT_SUBMITTED else None

    @cached_property
    def state(self) -> str:
        """Its status as in the results, or one of the states above."""
        last = self.known.counting if self.known is not None else None
        if self.known is None:
            return UNREADABLE
        if last is None or last.phase == "withdrawn":
            return self.note[0] or str(ItemStatus.WAITING)
        if last.phase == "intent":
            if seconds_left(last) > 0:
                return SUBMITTING
            return RESOLVED if self.resolution is not None else str(ItemStatus.UNKNOWN)
        if last.phase == "done":
            return str(ItemStatus.COMPLETED)
        return str(ItemStatus.SUBMITTED if last.ended is None else ItemStatus.FAILED)

    @property
    def credits(self) -> dict[str, int]:
        """Credits that it may have cost so far, by connection, less documented refunds."""
        sums: dict[str, int] = {}
        for one in self.known.attempts if self.known is not None else ():
            if one.phase != "withdrawn":
                sums[one.conn_id] = sums.get(one.conn_id, 0) + one.spent
        return sums

    def _reason(self, last: Attempt | None) -> str | None:
        told = last.reason if last is not None else None
        if last is None or last.phase == "withdrawn":
            return self.note[1] or told  # what its last leg noted is newer than a refusal in the record
        return told or self.note[1] or None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        last = self.known.counting if self.known is not None else None
        return {
            "key": self.key,
            "state": self.state,
            "job_ids": last.job_ids if last is not None else [],
            "credits": self.credits,
            "connection": last.conn_id if last is not None else None,
            "endpoint": last.endpoint if last is not None else None,
            "intended_at": when(last.intended_at) if last is not None else None,
            "attempt": last.uid if last is not None else None,
            "resolution": self.resolution,
            "reason": self._reason(last),
        }


class Batch:
    """
    A batch as it is recorded.

    :param identity: the task.
    :param items: the items of the latest list, and those of earlier lists of which something is recorded.
    :param results: where the results are; None before the first leg has ended.
    """

    def __init__(self, identity: TaskIdentity, items: Mapping[str, Item], results: str | None) -> None:
        self.identity = identity
        self.items = items
        self.results = results

    @property
    def credits(self) -> dict[str, dict[str, int]]:
        """What all submissions of it cost, for each account."""
        records = (one.known for one in self.items.values())
        return credits_of(cost for record in records if record is not None for cost in costs_of(record))

    def item(self, key: str) -> Item:
        """
        Return an item.

        :raises Refused: there is none with that key.
        """
        if key not in self.items:
            raise Refused(f"{no_item(self.identity, key)} Nothing was changed.")
        return self.items[key]

    def in_state(self, *states: str) -> list[Item]:
        """Return the items in one of some states."""
        return [one for one in self.items.values() if one.state in states]

    def owners(self, undecided: Collection[str] = ()) -> dict[str, str]:
        """
        Return the key of the item that has each job, by its record or because a person attached it.

        :param undecided: keys of items for which a person decides anew.
        """
        found: dict[str, str] = {}
        for one in self.items.values():
            for attempt in one.known.attempts if one.known is not None else ():
                found.update(dict.fromkeys(attempt.job_ids, one.key))
            if one.attached is not None and one.key not in undecided:
                found.update(dict.fromkeys(one.attached.split(","), one.key))
        return found


def no_item(identity: TaskIdentity, key: str) -> str:
    """Return the sentence that a batch has no such item."""
    return f"{identity} has no item with the key {key!r}."


def belongs(ids: Iterable[str], owners: Mapping[str, str]) -> str | None:
    """Return the sentence that a job is another submission's already; None where none of them is."""
    for job in ids:
        if job in owners:
            return f"Job {job} is that of item {owners[job]!r} already: two submissions cannot be the same job."
    return None


def read_batch(identity: TaskIdentity) -> Batch | None:
    """
    Read a batch; None where the task is none.

    :param identity: the task.
    :raises RecordUnreadable: the storage cannot be read.
    """
    store = server.batch_of(identity)
    if store is None:
        return None
    recorded = {*store.load(), *store.unread}
    lists = store.all_frozen()
    # Of two processes of one try that wrote a list, the first one's counts.
    latest = next(one for one in lists if one.try_number == lists[-1].try_number)
    notes = store.notes.get("items", {})
    items: dict[str, Item] = {}

    def take(line: Mapping[str, Any]) -> None:
        key, folder = line["key"], item_folder(line["key"])
        status, reason, *_ = notes.get(folder, ("", ""))
        with contextlib.suppress(ValueError):
            if mark := store.mark(folder):
                outcome = Outcome.from_mark(mark)
                status, reason = str(outcome.status), outcome.reason
        if line.get("problem") and not line["choices"]:
            status, reason = str(ItemStatus.SKIPPED), line["problem"]
        items[key] = Item(key, store.ledger(key), (status, reason))

    for line in latest.lines():
        take(line)
    if not recorded <= {item_folder(key) for key in items}:
        for earlier in reversed(lists):
            for line in earlier.lines():
                if line["key"] not in items and item_folder(line["key"]) in recorded:
                    take(line)
    return Batch(identity, items, store.notes.get("results"))
