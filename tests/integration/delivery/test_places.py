# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import gc
import os
import threading
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from airflow_provider_adgen.core.errors import DownloadError, InvalidRequest
from airflow_provider_adgen.delivery.places import check_destination, resolve_file
from airflow_provider_adgen.delivery.store import store_generation

FILM = os.urandom(12 << 20)
SHORT = b"\0\0\0\x18ftypmp42" + bytes(100)


class Bucket(AbstractFileSystem):
    """An object store as fsspec shows them: parts are collected, closing makes the object."""

    protocol: ClassVar[Any] = ("s3", "s3a")
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.options: list[dict[str, Any]] = []
        self.dropped = 0
        self.threads: set[int] = set()
        self.largest_part = 0
        self.full = False

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> Any:
        self.threads.add(threading.get_ident())
        self.options.append(options)
        return Upload(self, path, mode, block_size=block_size or 50 << 20)


class Upload(AbstractBufferedFile):
    def _initiate_upload(self) -> None:
        self.parts: list[bytes] = []

    def _upload_chunk(self, final: bool = False) -> bool:
        self.fs.threads.add(threading.get_ident())
        if self.fs.full:
            raise OSError(errno.ENOSPC, "quota exceeded at https://bucket.example/x?sig=s3cr3t")
        self.parts.append(self.buffer.getvalue())
        self.fs.largest_part = max(self.fs.largest_part, len(self.parts[-1]))
        if final:
            self.fs.objects[self.path] = b"".join(self.parts)
        return True

    def discard(self) -> None:
        self.fs.dropped += 1


@pytest.fixture
def attached():
    """Attach a file system to Airflow under a scheme."""
    from airflow.sdk.io import attach

    def under(scheme, fs):
        return attach(scheme, "adgen_test", fs=fs)

    yield under
    from airflow.sdk.io import store

    for alias in [alias for alias in store._STORE_CACHE if alias.endswith("-adgen_test")]:
        del store._STORE_CACHE[alias]


@pytest.fixture
def bucket(attached):
    fs = Bucket()
    attached("s3", fs)
    return fs


@pytest.fixture
def memory(attached):
    fs = MemoryFileSystem()
    fs.store.clear()
    attached("memory", fs)
    yield fs
    fs.store.clear()


async def test_an_object_exists_only_when_it_is_whole(storage, generation, vendor, clock, new_file, bucket):
    during = []
    storage.files["/a"] = new_file(FILM, cuts=[7 << 20], before=lambda _: during.append(dict(bucket.objects)))
    one = generation(storage.url("/a"))
    after = await store_generation(one, "s3://adgen_test@shop/creatives/", refetch=vendor, clock=clock)
    assert bucket.objects == {"shop/creatives/adsumo-gen_1-0.mp4": FILM}
    assert not any(during)
    assert after.creatives[0].uri == "s3://adgen_test@shop/creatives/adsumo-gen_1-0.mp4"
    assert bucket.options[0]["ContentType"] == "video/mp4"
    assert bucket.largest_part < 6 << 20

    from airflow.sdk import ObjectStoragePath

    found = ObjectStoragePath(after.creatives[0].uri)
    assert found.fs is bucket
    assert found.path == "shop/creatives/adsumo-gen_1-0.mp4"


async def test_an_object_has_the_type_of_its_bytes(storage, generation, vendor, clock, new_file, bucket):
    storage.files["/a.mp4"] = new_file(b"\x89PNG\r\n\x1a\n" + bytes(500), "application/octet-stream", cuts=[20])
    one = generation(storage.url("/a.mp4"), creative="image")
    await store_generation(one, "s3://adgen_test@shop", refetch=vendor, clock=clock)
    assert list(bucket.objects) == ["shop/adsumo-gen_1-0.png"]
    assert [options["ContentType"] for options in bucket.options] == ["image/png"]


async def test_no_upload_begins_for_what_is_no_creative(storage, generation, vendor, clock, new_file, bucket):
    storage.files["/a.mp4"] = new_file(b"Not ready")
    vendor.answers = [generation(storage.url("/a.mp4"))]
    with pytest.raises(DownloadError, match="sent text/plain where"):
        await store_generation(vendor.answers[0], "s3://adgen_test@shop", refetch=vendor, clock=clock)
    assert (bucket.objects, bucket.options) == ({}, [])


async def test_a_broken_upload_is_dropped_and_never_completed(storage, generation, vendor, clock, new_file, bucket):
    storage.files["/a"] = new_file(FILM, cuts=[6 << 20] * 99, ranges=False)
    with pytest.raises(DownloadError, match="broke after"):
        await store_generation(generation(storage.url("/a")), "s3://adgen_test@shop", refetch=vendor, clock=clock)
    gc.collect()  # an fsspec file completes its upload when it is collected unclosed
    assert bucket.objects == {}
    assert bucket.dropped == len(bucket.options) >= 6


async def test_starting_over_drops_the_first_upload(storage, generation, vendor, clock, new_file, bucket):
    storage.files["/a"] = new_file(FILM, cuts=[6 << 20], ranges=False)
    await store_generation(generation(storage.url("/a")), "s3://adgen_test@shop", refetch=vendor, clock=clock)
    assert bucket.objects == {"shop/adsumo-gen_1-0.mp4": FILM}
    assert bucket.dropped == 1


async def test_a_full_destination_is_told_without_links(storage, generation, vendor, clock, new_file, bucket):
    bucket.full = True
    storage.files["/a"] = new_file(FILM)
    with pytest.raises(DownloadError) as caught:
        await store_generation(generation(storage.url("/a")), "s3://adgen_test@shop/x", refetch=vendor, clock=clock)
    assert str(caught.value) == (
        "Creative 0 of adsumo job gen_1 could not be stored: s3://shop/… did not take adsumo-gen_1-0.mp4 (OSError: "
        "[Errno 28] quota exceeded at https://bucket.example/…). It is paid for; a retry fetches it again and costs "
        "nothing. Check the destination, its connection and its free space."
    )
    assert len(storage.seen) == 1, "trying the host again does not empty a disk"
    gc.collect()
    assert bucket.objects == {}


async def test_no_file_system_is_touched_on_the_event_loop(storage, generation, vendor, clock, new_file, bucket):
    storage.files["/a"] = new_file(FILM)
    await store_generation(generation(storage.url("/a")), "s3://adgen_test@shop", refetch=vendor, clock=clock)
    assert bucket.threads
    assert threading.get_ident() not in bucket.threads


async def test_any_other_file_system_gets_a_temporary_name_first(storage, generation, vendor, clock, new_file, memory):
    during = set()
    storage.files["/a"] = new_file(FILM, cuts=[3 << 20], before=lambda _: during.update(memory.store))
    one = generation(storage.url("/a"))
    for _ in range(2):  # the second replaces the first
        after = await store_generation(one, "memory://adgen_test@/out/x/", refetch=vendor, clock=clock)
    assert list(memory.store) == ["/out/x/adsumo-gen_1-0.mp4"]
    assert memory.cat("/out/x/adsumo-gen_1-0.mp4") == FILM
    assert len(during - set(memory.store)) == 2
    assert after.creatives[0].uri == "memory://adgen_test@/out/x/adsumo-gen_1-0.mp4"


async def test_a_file_system_that_does_not_rename_onto_a_file(storage, generation, vendor, clock, new_file, attached):
    class Stubborn(MemoryFileSystem):
        def mv(self, path1, path2, **kwargs):
            if self.exists(path2):
                raise FileExistsError(path2)
            super().mv(path1, path2, **kwargs)

    fs = Stubborn()
    fs.store.clear()
    attached("memory", fs)
    fs.pipe_file("/adsumo-gen_1-0.mp4", b"of an earlier try")
    storage.files["/a"] = new_file(SHORT)
    await store_generation(generation(storage.url("/a")), "memory://adgen_test@/", refetch=vendor, clock=clock)
    assert {name: file.getvalue() for name, file in fs.store.items()} == {"/adsumo-gen_1-0.mp4": SHORT}
    fs.store.clear()


async def test_nothing_stays_on_another_file_system_when_it_fails(storage, generation, vendor, clock, new_file, memory):
    storage.files["/a"] = new_file(FILM, cuts=[1000] * 99, ranges=False)
    with pytest.raises(DownloadError):
        await store_generation(generation(storage.url("/a")), "memory://adgen_test@/out", refetch=vendor, clock=clock)
    assert memory.store == {}


@pytest.mark.parametrize("form", ["file://{}", "file://{}/", "{}//", "file://adgen_test@{}"])
async def test_local_paths_in_all_their_forms(storage, generation, vendor, clock, new_file, tmp_path, form):
    storage.files["/a"] = new_file(SHORT)
    folder = tmp_path / "run=2026-01-01T00:00:00+00:00"
    after = await store_generation(generation(storage.url("/a")), form.format(folder), refetch=vendor, clock=clock)
    assert (folder / "adsumo-gen_1-0.mp4").read_bytes() == SHORT

    from airflow.sdk import ObjectStoragePath

    assert ObjectStoragePath(after.creatives[0].uri).read_bytes() == SHORT


async def test_relative_paths_and_the_home_directory(
    storage, generation, vendor, clock, new_file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    storage.files["/a"] = new_file(SHORT)
    for form in ("out", "~/out"):
        after = await store_generation(generation(storage.url("/a")), form, refetch=vendor, clock=clock)
        assert after.creatives[0].uri == f"file://{tmp_path}/out/adsumo-gen_1-0.mp4"


async def test_an_unknown_place_is_refused_before_anything_is_fetched(storage, generation, vendor, clock):
    with pytest.raises(DownloadError, match="Nothing can be stored under nowhere://x/") as caught:
        await store_generation(generation(storage.url("/a")), "nowhere://x/y", refetch=vendor, clock=clock)
    assert "A retry costs nothing." in str(caught.value)
    assert storage.seen == []


def test_a_destination_can_be_checked_before_paying(bucket, tmp_path):
    check_destination("s3://adgen_test@shop/creatives")
    check_destination(str(tmp_path))
    with pytest.raises(InvalidRequest, match=r"install airflow-provider-adgen\[gcs\].*Nothing was sent\."):
        check_destination("gs://no_such_connection@shop/creatives")
    with pytest.raises(InvalidRequest, match="destination is empty"):
        check_destination("")
    assert bucket.options == []


@pytest.mark.parametrize(
    ("destination", "fault"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("None", "is 'None', which is what a template makes of a missing value"),
        (" null ", "is 'null'"),
        ("nan", "is 'nan'"),
        ("s3://adgen_test@shop/{{ ds }}", "holds a template that was not rendered"),
        ("{% if x %}/tmp{% endif %}", "holds a template that was not rendered"),
        ("s3://", "is only a scheme, s3://"),
        ("file://", "is only a scheme, file://"),
        ("s3:///creatives", "names no bucket"),
        ("s3://adgen_test@", "names no bucket"),
        ("s3://adgen_test@/creatives", "names no bucket"),
        ("s3://adgen_test@None/creatives", "names no bucket"),
    ],
)
async def test_a_destination_that_names_no_place(generation, vendor, clock, bucket, tmp_path, destination, fault):
    with pytest.raises(InvalidRequest) as caught:
        check_destination(destination)
    assert str(caught.value).startswith(f"The destination {fault}")
    assert str(caught.value).endswith("Nothing was sent.")
    with pytest.raises(DownloadError, match="The destination"):
        await store_generation(generation("http://127.0.0.1:9/a"), destination, refetch=vendor, clock=clock)
    with pytest.raises(DownloadError, match="The path"):
        resolve_file(destination)
    assert bucket.options == []


@pytest.mark.parametrize(
    "destination", ["./None", "/ads/null", "file:///", "s3://adgen_test@shop", "s3://adgen_test@none-shop/x"]
)
def test_a_destination_that_only_looks_like_none(bucket, destination):
    check_destination(destination)
