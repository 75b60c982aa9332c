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
import logging
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.record import Record, RecordUnreadable
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.objects import create_large_object, create_object, list_objects, read_lines
from airflow_provider_adgen.ledger.snapshots import Kept, keep, packed, read_snapshot, snapshot_lines
from airflow_provider_adgen.ledger.stores import ObjectStore, item_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_adgen.core.identity import TaskIdentity

log = logging.getLogger(__name__)

AT_A_TIME = 64
"""Requests to the storage at the same time."""

_FOLDER = "batch"
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


class BatchStore(ObjectStore):
    """
    All objects of one batch.

    Of each item it keeps the names of its objects and a text that says what they say. Only items about which something
    is being done are held as records, in their ledgers.

    :param base: ``[adgen] ledger_path``.
    :param identity: the task.
    """

    def __init__(self, base: str, identity: TaskIdentity) -> None:
        super().__init__(base, identity)
        self._at: tuple[Any, str] | None = None
        self.opened: dict[str, dict[str, Record | None]] = {}
        """Of each item with a ledger the objects that were read, by name, as :class:`ObjectStore` keeps them."""

        self.notes: dict[str, Any] = {}
        """What the writer of the latest snapshot noted beside the records."""

        self._kept: dict[str, Kept] = {}
        # The same of items whose ledgers are open, as it was when they were opened.
        self._before: dict[str, Kept] = {}
        # Items whose objects could not be read.
        self._unread: set[str] = set()
        # The names of the snapshots there are, the latest last.
        self._snapshots: list[str] = []

    @property
    def parts(self) -> list[str]:
        """The path of the batch's folder below the base."""
        return self._parts

    def place(self) -> tuple[Any, str]:
        """Return the file system, and the path of the batch's folder in it; found once."""
        if self._at is None:
            self._at = self._place()
        return self._at

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
            listed = {_FOLDER: _names(fs, f"{folder}/{_FOLDER}")}
            try:
                folders = [path.rstrip("/").rpartition("/")[2] for path in fs.ls(folder, detail=False)]
            except FileNotFoundError:
                folders = []
        self._snapshots = sorted(
            name for name in listed.get(_FOLDER, ()) if name.startswith(_SNAPSHOT) and name.endswith(".jsonl")
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
                self._kept, self.notes = read_snapshot(fs, f"{folder}/{_FOLDER}/{name}")
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
            records = [self._parse(f"{item}/{name}", fs.cat_file(f"{folder}/{name}")) for name in missing]
            if kept is not None:
                records.append(self._parse(item, kept.record))
        except (RecordUnreadable, FileNotFoundError):
            self._kept.pop(item, None)
            self._unread.add(item)
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
            self._unread.add(folder)
            return None

    def mark(self, folder: str) -> bytes:
        """Return what the writer of the snapshot made of an item, and forget it; empty where it made nothing of it."""
        kept = self._kept.get(folder)
        if kept is None:
            return b""
        mark, kept.mark = kept.mark, b""
        return mark

    # --- what a try is about ----------------------------------------------------------------------------------------

    def freeze(self, try_number: int, began: float, lines: Iterable[Mapping[str, Any]]) -> Frozen:
        """
        Write the items of a try, and return those that count: the first that any process of this try has written.

        :param try_number: the try.
        :param began: Unix time at which it began.
        :param lines: one JSON object per item.
        """
        fs, folder = self.place()
        name = f"items-{try_number:06d}-{began:014.3f}-{uuid.uuid4().hex[:8]}.jsonl"
        # In one piece: the first file counts, so it must not be there before it is complete.
        create_object(fs, f"{folder}/{_FOLDER}", name, b"".join(packed(line) + b"\n" for line in lines))
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
            for line in read_lines(fs, f"{folder}/{_FOLDER}/{name}"):
                yield json.loads(line)
        except Exception as error:
            raise RecordUnreadable(
                f"The items of this batch, {_FOLDER}/{name} under [adgen] ledger_path, could not be read "
                f"({reason(error)}). Nothing was sent. Retry when the storage is available again."
            ) from None

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
        elif folder not in self._unread and folder not in self.opened:
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
            self._kept[folder] = keep(names, record)

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
        create_large_object(fs, f"{folder}/{_FOLDER}", name, snapshot_lines(self._all(items), notes))
        # The one before stays, for those who find this one unreadable.
        old, self._snapshots = self._snapshots[:-1], [*self._snapshots[-1:], name]
        for one in old:
            try:
                fs.rm_file(f"{folder}/{_FOLDER}/{one}")
            except Exception as error:  # it only takes room
                log.debug("An old snapshot of the batch could not be removed (%s).", type(error).__name__)

    def _all(self, items: Iterable[tuple[str, Callable[[], Record | None], bytes]]) -> Iterator[tuple[str, Kept]]:
        told = set()
        for folder, read, mark in items:
            told.add(folder)
            if known := self.opened.get(folder):
                names, record = [name for name in known if name], read()
                if names and record is not None:
                    yield folder, replace(keep(names, record), mark=mark)
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
    def began(self) -> float:
        """Unix time at which the try began."""
        return float(self.name.split("-")[2])

    def lines(self) -> Iterator[dict[str, Any]]:
        """
        Yield one JSON object per item.

        :raises RecordUnreadable: they cannot be read.
        """
        return self.store.read_lines(self.name)


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
