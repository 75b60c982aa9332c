# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the tries of a batch are about: the items of each, written down when it began."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_adgen.core.record import RecordUnreadable
from airflow_provider_adgen.core.scrub import reason
from airflow_provider_adgen.ledger.objects import create_object, list_objects, read_lines
from airflow_provider_adgen.ledger.snapshots import packed
from airflow_provider_adgen.ledger.stores import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_adgen.core.identity import TaskIdentity

FOLDER = "batch"
"""The folder beside those of the items."""

_REFUSAL = "refusal"
"""The only field of a first line that is no item."""


class FrozenItems(ObjectStore):
    """
    The frozen items of a batch's tries.

    :param base: ``[adgen] ledger_path``.
    :param identity: the task.
    """

    def __init__(self, base: str, identity: TaskIdentity) -> None:
        super().__init__(base, identity)
        self._begin()

    @classmethod
    def at(cls, base: str, parts: list[str]) -> Self:
        """Return the store of a batch in a folder; see :meth:`ObjectStore.at`."""
        store = super().at(base, parts)
        store._begin()
        return store

    def _begin(self) -> None:
        self._found: tuple[Any, str] | None = None

    @property
    def parts(self) -> list[str]:
        """The path of the batch's folder below the base."""
        return self._parts

    def place(self) -> tuple[Any, str]:
        """Return the file system, and the path of the batch's folder in it; found once."""
        if self._found is None:
            self._found = self._place()
        return self._found

    def freeze(
        self,
        try_number: int,
        began: float,
        lines: Iterable[Mapping[str, Any]],
        *,
        refusal: Mapping[str, Any] | None = None,
    ) -> Frozen:
        """
        Write the items of a try, and return those that count: the first that any process of this try has written.

        :param try_number: the try.
        :param began: Unix time at which it began.
        :param lines: one JSON object per item.
        :param refusal: why nothing is bought for them, as JSON.
        """
        fs, folder = self.place()
        name = f"items-{try_number:06d}-{began:014.3f}-{uuid.uuid4().hex[:8]}.jsonl"
        # In one piece: the first file counts, so it must not be there before it is complete.
        head = [] if refusal is None else [{_REFUSAL: refusal}]
        text = b"".join(packed(line) + b"\n" for line in itertools.chain(head, lines))
        create_object(fs, f"{folder}/{FOLDER}", name, text)
        frozen = self.frozen(try_number)
        if frozen is None:
            raise RecordUnreadable(
                "The items of this batch were written under [adgen] ledger_path and are not found there. Nothing was "
                "sent. Does the storage list what it has just written?"
            )
        return frozen

    def frozen(self, try_number: int) -> Frozen | None:
        """Return the items that were frozen for a try; None where there are none."""
        prefix = f"items-{try_number:06d}-"
        for one in self.all_frozen():
            if one.name.startswith(prefix):
                return one
        return None

    def all_frozen(self) -> list[Frozen]:
        """Return the frozen items of all tries, the oldest first."""
        fs, folder = self.place()
        names = sorted(path.rpartition("/")[2] for path in list_objects(fs, f"{folder}/{FOLDER}"))
        return [Frozen(self, name) for name in names if name.startswith("items-") and name.endswith(".jsonl")]

    def read_lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of frozen items."""
        fs, folder = self.place()
        try:
            for line in read_lines(fs, f"{folder}/{FOLDER}/{name}"):
                yield json.loads(line)
        except Exception as error:
            raise RecordUnreadable(
                f"The items of this batch, {FOLDER}/{name} under [adgen] ledger_path, could not be read "
                f"({reason(error)}). Nothing was sent. Retry when the storage is available again."
            ) from None


@dataclass(frozen=True)
class Frozen:
    """
    The items of one try.

    :param store: where they are kept.
    :param name: the name of their object.
    """

    store: FrozenItems
    name: str

    @property
    def try_number(self) -> int:
        """The try."""
        return int(self.name.split("-")[1])

    @property
    def began(self) -> float:
        """Unix time at which the try began."""
        return float(self.name.split("-")[2])

    def lines(self) -> Iterator[dict[str, Any]]:
        """
        Yield one JSON object per item.

        :raises RecordUnreadable: they cannot be read.
        """
        return (line for line in self.store.read_lines(self.name) if _REFUSAL not in line)

    @property
    def refusal(self) -> dict[str, Any] | None:
        """
        Why nothing is bought for them; None where something is.

        :raises RecordUnreadable: they cannot be read.
        """
        found: dict[str, Any] | None = next(self.store.read_lines(self.name), {}).get(_REFUSAL)
        return found
