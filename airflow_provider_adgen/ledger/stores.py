# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The stores of a paid job's record: Airflow's task state store, and create-only objects in object storage."""

from __future__ import annotations

import abc
import hashlib
import json
import logging
import uuid
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from airflow_provider_adgen import compat
from airflow_provider_adgen.core.record import Attempt, Record, RecordUnreadable
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.ledger.objects import create_object, list_objects

if TYPE_CHECKING:
    from airflow_provider_adgen.core.identity import TaskIdentity

log = logging.getLogger(__name__)

_LISTINGS = 5

KEY = "adgen.generation"
"""The key in Airflow's task state store."""


class Store(abc.ABC):
    """One place that keeps records."""

    @abc.abstractmethod
    def read(self) -> Record:
        """
        Return the record, empty if there is none.

        :raises RecordUnreadable: there may be a record, but it cannot be read.
        """

    @abc.abstractmethod
    def write(self, attempt: Attempt, record: Record) -> None:
        """Write *attempt*, which is part of *record*; the store's own errors are raised."""

    @abc.abstractmethod
    def forget(self, attempt: Attempt) -> None:
        """Drop a refused attempt that a later one has replaced; it raises nothing."""


class StateStore(Store):
    """
    Airflow's own task state store (3.3): one JSON value that never expires.

    :param accessor: ``context["task_state_store"]``.
    :param slot: distinguishes the jobs of one task.
    """

    def __init__(self, accessor: Any, slot: int = 0) -> None:
        self._accessor = accessor
        self._key = f"{KEY}.{slot}" if slot else KEY

    def read(self) -> Record:
        """Read the value under our key."""
        where = f"Airflow's task state store (key {self._key})"
        try:
            value = self._accessor.get(self._key)
        except Exception as error:
            raise RecordUnreadable(
                f"{where[0].upper()}{where[1:]} could not be read ({type(error).__name__}). Nothing was sent, because "
                "a job may already be paid for. Retry when it is available again."
            ) from None
        return Record() if value is None else Record.from_json(value, where=where)

    def write(self, attempt: Attempt, record: Record) -> None:
        """Overwrite the value: the store keeps one per task, and its tries do not run at the same time."""
        self._accessor.set(self._key, record.to_json(), retention=compat.never_expire())

    def forget(self, attempt: Attempt) -> None:
        """Do nothing: the value was overwritten without it."""


class ObjectStore(Store):
    """
    Create-only objects under ``<base>/<dag>/<run>/<task>/<map index>/``, one for each version of each attempt.

    Nothing is overwritten and readers merge, so two writers cannot destroy each other's data.

    :param base: an object-storage path; it names its connection (``s3://conn_id@bucket/...``).
    :param identity: the task.
    """

    def __init__(self, base: str, identity: TaskIdentity) -> None:
        self._base = base
        self._parts = record_folder(identity)
        # Objects never change, so each is read once. None stands for one that a snapshot includes; the snapshot's
        # record is kept under an empty name.
        self._known: dict[str, Record | None] = {}

    @classmethod
    def at(cls, base: str, parts: list[str]) -> Self:
        """
        Return the store of a record in another folder.

        :param base: as above.
        :param parts: the folder below it.
        """
        store = cls.__new__(cls)
        store._base, store._parts, store._known = base, parts, {}
        return store

    def _place(self) -> tuple[Any, str]:
        """Return the file system, and the path of the task's folder in it."""
        from airflow.sdk import ObjectStoragePath

        folder = ObjectStoragePath(self._base)
        for part in self._parts:
            folder = folder / part
        return folder.fs, str(folder.path)

    def read(self) -> Record:
        """Read and merge all objects of the task."""
        try:
            fs, folder = self._place()
        except Exception as error:  # a missing package or connection, or any error of a file system's constructor
            raise RecordUnreadable(
                f"The storage of [adgen] ledger_path cannot be opened ({reason(error)}). Nothing was "
                "sent, because a job may already be paid for. Check that the package of that storage is installed "
                "(airflow-provider-adgen[s3] or [gcs]), the path, and the Airflow connection it names."
            ) from None
        try:
            names = self._read_new(fs, folder)
        except RecordUnreadable:
            raise
        except Exception as error:
            raise RecordUnreadable(
                f"The ledger of paid generations under [adgen] ledger_path could not be read ({type(error).__name__}). "
                "Nothing was sent, because a job may already be paid for. Retry when the storage is available again."
            ) from None
        return Record.merged(record for name in ("", *names) if (record := self._known.get(name)) is not None)

    def _read_new(self, fs: Any, folder: str) -> list[str]:
        """Read the objects that were not read before; return the names of all there are."""
        for left in reversed(range(_LISTINGS)):
            paths = _objects(fs, folder)
            try:
                for path in paths:
                    name = path.rpartition("/")[2]
                    if name not in self._known:
                        self._known[name] = self._parse(name, fs.cat_file(path))
            except FileNotFoundError:
                # Another process has replaced a refused attempt between the listing and the reading.
                if not left:
                    raise
            else:
                return [path.rpartition("/")[2] for path in paths]
        return []

    def _parse(self, name: str, text: bytes) -> Record:
        where = f"[adgen] ledger_path (object {'/'.join(self._parts)}/{name})"
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        return Record.from_json(value, where=where)

    def write(self, attempt: Attempt, record: Record) -> None:
        """Create one object with this version of the attempt."""
        version = Record(attempts=[attempt])
        text = json.dumps(version.to_json(), separators=(",", ":")).encode()
        fs, folder = self._place()
        name = f"{attempt.intended_at:014.3f}-{attempt.uid}-{attempt.phase}-{uuid.uuid4().hex[:8]}.json"
        create_object(fs, folder, name, text)
        self._wrote(name, version)

    def _wrote(self, name: str, version: Record) -> None:
        """Take in what was written. It is read again: what is posted for must be what the storage holds."""

    def forget(self, attempt: Attempt) -> None:
        """Remove the objects of a refused attempt; where that is not allowed they stay, and say what they said."""
        try:
            fs, folder = self._place()
            mine = [name for name in _objects(fs, folder) if f"-{attempt.uid}-" in name.rpartition("/")[2]]
            if any("-intent-" not in name and "-withdrawn-" not in name for name in mine):
                return  # another process made a job of it
            # The intent first: alone it would look like a submission that nobody can vouch for.
            for path in sorted(mine, key=lambda one: "-intent-" not in one):
                fs.rm_file(path)
                self._known.pop(path.rpartition("/")[2], None)
            if (included := self._known.get("")) is not None:
                self._known[""] = included.without(attempt.uid)
        except Exception as error:  # it says that nothing was started, and so does what remains
            log.debug("A refused attempt could not be removed from the ledger (%s).", type(error).__name__)


def item_folder(key: str) -> str:
    """Return the name of the folder of a batch's item."""
    return f"item-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _objects(fs: Any, folder: str) -> list[str]:
    return [name for name in list_objects(fs, folder) if name.endswith(".json")]


def record_folder(identity: TaskIdentity) -> list[str]:
    """Return the parts of the path of a task's folder below ``ledger_path``; an item's is in that of its batch."""
    parts = [identity.dag_id, identity.run_id, identity.task_id, str(identity.map_index)]
    if identity.region is not None:
        parts.append(f"region-{identity.region}")
    if identity.slot:
        parts.append(f"slot-{identity.slot}")
    folder = [quote(part, safe="").replace(".", "%2E") for part in parts]
    return folder if identity.item is None else [*folder, item_folder(identity.item)]
