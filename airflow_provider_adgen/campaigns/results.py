# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what a batch wrote of its items."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_results(uri: str) -> Iterator[dict[str, Any]]:
    """
    Yield one dictionary per item of a batch.

    Its fields are ``key``, ``status``, ``reason``, ``choice``, ``conn_id``, ``generation`` and ``meta``.

    :param uri: the path of its results: ``results`` in what the task returned, and its XCom of that name.
    :raises OSError: it cannot be read.
    """
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(uri)
    # What the path's own open() returns cannot be iterated over in Airflow 3.0.
    with path.fs.open(path.path, "rb") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
