# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Claims on creatives that several runs want at once, so that one of them pays.

``<library>/claims/<two digits>/`` holds create-only objects::

    <identity>-<claimed at>-<record>-<claim>.json    a claim, naming the record that is going to pay
    <identity>-<claimed at>-<record>-<claim>.void    nothing will come of it

A store of objects cannot compare and swap. It can list what was written. So everybody first writes, then reads what the
others wrote: of any two, at least one sees the other.

- Two that claim at once: each writes its claim, then lists the claims. Who sees another one withdraws.
- One that claims, and one that has just made it: the entry is written before the claim is withdrawn, and the claims are
  listed before the entries.
- One that finds a claim void, and its process that comes back to life: the one writes *void*, then reads the record
  once more; the other writes its intent, then looks for *void* (:meth:`Claims.stands`).

A claim is for one submission. It is withdrawn by whoever has to wait, and whoever was refused. It stays while a job is
under way or its outcome is not known, and it is released when the entry and *done* are written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_adgen.core.decisions.claims import ClaimedWork, Standing, claim_pause, judge_claim
from airflow_provider_adgen.core.errors import AdGenError, DownloadError
from airflow_provider_adgen.ledger.commands import command
from airflow_provider_adgen.ledger.item_records import RecordRef
from airflow_provider_adgen.ledger.library_objects import LibraryUnavailable, cannot_read, reading
from airflow_provider_adgen.ledger.objects import create_object, list_objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.identity import CreativeIdentity
    from airflow_provider_adgen.ledger.library import Library
    from airflow_provider_adgen.ledger.library_objects import Entry

log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{64}-(?P<at>\d{14})-(?P<record>[0-9a-f]{16})-(?P<uid>[0-9a-f]{32})\.json")
_VOID = ".void"


class ClaimUnknown(AdGenError):
    """
    Another run may have paid for this creative, and nobody knows whether its submission was accepted.

    Nothing was sent. A retry helps once a person has resolved that submission; it costs nothing before.
    """


@dataclass(frozen=True)
class Claim:
    """
    The right to submit one creative, once.

    :param wanted: its identity.
    :param uid: the claim's id; the attempt that is submitted under it says it (``Attempt.claim``).
    :param name: its object.
    :param swept: objects of claims that it found void.
    """

    wanted: CreativeIdentity
    uid: str
    name: str
    swept: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClaimedElsewhere:
    """
    Another run has, or may have, the right to submit it: nothing is held here meanwhile.

    :param seconds: after which to ask again, with jitter.
    :param why: a sentence for the log.
    """

    seconds: float
    why: str


@dataclass(frozen=True)
class _Other:
    """Another record's claim, as its name and its text say."""

    name: str
    uid: str
    claimed_at: float
    given_up: bool
    record: RecordRef


class Claims:
    """
    Claims in a library.

    :param library: the library.
    :param work_of: says what a record says of the submissions under a claim, by the record and the claim's id; usually
        :class:`airflow_provider_adgen.ledger.item_records.LedgerRecords`. What it raises stops the item.
    :param rng: jitter, injected.
    """

    def __init__(
        self,
        library: Library,
        work_of: Callable[[RecordRef, str], ClaimedWork],
        *,
        rng: random.Random | None = None,
    ) -> None:
        self._library = library
        self._work_of = work_of
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret

    def claim(self, wanted: CreativeIdentity, record: RecordRef) -> Claim | Entry | ClaimedElsewhere:
        """
        Claim a creative before its intent is written. It costs nothing and may be repeated.

        :param wanted: its identity, for which a look-up has found nothing to use.
        :param record: the record that is going to pay.
        :return: the claim; or the entry, where another run has made it meanwhile; or that another run has claimed it.
        :raises ClaimUnknown: another run's submission of it is unknown.
        :raises LibraryUnavailable: the library cannot be read or written.
        :raises RecordUnreadable: another run's record cannot be read.
        """
        found = self._others(wanted, record)
        if not isinstance(found, tuple):
            return found
        mine = self._write(wanted, record)
        try:
            found = self._others(wanted, record, settle=True)
            if isinstance(found, tuple):
                made = self._made(wanted)
                if made is None:
                    return Claim(wanted, mine.uid, mine.name, found)
                found = made
        except BaseException:
            self.withdraw(mine)
            raise
        self.withdraw(mine)
        return found

    def stands(self, claim: Claim) -> bool:
        """
        Return whether a claim is still this run's, once its intent is written and before it is posted.

        It is not if this process was so slow, or its clock so far off, that another run has taken it for dead. Then
        withdraw the intent, then the claim, and claim again.

        :raises LibraryUnavailable: it could not be found out: withdraw the intent, too.
        """
        names = self._listed(claim.wanted)
        return claim.name in names and _void(claim.name) not in names

    def withdraw(self, claim: Claim) -> None:
        """
        Give a claim up, and remove those that it found void. It raises nothing.

        Call it only where nothing is under way under the claim, and its intent, if there was one, is withdrawn: whoever
        waits for anything holds no claim.
        """
        self._remove(claim.wanted, claim.name)
        for name in claim.swept:
            self._remove(claim.wanted, name, marked=True)

    def release(self, wanted: CreativeIdentity, record: RecordRef) -> None:
        """
        Give up all claims of one record on a creative, also those of its earlier tries; it raises nothing.

        Call it when the entry is in the library and the record says *done*; or when the record says that the job ended
        without a result.
        """
        try:
            names = self._listed(wanted)
        except LibraryUnavailable as error:
            log.warning("%s The claim on %s stays; it stops nobody, because its job is over.", error, wanted.key)
            return
        for name in sorted(names):
            parts = _NAME.fullmatch(name)
            if parts is not None and parts["record"] == _record_tag(record):
                self._remove(wanted, name, marked=_void(name) in names)

    # --- what others have claimed ---------------------------------------------------------------------------------

    def _others(
        self, wanted: CreativeIdentity, record: RecordRef, *, settle: bool = False
    ) -> tuple[str, ...] | Entry | ClaimedElsewhere:
        """
        Return what stands in the way, or the objects of the claims that are void.

        :param settle: this run's own claim is written: what is void is marked as such, then looked at again.
        """
        void: list[str] = []
        for other in self._read(wanted, record):
            work = self._work_of(other.record, other.uid)
            standing = self._judge(other, work)
            if standing == Standing.VOID and settle and not other.given_up:
                self._mark(wanted, other.name)
                work = self._work_of(other.record, other.uid)
                standing = self._judge(other, work, given_up=True)
            match standing:
                case Standing.VOID:
                    void.append(other.name)
                case Standing.HOLDS:
                    return self._elsewhere(wanted, other, work)
                case Standing.MADE:
                    made = self._adopted(wanted, other, work)
                    if made is not None:
                        return made
                    void.append(other.name)  # it cannot be used any more
                case Standing.UNKNOWN:
                    made = self._made(wanted)
                    if made is None:
                        raise _unknown(wanted, other)
                    return made
        return tuple(void)

    def _judge(self, other: _Other, work: ClaimedWork, *, given_up: bool = False) -> Standing:
        now = self._library.clock.now()
        return judge_claim(work, claimed_at=other.claimed_at, now=now, given_up=given_up or other.given_up)

    def _elsewhere(self, wanted: CreativeIdentity, other: _Other, work: ClaimedWork) -> ClaimedElsewhere:
        does = {"submitted": "waits for its job", "intent": "is submitting it"}.get(work.state, "is about to submit it")
        why = f"{wanted.key} is not submitted here: {other.record} {does}."
        return ClaimedElsewhere(claim_pause(work, self._rng), why)

    def _made(self, wanted: CreativeIdentity) -> Entry | None:
        return self._library.lookup([wanted])[wanted].entry

    def _adopted(self, wanted: CreativeIdentity, other: _Other, work: ClaimedWork) -> Entry | None:
        """Return what another run has delivered; its entry is written here if its process died before it could."""
        result = work.result or {}
        if not self._library.has(wanted, str(result.get("id"))):
            try:
                self._library.add(wanted, result, conn_id=work.conn_id, made_at=work.made_at, paid_by=other.record)
            except DownloadError as error:
                log.warning("%s made %s. %s", other.record, wanted.key, error)
        return self._made(wanted)

    # --- objects --------------------------------------------------------------------------------------------------

    def _listed(self, wanted: CreativeIdentity) -> set[str]:
        fs, folder = self._library.folder("claims", wanted.digest)
        with reading("The claims of the library"):
            names = (path.rpartition("/")[2] for path in list_objects(fs, folder))
        return {name for name in names if name.startswith(wanted.digest)}

    def _read(self, wanted: CreativeIdentity, record: RecordRef) -> list[_Other]:
        """Return the claims of other records, in the order of their names."""
        names, mine = self._listed(wanted), _record_tag(record)
        fs, folder = self._library.folder("claims", wanted.digest)
        found = []
        for name in sorted(names):
            if name.endswith(_VOID):
                continue
            path, parts = f"{folder}/{name}", _NAME.fullmatch(name)
            if parts is None:
                raise LibraryUnavailable(cannot_read(path, "its name is not one that this version writes"))
            if parts["record"] == mine:
                continue
            with reading(f"Library object {path}"):
                try:
                    text = fs.cat_file(path)
                except FileNotFoundError:
                    continue  # it was withdrawn meanwhile
            try:
                by = RecordRef.from_json(json.loads(text)["record"])
            except (ValueError, KeyError, TypeError) as error:
                raise LibraryUnavailable(cannot_read(path, type(error).__name__)) from None
            found.append(_Other(name, parts["uid"], int(parts["at"]) / 1000, _void(name) in names, by))
        return found

    def _write(self, wanted: CreativeIdentity, record: RecordRef) -> Claim:
        fs, folder = self._library.folder("claims", wanted.digest)
        uid, now = uuid.uuid4().hex, self._library.clock.now()
        name = f"{wanted.digest}-{int(now * 1000):014d}-{_record_tag(record)}-{uid}.json"
        value: dict[str, Any] = {"v": 1, "key": wanted.key, "claimed_at": now, "record": record.to_json()}
        with reading("A claim in the library", "written"):
            create_object(fs, folder, name, json.dumps(value, separators=(",", ":")).encode())
        return Claim(wanted, uid, name)

    def _mark(self, wanted: CreativeIdentity, name: str) -> None:
        fs, folder = self._library.folder("claims", wanted.digest)
        with reading("A claim in the library", "written"):
            create_object(fs, folder, _void(name), b"{}")

    def _remove(self, wanted: CreativeIdentity, name: str, *, marked: bool = False) -> None:
        fs, folder = self._library.folder("claims", wanted.digest)
        try:
            with suppress(FileNotFoundError):
                fs.rm_file(f"{folder}/{name}")
            if marked:  # the claim first: without its mark it would stand again
                with suppress(FileNotFoundError):
                    fs.rm_file(f"{folder}/{_void(name)}")
        except Exception as error:  # deleting may not be allowed; an object that says the same will do
            log.debug("A claim could not be removed (%s).", type(error).__name__)
            if not marked:
                self._mark_instead(wanted, name)

    def _mark_instead(self, wanted: CreativeIdentity, name: str) -> None:
        try:
            self._mark(wanted, name)
        except LibraryUnavailable as error:
            log.warning("%s The claim on %s stays until its age makes it void.", error, wanted.key)


def _void(name: str) -> str:
    return f"{name.removesuffix('.json')}{_VOID}"


def _record_tag(record: RecordRef) -> str:
    return hashlib.sha256(json.dumps(record.to_json(), sort_keys=True).encode()).hexdigest()[:16]


def _unknown(wanted: CreativeIdentity, other: _Other) -> ClaimUnknown:
    since = pendulum.from_timestamp(other.claimed_at).isoformat(timespec="seconds")
    task = replace(other.record.task, item=other.record.item)
    return ClaimUnknown(
        f"{wanted.key} may have been paid for at {wanted.vendor} by {other.record}, which claimed it at {since}. "
        "Nobody knows whether its submission was accepted. Nothing was sent from here. Resolve that submission "
        f"({command('show', task)}), then retry."
    )
