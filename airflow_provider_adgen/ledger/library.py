# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A library: a folder in object storage that remembers which creatives were made, so that they are not paid for again.

``<library>/entries/<two digits>/`` holds create-only objects. Their names alone say what they are::

    <identity>-<made at>-<recorded at>-<generation>.json    an entry; of one identity the newest counts
    <identity>-x-<generation>.json                          a tombstone: that generation was rejected

So a look-up lists at most 256 folders, however many identities it is for, and reads only the entries that it needs.
Who may pay for what is not there is settled by :class:`airflow_provider_adgen.ledger.claims.Claims`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.decisions.claims import is_stored
from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.core.identity import CreativeIdentity, creative_identity
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.ledger.library_objects import (
    DIGITS,
    Entry,
    EntryName,
    Held,
    LibraryUnavailable,
    Lookup,
    StoredFiles,
    entry_name,
    read_entry,
    reading,
    tag_of,
    tombstone_name,
    with_files,
)
from airflow_provider_adgen.ledger.objects import create_object, list_objects
from airflow_provider_adgen.ledger.stored_files import FileFacts, answers_in_parallel, facts_of, in_parallel

if TYPE_CHECKING:
    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.ledger.item_records import RecordRef


def library_identity(key: str, request: GenerationRequest, account: Account) -> CreativeIdentity:
    """
    Return the identity of an item's creative at one account.

    It is made of the key, the request in the vendor's names, the vendor and the host. Signatures in the request's URLs
    do not count, the rest of their queries does.
    """
    return creative_identity(key, request.kind, request.body(), account.vendor, account.host)


class Library:
    """
    The entries and tombstones of a library.

    :param path: an object-storage path; it names its connection (``s3://conn_id@bucket/...``).
    :param reuse_max_age: seconds, or a timedelta, after the submission for which a creative is used again; None for
        any time.
    :param clock: time, injected.
    """

    def __init__(self, path: str, *, reuse_max_age: float | timedelta | None = None, clock: Clock = SYSTEM) -> None:
        self._base = path
        self._max_age = reuse_max_age.total_seconds() if isinstance(reuse_max_age, timedelta) else reuse_max_age
        self.clock = clock
        self._opened: tuple[Any, str] | None = None

    @property
    def path(self) -> str:
        """Where it is, as it was given."""
        return self._base

    def open(self) -> tuple[Any, str]:
        """
        Return the file system, and the library's path in it.

        The first call looks up an Airflow connection: make it in the task's own thread.

        :raises LibraryUnavailable: there is no such file system or connection.
        """
        if self._opened is None:
            from airflow.sdk import ObjectStoragePath

            with reading(f"The library {scrub(self._base)}"):
                place = ObjectStoragePath(self._base)
                self._opened = (place.fs, str(place.path).rstrip("/"))
        return self._opened

    def folder(self, part: str, digest: str) -> tuple[Any, str]:
        """
        Return the file system, and the folder of a digest in it.

        :param part: ``entries`` or ``claims``.
        :raises LibraryUnavailable: there is no such file system or connection.
        """
        fs, path = self.open()
        return fs, f"{path}/{part}/{digest[:2]}"

    # --- reading --------------------------------------------------------------------------------------------------

    def lookup(
        self, wanted: Iterable[CreativeIdentity], *, check_files: bool = True, keep_entries: bool = True
    ) -> dict[CreativeIdentity, Lookup]:
        """
        Look up any number of identities. Reads only; trouble with one is told in its own answer.

        :param wanted: the identities.
        :param check_files: read the entries too, and look at their files: one request for each entry, 32 at a time, and
            what :func:`.facts_of` needs. False answers from the names alone, in at most 256 listings. Such answers have
            no entries.
        :param keep_entries: False: the answers have no entries, which are large where there are many.
        :raises LibraryUnavailable: there is no such file system or connection.
        """
        by_digest = {one.digest: one for one in wanted}
        now = self.clock.now()
        found: dict[CreativeIdentity, Lookup] = {}
        newest: dict[CreativeIdentity, EntryName] = {}
        for digest, said in self._held(by_digest):
            one = by_digest[digest]
            if isinstance(said, LibraryUnavailable):
                found[one] = Lookup("unreadable", said.message)
                continue
            found[one] = said.judge(now, self._max_age)
            if check_files and said.newest is not None and found[one].state == "usable":
                newest[one] = said.newest
        entries: dict[CreativeIdentity, Entry | StoredFiles] = {}
        read = self._read if keep_entries else self._read_files
        for one, entry in zip(newest, in_parallel(read, newest.items()), strict=True):
            if isinstance(entry, LibraryUnavailable):
                found[one] = Lookup("unreadable", entry.message, found[one].made_at)
            else:
                entries[one] = entry
        facts = facts_of(uri for entry in entries.values() for uri in entry.files)
        return found | {one: with_files(found[one], entry, facts) for one, entry in entries.items()}

    def has(self, wanted: CreativeIdentity, generation_id: str) -> bool:
        """
        Return whether there is an entry of one generation, usable or not.

        :raises LibraryUnavailable: it could not be found out.
        """
        return tag_of(generation_id) in self._held_of([wanted.digest])[wanted.digest].made

    def rejected(self, made: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """
        Return which generations were rejected.

        :param made: pairs of an identity's digest and a generation's id.
        :raises LibraryUnavailable: it could not be found out.
        """
        pairs = set(made)
        held = self._held_of({digest for digest, _ in pairs})
        return {(digest, one) for digest, one in pairs if tag_of(one) in held[digest].rejected}

    def _held_of(self, digests: Iterable[str]) -> dict[str, Held]:
        found = {}
        for digest, held in self._held(digests):
            if isinstance(held, LibraryUnavailable):
                raise held
            found[digest] = held
        return found

    def _held(self, digests: Iterable[str]) -> Iterator[tuple[str, Held | LibraryUnavailable]]:
        """Yield what the names say of each identity; one listing for each folder."""
        shards: dict[str, list[str]] = {}
        for digest in digests:
            shards.setdefault(digest[:2], []).append(digest)
        self.open()  # in this thread
        for some in answers_in_parallel(self._listed, shards.values()):
            yield from some.items()

    def _listed(self, digests: list[str]) -> dict[str, Held | LibraryUnavailable]:
        """Return what the names in one folder say."""
        fs, folder = self.folder("entries", digests[0])
        paths: dict[str, list[str]] = {digest: [] for digest in digests}
        try:
            with reading(f"The library {scrub(self._base)}"):
                for path in list_objects(fs, folder):
                    start = path.rfind("/") + 1
                    mine = paths.get(path[start : start + DIGITS])
                    if mine is not None:
                        mine.append(path)
        except LibraryUnavailable as error:
            return dict.fromkeys(digests, error)
        return {digest: Held.of(mine) for digest, mine in paths.items()}

    def _read(self, item: tuple[CreativeIdentity, EntryName]) -> Entry | LibraryUnavailable:
        wanted, name = item
        fs, _ = self.folder("entries", wanted.digest)
        try:
            with reading(f"Library object {name.path}"):
                text = fs.cat_file(name.path)
            return read_entry(text, wanted.digest, name)
        except LibraryUnavailable as error:
            return error

    def _read_files(self, item: tuple[CreativeIdentity, EntryName]) -> StoredFiles | LibraryUnavailable:
        entry = self._read(item)
        return entry if isinstance(entry, LibraryUnavailable) else StoredFiles(entry.files, entry.etags)

    # --- writing --------------------------------------------------------------------------------------------------

    def add(
        self,
        wanted: CreativeIdentity,
        generation: Mapping[str, Any],
        *,
        conn_id: str,
        made_at: float,
        paid_by: RecordRef | None = None,
    ) -> Entry:
        """
        Remember a generation that is stored, once its files have been looked at. It costs nothing and may be repeated.

        Call it when the files are stored, before the record says *done*, and give up the claim only after that.

        :param wanted: its identity.
        :param generation: the generation as in XCom.
        :param conn_id: the Airflow connection that paid.
        :param made_at: Unix time of the submission, the same on every try.
        :param paid_by: the record that paid.
        :raises DownloadError: a file is not stored, or is not there any more; a retry stores it and costs nothing.
        :raises LibraryUnavailable: the library could not be written, or a file not be looked at.
        """
        label = f"{generation.get('vendor')} job {generation.get('id')}"
        kept = {
            **generation,
            "creatives": [{**one, "url": None, "expires_at": None} for one in generation.get("creatives") or []],
        }
        if not is_stored(kept):
            raise DownloadError(f"{label} has no stored result that could be used again. A retry costs nothing.")
        entry = Entry(
            identity=wanted.digest,
            key=wanted.key,
            vendor=wanted.vendor,
            host=wanted.host,
            conn_id=conn_id,
            made_at=made_at,
            recorded_at=self.clock.now(),
            paid_by=paid_by.to_json() if paid_by is not None else None,
            generation=kept,
        )
        facts = facts_of(entry.files)
        checked = with_files(Lookup("usable"), entry, facts)
        if not checked.usable:
            raise DownloadError(f"{label} is not remembered: {checked.why}. It is paid for; a retry stores it again.")
        entry.etags = {uri: one.etag for uri, one in facts.items() if isinstance(one, FileFacts) and one.etag}
        self._create(wanted.digest, entry_name(entry), entry.model_dump(mode="json"))
        return entry

    def reject(self, digest: str, generation_id: str, *, by: str = "", why: str = "") -> None:
        """
        Write a tombstone: this generation is not used again. The next run that wants its identity pays for a new one.

        :param digest: the identity's digest.
        :param generation_id: the vendor's job id.
        :param by: who rejected it.
        :param why: the reason.
        :raises LibraryUnavailable: it could not be written.
        """
        stone = {
            "v": 1,
            "identity": digest,
            "generation_id": generation_id,
            "at": self.clock.now(),
            "by": by,
            "why": why,
        }
        self._create(digest, tombstone_name(digest, generation_id), stone)

    def _create(self, digest: str, name: str, value: dict[str, Any]) -> None:
        fs, folder = self.folder("entries", digest)
        with reading(f"The library {scrub(self._base)}", "written"):
            create_object(fs, folder, name, json.dumps(value, separators=(",", ":")).encode())
