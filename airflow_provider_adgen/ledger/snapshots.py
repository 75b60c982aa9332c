# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Snapshots of a batch's record: one line for each item, and a last line without which they do not count.

A line holds the names of the objects that it includes, what they say together, and what its writer made of that. Its
parts are kept as they are, as JSON text, and read when they are needed: most items of a large batch are over, and
nothing is done about them any more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.ledger.objects import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_adgen.core.record import Record

SCHEMA = 2
_TAB = b"\t"
"""Stands in no JSON text."""


@dataclass(slots=True)
class Kept:
    """
    What is known of an item's folder.

    :param names: its objects.
    :param record: what they say together, as JSON text.
    :param mark: what the writer of a snapshot made of that; empty for nothing.
    """

    names: tuple[str, ...]
    record: bytes
    mark: bytes = b""


def packed(value: Any) -> bytes:
    """Return a JSON value as one short line."""
    return json.dumps(value, separators=(",", ":")).encode()


def keep(names: Iterable[str], record: Record) -> Kept:
    """Return what is kept of a record, and of the objects that it was read from."""
    return Kept(tuple(sorted(names)), packed(record.to_json()))


def snapshot_lines(items: Iterable[tuple[str, Kept]], notes: Mapping[str, Any]) -> Iterator[bytes]:
    """
    Yield the lines of a snapshot.

    :param items: what is known of each item's folder.
    :param notes: JSON for the reader.
    """
    count = 0
    for folder, kept in items:
        count += 1
        yield _TAB.join((packed([folder, kept.names]), kept.record, kept.mark)) + b"\n"
    yield packed({"schema": SCHEMA, "items": count, "notes": notes}) + b"\n"


def read_snapshot(fs: Any, path: str) -> tuple[dict[str, Kept], dict[str, Any]]:
    """
    Return what a snapshot holds: what is known of each item's folder, and the notes.

    :raises ValueError: it is something else, or its end is missing.
    """
    items: dict[str, Kept] = {}
    end: dict[str, Any] | None = None
    for line in read_lines(fs, path):
        if end is not None:
            raise ValueError("there is something after its end")
        head, *parts = line.split(_TAB)
        if parts:
            folder, names = json.loads(head)
            record, mark = parts
            items[folder] = Kept(tuple(names), record, mark)
        else:
            end = dict(json.loads(head))
    if end is None or end.get("schema") != SCHEMA or end.get("items") != len(items):
        raise ValueError("its end is missing")
    return items, dict(end["notes"])
