# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Reads many records under ``ledger_path`` at once: all of them, or those of one task and of the items of its batch."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fsspec.asyn import AsyncFileSystem  # type: ignore[import-untyped]  # it has no types

from airflow_provider_adgen.core.record import Record, RecordUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SPEND = "_spend"
"""The folder of the reservations, which are no records."""

HOOKS = "_hooks"
"""The folder of what hooks submitted outside of the operators, by day."""

_THREADS = 32
_LISTINGS = 5
_FINAL = ("submitted", "done")


@dataclass
class Records:
    """
    Records by the folder that they are in.

    :param found: the records, by the parts of their folder's path below ``ledger_path``.
    :param broken: the objects that could not be read as records.
    """

    found: dict[tuple[str, ...], Record] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def storage(base: str, parts: Sequence[str] = ()) -> tuple[Any, str]:
    """
    Return the file system of an object-storage path, and the path of a folder in it.

    :param base: the path; it names its connection.
    :param parts: the folder below it.
    """
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(base)
    for part in parts:
        folder = folder / part
    return folder.fs, str(folder.path)


def children(fs: Any, folder: str) -> list[dict[str, Any]]:
    """
    List a folder, each entry with its ``name`` and ``type``; nothing where there is no such folder.

    Errors are raised: a folder that cannot be read is not an empty one.
    """
    try:
        found: list[dict[str, Any]] = fs.ls(folder, detail=True)
    except FileNotFoundError:
        return []
    if any(one["name"].rstrip("/") == folder.rstrip("/") and one["type"] == "file" for one in found):
        raise NotADirectoryError(folder)
    return [one for one in found if one["name"].rstrip("/") != folder.rstrip("/")]


def names_in(fs: Any, folder: str) -> list[str]:
    """Return the names of what is in a folder, without its path; see :func:`children`."""
    try:
        found: list[str] = fs.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    if folder.rstrip("/") in found and fs.isfile(folder):
        raise NotADirectoryError(folder)
    names = (name.rstrip("/").rpartition("/")[2] for name in found if name.rstrip("/") != folder.rstrip("/"))
    return [name for name in names if name]


def read_records(base: str, parts: Sequence[str] = (), *, since: float | None = None) -> Records:
    """
    Read all records in a folder and below it.

    :param base: ``ledger_path``.
    :param parts: the folder below it; none for the whole ledger, without the reservations.
    :param since: leave out attempts that were intended before this Unix time.
    :raises OSError: the storage cannot be listed or read; or another error of its file system.
    """
    fs, folder = storage(base, parts)
    root = storage(base)[1].rstrip("/")
    for left in reversed(range(_LISTINGS)):
        fs.invalidate_cache()  # another process may have written since this one listed it
        names = _needed(_files(fs, folder, skip=f"{root}/{SPEND}"), since)
        try:
            with ThreadPoolExecutor(_THREADS) as threads:
                texts = list(threads.map(fs.cat_file, names))
        except FileNotFoundError:
            # A process has replaced a refused attempt between the listing and the reading.
            if not left:
                raise
        else:
            return _parsed(zip((name.removeprefix(root).strip("/") for name in names), texts, strict=True))
    return Records()


def _parsed(texts: Iterable[tuple[str, bytes]]) -> Records:
    result = Records()
    pieces: dict[tuple[str, ...], list[Record]] = {}
    for name, text in texts:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        try:
            piece = Record.from_json(value, where=name)
        except RecordUnreadable:
            result.broken.append(name)
            continue
        pieces.setdefault(tuple(name.split("/")[:-1]), []).append(piece)
    result.found = {parts: Record.merged(found) for parts, found in pieces.items()}
    return result


def _files(fs: Any, folder: str, *, skip: str) -> list[str]:
    """Return the names of all records' objects in a folder and below it."""
    found, waiting = [], [folder]
    # An object store lists everything below a name in few requests; others list one folder after the other.
    flat = isinstance(fs, AsyncFileSystem) and type(fs)._find is not AsyncFileSystem._find
    while waiting:
        here = waiting.pop()
        for entry in children(fs, here):
            name = entry["name"].rstrip("/")
            if entry["type"] != "directory":
                found.append(name)
            elif name == skip:
                continue
            elif flat:
                found += fs.find(name)
            else:
                waiting.append(name)
    return sorted(name for name in found if name.endswith(".json"))


def _needed(names: list[str], since: float | None) -> list[str]:
    """Leave out the objects that say nothing beside others: earlier phases of an attempt that has a job."""
    keyed = [(name, _attempt_of(name)) for name in names]
    final: dict[tuple[str, str], str] = {}
    for name, attempt in keyed:
        if attempt is not None and attempt[2] in _FINAL:
            key = (name.rpartition("/")[0], attempt[1])
            final[key] = max(final.get(key, ""), attempt[2], key=lambda phase: ("", *_FINAL).index(phase))
    return [
        name
        for name, attempt in keyed
        if attempt is None
        or (
            final.get((name.rpartition("/")[0], attempt[1])) in {None, attempt[2]}
            and (since is None or attempt[0] >= since)
        )
    ]


def _attempt_of(name: str) -> tuple[float, str, str] | None:
    """Return time, id and phase of an attempt from an object's name; None where it is named otherwise."""
    words = name.rpartition("/")[2].removesuffix(".json").split("-")
    try:
        return (float(words[0]), words[1], words[2]) if len(words) == 4 else None
    except ValueError:
        return None
