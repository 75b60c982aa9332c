# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A disk that Airflow finds under a connection and that is like a storage far away: requests count, and take time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fsspec.implementations.local import LocalFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

CONN = "adgen_remote_disk"


class RemoteDisk(LocalFileSystem):
    """
    A disk behind a network.

    :param seconds: how long each request takes.
    """

    protocol = "memory"  # one that Airflow's paths know, and that is not this machine's disk
    cachable = False

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.requests: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._within = threading.local()

    def _request(self, name: str, *args: Any, **options: Any) -> Any:
        real = getattr(super(), name)
        if getattr(self._within, "request", False):
            return real(*args, **options)  # a part of another one
        with self._counting:
            self.requests[name] += 1
        if self.seconds:
            time.sleep(self.seconds)
        self._within.request = True
        try:
            return real(*args, **options)
        finally:
            self._within.request = False

    def ls(self, path: str, detail: bool = False, **options: Any) -> Any:
        return self._request("ls", path, detail, **options)

    def cat_file(self, path: str, *args: Any, **options: Any) -> Any:
        return self._request("cat_file", path, *args, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> Any:
        return self._request("pipe_file", path, value, **options)

    def rm_file(self, path: str) -> Any:
        return self._request("rm_file", path)

    def open(self, path: str, *args: Any, **options: Any) -> Any:
        return self._request("open", path, *args, **options)


@contextmanager
def remote_disk(folder: object, seconds: float = 0.0) -> Iterator[tuple[RemoteDisk, str]]:
    """Attach a folder to Airflow as a remote disk; yield the file system, and the folder's path for Airflow."""
    from airflow.sdk.io import attach, store

    store._STORE_CACHE.pop(f"memory-{CONN}", None)
    fs = RemoteDisk(seconds)
    attach("memory", CONN, fs=fs)
    yield fs, f"memory://{CONN}@{folder}"
    store._STORE_CACHE.pop(f"memory-{CONN}", None)
