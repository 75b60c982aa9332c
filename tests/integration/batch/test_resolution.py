# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A person resolves, in a shell, the submissions of a batch that nobody knows about."""

from __future__ import annotations

import argparse
import csv
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.cli import definition
from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred, command_line
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.triggers import base
from tests.support.batch import item, items
from tests.support.shell import RUN, Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.batch import BatchRig

GIVEN = items(6, "sume")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


def fails(batch: BatchRig, given: Any = GIVEN, **fields: Any) -> str:
    with pytest.raises((AirflowFailException, AdGenError)) as stopped:
        batch.run(batch.batch(given, **fields))
    return str(stopped.value)


@pytest.fixture
def said(batch: BatchRig) -> str:
    """Two of six submissions were accepted and one was not, and their answers are lost; what the task said of it."""
    batch.sandbox.fault("drop", "sume", method="POST", times=2)
    batch.sandbox.fault("drop", "sume", method="POST", when="before")
    text = fails(batch)
    batch.clock.move(300)
    batch.clear()
    return text


def jobs(batch: BatchRig) -> dict[str, str]:
    """Return the jobs that were paid for, by the items that they are of: their prompts end with the keys."""
    return {one["request"]["prompt"].rpartition(" ")[2]: one["id"] for one in batch.sandbox.jobs("sume")}


def unknown(shell: Shell) -> list[str]:
    return [one["key"] for one in shell.json("list", "--unknown")["items"]]


def filled_in(table: str, found: dict[str, str]) -> str:
    """Fill the jobs into the table that ``list --unknown`` has printed."""
    header, *rows = table.splitlines()
    assert header == "key,job_id,intended_at,endpoint,candidates,created_at,also_candidate_of"
    lines = [row.replace(",,", f",{found.get(row.partition(',')[0], '')},", 1) for row in rows]
    return "\n".join([header, *lines, ""])


def commands(text: str) -> list[list[str]]:
    """Return the command lines that a message says."""
    found = re.findall(rf"^ +{re.escape(command_line())} (ledger .*)$", text, re.MULTILINE)
    return [shlex.split(one) for one in found]


def test_three_commands_resolve_what_nobody_knows(batch: BatchRig, said: str, shell: Shell, tmp_path: Path) -> None:
    assert "3 unknown" in said
    assert len(batch.charges) == 5
    listing, attaching, dismissing = commands(said)
    assert listing[-2:] == [">", "unknown.csv"]
    code, table, _ = shell.run(listing[:-2])
    assert code == 0
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == 3
    paid = jobs(batch)
    lost = {row["key"]: paid.get(row["key"]) for row in rows}
    accepted = {key: job for key, job in lost.items() if job is not None}
    assert len(accepted) == 2
    for row in rows:
        assert row["endpoint"].startswith("POST /")
        assert set(row["candidates"].split()) == set(accepted.values()), "the batch's own jobs are left out"

    file = tmp_path / "unknown.csv"
    file.write_text(filled_in(table, accepted))
    code, text, _ = shell.run([str(file) if word == "unknown.csv" else word for word in attaching])
    assert code == 0
    assert "2 submissions of campaign.make" in text
    assert len(unknown(shell)) == 1
    code, text, asked = shell.run(dismissing, "yes\n")
    assert code == 0, asked
    assert "1 submission of campaign.make" in text
    assert "you pay twice (up to" in asked
    assert unknown(shell) == []
    assert len(shell.variables) == 3

    assert batch.run(batch.batch(GIVEN))["counts"]["completed"] == 6
    assert len(batch.charges) == 6, "each item is paid for once"
    assert len(batch.files()) == 6
    for key, job in accepted.items():
        assert batch.lines()[key]["generation"]["id"] == job


def test_what_another_run_may_have_paid_for_is_shown_by_the_command_that_is_told(batch: BatchRig, shell: Shell) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", times=1)
    given, fields = [item("lamp; the big one", "sume")], {"library": f"file://{batch.folder / 'library'}"}
    with pytest.raises((AirflowFailException, AdGenError)):
        batch.run(batch.batch(given, **fields), run_id="a backfill; of 2026", map_index=3)
    batch.clock.move(3600)
    with pytest.raises((AirflowFailException, AdGenError)):
        batch.run(batch.batch(given, **fields), run_id="the next one")
    (line,) = batch.lines().values()
    assert line["status"] == "waiting"
    told = re.search(rf"\({re.escape(command_line())} (ledger show .*)\), then retry", line["reason"])
    assert told is not None, line["reason"]
    code, text, wrong = shell.run(shlex.split(told[1]))
    assert code == 0, wrong
    assert "campaign.make[3] in run a backfill; of 2026, item 'lamp; the big one': unresolved" in text
    assert len(batch.charges) == 1


def test_it_shows_a_batch(batch: BatchRig, said: str, shell: Shell) -> None:
    found = shell.json("show")
    assert found["items"] == 6
    assert found["states"] == {"completed": 3, "unknown": 3}
    assert [one["state"] for one in found["open"]] == ["unknown"] * 3
    assert found["results"] == batch.xcoms["results"]
    assert set(found["credits"]) == {"sume_default"}
    code, text = shell("show")
    assert code == 0
    for word in (
        f"campaign.make in run {RUN}: a batch of 6 items",
        "unknown: 3",
        "sume_default: ",
        " quoted, ",
        "--from",
    ):
        assert word in text
    assert found["results"] in text
    key = found["open"][0]["key"]
    one = shell.json("show", "--key", key)
    assert (one["state"], one["task"]["key"]) == ("unresolved", key)
    assert f"ledger attach campaign {RUN} make <job-id> --key {key}" in shell("show", "--key", key)[1]


def test_one_item_is_resolved_alone(batch: BatchRig, said: str, shell: Shell) -> None:
    paid = jobs(batch)
    first, second = (key for key in unknown(shell) if key in paid)
    code, text = shell("attach", paid[second], "--key", first)
    assert code == 0, "a job that no other item has is not distinguishable from its own"
    code, text = shell("attach", paid[second], "--key", second)
    assert code == 1
    assert f"Job {paid[second]} is that of item {first!r} already" in text
    assert shell("attach", paid[first], "--key", first)[0] == 0
    assert shell("attach", paid[second], "--key", second)[0] == 0
    (rest,) = unknown(shell)
    assert shell("dismiss", "--key", rest, "--yes")[0] == 0
    assert batch.run(batch.batch(GIVEN))["counts"]["completed"] == 6
    assert len(batch.charges) == 6


def test_a_message_about_one_unknown_item_names_it(batch: BatchRig, shell: Shell) -> None:
    batch.sandbox.fault("drop", "sume", method="POST")
    given = [item("-a strange, 'key'", "sume")]
    text = fails(batch, given)
    batch.clock.move(300)
    batch.clear()
    attaching, dismissing = commands(text)
    assert attaching[:6] == ["ledger", "attach", "campaign", RUN, "make", batch.charges[0]["job_id"]]
    assert batch.charges[0]["job_id"] in batch.lines()[given[0]["key"]]["reason"], "the only job that it can be"
    assert shell.run(attaching)[0] == 0
    code, _, said = shell.run([*dismissing, "--yes"])
    assert code == 1
    assert "was resolved before" in said
    assert batch.run(batch.batch(given))["counts"]["completed"] == 1
    assert len(batch.charges) == 1


def test_wrong_lines_are_named_and_nothing_is_written(batch: BatchRig, said: str, shell: Shell, tmp_path: Path) -> None:
    paid, (first, second, third) = jobs(batch), unknown(shell)
    done = next(key for key in paid if key not in {first, second, third})
    free = [paid[key] for key in (first, second, third) if key in paid]
    file = tmp_path / "jobs.csv"
    lines = [
        "note,key,job_id",
        f"right,{first},{free[0]}",
        f"another's job,{second},{paid[done]}",
        f"nobody's job,{third},0b5f7d4e-0000-4000-8000-000000000000",
        f"left out,{third},",
        f"twice the same item,{first},{free[1]}",
        f"done,{done},{free[1]}",
        f"no such item,nobody,{free[1]}",
        f"no id,{second},not-submitted",
    ]
    file.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    code, text = shell("attach", "--from", str(file))
    assert code == 1
    assert f"6 of 7 filled in lines of {file} are wrong. Nothing was changed." in text
    found = dict(re.findall(r"^line (\d+): (.*)$", text, re.MULTILINE))
    assert f"is that of item {done!r} already" in found["3"]
    assert "does not know job 0b5f7d4e" in found["4"]
    assert found["6"] == "Line 2 names the same item."
    assert "has no open submission: the record contains done" in found["7"]
    assert "has no item with the key 'nobody'" in found["8"]
    assert "is not a job id" in found["9"]
    assert set(found) == {"3", "4", "6", "7", "8", "9"}
    assert shell.variables == {}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("key;job_id\na;b\n", "No line of - names the columns"),
        ("", "No line of - names the columns"),
        ("key,job_id\na,\n", "No line of - has a job id"),
    ],
)
def test_a_file_that_says_nothing_is_refused(batch: BatchRig, said: str, shell: Shell, content: str, told: str) -> None:
    code, text = shell("attach", "--from", "-", typed=content)
    assert code == 1
    assert told in text
    assert shell.variables == {}


def test_what_is_attached_comes_from_the_standard_input_too(batch: BatchRig, said: str, shell: Shell) -> None:
    paid = jobs(batch)
    lines = [f"{key},{paid[key]}" for key in unknown(shell) if key in paid]
    logged = "2026-11-21T03:00:00Z [warning ] Airflow logs to the standard output"
    code, text = shell("attach", "--from", "-", typed="\n".join([logged, "key,job_id", *lines]))
    assert code == 0, text
    assert len(shell.variables) == 2
    assert sorted(one["state"] for one in shell.json("list", "--open")["items"]) == ["resolved", "resolved", "unknown"]


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("yesterday", "is no time in ISO 8601"),
        ("2026-11-21T03:00:00", "with a time zone"),
        ("2020-01-01T00:00:00Z", "has no unknown submission from before"),
    ],
)
def test_a_time_that_means_nothing_is_refused(batch: BatchRig, said: str, shell: Shell, before: str, told: str) -> None:
    code, text = shell("dismiss", "--all-unknown", "--before", before, "--yes")
    assert code == 1
    assert told in text
    assert shell.variables == {}


def test_all_are_dismissed_only_after_asking(batch: BatchRig, said: str, shell: Shell) -> None:
    dismissing = commands(said)[2]
    code, _, text = shell.run(dismissing, "no\n")
    assert code == 1
    assert "3 submissions of campaign.make" in text
    assert shell.variables == {}


def test_a_job_that_could_be_that_of_two_items_is_told_so(batch: BatchRig, said: str, shell: Shell) -> None:
    keys = unknown(shell)
    paid = {paid for key, paid in jobs(batch).items() if key in keys}
    assert len(paid) == 2
    for key in keys:
        line = batch.lines()[key]
        assert {one["job_id"] for one in line["candidates"]} == paid
        for one in line["candidates"]:
            assert one["also_candidate_of"] == [other for other in keys if other != key]
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", one["created_at"])
            assert (
                f"{one['job_id']} ({one['status']}, created {one['created_at']}; it could be that of " in line["reason"]
            )
    assert "Before you attach jobs job_" in said and "more than one of these items could be" in said
    assert all("candidates" not in line for line in batch.lines().values() if line["status"] != "unknown")
    for one in shell.json("list", "--unknown")["items"]:
        assert set(one["candidates"]) == paid
        for job in one["candidate_jobs"]:
            assert job["also_candidate_of"] == [other for other in keys if other != one["key"]]
    _, table, _ = shell.run(["ledger", "list", "campaign", RUN, "make", "--unknown", "-o", "csv"])
    for row in csv.DictReader(table.splitlines()):
        assert len(row["created_at"].split()) == 2
        assert row["also_candidate_of"].count(": product-") == 2


def test_what_is_dismissed_is_listed_with_what_it_could_be(batch: BatchRig, said: str, shell: Shell) -> None:
    keys, dismissing = unknown(shell), commands(said)[2]
    code, _, text = shell.run(dismissing)  # nobody is there to answer
    assert code == 1
    assert "Nothing was changed. Nobody answered: add --yes when you have looked." in text
    assert "you pay twice (up to" in text
    assert "3 of 3 submissions have jobs at the vendor that could be theirs: dismissed, they may be paid twice." in text
    for key in keys:
        assert re.search(rf"^  {re.escape(key)}, sent at 20\S+Z: could be job_\w+ \(", text, re.MULTILINE)
    assert commands(text) == [["ledger", "list", "campaign", RUN, "make", "--unknown"]], "how to look first"
    assert shell.variables == {}
    code, told, text = shell.run([*dismissing, "--yes", "-o", "json"])
    assert code == 0
    assert "3 of 3 submissions have jobs at the vendor" in text
    told = json.loads(told)
    assert [one["key"] for one in told["resolved"]] == keys
    assert all(len(one["candidate_jobs"]) == 2 for one in told["resolved"])
    assert len(shell.variables) == 3


def test_what_no_job_could_be_is_dismissed_without_a_warning(batch: BatchRig, shell: Shell) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", when="before", times=2)
    fails(batch, GIVEN[:2])
    batch.clock.move(300)
    code, text = shell("dismiss", "--key", unknown(shell)[0], "--yes")
    assert code == 0
    assert "no job is known that it could be" in text and "paid twice" not in text
    code, text = shell("dismiss", "--all-unknown", "--before", "2099-01-01T00:00:00Z", "--yes")
    assert code == 0
    assert "1 submission of campaign.make" in text and "is now resolved: nothing was started" in text


def test_what_a_vendor_may_still_be_starting_is_told_and_not_dismissed(batch: BatchRig, shell: Shell) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", times=2)
    dismissing = commands(fails(batch))[2]
    assert [one["state"] for one in shell.json("list", "--open")["items"]] == ["unknown", "unknown"]
    assert len(shell.json("list", "--unknown")["items"]) == 2
    code, _, text = shell.run([*dismissing, "--yes"])
    assert code == 1
    assert "may still be in progress" in text
    assert shell.variables == {}


def test_it_lists_every_item(batch: BatchRig, said: str, shell: Shell) -> None:
    found = shell.json("list")["items"]
    assert [one["key"] for one in found] == [one["key"] for one in GIVEN], "in the order of the list"
    done = next(one for one in found if one["state"] == "completed")
    assert done["job_ids"] == [jobs(batch)[done["key"]]]
    code, text, _ = shell.run(["ledger", "list", "campaign", RUN, "make", "-o", "csv"])
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 6
    assert set(rows[0]) == {"key", "state", "job_id", "credits", "intended_at"}
    code, text = shell("list")
    assert code == 0
    assert text.count("unknown") == 3
    assert text.count("sume_default:") == 6


def test_what_was_used_again_is_listed_so(batch: BatchRig, shell: Shell) -> None:
    library = f"file://{batch.folder / 'library'}"
    batch.run(batch.batch(GIVEN[:2], library=library), run_id="week-1")
    batch.run(batch.batch(GIVEN[:3], library=library))
    found = shell.json("list")["items"]
    assert [one["state"] for one in found] == ["reused", "reused", "completed"]
    assert list(shell.json("show")["credits"]) == ["sume_default"], "what the other run paid for is that run's"


def test_a_vendor_that_cannot_be_asked_for_candidates_is_told(
    batch: BatchRig, said: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {**batch.sandbox.connection("sume", timeout=5), "host": "http://127.0.0.1:1/sume"}
    monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(value))
    found = shell.json("list", "--unknown")
    assert [one["candidates"] for one in found["items"]] == [[], [], []]
    assert "could not be listed to look for candidates" in found["notes"][0]


def test_items_that_left_the_list_and_those_without_a_record(batch: BatchRig, shell: Shell) -> None:
    with pytest.raises(TaskDeferred):
        batch.batch(GIVEN[:2]).execute(batch.context())
    assert {one["state"] for one in shell.json("list", "--open")["items"]} == {"submitted"}
    batch.retry()
    wrong = item("wrong", "sume")
    wrong["choices"][0]["request"] = {"kind": "image"}
    batch.run(batch.batch([*GIVEN[1:3], wrong], on_invalid="skip"))
    found = {one["key"]: one["state"] for one in shell.json("list")["items"]}
    assert found == dict.fromkeys([one["key"] for one in GIVEN[:3]], "completed") | {"wrong": "skipped"}
    assert shell.json("show", "--key", "wrong")["state"] == "skipped"
    assert 'unless on_clear is "fresh"' in shell("show")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "--key", "nobody"], "has no item with the key 'nobody'"),
        (["attach", "j"], "is a batch: use --key for one item, or --from FILE for many"),
        (["dismiss", "--yes"], "is a batch: use --key for one item, or --all-unknown --before TIME for many"),
        (["attach"], "takes either a job id, right after the task, or --from FILE"),
        (["attach", "j", "--from", "f"], "takes either a job id, right after the task, or --from FILE"),
        (["attach", "--from", "f", "--key", "k"], "leave --key out"),
        (["attach", "--from", "/nowhere.csv"], "/nowhere.csv cannot be read"),
        (["dismiss", "--all-unknown"], "belong together"),
        (["dismiss", "--key", "k", "--before", "2026-11-21T03:00:00Z"], "belong together"),
        (["dismiss", "--all-unknown", "--before", "2026-11-21T03:00:00Z", "--key", "k"], "either --key or"),
        (["show", "--map-index", "3", "--key", "k"], "is not recorded as a batch"),
        (["list", "--map-index", "3"], "is not recorded as a batch"),
    ],
)
def test_what_makes_no_sense_is_refused(batch: BatchRig, said: str, shell: Shell, words: list[str], told: str) -> None:
    code, text = shell(*words)
    assert code == 1
    assert told in text
    assert shell.variables == {}


def test_an_item_whose_record_cannot_be_read_stops_only_itself(batch: BatchRig, said: str, shell: Shell) -> None:
    key = unknown(shell)[0]
    (folder,) = batch.folder.rglob(item_folder(key))
    (folder / "0-broken-intent.json").write_text("{}")
    assert shell.json("show")["states"] == {"completed": 3, "unknown": 2, "unreadable": 1}
    code, text = shell("dismiss", "--key", key, "--yes")
    assert code == 1
    assert "cannot be read" in text
    assert shell.variables == {}


def test_airflow_parses_the_same_arguments() -> None:
    (adgen,) = definition.get_commands()
    ledger, _report = adgen.subcommands
    for command in ledger.subcommands:
        parser = argparse.ArgumentParser()
        for arg in command.args:
            arg.add_to_parser(parser)
        words = ["d", "r", "t", "--map-index", "2"]
        ours = definition.parser().parse_args(["ledger", command.name, *words])
        theirs = parser.parse_args(words)
        given = {name: value for name, value in vars(ours).items() if name != "act"}
        assert vars(theirs) | {"verb": command.name} == given


def test_a_job_that_the_vendor_has_deleted_is_given_up(batch: BatchRig, shell: Shell) -> None:
    given = GIVEN[:2]
    with pytest.raises(TaskDeferred):
        batch.batch(given).execute(batch.context())
    batch.patch.setattr(base, "retry_delay", lambda _age: 0.0)
    others = {**batch.sandbox.connection("sume", timeout=5), "password": batch.sandbox.add_account("sume", "others")}
    batch.patch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(others))
    batch.clock.move(120)
    batch.retry()
    fails(batch, given)
    key = given[0]["key"]
    assert f"ledger dismiss campaign {RUN} make --key {key}" in batch.lines()[key]["reason"]
    code, text = shell("dismiss", "--key", key, typed="yes\n")
    assert code == 0, text
    assert list(shell.variables.values()) == ["gone"]
    batch.clear()
    fails(batch, given)
    assert batch.statuses() == {key: "failed", given[1]["key"]: "submitted"}
    assert len(batch.charges) == 2
    batch.clear()
    fails(batch, given)
    assert batch.statuses() == {key: "completed", given[1]["key"]: "submitted"}
    assert len(batch.charges) == 3


def attach(shell: Shell, batch: BatchRig, paid: dict[str, str]) -> list[str]:
    """Attach the jobs of submissions that nobody knows about, and return the items."""
    keys = [key for key in unknown(shell) if key in paid]
    for key in keys:
        assert shell("attach", paid[key], "--key", key)[0] == 0
    return keys


def test_what_is_attached_is_collected_when_the_budget_is_used_up(batch: BatchRig, said: str, shell: Shell) -> None:
    keys = attach(shell, batch, jobs(batch))
    assert len(keys) == 2
    batch.patch.setenv("AIRFLOW__ADGEN__BUDGETS", json.dumps({"sume_default": {"day": 1}}))
    more = item("a", "sume")  # what has no room comes first
    fails(batch, [more, *GIVEN], assume_credits=1, on_insufficient="wait", submit_timeout=600, max_in_flight=1)
    assert {batch.statuses()[key] for key in keys} == {"completed"}
    assert len(batch.charges) == 6


def test_what_is_attached_is_not_paid_again_by_who_accepts_the_risk(batch: BatchRig, shell: Shell) -> None:
    batch.sandbox.fault("drop", "sume", method="POST", times=2)
    fails(batch, GIVEN[:1], on_unknown_submission="resubmit")
    assert len(batch.charges) == 2
    batch.clock.move(300)
    (key,) = attach(shell, batch, jobs(batch))
    batch.clear()
    told = batch.run(batch.batch(GIVEN[:1], on_unknown_submission="resubmit"))
    assert told["counts"]["completed"] == 1
    assert batch.lines()[key]["generation"]["id"] == jobs(batch)[key]
    assert len(batch.charges) == 2
