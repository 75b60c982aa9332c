# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What ``report`` prints, from records that a test wrote."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_adgen.cli import definition
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.stores import ObjectStore, record_folder

NOON = 1795867200.0  # 2026-11-28, 12:00 UTC
DAY = 86400.0


class Books:
    """A ledger, and the command that reports on it."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def write(self, phase: str = "submitted", *parts: str, task: str = "make", run: str = "r/1", **fields: Any) -> None:
        folder = record_folder(TaskIdentity("campaign", run, task))
        given = {"vendor": "cutx", "conn_id": "cutx_default", "host": "cutx.example", "intended_at": NOON, **fields}
        made = Attempt(
            phase="intent", epoch=0, fingerprint="f", request_kind="video", post_seconds=60.0, price=40, **given
        )
        ledger = Ledger([ObjectStore.at(f"file://{self.path}", [*folder, *parts])])
        ledger.write(made)
        if phase != "intent":
            ledger.write(made.model_copy(update={"phase": phase, "job_ids": fields.get("job_ids", [made.uid])}))

    def run(self, *words: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            definition.main(["report", *words])
        printed = self._capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    def rows(self, *words: str) -> list[dict[str, Any]]:
        code, out, _ = self.run("-o", "json", *words)
        assert code == 0
        found: list[dict[str, Any]] = json.loads(out)
        return found


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Books:
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}")
    return Books(tmp_path, capsys)


def test_what_the_vendor_tells_goes_before_the_price(books: Books) -> None:
    books.write(charged=39)
    books.write("done", task="other")
    books.write(task="failed", ended="failed")
    books.write(task="given back", charged=39, refunded=10)
    (row,) = books.rows()
    assert row == {
        "day": "2026-11-28",
        "vendor": "cutx",
        "conn_id": "cutx_default",
        "host": "cutx.example",
        "purchases": 4,
        "quoted": 160,
        "charged": 39 + 40 + 40 + 39,
        "refunded": 40 + 10,
        "estimated": 80,
        "unpriced": 0,
        "unknown": 0,
        "unknown_credits": 0,
    }


def test_what_is_told_with_the_result_counts_unless_it_is_a_sum(books: Books) -> None:
    books.write("done", result={"credits": {"charged": 3, "refunded": 1}})
    books.write("done", task="again", result={"credits": {"charged": 6}, "details": {"earlier_submissions": 1}})
    (row,) = books.rows()
    assert (row["charged"], row["estimated"], row["refunded"]) == (43, 40, 1)


def test_what_started_nothing_is_left_out_and_what_is_unknown_stands_alone(books: Books) -> None:
    books.write("withdrawn")
    books.write("intent", task="lost")
    (row,) = books.rows()
    assert (row["purchases"], row["charged"], row["unknown"], row["unknown_credits"]) == (0, 0, 1, 40)


def test_a_job_is_counted_once_whoever_recorded_it(books: Books) -> None:
    books.write(job_ids=["j1"])
    books.write(task="attached", job_ids=["j1"])
    books.write(task="elsewhere", job_ids=["j1"], host="other.example")
    assert [row["purchases"] for row in books.rows()] == [1, 1]


def test_items_of_a_batch_are_counted_and_other_files_are_not(books: Books) -> None:
    for number in range(3):
        books.write("done", f"item-{number}")
    folder = books.path.joinpath(*record_folder(TaskIdentity("campaign", "r/1", "make")))
    (folder / "snapshot.bin").write_bytes(b"x")
    (folder / ".x.tmp").write_bytes(b"x")
    spend = books.path / "_spend" / "a" / "2026-11-28"
    spend.mkdir(parents=True)
    (spend / "1_1_40_ab_0_held_0_ab.json").write_text('{"record": []}')
    (row,) = books.rows("--by", "run")
    assert (row["dag"], row["run"], row["purchases"], row["charged"]) == ("campaign", "r/1", 3, 120)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ([], 3),
        (["--since", "2026-11-28"], 2),
        (["--until", "2026-11-28"], 2),
        (["--since", "2026-11-28", "--until", "2026-11-28"], 1),
        (["--until", "2026-11-28T12:00:00"], 1),
        (["--until", "2026-11-28T12:00:01Z"], 2),
        (["--since", "2026-11-28T13:00:00+00:00"], 1),
    ],
)
def test_a_time_is_that_of_the_intent(books: Books, words: list[str], count: int) -> None:
    for number in (-1, 0, 1):
        books.write(task=f"t{number}", intended_at=NOON + number * DAY)
    assert sum(row["purchases"] for row in books.rows(*words)) == count


def test_groups(books: Books) -> None:
    books.write(task="a", run="r1")
    books.write(task="a", run="r2")
    books.write(task="b", run="r2", conn_id="cutx_other")
    assert [(row["task"], row["conn_id"], row["purchases"]) for row in books.rows("--by", "task")] == [
        ("a", "cutx_default", 2),
        ("b", "cutx_other", 1),
    ]
    assert [(row["run"], row["purchases"]) for row in books.rows("--by", "run")] == [("r1", 1), ("r2", 1), ("r2", 1)]
    for by in ("vendor", "conn", "dag"):
        assert [row["purchases"] for row in books.rows("--by", by)] == [2, 1]


def test_csv_and_table(books: Books) -> None:
    books.write()
    code, out, _ = books.run("-o", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert code == 0 and (row["day"], row["charged"], row["estimated"]) == ("2026-11-28", "40", "40")
    code, out, _ = books.run()
    head, line = out.splitlines()
    assert code == 0
    assert head.split() == [
        "day",
        "vendor",
        "conn",
        "id",
        "host",
        "purchases",
        "quoted",
        "charged",
        "refunded",
        "estimated",
    ]
    assert line.split() == ["2026-11-28", "cutx", "cutx_default", "cutx.example", "1", "40", "40", "0", "40"]


def test_nothing_is_a_report_too(books: Books) -> None:
    assert books.run()[:2] == (0, "Nothing was submitted.\n")
    assert books.rows() == []


def test_an_object_that_cannot_be_read_is_named(books: Books) -> None:
    books.write()
    folder = books.path.joinpath(*record_folder(TaskIdentity("campaign", "r/1", "make")))
    (folder / "note.json").write_text("{}")
    code, out, err = books.run("-o", "json")
    assert code == 1
    assert json.loads(out)[0]["purchases"] == 1
    assert "1 object of the ledger cannot be read" in err and "note.json" in err


def test_without_a_ledger_there_is_no_report(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__ADGEN__LEDGER_PATH")
    code, out, err = books.run()
    assert (code, out) == (1, "") and "ledger_path is not set" in err


@pytest.mark.parametrize("word", ["soon", "12:00", "2026-13-01"])
def test_a_time_that_is_none_is_refused(books: Books, word: str) -> None:
    code, _, err = books.run("--since", word)
    assert code == 1 and "--since must be a date" in err


def test_thousands_of_records_are_read_once_each(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.local import LocalFileSystem

    read: list[str] = []
    cat = LocalFileSystem.cat_file
    monkeypatch.setattr(
        LocalFileSystem, "cat_file", lambda self, path, *a, **k: read.append(path) or cat(self, path, *a, **k)
    )
    for number in range(20):
        books.write("done", task=f"t{number}")
    books.rows()
    # Of an intent and its outcome, only the outcome is needed.
    assert len([one for one in read if "done" in one]) == 20
    assert not [one for one in read[-20:] if "intent" in one]
