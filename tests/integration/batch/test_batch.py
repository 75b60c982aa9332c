# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A batch from its items to its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.batch import items
from tests.support.tasks import FakeTaskInstance

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "on the worker"])
def test_each_item_is_made_once_and_stored(batch: BatchRig, deferrable: bool) -> None:
    told = batch.run(batch.batch(items(12), deferrable=deferrable))
    assert told["items"] == 12
    assert told["counts"]["completed"] == 12
    assert told["failures"] == []
    assert told["credits"] == {"adsumo_default": {"quoted": 12, "charged": 12, "refunded": 0}}
    assert told["estimated"] == {"adsumo_default": 12}
    assert batch.spent == 12
    lines = batch.lines()
    assert list(lines) == [f"product-{number:04d}/hero" for number in range(12)], "in the order of the items"
    assert len(batch.files()) == 12
    for key, line in lines.items():
        (creative,) = line["generation"]["creatives"]
        assert creative["uri"].startswith(f"{batch.destination}/{key}-{line['generation']['id']}-0.")
        assert creative["url"] is None
        assert (line["choice"], line["conn_id"], line["reason"]) == (0, "adsumo_default", None)


def test_a_leg_asks_for_no_xcom_that_no_leg_pushes(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.0 warns of each in the task's log."""
    asked: list[str] = []
    monkeypatch.setattr(FakeTaskInstance, "xcom_pull", lambda _self, *, key, **_of: asked.append(key))
    batch.run(batch.batch(items(2), deferrable=True))
    assert asked == []
