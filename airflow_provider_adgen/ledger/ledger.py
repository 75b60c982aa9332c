# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger of one task: its record over all configured stores."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import compat, settings
from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.ledger.stores import ObjectStore, StateStore, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_adgen.core.identity import TaskIdentity

_WRITE_PAUSES = (0.2, 1.0, 3.0)


class Ledger:
    """
    The record of one task, read from all stores and written to all.

    :param stores: an empty list: nothing is kept.
    :param clock: time, injected.
    :param record: what the stores hold, where that was just read; :meth:`newcomers` tells what was written since.
    """

    def __init__(self, stores: list[Store], *, clock: Clock = SYSTEM, record: Record | None = None) -> None:
        self._stores = stores
        self._clock = clock
        self._record = record
        self.process = uuid.uuid4().hex[:8]
        """Tells this process from others of the same task."""

        self.on_write: Callable[[Attempt, Attempt | None], None] | None = None
        """Called with each version that every store has taken, and with what was known of that attempt before."""

        # Their objects stay where a storage allows no deletes.
        self._forgotten: set[str] = set()

    @property
    def outlives_clear(self) -> bool:
        """Whether the record is kept when a task is cleared: Airflow 3.4 deletes the task's state then."""
        return any(isinstance(store, ObjectStore) for store in self._stores)

    @property
    def keeps(self) -> bool:
        """Whether there is a store at all."""
        return bool(self._stores)

    def record(self) -> Record | None:
        """
        Return the record, or None where nothing is kept and this process has written nothing.

        :raises RecordUnreadable: a store cannot be read.
        """
        if self._record is None and self._stores:
            self._record = self._read([])
        return self._record

    def refresh(self) -> None:
        """
        Read the stores again and merge in what this process wrote or could not write.

        :raises RecordUnreadable: a store cannot be read.
        """
        if self._stores:
            known = [self._record] if self._record is not None else []
            self._record = self._read(known)

    def _read(self, known: list[Record]) -> Record:
        record = Record.merged([*(store.read() for store in self._stores), *known])
        for uid in self._forgotten:
            record = record.without(uid)
        return record

    def newcomers(self) -> list[Attempt]:
        """
        Read the stores again and return what other processes wrote since the last read.

        A process that writes an intent and *then* calls this sees every intent that was written before its own. If two
        processes do so, at least one of them sees the other's intent. This holds where nothing is overwritten
        (``ledger_path``). Airflow's own store overwrites, but it rejects writes of a try that another try has followed.

        :raises RecordUnreadable: a store cannot be read.
        """
        before = self.record()
        known = {_version(one) for one in before.attempts} if before is not None else set()
        self.refresh()
        after = self.record()
        return [one for one in after.attempts if _version(one) not in known] if after is not None else []

    def forget(self, attempt: Attempt) -> None:
        """
        Drop a refused attempt that a later one has replaced; it raises nothing.

        Call it when :meth:`newcomers` has found nobody: what another process made of the attempt must be seen first.
        """
        if self._record is None:
            return
        self._forgotten.add(attempt.uid)
        self._record = self._record.without(attempt.uid)
        for store in self._stores:
            store.forget(attempt)

    def write(self, attempt: Attempt, *, retrying: bool = False) -> Attempt:
        """
        Write a version of *attempt* to every store, and return that version.

        The outcome of a submission is written to every store that works; the error of a failed store is raised
        afterwards.

        :param attempt: the attempt.
        :param retrying: retry a few times before an error is raised.
        """
        known = self.record() or Record()
        # Versions are ordered by time. The new version must be the latest, also if this worker's clock is behind.
        latest = max((one.written_at + 0.001 for one in known.attempts if one.uid == attempt.uid), default=0.0)
        kept = attempt.model_copy(update={"written_at": max(self._clock.now(), latest)})
        record = known.with_attempt(kept)
        if kept.phase != "intent":
            # This process keeps the outcome in memory, also if it cannot be written.
            self._record = record
        failure: Exception | None = None
        for store in self._stores:
            try:
                self._write(store, kept, record, _WRITE_PAUSES if retrying else ())
            except Exception as error:
                if kept.phase == "intent" and not kept.statuses:
                    raise  # nothing was posted, and nothing will be posted
                failure = failure or error
        if failure is not None:
            raise failure
        self._record = record
        if self.on_write is not None:
            before = next((one for one in known.attempts if one.uid == attempt.uid), None)
            self.on_write(kept, before)
        return kept

    def _write(self, store: Store, attempt: Attempt, record: Record, pauses: tuple[float, ...]) -> None:
        for pause in pauses:
            try:
                store.write(attempt, record)
            except Exception:
                self._clock.sleep_blocking(pause)
            else:
                return
        store.write(attempt, record)


def _version(attempt: Attempt) -> tuple[str, float, tuple[str, ...]]:
    return attempt.uid, attempt.written_at, tuple(attempt.posters)


def task_ledger(context: Mapping[str, Any], identity: TaskIdentity) -> Ledger:
    """Return the ledger of the running task: Airflow's state store where there is one, ``ledger_path`` where set."""
    stores: list[Store] = []
    accessor = compat.task_state_store(context)
    if accessor is not None:
        stores.append(StateStore(accessor, identity.slot))
    path = settings.ledger_path()
    if path is not None:
        stores.append(ObjectStore(path, identity))
    return Ledger(stores)
