# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong with one request, waiting on the worker and in the triggerer: what was paid?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import GenerationTimeout, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.rig import Rig

# name -> what goes wrong with a submission, and whether the vendor accepted it all the same.
UNANSWERED: dict[str, tuple[dict[str, Any], bool]] = {
    "dropped after it was accepted": ({"kind": "drop"}, True),
    "reset after it was accepted": ({"kind": "drop", "reset": True}, True),
    "dropped before it was accepted": ({"kind": "drop", "when": "before"}, False),
    "500 before": ({"kind": "status", "status": 500}, False),
    "500 after": ({"kind": "status", "status": 500, "when": "after"}, True),
    "502 before": ({"kind": "status", "status": 502}, False),
    "502 after": ({"kind": "status", "status": 502, "when": "after"}, True),
    "503 before": ({"kind": "status", "status": 503, "retry_after": 3}, False),
    "503 after": ({"kind": "status", "status": 503, "when": "after"}, True),
    "504 after": ({"kind": "status", "status": 504, "when": "after", "body": "<html>"}, True),
    "408 after": ({"kind": "status", "status": 408, "when": "after"}, True),
    "422 before": ({"kind": "status", "status": 422}, False),
    "a redirect": ({"kind": "redirect", "location": "/elsewhere"}, False),
    "no answer in time": ({"kind": "slow", "seconds": 0.8}, True),
    "half an answer, then silence": ({"kind": "slow", "seconds": 0.8, "bytes": 20}, True),
    "half an answer, then the end": ({"kind": "truncate"}, True),
}
# An acceptance whose job nobody can tell.
UNREADABLE: dict[str, dict[str, Any]] = {
    "html with 200": {"kind": "not_json"},
    "no id": {"kind": "missing_fields", "fields": ["generation_id"]},
    "an id of no kind": {"kind": "patch", "values": {"generation_id": {"x": 1}}},
    "cut off json": {"kind": "not_json", "body": '{"generation_id": "a'},
}
READS: dict[str, dict[str, Any]] = {
    "drop": {"kind": "drop", "times": 5},
    "500": {"kind": "status", "status": 500, "times": 6},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 1},
    "429": {"kind": "status", "status": 429, "retry_after": 1},
    "429 with a date": {"kind": "status", "status": 429, "retry_after": 1, "http_date": True},
    "html": {"kind": "not_json", "times": 2},
    "half": {"kind": "truncate", "times": 2},
    "no status": {"kind": "missing_fields", "fields": ["status"], "times": 2},
    "slow": {"kind": "slow", "seconds": 0.6, "times": 1},
    "a redirect elsewhere": {"kind": "redirect", "location": "http://example.invalid/x", "times": 1},
}


def strike(rig: Rig, fault: dict[str, Any], method: str = "POST", **more: Any) -> None:
    given = {**fault, **more}
    rig.sandbox.fault(given.pop("kind"), "adsumo", method=method, **given)


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.connect(timeout=0.5)
    return rig


@pytest.mark.parametrize("name", UNANSWERED)
def test_with_keys_an_unanswered_submission_is_paid_once(rig: Rig, deferrable: bool, name: str) -> None:
    strike(rig, UNANSWERED[name][0])
    result = rig.run(rig.operator(deferrable=deferrable))
    assert result["status"] == "completed"
    assert len(rig.charges) == 1
    assert len({post["headers"]["idempotency-key"] for post in rig.posts()}) == 1
    assert len(rig.posts()) == 2
    # Not while the first may still be under way, as the vendor documents nothing of that.
    assert sum(rig.clock.slept) >= 0.5


@pytest.mark.parametrize("name", UNANSWERED)
def test_without_keys_an_unanswered_submission_stops_the_task(
    rig: Rig, deferrable: bool, name: str, promising: Callable[..., None]
) -> None:
    promising()
    fault, accepted = UNANSWERED[name]
    strike(rig, fault)
    for _ in range(3):
        with pytest.raises(AirflowFailException, match="Nobody knows whether Adsumo accepted") as caught:
            rig.run(rig.operator(deferrable=deferrable))
        rig.retry()
    assert len(rig.charges) == int(accepted)
    assert len(rig.posts()) == 1
    assert "idempotency-key" not in rig.posts()[0]["headers"]
    assert rig.phases == ["intent"]
    # The person who has to decide is told what could be it.
    text = str(caught.value)
    assert "Up to 1 credit may have been charged" in text and "adgen_resolve_" in text
    assert (rig.sandbox.jobs()[0]["id"] in text) if accepted else ("None of the vendor's" in text)


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_acceptance_without_a_readable_id_stops_the_task(rig: Rig, deferrable: bool, name: str) -> None:
    strike(rig, UNREADABLE[name])
    for _ in range(3):
        with pytest.raises(AirflowFailException, match="Nobody knows whether Adsumo accepted") as caught:
            rig.run(rig.operator(deferrable=deferrable))
        rig.retry()
    assert len(rig.charges) == 1
    assert len(rig.posts()) == 1
    assert rig.sandbox.jobs()[0]["id"] in str(caught.value)
    kept = rig.record().attempts[0].answer
    assert kept is not None and kept in str(caught.value).replace('\\"', '"')


@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_same_answer_three_times_settles_that_repeating_does_not_help(rig: Rig, status: int) -> None:
    strike(rig, {"kind": "status", "status": status, "times": -1, "when": "after"})
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    assert len(rig.posts()) == 3
    assert len(rig.charges) == 1
    rig.retry()
    rig.sandbox.clear_faults()
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        rig.run(rig.operator())
    assert len(rig.posts()) == 3


def test_a_vendor_that_is_away_is_waited_for_within_the_window(rig: Rig) -> None:
    strike(rig, {"kind": "drop", "times": 6})
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1
    pauses = [slept for slept in rig.clock.slept if slept > 2]
    assert pauses == sorted(pauses) and pauses[-1] > 60, "ever more slowly"


def test_a_vendor_that_stays_away_is_not_waited_for_beyond_the_window(rig: Rig) -> None:
    strike(rig, {"kind": "drop", "times": -1})
    with pytest.raises((AirflowFailException, GenerationTimeout)) as caught:
        rig.run(rig.operator())
    assert len(rig.charges) == 1
    assert sum(rig.clock.slept) <= 24 * 3600
    assert "Nothing was started" not in str(caught.value)


def test_a_submission_that_may_not_be_settled_in_time_says_so(rig: Rig) -> None:
    strike(rig, {"kind": "drop", "times": 3})
    with pytest.raises(GenerationTimeout, match="Whether the submission before was accepted is not known"):
        rig.run(rig.operator(submit_timeout=8))
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


@pytest.mark.parametrize(
    "limit",
    [{"retry_after": 2}, {"retry_after": 2, "http_date": True}, {}, {"retry_after": 600}, {"retry_after": 0}],
    ids=["seconds", "date", "untold", "far", "at once"],
)
@pytest.mark.parametrize("times", [1, 3])
def test_a_rate_limit_is_waited_for(rig: Rig, deferrable: bool, limit: dict[str, Any], times: int) -> None:
    strike(rig, {"kind": "status", "status": 429, "times": times, **limit})
    result = rig.run(rig.operator(deferrable=deferrable))
    assert result["status"] == "completed"
    assert len(rig.charges) == 1
    assert rig.phases == ["done"]
    assert rig.clock.ahead >= times * (limit.get("retry_after", 60) - 1)


def test_a_rate_limit_is_not_waited_for_for_ever(rig: Rig, deferrable: bool) -> None:
    strike(rig, {"kind": "status", "status": 429, "retry_after": 600, "times": -1})
    with pytest.raises(GenerationTimeout, match=r"not allowed to submit to Adsumo within 3600 s .*Nothing was started"):
        rig.run(rig.operator(deferrable=deferrable, submit_timeout=3600))
    assert rig.clock.ahead <= 3600
    assert rig.charges == []


@pytest.mark.parametrize("name", READS)
def test_a_read_that_goes_wrong_costs_nothing(rig: Rig, deferrable: bool, name: str) -> None:
    strike(rig, READS[name], "GET")
    result = rig.run(rig.operator(deferrable=deferrable))
    assert result["status"] == "completed" and result["creatives"][0]["url"]
    assert len(rig.charges) == 1 and len(rig.posts()) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 409, 400])
def test_a_documented_refusal_is_one_sentence_and_costs_nothing(rig: Rig, deferrable: bool, status: int) -> None:
    strike(rig, {"kind": "status", "status": status, "times": -1})
    with pytest.raises(AirflowFailException, match=f"Adsumo answered {status} to POST /images/text-to-image"):
        rig.run(rig.operator(deferrable=deferrable))
    assert rig.charges == [] and len(rig.posts()) == 1
    assert rig.phases == ["withdrawn"]
    rig.sandbox.clear_faults()
    rig.retry()
    assert rig.run(rig.operator(deferrable=deferrable))["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_vendor_that_is_not_there_costs_nothing(rig: Rig) -> None:
    rig.connect(host="http://127.0.0.1:1/adsumo/api/v1")
    with pytest.raises(WireError, match="nothing was sent"):
        rig.run(rig.operator())
    assert rig.phases == ["withdrawn"]


def test_a_connection_that_is_put_right_is_another_account(rig: Rig) -> None:
    rig.connect(host="http://127.0.0.1:1/adsumo/api/v1")
    with pytest.raises(WireError):
        rig.run(rig.operator())
    rig.connect()
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_read_that_stays_broken_leaves_the_job_to_a_retry(rig: Rig) -> None:
    strike(rig, {"kind": "status", "status": 500, "times": -1}, "GET")
    with pytest.raises(GenerationTimeout, match="paid for and may still finish"):
        rig.run(rig.operator(timeout=120))
    rig.retry()
    with pytest.raises(GenerationTimeout, match="paid for and may still finish"):
        rig.run(rig.operator(timeout=120))
    rig.sandbox.clear_faults()
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1
