# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Many records are read at once: by one flat listing where the store has one, and never as if there were fewer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk.io import attach
from airflow.sdk.io.store import _STORE_CACHE
from fsspec.asyn import AsyncFileSystem

from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.records import read_records
from airflow_provider_adgen.ledger.stores import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bucket(AsyncFileSystem):
    """An object store: names without folders, and a listing of everything below a name."""

    protocol = "memory"
    cachable = False
    objects: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    broken: ClassVar[bool] = False
    going: ClassVar[set[str]] = set()

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self.objects[path.strip("/")] = value

    async def _cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        self.asked.append("cat")
        while self.going:
            self.objects.pop(self.going.pop(), None)
        try:
            return self.objects[path.strip("/")]
        except KeyError:
            raise FileNotFoundError(path) from None

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        self.asked.append("ls")
        if self.broken:
            raise PermissionError("no")
        start = f"{path.strip('/')}/"
        below = [name for name in self.objects if name.startswith(start)]
        if not below:
            raise FileNotFoundError(path)
        files = [{"name": f"/{name}", "type": "file", "size": 1} for name in below if "/" not in name[len(start) :]]
        folders = {name[len(start) :].split("/")[0] for name in below if "/" in name[len(start) :]}
        found = [*files, *({"name": f"/{start}{one}", "type": "directory", "size": 0} for one in sorted(folders))]
        return found if detail else [one["name"] for one in found]

    async def _find(self, path: str, *_: Any, **__: Any) -> list[str]:
        self.asked.append("find")
        await asyncio.sleep(0)
        return [f"/{name}" for name in self.objects if name.startswith(f"{path.strip('/')}/")]


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    fs = Bucket()
    fs.objects.clear()
    fs.asked.clear()
    attach("memory", "adgen_bucket", fs=fs)
    yield fs
    _STORE_CACHE.pop("memory-adgen_bucket", None)


@pytest.fixture(params=["bucket", "file"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/ledger"
    request.getfixturevalue("bucket")
    return "memory://adgen_bucket@/ledger"


def attempt(uid: str, **fields: Any) -> Attempt:
    given = {"phase": "intent", "epoch": 0, "fingerprint": "f", "request_kind": "x", "intended_at": 1000.0, **fields}
    return Attempt(uid=uid, post_seconds=60.0, **given)


def write(base: str, parts: list[str], *versions: Attempt) -> None:
    ledger = Ledger([ObjectStore.at(base, parts)])
    for one in versions:
        ledger.write(one)


def test_all_records_are_read_by_their_folders(base: str) -> None:
    for task in ("a", "b"):
        write(base, ["dag", "run", task, "-1"], attempt(task), attempt(task, phase="submitted", job_ids=[task]))
    write(base, ["dag", "run", "c", "-1", "item-1"], attempt("c"))
    write(base, ["_hooks", "2026-11-28", "h"], attempt("h", phase="submitted"))
    found = read_records(base).found
    assert {parts: [(one.uid, one.phase) for one in record.attempts] for parts, record in found.items()} == {
        ("dag", "run", "a", "-1"): [("a", "submitted")],
        ("dag", "run", "b", "-1"): [("b", "submitted")],
        ("dag", "run", "c", "-1", "item-1"): [("c", "intent")],
        ("_hooks", "2026-11-28", "h"): [("h", "submitted")],
    }
    below = read_records(base, ["dag", "run", "c", "-1"]).found
    assert list(below) == [("dag", "run", "c", "-1", "item-1")]


def test_where_there_is_nothing_there_are_no_records(base: str) -> None:
    assert read_records(base).found == {}
    assert read_records(base, ["dag", "run", "x", "-1"]).found == {}


def test_what_is_read_is_what_a_task_reads(base: str) -> None:
    """Leaving out the earlier phases changes nothing: of withdrawn ones all versions are read."""
    parts = ["dag", "run", "a", "-1"]
    write(base, parts, attempt("x", posters=["p"]), attempt("x", phase="withdrawn", posters=["p"], withdrawn_by=["p"]))
    write(base, parts, attempt("x", posters=["p", "q"]))  # another process posts it, too
    later = {"intended_at": 1001.0, "charged": 3}
    write(base, parts, *(attempt("y", phase=phase, **later) for phase in ("intent", "submitted", "done")))
    (found,) = read_records(base).found.values()
    whole = ObjectStore.at(base, parts).read()
    assert [(one.uid, one.phase, one.charged) for one in found.attempts] == [
        (one.uid, one.phase, one.charged) for one in whole.attempts
    ]
    assert [one.phase for one in found.attempts] == ["intent", "done"]


def test_an_object_store_is_listed_in_few_requests(bucket: Bucket) -> None:
    base = "memory://adgen_bucket@/ledger"
    for number in range(30):
        write(base, ["dag", "run", f"t{number}", "-1"], attempt(f"a{number}"))
    bucket.objects["ledger/_spend/account/2026-11-28/1_1_4_ab_0_held_0_ab.json"] = b"{}"
    bucket.asked.clear()
    assert len(read_records(base).found) == 30
    assert bucket.asked.count("find") == 1 and bucket.asked.count("ls") == 1 and bucket.asked.count("cat") == 30


def test_a_folder_that_cannot_be_listed_is_no_empty_one(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(base, ["dag", "run", "a", "-1"], attempt("a"))

    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise PermissionError("no")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.ls", broken)
    monkeypatch.setattr(Bucket, "broken", True)
    with pytest.raises(PermissionError):
        read_records(base)


def test_an_object_that_goes_away_meanwhile_is_looked_for_again(bucket: Bucket) -> None:
    base, parts = "memory://adgen_bucket@/ledger", ["dag", "run", "a", "-1"]
    write(base, parts, attempt("a"), attempt("b", intended_at=1001.0))
    bucket.going.update(name for name in bucket.objects if "-a-" in name)
    (found,) = read_records(base).found.values()
    assert [one.uid for one in found.attempts] == ["b"]
