# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a try used again stays used again in later ones, whatever the library or its age says by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.ledger.reused import ReusedCreative, look_at_files, read_reused, write_reused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_adgen.core.clock import Clock
    from airflow_provider_adgen.ledger.frozen import FrozenItems
    from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions
    from airflow_provider_adgen.lifecycle.batch.state import ItemState
    from airflow_provider_adgen.lifecycle.task_facts import TaskFacts


class KeptReuse:
    """
    What the tries of one batch used again.

    :param store: the batch's objects.
    :param identity: returns the digest of the creative that a choice makes of an item, by the item's key.
    :param facts: the task.
    :param options: what the author chose.
    :param clock: time, injected.
    """

    def __init__(
        self,
        store: FrozenItems,
        *,
        identity: Callable[[str, Choice], str],
        facts: TaskFacts,
        options: BatchOptions,
        clock: Clock,
    ) -> None:
        self._store = store
        self._identity = identity
        self._facts = facts
        self._options = options
        self._clock = clock
        self._new: list[ReusedCreative] = []

    def keys(self, items: Iterable[BatchItem]) -> set[str]:
        """
        Return the keys of items that earlier tries used again, before their files are looked at.

        :raises RecordUnreadable: what they used again cannot be read.
        """
        told = {(one.key, one.identity) for one in self._read()}
        if not told:
            return set()
        return {
            one.key for one in items if any((one.key, self._identity(one.key, each)) in told for each in one.choices)
        }

    def find(self, states: Iterable[ItemState]) -> dict[ItemState, tuple[Choice, ReusedCreative] | AdGenError]:
        """
        Return which items earlier tries used again, for the first of their choices, where the files are still there.

        An item whose files cannot be looked at has an error.

        :raises RecordUnreadable: what they used again cannot be read.
        """
        wanted = {one.key: one for one in states}
        if not wanted:
            return {}
        told = {(one.key, one.identity): one for one in self._read() if one.key in wanted}
        found: dict[ItemState, tuple[Choice, ReusedCreative]] = {}
        for key, state in wanted.items() if told else ():
            for choice in state.item.choices:
                if (creative := told.get((key, self._identity(key, choice)))) is not None:
                    found[state] = choice, creative
                    break
        kept: dict[ItemState, tuple[Choice, ReusedCreative] | AdGenError] = {}
        looks = look_at_files(creative for _, creative in found.values())
        for (state, pair), look in zip(found.items(), looks, strict=True):
            try:
                if look.usable:
                    kept[state] = pair
            except AdGenError as error:
                kept[state] = error
        return kept

    def note(self, key: str, choice: Choice, generation: dict[str, Any]) -> None:
        """Take in that an item is used again; :meth:`write` writes it down."""
        self._new.append(ReusedCreative(key, self._identity(key, choice), self._facts.epoch, generation))

    def write(self) -> None:
        """Write down what was used again since the last time."""
        if self._new:
            write_reused(self._store, self._clock.now(), self._new)
            self._new = []

    def _read(self) -> Iterable[ReusedCreative]:
        # Whoever cleared the task to pay anew does not want what was used again before.
        fresh = self._options.on_clear == "fresh"
        return (one for one in read_reused(self._store) if not fresh or one.epoch == self._facts.epoch)
