# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Sinks: files that get their final name only when they are complete.

A file appears under its final name at :meth:`Sink.commit`, not before. Everything here blocks. Callers on the event
loop use :class:`airflow_provider_adgen.delivery.atomic_writer.AtomicWriter`.
"""

from __future__ import annotations

import abc
import contextlib
import hashlib
import os
import secrets
import time
from typing import Any

from airflow_provider_adgen.core.http import CHUNK

# The smallest part that S3 allows: what is not sent yet is held in memory. 10,000 parts make 48 GB.
_PART = 5 << 20
_STALE_SECONDS = 3600.0


class Sink(abc.ABC):
    """Where the bytes of one file go."""

    _file: Any

    def write(self, data: bytes) -> None:
        """Append *data*."""
        self._file.write(data)

    @abc.abstractmethod
    def commit(self, size: int, sha256: str) -> None:
        """
        Check what was written and give it its final name, replacing what had that name.

        :raises OSError: what was written is not *size* bytes with the hash *sha256*, or it could not be written.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """Leave nothing behind; harmless after :meth:`commit`."""


class LocalFile(Sink):
    """
    A file of this machine: written under a temporary name beside the final one, then renamed.

    :param path: its final path; missing directories are made.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        folder, name = os.path.split(path)
        os.makedirs(folder, exist_ok=True)
        _sweep(folder, name)
        self._temporary = os.path.join(folder, _temporary(name))
        self._file = open(self._temporary, "x+b")  # noqa: SIM115 - it stays open until commit or abort

    def commit(self, size: int, sha256: str) -> None:
        """Read back what was written, compare, rename."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        found = hashlib.sha256()
        while chunk := self._file.read(CHUNK):
            found.update(chunk)
        if self._file.tell() != size or found.hexdigest() != sha256:
            raise OSError("what the disk holds is not what was written")
        self._file.close()
        os.replace(self._temporary, self._path)
        _sync_folder(os.path.dirname(self._path))

    def abort(self) -> None:
        """Remove the temporary file."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)


class RemoteFile(Sink):
    """
    A file of any other file system: written under a temporary name beside the final one, then renamed.

    :param fs: the fsspec file system.
    :param path: its final path there; missing directories are made.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        self._path = path
        folder, _, name = path.rpartition("/")
        if folder:
            fs.makedirs(folder, exist_ok=True)
        self._temporary = f"{folder}/{_temporary(name)}"
        self._file = fs.open(self._temporary, "wb")

    def commit(self, size: int, sha256: str) -> None:
        """Check the size that the file system reports, rename."""
        self._file.close()
        found = self._fs.size(self._temporary)
        if found is not None and found != size:
            raise OSError(f"the file system holds {found} of {size} bytes")
        try:
            self._fs.mv(self._temporary, self._path)
        except Exception:
            # Some servers do not rename onto a file that exists. Anything else fails here once more.
            if not self._fs.exists(self._path):
                raise
            self._fs.rm_file(self._path)
            self._fs.mv(self._temporary, self._path)

    def abort(self) -> None:
        """Remove the temporary file."""
        with contextlib.suppress(Exception):
            self._file.close()
        with contextlib.suppress(Exception):
            if self._fs.exists(self._temporary):
                self._fs.rm_file(self._temporary)


class ObjectUpload(Sink):
    """
    An object of S3, Google Cloud Storage or Azure: a multipart upload. Full parts are sent.

    The object appears when the upload is completed.

    :param fs: the fsspec file system.
    :param path: bucket and key.
    :param options: further options of its ``open``.
    """

    def __init__(self, fs: Any, path: str, options: dict[str, Any]) -> None:
        self._fs = fs
        self._file = fs.open(path, "wb", block_size=_PART, **options)

    def commit(self, size: int, sha256: str) -> None:
        """Check the size, complete the upload."""
        if self._file.tell() != size:
            raise OSError(f"the upload holds {self._file.tell()} of {size} bytes")
        self._file.close()

    def abort(self) -> None:
        """Drop the upload. Closing or garbage-collecting an fsspec file would complete it with what it has."""
        file = self._file
        if file.closed:
            return
        with contextlib.suppress(Exception):
            file.discard()
        file.forced = True  # closing must not send the rest any more
        with contextlib.suppress(Exception):
            file.close()
        file.closed = True


def _temporary(name: str) -> str:
    return f".{name}.{secrets.token_hex(6)}.part"


def _sweep(folder: str, name: str) -> None:
    """Remove temporary files that a killed process left of this same file."""
    oldest = time.time() - _STALE_SECONDS
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(f".{name}.") and entry.name.endswith(".part"):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < oldest:
                        os.unlink(entry.path)


def _sync_folder(folder: str) -> None:
    # Without it, a power cut can undo the rename. Not every file system supports it.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
