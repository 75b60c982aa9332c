# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Items whose keys were generated, accounts that are gone, and refusals that come before acceptances."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import TaskDeferred
from airflow_provider_adgen.lifecycle.batch import leg
from tests.integration.batch.test_going_on import fails
from tests.support.batch import item, items

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def bare(prompt: str) -> dict[str, Any]:
    request = {"kind": "text-to-image", "prompt": prompt, "model": "fast", "aspect_ratio": "1:1"}
    return {"conn_id": "adsumo_default", "request": request}


@pytest.mark.parametrize("under_way", [True, False])
def test_a_generated_key_that_is_new_counts_as_a_changed_item(batch: BatchRig, under_way: bool) -> None:
    first = batch.batch([bare("a"), bare("b")])
    if under_way:
        with pytest.raises(TaskDeferred):
            first.execute(batch.context())
    else:
        batch.run(first)
    for _ in range(2):
        batch.retry()
        assert "on_changed_input" in fails(batch, [bare("a"), bare("c")])
    assert len(batch.charges) == 2
    batch.retry()
    made = batch.run(batch.batch([bare("a"), bare("c")], on_changed_input="fresh"))
    assert (made["counts"]["completed"], len(batch.charges)) == (2, 3)


def test_a_deleted_connection_is_the_trouble_of_its_items(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch([*items(2, "sume"), item("other")]).execute(batch.context())
    batch.retry()
    monkeypatch.delenv("AIRFLOW_CONN_SUME_DEFAULT")
    assert "There is no connection 'sume_default'" in fails(batch, [item("other")])
    assert batch.statuses()["other"] == "completed"


def test_an_unknown_connection_is_named_before_anything_is_sent(batch: BatchRig) -> None:
    text = fails(batch, [item("a"), {**bare("b"), "key": "b", "conn_id": "no_such"}])
    assert "There is no connection 'no_such'" in text
    assert batch.charges == []


def test_refusals_stop_no_account_that_is_just_accepting(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=5, message="This is not allowed")
    batch.sandbox.fault("slow", "adsumo", method="POST", seconds=0.7, times=20)
    made = batch.run(batch.batch([item(f"k{number}", "adsumo", "sume") for number in range(40)]))
    assert made["counts"]["completed"] == 40


def test_risks_that_an_earlier_leg_took_are_counted_although_their_items_are_over(batch: BatchRig) -> None:
    batch.patch.setattr(leg, "LINGER", 0.0)
    batch.patch.setattr(leg, "LEG_SECONDS", 0.05)
    fields: dict[str, Any] = {"on_unknown_submission": "resubmit", "max_in_flight": 2}
    run = leg.BatchLeg.run

    def each_loses_one(self: leg.BatchLeg, resumed: Any) -> Any:
        batch.sandbox.clear_faults()
        batch.sandbox.fault("drop", "sume", method="POST", times=1)
        return run(self, resumed)

    batch.patch.setattr(leg.BatchLeg, "run", each_loses_one)
    batch.patch.setattr(batch, "batch", partial(batch.batch, deferrable=True))
    assert "unknown" in fails(batch, items(20, "sume"), **fields)
    assert len(batch.charges) <= 21
