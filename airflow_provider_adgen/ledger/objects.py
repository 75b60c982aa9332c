# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of small objects in object storage that are created, listed and read, and never changed."""

from __future__ import annotations

import os
import threading
import uuid
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 1 << 18
"""Bytes of a large object that are read at a time."""

_LOCKS = tuple(threading.Lock() for _ in range(64))


def is_local(fs: Any) -> bool:
    """Whether a file system is this machine's own."""
    return "file" in ({fs.protocol} if isinstance(fs.protocol, str) else fs.protocol)


def list_objects(fs: Any, folder: str) -> list[str]:
    """
    Return the paths of a folder's files as they are now; empty where there is no such folder.

    Any other error is raised: a storage that cannot be read is not an empty one.
    """
    # A listing that another thread began earlier must not be taken from the file system's cache for this one.
    with _LOCKS[zlib.crc32(folder.encode()) % len(_LOCKS)]:
        fs.invalidate_cache(folder)  # another process may have written since this one listed it
        try:
            # Not exists(): it answers False for a storage that cannot be read.
            names: list[str] = fs.ls(folder, detail=False)
        except FileNotFoundError:
            return []
    if folder in names:
        raise NotADirectoryError
    return names


def create_object(fs: Any, folder: str, name: str, text: bytes) -> None:
    """Write a file that is visible only when it is complete, and kept when this returns."""
    if is_local(fs):
        _write_file(Path(folder), name, (text,))
    else:
        _write_object(fs, f"{folder}/{name}", folder, text)


def create_large_object(fs: Any, folder: str, name: str, lines: Iterable[bytes]) -> None:
    """
    Write a file line by line, so that it is never in memory as a whole.

    Where the storage shows a file while it is written, or a writer dies, it may end early: its last line must tell.

    :param fs: the fsspec file system.
    :param folder: the folder, which is made where it has to be.
    :param name: the file's name.
    :param lines: its content, each with its line end.
    """
    if is_local(fs):
        _write_file(Path(folder), name, lines)
        return
    try:
        file = fs.open(f"{folder}/{name}", "wb")
    except FileNotFoundError:  # not an object store, but a file system that needs the folder first
        fs.makedirs(folder, exist_ok=True)
        file = fs.open(f"{folder}/{name}", "wb")
    with file:
        for chunk in chunks(lines):
            file.write(chunk)


def chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in fewer, larger pieces."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= CHUNK:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def read_lines(fs: Any, path: str) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; it is never in memory as a whole."""
    rest = b""
    with fs.open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
    if rest:
        yield rest


def _write_object(fs: Any, path: str, folder: str, text: bytes) -> None:
    try:
        fs.pipe_file(path, text)
    except FileNotFoundError:  # not an object store, but a file system that needs the folder first
        fs.makedirs(folder, exist_ok=True)
        fs.pipe_file(path, text)


def _write_file(folder: Path, name: str, lines: Iterable[bytes]) -> None:
    # The file appears only when it is complete, and it is on the disk before anything is paid for. An object store
    # guarantees both by itself.
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{name}.{uuid.uuid4().hex[:8]}.tmp"
    with scratch.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(folder / name)
