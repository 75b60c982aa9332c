# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are uploaded to a vendor, from this machine or from object storage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from airflow_provider_adgen.core.calls import FileBody
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.scrub import reason, scrub


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
    :raises InvalidRequest: there is no such file, or it cannot be read.
    """
    text = str(source)
    try:
        if "://" not in text:
            return _local(text)
        from airflow.sdk import ObjectStoragePath  # not at module level: see delivery.places

        path = source if isinstance(source, ObjectStoragePath) else ObjectStoragePath(text)
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        return SourceFile(path.name, FileBody(partial(path.open, "rb"), int(path.stat().st_size)))
    except Exception as problem:  # whatever a file system raises: botocore's errors, a missing connection, ...
        raise InvalidRequest(
            f"{scrub(text) or 'An empty path'} cannot be read ({reason(problem)}). Nothing was sent."
        ) from None


def _opened(path: str) -> IO[bytes]:
    return open(path, "rb")


def _local(text: str) -> SourceFile:
    path = os.path.abspath(os.path.expanduser(text.strip()))
    if not os.path.isfile(path):
        raise FileNotFoundError("there is no such file")
    return SourceFile(os.path.basename(path), FileBody(partial(_opened, path), os.path.getsize(path)))
