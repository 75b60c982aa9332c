# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of an item whose fate does not change any more in its try, so that thousands of them take little."""

from __future__ import annotations

import json
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Self

from airflow_provider_adgen.core.decisions.batch import ItemStatus

if TYPE_CHECKING:
    from airflow_provider_adgen.lifecycle.batch.results import Cost

FINAL = frozenset({ItemStatus.COMPLETED, ItemStatus.REUSED, ItemStatus.FAILED, ItemStatus.REMOVED})
"""What an item is called about which nothing is done any more in its try, whatever happens to the others."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of an item.

    :param status: its status.
    :param reason: why it has no result, or what is wrong with its result.
    :param helps: whether the next try could do better.
    :param risks: how many submissions of this try followed one that nobody knows about.
    :param credits: what it counts for among what each account has committed: pairs of a connection and credits.
    :param costs: what each of its submissions cost.
    :param jobs: for each job its connection and its id.
    :param line: its line of the results, as JSON text.
    """

    status: ItemStatus
    reason: str
    helps: bool
    risks: int
    credits: tuple[tuple[str, int], ...]
    costs: tuple[Cost, ...]
    jobs: tuple[tuple[str, str], ...]
    line: bytes

    def to_mark(self) -> bytes:
        """Return it as it stands in a snapshot."""
        told = [self.status, self.reason, self.helps, self.risks, self.credits, self.costs, self.jobs]
        return json.dumps(told, separators=(",", ":")).encode() + b" " + self.line

    @classmethod
    def from_mark(cls, mark: bytes) -> Self:
        """
        Read it from a snapshot.

        :raises ValueError: it is something else.
        """
        text = mark.decode()
        told, end = json.JSONDecoder().raw_decode(text)
        try:
            status, reason, helps, risks, spent, costs, jobs = told
            return cls(
                ItemStatus(status),
                reason,
                bool(helps),
                int(risks),
                tuple((intern(conn_id), number) for conn_id, number in spent),
                tuple(
                    (intern(conn_id), quoted, charged, refunded, estimated)
                    for conn_id, quoted, charged, refunded, estimated in costs
                ),
                tuple((intern(conn_id), job) for conn_id, job in jobs),
                text[end:].strip().encode(),
            )
        except TypeError as error:
            raise ValueError(str(error)) from None
