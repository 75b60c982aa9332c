# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import os

import pytest

from airflow_provider_adgen.core.calls import Request
from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.core.http import HttpClient
from airflow_provider_adgen.delivery.store import store_stream

EXPORT = os.urandom(300_000)


@pytest.fixture
def store(storage):
    async def run(path, **options):
        client = HttpClient()
        try:
            async with client.open(Request("GET", "GET /export", storage.url("/export")), seconds=5) as opened:
                return await store_stream(opened, path, label="The export", **options)
        finally:
            await client.aclose()

    return run


async def test_an_answer_becomes_one_file(storage, new_file, store, tmp_path):
    storage.files["/export"] = new_file(EXPORT, "application/zip")
    stored = await store(f"file://{tmp_path}/deep/projects.zip")
    assert stored == (f"file://{tmp_path}/deep/projects.zip", len(EXPORT), hashlib.sha256(EXPORT).hexdigest())
    assert (tmp_path / "deep" / "projects.zip").read_bytes() == EXPORT


async def test_an_encoded_answer_is_decoded(storage, new_file, store, tmp_path):
    storage.files["/export"] = new_file(gzip.compress(b"[]" * 999), headers={"Content-Encoding": "gzip"})
    assert (await store(f"{tmp_path}/projects.json")).size == 1998
    storage.files["/export"].headers = {"Content-Encoding": "zstd"}
    with pytest.raises(DownloadError, match="zstd"):
        await store(f"{tmp_path}/other.json")
    assert os.listdir(tmp_path) == ["projects.json"]


async def test_a_broken_answer_leaves_nothing(storage, new_file, store, tmp_path):
    storage.files["/export"] = new_file(EXPORT, cuts=[100_000])
    with pytest.raises(DownloadError, match="The export could not be stored: the connection broke after 100000 of"):
        await store(f"{tmp_path}/projects.zip")
    assert os.listdir(tmp_path) == []


async def test_an_empty_answer_is_an_error_unless_allowed(storage, new_file, store, tmp_path):
    storage.files["/export"] = new_file(b"")
    with pytest.raises(DownloadError, match="it is empty"):
        await store(f"{tmp_path}/projects.csv")
    assert os.listdir(tmp_path) == []
    assert (await store(f"{tmp_path}/projects.csv", may_be_empty=True)).size == 0
    assert (tmp_path / "projects.csv").read_bytes() == b""


@pytest.mark.parametrize("path", ["", "/folder/", "file:///folder/", "s3://bucket", "/folder/.."])
async def test_a_path_that_names_no_file(storage, new_file, store, path):
    storage.files["/export"] = new_file(EXPORT)
    with pytest.raises(DownloadError, match=r"names no file|The path is empty"):
        await store(path)


@pytest.mark.parametrize(("body", "came"), [(b"<html>Sign in</html>", "text/html"), (b"", "an empty file")])
async def test_a_video_is_no_page(storage, new_file, store, tmp_path, body, came):
    storage.files["/export"] = new_file(body)
    with pytest.raises(DownloadError, match=f"{came} came where a file of kind video is expected"):
        await store(f"{tmp_path}/film.mp4", kind="video")
    assert os.listdir(tmp_path) == []


async def test_a_destination_that_cannot_be_written(storage, new_file, store, tmp_path):
    storage.files["/export"] = new_file(EXPORT)
    (tmp_path / "taken").mkdir()
    with pytest.raises(DownloadError, match="did not take taken"):
        await store(f"{tmp_path}/taken")
    assert os.listdir(tmp_path) == ["taken"]
