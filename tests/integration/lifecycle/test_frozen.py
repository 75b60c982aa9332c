# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A process is frozen between reading the record and posting, Airflow lets another try go, and then it wakes up.

Two tries of one task then run at the same time, and both have read that nothing was submitted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.stores import ObjectStore
from airflow_provider_adgen.lifecycle import submission
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from tests.support.rig import IMAGE
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.core.record import Attempt
    from tests.support.rig import Rig


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], list[str]]:
    """Let something happen while a process is frozen at a named point, once; return where it happened."""

    def freeze(point: str, act: Callable[[], None]) -> list[str]:
        happened: list[str] = []

        def failpoint(here: str) -> None:
            if here == point and not happened:
                happened.append(here)
                act()

        monkeypatch.setattr(submission, "failpoint", failpoint)
        return happened

    return freeze


def another_try(rig: Rig) -> str:
    """Run another try of the rig's task, to its end; return its job."""
    operator = AdsumoTextToImageOperator(task_id="make", poll_interval=0.05, deferrable=False, **IMAGE)
    context = task_context(rig.store, try_number=rig.try_number + 1, max_tries=rig.max_tries)
    found: str = run_task(operator, context)["id"]
    return found


@pytest.mark.parametrize("records", ["objects", "both"])
def test_who_slept_while_another_paid_takes_what_the_other_bought(
    make_rig: Callable[..., Rig],
    promising: Callable[..., None],
    meanwhile: Callable[[str, Callable[[], None]], list[str]],
    records: str,
) -> None:
    rig = make_rig(records=records)
    promising()
    jobs: list[str] = []
    happened = meanwhile("before-intent", lambda: jobs.append(another_try(rig)))
    found = rig.run(rig.operator())["id"]
    assert happened == ["before-intent"]
    assert len(rig.charges) == len(rig.posts()) == 1
    assert [found] == jobs == [rig.charges[0]["job_id"]]
    assert sorted(rig.phases) == ["done", "withdrawn"]


def test_airflow_takes_no_word_from_a_try_that_was_followed_by_another(
    make_rig: Callable[..., Rig],
    promising: Callable[..., None],
    meanwhile: Callable[[str, Callable[[], None]], list[str]],
) -> None:
    # The Execution API knows a try by an id of its own, which the next try replaces: writes of the former are refused.
    rig = make_rig(records="state")
    promising()

    def act() -> None:
        another_try(rig)
        assert rig.store is not None
        rig.store.broken_writes = 99

    meanwhile("before-intent", act)
    with pytest.raises(RuntimeError):
        rig.run(rig.operator())
    assert len(rig.charges) == len(rig.posts()) == 1
    assert rig.phases == ["done"]


def test_who_cannot_look_again_posts_nothing(
    make_rig: Callable[..., Rig],
    promising: Callable[..., None],
    meanwhile: Callable[[str, Callable[[], None]], list[str]],
) -> None:
    rig = make_rig(records="state")
    promising()

    def act() -> None:
        assert rig.store is not None
        rig.store.broken_reads = True

    meanwhile("after-intent", act)
    with pytest.raises(Exception, match="could not be read"):
        rig.run(rig.operator())
    assert rig.charges == rig.posts() == []
    assert rig.store is not None
    rig.store.broken_reads = False
    assert rig.phases == ["withdrawn"]
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


def test_alone_it_posts_at_once(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(records="both")
    assert rig.run(rig.operator())["status"] == "completed"
    assert rig.phases == ["done"]
    assert len(rig.charges) == 1


# --- both wake up at the same time ---------------------------------------------------------------------------------


def of_another(rig: Rig) -> Attempt:
    """Return the intent that another process of the same task writes just now."""
    own = rig.record().attempts[-1]
    return own.model_copy(update={"uid": "another", "intended_at": rig.clock.now()})


def write(rig: Rig, attempt: Attempt) -> None:
    context = rig.context()
    Ledger([ObjectStore(rig.ledger_path, TaskFacts.of(context).identity)]).write(attempt)


@pytest.mark.parametrize("policy", ["fail", "resubmit"])
def test_the_intent_of_another_that_lives_is_waited_out(
    make_rig: Callable[..., Rig],
    promising: Callable[..., None],
    meanwhile: Callable[[str, Callable[[], None]], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
) -> None:
    rig = make_rig(records="objects")
    promising()
    operator = rig.operator(on_unknown_submission=policy)
    intents: list[Attempt] = []

    def act() -> None:
        intents.append(of_another(rig))
        write(rig, intents[0])

    def sleep(seconds: float) -> None:
        # It is let go on, and its submission is accepted.
        rig.clock.move(seconds)
        if "intent" in rig.phases:
            with AdsumoHook() as hook:
                made = hook.post(hook.vendor.parse_request(operator.request_value()))
            write(rig, intents[0].model_copy(update={"phase": "submitted", "job_ids": made.job_ids, "answered": True}))

    happened = meanwhile("after-intent", act)
    monkeypatch.setattr(time, "sleep", sleep)
    found = rig.run(operator)
    assert happened == ["after-intent"]
    assert len(rig.charges) == len(rig.posts()) == 1
    assert found["id"] == rig.charges[0]["job_id"]
    assert sorted(rig.phases) == ["done", "withdrawn"]


def test_what_was_said_of_a_failed_job_is_not_said_of_what_another_bought(
    make_rig: Callable[..., Rig],
    promising: Callable[..., None],
    meanwhile: Callable[[str, Callable[[], None]], list[str]],
) -> None:
    # The first job failed and was refunded: this try submits anew, and so does another one while it is frozen.
    rig = make_rig(records="objects")
    promising(refunded=frozenset({GenerationStatus.FAILED}))
    rig.sandbox.fail_next("adsumo")
    with pytest.raises(Exception, match="failed"):
        rig.run(rig.operator())
    rig.retry()
    jobs: list[str] = []
    happened = meanwhile("before-intent", lambda: jobs.append(another_try(rig)))
    found = rig.run(rig.operator())["id"]
    assert happened == ["before-intent"]
    assert [found] == jobs
    assert len(rig.charges) == len(rig.posts()) == 2
