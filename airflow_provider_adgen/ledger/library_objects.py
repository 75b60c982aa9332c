# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The objects of a library: what their names say, what is in them, and what a look-up answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_adgen.core.decisions.claims import is_stored
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.scrub import reason

if TYPE_CHECKING:
    from airflow_provider_adgen.ledger.stored_files import FileFacts

State = Literal["usable", "absent", "too old", "rejected", "files gone", "unreadable"]

_NAME = re.compile(r"[0-9a-f]{64}-(?:(\d{14})-(\d{14})-|x-)([0-9a-f]{16})\.json")

DIGITS = 64
"""Characters of an identity at the beginning of a name."""


class LibraryUnavailable(AdGenError):
    """
    A part of the library, or a file that it names, cannot be read or written. It never counts as "not there".

    Nothing was sent. A retry helps when the storage is available again, and costs nothing.
    """


class Entry(BaseModel):
    """
    One creative that was made and stored.

    :param v: version of this shape.
    :param identity: its identity's digest.
    :param key: the item's key.
    :param vendor: the vendor's name.
    :param host: the host of its API.
    :param conn_id: the Airflow connection that paid.
    :param made_at: Unix time of the submission.
    :param recorded_at: Unix time of this entry.
    :param paid_by: the record that paid; None where it is not known.
    :param generation: the generation as in XCom, without links.
    :param etags: by file, the ETag where the storage tells one.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    v: Literal[1] = 1
    identity: str
    key: str
    vendor: str
    host: str
    conn_id: str
    made_at: float
    recorded_at: float
    paid_by: dict[str, Any] | None = None
    generation: dict[str, Any]
    etags: dict[str, str] = Field(default_factory=dict)

    @property
    def files(self) -> dict[str, int | None]:
        """Its files, and their sizes in bytes."""
        return {one["uri"]: one.get("size") for one in self.generation.get("creatives") or []}


class StoredFiles(NamedTuple):
    """
    What is needed of an entry to look at its files.

    :param files: their sizes in bytes.
    :param etags: by file, the ETag where the storage tells one.
    """

    files: dict[str, int | None]
    etags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Lookup:
    """
    What the library says of one identity.

    :param state: ``usable``, or why there is nothing to use.
    :param why: the same as a sentence, where there is more to say.
    :param made_at: Unix time of the newest entry's submission; None where there is no entry.
    :param stored: the newest entry as it was read, usable or not.
    """

    state: State
    why: str = ""
    made_at: float | None = None
    stored: Entry | None = field(default=None, repr=False)

    @property
    def usable(self) -> bool:
        """
        Whether there is a creative to use again.

        :raises LibraryUnavailable: it could not be found out.
        """
        if self.state == "unreadable":
            raise LibraryUnavailable(self.why)
        return self.state == "usable"

    @property
    def entry(self) -> Entry | None:
        """
        The entry to use again; None where there is none, or only names were looked at.

        :raises LibraryUnavailable: it could not be found out.
        """
        return self.stored if self.usable else None


class EntryName(NamedTuple):
    """What an entry's name says; the later one of two is the greater one."""

    made_at: float
    recorded_at: float
    tag: str
    path: str


@dataclass(frozen=True, slots=True)
class Held:
    """
    What the names in a library say of one identity.

    :param newest: the entry that counts.
    :param made: the tags of all generations that have an entry.
    :param rejected: the tags of those that were rejected.
    :param strange: an object whose name this version does not know.
    """

    newest: EntryName | None = None
    made: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()
    strange: str | None = None

    @classmethod
    def of(cls, paths: Iterable[str]) -> Held:
        """Read the names of all objects of one identity."""
        entries, rejected, strange = [], set(), None
        for path in paths:
            match = _NAME.fullmatch(path, path.rfind("/") + 1)
            if match is None:
                strange = path
            elif match[1] is None:
                rejected.add(match[3])
            else:
                entries.append(EntryName(int(match[1]) / 1000, int(match[2]) / 1000, match[3], path))
        made = frozenset(one.tag for one in entries)
        return cls(max(entries, default=None), made, frozenset(rejected), strange)

    def judge(self, now: float, max_age: float | None) -> Lookup:
        """
        Return what there is to use again, before its files are looked at.

        :param now: Unix time.
        :param max_age: seconds after the submission for which it may be used; None for any time.
        """
        if self.strange is not None:
            return Lookup("unreadable", cannot_read(self.strange, "its name is not one that this version writes"))
        if self.newest is None:
            return Lookup("absent")
        age = now - self.newest.made_at
        if self.newest.tag in self.rejected:
            return Lookup("rejected", "a person rejected it", self.newest.made_at)
        if max_age is not None and age > max_age:
            return Lookup("too old", f"it was made {age:.0f} s ago", self.newest.made_at)
        return Lookup("usable", "", self.newest.made_at)


def tag_of(generation_id: Any) -> str:
    """Return what stands for a generation in a name."""
    return hashlib.sha256(str(generation_id).encode()).hexdigest()[:16]


def entry_name(entry: Entry) -> str:
    """Return the name of an entry's object."""
    times = f"{int(entry.made_at * 1000):014d}-{int(entry.recorded_at * 1000):014d}"
    return f"{entry.identity}-{times}-{tag_of(entry.generation.get('id'))}.json"


def tombstone_name(digest: str, generation_id: str) -> str:
    """Return the name of a rejected generation's tombstone."""
    return f"{digest}-x-{tag_of(generation_id)}.json"


def read_entry(text: bytes, digest: str, name: EntryName) -> Entry:
    """
    Read an entry's object.

    :param text: what is in it.
    :param digest: the identity that it should be about.
    :param name: what its name says.
    :raises LibraryUnavailable: it is something else.
    """
    try:
        entry = Entry.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its text"
        raise LibraryUnavailable(cannot_read(name.path, f"{where}: {first['msg']}")) from None
    if entry.identity != digest or tag_of(entry.generation.get("id")) != name.tag:
        raise LibraryUnavailable(cannot_read(name.path, "it is about something else than its name says"))
    if not is_stored(entry.generation):
        raise LibraryUnavailable(cannot_read(name.path, "it names no stored result"))
    return entry


def with_files(found: Lookup, entry: Entry | StoredFiles, facts: Mapping[str, FileFacts | Exception]) -> Lookup:
    """Return *found*, with its entry where all of it is given, as what the files say that it is."""
    if isinstance(entry, Entry):
        found = replace(found, stored=entry)
    for uri, size in entry.files.items():
        told = facts[uri]
        if isinstance(told, FileNotFoundError):
            return replace(found, state="files gone", why=f"{uri} is not there")
        if isinstance(told, Exception):
            return replace(found, state="unreadable", why=_unavailable(uri, "read", told))
        etag = entry.etags.get(uri)
        other_size = size is not None and told.size is not None and told.size != size
        other_etag = etag is not None and told.etag is not None and told.etag != etag
        if other_size or other_etag:
            return replace(found, state="files gone", why=f"{uri} is not the file that was stored")
    return found


@contextmanager
def reading(what: str, done: str = "read") -> Iterator[None]:
    """Turn every error of a storage into :class:`LibraryUnavailable`."""
    try:
        yield
    except Exception as error:
        raise LibraryUnavailable(_unavailable(what, done, error)) from None


def _unavailable(what: str, done: str, error: Exception) -> str:
    return (
        f"{what} could not be {done} ({reason(error)}). Nothing was sent for this creative, which may be paid for "
        "already. Check the path and the Airflow connection it names, and retry when the storage is available."
    )


def cannot_read(path: str, why: str) -> str:
    """Return the message for an object whose meaning is not known."""
    return (
        f"Library object {path} cannot be understood ({why}). Nothing was sent for this creative, which may be paid "
        "for already. Repair or remove that object, then retry."
    )
