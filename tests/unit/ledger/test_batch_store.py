# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch's snapshot includes is not read again: so all of it must be in the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt, RecordUnreadable
from airflow_provider_adgen.ledger.batch import BatchStore
from airflow_provider_adgen.ledger.stores import item_folder

if TYPE_CHECKING:
    from pathlib import Path

WHO = TaskIdentity("dag", "manual__2026-01-01T00:00:00+00:00", "make")


def attempt(uid: str, phase: str = "intent", **fields: Any) -> Attempt:
    made = {"epoch": 1, "fingerprint": "f", "kind": "video", "intended_at": 100.0, "post_seconds": 60.0}
    return Attempt(**{"phase": phase, "uid": uid, **made, **fields})


def test_a_reading_that_broke_off_leaves_nothing_out(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = (BatchStore(f"file://{tmp_path}", WHO) for _ in range(2))
    mine.load()
    other.load()
    ledger, rival = mine.ledger("k", None), other.ledger("k", None)
    own = ledger.write(attempt("own", intended_at=200.0))
    rival.write(attempt("rival", "submitted", job_ids=["job-1"]))
    fs, _ = mine.place()
    read = fs.cat_file

    def broken(path: str) -> bytes:
        if "-own-" in path:
            raise OSError("the storage does not answer")
        text: bytes = read(path)
        return text

    with monkeypatch.context() as patch:
        patch.setattr(fs, "cat_file", broken)
        with pytest.raises(RecordUnreadable):
            ledger.newcomers()
    ledger.write(own.model_copy(update={"phase": "withdrawn"}))
    record = ledger.record()
    assert record is not None
    mine.write_snapshot(300.0, {item_folder("k"): record}, {})
    found = BatchStore(f"file://{tmp_path}", WHO).load()[item_folder("k")]
    assert [job for one in found.attempts for job in one.job_ids] == ["job-1"]
