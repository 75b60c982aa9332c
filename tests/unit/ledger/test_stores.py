# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Where the record is kept: both stores, two writers, broken reads and writes, objects that were cut off."""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt, Record, RecordUnreadable
from airflow_provider_adgen.ledger import ledger as ledger_module
from airflow_provider_adgen.ledger.ledger import Ledger, task_ledger
from airflow_provider_adgen.ledger.stores import ObjectStore, StateStore
from tests.support.tasks import FakeStore, task_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHO = TaskIdentity("dag.v2", "manual__2026-01-01T00:00:00+00:00", "group.make", 3)


@pytest.fixture(autouse=True)
def _quick(quick: None) -> None:
    pass


def attempt(phase: str = "intent", **fields: Any) -> Attempt:
    made = {"epoch": 1, "fingerprint": "f", "kind": "video", "intended_at": 100.0, "post_seconds": 60.0}
    return Attempt(**{"phase": phase, "uid": "a", **made, **fields})


def write(store: Any, one: Attempt) -> None:
    store.write(one, Record(attempts=[one]))


class TestState:
    def test_nothing_is_an_empty_record(self) -> None:
        assert StateStore(FakeStore()).read() == Record()

    def test_what_is_written_is_read(self) -> None:
        accessor = FakeStore()
        write(StateStore(accessor), attempt("submitted", job_ids=["j"]))
        assert StateStore(accessor).read().attempts == [attempt("submitted", job_ids=["j"])]
        assert list(accessor.values) == ["adgen.generation"]

    def test_it_never_expires(self) -> None:
        kept: list[Any] = []

        class Accessor(FakeStore):
            def set(self, key: str, value: Any, *, retention: Any = None) -> None:
                kept.append(retention)

        write(StateStore(Accessor()), attempt())
        from airflow_provider_adgen.compat import never_expire

        assert kept == [never_expire()] and kept[0].days > 100_000

    def test_jobs_of_one_task_are_told_apart(self) -> None:
        accessor = FakeStore()
        write(StateStore(accessor, 0), attempt(uid="a"))
        write(StateStore(accessor, 1), attempt(uid="b"))
        assert [StateStore(accessor, slot).read().attempts[0].uid for slot in (0, 1)] == ["a", "b"]

    def test_a_store_that_does_not_answer_is_not_an_empty_record(self) -> None:
        accessor = FakeStore()
        accessor.broken_reads = True
        with pytest.raises(RecordUnreadable, match=r"could not be read \(RuntimeError\)\. Nothing was sent"):
            StateStore(accessor).read()

    @pytest.mark.parametrize("value", ['"x"', "{}", "[]", '{"v": 9, "attempts": []}', "0", '""', "false"])
    def test_a_value_of_another_kind_is_not_an_empty_record(self, value: str) -> None:
        accessor = FakeStore()
        accessor.values["adgen.generation"] = value
        with pytest.raises(RecordUnreadable, match="state store"):
            StateStore(accessor).read()


class TestObjects:
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return ObjectStore(f"file://{tmp_path}", WHO)

    def files(self, tmp_path: Path) -> list[Path]:
        return sorted(path for path in tmp_path.rglob("*") if path.is_file())

    def test_nothing_is_an_empty_record(self, store: ObjectStore) -> None:
        assert store.read() == Record()

    def test_each_version_is_an_object_of_its_own(self, store: ObjectStore, tmp_path: Path) -> None:
        for number, phase in enumerate(("intent", "intent", "submitted", "done")):
            write(store, attempt(phase, written_at=float(number)))
        assert len(self.files(tmp_path)) == 4
        assert [one.phase for one in store.read().attempts] == ["done"]

    def test_nothing_that_was_written_is_ever_touched(self, store: ObjectStore, tmp_path: Path) -> None:
        seen: dict[Path, str] = {}
        for phase in ("intent", "intent", "withdrawn", "intent", "submitted", "done"):
            write(store, attempt(phase))
            now = {path: path.read_text() for path in self.files(tmp_path)}
            assert seen.items() <= now.items()
            seen = now
        assert len(seen) == 6

    def test_a_place_per_task(self, tmp_path: Path) -> None:
        people = [
            WHO,
            TaskIdentity("dag", "run", "task"),
            TaskIdentity("dag", "run", "task", 0),
            TaskIdentity("dag", "run", "task", region="loop/0"),
            TaskIdentity("dag", "run", "task", region="loop/1"),
            TaskIdentity("dag", "run", "task", slot=1),
            TaskIdentity("dag/run", "task", "x"),
            TaskIdentity("dag", "run/task", "x"),
            TaskIdentity("..", "run", "task"),
            TaskIdentity("dag", "run%2Ftask", "x"),
        ]
        for number, identity in enumerate(people):
            write(ObjectStore(f"file://{tmp_path}/ledger", identity), attempt(uid=f"u{number}"))
        for number, identity in enumerate(people):
            found = ObjectStore(f"file://{tmp_path}/ledger", identity).read()
            assert [one.uid for one in found.attempts] == [f"u{number}"], identity
        assert [path.name for path in tmp_path.iterdir()] == ["ledger"], "no name leads out of its place"

    def test_a_plain_path_is_a_place_too(self, tmp_path: Path) -> None:
        store = ObjectStore(str(tmp_path), WHO)
        write(store, attempt("submitted"))
        assert [one.phase for one in store.read().attempts] == ["submitted"]
        assert not list(tmp_path.rglob("*.tmp"))

    @pytest.mark.parametrize("cut", [0, 1, 20, -1])
    def test_an_object_that_was_cut_off_stops_the_task(self, store: ObjectStore, tmp_path: Path, cut: int) -> None:
        write(store, attempt("submitted"))
        write(store, attempt("intent", uid="b"))
        broken = self.files(tmp_path)[0]
        broken.write_text(broken.read_text()[:cut])
        with pytest.raises(RecordUnreadable, match=r"ledger_path .*Nothing was sent") as caught:
            store.read()
        assert broken.name in str(caught.value)

    def test_a_strange_object_stops_the_task(self, store: ObjectStore, tmp_path: Path) -> None:
        write(store, attempt("submitted"))
        self.files(tmp_path)[0].with_name("note.json").write_text("{}")
        with pytest.raises(RecordUnreadable):
            store.read()

    def test_a_write_that_did_not_end_is_not_seen(self, store: ObjectStore, tmp_path: Path) -> None:
        write(store, attempt("intent"))
        self.files(tmp_path)[0].with_name(".x.tmp").write_text('{"v": 1, "att')
        assert [one.phase for one in store.read().attempts] == ["intent"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_a_folder_that_cannot_be_read_stops_the_task(self, store: ObjectStore, tmp_path: Path) -> None:
        write(store, attempt())
        folder = self.files(tmp_path)[0].parent
        folder.chmod(0)
        try:
            with pytest.raises(RecordUnreadable):
                store.read()
        finally:
            folder.chmod(0o755)

    def test_a_storage_that_is_not_installed_says_what_is_missing(self) -> None:
        store = ObjectStore("nowhere://bucket/ledger", WHO)
        with pytest.raises(RecordUnreadable, match=r"cannot be opened .*nowhere.*Nothing was sent.*\[s3\]") as caught:
            store.read()
        assert "Retry when" not in str(caught.value)

    def test_a_folder_that_is_a_file_stops_the_task(self, store: ObjectStore, tmp_path: Path) -> None:
        write(store, attempt())
        folder = self.files(tmp_path)[0].parent
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_text("x")
        with pytest.raises(RecordUnreadable):
            store.read()

    def test_a_storage_that_does_not_answer_is_not_an_empty_record(
        self, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # File systems' own exists() answers False to any error, a stale network file system's among them.
        def stale(*_args: Any, **_kwargs: Any) -> Any:
            raise OSError(errno.ESTALE, "stale file handle")

        write(store, attempt("submitted"))
        for function in ("stat", "lstat", "scandir", "listdir"):
            monkeypatch.setattr(os, function, stale)
        try:
            with pytest.raises(RecordUnreadable, match="OSError"):
                store.read()
        finally:
            monkeypatch.undo()

    def test_it_is_read_anew_each_time(self, store: ObjectStore, tmp_path: Path) -> None:
        write(store, attempt())
        assert len(store.read().attempts) == 1
        write(ObjectStore(f"file://{tmp_path}", WHO), attempt(uid="b"))
        assert len(store.read().attempts) == 2

    def test_two_writers_at_once_lose_nothing(self, tmp_path: Path) -> None:
        def writing(uid: str) -> None:
            store = ObjectStore(f"file://{tmp_path}", WHO)
            for number, phase in enumerate(("intent", "intent", "submitted")):
                write(store, attempt(phase, uid=uid, written_at=float(number)))
                store.read()

        threads = [threading.Thread(target=writing, args=(uid,)) for uid in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        found = ObjectStore(f"file://{tmp_path}", WHO).read()
        assert sorted((one.uid, one.phase) for one in found.attempts) == [(uid, "submitted") for uid in "abcd"]


class Broken:
    """A store whose writes fail a number of times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.held = Record()
        self.tries = 0

    def read(self) -> Record:
        return self.held

    def write(self, one: Attempt, record: Record) -> None:
        self.tries += 1
        if self.failures > 0:
            self.failures -= 1
            raise OSError("the disk is full")
        self.held = record

    def forget(self, one: Attempt) -> None:
        self.held = self.held.without(one.uid)


class Counted(Clock):
    """A clock that is one second further each time it is read."""

    def __init__(self, slept: list[float]) -> None:
        self._seconds = itertools.count(1.0)
        self.sleep_blocking = slept.append  # type: ignore[method-assign]

    def now(self) -> float:
        return next(self._seconds)


class TestLedger:
    @pytest.fixture
    def clock(self) -> Iterator[Any]:
        return itertools.count(1)

    def make(self, *stores: Any) -> tuple[Ledger, list[float]]:
        slept: list[float] = []
        return Ledger(list(stores), clock=Counted(slept)), slept

    def test_without_a_store_there_is_no_record_until_something_is_written(self) -> None:
        ledger, _ = self.make()
        assert not ledger.keeps and ledger.record() is None
        ledger.write(attempt())
        record = ledger.record()
        assert record is not None and len(record.attempts) == 1

    def test_both_stores_are_read_and_the_furthest_counts(self) -> None:
        one, other = Broken(), Broken()
        one.held = Record(attempts=[attempt("intent")])
        other.held = Record(attempts=[attempt("submitted"), attempt("intent", uid="b", intended_at=200.0)])
        record = self.make(one, other)[0].record()
        assert record is not None
        assert [(found.uid, found.phase) for found in record.attempts] == [("a", "submitted"), ("b", "intent")]

    def test_what_is_written_is_in_both_stores(self) -> None:
        one, other = Broken(), Broken()
        self.make(one, other)[0].write(attempt())
        assert one.held == other.held != Record()

    def test_an_intent_that_cannot_be_written_is_told_at_once(self) -> None:
        store = Broken(failures=1)
        ledger, slept = self.make(store)
        with pytest.raises(OSError, match="disk is full"):
            ledger.write(attempt())
        assert store.tries == 1 and slept == []

    def test_what_became_of_it_is_written_patiently(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledger_module, "_WRITE_PAUSES", (0.2, 1.0, 3.0))
        store = Broken(failures=3)
        ledger, slept = self.make(store)
        ledger.write(attempt("submitted"), retrying=True)
        assert store.tries == 4 and slept == [0.2, 1.0, 3.0]
        assert [one.phase for one in store.held.attempts] == ["submitted"]

    def test_what_could_not_be_written_stays_known(self) -> None:
        store = Broken()
        ledger, _ = self.make(store)
        kept = ledger.write(attempt())
        store.failures = 99
        with pytest.raises(OSError, match="disk is full"):
            ledger.write(kept.model_copy(update={"phase": "submitted"}), retrying=True)
        ledger.refresh()
        record = ledger.record()
        assert record is not None and [one.phase for one in record.attempts] == ["submitted"]
        assert [one.phase for one in store.held.attempts] == ["intent"]
        store.failures = 0
        ledger.write(record.attempts[0].model_copy(update={"phase": "done"}), retrying=True)
        assert [one.phase for one in store.held.attempts] == ["done"]

    def test_an_intent_that_could_not_be_written_is_not_known(self) -> None:
        ledger, _ = self.make(Broken(failures=1))
        with pytest.raises(OSError, match="disk is full"):
            ledger.write(attempt())
        assert ledger.record() == Record()

    def test_it_is_read_once_until_it_is_asked_to_read_again(self) -> None:
        store = Broken()
        ledger, _ = self.make(store)
        assert ledger.record() == Record()
        store.held = Record(attempts=[attempt("submitted")])
        assert ledger.record() == Record()
        ledger.refresh()
        record = ledger.record()
        assert record is not None and [one.phase for one in record.attempts] == ["submitted"]

    def test_reading_again_forgets_nothing(self) -> None:
        store = Broken()
        ledger, _ = self.make(store)
        ledger.write(attempt("submitted"))
        store.held = Record()
        ledger.refresh()
        record = ledger.record()
        assert record is not None and len(record.attempts) == 1

    def test_each_version_says_when_it_was_written(self) -> None:
        ledger, _ = self.make(Broken())
        first = ledger.write(attempt())
        second = ledger.write(first.model_copy(update={"statuses": [500]}))
        assert second.written_at > first.written_at > 0


class TestTheTasksOwn:
    def stores(self, context: Any) -> list[str]:
        return [type(store).__name__ for store in task_ledger(context, WHO)._stores]

    def test_airflows_store_where_there_is_one_and_objects_where_configured(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("AIRFLOW__ADGEN__LEDGER_PATH", raising=False)
        assert self.stores(task_context()) == []
        assert self.stores(task_context(FakeStore())) == ["StateStore"]
        monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"  file://{tmp_path} ")
        assert self.stores(task_context()) == ["ObjectStore"]
        assert self.stores(task_context(FakeStore())) == ["StateStore", "ObjectStore"]

    def test_what_one_task_writes_another_does_not_read(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}")
        task_ledger(task_context(), WHO).write(attempt())
        other = TaskIdentity(WHO.dag_id, WHO.run_id, WHO.task_id, 4)
        assert task_ledger(task_context(), other).record() == Record()
        again = task_ledger(task_context(), WHO).record()
        assert again is not None and len(again.attempts) == 1
        text = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
        assert json.loads(text)["v"] == 1
