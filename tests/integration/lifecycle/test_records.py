# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The record cannot be read, or cannot be written, at each point of a paid generation's life."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.record import Record, RecordUnreadable
from airflow_provider_adgen.ledger.stores import ObjectStore

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.support.rig import Rig

    KillAt = Callable[[str], AbstractContextManager[None]]


def refuse_writes(rig: Rig, *phases: str, times: int = 1000) -> list[str]:
    """Let writing the record fail while its latest attempt is in one of these phases."""
    store, refused = rig.store, []
    assert store is not None
    write = store.set

    def refusing(key: str, value: Any, **options: Any) -> None:
        phase = value["attempts"][-1]["phase"]
        if phase in phases and len(refused) < times:
            refused.append(phase)
            raise RuntimeError("the state store does not answer")
        write(key, value, **options)

    rig.patch.setattr(store, "set", refusing)
    return refused


def test_a_record_that_cannot_be_read_stops_the_task(rig: Rig) -> None:
    assert rig.store is not None
    rig.store.broken_reads = True
    for _ in range(2):
        with pytest.raises(RecordUnreadable, match=r"Nothing was sent"):
            rig.run(rig.operator())
        rig.retry()
    assert rig.posts() == []
    rig.store.broken_reads = False
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


@pytest.mark.parametrize("text", ["{}", "[]", '"done"', '{"v": 2, "attempts": []}'])
def test_a_record_of_another_kind_stops_the_task(rig: Rig, text: str) -> None:
    assert rig.store is not None
    rig.store.values["adgen.generation"] = text
    with pytest.raises(RecordUnreadable, match=r"Repair or remove the record"):
        rig.run(rig.operator())
    assert rig.posts() == []


def test_an_object_that_was_cut_off_stops_the_task(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(records="objects")
    rig.run(rig.operator())
    written = sorted(Path(rig.folder, "ledger").rglob("*.json"))[0]
    whole = written.read_text()
    written.write_text(whole[: len(whole) // 2])
    rig.retry()
    with pytest.raises(RecordUnreadable, match=r"Nothing was sent"):
        rig.run(rig.operator())
    written.write_text(whole)
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


def test_one_store_that_forgot_is_no_harm(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(records="both")
    first = rig.run(rig.operator())
    assert rig.store is not None
    rig.store.values.clear()  # as Airflow 3.4 does when a task is cleared
    rig.retry()
    assert rig.run(rig.operator())["id"] == first["id"]
    assert len(rig.charges) == 1


def test_either_store_that_cannot_be_read_stops_the_task(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(records="both")
    rig.run(rig.operator())
    assert rig.store is not None
    rig.store.broken_reads = True
    rig.retry()
    with pytest.raises(RecordUnreadable):
        rig.run(rig.operator())
    assert len(rig.charges) == 1


def test_without_an_intent_nothing_is_posted(rig: Rig) -> None:
    refuse_writes(rig, "intent", times=1)
    with pytest.raises(RuntimeError, match=r"state store"):
        rig.run(rig.operator())
    assert rig.posts() == []
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


@pytest.mark.parametrize("keyed", [True, False])
def test_an_intent_that_only_one_store_took_is_taken_back(
    make_rig: Callable[..., Rig], promising: Callable[..., None], monkeypatch: pytest.MonkeyPatch, keyed: bool
) -> None:
    if not keyed:
        promising()
    rig = make_rig(records="both")
    folder = Path(rig.folder, "ledger")
    folder.write_text("a file where a folder should be")
    # The state store has an intent that was never posted: nobody must be asked about it.
    with monkeypatch.context() as patch, pytest.raises(OSError, match=r"ledger"):
        patch.setattr(ObjectStore, "read", lambda _store: Record())
        rig.run(rig.operator())
    assert rig.posts() == []
    folder.unlink()
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_job_that_cannot_be_recorded_is_kept_and_said(rig: Rig, deferrable: bool, diary: Any) -> None:
    refused = refuse_writes(rig, "submitted")
    result = rig.run(rig.operator(deferrable=deferrable, destination=rig.destination))
    assert result["status"] == "completed" and result["creatives"][0]["uri"]
    assert len(rig.charges) == 1 and len(refused) >= 3
    said = diary.text()
    assert f"Adsumo job {result['id']} is paid for and could not be recorded" in said
    assert "error" in said.lower()
    assert rig.phases == ["done"], "as soon as it can be recorded, it is"
    rig.retry()
    assert rig.run(rig.operator())["id"] == result["id"]
    assert len(rig.charges) == 1


@pytest.mark.parametrize("keyed", [True, False])
def test_a_job_that_can_never_be_recorded_is_delivered_all_the_same(
    rig: Rig, deferrable: bool, promising: Callable[..., None], keyed: bool, diary: Any
) -> None:
    if not keyed:
        promising()
    assert rig.store is not None
    write = rig.store.set
    refuse_writes(rig, "submitted", "done")
    arguments: dict[str, Any] = {"deferrable": deferrable, "destination": rig.destination}
    result = rig.run(rig.operator(**arguments))
    assert Path(result["creatives"][0]["uri"].removeprefix("file://")).exists()
    assert f"job {result['id']} is paid for and could not be recorded" in diary.text()
    # Run again all the same, it says what it knows.
    rig.patch.setattr(rig.store, "set", write)
    rig.retry()
    if keyed:
        assert rig.run(rig.operator(**arguments))["id"] == result["id"]
    else:
        with pytest.raises(AirflowFailException, match=r"Nobody knows"):
            rig.run(rig.operator(**arguments))
    assert len(rig.charges) == 1


def test_an_unresolved_submission_that_cannot_be_noted_stays_unresolved(
    rig: Rig, promising: Callable[..., None]
) -> None:
    promising()
    rig.sandbox.fault("drop", "adsumo", method="POST")
    assert rig.store is not None
    write, calls = rig.store.set, []

    def second_fails(key: str, value: Any, **options: Any) -> None:
        calls.append(value)
        if len(calls) > 1:
            raise RuntimeError("the state store does not answer")
        write(key, value, **options)

    rig.patch.setattr(rig.store, "set", second_fails)
    with pytest.raises(RuntimeError):
        rig.run(rig.operator())
    rig.patch.setattr(rig.store, "set", write)
    rig.retry()
    with pytest.raises(AirflowFailException, match=r"Nobody knows"):
        rig.run(rig.operator())
    assert len(rig.charges) == 1 and len(rig.posts()) == 1


def test_a_refusal_that_cannot_be_noted_asks_a_person(rig: Rig, promising: Callable[..., None], diary: Any) -> None:
    promising()
    rig.sandbox.set_credits("adsumo", 0)
    refuse_writes(rig, "withdrawn")
    with pytest.raises(AirflowFailException, match=r"Top up"):
        rig.run(rig.operator())
    assert "Nothing was started, which could not be recorded" in diary.text()
    rig.retry()
    with pytest.raises(AirflowFailException, match=r"Nobody knows"):
        rig.run(rig.operator())
    assert rig.charges == []


def test_a_record_in_objects_is_the_same_on_every_airflow(make_rig: Callable[..., Rig], killed: KillAt) -> None:
    rig = make_rig(records="objects")
    with killed("after-record"):
        rig.run(rig.operator())
    names = sorted(path.relative_to(rig.folder / "ledger").as_posix() for path in rig.folder.rglob("*.json"))
    assert len(names) == 2
    assert all(name.startswith("campaign/manual__2026-01-01T00%3A00%3A00%2B00%3A00/make/-1/") for name in names)
    assert ["-intent-" in name for name in names] == [True, False]


def test_mapped_tasks_have_records_of_their_own(recorded: Rig) -> None:
    if recorded.store is not None:
        pytest.skip("Airflow's store is one per mapped task already")
    for index in range(3):
        recorded.run(recorded.operator(), map_index=index)
    assert len(recorded.charges) == 3
    assert len({charge["idempotency_key"] for charge in recorded.charges}) == 3
    recorded.retry()
    for index in range(3):
        recorded.run(recorded.operator(), map_index=index)
    assert len(recorded.charges) == 3


def test_a_seed_makes_two_tasks_share_one_generation(make_rig: Callable[..., Rig]) -> None:
    first = make_rig().run
    rig = make_rig()
    one = first(rig.operator(idempotency_key="summer"))
    other = make_rig().run(rig.operator(idempotency_key="summer"), task_id="another", run_id="another")
    assert one["id"] == other["id"]
    assert len(rig.charges) == 1


def test_a_seed_is_refused_where_there_are_no_keys(rig: Rig, promising: Callable[..., None]) -> None:
    promising()
    with pytest.raises(AirflowFailException, match=r"Adsumo has no idempotency keys. Nothing was sent"):
        rig.run(rig.operator(idempotency_key="summer"))
    assert rig.sandbox.requests("adsumo") == []
