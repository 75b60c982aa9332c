# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What every generation operator hands to Airflow: results, XComs, deferrals, log lines, deadlines and its words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
from airflow_provider_adgen.operators._option_values import one_of, seconds, whole_credits
from airflow_provider_adgen.operators.generate import GenerateOperator

if TYPE_CHECKING:
    from tests.support.rig import Rig

KEYS = ["schema", "vendor", "id", "job_ids", "kind", "status", "creatives", "variants", "credits", "created_at"]
KEYS += ["completed_at", "error", "progress", "details"]


@pytest.fixture(params=[False, True], ids=["sync", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    found: bool = request.param
    return found


def deferred(rig: Rig, **fields: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        rig.operator(deferrable=True, **fields).execute(rig.context())
    return caught.value


# --- results ------------------------------------------------------------------------------------------------------


def test_the_dictionary_of_every_vendor(rig: Rig, deferrable: bool) -> None:
    result = rig.run(rig.operator(deferrable=deferrable, destination=rig.destination, quantity=2))
    assert list(result) == KEYS
    assert result == json.loads(json.dumps(result))
    assert result["schema"] == 1 and result["vendor"] == "adsumo"
    assert result["job_ids"] == [result["id"]]
    assert result["credits"] == {"quoted": 2, "charged": None, "refunded": None}
    assert rig.xcoms == {"id": result["id"], "uris": [one["uri"] for one in result["creatives"]]}


def test_a_link_is_returned_only_where_nothing_else_was_asked_for(rig: Rig, deferrable: bool) -> None:
    linked = rig.run(rig.operator(deferrable=deferrable))
    assert linked["creatives"][0]["url"].startswith("http") and linked["creatives"][0]["expires_at"]
    assert rig.xcoms["uris"] == []
    rig.clear()
    stored = rig.run(rig.operator(deferrable=deferrable, destination=rig.destination))
    assert "http" not in json.dumps(stored) + json.dumps(rig.xcoms)


def test_submitting_only_returns_at_once(rig: Rig, deferrable: bool) -> None:
    result = rig.run(rig.operator(deferrable=deferrable, wait_for_completion=False))
    assert list(result) == KEYS and result["status"] == "processing"
    assert len(rig.sandbox.requests("adsumo")) == 1


# --- deferrals ----------------------------------------------------------------------------------------------------


def test_a_deferral_holds_ids_and_no_secret(rig: Rig) -> None:
    rig.connect(headers={"X-Team": "s3cr3t"}, webhook_secret="whsec_s3cr3t")
    deferral = deferred(rig, destination=rig.destination)
    path, kwargs = deferral.trigger.serialize()
    text = json.dumps([path, kwargs, deferral.kwargs or {}, deferral.method_name])
    assert "adsumo_sk" not in text and "s3cr3t" not in text and "http" not in text and "://" not in text
    assert path == "airflow_provider_adgen.triggers.generation.GenerationTrigger"
    assert kwargs["conn_id"] == "adsumo_default" and kwargs["vendor"] == "adsumo"
    assert kwargs["job_ids"] == [rig.charges[0]["job_id"]] and kwargs["kind"] == "image"
    assert deferral.method_name == "execute_complete"


def test_a_job_that_is_over_already_is_not_waited_for(rig: Rig) -> None:
    operator = rig.operator(deferrable=True, destination=rig.destination)
    with pytest.raises(TaskDeferred):
        operator.execute(rig.context())
    rig.clock.move(600)
    rig.retry()
    # The retry asks before it waits.
    assert operator.execute(rig.context())["status"] == "completed"


@pytest.mark.parametrize("poll_interval", [7, 7.0, "7", timedelta(seconds=7)])
def test_times_are_seconds_or_timedeltas(rig: Rig, poll_interval: Any) -> None:
    kwargs = deferred(rig, poll_interval=poll_interval, timeout=timedelta(minutes=5)).trigger.serialize()[1]
    assert kwargs["poll_interval"] == 7.0
    assert kwargs["until"] - rig.clock.now() == pytest.approx(300, abs=5)


def test_configuration_says_how_often_to_look(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 1e6})  # not over before the second leg, on any machine
    assert deferred(rig, poll_interval=None).trigger.serialize()[1]["poll_interval"] == 15.0
    monkeypatch.setenv("AIRFLOW__ADGEN__POLL_INTERVAL", "4")
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "3")
    rig.clear()
    kwargs = deferred(rig, poll_interval=None).trigger.serialize()[1]
    assert (kwargs["poll_interval"], kwargs["first_fire_delay"]) == (4.0, 3.0)


# --- waiting on the worker ----------------------------------------------------------------------------------------


def test_it_looks_at_its_interval_and_not_more(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 100})
    rig.run(rig.operator(poll_interval=10))
    assert len(rig.clock.slept) in range(8, 13)
    # The first look comes when such images may be ready, by what is assumed to be typical: after 16 s.
    assert 14 <= rig.clock.slept[0] <= 18
    assert all(8 <= slept <= 12 for slept in rig.clock.slept[1:])


def test_it_ends_before_airflows_execution_timeout(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 1e6})
    with pytest.raises(GenerationTimeout, match=r"did not finish within (28\d|29\d) s\. It is paid for"):
        rig.run(rig.operator(poll_interval=10, execution_timeout=timedelta(seconds=300)))
    assert 270 < rig.clock.ahead < 300


def test_it_looks_once_more_at_the_deadline(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 59})
    assert rig.run(rig.operator(poll_interval=50, timeout=60))["status"] == "completed"


@pytest.mark.parametrize("timeout", [5, 0.001])
def test_a_short_time_is_a_short_time(rig: Rig, timeout: float) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 1e6})
    with pytest.raises(GenerationTimeout, match=f"within {timeout:g} s"):
        rig.run(rig.operator(timeout=timeout, poll_interval=60))
    assert rig.clock.ahead < timeout + 1


# --- jobs that are suspended --------------------------------------------------------------------------------------


@pytest.fixture
def suspending(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Adsumo has no such word; what is done about it is the same for all."""
    from airflow_provider_adgen.core.vocabulary import GenerationStatus
    from airflow_provider_adgen.vendors.adsumo import VENDOR

    monkeypatch.setattr(VENDOR, "statuses", {**VENDOR.statuses, "suspended": GenerationStatus.SUSPENDED})
    rig.sandbox.fault("patch", "adsumo", method="GET", values={"status": "suspended"}, times=-1)
    return rig


def test_a_suspended_job_is_waited_for(suspending: Rig) -> None:
    rig = suspending
    sleep = rig.clock.sleep

    def review(seconds: float) -> None:
        sleep(seconds)
        if len(rig.clock.slept) == 4:
            rig.sandbox.clear_faults()

    rig.patch.setattr("time.sleep", review)
    assert rig.run(rig.operator(poll_interval=5))["status"] == "completed"
    assert len(rig.clock.slept) >= 4


@pytest.mark.parametrize(("policy", "kind"), [("fail", GenerationFailed), ("skip", AirflowSkipException)])
def test_a_suspended_job_ends_the_task_where_told_so(
    suspending: Rig, deferrable: bool, policy: str, kind: type[Exception]
) -> None:
    rig = suspending
    with pytest.raises(kind, match=r"is suspended until a person reviews it at Adsumo\. It is paid for"):
        rig.run(rig.operator(on_suspended=policy, deferrable=deferrable))
    assert rig.phases == ["submitted"]
    rig.sandbox.clear_faults()
    rig.retry()
    assert rig.run(rig.operator(on_suspended=policy, deferrable=deferrable))["status"] == "completed"
    assert len(rig.charges) == 1


# --- words --------------------------------------------------------------------------------------------------------


def test_the_log_is_a_line_per_change_and_not_per_look(rig: Rig, diary: Any) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 100})
    rig.run(rig.operator(poll_interval=2, destination=rig.destination))
    job = rig.charges[0]["job_id"]
    ours = diary.lines(lambda line: job in line and "debug" not in line.lower())
    assert len(ours) <= 5, ours
    assert any(f"Submitted text-to-image to Adsumo: job {job}, 1 credit (estimated)." in line for line in ours)
    assert any(f"Adsumo job {job} is completed; stored 1 file." in line for line in ours)


def test_an_unknown_status_word_is_warned_about_once(rig: Rig, diary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_adgen.core.vendor._warned", set())
    rig.sandbox.settings(adsumo={"job_seconds": 100})
    rig.sandbox.fault("patch", "adsumo", method="GET", values={"status": "rendering"}, times=5)
    assert rig.run(rig.operator(poll_interval=5))["status"] == "completed"
    warned = diary.lines(lambda line: "rendering" in line and "warning" in line.lower())
    assert len(warned) == 1, warned


def test_a_failure_is_a_sentence(rig: Rig, deferrable: bool) -> None:
    rig.sandbox.fault("patch", "adsumo", method="GET", values={"error_message": "Blocked by policy."}, times=-1)
    rig.sandbox.fail_next("adsumo")
    with pytest.raises(GenerationFailed) as caught:
        rig.run(rig.operator(deferrable=deferrable))
    job = rig.charges[0]["job_id"]
    assert str(caught.value) == (
        f"Adsumo job {job} ended as failed: Blocked by policy. Whether Adsumo refunds it is not documented."
    )
    assert (caught.value.generation_id, caught.value.status) == (job, "failed")


def test_a_missing_connection_is_airflows_own_error(rig: Rig) -> None:
    with pytest.raises(Exception, match="nowhere"):
        rig.run(rig.operator(conn_id="nowhere"))
    assert rig.sandbox.requests("adsumo") == []


def test_a_connection_of_another_vendor_is_refused_by_name(rig: Rig) -> None:
    rig.connect("sume_default", conn_type="sume")
    with pytest.raises(
        AirflowFailException, match="'sume_default' is of type 'sume', but this needs one of type 'adsumo'"
    ):
        rig.run(rig.operator(conn_id="sume_default"))


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "found"), [(1, 1.0), ("2.5", 2.5), (timedelta(minutes=1), 60.0), (0.001, 0.001)])
def test_seconds(value: Any, found: float) -> None:
    assert seconds("x", value) == found


@pytest.mark.parametrize("value", [0, -1, "", "x", None, True, float("nan"), float("inf"), timedelta(0), [], 1e12])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^x must be"):
        seconds("x", value)


@pytest.mark.parametrize(("value", "found"), [(None, None), (0, 0), ("7", 7), (" 7 ", 7), (7, 7)])
def test_whole(value: Any, found: int | None) -> None:
    assert whole_credits("x", value) == found


@pytest.mark.parametrize("value", [-1, "x", 1.5, "1.5", True, [], "None", ""])
def test_what_is_no_number_of_credits(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^x must"):
        whole_credits("x", value)


def test_one_of() -> None:
    assert one_of("x", "a", ("a", None)) == "a"
    with pytest.raises(ValueError, match="x must be one of 'a', None"):
        one_of("x", "b", ("a", None))


def test_the_documentation_names_every_argument() -> None:
    import inspect

    doc = GenerateOperator.__doc__ or ""
    for name in inspect.signature(GenerateOperator.__init__).parameters:
        assert name in {"self", "kwargs"} or f":param {name}:" in doc, name
