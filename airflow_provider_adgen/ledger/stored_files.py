# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What object storage says of many stored files: whether they are there, how large they are, and their ETags."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.ledger.objects import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")

THREADS = 32
"""Requests to object storage at a time."""

MANY = 1000
"""Files from which on it takes fewer requests to list the folder that they are in: stores list so many in one."""

_DENSE, _WAITING = 20, 4096


@dataclass(frozen=True, slots=True)
class FileFacts:
    """
    One stored file.

    :param size: bytes; None where the file system does not tell.
    :param etag: the object store's own word for this content (a checksum, else the ETag); None where it has none.
    """

    size: int | None
    etag: str | None = None


def in_parallel(function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """
    Return what *function* answers for each of *items*, in their order; several at a time.

    :raises Exception: the first error of *function*; what has not begun by then is left out.
    """
    return list(answers_in_parallel(function, items))


def answers_in_parallel(function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """Yield the same, for who need not keep all answers."""
    some = list(items)
    if len(some) < 2:
        yield from map(function, some)
        return
    with ThreadPoolExecutor(min(THREADS, len(some)), thread_name_prefix="adgen-library") as pool:
        try:
            # What waits for a thread needs more memory than its answer.
            for start in range(0, len(some), _WAITING):
                yield from pool.map(function, some[start : start + _WAITING])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def facts_of(uris: Iterable[str]) -> dict[str, FileFacts | Exception]:
    """
    Return what is known of each file, as it is now.

    Many files of an object store are looked for in a listing of what is below their folder. What is not in it, and all
    files otherwise, take one request each, 32 at a time: a listing never says that a file is not there.

    :param uris: what ``ObjectStoragePath`` finds them by.
    :return: its facts, or the error: ``FileNotFoundError`` where there is no such file, another one where that could
        not be found out.
    """
    # File systems are found in the caller's thread: this may look up an Airflow connection.
    places, listed = Places(), set()
    found: dict[str, FileFacts | Exception] = {}
    where: dict[str, tuple[Any, str]] = {}
    for uri in dict.fromkeys(uris):
        try:
            fs, path = where[uri] = places.find(uri)
        except Exception as error:  # a missing package or connection, or any error of a file system's constructor
            found[uri] = error
            continue
        folder = path.rpartition("/")[0]
        if (fs, folder) not in listed:
            listed.add((fs, folder))
            fs.invalidate_cache(folder)  # another process may have removed or replaced files of it
    found |= _listed(where)
    asked = {uri: place for uri, place in where.items() if uri not in found}
    found |= zip(asked, in_parallel(_facts, asked.values()), strict=True)
    return found


def _listed(where: dict[str, tuple[Any, str]]) -> dict[str, FileFacts]:
    """Return what listings tell of files, for those of which there are many in one place."""
    by_store: dict[Any, dict[str, str]] = {}
    for uri, (fs, path) in where.items():
        if not is_local(fs):  # a disk tells of one file faster than of a folder
            by_store.setdefault(fs, {})[str(fs._strip_protocol(path))] = uri
    found: dict[str, FileFacts] = {}
    for fs, uris in by_store.items():
        for folder in _folders([path.split("/") for path in uris]):
            fs.invalidate_cache()
            try:
                below = fs.find(folder, detail=True)
            except Exception as error:  # whatever is the matter, each file is asked for then, and tells it
                log.info("A folder of %d files cannot be listed: %s", len(uris), reason(error))
                continue
            found |= {uris[path]: _facts_in(info) for path, info in below.items() if path in uris}
            fs.invalidate_cache()  # it may have kept the listing, which is large
    return found


def _folders(paths: Sequence[list[str]]) -> Iterator[str]:
    """Yield folders below which many of these files are, and few others in between."""
    if len(paths) < MANY:
        return
    depth = 0
    while len({path[depth] for path in paths}) == 1 and all(len(path) > depth + 1 for path in paths):
        depth += 1
    children: dict[str, list[list[str]]] = {}
    for path in paths:
        children.setdefault(path[depth], []).append(path)
    if len(paths) < _DENSE * len(children):
        yield "/".join(paths[0][:depth])
        return
    for some in children.values():  # for example the runs of a campaign
        yield from _folders(some)


def _facts(place: tuple[Any, str]) -> FileFacts | Exception:
    fs, path = place
    try:
        info = fs.info(path)
    except Exception as error:
        return error
    if info.get("type") == "directory":
        return FileNotFoundError(path)
    return _facts_in(info)


def _facts_in(info: dict[str, Any]) -> FileFacts:
    # An ETag in small letters changes with an object's metadata, too: a checksum is better.
    etag = next((info[name] for name in ("ETag", "md5Hash", "crc32c", "etag") if info.get(name)), None)
    return FileFacts(info.get("size"), str(etag).strip('"') if etag else None)


class Places:
    """Finds the file systems of many paths, with one look-up for each bucket."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, str]] = {}

    def find(self, uri: str) -> tuple[Any, str]:
        """Return the file system of *uri*, and its path there; may look up an Airflow connection, and block."""
        scheme, mark, rest = uri.partition("://")
        authority, slash, below = rest.partition("/")
        root, below = f"{scheme}{mark}{authority}", f"{slash}{below}"
        if mark and root in self._known:
            fs, prefix = self._known[root]
            return fs, f"{prefix}{below}"
        from airflow.sdk import ObjectStoragePath

        place = ObjectStoragePath(uri)
        fs, path = place.fs, str(place.path)
        if mark and path.endswith(below):
            self._known[root] = (fs, path.removesuffix(below))
        return fs, path
