# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is in the library is not paid for again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.ledger.library import Library
from airflow_provider_adgen.lifecycle.resolution import NOT_SUBMITTED, variable_name
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


def test_what_an_id_stands_for_identifies_a_creative_in_place_of_the_id(batch: BatchRig, library: str) -> None:
    def about(prompt: str, product: str | None) -> list[Any]:
        request = {"kind": "text-to-image", "prompt": prompt, "model": "fast", "aspect_ratio": "1:1"}
        as_ = {"reuse_as": {"prompt": product}} if product else {}
        return [{"key": "lamp/hero", "choices": [{"conn_id": "adsumo_default", "request": request, **as_}]}]

    assert week(batch, 1, about("of vendor's product 1", "lamp"), library=library)["counts"]["completed"] == 1
    assert week(batch, 2, about("of vendor's product 2", "lamp"), library=library)["counts"]["reused"] == 1
    assert week(batch, 3, about("of vendor's product 2", "chair"), library=library)["counts"]["completed"] == 1
    assert week(batch, 4, about("of vendor's product 2", None), library=library)["counts"]["completed"] == 1
    assert [json.loads(one["body"])["prompt"] for one in batch.sandbox.requests("adsumo", method="POST")] == [
        "of vendor's product 1",
        "of vendor's product 2",
        "of vendor's product 2",
    ], "what is sent is the request itself"


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


def two(batch: BatchRig) -> list[dict[str, Any]]:
    """Let another run make one of two items."""
    week(batch, 1, [item("a")], library=f"file://{batch.folder / 'library'}")
    return [item("a"), item("b")]


def other_try(batch: BatchRig, given: Any, **fields: Any) -> Any:
    return batch.run(batch.batch(given, **fields), run_id="week-2")


@pytest.mark.parametrize("how", ["retry", "clear"])
@pytest.mark.parametrize("change", ["too old", "no library"])
def test_what_one_try_reused_is_not_paid_by_the_next(batch: BatchRig, library: str, how: str, change: str) -> None:
    given, age = two(batch), 3600 if change == "too old" else None
    batch.sandbox.fault("status", "adsumo", method="POST", status=401, times=1)
    with pytest.raises(Exception, match="1 reused, 1 waiting"):
        week(batch, 2, given, library=library, reuse_max_age=age)
    for path in (batch.folder / "ledger").rglob("snapshot-*"):
        path.unlink()  # they are there for speed only
    batch.clock.move(7200)
    (batch.retry if how == "retry" else batch.clear)()
    fields: dict[str, Any] = {"max_credits": 1}
    fields |= {"library": library, "reuse_max_age": age} if age else {}
    told = other_try(batch, given, **fields)
    assert (told["counts"]["reused"], told["counts"]["completed"]) == (1, 1)
    assert len(batch.charges) == 2
    assert batch.lines()["a"]["generation"]["creatives"][0]["uri"]


@pytest.mark.parametrize("obstacle", [None, {"reason": "The vendor answered 503.", "moves": False}])
def test_what_one_try_reused_is_not_paid_by_the_next_although_the_vendors_id_has_changed(
    batch: BatchRig, library: str, obstacle: dict[str, Any] | None
) -> None:
    def about(prompt: str, **more: Any) -> list[Any]:
        request = {"kind": "text-to-image", "prompt": prompt, "model": "fast", "aspect_ratio": "1:1"}
        choice = {"conn_id": "adsumo_default", "request": request, "reuse_as": {"prompt": "lamp"}, **more}
        return [{"key": "a", "choices": [choice]}]

    week(batch, 1, about("of vendor's product 1"), library=library)
    assert week(batch, 2, about("of vendor's product 1"), library=library)["counts"]["reused"] == 1
    batch.retry()
    more = {} if obstacle is None else {"obstacle": obstacle}
    assert other_try(batch, about("of vendor's product 2", **more))["counts"]["reused"] == 1
    assert len(batch.charges) == 1


def test_what_was_reused_is_made_when_its_file_is_gone(batch: BatchRig, library: str) -> None:
    given = two(batch)
    week(batch, 2, given, library=library)
    Path(batch.lines()["a"]["generation"]["creatives"][0]["uri"].removeprefix("file://")).unlink()
    batch.retry()
    assert other_try(batch, given)["counts"]["completed"] == 2
    assert len(batch.charges) == 3


def test_what_was_reused_is_made_anew_where_that_is_asked_for(batch: BatchRig, library: str) -> None:
    given = two(batch)
    week(batch, 2, given, library=library, on_clear="fresh")
    batch.clear()
    assert other_try(batch, given, library=library, on_clear="fresh")["counts"]["completed"] == 2
    assert len(batch.charges) == 4


@pytest.mark.parametrize("how", ["retry", "clear"])
def test_what_was_reused_and_rejected_is_made_anew(batch: BatchRig, library: str, how: str) -> None:
    given = two(batch)
    week(batch, 2, given, library=library)
    made = batch.lines()["a"]["generation"]["id"]
    digest = next(
        path.name[:64] for path in (batch.folder / "library" / "entries").rglob("*.json") if made in path.read_text()
    )
    Library(library).reject(digest, made, by="somebody")
    (batch.retry if how == "retry" else batch.clear)()
    assert other_try(batch, given, library=library)["counts"]["completed"] == 2
    assert len(batch.charges) == 3


def test_a_reused_item_whose_request_changed_is_another_creative(batch: BatchRig, library: str) -> None:
    given = two(batch)
    week(batch, 2, given, library=library)
    batch.retry()
    changed = [item("a", prompt="Another bottle"), given[1]]
    assert other_try(batch, changed, library=library)["counts"]["completed"] == 2
    assert len(batch.charges) == 3


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


@pytest.mark.parametrize("timeout", [1, 30], ids=["answer-counts-in-this-leg", "answer-counts-in-a-later-leg"])
def test_a_rejected_creative_is_not_kept_where_making_it_again_came_to_nothing(
    batch: BatchRig, library: str, timeout: float
) -> None:
    """
    A clear; its submission is lost; a person says that it started nothing; another clear.

    What the person said counts once nobody can be posting it any more, which is after the request's timeout.
    """
    connection = batch.sandbox.connection("sume", timeout=timeout)
    batch.patch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(connection))
    given = items(1, "sume")
    week(batch, 1, given, library=library)
    reject(batch, library, "product-0000/hero")
    rejected = batch.lines()["product-0000/hero"]["generation"]["id"]
    batch.try_number, batch.max_tries = 2, 2
    batch.sandbox.fault("drop", "sume", method="POST", when="before")
    with pytest.raises(AirflowFailException, match="1 unknown"):
        batch.run(batch.batch(given, library=library), run_id="week-1")
    identity = TaskIdentity("campaign", "week-1", "make")
    (lost,) = [one.open for one in BatchStore(batch.ledger_path, identity).load().values() if one.open is not None]
    batch.patch.setenv(f"AIRFLOW_VAR_{variable_name(lost.uid).upper()}", NOT_SUBMITTED)
    batch.try_number, batch.max_tries = 3, 3
    assert batch.run(batch.batch(given, library=library), run_id="week-1")["counts"]["completed"] == 1
    assert batch.lines()["product-0000/hero"]["generation"]["id"] != rejected
    assert len(batch.charges) == 2


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
