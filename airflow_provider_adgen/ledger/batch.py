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
import logging
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.record import Record, RecordUnreadable
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.ledger.frozen import FOLDER, FrozenItems
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.objects import create_large_object
from airflow_provider_adgen.ledger.snapshots import Kept, keep, read_snapshot, snapshot_lines
from airflow_provider_adgen.ledger.spend import Spent
from airflow_provider_adgen.ledger.stores import ObjectStore, item_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


log = logging.getLogger(__name__)

AT_A_TIME = 64
"""Requests to the storage at the same time."""

_ITEM = "item-"
_SNAPSHOT = "snapshot-"


class ItemStore(ObjectStore):
    """
    The objects of one item.

    :param batch: the batch's objects, whose file system is opened once for all items.
    :param folder: the name of the item's folder.
    """

    def __init__(self, batch: BatchStore, folder: str) -> None:
        self._batch = batch
        self._parts = [*batch.parts, folder]
        self._known = batch.opened.setdefault(folder, {})

    def _place(self) -> tuple[Any, str]:
        fs, folder = self._batch.place()
        return fs, f"{folder}/{self._parts[-1]}"

    def _wrote(self, name: str, version: Record) -> None:
        if version.attempts[0].phase != "intent":
            self._known[name] = version  # nothing is posted for it, and the next snapshot includes it


class BatchStore(FrozenItems):
    """
    All objects of one batch.

    Of each item it keeps the names of its objects and a text that says what they say. Only items about which something
    is being done are held as records, in their ledgers.

    :param base: ``[adgen] ledger_path``.
    :param identity: the task.
    """

    def _begin(self) -> None:
        super()._begin()
        self.opened: dict[str, dict[str, Record | None]] = {}
        """Of each item with a ledger the objects that were read, by name, as :class:`ObjectStore` keeps them."""

        self.notes: dict[str, Any] = {}
        """What the writer of the latest snapshot noted beside the records."""

        self._kept: dict[str, Kept] = {}
        # The same of items whose ledgers are open, as it was when they were opened.
        self._before: dict[str, Kept] = {}
        self.unread: set[str] = set()
        """The folders of items whose objects could not be read; their ledgers read them again."""

        # The names of the snapshots there are, the latest last.
        self._snapshots: list[str] = []

    # --- the beginning of a leg -------------------------------------------------------------------------------------

    def load(self) -> Mapping[str, Record]:
        """
        Read everything; return the record of each item's folder, which is made from its text when it is asked for.

        :raises RecordUnreadable: the storage cannot be listed. An item that cannot be read has no record here, and
            raises when its ledger is asked.
        """
        try:
            fs, folder = self.place()
            fs.invalidate_cache(folder)
            self._read(fs, folder)
        except Exception as error:
            raise RecordUnreadable(
                f"The record of this batch under [adgen] ledger_path could not be read ({reason(error)}). Nothing was "
                "sent, because jobs may already be paid for. Retry when the storage is available again."
            ) from None
        return _Records(self)

    def _read(self, fs: Any, folder: str) -> None:
        if getattr(fs, "async_impl", False):
            # An object store lists everything below a prefix, a thousand objects a request.
            listed: dict[str, list[str]] = {}
            for path in fs.find(folder):
                parts = path[len(folder) :].strip("/").split("/")
                if len(parts) == 2:
                    listed.setdefault(parts[0], []).append(parts[1])
            folders = list(listed)
        else:
            listed = {FOLDER: _names(fs, f"{folder}/{FOLDER}")}
            try:
                folders = [path.rstrip("/").rpartition("/")[2] for path in fs.ls(folder, detail=False)]
            except FileNotFoundError:
                folders = []
        self._snapshots = sorted(
            name for name in listed.get(FOLDER, ()) if name.startswith(_SNAPSHOT) and name.endswith(".jsonl")
        )
        self._take_snapshot(fs, folder)
        items = {name for name in folders if name.startswith(_ITEM)}
        for name in self._kept.keys() - items:
            if self._kept[name].names:
                del self._kept[name]

        def take(item: str) -> None:
            names = listed.get(item)
            self._take(fs, f"{folder}/{item}", _names(fs, f"{folder}/{item}") if names is None else names)

        _each(take, sorted(items))

    def _take_snapshot(self, fs: Any, folder: str) -> None:
        for name in reversed(self._snapshots):
            # It is only there for speed; the objects say the same. An older one may do.
            with contextlib.suppress(ValueError, KeyError, TypeError, FileNotFoundError):
                self._kept, self.notes = read_snapshot(fs, f"{folder}/{FOLDER}/{name}")
                return

    def _take(self, fs: Any, folder: str, listed: Iterable[str]) -> None:
        """Take in one item's folder, as it is listed: what the snapshot does not include is read."""
        item = folder.rpartition("/")[2]
        names = {name for name in listed if name.endswith(".json") and not name.startswith(".")}
        kept = self._kept.get(item)
        if kept is not None and not names.issuperset(kept.names):
            # Where an object is gone, another process has replaced it: then everything is read again.
            del self._kept[item]
            kept = None
        missing = names.difference(kept.names if kept is not None else ())
        if not missing:
            return
        try:
            # What is wrong with an object is told when the item itself is read, and stops only that item.
            records = [self._parse(f"{item}/{name}", fs.cat_file(f"{folder}/{name}")) for name in sorted(missing)]
            if kept is not None:
                records.append(self._parse(item, kept.record))
        except (RecordUnreadable, FileNotFoundError):
            self._kept.pop(item, None)
            self.unread.add(item)
        else:
            self._kept[item] = keep(names, Record.merged(records))

    def recorded(self) -> list[str]:
        """Return the names of the items' folders that have a record which could be read."""
        return list(self._kept)

    def record_of(self, folder: str) -> Record | None:
        """Return the record of an item's folder; None where there is none, or its ledger must read it."""
        kept = self._kept.get(folder)
        if kept is None:
            return None
        try:
            return self._parse(folder, kept.record)
        except RecordUnreadable:
            # The snapshot's text is broken. The objects say the same.
            del self._kept[folder]
            self.unread.add(folder)
            return None

    def mark(self, folder: str) -> bytes:
        """Return what the writer of the snapshot made of an item, and forget it; empty where it made nothing of it."""
        kept = self._kept.get(folder)
        if kept is None:
            return b""
        mark, kept.mark = kept.mark, b""
        return mark

    def spent_with(self, reservation: str) -> Spent:
        """
        Return what a reservation was spent on, as the storage says now, whatever this process knows.

        :param reservation: its whole name.
        :raises RecordUnreadable: a part of the record cannot be read.
        """
        stored = BatchStore.at(self._base, self._parts)
        stored.load()
        spent, is_open = 0, False
        for folder in [*stored.recorded(), *stored.unread]:
            record = stored.record_of(folder)
            for one in (ItemStore(stored, folder).read() if record is None else record).attempts:
                if one.reservation == reservation:
                    spent, is_open = spent + one.spent, is_open or one.phase == "intent"
        return Spent(spent, is_open)

    # --- items ------------------------------------------------------------------------------------------------------

    def ledger(self, key: str, clock: Clock = SYSTEM) -> Ledger:
        """
        Return the ledger of one item, with what was read of it.

        :param key: the item's key.
        :param clock: time, injected.
        """
        folder = item_folder(key)
        record = self.record_of(folder)
        if record is not None:
            kept = self._before[folder] = self._kept.pop(folder)
            self.opened[folder] = {"": record, **dict.fromkeys(kept.names)}
        elif folder not in self.unread and folder not in self.opened:
            record = Record()
        return Ledger([ItemStore(self, folder)], clock=clock, record=record)

    def close(self, key: str, record: Record) -> None:
        """
        Keep the record of an item as a text, because nothing is done about it now; its ledger is not used any more.

        :param key: the item's key.
        :param record: what its ledger says.
        """
        folder = item_folder(key)
        known, before = self.opened.pop(folder, {}), self._before.pop(folder, None)
        if before is not None and record is known.get("") and len(known) == 1 + len(before.names):
            self._kept[folder] = before  # nothing was read or written
        elif names := [name for name in known if name]:
            self._kept[folder] = keep(names, _with_what_was_read(record, known))

    # --- for the next leg -------------------------------------------------------------------------------------------

    def write_snapshot(
        self, now: float, items: Iterable[tuple[str, Callable[[], Record | None], bytes]], notes: Mapping[str, Any]
    ) -> None:
        """
        Write what is known of all items, so that the next leg need not read their objects one by one.

        :param now: Unix time.
        :param items: for each item its folder's name, what returns its ledger's record, and what the next leg is told
            of it by :meth:`mark`.
        :param notes: JSON for the next leg. It may be lost, and older than the objects.
        """
        fs, folder = self.place()
        name = f"{_SNAPSHOT}{now:014.3f}-{uuid.uuid4().hex[:8]}.jsonl"
        create_large_object(fs, f"{folder}/{FOLDER}", name, snapshot_lines(self._all(items), notes))
        # The one before stays, for those who find this one unreadable.
        old, self._snapshots = self._snapshots[:-1], [*self._snapshots[-1:], name]
        for one in old:
            try:
                fs.rm_file(f"{folder}/{FOLDER}/{one}")
            except Exception as error:  # it only takes room
                log.debug("An old snapshot of the batch could not be removed (%s).", type(error).__name__)

    def _all(self, items: Iterable[tuple[str, Callable[[], Record | None], bytes]]) -> Iterator[tuple[str, Kept]]:
        told = set()
        for folder, read, mark in items:
            told.add(folder)
            if known := self.opened.get(folder):
                names, record = [name for name in known if name], read()
                if names and record is not None:
                    yield folder, replace(keep(names, _with_what_was_read(record, known)), mark=mark)
            elif (kept := self._kept.get(folder)) is not None:
                yield folder, replace(kept, mark=mark)
            elif mark:
                yield folder, replace(keep((), Record()), mark=mark)
        for folder, kept in self._kept.items():
            if folder not in told:
                yield folder, kept


class _Records(Mapping[str, Record]):
    """The records of a batch by the items' folders; each is made from its text when it is asked for."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store

    def __getitem__(self, folder: str) -> Record:
        record = self._store.record_of(folder)
        if record is None:
            raise KeyError(folder)
        return record

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.recorded())

    def __len__(self) -> int:
        return len(self._store.recorded())


def _with_what_was_read(record: Record, known: Mapping[str, Record | None]) -> Record:
    """Add what was read after a record was made up: a later reader leaves out every object that is named."""
    return Record.merged([*(one for one in known.values() if one is not None), record])


def _names(fs: Any, folder: str) -> list[str]:
    """Return the names of a folder's objects; none where there is no such folder."""
    try:
        return [path.rpartition("/")[2] for path in fs.ls(folder, detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _each(act: Callable[[Any], None], things: list[Any]) -> None:
    """Do something for each thing, many at a time."""
    if len(things) < AT_A_TIME:
        for one in things:
            act(one)
        return
    rest = iter(things)

    def work() -> None:
        for one in rest:
            act(one)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for done in [pool.submit(work) for _ in range(AT_A_TIME)]:
            done.result()
