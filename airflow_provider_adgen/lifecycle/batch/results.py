# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch tells of its items: a file with one line each, and a summary that stays small."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_adgen.core.decisions.batch import NOT_COUNTED, WITH_RESULT, ItemStatus
from airflow_provider_adgen.delivery.places import resolve
from airflow_provider_adgen.lifecycle.batch.items import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.record import Record

SCHEMA = 1
_REASON = 300
_FAILURES = 12_000
"""Bytes that the failures of a summary may take as JSON."""


def results_name(identity: TaskIdentity) -> str:
    """Return the path of a batch's results below its destination."""
    parts = [identity.dag_id, identity.run_id, identity.task_id, str(identity.map_index)]
    safe = [quote(part, safe="").replace(".", "%2E") for part in parts]
    return "/".join(["_adgen", "runs", *safe, "results.jsonl"])


def results_uri(destination: str, identity: TaskIdentity) -> str:
    """Return the path of a batch's results for ``ObjectStoragePath``."""
    return resolve(destination).uri_of(results_name(identity))


def write_results(destination: str, name: str, lines: Iterable[Mapping[str, Any]]) -> str:
    """
    Replace the file of results, whole; return its path for ``ObjectStoragePath``.

    :param destination: the batch's destination.
    :param name: the file's path below it.
    :param lines: one JSON object per item.
    """
    place = resolve(destination)
    text = "".join(f"{json.dumps(line, separators=(',', ':'), default=str)}\n" for line in lines).encode()
    sink = place.sink(name, "application/x-ndjson")
    try:
        sink.write(text)
        sink.commit(len(text), hashlib.sha256(text).hexdigest())
    except BaseException:
        sink.abort()
        raise
    return place.uri_of(name)


def credits_of(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    """
    Return what all submissions cost, for each account; credits of two accounts are never added up.

    Where the vendor does not tell what it charged, the quoted price counts.
    """
    found: dict[str, Counter[str]] = {}
    for record in records:
        for one in record.attempts:
            if one.phase == "withdrawn":
                continue
            sums = found.setdefault(one.conn_id, Counter(quoted=0, charged=0, refunded=0))
            sums["quoted"] += one.price or 0
            if one.phase != "intent":
                sums["charged"] += one.charged if one.charged is not None else one.price or 0
                sums["refunded"] += one.refunded or 0
    return {conn_id: dict(sums) for conn_id, sums in sorted(found.items())}


def summary(uri: str, lines: Iterable[Mapping[str, Any]], costs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what the task returns: under 16 KB for any number of items.

    :param uri: of the results.
    :param lines: of the results.
    :param costs: of :func:`credits_of`.
    """
    counts: Counter[str] = Counter({str(one): 0 for one in ItemStatus})
    failures: list[dict[str, Any]] = []
    items, room = 0, _FAILURES
    for line in lines:
        items += 1
        counts[line["status"]] += 1
        if line["status"] not in {*WITH_RESULT, *NOT_COUNTED} and len(failures) < SHOWN:
            short = (line["reason"] or "").split("\n")[0][:_REASON]
            failure = {"key": line["key"], "status": line["status"], "reason": short}
            room -= len(json.dumps(failure))
            if room > 0:
                failures.append(failure)
    return {
        "schema": SCHEMA,
        "results": uri,
        "items": items,
        "counts": dict(counts),
        "credits": costs,
        "failures": failures,
    }
