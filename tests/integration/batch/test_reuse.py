# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is in the library is not paid for again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.ledger.library import Library
from tests.support.batch import item, items
from tests.support.batch_try import Tries

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


@pytest.fixture
def library(batch: BatchRig) -> str:
    return f"file://{batch.folder / 'library'}"


def week(batch: BatchRig, number: int, given: Any, **fields: Any) -> Any:
    """Run a batch in a run of its own."""
    batch.try_number, batch.max_tries = 1, 0
    return batch.run(batch.batch(given, **fields), run_id=f"week-{number}")


def test_the_second_week_pays_for_what_changed(batch: BatchRig, library: str) -> None:
    first = week(batch, 1, items(5), library=library)
    assert first["counts"]["completed"] == 5
    before = batch.lines()
    changed = [*items(4), item("product-0004/hero", prompt="A blue bottle"), item("new")]
    second = week(batch, 2, changed, library=library)
    assert second["counts"] == {**first["counts"], "completed": 2, "reused": 4}
    assert len(batch.charges) == 7
    for key, line in batch.lines().items():
        if line["status"] == "reused":
            assert line["generation"] == before[key]["generation"]
            assert line["choice"] == 0


def test_a_file_that_is_gone_is_made_again(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(3), library=library)
    uri = batch.lines()["product-0001/hero"]["generation"]["creatives"][0]["uri"]
    Path(uri.removeprefix("file://")).unlink()
    assert week(batch, 2, items(3), library=library)["counts"]["reused"] == 2
    assert len(batch.charges) == 4


def test_what_is_too_old_is_made_again(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(2), library=library)
    batch.clock.move(7200)
    assert week(batch, 2, items(2), library=library, reuse_max_age=3600)["counts"]["completed"] == 2
    assert len(batch.charges) == 4


def test_another_choice_that_was_made_is_used(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(2, "sume"), library=library)
    told = week(batch, 2, items(2, "adsumo", "sume"), library=library)
    assert told["counts"]["reused"] == 2
    assert {line["choice"] for line in batch.lines().values()} == {1}
    assert {line["conn_id"] for line in batch.lines().values()} == {"sume_default"}


def test_a_library_that_cannot_be_read_stops_the_items(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(2), library=library)
    for path in (batch.folder / "library").rglob("*.json"):
        path.write_text("{")
    with pytest.raises(Exception, match="2 waiting"):
        week(batch, 2, items(2), library=library)
    assert len(batch.charges) == 2, "what cannot be read is not absent"


def reject(batch: BatchRig, library: str, key: str) -> None:
    line = batch.lines()[key]
    digest = next(
        path.name[:64]
        for path in (batch.folder / "library" / "entries").rglob("*.json")
        if line["generation"]["id"] in path.read_text()
    )
    Library(library).reject(digest, line["generation"]["id"], by="somebody")


def test_a_rejected_creative_is_made_again(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(2), library=library)
    reject(batch, library, "product-0000/hero")
    batch.try_number, batch.max_tries = 2, 2
    told = batch.run(batch.batch(items(2), library=library), run_id="week-1")
    assert told["counts"]["completed"] == 2
    assert len(batch.charges) == 3, "after a clear, the rejected one is made anew"
    assert week(batch, 2, items(2), library=library)["counts"]["reused"] == 2


def test_a_rejected_creative_is_made_again_although_its_request_has_changed(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(2), library=library)
    reject(batch, library, "product-0000/hero")
    batch.try_number, batch.max_tries = 2, 2
    changed = batch.batch(items(2, prompt="A blue bottle"), library=library, on_changed_input="reattach")
    assert batch.run(changed, run_id="week-1")["counts"]["completed"] == 2
    assert len(batch.charges) == 3
    assert {line["conn_id"] for line in batch.lines().values()} == {"adsumo_default"}


def test_everything_fresh_ignores_the_library(batch: BatchRig, library: str) -> None:
    week(batch, 1, items(2), library=library)
    batch.try_number, batch.max_tries = 2, 2
    told = batch.run(batch.batch(items(2), library=library, on_clear="fresh"), run_id="week-1")
    assert told["counts"]["completed"] == 2
    assert len(batch.charges) == 4
    assert week(batch, 2, items(2), library=library)["counts"]["reused"] == 2


def test_twelve_runs_at_once_pay_once(batch: BatchRig, library: str) -> None:
    """A backfill: twelve runs want the same creatives at the same time, each in a process of its own."""
    folder = batch.folder / "outcomes"
    folder.mkdir()
    given = items(8)
    fields = {
        "task_id": "make",
        "poll_interval": 0.1,
        "deferrable": True,
        "items": given,
        "destination": batch.destination,
        "library": library,
    }
    with Tries(folder, {}) as tries:
        runs = [tries.start(fields, try_number=1, run_id=f"week-{number}") for number in range(12)]
        ended = [run.wait() for run in runs]
    assert [one["error"] for one in ended] == [None] * 12
    counts = [one["told"]["counts"] for one in ended]
    assert [one["completed"] + one["reused"] for one in counts] == [8] * 12
    assert sum(one["completed"] for one in counts) == 8
    assert len(batch.charges) == 8
