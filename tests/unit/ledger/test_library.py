# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a library remembers, what it gives back, and what it says where it cannot be read."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.ledger.item_records import RecordRef
from airflow_provider_adgen.ledger.library import Library
from airflow_provider_adgen.ledger.library_objects import Entry, LibraryUnavailable, entry_name
from tests.support.library import generation, wanted, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.library import OwnMemory

ONE = wanted()
NOW = 1_800_000_000.0


class Now(Clock):
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture
def base(tmp_path: Path) -> str:
    return f"file://{tmp_path}"


@pytest.fixture
def library(base: str, clock: Now) -> Library:
    return Library(f"{base}/library", clock=clock)


def add(library: Library, base: str, job: str = "job-1", *, made_at: float = NOW - 100, data: bytes = b"png") -> Entry:
    uri = f"{base}/ads/{job}.png"
    write(uri, data)
    made = generation(job, uri, size=len(data))
    return library.add(ONE, made, conn_id="adsumo_default", made_at=made_at)


def state(library: Library) -> str:
    return library.lookup([ONE])[ONE].state


def objects(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "library").rglob("*") if path.is_file())


class TestEntries:
    def test_nothing_is_absent(self, library: Library) -> None:
        found = library.lookup([ONE])[ONE]
        assert (found.state, found.usable, found.entry) == ("absent", False, None)
        assert library.lookup([]) == {}

    def test_what_was_added_is_found(self, library: Library, base: str) -> None:
        ref = RecordRef(TaskIdentity("dag", "run", "generate", 3), ONE.key)
        uri = f"{base}/ads/job-1.png"
        write(uri, b"png")
        made = generation("job-1", uri)
        made["creatives"][0] |= {"url": "https://vendor.example/a?sig=secret", "expires_at": "2027-01-01T00:00:00Z"}
        library.add(ONE, made, conn_id="adsumo_eu", made_at=NOW - 5, paid_by=ref)
        entry = library.lookup([ONE])[ONE].entry
        assert entry is not None
        assert (entry.key, entry.vendor, entry.host, entry.conn_id) == (ONE.key, "adsumo", "www.adsumo.ai", "adsumo_eu")
        assert (entry.made_at, entry.recorded_at) == (NOW - 5, NOW)
        assert entry.paid_by is not None and RecordRef.from_json(entry.paid_by) == ref
        (creative,) = entry.generation["creatives"]
        assert creative == {**generation("job-1", uri)["creatives"][0], "expires_at": None}
        assert "secret" not in entry.model_dump_json()

    def test_it_is_found_by_its_identity_alone(self, library: Library, base: str) -> None:
        add(library, base)
        others = [wanted("LMP-014/hero/9x16"), wanted(prompt="Another lamp")]
        found = library.lookup([ONE, *others])
        assert [found[one].state for one in (ONE, *others)] == ["usable", "absent", "absent"]

    def test_of_several_purchases_the_newest_counts(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base, "job-2", made_at=NOW - 10)
        add(library, base, "job-1", made_at=NOW - 20)
        entry = library.lookup([ONE])[ONE].entry
        assert entry is not None and entry.generation["id"] == "job-2"
        assert len(objects(tmp_path)) == 2

    def test_the_same_purchase_again_changes_nothing_that_was_written(
        self, library: Library, base: str, tmp_path: Path, clock: Now
    ) -> None:
        add(library, base)
        before = {path: path.read_bytes() for path in objects(tmp_path)}
        clock.time += 60
        again = add(library, base)
        assert before.items() <= {path: path.read_bytes() for path in objects(tmp_path)}.items()
        assert library.lookup([ONE])[ONE].entry == again
        assert again.made_at == NOW - 100, "it is as old as it was"

    def test_copy_without_a_file_is_remembered_too(self, library: Library) -> None:
        made = {**generation("job-1"), "variants": [{"hook": "Light!"}]}
        library.add(ONE, made, conn_id="cutx_default", made_at=NOW)
        entry = library.lookup([ONE])[ONE].entry
        assert entry is not None and entry.generation["variants"] == [{"hook": "Light!"}]

    @pytest.mark.parametrize("age", [60.0, timedelta(minutes=1)])
    def test_too_old(self, library: Library, base: str, clock: Now, age: Any) -> None:
        add(library, base, made_at=NOW - 60)
        young = Library(f"{base}/library", reuse_max_age=age, clock=clock)
        assert state(young) == "usable"
        clock.time += 0.5
        assert state(young) == "too old"
        assert state(library) == "usable", "any age"

    def test_the_newest_one_counts_also_where_it_cannot_be_used(self, library: Library, base: str) -> None:
        add(library, base, "job-1", made_at=NOW - 20)
        add(library, base, "job-2", made_at=NOW - 10)
        library.reject(ONE.digest, "job-2")
        assert state(library) == "rejected"


class TestFiles:
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "ads" / "job-1.png"

    def test_a_file_that_is_gone(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base)
        self.path(tmp_path).unlink()
        found = library.lookup([ONE])[ONE]
        assert (found.state, found.entry) == ("files gone", None)
        assert "job-1.png is not there" in found.why

    def test_a_file_of_another_size(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base)
        self.path(tmp_path).write_bytes(b"other")
        assert state(library) == "files gone"

    def test_a_folder_in_its_place(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base)
        self.path(tmp_path).unlink()
        self.path(tmp_path).mkdir()
        assert state(library) == "files gone"

    def test_one_of_several_that_is_gone(self, library: Library, base: str, tmp_path: Path) -> None:
        uris = [f"{base}/ads/{number}.png" for number in range(3)]
        for uri in uris:
            write(uri, b"png")
        library.add(ONE, generation("job-1", *uris), conn_id="a", made_at=NOW)
        assert state(library) == "usable"
        (tmp_path / "ads" / "2.png").unlink()
        assert state(library) == "files gone"

    def test_an_etag_that_changed(self, attached: Callable[[], tuple[OwnMemory, str]], clock: Now) -> None:
        fs, base = attached()
        etags = {"value": '"one"'}
        info = fs.info
        fs.info = lambda path, **more: {**info(path, **more), "ETag": etags["value"]}  # type: ignore[method-assign]
        library = Library(f"{base}/library", clock=clock)
        entry = add(library, base)
        assert entry.etags == {f"{base}/ads/job-1.png": "one"}
        assert state(library) == "usable"
        etags["value"] = '"two"'
        assert state(library) == "files gone"
        etags["value"] = ""
        assert state(library) == "usable", "no longer told"

    def test_names_alone_look_at_no_file(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base)
        self.path(tmp_path).unlink()
        (entry,) = objects(tmp_path)
        entry.write_text("not even JSON")
        found = library.lookup([ONE], check_files=False)[ONE]
        assert (found.state, found.made_at, found.entry) == ("usable", NOW - 100, None)

    @pytest.mark.parametrize("data", [b"other", None])
    def test_what_is_not_stored_is_not_remembered(self, library: Library, base: str, tmp_path: Path, data: Any) -> None:
        uri = f"{base}/ads/job-1.png"
        if data:
            write(uri, data)
        with pytest.raises(DownloadError, match=r"adsumo job job-1 is not remembered: .*job-1\.png"):
            library.add(ONE, generation("job-1", uri), conn_id="a", made_at=NOW)
        assert objects(tmp_path) == []

    @pytest.mark.parametrize("creatives", [[], [{"uri": None, "url": "https://v.example/a"}]])
    def test_a_generation_without_a_stored_result_is_not_remembered(self, library: Library, creatives: Any) -> None:
        made = {**generation("job-1"), "creatives": creatives}
        with pytest.raises(DownloadError, match="has no stored result"):
            library.add(ONE, made, conn_id="a", made_at=NOW)


class TestRejections:
    def test_a_rejected_creative_is_not_used_again(self, library: Library, base: str, clock: Now) -> None:
        add(library, base)
        library.reject(ONE.digest, "job-1", by="ana", why="The lamp has two shades.")
        assert state(library) == "rejected"
        clock.time += 60
        add(library, base)
        assert state(library) == "rejected", "remembering it once more does not help"
        add(library, base, "job-2", made_at=NOW + 1)
        assert state(library) == "usable"

    def test_which_were_rejected(self, library: Library, base: str) -> None:
        library.reject(ONE.digest, "job-1")
        library.reject(ONE.digest, "job-1")
        other = wanted("other")
        pairs = [(ONE.digest, "job-1"), (ONE.digest, "job-2"), (other.digest, "job-1")]
        assert library.rejected(pairs) == {(ONE.digest, "job-1")}
        assert library.rejected([]) == set()

    def test_whether_a_generation_has_an_entry(self, library: Library, base: str) -> None:
        add(library, base)
        library.reject(ONE.digest, "job-2")
        assert [library.has(ONE, job) for job in ("job-1", "job-2")] == [True, False]


class TestTrouble:
    def unreadable(self, library: Library, match: str) -> None:
        found = library.lookup([ONE])[ONE]
        assert found.state == "unreadable"
        for ask in (lambda: found.usable, lambda: found.entry):
            with pytest.raises(LibraryUnavailable, match=match):
                ask()

    def test_a_storage_that_does_not_answer_is_not_an_empty_library(
        self, library: Library, base: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(library, base)

        def stale(*_args: Any, **_options: Any) -> Any:
            raise OSError("stale file handle")

        monkeypatch.setattr(LocalFileSystem, "ls", stale)
        self.unreadable(library, r"could not be read \(OSError: stale file handle\)\. Nothing was sent")
        with pytest.raises(LibraryUnavailable):
            library.rejected([(ONE.digest, "job-1")])
        with pytest.raises(LibraryUnavailable):
            library.has(ONE, "job-1")

    def test_an_entry_that_cannot_be_read(self, library: Library, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
        add(library, base)

        def refused(*_args: Any, **_options: Any) -> Any:
            raise PermissionError("no")

        monkeypatch.setattr(LocalFileSystem, "cat_file", refused)
        self.unreadable(library, "PermissionError")

    def test_a_file_that_cannot_be_looked_at(
        self, library: Library, base: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(library, base)
        info = LocalFileSystem.info

        def refused(fs: Any, path: Any, **options: Any) -> Any:
            if str(path).endswith(".png"):
                raise PermissionError("no")
            return info(fs, path, **options)

        monkeypatch.setattr(LocalFileSystem, "info", refused)
        self.unreadable(library, r"job-1\.png could not be read \(PermissionError: no\)")
        with pytest.raises(LibraryUnavailable):
            add(library, base)

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "{}", '{"v": 2}', b"\xff"],
    )
    def test_an_entry_that_is_broken(self, library: Library, base: str, tmp_path: Path, text: Any) -> None:
        add(library, base)
        (path,) = objects(tmp_path)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.unreadable(library, "cannot be understood")

    @pytest.mark.parametrize(
        "change", [{"identity": "0" * 64}, {"v": 2}, {"generation": {"id": "other"}}, {"generation": {"id": "job-1"}}]
    )
    def test_an_entry_that_says_something_else(
        self, library: Library, base: str, tmp_path: Path, change: dict[str, Any]
    ) -> None:
        add(library, base)
        (path,) = objects(tmp_path)
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        self.unreadable(library, "cannot be understood")

    def test_a_name_that_this_version_does_not_know(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base)
        (path,) = objects(tmp_path)
        path.with_name(f"{ONE.digest}-v2-something.json").write_text("{}")
        self.unreadable(library, "its name is not one that this version writes")

    def test_what_others_left_in_the_folder_does_not_matter(self, library: Library, base: str, tmp_path: Path) -> None:
        add(library, base)
        (path,) = objects(tmp_path)
        for name in (".DS_Store", f".{path.name}.0.tmp", "README.md"):
            path.with_name(name).write_text("x")
        assert state(library) == "usable"

    def test_trouble_with_one_is_told_of_that_one(self, library: Library, base: str, tmp_path: Path) -> None:
        others = [wanted(f"other-{number}") for number in range(20)]
        for number, one in enumerate(others):
            made = {**generation(f"job-{number}"), "variants": [{}]}
            library.add(one, made, conn_id="a", made_at=NOW)
        (broken,) = [path for path in objects(tmp_path) if path.name.startswith(others[7].digest)]
        broken.write_text("{")
        found = library.lookup(others)
        assert Counter(one.state for one in found.values()) == {"usable": 19, "unreadable": 1}
        assert found[others[7]].state == "unreadable"

    def test_a_library_that_does_not_exist_as_a_place(self) -> None:
        library = Library("nowhere://bucket/library")
        with pytest.raises(LibraryUnavailable, match="nowhere://"):
            library.lookup([ONE])

    def test_what_cannot_be_written(self, library: Library, base: str, tmp_path: Path) -> None:
        (tmp_path / "library").write_text("a file")
        with pytest.raises(LibraryUnavailable, match="could not be written"):
            library.reject(ONE.digest, "job-1")


class TestSize:
    """A listing for each folder, one request for each entry and each file, many at a time."""

    MANY = 50_000

    @pytest.mark.slow
    def test_fifty_thousand_on_a_local_disk(self, library: Library, tmp_path: Path) -> None:
        everything = [wanted(f"P-{number}/hero/1x1") for number in range(self.MANY)]
        for number, one in enumerate(everything):
            entry = Entry(
                identity=one.digest,
                key=one.key,
                vendor=one.vendor,
                host=one.host,
                conn_id="a",
                made_at=NOW,
                recorded_at=NOW,
                generation={**generation(f"job-{number}"), "variants": [{}]},
            )
            folder = tmp_path / "library" / "entries" / one.digest[:2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / entry_name(entry)).write_text(entry.model_dump_json())
        began = time.process_time()
        found = library.lookup(everything, check_files=False)
        assert time.process_time() - began < 10, "seconds of CPU time"
        assert Counter(one.state for one in found.values()) == {"usable": self.MANY}

    def test_requests_to_an_object_store(self, attached: Callable[[], tuple[OwnMemory, str]], clock: Now) -> None:
        fs, base = attached()
        library = Library(f"{base}/library", clock=clock)
        everything = [wanted(f"P-{number}") for number in range(1000)]
        for number, one in enumerate(everything):
            write(f"{base}/ads/{number % 50}/{number}.png", b"png")
            library.add(
                one, generation(f"job-{number}", f"{base}/ads/{number % 50}/{number}.png"), conn_id="a", made_at=NOW
            )
        requests: Counter[str] = Counter()
        at_once, most, guard = 0, 0, threading.Lock()

        def on(operation: str, path: str) -> None:
            nonlocal at_once, most
            with guard:
                if operation.startswith("after "):
                    at_once -= 1
                else:
                    at_once += 1
                    most = max(most, at_once)
                    requests[operation] += 1
            time.sleep(0.0005)

        fs.on = on
        assert all(one.usable for one in library.lookup(everything, check_files=False).values())
        assert requests == {"ls": len({one.digest[:2] for one in everything})}
        requests.clear()
        assert all(one.entry for one in library.lookup(everything).values())
        assert requests == {"ls": len({one.digest[:2] for one in everything}), "cat_file": 1000, "info": 1000}
        assert 16 <= most <= 32


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read(library: Library, base: str, tmp_path: Path) -> None:
    add(library, base)
    folder = objects(tmp_path)[0].parent
    folder.chmod(0)
    try:
        assert state(library) == "unreadable"
    finally:
        folder.chmod(0o755)
