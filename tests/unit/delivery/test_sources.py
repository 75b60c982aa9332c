# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.delivery.sources import open_source
from airflow_provider_adgen.lifecycle.batch.items import read_items


@pytest.mark.parametrize(
    "form", [str, Path, lambda path: f"file://{path}", lambda path: ObjectStoragePath(f"file://{path}")]
)
def test_a_file_in_any_form(tmp_path: Path, form: Any) -> None:
    path = tmp_path / "Brand book.pdf"
    path.write_bytes(b"content")
    found = open_source(form(path))
    assert (found.name, found.body.size) == ("Brand book.pdf", 7)
    for _ in range(2):  # opened anew for each attempt
        with found.body.open() as file:
            assert file.read() == b"content"


def test_a_path_below_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("x")
    assert open_source("~/a.txt").body.size == 1
    monkeypatch.chdir(tmp_path)
    assert open_source("a.txt").name == "a.txt"


@pytest.mark.parametrize("source", ["", "missing.pdf", "/", "file:///missing.pdf", "nosuchscheme://b/a.pdf", None, 5])
def test_what_is_no_file_is_refused(source: Any) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was sent"):
        open_source(source)


@pytest.mark.parametrize("problem", [OSError(5, "Input/output error"), TimeoutError("timed out"), RuntimeError("503")])
def test_a_storage_that_is_down_is_worth_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    """It never means that there is no such file."""

    def down(*_given: object, **_more: object) -> None:
        raise problem

    path = tmp_path / "feed.csv"
    path.write_text("id,title\n1,Lamp\n")
    monkeypatch.setattr(LocalFileSystem, "info", down)
    monkeypatch.setattr(ObjectStoragePath, "read_bytes", down)
    for read in (open_source, lambda uri: read_items(uri, conn_id="ads")):
        with pytest.raises(AdGenError, match=r"cannot be read .* A retry may help") as caught:
            read(f"file://{path}")
        assert caught.value.retry_helps


def test_a_link_is_not_shown() -> None:
    with pytest.raises(InvalidRequest) as caught:
        open_source("nosuchscheme://bucket/a.pdf?signature=abc")
    assert "abc" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    for folder in (os.fspath(tmp_path), f"file://{tmp_path}"):
        with pytest.raises(InvalidRequest, match="no such file"):
            open_source(folder)
