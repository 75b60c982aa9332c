# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Items that go to their next choice, and accounts that take nothing more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError
from tests.support.batch import item, items

if TYPE_CHECKING:
    from tests.support.batch import BatchRig


def fails(batch: BatchRig, given: Any, **fields: Any) -> str:
    with pytest.raises((AirflowFailException, AdGenError)) as stopped:
        batch.run(batch.batch(given, **fields))
    return str(stopped.value)


def test_a_refused_item_goes_to_the_next_choice(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=3, message="This prompt is not allowed")
    told = batch.run(batch.batch(items(8, "adsumo", "sume")))
    assert told["counts"]["completed"] == 8
    choices = [line["choice"] for line in batch.lines().values()]
    assert choices.count(1) == 3
    assert sorted(told["credits"]) == ["adsumo_default", "sume_default"]


def test_the_last_choice_refuses(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=-1, message="This is not allowed")
    batch.sandbox.fault("status", "sume", method="POST", status=400, times=-1, message="Nor here")
    text = fails(batch, items(2, "adsumo", "sume"))
    assert "2 refused" in text
    assert "Nor here" in text
    assert batch.charges == []


@pytest.mark.parametrize(
    "rules",
    [
        {"message": "Not found"},
        {"body": "<html>no such page</html>"},
        {"body": ""},
        {"body": '{"detail": "Not Found"}'},
        {"body": '{"error": "Not Found"}'},
        {"status": 409, "message": "Not now"},
    ],
    ids=["own", "html", "empty", "detail", "error", "409"],
)
def test_an_account_that_refuses_everything(batch: BatchRig, rules: dict[str, Any]) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", times=-1, **{"status": 404, **rules})
    text = fails(batch, items(40, "adsumo", "sume"))
    assert batch.sandbox.requests("sume", method="POST") == [], "nothing moves"
    assert batch.charges == []
    assert "40 waiting" in text
    assert "Is its host right?" in text
    assert len(batch.posts()) < 40
    batch.sandbox.clear_faults()
    batch.retry()
    assert batch.run(batch.batch(items(40, "adsumo", "sume")))["counts"]["completed"] == 40
    assert {line["choice"] for line in batch.lines().values()} == {0}, "the next try begins at the first choice"


@pytest.mark.parametrize("body", ['{"error": "Not Found"}', '{"message": "Not Found"}', "<html>404</html>"])
def test_what_another_server_says_moves_nothing(batch: BatchRig, body: str) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=404, times=3, body=body)
    text = fails(batch, items(3, "adsumo", "sume"))
    assert "3 refused" in text
    assert batch.sandbox.requests("sume", method="POST") == []
    assert batch.charges == []


def test_refusals_that_differ_are_about_the_items(batch: BatchRig) -> None:
    for number in range(6):
        text = json.dumps({"error": {"code": f"word_{number}", "message": "no"}})
        batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, body=text)
    told = batch.run(batch.batch(items(6, "adsumo", "sume")))
    assert told["counts"]["completed"] == 6
    assert {line["choice"] for line in batch.lines().values()} == {1}


def test_what_was_refused_is_not_sent_again_when_a_pause_has_ended_the_leg(batch: BatchRig) -> None:
    """Nothing was accepted yet, and a limit ends each leg after one submission: the next leg goes on with the next."""
    batch.connect(timeout=5, requests_per_minute=5)
    for number in range(4):
        text = json.dumps({"error": {"code": f"word_{number}", "message": "no"}})
        batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, body=text)
    told = batch.run(batch.batch(items(4, "adsumo", "sume"), submit_timeout=300))
    assert told["counts"]["completed"] == 4
    assert {line["choice"] for line in batch.lines().values()} == {1}
    assert len(batch.posts()) == 4


def test_equal_refusals_count_over_all_legs(batch: BatchRig) -> None:
    batch.connect(timeout=5, requests_per_minute=5)
    batch.sandbox.fault("status", "adsumo", method="POST", status=404, times=-1, message="Not found")
    text = fails(batch, items(12, "adsumo", "sume"), submit_timeout=300)
    assert "Is its host right?" in text
    assert "12 waiting" in text
    assert len(batch.posts()) == 5
    assert batch.sandbox.requests("sume", method="POST") == [], "nothing moves"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_an_account_that_is_out(batch: BatchRig, status: int) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=status, times=-1, skip=3)
    given = [*items(12, "adsumo", "sume"), *({**one, "key": f"sume/{one['key']}"} for one in items(3, "sume"))]
    text = fails(batch, given)
    assert "Nothing new was sent to connection 'adsumo_default'" in text
    statuses = list(batch.statuses().values())
    assert statuses.count("completed") == 6, "what it took, and what is another account's"
    assert statuses.count("waiting") == 9
    assert len(batch.files()) == 6
    batch.sandbox.clear_faults()
    batch.retry()
    assert batch.run(batch.batch(given))["counts"]["completed"] == 15
    assert len(batch.charges) == 15


def test_a_refunded_failure_goes_to_the_next_choice(batch: BatchRig) -> None:
    given = [
        {
            "key": f"k{number}",
            "choices": [
                {
                    "conn_id": "cinematicads_default",
                    "request": {"kind": "workflow", "workflow_type": "cinematic", "concept": f"An ad {number}"},
                },
                {"conn_id": "sume_default", "request": {"kind": "image", "prompt": f"An ad {number}"}},
            ],
        }
        for number in range(3)
    ]
    batch.sandbox.fail_next("cinematicads", times=1)
    told = batch.run(batch.batch(given))
    assert told["counts"]["completed"] == 3
    assert sorted(line["choice"] for line in batch.lines().values()) == [0, 0, 1]
    refunded = told["credits"]["cinematicads_default"]["refunded"]
    assert refunded == sum(one["credits"] for one in batch.sandbox.refunds) > 0


def test_a_failure_without_a_refund_stays(batch: BatchRig) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    text = fails(batch, items(3, "adsumo", "sume"))
    assert "1 failed" in text
    assert batch.sandbox.requests("sume", method="POST") == []


def test_a_rate_limit_is_waited_for(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=429, times=4, retry_after=200)
    told = batch.run(batch.batch(items(9)))
    assert told["counts"]["completed"] == 9
    assert len(batch.charges) == 9


def test_stop_at_the_first_failure(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, message="This is not allowed", skip=1)
    text = fails(batch, items(40), on_item_failure="stop", max_in_flight=2)
    assert "1 refused" in text
    assert len(batch.charges) < 40
    assert batch.files()


def test_stop_when_a_move_is_too_dear(batch: BatchRig) -> None:
    batch.sandbox.fault("status", "sume", method="POST", status=400, times=1, message="This is not allowed", skip=1)
    given = items(40, "sume", "adsumo")
    for one in given:
        one["choices"][1]["request"]["quantity"] = 8
    fields: dict[str, Any] = {
        "max_credits": {"adsumo_default": 4, "sume_default": 40},
        "assume_credits": {"sume_default": 1, "adsumo_default": 1},
    }
    text = fails(batch, given, on_item_failure="stop", **fields)
    assert "1 refused" in text
    assert "max_credits=4" in text
    assert "on_item_failure is 'stop'" in text
    assert len(batch.charges) < 39


@pytest.mark.parametrize("why", ["changed", "failed"])
def test_stop_at_a_failure_of_the_try_before(batch: BatchRig, why: str) -> None:
    if why == "failed":
        batch.sandbox.fail_next("adsumo", times=1)
        assert "1 failed" in fails(batch, items(1))
    else:
        batch.run(batch.batch(items(1)))
    batch.retry()
    given = [item(items(1)[0]["key"], prompt="Another bottle"), *items(3)[1:]] if why == "changed" else items(3)
    with pytest.raises(AirflowFailException, match="1 failed, 2 waiting"):
        batch.run(batch.batch(given, on_item_failure="stop"))
    assert len(batch.charges) == 1
    batch.clear()
    assert batch.run(batch.batch(items(3), on_item_failure="stop"))["counts"]["completed"] == 3


@pytest.mark.parametrize(("fail_when", "passes"), [("any", False), ("all", True), (0.5, True), (0.1, False)])
def test_when_the_task_fails(batch: BatchRig, fail_when: Any, passes: bool) -> None:
    batch.sandbox.fail_next("adsumo", times=1)
    if passes:
        assert batch.run(batch.batch(items(4), fail_when=fail_when))["counts"]["failed"] == 1
    else:
        assert "1 failed" in fails(batch, items(4), fail_when=fail_when)
    assert len(batch.files()) == 3
