# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Running a task again: retried, cleared, with another input, after its job failed. When is there a second charge?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError, GenerationFailed
from airflow_provider_adgen.core.vocabulary import GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.support.rig import Rig

    KillAt = Callable[[str], AbstractContextManager[None]]

OTHER = {"prompt": "A blue bottle on a beach"}


def delivered(rig: Rig, **fields: Any) -> dict[str, Any]:
    result: dict[str, Any] = rig.run(rig.operator(**{"destination": rig.destination, **fields}))
    assert result["status"] == "completed"
    return result


# --- clearing -----------------------------------------------------------------------------------------------------


def test_a_retry_after_delivery_returns_what_was_delivered(recorded: Rig, deferrable: bool) -> None:
    first = delivered(recorded, deferrable=deferrable)
    recorded.retry()
    asked = len(recorded.sandbox.requests("adsumo"))
    assert delivered(recorded, deferrable=deferrable) == first
    assert len(recorded.charges) == 1
    assert len(recorded.sandbox.requests("adsumo")) == asked, "nothing needs to be asked for it"


def test_a_delivery_without_a_destination_has_fresh_links_on_a_retry(recorded: Rig, deferrable: bool) -> None:
    first = delivered(recorded, destination=None)
    recorded.clock.move(7200)
    recorded.retry()
    second = delivered(recorded, destination=None, deferrable=deferrable)
    assert second["id"] == first["id"]
    assert second["creatives"][0]["url"] != first["creatives"][0]["url"]
    assert len(recorded.charges) == 1


def test_clearing_after_delivery_pays_for_a_fresh_one(recorded: Rig, deferrable: bool) -> None:
    first = delivered(recorded)
    for _ in range(2):
        recorded.clear()
        again = delivered(recorded, deferrable=deferrable)
        assert again["id"] != first["id"]
    assert len(recorded.charges) == 3
    assert len({charge["idempotency_key"] for charge in recorded.charges}) == 3


def test_clearing_after_delivery_pays_for_nothing_where_told_so(recorded: Rig) -> None:
    first = delivered(recorded)
    recorded.clear()
    assert delivered(recorded, on_clear="reattach") == first
    assert len(recorded.charges) == 1


def test_clearing_does_not_buy_again_what_was_not_delivered(recorded: Rig, killed: KillAt, deferrable: bool) -> None:
    with killed("after-record"):
        delivered(recorded)
    recorded.clear()
    result = delivered(recorded, deferrable=deferrable)
    assert result["id"] == recorded.charges[0]["job_id"]
    assert len(recorded.charges) == 1


@pytest.mark.parametrize("point", ["before-record", "after-record"])
def test_what_a_cleared_task_took_up_again_is_delivered_once(recorded: Rig, killed: KillAt, point: str) -> None:
    with killed(point):
        delivered(recorded)
    recorded.clear()
    with killed("after-done"):
        delivered(recorded)
    recorded.retry()
    assert delivered(recorded)["id"] == recorded.charges[0]["job_id"]
    assert len(recorded.charges) == 1
    recorded.clear()
    delivered(recorded)
    assert len(recorded.charges) == 2, "it was delivered, and the user cleared it"


def test_a_job_that_fails_after_a_clear_is_not_bought_again_by_a_retry(recorded: Rig, killed: KillAt) -> None:
    recorded.sandbox.settings(adsumo={"job_seconds": 1000})
    with killed("after-record"):
        delivered(recorded)
    recorded.sandbox.set_job(recorded.charges[0]["job_id"], "failed", after=500)
    recorded.clear()
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            delivered(recorded, poll_interval=20)
        recorded.retry()
    assert len(recorded.charges) == 1


def test_clearing_does_not_resolve_what_nobody_knows(
    recorded: Rig, killed: KillAt, promising: Callable[..., None]
) -> None:
    promising()
    with killed("before-record"):
        delivered(recorded)
    for _ in range(2):
        recorded.clear()
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            delivered(recorded)
    assert len(recorded.charges) == 1


def test_clearing_with_keys_settles_what_nobody_knows(recorded: Rig, killed: KillAt) -> None:
    with killed("before-record"):
        delivered(recorded)
    recorded.clear()
    delivered(recorded)
    assert len(recorded.charges) == 1


def test_clearing_a_refused_submission_submits_it(recorded: Rig) -> None:
    recorded.sandbox.set_credits("adsumo", 0)
    with pytest.raises(AirflowFailException, match="Top up"):
        delivered(recorded)
    recorded.sandbox.set_credits("adsumo", 10)
    recorded.clear()
    delivered(recorded)
    assert len(recorded.charges) == 1


def test_a_refused_fresh_one_does_not_hide_what_was_delivered(recorded: Rig) -> None:
    first = delivered(recorded)
    recorded.sandbox.set_credits("adsumo", 0)
    recorded.clear()
    with pytest.raises(AirflowFailException, match="Top up"):
        delivered(recorded)
    recorded.clear()
    assert delivered(recorded, on_clear="reattach") == first
    recorded.sandbox.set_credits("adsumo", 10)
    recorded.retry()
    assert delivered(recorded)["id"] != first["id"], "the user had cleared it"
    assert len(recorded.charges) == 2


# --- another input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["after-record", "after-done"])
def test_another_input_stops_a_retry_and_names_what_changed(recorded: Rig, killed: KillAt, point: str) -> None:
    with killed(point):
        delivered(recorded)
    recorded.retry()
    with pytest.raises(AirflowFailException, match=r"was paid for: prompt, quantity\. Nothing was sent"):
        delivered(recorded, **OTHER, quantity=2)
    assert len(recorded.charges) == 1
    assert len(recorded.posts()) == 1


@pytest.mark.parametrize("point", ["after-record", "after-done"])
def test_another_input_takes_the_paid_result_where_told_so(recorded: Rig, killed: KillAt, point: str) -> None:
    with killed(point):
        delivered(recorded)
    recorded.retry()
    assert delivered(recorded, **OTHER, on_changed_input="reattach")["id"] == recorded.charges[0]["job_id"]
    assert len(recorded.charges) == 1


@pytest.mark.parametrize("point", ["after-record", "after-done"])
def test_another_input_is_paid_for_where_told_so(recorded: Rig, killed: KillAt, point: str) -> None:
    with killed(point):
        delivered(recorded)
    for _ in range(2):
        recorded.retry()
        result = delivered(recorded, **OTHER, on_changed_input="fresh")
        assert result["details"]["prompt"] == OTHER["prompt"]
    assert len(recorded.charges) == 2


def test_another_input_after_a_clear_is_paid_for(recorded: Rig, killed: KillAt) -> None:
    with killed("after-record"):
        delivered(recorded)
    recorded.clear()
    assert delivered(recorded, **OTHER)["details"]["prompt"] == OTHER["prompt"]
    assert len(recorded.charges) == 2


def test_another_input_is_refused_and_the_first_comes_back(recorded: Rig, killed: KillAt) -> None:
    with killed("after-record"):
        delivered(recorded)
    recorded.sandbox.set_credits("adsumo", 0)
    recorded.clear()
    with pytest.raises(AirflowFailException, match="Top up"):
        delivered(recorded, **OTHER)
    recorded.sandbox.set_credits("adsumo", 10)
    recorded.clear()
    assert delivered(recorded)["id"] == recorded.charges[0]["job_id"]
    assert len(recorded.charges) == 1, "the first input's job was paid for and never delivered"


def test_another_input_does_not_settle_what_nobody_knows(recorded: Rig, killed: KillAt) -> None:
    with killed("before-record"):
        delivered(recorded)
    recorded.retry()
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        delivered(recorded, **OTHER, on_changed_input="fresh")
    assert len(recorded.charges) == 1


def test_a_leg_of_the_same_try_never_compares(recorded: Rig) -> None:
    operator = recorded.operator(deferrable=True, destination=recorded.destination)

    def rendered_anew(*_: Any) -> Any:
        operator.prompt += "!"
        return operator

    context = recorded.context()
    from airflow_provider_adgen.compat import TaskDeferred

    with pytest.raises(TaskDeferred):
        operator.execute(context)
    rendered_anew()
    job = recorded.charges[0]["job_id"]
    recorded.sandbox.set_job(job, "completed")
    result = operator.execute_complete(context, {"id": job, "status": "completed"})
    assert result["id"] == job and len(recorded.charges) == 1


def test_another_connection_is_another_input(recorded: Rig, killed: KillAt) -> None:
    recorded.connect("adsumo_eu")
    with killed("after-record"):
        delivered(recorded)
    recorded.retry()
    with pytest.raises(AirflowFailException, match=r"was paid for: \(connection\)"):
        delivered(recorded, conn_id="adsumo_eu")
    assert len(recorded.charges) == 1


def test_a_new_key_of_the_same_account_is_no_other_input(recorded: Rig, killed: KillAt) -> None:
    with killed("after-record"):
        delivered(recorded)
    key = recorded.sandbox.add_account("adsumo", "team", key="adsumo_sk_new")
    recorded.connect(password=key)
    recorded.retry()
    assert delivered(recorded)["id"] == recorded.charges[0]["job_id"]
    assert len(recorded.charges) == 1


def test_the_key_of_another_account_stops_the_task(recorded: Rig, killed: KillAt) -> None:
    with killed("after-record"):
        delivered(recorded)
    recorded.connect(password=recorded.sandbox.add_account("adsumo", "others"))
    for again in (recorded.retry, recorded.clear):
        again()
        with pytest.raises(AirflowFailException, match=r"does not know job .* point to another account"):
            delivered(recorded)
    assert len(recorded.charges) == 1
    recorded.connect()
    recorded.retry()
    delivered(recorded)
    assert len(recorded.charges) == 1


# --- jobs that ended badly ----------------------------------------------------------------------------------------


def test_a_failed_job_is_not_bought_again(recorded: Rig, deferrable: bool) -> None:
    recorded.sandbox.fail_next("adsumo", message="content policy", times=5)
    for _ in range(3):
        with pytest.raises(GenerationFailed, match="ended as failed") as caught:
            delivered(recorded, deferrable=deferrable)
        assert caught.value.generation_id == recorded.charges[0]["job_id"]
        recorded.retry()
    assert len(recorded.charges) == 1
    assert "refunds it is not documented" in str(caught.value)


def test_a_failed_job_is_bought_again_where_told_so(recorded: Rig, deferrable: bool) -> None:
    recorded.sandbox.fail_next("adsumo", times=2)
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            delivered(recorded, deferrable=deferrable, on_failed="resubmit")
        recorded.retry()
    delivered(recorded, deferrable=deferrable, on_failed="resubmit")
    assert len(recorded.charges) == 3
    assert len({charge["idempotency_key"] for charge in recorded.charges}) == 3


def test_a_failed_job_that_is_refunded_is_bought_again(recorded: Rig, promising: Callable[..., None]) -> None:
    promising(refunded=frozenset({GenerationStatus.FAILED}))
    recorded.sandbox.fail_next("adsumo", times=2, refund=True)
    for _ in range(2):
        with pytest.raises(GenerationFailed, match="documents that it refunds"):
            delivered(recorded, max_credits=1)
        recorded.retry()
    delivered(recorded, max_credits=1)
    assert len(recorded.charges) == 3 and recorded.spent == 1


def test_a_worker_whose_clock_is_behind_goes_by_what_it_bought_last(
    recorded: Rig, promising: Callable[..., None], deferrable: bool
) -> None:
    promising(refunded=frozenset({GenerationStatus.FAILED}))
    recorded.sandbox.fail_next("adsumo", refund=True)
    with pytest.raises(GenerationFailed):
        delivered(recorded, deferrable=deferrable)
    recorded.retry()
    recorded.clock.ahead -= 30
    found = delivered(recorded, deferrable=deferrable)
    assert found["id"] == recorded.charges[1]["job_id"]
    recorded.retry()
    assert delivered(recorded, deferrable=deferrable)["id"] == found["id"]
    assert len(recorded.charges) == 2 and recorded.spent == 1


def test_a_refund_does_not_help_where_told_not_to_resubmit(recorded: Rig, promising: Callable[..., None]) -> None:
    promising(refunded=frozenset({GenerationStatus.FAILED}))
    recorded.sandbox.fail_next("adsumo", refund=True)
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            delivered(recorded, on_failed="fail")
        recorded.retry()
    assert len(recorded.charges) == 1


def test_a_failed_job_is_bought_again_after_a_clear(recorded: Rig) -> None:
    recorded.sandbox.fail_next("adsumo")
    with pytest.raises(GenerationFailed):
        delivered(recorded)
    recorded.clear()
    delivered(recorded)
    assert len(recorded.charges) == 2


@pytest.mark.parametrize("leak", ["https://b.s3/x?X-Amz-Signature=deadbeef", "adsumo_sk_0123456789"])
def test_what_the_vendor_says_of_a_failure_is_shown_without_secrets(recorded: Rig, leak: str) -> None:
    fault = {"error_message": f"cannot read {leak}"}
    recorded.sandbox.fail_next("adsumo")
    recorded.sandbox.fault("patch", "adsumo", method="GET", values=fault, times=-1)
    for _ in range(3):
        with pytest.raises(GenerationFailed, match="cannot read") as caught:
            delivered(recorded)
        assert leak not in str(caught.value)
        recorded.retry()
    assert leak not in recorded.record().model_dump_json()


# --- what a person decides ----------------------------------------------------------------------------------------


@pytest.fixture
def unresolved(recorded: Rig, killed: KillAt, promising: Callable[..., None]) -> Rig:
    promising()
    with killed("before-record"):
        delivered(recorded)
    recorded.retry()
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        delivered(recorded)
    recorded.clear()
    return recorded


def resolve(rig: Rig, said: str) -> str:
    name = f"adgen_resolve_{rig.record().attempts[0].uid}"
    rig.patch.setenv(f"AIRFLOW_VAR_{name.upper()}", said)
    return name


def test_the_error_names_the_variable(unresolved: Rig) -> None:
    with pytest.raises(AirflowFailException, match=f"adgen_resolve_{unresolved.record().attempts[0].uid}"):
        delivered(unresolved)


def test_what_gives_up_a_recorded_job_says_nothing_of_a_lost_submission(unresolved: Rig) -> None:
    resolve(unresolved, "gone")
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        delivered(unresolved)
    assert len(unresolved.charges) == 1


def test_a_person_attaches_the_job(unresolved: Rig, deferrable: bool) -> None:
    job = unresolved.charges[0]["job_id"]
    resolve(unresolved, f" {job} ")
    for _ in range(2):
        assert delivered(unresolved, deferrable=deferrable)["id"] == job
        unresolved.retry()
    assert len(unresolved.charges) == 1


def test_a_person_dismisses_it(unresolved: Rig) -> None:
    resolve(unresolved, "not-submitted")
    for _ in range(2):
        assert delivered(unresolved)["id"] == unresolved.charges[1]["job_id"]
        unresolved.retry()
    assert len(unresolved.charges) == 2, "one that a person said was not made, one that was made since"


@pytest.mark.parametrize("said", ["yes", "0b5f7d4e-0000-4000-8000-000000000000"])
def test_a_job_that_does_not_exist_is_not_attached(unresolved: Rig, said: str) -> None:
    name = resolve(unresolved, said)
    with pytest.raises(AirflowFailException, match=f"Variable {name} names job {said}, which Adsumo does not know"):
        delivered(unresolved)
    assert unresolved.phases == ["intent"], "a slip of the pen is not recorded"
    job = unresolved.charges[0]["job_id"]
    resolve(unresolved, job)
    assert delivered(unresolved)["id"] == job
    assert len(unresolved.charges) == 1


def test_an_empty_variable_decides_nothing(unresolved: Rig) -> None:
    resolve(unresolved, "  ")
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        delivered(unresolved)


def test_resubmitting_accepts_a_second_charge_and_no_third(unresolved: Rig) -> None:
    for _ in range(3):
        delivered(unresolved, on_unknown_submission="resubmit")
        unresolved.retry()
    assert len(unresolved.charges) == 2
    # What was bought since is what counts from now on.
    delivered(unresolved)
    assert len(unresolved.charges) == 2


@pytest.fixture
def keyed(recorded: Rig, killed: KillAt) -> Rig:
    """A submission whose outcome is unknown, and whose key would tell."""
    with killed("before-record"):
        delivered(recorded)
    recorded.retry()
    return recorded


def posts(rig: Rig) -> int:
    return len(rig.sandbox.requests("adsumo", method="POST"))


def test_an_attached_job_counts_before_its_key_is_asked(keyed: Rig) -> None:
    job = keyed.charges[0]["job_id"]
    resolve(keyed, job)
    assert delivered(keyed)["id"] == job
    assert (posts(keyed), len(keyed.charges)) == (1, 1), "nothing is sent again"


def test_what_a_key_still_protects_is_repeated_with_it_whatever_a_person_said(keyed: Rig) -> None:
    resolve(keyed, "not-submitted")
    assert delivered(keyed)["id"] == keyed.charges[0]["job_id"]
    assert (posts(keyed), len(keyed.charges)) == (2, 1), "the person was wrong, and paid nothing for it"


def test_an_answer_that_cannot_be_read_is_not_taken_for_none_before_the_risk_is_taken(
    unresolved: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_args: object, **_options: object) -> None:
        raise OSError("the API server does not answer")

    resolve(unresolved, unresolved.charges[0]["job_id"])
    with monkeypatch.context() as patch:
        patch.setattr("airflow.sdk.Variable.get", down)
        with pytest.raises(AdGenError, match=r"could not be read \(OSError\).*nothing more was sent"):
            delivered(unresolved, on_unknown_submission="resubmit")
    assert len(unresolved.charges) == 1
    unresolved.retry()
    assert delivered(unresolved, on_unknown_submission="resubmit")["id"] == unresolved.charges[0]["job_id"]
    assert len(unresolved.charges) == 1
