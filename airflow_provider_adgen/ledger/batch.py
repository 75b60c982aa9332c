# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The durable record of a batch: one folder of create-only objects per item, and what lets thousands be read in seconds.

Beside the folders of the items stands a folder ``batch`` with the frozen items of each try, and with snapshots. A
snapshot holds what its writer knew of all items, with the names of the objects that it includes. So a reader lists
everything, and reads only what is not included.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.record import Record, RecordUnreadable
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.objects import create_object, list_objects
from airflow_provider_adgen.ledger.spend import Spent
from airflow_provider_adgen.ledger.stores import ObjectStore, item_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from airflow_provider_adgen.core.identity import TaskIdentity

AT_A_TIME = 32
"""Requests to the storage at the same time."""

_FOLDER = "batch"
_ITEM = "item-"


class ItemStore(ObjectStore):
    """
    The objects of one item.

    :param batch: the batch's objects, whose file system is opened once for all items.
    :param key: the item's key.
    """

    def __init__(self, batch: BatchStore, key: str) -> None:
        self._batch = batch
        self._parts = [*batch.parts, item_folder(key)]
        self._known = batch.known.get(self._parts[-1], {})

    def _place(self) -> tuple[Any, str]:
        fs, folder = self._batch.place()
        return fs, f"{folder}/{self._parts[-1]}"

    def _wrote(self, name: str, version: Record) -> None:
        if version.attempts[0].phase != "intent":
            self._known[name] = version  # nothing is posted for it, and the next snapshot includes it


class BatchStore(ObjectStore):
    """
    All objects of one batch.

    :param base: ``[adgen] ledger_path``.
    :param identity: the task.
    """

    def __init__(self, base: str, identity: TaskIdentity) -> None:
        super().__init__(base, identity)
        self._begin()

    @classmethod
    def at(cls, base: str, parts: list[str]) -> Self:
        """Return the store of a batch in a folder; see :meth:`ObjectStore.at`."""
        store = super().at(base, parts)
        store._begin()
        return store

    def _begin(self) -> None:
        self._opened: tuple[Any, str] | None = None
        # Of each item's folder the objects that were read, by name.
        self.known: dict[str, dict[str, Record | None]] = {}
        self.notes: dict[str, Any] = {}
        """What the writer of the latest snapshot noted beside the records."""

        self._listed: dict[str, list[str]] = {}
        self._own: list[str] = []

    @property
    def parts(self) -> list[str]:
        """The path of the batch's folder below the base."""
        return self._parts

    def place(self) -> tuple[Any, str]:
        """Return the file system, and the path of the batch's folder in it; found once."""
        if self._opened is None:
            self._opened = self._place()
        return self._opened

    def load(self) -> dict[str, Record]:
        """
        Read everything; return the record of each item's folder.

        :raises RecordUnreadable: the storage cannot be listed. An item that cannot be read has no record here, and
            raises when it is asked for.
        """
        try:
            fs, folder = self.place()
            fs.invalidate_cache(folder)
            self._listed = {
                name: [one for one in inside if one.endswith((".json", ".jsonl")) and not one.startswith(".")]
                for name, inside in _list(fs, folder).items()
            }
            self._take_snapshot(fs, folder)
            self._read_rest(fs, folder)
        except Exception as error:
            raise RecordUnreadable(
                f"The record of this batch under [adgen] ledger_path could not be read ({reason(error)}). Nothing was "
                "sent, because jobs may already be paid for. Retry when the storage is available again."
            ) from None
        found = {}
        for name, known in self.known.items():
            if set(self._listed.get(name, ())) <= set(known):
                found[name] = Record.merged(record for record in known.values() if record is not None)
        return found

    def _take_snapshot(self, fs: Any, folder: str) -> None:
        for name in sorted(self._listed.get(_FOLDER, ()), reverse=True):
            if not name.startswith("snapshot-"):
                continue
            try:
                snapshot = json.loads(fs.cat_file(f"{folder}/{_FOLDER}/{name}"))
                items, self.notes = snapshot["items"], snapshot["notes"]
                for item, (names, record) in items.items():
                    # Where an object is gone, another process has replaced it: then everything is read again.
                    if set(names) <= set(self._listed.get(item, ())):
                        read = Record.from_json(record, where="a snapshot of the ledger")
                        self.known[item] = {"": read, **dict.fromkeys(names)}
            except (ValueError, KeyError, TypeError, RecordUnreadable, FileNotFoundError):
                # It is only there for speed; the objects say the same. An older one may do.
                self.known.clear()
                continue
            return

    def _read_rest(self, fs: Any, folder: str) -> None:
        missing = [
            (item, name)
            for item, names in self._listed.items()
            if item.startswith(_ITEM)
            for name in names
            if name not in self.known.setdefault(item, {})
        ]

        def read(one: tuple[str, str]) -> None:
            item, name = one
            # What is wrong with an object is told when the item itself is read, and stops only that item.
            with contextlib.suppress(RecordUnreadable, FileNotFoundError):
                self.known[item][name] = self._parse(f"{item}/{name}", fs.cat_file(f"{folder}/{item}/{name}"))

        _each(read, missing)

    def spent_with(self, reservation: str) -> Spent:
        """
        Return what a reservation was spent on, as the storage says now, whatever this process knows.

        :param reservation: its whole name.
        :raises RecordUnreadable: a part of the record cannot be read.
        """
        stored = BatchStore.at(self._base, self._parts)
        records = stored.load()
        if broken := [name for name in stored.known if name not in records]:
            raise RecordUnreadable(f"{len(broken)} items of the ledger cannot be read, {broken[0]} first.")
        mine = [one for record in records.values() for one in record.attempts if one.reservation == reservation]
        return Spent(sum(one.spent for one in mine), any(one.phase == "intent" for one in mine))

    # --- what a try is about ----------------------------------------------------------------------------------------

    def freeze(self, try_number: int, began: float, lines: Iterable[Mapping[str, Any]]) -> Frozen:
        """
        Write the items of a try, and return those that count: the first that any process of this try has written.

        :param try_number: the try.
        :param began: Unix time at which it began.
        :param lines: one JSON object per item.
        """
        fs, folder = self.place()
        text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
        name = f"items-{try_number:06d}-{began:014.3f}-{uuid.uuid4().hex[:8]}.jsonl"
        create_object(fs, f"{folder}/{_FOLDER}", name, text.encode())
        frozen = self.frozen(try_number)
        if frozen is None:
            raise RecordUnreadable(
                "The items of this batch were written under [adgen] ledger_path and are not found there. Nothing was "
                "sent. Does the storage list what it has just written?"
            )
        return frozen

    def frozen(self, try_number: int) -> Frozen | None:
        """Return the items that were frozen for a try; None where there are none."""
        prefix = f"items-{try_number:06d}-"
        for one in self.all_frozen():
            if one.name.startswith(prefix):
                return one
        return None

    def all_frozen(self) -> list[Frozen]:
        """Return the frozen items of all tries, the oldest first."""
        fs, folder = self.place()
        names = sorted(path.rpartition("/")[2] for path in list_objects(fs, f"{folder}/{_FOLDER}"))
        return [Frozen(self, name) for name in names if name.startswith("items-") and name.endswith(".jsonl")]

    def read_lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of frozen items."""
        fs, folder = self.place()
        try:
            text = fs.cat_file(f"{folder}/{_FOLDER}/{name}")
            for line in text.splitlines():
                yield json.loads(line)
        except Exception as error:
            raise RecordUnreadable(
                f"The items of this batch, {_FOLDER}/{name} under [adgen] ledger_path, could not be read "
                f"({reason(error)}). Nothing was sent. Retry when the storage is available again."
            ) from None

    # --- for the next leg -------------------------------------------------------------------------------------------

    def write_snapshot(self, now: float, records: Mapping[str, Record], notes: Mapping[str, Any]) -> None:
        """
        Write what is known of all items, so that the next leg need not read their objects one by one.

        :param now: Unix time.
        :param records: the record of each item's folder.
        :param notes: JSON for the next leg. It may be lost, and older than the objects.
        """
        items = {
            # Whatever a later reader leaves out must be in it: also what was read after the record was made up.
            name: (
                sorted(one for one in known if one),
                Record.merged([*(one for one in known.values() if one is not None), records[name]]).to_json(),
            )
            for name, known in self.known.items()
            if known and name in records
        }
        fs, folder = self.place()
        text = json.dumps({"schema": 1, "items": items, "notes": notes}, separators=(",", ":")).encode()
        name = f"snapshot-{now:014.3f}-{uuid.uuid4().hex[:8]}.jsonl"
        create_object(fs, f"{folder}/{_FOLDER}", name, text)
        for old in self._own:
            fs.rm_file(f"{folder}/{_FOLDER}/{old}")
        self._own = [name]

    def ledger(self, key: str, record: Record | None, clock: Clock = SYSTEM) -> Ledger:
        """
        Return the ledger of one item.

        :param key: the item's key.
        :param record: what :meth:`load` has read; None where it found nothing, or something that cannot be read.
        :param clock: time, injected.
        """
        folder = item_folder(key)
        self.known.setdefault(folder, {})
        if record is None and folder not in self._listed:
            record = Record()
        return Ledger([ItemStore(self, key)], clock=clock, record=record)


@dataclass(frozen=True)
class Frozen:
    """
    The items of one try.

    :param store: where they are kept.
    :param name: the name of their object.
    """

    store: BatchStore
    name: str

    @property
    def try_number(self) -> int:
        """The try."""
        return int(self.name.split("-")[1])

    @property
    def began(self) -> float:
        """Unix time at which the try began."""
        return float(self.name.split("-")[2])

    def lines(self) -> Iterator[dict[str, Any]]:
        """
        Yield one JSON object per item.

        :raises RecordUnreadable: they cannot be read.
        """
        return self.store.read_lines(self.name)


def _list(fs: Any, folder: str) -> dict[str, list[str]]:
    """Return the names of all objects in each folder below a batch's."""
    found: dict[str, list[str]] = {}
    if getattr(fs, "async_impl", False):
        # An object store lists everything below a prefix, a thousand objects a request.
        for path in fs.find(folder):
            parts = path[len(folder) :].strip("/").split("/")
            if len(parts) == 2:
                found.setdefault(parts[0], []).append(parts[1])
        return found
    try:
        paths = fs.ls(folder, detail=False)
    except FileNotFoundError:
        return found

    def listed(path: str) -> None:
        try:
            inside = fs.ls(path, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return
        found[path.rstrip("/").rpartition("/")[2]] = [one.rpartition("/")[2] for one in inside if one != path]

    _each(listed, paths)
    return found


def _each(act: Callable[[Any], None], things: list[Any]) -> None:
    """Do something for each thing, many at a time."""
    if len(things) < AT_A_TIME:
        for one in things:
            act(one)
        return
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for _ in pool.map(act, things, chunksize=16):
            pass
