# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch used again instead of paying for it, so that no later try pays for it either."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.ledger.frozen import FOLDER
from airflow_provider_adgen.ledger.library_objects import Entry, Lookup, reading, with_files
from airflow_provider_adgen.ledger.objects import create_object, list_objects
from airflow_provider_adgen.ledger.snapshots import packed
from airflow_provider_adgen.ledger.stored_files import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_adgen.ledger.frozen import FrozenItems

_REUSED = "reused-"


@dataclass(frozen=True)
class ReusedCreative:
    """
    One creative that was used again.

    :param key: the item's key.
    :param identity: the digest of the creative's identity.
    :param epoch: Airflow's ``max_tries`` at the time, which changes when a user clears the task.
    :param generation: the generation as in XCom, without links.
    """

    key: str
    identity: str
    epoch: int
    generation: dict[str, Any]


def write_reused(store: FrozenItems, now: float, creatives: Iterable[ReusedCreative]) -> None:
    """
    Write down what was used again.

    :param store: the batch's objects.
    :param now: Unix time.
    :param creatives: what was used again.
    :raises LibraryUnavailable: it could not be written; a retry costs nothing.
    """
    text = b"".join(packed(asdict(one)) + b"\n" for one in creatives)
    with reading("What this batch used again, under [adgen] ledger_path,", "written"):
        fs, folder = store.place()
        create_object(fs, f"{folder}/{FOLDER}", f"{_REUSED}{now:014.3f}-{uuid.uuid4().hex[:8]}.jsonl", text)


def read_reused(store: FrozenItems) -> Iterator[ReusedCreative]:
    """
    Yield what all tries used again, the latest last.

    :raises RecordUnreadable: it cannot be read.
    """
    fs, folder = store.place()
    names = sorted(path.rpartition("/")[2] for path in list_objects(fs, f"{folder}/{FOLDER}"))
    for name in names:
        if name.startswith(_REUSED) and name.endswith(".jsonl"):
            for line in store.read_lines(name):
                yield ReusedCreative(line["key"], line["identity"], line["epoch"], line["generation"])


def look_at_files(creatives: Iterable[ReusedCreative]) -> list[Lookup]:
    """Return for each creative whether its files are still those that were stored."""
    entries = [
        Entry(
            identity=one.identity,
            key=one.key,
            vendor="",
            host="",
            conn_id="",
            made_at=0.0,
            recorded_at=0.0,
            generation=one.generation,
        )
        for one in creatives
    ]
    facts = facts_of(uri for entry in entries for uri in entry.files)
    return [with_files(Lookup("usable"), entry, facts) for entry in entries]
