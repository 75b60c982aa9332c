# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A process dies at each point of a paid generation's life: the next try pays for nothing that is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import GenerationTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.support.rig import Rig

    KillAt = Callable[[str], AbstractContextManager[None]]

POINTS = ["before-post", "before-record", "after-record", "before-store", "before-done", "after-done"]
LATER = POINTS[2:]


@pytest.mark.parametrize("point", POINTS)
def test_with_keys_the_next_try_delivers_and_pays_nothing_more(
    anywhere: Rig, killed: KillAt, point: str, deferrable: bool
) -> None:
    rig = anywhere
    arguments: dict[str, Any] = {"destination": rig.destination, "deferrable": deferrable}
    with killed(point):
        rig.run(rig.operator(**arguments))
    for _ in range(2):
        rig.retry()
        result = rig.run(rig.operator(**arguments))
        assert result["status"] == "completed"
        assert result["creatives"][0]["uri"].startswith("file://")
    assert len(rig.charges) == 1
    assert rig.xcoms["uris"] == [result["creatives"][0]["uri"]]


@pytest.mark.parametrize("point", POINTS)
def test_without_keys_the_next_try_delivers_or_stops(
    recorded: Rig, killed: KillAt, point: str, promising: Callable[..., None]
) -> None:
    promising()
    rig = recorded
    with killed(point):
        rig.run(rig.operator(destination=rig.destination))
    for _ in range(2):
        rig.retry()
        if point in LATER:
            assert rig.run(rig.operator(destination=rig.destination))["status"] == "completed"
        else:
            with pytest.raises(AirflowFailException, match="Nobody knows"):
                rig.run(rig.operator(destination=rig.destination))
    assert len(rig.charges) == (0 if point == "before-post" else 1)


@pytest.mark.parametrize("point", POINTS)
def test_without_keys_and_without_a_record_only_the_first_try_submits(
    make_rig: Callable[..., Rig], killed: KillAt, point: str, promising: Callable[..., None]
) -> None:
    promising()
    rig = make_rig(records="none")
    with killed(point):
        rig.run(rig.operator(destination=rig.destination))
    paid = len(rig.charges)
    for _ in range(2):
        rig.retry()
        with pytest.raises(
            AirflowFailException, match=r"Try . of .* was not submitted to Adsumo: an earlier try may have"
        ):
            rig.run(rig.operator())
    assert len(rig.charges) == paid <= 1


def test_without_a_record_one_warning_says_so(make_rig: Callable[..., Rig], diary: Any) -> None:
    rig = make_rig(records="none")
    rig.run(rig.operator(deferrable=True))
    assert diary.text().count("Nothing records what this task pays for") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 429, "retry_after": 1},
        {"status": 429, "retry_after": 300},
        {"status": 402},
        {"status": 400},
        {"status": 403},
        {"status": 401},
    ],
    ids=lambda one: "-".join(str(value) for value in one.values()),
)
def test_a_refused_repeat_does_not_forget_the_posting_before_it(
    recorded: Rig, killed: KillAt, refusal: dict[str, Any]
) -> None:
    # A vendor may look at rates, credits and keys before it looks at what it was sent already.
    rig = recorded
    with killed("before-record"):
        rig.run(rig.operator())
    rig.sandbox.fault("status", "adsumo", method="POST", **refusal)
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1
    assert rig.phases == ["done"]


def test_a_repeat_that_is_always_refused_stops_the_task(recorded: Rig, killed: KillAt) -> None:
    rig = recorded
    with killed("before-record"):
        rig.run(rig.operator())
    rig.sandbox.fault("status", "adsumo", method="POST", status=402, times=-1)
    for _ in range(2):
        rig.retry()
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            rig.run(rig.operator())
    # The second try asks once more: the account may have been put right.
    assert len(rig.charges) == 1 and len(rig.posts()) == 5


def test_resubmitting_after_a_refused_repeat_still_uses_the_key_that_may_know(recorded: Rig, killed: KillAt) -> None:
    rig = recorded
    with killed("before-record"):
        rig.run(rig.operator())
    rig.sandbox.fault("status", "adsumo", method="POST", status=402, times=3)
    rig.retry()
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    rig.retry()
    assert rig.run(rig.operator(on_unknown_submission="resubmit"))["status"] == "completed"
    assert len(rig.charges) == 1
    assert len({post["headers"]["idempotency-key"] for post in rig.posts()}) == 1


@pytest.mark.parametrize("refusal", [{"status": 429, "retry_after": 1}, {"status": 429, "retry_after": 300}])
@pytest.mark.parametrize("point", POINTS[1:])
def test_a_rate_limit_before_the_acceptance_does_not_lose_the_key(
    anywhere: Rig, killed: KillAt, point: str, refusal: dict[str, Any], deferrable: bool
) -> None:
    rig = anywhere
    rig.sandbox.fault("status", "adsumo", method="POST", times=2, **refusal)
    with killed(point):
        rig.run(rig.operator(destination=rig.destination, deferrable=deferrable))
    rig.retry()
    assert rig.run(rig.operator(destination=rig.destination, deferrable=deferrable))["status"] == "completed"
    assert len(rig.charges) == 1


def test_our_own_timeout_is_followed_by_waiting_on(anywhere: Rig, deferrable: bool) -> None:
    rig = anywhere
    rig.sandbox.settings(adsumo={"job_seconds": 1e9})
    arguments = {"timeout": 0.3 if deferrable else 60, "poll_interval": 0.05 if deferrable else 10}
    with pytest.raises(GenerationTimeout, match="a retry goes on waiting for it") as caught:
        rig.run(rig.operator(deferrable=deferrable, **arguments))
    assert caught.value.generation_id == rig.sandbox.jobs()[0]["id"]
    rig.sandbox.set_job(caught.value.generation_id, "completed")
    rig.retry()
    assert rig.run(rig.operator(deferrable=deferrable, **arguments))["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_try_waits_anew(rig: Rig) -> None:
    rig.sandbox.settings(adsumo={"job_seconds": 1e9})
    for number in range(3):
        with pytest.raises(GenerationTimeout):
            rig.run(rig.operator(timeout=600, poll_interval=60))
        rig.retry()
        assert rig.clock.ahead == pytest.approx(600 * (number + 1), abs=10)
    assert len(rig.charges) == 1


def test_a_worker_that_died_long_ago_leaves_a_key_that_is_too_old(recorded: Rig, killed: KillAt) -> None:
    rig = recorded
    with killed("before-record"):
        rig.run(rig.operator())
    rig.clock.move(23.5 * 3600)
    rig.retry()
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    assert len(rig.charges) == 1 and len(rig.posts()) == 1


def test_the_key_of_the_account_was_changed_meanwhile(recorded: Rig, killed: KillAt) -> None:
    rig = recorded
    with killed("before-record"):
        rig.run(rig.operator())
    rig.connect(password=rig.sandbox.add_account("adsumo", "team", key="adsumo_sk_other"))
    rig.retry()
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    assert len(rig.charges) == 1


def test_another_process_may_still_be_posting(recorded: Rig, killed: KillAt) -> None:
    rig = recorded
    rig.connect(timeout=30)
    with killed("before-record"):
        rig.run(rig.operator())
    rig.clock.slept.clear()
    rig.retry()
    rig.run(rig.operator())
    assert 25 < rig.clock.slept[0] <= 30
    assert len(rig.charges) == 1


@pytest.mark.parametrize("policy", ["fail", "resubmit"])
def test_what_another_process_recorded_meanwhile_is_read(
    recorded: Rig, promising: Callable[..., None], killed: KillAt, policy: str
) -> None:
    promising()
    rig = recorded
    rig.connect(timeout=50)
    with killed("before-record"):
        rig.run(rig.operator())
    first = rig.record().attempts[0]
    job = rig.sandbox.jobs()[0]["id"]
    rig.retry()
    sleep = rig.clock.sleep

    def other_process_answers(seconds: float) -> None:
        from airflow_provider_adgen.ledger.ledger import task_ledger
        from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

        context = rig.context()
        submitted = {"phase": "submitted", "job_ids": [job], "answered": True}
        task_ledger(context, TaskFacts.of(context).identity).write(first.model_copy(update=submitted))
        rig.patch.setattr("time.sleep", sleep)
        sleep(seconds)

    rig.patch.setattr("time.sleep", other_process_answers)
    result = rig.run(rig.operator(on_unknown_submission=policy))
    assert result["id"] == job
    assert len(rig.charges) == 1 and len(rig.posts()) == 1
