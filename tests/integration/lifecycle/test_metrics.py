# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of generations reaches Airflow's statistics: each event once, whatever dies in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from tests.support.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.rig import Rig

CHARGED, REFUNDED = "adgen.credits.charged", "adgen.credits.refunded"
COMPLETED, FAILED = "adgen.generations.completed", "adgen.generations.failed"
UNKNOWN = "adgen.submissions.unknown"
STOPS = (AirflowFailException, AdGenError)


@pytest.fixture
def statistics(monkeypatch: pytest.MonkeyPatch) -> Statistics:
    return Statistics(monkeypatch)


def stops(rig: Rig, **fields: Any) -> None:
    with pytest.raises(STOPS):
        rig.run(rig.operator(**fields))


def test_credits_are_counted_once_across_a_lost_answer_and_a_retry(rig: Rig, statistics: Statistics) -> None:
    rig.sandbox.fault("drop", "adsumo", method="POST", path="/images/*", times=1)
    rig.run(rig.operator(quantity=2))
    rig.retry()
    rig.run(rig.operator(quantity=2))
    assert statistics.counters == {CHARGED: rig.spent, COMPLETED: 1}
    assert rig.spent == 2
    tags = {"vendor": "adsumo", "conn_id": "adsumo_default", "kind": "image"}
    assert [statistics.tags[name] for name in (CHARGED, COMPLETED)] == [tags, tags]


def test_without_a_record_they_are_counted_too(make_rig: Callable[..., Rig], statistics: Statistics) -> None:
    rig = make_rig(records="none")
    rig.run(rig.operator())
    assert statistics.counters == {CHARGED: 1, COMPLETED: 1}


def test_what_is_only_submitted_is_not_completed(rig: Rig, statistics: Statistics) -> None:
    rig.run(rig.operator(wait_for_completion=False))
    assert statistics.counters == {CHARGED: 1}


def test_a_failure_is_counted_once_however_often_it_is_looked_at(
    recorded: Rig, promising: Callable[..., None], statistics: Statistics
) -> None:
    promising()
    recorded.sandbox.fail_next("adsumo", times=1)
    for _ in range(3):
        stops(recorded)
        recorded.retry()
    assert statistics.counters == {CHARGED: 1, FAILED: 1}


def test_a_documented_refund_is_counted_with_the_failure(
    recorded: Rig, promising: Callable[..., None], statistics: Statistics
) -> None:
    promising(refunded=frozenset({GenerationStatus.FAILED}))
    recorded.sandbox.fail_next("adsumo", times=1)
    stops(recorded, quantity=2)
    recorded.retry()
    recorded.run(recorded.operator(quantity=2))
    assert statistics.counters == {CHARGED: 4, FAILED: 1, REFUNDED: 2, COMPLETED: 1}


def test_an_unknown_submission_is_counted_by_the_try_that_lost_the_answer(
    recorded: Rig, promising: Callable[..., None], statistics: Statistics
) -> None:
    promising()
    recorded.sandbox.fault("drop", "adsumo", method="POST", times=1)
    stops(recorded)
    assert statistics.counters == {UNKNOWN: 1}
    recorded.clear()
    stops(recorded)
    recorded.clear()
    stops(recorded)
    assert statistics.counters == {UNKNOWN: 1}, "what was counted is not counted again"
    assert statistics.tags[UNKNOWN] == {"vendor": "adsumo", "conn_id": "adsumo_default", "kind": "image"}


def test_one_whose_process_died_is_counted_by_the_next_try(
    recorded: Rig, promising: Callable[..., None], statistics: Statistics, killed: Callable[[str], Any]
) -> None:
    promising()
    with killed("before-record"):
        recorded.run(recorded.operator())
    assert statistics.counters == {}
    recorded.retry()
    stops(recorded)
    recorded.clear()
    stops(recorded)
    assert statistics.counters == {UNKNOWN: 1}


def test_one_that_is_submitted_again_is_counted_then(
    recorded: Rig, promising: Callable[..., None], statistics: Statistics
) -> None:
    promising()
    recorded.sandbox.fault("drop", "adsumo", method="POST", times=1)
    recorded.run(recorded.operator(on_unknown_submission="resubmit"))
    assert statistics.counters == {UNKNOWN: 1, CHARGED: 1, COMPLETED: 1}
    assert len(recorded.charges) == 2


def test_a_submission_that_its_key_settles_is_not_unknown(recorded: Rig, statistics: Statistics) -> None:
    recorded.sandbox.fault("drop", "adsumo", method="POST", times=1)
    recorded.run(recorded.operator())
    assert UNKNOWN not in statistics.counters


def test_what_is_left_of_a_budget_is_told(make_rig: Callable[..., Rig], statistics: Statistics) -> None:
    rig = make_rig(records="objects")
    rig.patch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"adsumo_default": {"day": 5, "month": 8}}')
    rig.run(rig.operator(quantity=2))
    left = {name: value for name, value in statistics.gauges.items() if "budget" in name}
    assert left == {"adgen.budget.day_left": 3, "adgen.budget.month_left": 6}
    rig.clear()
    stops(rig, quantity=4)
    assert statistics.gauges["adgen.budget.day_left"] == 3
    assert statistics.tags["adgen.budget.day_left"] == {"vendor": "adsumo", "budget": "adsumo_default"}


def test_a_balance_that_is_checked_is_told(rig: Rig, statistics: Statistics) -> None:
    from airflow_provider_adgen.operators.credits import CreditCheckOperator

    rig.sandbox.set_credits("adsumo", 7)
    rig.run(CreditCheckOperator(task_id="gate", conn_id="adsumo_default", required=1, deferrable=False))
    assert statistics.gauges["adgen.credits.remaining"] == 7
