# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a task reports to OpenLineage. It imports the OpenLineage provider, so only that provider calls it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_adgen.ledger.batch import BatchStore

MOST_DATASETS = 200
"""Inputs, and outputs, that a batch reports at most: one event holds them all."""

_SCHEMES = frozenset({"http", "https", "s3", "gs", "file", "abfs", "abfss", "wasb", "wasbs"})


def lineage(request: dict[str, Any], result: dict[str, Any] | None) -> Any:
    """
    Return an ``OperatorLineage``: media referred to as inputs, stored files as outputs, the job as a run facet.

    :param request: the request, templates rendered.
    :param result: the dictionary that the task returned; None before its end.
    """
    stored = (str(one["uri"]) for one in (result or {}).get("creatives", []) if one.get("uri"))
    return _operator_lineage(
        _places(_texts(request)),
        _places(stored),
        _facet(request, result) if result is not None else None,
    )


def files_lineage(read: Iterable[str], written: Iterable[str]) -> Any:
    """
    Return the ``OperatorLineage`` of a task that reads and writes files.

    :param read: their paths, as ``ObjectStoragePath`` takes them, or paths of this machine.
    :param written: the same.
    """
    return _operator_lineage(_places(map(_uri, read)), _places(map(_uri, written)), None)


def batch_lineage(store: BatchStore, try_number: int, results: str | None, items: str | None = None) -> Any:
    """
    Return the ``OperatorLineage`` of a batch: media of its requests, its results and stored files, counts and credits.

    Of each kind of dataset the first :data:`MOST_DATASETS` are reported: of the inputs the file of items first, of the
    outputs the file of results. The facet says how many there are. It reads the record and the results, and nothing of
    a vendor.

    :param store: the batch's record.
    :param try_number: the try whose items count.
    :param results: the path of its results; None where it wrote none.
    :param items: the path of its items; None where they are no file.
    :raises OSError: the results cannot be read.
    :raises RecordUnreadable: the record cannot be read.
    """
    from collections import Counter

    from airflow_provider_adgen.lifecycle.batch.results import credits_recorded

    chosen: dict[str, int] = {}
    counts: Counter[str] = Counter()
    stored = [results] if results else []
    for line in _lines(results) if results else ():
        counts[line["status"]] += 1
        if line["choice"] is not None:
            chosen[line["key"]] = line["choice"]
        stored += [str(one["uri"]) for one in (line["generation"] or {}).get("creatives", []) if one.get("uri")]
    frozen = store.frozen(try_number)
    wanted = (
        choice["request"]
        for item in (frozen.lines() if frozen is not None else ())
        for choice in item["choices"]
        if choice.get("number", 0) == chosen.get(item["key"])
    )
    given = [_uri(items)] if items else []
    inputs, outputs = _places([*given, *_texts(list(wanted))]), _places(stored)
    return _operator_lineage(
        inputs[:MOST_DATASETS],
        outputs[:MOST_DATASETS],
        _batch_facet(counts, credits_recorded(store.load()), len(inputs), len(outputs)),
    )


def _lines(results: str) -> Iterator[dict[str, Any]]:
    import json

    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(results)
    # What the path's own open() returns cannot be iterated over in Airflow 3.0.
    with path.fs.open(path.path, "rb") as file:
        for line in file:
            yield json.loads(line)


def _operator_lineage(inputs: list[tuple[str, str]], outputs: list[tuple[str, str]], facet: Any) -> Any:
    from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found,unused-ignore]  # optional
    from openlineage.client.event_v2 import Dataset  # type: ignore[import-not-found,unused-ignore]  # optional

    return OperatorLineage(
        inputs=[Dataset(namespace=namespace, name=name) for namespace, name in inputs],
        outputs=[Dataset(namespace=namespace, name=name) for namespace, name in outputs],
        run_facets={"adgen": facet} if facet is not None else {},
    )


def _facet(request: dict[str, Any], result: dict[str, Any]) -> Any:
    import attr
    from openlineage.client.facet_v2 import RunFacet  # type: ignore[import-not-found,unused-ignore]  # optional

    @attr.define
    class AdGenRunFacet(RunFacet):  # type: ignore[misc,unused-ignore]  # Any where OpenLineage is not installed
        """One paid generation."""

        vendor: str
        jobIds: list[str]
        kind: str
        request: str
        status: str
        creditsQuoted: int | None
        creditsCharged: int | None

    money = result.get("credits") or {}
    return AdGenRunFacet(
        vendor=str(result.get("vendor", "")),
        jobIds=[str(one) for one in result.get("job_ids", [])],
        kind=str(result.get("kind", "")),
        request=str(request.get("kind", "")),
        status=str(result.get("status", "")),
        creditsQuoted=money.get("quoted"),
        creditsCharged=money.get("charged"),
    )


def _batch_facet(
    counts: Mapping[str, int], credits_by_account: Mapping[str, Mapping[str, int]], inputs: int, outputs: int
) -> Any:
    import attr
    from openlineage.client.facet_v2 import RunFacet  # type: ignore[import-not-found,unused-ignore]  # optional

    @attr.define
    class AdGenBatchRunFacet(RunFacet):  # type: ignore[misc,unused-ignore]  # Any where OpenLineage is not installed
        """Many paid generations of one task."""

        items: int
        counts: dict[str, int]
        credits: dict[str, dict[str, int]]
        inputs: int
        outputs: int

    return AdGenBatchRunFacet(
        items=sum(counts.values()),
        counts=dict(sorted(counts.items())),
        credits={conn_id: dict(sums) for conn_id, sums in credits_by_account.items()},
        inputs=inputs,
        outputs=outputs,
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _uri(path: str) -> str:
    return path if "://" in path else f"file://{os.path.abspath(path)}"


def _places(uris: Iterable[str]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(place for uri in uris if (place := _place(uri)) is not None))


def _place(uri: str) -> tuple[str, str] | None:
    """Return OpenLineage's namespace and name; never a query (signatures are there), a user or a connection."""
    try:
        parts = urlsplit(uri.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES or any(one.isspace() for one in uri.strip()):
        return None
    if parts.scheme == "file":
        return "file", parts.path
    name = parts.path.strip("/")
    return (f"{parts.scheme}://{host}", name) if host and name else None
