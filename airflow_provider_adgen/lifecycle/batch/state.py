# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Where one item of a batch stands while a leg runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.batch import ALWAYS_FAIL, ItemStatus, Step
from airflow_provider_adgen.core.errors import AdGenError

if TYPE_CHECKING:
    from airflow_provider_adgen.ledger.ledger import Ledger
    from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice
    from airflow_provider_adgen.lifecycle.legs import Resumed, WaitForJob


@dataclass(eq=False)
class ItemState:
    """
    One item. Only the leg's main thread writes to it.

    :param item: what the author wants.
    :param ledger: its record.
    :param removed: it is not in the list any more, and something was bought for it.
    :param step: what to do about it.
    :param choice: the choice that is submitted or collected.
    :param job: the job that is waited for.
    :param ended: how the wait for its job ended.
    :param status: what became of it; None while that is open.
    :param reason: why it has no result, or what is wrong with its result.
    :param generation: its result, as in XCom.
    :param held: a refusal that may move it to its next choice, once its account has accepted something.
    :param credits: what it counts for among what each account has committed.
    :param affordable: another submission of it stays within ``max_credits``.
    """

    item: BatchItem
    ledger: Ledger
    removed: bool = False
    step: Step | None = None
    choice: Choice | None = None
    job: WaitForJob | None = None
    ended: Resumed | None = field(default=None, repr=False)
    status: ItemStatus | None = None
    reason: str = ""
    generation: dict[str, Any] | None = field(default=None, repr=False)
    held: str | None = None
    credits: dict[str, int] = field(default_factory=dict)
    affordable: bool = True

    @property
    def key(self) -> str:
        """The item's identity."""
        return self.item.key

    def finish(self, status: ItemStatus, reason: str = "") -> None:
        """Say what became of it."""
        removed = self.removed and status not in ALWAYS_FAIL
        self.status = ItemStatus.REMOVED if removed else status
        self.reason = reason or self.item.problem
        self.job = None

    def stop(self, reason: str) -> None:
        """Say that nothing more is submitted for it in this try."""
        self.finish(self._open_status(), f"Nothing was submitted: {reason.rstrip('.')}.")

    def _open_status(self) -> ItemStatus:
        record = self.ledger.record()
        return ItemStatus.WAITING if record is None or record.open is None else ItemStatus.UNKNOWN

    def line(self) -> dict[str, Any]:
        """Return its line of the results."""
        choices = self.item.choices
        index = choices.index(self.choice) if self.choice in choices else None
        status = self.status or (ItemStatus.SUBMITTED if self.job is not None else self._open_status())
        return {
            "key": self.key,
            "status": str(status),
            "reason": self.reason or None,
            "choice": index,
            "conn_id": self.choice.conn_id if self.choice is not None else None,
            "generation": self.generation,
            "meta": self.item.meta,
        }


def chosen(state: ItemState) -> Choice:
    """Return an item's present choice."""
    if state.choice is None:
        raise AdGenError(f"Item {state.key!r} has no choice; this is a defect. Nothing was sent for it.")
    return state.choice
