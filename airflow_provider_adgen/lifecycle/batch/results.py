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
from airflow_provider_adgen.core.vocabulary import estimate_mark
from airflow_provider_adgen.delivery.places import resolve
from airflow_provider_adgen.ledger.objects import chunks
from airflow_provider_adgen.lifecycle.batch.items import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_adgen.core.identity import TaskIdentity
    from airflow_provider_adgen.core.record import Attempt, Record
    from airflow_provider_adgen.delivery.places import Place

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


def write_results(destination: str, name: str, lines: Iterable[bytes]) -> str:
    """
    Replace the file of results, whole; return its path for ``ObjectStoragePath``.

    :param destination: the batch's destination.
    :param name: the file's path below it.
    :param lines: one JSON object per item, as text. They are never in memory all together.
    """
    return write_whole(resolve(destination), name, "application/x-ndjson", (line + b"\n" for line in lines))


def write_whole(place: Place, name: str, media_type: str, pieces: Iterable[bytes]) -> str:
    """
    Replace a file, whole; return its path for ``ObjectStoragePath``.

    :param place: where, as :func:`.resolve` returns it.
    :param name: the file's path below it.
    :param media_type: its media type.
    :param pieces: what is in it. They are never in memory all together.
    :raises DownloadError: it cannot be written.
    """
    sink = place.sink(name, media_type)
    size, checksum = 0, hashlib.sha256()
    try:
        for chunk in chunks(pieces):
            sink.write(chunk)
            size += len(chunk)
            checksum.update(chunk)
        sink.commit(size, checksum.hexdigest())
    except BaseException:
        sink.abort()
        raise
    return place.uri_of(name)


Cost = tuple[str, int, int, int, int]
"""What a submission cost: its connection, and the credits quoted, charged, refunded and estimated."""

_PROMISED = ("quoted", "charged", "refunded")
_SUMS = (*_PROMISED, "estimated")


def costs_of(record: Record) -> tuple[Cost, ...]:
    """
    Return what each of an item's submissions cost.

    Where the vendor does not tell what it charged, the quoted price counts, as charged and as estimated.
    """
    return tuple((one.conn_id, one.price or 0, *_taken(one)) for one in record.attempts if one.phase != "withdrawn")


def _taken(attempt: Attempt) -> tuple[int, int, int]:
    if attempt.phase == "intent":
        return 0, 0, 0
    charged, refunded = attempt.told("charged"), attempt.told("refunded") or 0
    return (attempt.price or 0, refunded, attempt.price or 0) if charged is None else (charged, refunded, 0)


def credits_of(costs: Iterable[Cost]) -> dict[str, dict[str, int]]:
    """Return what all submissions cost, for each account; credits of two accounts are never added up."""
    found: dict[str, Counter[str]] = {}
    for conn_id, *numbers in costs:
        sums = found.setdefault(conn_id, Counter(dict.fromkeys(_SUMS, 0)))
        for name, number in zip(_SUMS, numbers, strict=True):
            sums[name] += number
    return {conn_id: dict(sums) for conn_id, sums in sorted(found.items())}


def say_credits(sums: Mapping[str, int]) -> str:
    """Return the sums of one account as words."""
    mark = estimate_mark(sums["charged"], sums["estimated"])
    return f"{sums['quoted']:,} quoted, {sums['charged']:,} charged{mark}, {sums['refunded']:,} refunded"


def credits_recorded(records: Mapping[str, Record]) -> dict[str, dict[str, int]]:
    """Return what all submissions in a batch's record cost, for each account; what cannot be read is left out."""
    readable = (record for name in records if (record := records.get(name)) is not None)
    return credits_of(cost for record in readable for cost in costs_of(record))


def summary(uri: str, items: Iterable[tuple[str, ItemStatus, str]], costs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what the task returns: under 16 KB for any number of items.

    ``estimated`` is, by account, the part of ``charged`` that is a price, because the vendor does not tell it.

    :param uri: of the results.
    :param items: the key, the status and the reason of each item.
    :param costs: of :func:`credits_of`.
    """
    counts: Counter[str] = Counter({str(one): 0 for one in ItemStatus})
    failures: list[dict[str, Any]] = []
    room = _FAILURES
    for key, status, why in items:
        counts[str(status)] += 1
        if status not in {*WITH_RESULT, *NOT_COUNTED} and len(failures) < SHOWN:
            failure = {"key": key, "status": str(status), "reason": why.split("\n")[0][:_REASON]}
            room -= len(json.dumps(failure))
            if room > 0:
                failures.append(failure)
    return {
        "schema": SCHEMA,
        "results": uri,
        "items": counts.total(),
        "counts": dict(counts),
        "credits": {name: {one: sums[one] for one in _PROMISED} for name, sums in costs.items()},
        "estimated": {name: sums["estimated"] for name, sums in costs.items() if sums["estimated"]},
        "failures": failures,
    }
