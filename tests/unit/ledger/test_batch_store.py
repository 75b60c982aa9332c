# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The record of a batch: what a leg asks of the storage as it begins, with good, stale, torn and lost snapshots."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt, Record, RecordUnreadable
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.ledger.spend import Spent
from airflow_provider_adgen.ledger.stores import item_folder
from tests.support.remote_disk import RemoteDisk, remote_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

WHO = TaskIdentity("campaign", "run", "make")
ITEMS = 2_000
PHASES = ("intent", "submitted", "done")
KEYS = [f"product-{number:05d}/hero" for number in range(ITEMS)]


def attempt(key: str, phase: str) -> Attempt:
    """Return one version of an item's attempt, about as large as a real one."""
    made: dict[str, Any] = {
        "uid": f"uid-{key}",
        "phase": phase,
        "epoch": 1,
        "fingerprint": "f" * 64,
        "fields": {name: "0" * 12 for name in ("model", "prompt", "quantity", "resolution", "(kind)", "(host)")},
        "vendor": "adsumo",
        "conn_id": "adsumo_default",
        "kind": "text-to-image",
        "intended_at": 100.0,
        "post_seconds": 60.0,
        "price": 1,
    }
    if phase != "intent":
        made |= {"job_ids": [f"job-{key}"], "answered": True, "submitted_at": 101.0}
    if phase == "done":
        files = [{"kind": "image", "url": None, "uri": f"file:///out/{key}.png", "sha256": "a" * 64}]
        made["result"] = {"schema": 1, "id": f"job-{key}", "status": "completed", "creatives": files}
    return Attempt(**made)


class Disk:
    """A ledger on a remote disk."""

    def __init__(self, fs: RemoteDisk, base: str, folder: Path) -> None:
        self.fs, self.base = fs, base
        self.folder = folder / "campaign" / "run" / "make" / "-1"

    def store(self) -> BatchStore:
        """Return a store that has read nothing, and forget what was asked before."""
        self.fs.requests.clear()
        return BatchStore(self.base, WHO)

    def write(self, key: str, phase: str, mark: str = "abc") -> Path:
        folder = self.folder / item_folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{100:014.3f}-uid-{phase}-{mark}.json"
        path.write_text(json.dumps(Record(attempts=[attempt(key, phase)]).to_json()))
        return path

    def snapshots(self) -> list[Path]:
        return sorted((self.folder / "batch").glob("snapshot-*"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """2,000 items that are over. Tests that change it put it back."""
    folder = tmp_path_factory.mktemp("ledger")
    with remote_disk(folder) as (fs, base):
        disk = Disk(fs, base, folder)
        for key in KEYS:
            for phase in PHASES:
                disk.write(key, phase)
        yield disk


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Disk]:
    """Three items that are over."""
    with remote_disk(tmp_path) as (fs, base):
        disk = Disk(fs, base, tmp_path)
        for key in KEYS[:3]:
            for phase in PHASES:
                disk.write(key, phase)
        yield disk


def jobs(found: Any) -> dict[str, list[str]]:
    return {folder: found[folder].counting.job_ids for folder in found}


EXPECTED = {item_folder(key): [f"job-{key}"] for key in KEYS}


def test_requests_at_the_beginning_of_a_leg(full: Disk) -> None:
    store = full.store()
    assert jobs(store.load()) == EXPECTED
    without = dict(full.fs.requests)
    store.write_snapshot(1000.0, [], {"try": 1})
    store = full.store()
    assert jobs(store.load()) == EXPECTED
    # Each folder is listed once: the batch's own, that of the snapshots, and one per item.
    assert without == {"ls": 2 + ITEMS, "cat_file": 3 * ITEMS}
    assert dict(full.fs.requests) == {"ls": 2 + ITEMS, "open": 1}
    assert store.notes == {"try": 1}
    for path in full.snapshots():
        path.unlink()
    assert jobs(full.store().load()) == EXPECTED, "a snapshot that is lost costs time and nothing else"
    assert dict(full.fs.requests) == without


def test_what_is_kept_of_an_item_is_small(full: Disk) -> None:
    store = full.store()
    store.load()
    store.write_snapshot(1000.0, [], {})
    tracemalloc.start()
    try:
        store = full.store()
        found = store.load()
        read, top = tracemalloc.get_traced_memory()
        for key in KEYS:
            ledger = store.ledger(key)
            store.close(key, ledger.record() or Record())
        closed, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        for path in full.snapshots():
            path.unlink()
    assert len(found) == ITEMS
    text = len(json.dumps(Record(attempts=[attempt(KEYS[0], "done")]).to_json()))
    assert read / ITEMS < text + 1200, "the record's text, and the names of its objects"
    assert closed / ITEMS < text + 1200, "an item whose ledger was open takes no more"
    assert top - read < text * ITEMS / 2, "not all of it is in memory twice"


def test_what_was_written_after_the_snapshot_is_read(few: Disk) -> None:
    few.write("new", "intent")
    store = few.store()
    store.load()
    store.write_snapshot(1000.0, [(item_folder("new"), Record, b"[]")], {})
    few.write("new", "submitted")
    few.write("another", "intent")
    store = few.store()
    found = store.load()
    assert found[item_folder("new")].counting.phase == "submitted"
    assert found[item_folder("another")].counting.phase == "intent"
    assert few.fs.requests["cat_file"] == 2
    assert store.mark(item_folder("new")) == b"", "what was said of it was said of another record"


def test_marks_come_back_once(few: Disk) -> None:
    store = few.store()
    store.load()
    folder = item_folder(KEYS[0])
    store.write_snapshot(1000.0, [(folder, Record, b'["completed"] {}')], {})
    store = few.store()
    store.load()
    assert store.mark(folder) == b'["completed"] {}'
    assert store.mark(folder) == b""
    assert store.mark(item_folder(KEYS[1])) == b""
    assert store.mark("item-of-nobody") == b""


def test_an_item_whose_object_was_replaced_is_read_again(few: Disk) -> None:
    refused = few.write("refused", "intent", "first")
    store = few.store()
    store.load()
    store.write_snapshot(1000.0, [], {})
    refused.unlink()
    few.write("refused", "submitted", "second")
    assert few.store().load()[item_folder("refused")].counting.phase == "submitted"
    assert few.fs.requests["cat_file"] == 1


def test_an_item_whose_folder_is_gone_has_no_record(few: Disk) -> None:
    store = few.store()
    store.load()
    store.write_snapshot(1000.0, [], {})
    for path in (few.folder / item_folder(KEYS[0])).iterdir():
        path.unlink()
    (few.folder / item_folder(KEYS[0])).rmdir()
    found = few.store().load()
    assert item_folder(KEYS[0]) not in found
    assert len(found) == 2


@pytest.mark.parametrize("torn", ["end", "middle", "empty", "more", "another shape"])
def test_of_a_torn_snapshot_nothing_counts(few: Disk, torn: str) -> None:
    store = few.store()
    store.load()
    store.write_snapshot(1000.0, [], {"from": "the first"})
    (first,) = few.snapshots()
    text = first.read_bytes()
    lines = text.splitlines(keepends=True)
    damaged = {
        "end": b"".join(lines[:-1]),
        "middle": text[: len(text) // 2],
        "empty": b"",
        "more": text + lines[0],
        "another shape": b'{"schema":1,"items":{},"notes":{}}',
    }[torn]
    (few.folder / "batch" / "snapshot-0002000.000-torn.jsonl").write_bytes(damaged)
    store = few.store()
    assert jobs(store.load()) == {item_folder(key): [f"job-{key}"] for key in KEYS[:3]}
    assert store.notes == {"from": "the first"}, "the one before it counts"
    assert few.fs.requests["open"] == 2
    assert few.fs.requests["cat_file"] == 0
    first.unlink()
    store = few.store()
    assert jobs(store.load()) == {item_folder(key): [f"job-{key}"] for key in KEYS[:3]}
    assert store.notes == {}
    assert few.fs.requests["cat_file"] == 9


def test_an_item_whose_text_in_the_snapshot_is_broken_is_read_from_its_objects(few: Disk) -> None:
    store = few.store()
    store.load()
    store.write_snapshot(1000.0, [], {})
    (path,) = few.snapshots()
    path.write_bytes(path.read_bytes().replace(b'"phase":"done"', b'"phase":"dome"'))
    store = few.store()
    found = store.load()
    assert found.get(item_folder(KEYS[0])) is None
    record = store.ledger(KEYS[0]).record()
    assert record is not None
    assert record.counting is not None
    assert record.counting.phase == "done"


def test_an_object_that_cannot_be_read_stops_only_its_item(few: Disk) -> None:
    few.write("broken", "submitted").write_text("{")
    store = few.store()
    found = store.load()
    assert len(found) == 3
    with pytest.raises(RecordUnreadable, match="Nothing was sent"):
        store.ledger("broken").record()
    assert (store.ledger("never seen").record() or Record(attempts=[attempt("x", "intent")])).attempts == []


def test_of_the_snapshots_the_last_two_stay(few: Disk) -> None:
    store = few.store()
    store.load()
    for number in range(4):
        store.write_snapshot(1000.0 + number, [], {"number": number})
    assert len(few.snapshots()) == 2
    store = few.store()  # of the next leg
    store.load()
    assert store.notes == {"number": 3}
    store.write_snapshot(2000.0, [], {"number": 4})
    assert [json.loads(path.read_bytes().splitlines()[-1])["notes"]["number"] for path in few.snapshots()] == [3, 4]


def test_a_record_goes_from_snapshot_to_snapshot_unread(few: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    store = few.store()
    store.load()
    store.write_snapshot(1000.0, [], {})
    read: list[Any] = []
    monkeypatch.setattr(Record, "from_json", classmethod(lambda _cls, value, **_: read.append(value)))
    store = few.store()
    store.load()
    store.write_snapshot(2000.0, [], {})
    assert read == []
    first, second = (path.read_bytes().splitlines()[:-1] for path in few.snapshots())
    assert sorted(first) == sorted(second)


def bare(uid: str, phase: str = "intent", **fields: Any) -> Attempt:
    """Return an attempt that says little."""
    made = {"epoch": 1, "fingerprint": "f", "kind": "video", "intended_at": 100.0, "post_seconds": 60.0}
    return Attempt(**{"phase": phase, "uid": uid, **made, **fields})


def test_a_reading_that_broke_off_leaves_nothing_out(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = (BatchStore(f"file://{tmp_path}", WHO) for _ in range(2))
    mine.load()
    other.load()
    ledger, rival = mine.ledger("k"), other.ledger("k")
    own = ledger.write(bare("own", intended_at=200.0))
    rival.write(bare("rival", "submitted", job_ids=["job-1"]))
    storage = type(mine.place()[0])  # its objects are shared: what is set on one of them would stay for other tests
    read = storage.cat_file

    def broken(fs: Any, path: str) -> bytes:
        if "-own-" in path:
            raise OSError("the storage does not answer")
        text: bytes = read(fs, path)
        return text

    with monkeypatch.context() as patch:
        patch.setattr(storage, "cat_file", broken)
        with pytest.raises(RecordUnreadable):
            ledger.newcomers()
    ledger.write(own.model_copy(update={"phase": "withdrawn"}))
    record = ledger.record()
    assert record is not None
    mine.write_snapshot(300.0, [(item_folder("k"), lambda: record, b"")], {})
    found = BatchStore(f"file://{tmp_path}", WHO).load()[item_folder("k")]
    assert [job for one in found.attempts for job in one.job_ids] == ["job-1"]


def test_what_was_spent_is_read_from_the_objects_where_a_snapshot_is_broken(quick: None, tmp_path: Path) -> None:
    mine = BatchStore(f"file://{tmp_path}", WHO)
    mine.load()
    ledger = mine.ledger("k")
    intended = ledger.write(bare("own", price=3, reservation="r"))
    assert mine.spent_with("r") == Spent(3, unknown=True)
    ledger.write(intended.model_copy(update={"phase": "submitted", "job_ids": ["job-1"]}))
    mine.write_snapshot(300.0, [(item_folder("k"), ledger.record, b"")], {})
    assert mine.spent_with("r") == Spent(3)
    (snapshot,) = tmp_path.rglob("snapshot-*")
    snapshot.write_bytes(snapshot.read_bytes().replace(b'"attempts"', b'"tempts!"'))
    assert mine.spent_with("r") == Spent(3)
    assert mine.spent_with("another") == Spent()
    next(tmp_path.rglob("*-submitted-*.json")).write_text("{")
    with pytest.raises(RecordUnreadable):
        mine.spent_with("r")
