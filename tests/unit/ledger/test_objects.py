# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Listings are as they are now, also where a file system remembers them and several threads ask."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_adgen.ledger.objects import create_object, list_objects
from airflow_provider_adgen.ledger.stored_files import FileFacts, facts_of, in_parallel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.library import OwnMemory


class Remembering:
    """A file system that remembers listings until it is told otherwise, as the usual ones of object stores do."""

    protocol = "s3"

    def __init__(self) -> None:
        self.objects = ["f/a"]
        self.listings: dict[str, list[str]] = {}
        self.answered, self.answer, self.kept = threading.Event(), threading.Event(), threading.Event()
        self.first = True

    def invalidate_cache(self, path: str) -> None:
        self.listings.pop(path, None)
        if not self.first:
            # Between this and the listing that follows, an earlier one ends.
            self.answer.set()
            assert self.kept.wait(10)

    def ls(self, path: str, detail: bool) -> list[str]:
        if path not in self.listings:
            found = list(self.objects)
            if self.first:
                self.first = False
                self.answered.set()
                assert self.answer.wait(10)
            self.listings[path] = found
            self.kept.set()
        return self.listings[path]

    def pipe_file(self, path: str, text: bytes) -> None:
        self.objects.append(path)


def test_a_listing_that_another_thread_began_earlier_is_not_taken_for_this_one() -> None:
    fs = Remembering()
    earlier: list[list[str]] = []
    thread = threading.Thread(target=lambda: earlier.append(list_objects(fs, "f")))
    thread.start()
    assert fs.answered.wait(10)
    create_object(fs, "f", "b", b"")
    mine: list[list[str]] = []
    other = threading.Thread(target=lambda: mine.append(list_objects(fs, "f")))
    other.start()
    other.join(0.05)  # it waits for the earlier one
    fs.answer.set()
    thread.join(10)
    other.join(10)
    assert (earlier, mine) == ([["f/a"]], [["f/a", "f/b"]])
    assert list_objects(fs, "f") == ["f/a", "f/b"]


def test_two_that_write_the_same_object_at_once(tmp_path: Path) -> None:
    fs = LocalFileSystem()
    texts = [bytes([number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=create_object, args=(fs, str(tmp_path), "x", text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() in texts


def test_the_first_error_is_raised_and_what_has_not_begun_is_left_out() -> None:
    done: list[int] = []
    never = threading.Event()

    def act(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        if number > 3:
            never.wait(0.2)  # long enough for the error to be seen
        done.append(number)
        return number

    assert in_parallel(act, range(3)) == [0, 1, 2]
    for some in ([3], range(1000)):
        with pytest.raises(ValueError, match="three"):
            in_parallel(act, some)
    assert len(done) < 200


def test_files_of_many_folders_take_one_look_up_of_their_place(
    attached: Callable[[], tuple[OwnMemory, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import airflow.sdk

    _, base = attached()
    looked_up: list[Any] = []
    real = airflow.sdk.ObjectStoragePath

    class Counted(real):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:
            looked_up.append(args)
            super().__init__(*args, **options)

    from tests.support.library import write

    uris = [f"{base}/{number}/a b%20c.png" for number in range(20)]
    for uri in uris:
        write(uri, b"png")
    here = tmp_path / "x.png"
    here.write_bytes(b"pn")
    monkeypatch.setattr(airflow.sdk, "ObjectStoragePath", Counted)
    found = facts_of([*uris, f"{base}/none.png", f"file://{here}", str(here), "nowhere://b/k"])
    assert [found[uri] for uri in uris] == [FileFacts(3)] * 20
    assert found[f"file://{here}"] == found[str(here)] == FileFacts(2)
    assert isinstance(found[f"{base}/none.png"], FileNotFoundError)
    assert isinstance(found["nowhere://b/k"], Exception)
    assert len(looked_up) == 4
