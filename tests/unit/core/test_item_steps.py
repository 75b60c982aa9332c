# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is done about an item of a batch, and about one generation, has to agree: otherwise an item goes in circles."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.batch import (
    Do,
    Obstacle,
    Step,
    Stop,
    choice_after,
    ends_asking,
    next_step,
    obstacle,
    settles,
)
from airflow_provider_adgen.core.decisions.submission import Action, Policy, Situation, decide
from airflow_provider_adgen.core.errors import (
    AdGenError,
    InvalidRequest,
    UnexpectedResponse,
    WireError,
    error_class,
)
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.vendor import Promises
from airflow_provider_adgen.lifecycle.batch.notes import risks

PRINTS = ("first", "second")


def attempt(phase: Any = "submitted", **more: Any) -> Attempt:
    given: dict[str, Any] = {"epoch": 1, "try_number": 1, "fingerprint": "first", "kind": "image", **more}
    return Attempt(phase=phase, **{"intended_at": 1000.0, "post_seconds": 60.0, **given})


def api_error(status: int, *, own_words: bool = True) -> AdGenError:
    return error_class(status)("Refused.", status=status, own_words=own_words)


@pytest.mark.parametrize("refunds", [frozenset(), frozenset({"failed", "canceled"})], ids=["no refunds", "refunds"])
@pytest.mark.parametrize("ended", ["failed", "canceled", "expired"])
@pytest.mark.parametrize("on_failed", [None, "fail", "resubmit"])
@pytest.mark.parametrize("on_clear", ["missing", "fresh", "reattach"])
@pytest.mark.parametrize("cleared", [False, True])
def test_what_is_submitted_again_is_what_one_generation_would_submit(
    refunds: Any, ended: str, on_failed: Any, on_clear: Any, cleared: bool
) -> None:
    promises, epoch = Promises(refunded=refunds), 2 if cleared else 1
    record = Record(attempts=[attempt(ended=ended, job_ids=["j"])])
    step = next_step(
        record,
        PRINTS[:1],
        try_number=2,
        epoch=epoch,
        on_clear=on_clear,
        on_failed=on_failed,
        promises=lambda _vendor: promises,
    )
    decision = decide(
        Situation(
            record=record,
            promises=promises,
            policy=Policy(on_failed=on_failed, on_clear="fresh" if step.anew else "reattach"),
            kind="image",
            epoch=epoch,
            try_number=2,
            fingerprint="first",
            fields={},
            now=5000.0,
            moved=step.moved,
            says=ended,
        )
    )
    assert (step.do is Do.SUBMIT) == (decision.action is Action.SUBMIT)
    if ended == "canceled" and not (cleared and on_clear != "reattach"):
        assert step.do is Do.FAIL, "somebody canceled it on purpose"


@pytest.mark.parametrize("try_number", [1, 2])
def test_no_failure_moves_an_item_to_a_choice_that_is_refused_before_the_batch(try_number: int) -> None:
    record = Record(attempts=[attempt(ended="failed", job_ids=["j"], fingerprint="second")])
    given: dict[str, Any] = {
        "try_number": try_number,
        "epoch": 1,
        "on_clear": "missing",
        "on_failed": None,
        "promises": lambda _vendor: Promises(refunded=frozenset({"failed"})),
    }
    assert next_step(record, PRINTS, **given) == Step(Do.SUBMIT, 0, moved=True)
    again = Step(Do.SUBMIT if try_number == 2 else Do.FAIL, 1)
    assert next_step(record, PRINTS, **given, refused=[0]) == again


@pytest.mark.parametrize(
    ("error", "moves", "helps", "ends"),
    [
        (InvalidRequest("It has no link."), True, False, False),
        (api_error(400), True, False, False),
        (api_error(404), True, False, False),
        (api_error(404, own_words=False), False, False, False),
        (api_error(413), False, False, False),  # not promised by this vendor
        (api_error(401), False, False, True),
        (api_error(402), False, False, True),
        (api_error(403), False, False, True),
        (api_error(409), False, False, False),
        (api_error(429), False, True, True),
        (api_error(503), False, True, False),
        (WireError("No answer."), False, True, False),
        (UnexpectedResponse("It holds no id."), False, True, False),
    ],
)
def test_what_keeps_a_choice_from_being_prepared(error: AdGenError, moves: bool, helps: bool, ends: bool) -> None:
    promises = Promises(nothing_started=frozenset({400, 401, 402, 403, 404, 409, 429}))
    assert obstacle(error, promises, "Why.") == Obstacle("Why.", moves, helps)
    assert ends_asking(error, "cutx") is ends


def test_a_moved_item_is_submitted_until_its_new_choice_has_a_job() -> None:
    before = attempt(ended="failed", job_ids=["j-1"])
    after = attempt(fingerprint="second", job_ids=["j-2"], intended_at=2000.0)
    asked = {"promises": Promises(refunded=frozenset({"failed"})), "policy": Policy(on_clear="reattach")}

    def action(*attempts: Attempt, resumed: bool) -> Action:
        record = Record(attempts=list(attempts))
        situation = Situation(
            record=record,
            kind="image",
            epoch=1,
            fingerprint="second",
            fields={},
            now=5000.0,
            moved=True,
            resumed=resumed,
            **asked,
        )
        return decide(situation).action

    for resumed in (False, True):
        assert action(before, resumed=resumed) is Action.SUBMIT
        assert action(before, after, resumed=resumed) in {Action.ASK, Action.ATTACH}


def test_a_risk_counts_whatever_was_refused_between() -> None:
    lost = attempt("intent", intended_at=1.0)
    refused = attempt("withdrawn", intended_at=2.0, try_number=2)
    made = attempt(intended_at=3.0, try_number=2, job_ids=["j"])
    for between in itertools.chain([()], [(refused,)]):
        assert risks(Record(attempts=[lost, *between, made]), 2) == 1
        assert risks(Record(attempts=[lost, *between, made]), 3) == 0
    assert risks(Record(attempts=[refused, made]), 2) == 0
    assert risks(Record(attempts=[lost, refused]), 2) == 0


@pytest.mark.parametrize(
    ("prints", "refused", "goes_to"),
    [
        (("first", "second"), 0, 1),
        (("first", "second"), 1, None),
        (("first", "first"), 0, None),
        (("first", "second", "first"), 1, None),
        (("first", "second", "first", "third"), 1, 3),
        (("second", "third"), None, 0),
    ],
)
def test_a_refused_item_goes_forward_and_to_nothing_that_was_refused(
    prints: tuple[str, ...], refused: int | None, goes_to: int | None
) -> None:
    tried = ["first"] if refused is None else [*dict.fromkeys(prints[: refused + 1])]
    record = Record(
        attempts=[attempt("withdrawn", fingerprint=one, statuses=[400], intended_at=n) for n, one in enumerate(tried)]
    )
    assert choice_after(record, prints, refused, try_number=1) == goes_to


def test_what_was_put_off_or_refused_by_an_earlier_try_may_be_tried() -> None:
    earlier = attempt("withdrawn", fingerprint="second", statuses=[400], try_number=1, intended_at=1.0)
    put_off = attempt("withdrawn", fingerprint="third", statuses=[429], try_number=2, intended_at=2.0)
    last = attempt("withdrawn", fingerprint="first", statuses=[404], try_number=2, intended_at=3.0)
    record = Record(attempts=[earlier, put_off, last])
    assert choice_after(record, ("first", "second"), 0, try_number=2) == 1
    assert choice_after(record, ("first", "third"), 0, try_number=2) == 1


def test_where_nothing_new_is_submitted_a_lost_submission_is_still_settled_unless_the_time_is_over() -> None:
    assert {stop for stop in Stop if settles(stop, is_open=True)} == {Stop.ACCOUNT, Stop.FAILURE}
    assert not any(settles(stop, is_open=False) for stop in Stop)
