# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch takes from its library, claims there before it pays, and puts into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.ledger.claims import Claim, ClaimedElsewhere, Claims
from airflow_provider_adgen.ledger.item_records import LedgerRecords, RecordRef
from airflow_provider_adgen.ledger.library import Library, library_identity
from airflow_provider_adgen.lifecycle.batch.items import trouble
from airflow_provider_adgen.lifecycle.legs import SubmitLater

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.core.identity import CreativeIdentity
    from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice
    from airflow_provider_adgen.lifecycle.batch.opening import Opening
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class MadeElsewhere(AdGenError):
    """
    Another run has made the creative meanwhile: nothing is paid for here.

    :param generation: the generation as in XCom.
    """

    def __init__(self, generation: dict[str, Any]) -> None:
        super().__init__("Another run has made it meanwhile. Nothing was sent.")
        self.generation = generation


class Reuse:
    """
    The library of one batch.

    :param path: the library's path.
    :param ledger_path: ``[adgen] ledger_path``, where the records of all runs are.
    :param max_age: seconds after which a creative is not used again; None for never.
    :param fresh: the task was cleared in order to pay anew: nothing is looked up and nothing is claimed.
    :param opening: accounts, and requests.
    :param facts: the task.
    :param clock: time, injected.
    """

    def __init__(
        self,
        path: str,
        *,
        ledger_path: str,
        max_age: float | None,
        fresh: bool,
        opening: Opening,
        facts: TaskFacts,
        clock: Clock,
    ) -> None:
        self._library = Library(path, reuse_max_age=max_age, clock=clock)
        self._claims = Claims(self._library, LedgerRecords(ledger_path))
        self._fresh = fresh
        self._opening = opening
        self._facts = facts
        self._clock = clock

    def open(self) -> None:
        """
        Open the storage, in the task's own thread.

        :raises LibraryUnavailable: there is no such file system or connection.
        """
        self._library.open()

    def find(self, states: Iterable[ItemState]) -> dict[ItemState, tuple[Choice, dict[str, Any]] | AdGenError]:
        """
        Return which items are in the library already, for the first of their choices that is.

        An item whose part of the library cannot be read has an error: it never counts as absent.

        :raises LibraryUnavailable: there is no such file system or connection.
        """
        if self._fresh:
            return {}
        wanted = {state: [(one, self.identity(state, one)) for one in state.item.choices] for state in states}
        told = self._library.lookup(identity for choices in wanted.values() for _, identity in choices)
        found: dict[ItemState, tuple[Choice, dict[str, Any]] | AdGenError] = {}
        for state, choices in wanted.items():
            for choice, identity in choices:
                try:
                    entry = told[identity].entry
                except AdGenError as error:
                    found[state] = error
                    break
                if entry is not None:
                    found[state] = choice, dict(entry.generation)
                    break
        return found

    def known(self, items: Iterable[BatchItem]) -> set[str]:
        """
        Return the keys of items that are in the library by their names, or whose part of it cannot be read.

        Nothing is paid for either. Before an item is taken from the library, its files are looked at, too.

        :raises LibraryUnavailable: there is no such file system or connection.
        """
        if self._fresh:
            return set()
        wanted = {
            (one.key, number): self._of(one.key, choice) for one in items for number, choice in enumerate(one.choices)
        }
        told = self._library.lookup(wanted.values(), check_files=False)
        return {key for (key, _), identity in wanted.items() if told[identity].state in {"usable", "unreadable"}}

    def rejected(self, states: Iterable[ItemState]) -> list[ItemState]:
        """
        Return the items whose delivered generation was rejected.

        :raises LibraryUnavailable: it could not be found out.
        """
        made = {}
        for state in states:
            if state.choice is not None and state.generation is not None:
                made[self.identity(state, state.choice).digest, str(state.generation.get("id"))] = state
        gone = self.rejected_of(made)
        return [state for pair, state in made.items() if pair in gone]

    def rejected_of(self, made: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """
        Return which generations were rejected.

        :param made: pairs of an identity's digest and a generation's id.
        :raises LibraryUnavailable: it could not be found out.
        """
        return self._library.rejected(made)

    def identity(self, state: ItemState, choice: Choice) -> CreativeIdentity:
        """Return the identity of an item's creative, made by one of its choices."""
        return self._of(state.key, choice)

    def _of(self, key: str, choice: Choice) -> CreativeIdentity:
        account = self._opening.account(choice.conn_id).hook.account()
        return library_identity(key, self._opening.identified(choice), account)

    def permit(self, state: ItemState, choice: Choice) -> LibraryPermit | None:
        """Return what an item needs before it is submitted; None where nothing is claimed."""
        if self._fresh:
            return None
        return LibraryPermit(
            self._claims, self.identity(state, choice), self._record(state), choice.conn_id, self._clock
        )

    def remember(self, state: ItemState, choice: Choice, generation: dict[str, Any], made_at: float) -> None:
        """
        Put what was stored into the library; it may be repeated.

        :raises AdGenError: a file is not there, or the library could not be written; a retry costs nothing.
        """
        self._library.add(
            self.identity(state, choice),
            generation,
            conn_id=choice.conn_id,
            made_at=made_at,
            paid_by=self._record(state),
        )

    def release(self, state: ItemState, choice: Choice) -> None:
        """Give the claim up: it is delivered, or its job ended without a result."""
        self._claims.release(self.identity(state, choice), self._record(state))

    def _record(self, state: ItemState) -> RecordRef:
        return RecordRef(self._facts.identity, state.key)


class LibraryPermit:
    """
    The claim of one submission.

    :param claims: the library's claims.
    :param wanted: the creative's identity.
    :param record: the record that is going to pay.
    :param conn_id: the account.
    :param clock: time, injected.
    """

    def __init__(self, claims: Claims, wanted: CreativeIdentity, record: RecordRef, conn_id: str, clock: Clock) -> None:
        self._claims = claims
        self._wanted = wanted
        self._record = record
        self._conn_id = conn_id
        self._clock = clock
        self._claim: Claim | None = None

    def take(self) -> str | SubmitLater:
        """
        Claim the creative; return the claim's id, or when to ask again.

        :raises MadeElsewhere: another run has made it.
        :raises ClaimUnknown: another run may have paid for it.
        """
        got = self._claims.claim(self._wanted, self._record)
        if isinstance(got, Claim):
            self._claim = got
            return got.uid
        if isinstance(got, ClaimedElsewhere):
            return SubmitLater(self._conn_id, got.why, self._clock.now() + got.seconds)
        raise MadeElsewhere(dict(got.generation))

    def stands(self) -> bool:
        """Whether the claim is still this run's, after its intent is written."""
        return self._claim is not None and self._claims.stands(self._claim)

    def withdraw(self) -> None:
        """Give the claim up: nothing is under way under it."""
        if self._claim is not None:
            self._claims.withdraw(self._claim)
            self._claim = None


def why_unreadable(error: AdGenError) -> str:
    """Return the reason of an item whose part of the library cannot be read."""
    return f"{trouble(error)} Nothing was submitted for it: it may have been made already."
