# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of an item that is over, and how it stands in a snapshot."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.batch import ItemStatus
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.lifecycle.batch.items import BatchItem, Choice
from airflow_provider_adgen.lifecycle.batch.outcome import Outcome
from airflow_provider_adgen.lifecycle.batch.results import costs_of, credits_of, say_credits, summary
from airflow_provider_adgen.lifecycle.batch.state import ItemState

RECORD = Record(
    attempts=[
        Attempt(
            phase=phase,
            epoch=1,
            fingerprint="f",
            kind="image",
            conn_id=conn_id,
            intended_at=moment,
            post_seconds=60.0,
            price=3,
            charged=charged,
            refunded=refunded,
            job_ids=jobs,
        )
        for moment, phase, conn_id, charged, refunded, jobs in (
            (1.0, "withdrawn", "adsumo", None, None, []),
            (2.0, "submitted", "adsumo", 2, 2, ["a1", "a2"]),
            (3.0, "done", "sume", None, None, ["s"]),
        )
    ]
)


def state() -> ItemState:
    choices = (Choice("adsumo", {"kind": "image", "prompt": "x" * 500}), Choice("sume", {"kind": "image"}, 1))
    item = BatchItem("lamp\t\n/é", choices, {"shelf": 4})
    one = ItemState(item, lambda _key: Ledger([], record=Record()))
    one.choice, one.generation = choices[1], {"id": "s", "text": "a\ttab, a\nline, \ud800 half a character"}
    one.credits, one.costs = {"adsumo": 0, "sume": 3}, costs_of(RECORD)
    one.finish(ItemStatus.COMPLETED, "1 of 2 jobs failed")
    return one


def test_its_line_is_the_same_before_and_after() -> None:
    one = state()
    before = one.line()
    one.put_away(one.summed_up(ItemStatus.COMPLETED, RECORD, helps=False, risks=0))
    assert json.loads(one.text()) == before
    assert (one.key, one.told, one.reason) == ("lamp\t\n/é", "completed", "1 of 2 jobs failed")
    assert one.item.choices == ()


def test_it_comes_back_from_a_snapshot_as_it_was() -> None:
    one = state()
    kept = one.summed_up(ItemStatus.COMPLETED, RECORD, helps=True, risks=0)
    mark = kept.to_mark()
    assert not {b"\n", b"\t"} & {mark[number : number + 1] for number in range(len(mark))}
    assert Outcome.from_mark(mark) == kept
    assert kept.jobs == (("adsumo", "a1"), ("adsumo", "a2"), ("sume", "s"))
    assert kept.credits == (("adsumo", 0), ("sume", 3))


@pytest.mark.parametrize(
    "mark",
    [
        b"",
        b"{}",
        b"[",
        b"\xff",
        b"[1] {}",
        b'["completed","",false,0,[],[]] {}',
        b'["gone","",false,0,[],[],[]] {}',
        b'["completed","",false,0,5,[],[]] {}',
        b'["completed","",false,0,[["a"]],[],[]] {}',
        b'["completed","",false,0,[],[["a",3,3,0]],[]] {}',
    ],
)
def test_what_is_no_outcome_is_a_value_error(mark: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Outcome.from_mark(mark)


def test_costs_are_summed_up_by_account() -> None:
    assert credits_of([*costs_of(RECORD), *costs_of(RECORD)]) == {
        "adsumo": {"quoted": 6, "charged": 4, "refunded": 4, "estimated": 0},
        "sume": {"quoted": 6, "charged": 6, "refunded": 0, "estimated": 6},
    }


@pytest.mark.parametrize(
    ("result", "cost"),
    [
        ({"credits": {"charged": 5, "refunded": 1}}, ("a", 3, 5, 1, 0)),
        ({"credits": {"charged": None}}, ("a", 3, 3, 0, 3)),
        ({"credits": {"charged": 9}, "details": {"earlier_submissions": 1}}, ("a", 3, 3, 0, 3)),
    ],
    ids=["told with the result", "never told", "told of several"],
)
def test_what_the_vendor_told_with_the_result_is_not_estimated(result: dict[str, Any], cost: tuple[Any, ...]) -> None:
    made = RECORD.attempts[2].model_copy(update={"conn_id": "a", "result": result})
    assert costs_of(Record(attempts=[made])) == (cost,)


@pytest.mark.parametrize(
    ("estimated", "said"),
    [
        (0, "1,200 quoted, 1,100 charged, 0 refunded"),
        (1100, "1,200 quoted, 1,100 charged (estimated), 0 refunded"),
        (1050, "1,200 quoted, 1,100 charged (1,050 of them estimated), 0 refunded"),
    ],
)
def test_what_is_estimated_is_said(estimated: int, said: str) -> None:
    assert say_credits({"quoted": 1200, "charged": 1100, "refunded": 0, "estimated": estimated}) == said


def test_an_intent_is_quoted_and_not_charged() -> None:
    open_one = Attempt(
        phase="intent", epoch=1, fingerprint="f", kind="image", conn_id="a", intended_at=1.0, post_seconds=1.0, price=3
    )
    assert costs_of(Record(attempts=[open_one])) == (("a", 3, 0, 0, 0),)


def test_the_summary_is_small_whatever_there_is_to_tell() -> None:
    items = [(f"{number:0>190}", ItemStatus.FAILED, "why " * 200 + "\nmore") for number in range(10_000)]
    told = summary("file:///out/results.jsonl", iter(items), {})
    assert len(json.dumps(told)) < 16_384
    assert (told["items"], told["counts"]["failed"], len(told["failures"])) == (10_000, 10_000, 20)


def test_an_item_that_is_over_is_small() -> None:
    one = state()
    kept = one.summed_up(ItemStatus.COMPLETED, RECORD, helps=False, risks=0)
    one.put_away(kept)
    assert not hasattr(one, "__dict__")
    assert sys.getsizeof(one) + sys.getsizeof(kept) < 400
