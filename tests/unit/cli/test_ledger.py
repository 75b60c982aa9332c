# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the command line says of a record, and what it lets a person say about a lost submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.cli import definition, server
from airflow_provider_adgen.compat import AirflowFailException, TaskDeferred
from airflow_provider_adgen.core.errors import GenerationFailed
from airflow_provider_adgen.core.vendor import Promises
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.triggers import base
from airflow_provider_adgen.vendors.adsumo import VENDOR
from tests.support.rig import IMAGE
from tests.support.shell import RUN, Shell
from tests.support.tasks import run_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.rig import Rig


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


@pytest.fixture(params=["state", "objects"])
def rig(request: pytest.FixtureRequest, make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A task at a vendor without keys, whose record is in either store; the command line reads the same store."""
    made = make_rig(records=request.param)

    def saved(_identity: Any) -> Any:
        if made.store is None:
            raise ImportError("Airflow before 3.3")
        return made.store

    monkeypatch.setattr(server, "_Saved", saved)
    monkeypatch.setattr(VENDOR, "promises", Promises(nothing_started=VENDOR.promises.nothing_started, lists_jobs=True))
    return made


@pytest.fixture
def lost(rig: Rig) -> Rig:
    """Its submission's answer is lost, some time ago."""
    rig.sandbox.fault("drop", "adsumo", method="POST", path="/images/*")
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    rig.clock.move(30)
    rig.clear()
    return rig


def job(rig: Rig) -> str:
    found: str = rig.charges[0]["job_id"]
    return found


# --- show ---------------------------------------------------------------------------------------------------------


def test_it_shows_what_is_unresolved_and_what_to_do(lost: Rig, shell: Shell) -> None:
    code, text = shell("show")
    uid = lost.record().attempts[0].uid
    assert code == 0
    assert f"attempt {uid} (open)" in text
    for word in (
        f"campaign.make in run {RUN}: unresolved",
        "vendor: adsumo",
        "connection: adsumo_default",
        "POST /images/text-to-image",
        "credits quoted: 1",
        f"ledger attach campaign {RUN} make <job-id>",
        f"ledger dismiss campaign {RUN} make",
        "That is taken from 20",
        f"adgen_resolve_{uid}",
    ):
        assert word in text
    found = shell.json("show")
    assert (found["ok"], found["state"], found["open_attempt"], found["resolution"]) == (True, "unresolved", uid, None)
    assert found["attempts"][0]["credits"] == {"quoted": 1, "charged": None, "refunded": None}


def test_it_shows_what_was_delivered(rig: Rig, shell: Shell) -> None:
    rig.run(rig.operator())
    found = shell.json("show")
    assert found["state"] == "done"
    assert found["open_attempt"] is None
    assert found["attempts"][0]["job_ids"] == [job(rig)]


def test_what_is_not_recorded_is_told(rig: Rig, shell: Shell) -> None:
    code, text = shell("show", "--map-index", "7")
    assert code == 1
    assert f"Nothing is recorded for campaign.make[7] in run {RUN}" in text


def test_where_nothing_keeps_records_that_is_told(
    make_rig: Callable[..., Rig], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rig(records="none")

    def none(_identity: Any) -> Any:
        raise ImportError("Airflow before 3.3")

    monkeypatch.setattr(server, "_Saved", none)
    assert shell.json("show")["error"].startswith("There is no ledger here")


# --- attach -------------------------------------------------------------------------------------------------------


def test_an_attached_job_is_delivered_and_pays_nothing(lost: Rig, shell: Shell) -> None:
    code, text = shell("attach", job(lost))
    assert code == 0, text
    assert "Adsumo knows the job" in text
    assert shell.variables == {f"adgen_resolve_{lost.record().attempts[0].uid}": job(lost)}
    assert shell.json("show")["resolution"] == job(lost)
    assert lost.run(lost.operator())["id"] == job(lost)
    assert len(lost.charges) == 1


@pytest.mark.parametrize("wrong", ["yes", "0b5f7d4e-0000-4000-8000-000000000000"])
def test_a_job_that_the_vendor_does_not_know_is_refused(lost: Rig, shell: Shell, wrong: str) -> None:
    code, text = shell("attach", wrong)
    assert code == 1
    assert f"Adsumo does not know job {wrong}" in text
    assert shell.variables == {}
    assert shell("attach", wrong, "--no-check")[0] == 0
    assert list(shell.variables.values()) == [wrong]


def test_a_job_that_is_older_than_the_submission_is_refused(rig: Rig, shell: Shell) -> None:
    older = AdsumoHook().submit(VENDOR.parse_request({"kind": "text-to-image", **IMAGE})).id
    rig.clock.move(600)
    rig.sandbox.fault("drop", "adsumo", method="POST", path="/images/*")
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    rig.clock.move(30)
    code, text = shell("attach", older)
    assert code == 1
    assert "it is another job" in text
    assert shell.variables == {}


@pytest.mark.parametrize("word", ["not-submitted", "gone"])
def test_what_dismisses_is_no_jobs_id(lost: Rig, shell: Shell, word: str) -> None:
    code, text = shell("attach", word, "--no-check")
    assert code == 1
    assert "is not a job id" in text
    assert shell.variables == {}


def test_a_vendor_that_cannot_be_asked_is_told(lost: Rig, shell: Shell) -> None:
    lost.connect(host="http://127.0.0.1:1/adsumo/api/v1")
    code, text = shell("attach", job(lost))
    assert code == 1
    assert "--no-check attaches it without a check" in text
    assert shell("attach", job(lost), "--conn-id", "nobody")[0] == 1
    assert shell.variables == {}


# --- dismiss ------------------------------------------------------------------------------------------------------


def test_a_dismissed_submission_is_made_anew(lost: Rig, shell: Shell) -> None:
    code, text = shell("dismiss", typed="yes\n")
    assert code == 0
    assert "you pay twice (up to 1 credit more)" in text
    assert lost.run(lost.operator())["id"] == lost.charges[1]["job_id"]


@pytest.mark.parametrize("typed", ["", "\n", "no\n"])
def test_dismissing_asks(lost: Rig, shell: Shell, typed: str) -> None:
    code, text = shell("dismiss", typed=typed)
    assert code == 1
    assert "Nothing was changed." in text
    assert shell.variables == {}


def test_dismissing_asks_nothing_where_told_so(lost: Rig, shell: Shell) -> None:
    answer = shell.json("dismiss", "--yes")
    assert answer["ok"]
    assert answer["value"] == "not-submitted"


def test_what_was_attached_is_not_dismissed(lost: Rig, shell: Shell) -> None:
    assert shell("attach", job(lost))[0] == 0
    before = dict(shell.variables)
    code, text = shell("dismiss", "--yes")
    assert code == 1
    assert f"was resolved before: it started job {job(lost)}. Nothing was changed." in text
    assert shell.variables == before


# --- a job that the vendor has deleted ----------------------------------------------------------------------------


@pytest.fixture
def deleted(rig: Rig) -> Rig:
    """A recorded job that the vendor knows no more: as if deleted, the account is another one."""
    with pytest.raises(TaskDeferred):
        rig.operator(deferrable=True).execute(rig.context())
    rig.connect(password=rig.sandbox.add_account("adsumo", "others"))
    rig.retry()
    with pytest.raises(AirflowFailException, match=r"does not know job .* pays again:\n    .* ledger dismiss campaign"):
        rig.run(rig.operator())
    return rig


def test_a_job_that_is_gone_can_be_given_up(deleted: Rig, shell: Shell) -> None:
    code, text = shell("dismiss", typed="yes\n")
    assert code == 0, text
    assert "pays again (up to 1 credit)" in text
    assert shell.variables == {f"adgen_resolve_{deleted.record().attempts[0].uid}": "gone"}
    deleted.retry()
    with pytest.raises(GenerationFailed, match=r"ended as expired .*the vendor does not know it any more"):
        deleted.run(deleted.operator())
    deleted.clear()
    result = deleted.run(deleted.operator())
    assert [one["job_id"] for one in deleted.charges] == [deleted.record().attempts[0].job_ids[0], result["id"]]


def test_what_is_gone_counts_where_it_is_found_by_waiting_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, context = rig.operator(deferrable=True), rig.context()
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    rig.connect(password=rig.sandbox.add_account("adsumo", "others"))
    rig.clock.move(120)
    uid = rig.record().attempts[0].uid
    monkeypatch.setenv(f"AIRFLOW_VAR_ADGEN_RESOLVE_{uid.upper()}", "gone")
    monkeypatch.setattr(base, "retry_delay", lambda _age: 0.0)
    with pytest.raises(GenerationFailed, match=r"ended as expired .*the vendor does not know it any more"):
        run_task(operator, context, resumed=True)
    assert rig.record().attempts[0].ended == "expired"


def test_a_job_that_the_vendor_knows_after_all_is_not_given_up(deleted: Rig, shell: Shell) -> None:
    assert shell("dismiss", "--yes")[0] == 0
    deleted.connect()
    deleted.clear()
    assert deleted.run(deleted.operator())["id"] == job(deleted)
    assert len(deleted.charges) == 1


def test_a_running_job_is_not_given_up(rig: Rig, shell: Shell) -> None:
    with pytest.raises(TaskDeferred):
        rig.operator(deferrable=True).execute(rig.context())
    code, text = shell("dismiss", "--yes")
    assert code == 1
    assert f"Adsumo knows job {job(rig)} of campaign.make in run {RUN}" in text
    assert shell.variables == {}


# --- what makes no sense ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["attach", "j"], ["dismiss", "--yes"]])
def test_what_is_not_open_is_not_resolved(rig: Rig, shell: Shell, command: list[str]) -> None:
    rig.run(rig.operator())
    code, text = shell(*command)
    assert code == 1
    assert f"has no open submission: the record contains done, job {job(rig)}" in text
    assert shell.variables == {}


def test_nobody_can_say_at_once_that_a_lost_answer_started_nothing(rig: Rig, shell: Shell) -> None:
    """A job that is there can be attached; the vendor may still be starting one that its list does not show yet."""
    rig.connect(timeout=60)
    rig.sandbox.fault("drop", "adsumo", method="POST", path="/images/*")
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    code, text = shell("dismiss", "--yes")
    assert (code, shell.variables) == (1, {})
    assert "may still be in progress" in text
    assert shell.json("show")["state"] == "unresolved"
    assert shell("attach", job(rig))[0] == 0
    assert list(shell.variables.values()) == [job(rig)]


@pytest.mark.parametrize("command", [["attach", "j"], ["dismiss", "--yes"]])
def test_what_is_being_posted_is_left_alone(rig: Rig, shell: Shell, command: list[str]) -> None:
    class Died(BaseException):
        pass

    def die(point: str) -> None:
        if point == "before-record":
            raise Died

    rig.connect(timeout=60)
    with rig.patch.context() as patch:
        patch.setattr("airflow_provider_adgen.lifecycle.submission.failpoint", die)
        with pytest.raises(Died):
            rig.run(rig.operator())
    code, text = shell(*command)
    assert code == 1
    assert "may still be in progress" in text
    assert shell.variables == {}
    assert shell.json("show")["state"] == "submitting"


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["show", "--key", "k"],
        ["attach", "--from", "f"],
        ["dismiss", "--all-unknown", "--before", "2026-11-21T03:00:00Z"],
    ],
)
def test_what_is_about_a_batch_is_told_of_a_single_generation(rig: Rig, shell: Shell, command: list[str]) -> None:
    rig.run(rig.operator())
    code, text = shell(*command)
    assert code == 1
    assert "campaign.make" in text
    assert "is not recorded as a batch" in text
    assert shell.variables == {}


def test_a_storage_that_cannot_be_read_is_told(rig: Rig, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", "nosuchstorage://bucket/ledger")
    code, text = shell("show")
    assert code == 1
    assert "The storage of [adgen] ledger_path cannot be read here" in text


# --- both command lines -------------------------------------------------------------------------------------------


def test_airflow_is_given_the_same_commands() -> None:
    (adgen,) = definition.get_commands()
    ledger, report = adgen.subcommands
    assert (adgen.name, ledger.name, report.name) == ("adgen", "ledger", "report")
    assert [one.name for one in ledger.subcommands] == ["show", "list", "attach", "dismiss"]
