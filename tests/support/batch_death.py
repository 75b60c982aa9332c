# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A worker that dies in the middle of a batch, within this process: nothing that it does afterwards has an effect."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.ledger import batch as batch_store
from airflow_provider_adgen.ledger import frozen, stores
from airflow_provider_adgen.lifecycle import generation, submission
from airflow_provider_adgen.lifecycle.batch import ending, results

if TYPE_CHECKING:
    import pytest

POINTS = (
    "before-intent",
    "after-intent",
    "before-post",
    "before-record",
    "after-record",
    "before-store",
    "before-done",
    "after-done",
    "before-snapshot",
)


class Dead(Exception):
    """The worker died here."""


class Death:
    """
    Lets one try die.

    :param patch: undoes it.
    :param point: where.
    :param number: the how manieth time that a thread gets there, from 1.
    """

    def __init__(self, patch: pytest.MonkeyPatch, point: str, number: int = 1) -> None:
        self.came = False
        self._point, self._left = point, number
        self._lock = threading.Lock()
        self.operator: Any = None
        for module in (submission, generation, ending):
            patch.setattr(module, "failpoint", self._reached)
        for module in (stores, frozen):
            patch.setattr(module, "create_object", self._unless_dead(module.create_object))
        patch.setattr(batch_store, "create_large_object", self._unless_dead(batch_store.create_large_object))
        patch.setattr(ending, "write_results", self._unless_dead(results.write_results))
        patch.setattr(stores.ObjectStore, "forget", self._unless_dead(stores.ObjectStore.forget))

    def _reached(self, point: str) -> None:
        with self._lock:
            if point == self._point and not self.came:
                self._left -= 1
                self.came = self._left == 0
                if self.came and self.operator is not None:
                    self.operator.on_kill()  # nothing more has an effect: do not wait for it
        if self.came:
            raise Dead(point)

    def _unless_dead(self, act: Any) -> Any:
        def checked(*args: Any, **kwargs: Any) -> Any:
            if self.came:
                raise Dead(self._point)
            return act(*args, **kwargs)

        return checked
