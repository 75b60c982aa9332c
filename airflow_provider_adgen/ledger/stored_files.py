# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What object storage says of many stored files: whether they are there, how large they are, and their ETags."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Answer = TypeVar("Answer")

THREADS = 32
"""Requests to object storage at a time."""


@dataclass(frozen=True)
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
            yield from pool.map(function, some)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def facts_of(uris: Iterable[str]) -> dict[str, FileFacts | Exception]:
    """
    Return what is known of each file, as it is now.

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
    found |= zip(where, in_parallel(_facts, where.values()), strict=True)
    return found


def _facts(place: tuple[Any, str]) -> FileFacts | Exception:
    fs, path = place
    try:
        info = fs.info(path)
    except Exception as error:
        return error
    if info.get("type") == "directory":
        return FileNotFoundError(path)
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
