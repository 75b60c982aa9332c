# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch's legs do for each item does not grow with the number of items, and what is over stays over."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.lifecycle.batch.leg import BatchLeg
from tests.support.batch import items
from tests.support.remote_disk import remote_disk
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_adgen.lifecycle.batch.board import Board
    from tests.support.batch import BatchRig

FEW, MANY = 12, 72


class Watched(list[Any]):
    """A list that counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[Any]:
        self.times += 1
        return super().__iter__()


def watch_legs(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], Counter[str]]:
    """Return how often each leg goes through all items, and how many functions it calls for how many events."""
    times: list[int] = []
    calls: Counter[str] = Counter()
    run, handle = BatchLeg.run, BatchLeg._handle

    def counted_run(leg: BatchLeg, resumed: Any) -> Any:
        opened = leg._open

        def watched(*args: Any) -> Board:
            board = opened(*args)
            board.states = Watched(board.states)
            return board

        leg._open = watched  # type: ignore[method-assign]
        try:
            return run(leg, resumed)
        finally:
            times.append(leg._board.states.times)  # type: ignore[attr-defined]

    def counted_handle(leg: BatchLeg, *args: Any) -> None:
        def count(_frame: Any, what: str, _arg: Any) -> None:
            calls["calls"] += what in {"call", "c_call"}

        calls["events"] += 1
        sys.setprofile(count)
        try:
            handle(leg, *args)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr(BatchLeg, "run", counted_run)
    monkeypatch.setattr(BatchLeg, "_handle", counted_handle)
    return times, calls


def test_work_per_event_does_not_grow_with_the_items(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    times, calls = watch_legs(monkeypatch)
    per_event = []
    for number, count in enumerate((FEW, MANY)):
        calls.clear()
        told = batch.run(batch.batch(items(count, prompt=f"Of {count}")), map_index=number)
        assert told["counts"]["completed"] == count
        assert calls["events"] >= 2 * count
        per_event.append(calls["calls"] / calls["events"])
    assert per_event[1] < 1.25 * per_event[0]
    assert max(times) <= 20, "all items are gone through at the beginning and at the end of a leg, not at each event"


def test_a_later_leg_reads_no_record_of_what_is_over(batch: BatchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    context = batch.context()
    operator = batch.batch(items(6), max_in_flight=2, on_failed="fail")
    opened: list[str] = []
    real = BatchStore.ledger
    monkeypatch.setattr(BatchStore, "ledger", lambda store, key, *more: opened.append(key) or real(store, key, *more))
    with pytest.raises((AirflowFailException, AdGenError)):
        run_task(operator, context, passing=batch.clock.move)
    before = batch.lines()
    assert Counter(line["status"] for line in before.values()) == {"completed": 5, "failed": 1}
    opened.clear()
    # The same try once more, as after a worker that died before it could say how it ended.
    again = batch.batch(items(6), max_in_flight=2, on_failed="fail")
    with pytest.raises((AirflowFailException, AdGenError), match="1 failed"):
        run_task(again, context, passing=batch.clock.move, resumed=True)
    assert opened == []
    assert batch.lines() == before
    assert len(batch.charges) == 6


@pytest.mark.parametrize("snapshot", ["good", "lost", "torn", "stale"])
def test_whatever_the_snapshot_is_like_the_results_are_the_same(batch: BatchRig, snapshot: str) -> None:
    context = batch.context()
    with pytest.raises(TaskDeferred):
        batch.batch(items(5), max_in_flight=2).execute(context)
    stale = {path: path.read_bytes() for path in snapshots(batch)}
    told = run_task(batch.batch(items(5), max_in_flight=2), context, passing=batch.clock.move, resumed=True)
    lines = batch.lines()
    for path in snapshots(batch):
        if snapshot == "torn":
            path.write_bytes(path.read_bytes()[:-40])
        elif snapshot != "good":
            path.unlink()
    if snapshot == "stale":
        for path, text in stale.items():
            path.write_bytes(text)
    again = run_task(batch.batch(items(5), max_in_flight=2), context, passing=batch.clock.move, resumed=True)
    assert again == told
    assert batch.lines() == lines
    assert len(batch.charges) == 5


def test_a_retry_does_not_take_over_what_was_said_in_the_try_before(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    with pytest.raises((AirflowFailException, AdGenError)):
        batch.run(batch.batch(items(3)))
    batch.retry()
    assert batch.run(batch.batch(items(3), on_failed="resubmit"))["counts"]["completed"] == 3
    assert len(batch.charges) == 4


def test_a_batch_whose_record_is_far_away(batch: BatchRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with remote_disk(tmp_path / "far") as (fs, base):
        (tmp_path / "far").mkdir()
        monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", base)
        told = batch.run(batch.batch(items(8)))
        assert told["counts"]["completed"] == 8
        fs.requests.clear()
        batch.retry()
        assert batch.run(batch.batch(items(8)))["counts"]["completed"] == 8
    assert fs.requests["cat_file"] <= 1, "the snapshot holds all that was recorded"
    assert fs.requests["ls"] <= 8 + 6
    assert len(batch.charges) == 8


def snapshots(batch: BatchRig) -> list[Path]:
    return sorted((batch.folder / "ledger").rglob("snapshot-*.jsonl"))


def test_a_snapshot_is_lines_that_others_can_read(batch: BatchRig) -> None:
    batch.run(batch.batch(items(3)))
    *lines, end = snapshots(batch)[-1].read_bytes().splitlines()
    assert json.loads(end)["items"] == len(lines) == 3
    for line in lines:
        head, record, mark = line.split(b"\t")
        assert len(json.loads(head)[1]) == 3, "intent, submitted, done"
        assert json.loads(record)["attempts"][0]["phase"] == "done"
        assert mark.startswith(b'["completed",')
