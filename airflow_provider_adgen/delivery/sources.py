# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are uploaded to a vendor, from this machine or from object storage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_adgen.core.calls import FileBody
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.core.scrub import reason, scrub

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# What the next try would find again: there is no such file, or it may not be read.
_LASTING = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, ValueError, ImportError)


@dataclass(frozen=True)
class SourceFile:
    """
    A file to be sent.

    :param name: its name, without folders.
    :param body: its content, opened anew for each attempt.
    """

    name: str
    body: FileBody


def open_source(source: Any) -> SourceFile:
    """
    Find a file; looks up its Airflow connection where it names one, and blocks.

    :param source: a path of this machine, anything that Airflow's ``ObjectStoragePath`` takes, or one of those.
    :raises InvalidRequest: there is no such file, or it may not be read.
    :raises AdGenError: the storage failed. A retry may help.
    """
    text = str(source)
    what = scrub(text) or "An empty path"
    path = stored_path(source, what) if "://" in text else None
    try:
        if path is None:
            return _local(text)
        # Not is_file(): it answers False for a storage that cannot be read.
        info = path.fs.info(str(path.path))
        if info["type"] == "directory":
            raise FileNotFoundError("there is no such file")
        return SourceFile(path.name, FileBody(partial(path.open, "rb"), int(info["size"])))
    except Exception as problem:  # whatever a file system raises: botocore's errors, a missing connection, ...
        raise not_read(what, problem) from None


def stored_path(source: Any, what: str) -> ObjectStoragePath:
    """
    Return an object-storage path whose file system is known; looks up its Airflow connection, and blocks.

    :param source: what ``ObjectStoragePath`` takes, or one.
    :param what: the file, as messages call it.
    :raises InvalidRequest: there is no such scheme, connection or package.
    """
    from airflow.sdk import ObjectStoragePath  # not at module level: see delivery.places

    try:
        path = source if isinstance(source, ObjectStoragePath) else ObjectStoragePath(str(source))
        _ = path.fs
    except Exception as problem:  # whatever Airflow or a file system's constructor raises
        raise InvalidRequest(f"{what} cannot be read ({reason(problem)}). Nothing was sent.") from None
    return path


def not_read(what: str, problem: Exception) -> AdGenError:
    """
    Return the error for a file that cannot be read. A retry helps unless it would find the same.

    :param what: the file, as messages call it.
    :param problem: what its storage raised.
    """
    text = f"{what} cannot be read ({reason(problem)}). Nothing was sent."
    return InvalidRequest(text) if isinstance(problem, _LASTING) else AdGenError(f"{text} A retry may help.")


def _opened(path: str) -> IO[bytes]:
    return open(path, "rb")


def _local(text: str) -> SourceFile:
    path = os.path.abspath(os.path.expanduser(text.strip()))
    if not os.path.isfile(path):
        raise FileNotFoundError("there is no such file")
    return SourceFile(os.path.basename(path), FileBody(partial(_opened, path), os.path.getsize(path)))
