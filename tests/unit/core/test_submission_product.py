# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The decision about money over the whole product of what it depends on, held against rules that are written here anew.

Rules say what must never happen; which reason is given where is in ``test_submission_rows``.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.decisions.submission import (
    MISSING,
    Action,
    Decision,
    Policy,
    Situation,
    Why,
    decide,
)
from airflow_provider_adgen.core.errors import AdGenError, ApiError
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.vendor import Idempotency, Promises
from airflow_provider_adgen.core.vocabulary import GenerationStatus
from airflow_provider_adgen.lifecycle.stop_messages import stop_error
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.vendors.adsumo import VENDOR

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_000_000.0
POST = 60.0
HOUR = 3600.0
DAY_KEY = Idempotency(seconds=23 * HOUR)
SHORT_KEY = Idempotency(seconds=20.0, kinds=frozenset({"video"}), while_running=True)
PROMISES = {
    "none": Promises(),
    "day key": Promises(idempotency=DAY_KEY, lists_jobs=True),
    "key while running": Promises(idempotency=SHORT_KEY, refunded=frozenset({GenerationStatus.FAILED})),
    "refunds": Promises(refunded=frozenset({GenerationStatus.FAILED, GenerationStatus.CANCELED})),
}
POLICIES = [
    Policy(on_clear=clear, on_unknown_submission=unknown, on_failed=failed, on_changed_input=changed)
    for clear in ("fresh", "reattach")
    for unknown in ("fail", "resubmit")
    for failed in (None, "fail", "resubmit")
    for changed in ("fail", "reattach", "fresh")
]
BAD_ENDS = (GenerationStatus.FAILED, GenerationStatus.CANCELED, GenerationStatus.EXPIRED)
SAYS = (None, MISSING, "rendering", *GenerationStatus)
MODES = {"later try": {}, "own posting": {"own": True}, "later leg": {"resumed": True}}
STORED = {"status": "completed", "creatives": [{"kind": "video", "uri": "file:///a.mp4"}]}
UNSTORED = {"status": "completed", "creatives": [{"kind": "video", "uri": None}]}
COPY = {"status": "completed", "creatives": [], "variants": [{"hook": "h"}]}


def attempt(phase: str, *, age: float = 600.0, **fields: Any) -> Attempt:
    made: dict[str, Any] = {
        "uid": "a1",
        "phase": phase,
        "key": "k-1",
        "epoch": 1,
        "fingerprint": "f" * 16,
        "fields": {"prompt": "1", "model": "1"},
        "kind": "video",
        "endpoint": "POST /videos",
        "intended_at": NOW - age,
        "post_seconds": POST,
        "key_tag": "tag",
        "price": 20,
    }
    if phase in {"submitted", "done"}:
        made |= {"job_ids": ["job-1"], "submitted_at": NOW - age + 1, "answered": True}
    return Attempt(**{**made, **fields})


def intents() -> Iterator[Attempt]:
    """Attempts of which nobody knows what became: every age, every history of postings."""
    for age in (1.0, 19.0, 59.0, 61.0, 120.0, 22.9 * HOUR, 23.1 * HOUR):
        for statuses in ((), (0,), (500,), (500, 500, 500), (0, 0, 0), (429, 429, 429), (500, 502, 500)):
            sent = NOW - age + min(age, 1.0) if statuses else None
            for unknown in (False, True):
                yield attempt("intent", age=age, statuses=list(statuses), sent_at=sent, unknown=unknown)
    yield attempt("intent", key_tag="another")
    yield attempt("intent", key=None)
    yield attempt("intent", retry_at=NOW + 30.0, statuses=[429], sent_at=NOW - 1)
    yield attempt("intent", retry_at=NOW + 48 * HOUR, statuses=[429], sent_at=NOW - 1)
    yield attempt("intent", kind="copy")


def bought() -> Iterator[Attempt]:
    """Attempts that started a job."""
    for phase, results in (("submitted", (None, COPY)), ("done", (STORED, UNSTORED, COPY, None))):
        for result in results:
            for age in (600.0, 24 * HOUR):
                for key_tag in ("tag", "another"):
                    yield attempt(phase, age=age, result=result, key_tag=key_tag)
            yield attempt(phase, result=result, key=None)


def situations(
    attempts: Iterator[Attempt], says: tuple[str | None, ...], promised: tuple[str, ...] = tuple(PROMISES)
) -> Iterator[Situation]:
    records = [Record(attempts=[one]) for one in attempts]
    promises_ = [PROMISES[name] for name in promised]
    tries = itertools.product(records, promises_, says, MODES.values(), (False, True), (1, 2), "fg")
    for record, promises, said, mode, synchronous, epoch, letter in tries:
        same = letter == "f"
        yield Situation(
            record=record,
            promises=promises,
            policy=POLICIES[0],
            kind="video",
            synchronous=synchronous,
            epoch=epoch,
            fingerprint=letter * 16,
            fields={"prompt": "1" if same else "2", "model": "1"},
            key_tag="tag",
            now=NOW,
            try_number=2,
            says=said,
            **mode,
        )


def rule_holds(situation: Situation, decision: Decision) -> None:
    """Assert everything that must hold of any decision about one attempt that was not withdrawn."""
    record, policy, action = situation.record, situation.policy, decision.action
    assert record is not None
    last = record.attempts[-1]
    cleared = last.epoch != situation.epoch and policy.on_clear == "fresh"
    changed = last.fingerprint != situation.fingerprint
    rule = situation.promises.idempotency

    if action == Action.REPEAT:
        assert rule is not None and rule.covers(last.request_kind), "without a promise a repeat pays again"
        assert last.key is not None, "without a key a repeat pays again"
        assert situation.now < last.intended_at + rule.seconds, "after the window a repeat pays again"
        assert last.key_tag == situation.key_tag, "another account may not know the key"
        assert not changed, "the key stands for another request"
        if last.phase == "intent":
            assert not last.unknown
            assert situation.own or situation.now >= last.intended_at + last.post_seconds, "it may still be posting"
            assert situation.now >= (last.retry_at or 0.0)
            assert not last.statuses or situation.now > (last.sent_at or 0.0), "no repeat without a pause"
        else:
            assert situation.synchronous and not rule.while_running
    if action == Action.WAIT:
        assert 0 < decision.seconds < 25 * HOUR
    if action == Action.RETURN:
        assert decision.attempt is not None and decision.attempt.result is not None
        assert last.phase in {"submitted", "done"}
    if action in {Action.ATTACH, Action.ASK}:
        assert last.job_ids
    if action == Action.SUBMIT and last.phase != "intent":
        assert not situation.resumed, "one try pays once"
    match last.phase:
        case "intent":
            assert action in {Action.WAIT, Action.REPEAT, Action.STOP, Action.SUBMIT}
            if action == Action.SUBMIT:
                assert policy.on_unknown_submission == "resubmit", "an unresolved submission may be paid for"
                assert situation.own or situation.now >= last.intended_at + last.post_seconds
        case "submitted":
            if decision.why == Why.CLEARED_LOST:
                assert cleared and situation.synchronous and last.result is None, "what can be had is not bought again"
            elif not changed and situation.says not in BAD_ENDS:
                assert action != Action.SUBMIT, "a paid job that is not delivered is not bought again"
            if not changed and situation.says in BAD_ENDS and action == Action.SUBMIT:
                refunded = situation.says in situation.promises.refunded and situation.says != GenerationStatus.CANCELED
                asked = policy.on_failed == "resubmit" and situation.says != GenerationStatus.CANCELED
                assert cleared or asked or (policy.on_failed is None and refunded)
            if changed and action == Action.SUBMIT:
                assert cleared or policy.on_changed_input == "fresh" or situation.says in BAD_ENDS
        case "done":
            if action == Action.SUBMIT:
                assert cleared or (changed and policy.on_changed_input == "fresh")
    if changed and not situation.resumed and not cleared and policy.on_changed_input == "fail":
        assert action in {Action.STOP, Action.WAIT} or policy.on_unknown_submission == "resubmit"
        if last.phase != "intent":
            assert decision.why == Why.CHANGED_INPUT
            assert decision.changed == ("prompt",)
    if situation.resumed:
        assert decision.why != Why.CHANGED_INPUT
    if action == Action.STOP:
        sentence_holds(decision)


FACTS = TaskFacts(TaskIdentity("dag", "run", "task"), try_number=2, epoch=1)


def sentence_holds(decision: Decision) -> None:
    """Assert that a stop says what happened, to which job, and what to do."""
    about = decision.attempt
    text = sentence(decision.why, about is None, bool(about and about.reason), decision.changed)
    assert text[0].isupper() and text.endswith((".", "once."))
    # Commands to copy stand on lines of their own; everything else is sentences.
    assert all(
        line.lstrip().startswith(("airflow ", "python ")) for line in text.split("\n")[1:] if line.startswith(" ")
    )
    assert decision.why in {Why.UNRESOLVED, Why.MISSING_JOB} or "\n" not in text
    assert "Adsumo" in text
    if decision.why not in {Why.NO_RECORD, Why.UNRESOLVED}:
        assert "job-1" in text


@cache
def sentence(why: Why, without: bool, _reason: bool, changed: tuple[str, ...]) -> str:
    about = None if without else attempt("intent" if why == Why.UNRESOLVED else "submitted", reason="it broke")
    error = stop_error(Decision(Action.STOP, why, about, changed=changed), VENDOR, FACTS)
    assert isinstance(error, AdGenError)
    return error.message


@pytest.mark.parametrize("promises", PROMISES)
def test_an_unresolved_submission(promises: str) -> None:
    checked = 0
    for base in situations(intents(), (None,), (promises,)):
        for policy in POLICIES[::3]:
            situation = replace(base, policy=policy)
            rule_holds(situation, decide(situation))
            checked += 1
    assert checked > 10_000


@pytest.mark.parametrize("promises", PROMISES)
def test_a_job_that_is_bought(promises: str) -> None:
    checked = 0
    for number, base in enumerate(situations(bought(), SAYS, (promises,))):
        for policy in POLICIES[number % 2 :: 2]:
            situation = replace(base, policy=policy)
            rule_holds(situation, decide(situation))
            checked += 1
    assert checked > 100_000


def test_waiting_comes_to_an_end() -> None:
    for situation in situations(intents(), (None,)):
        waits = 0
        decision = decide(situation)
        while decision.action == Action.WAIT:
            waits += 1
            situation = replace(situation, now=situation.now + decision.seconds + 0.001)
            decision = decide(situation)
            assert waits <= 2
        assert decision.action in {Action.REPEAT, Action.STOP}


def test_a_refused_attempt_changes_nothing_about_what_was_bought_before() -> None:
    refused = attempt("withdrawn", age=1.0, uid="a2", statuses=[402], epoch=2, fingerprint="g" * 16)
    for situation in itertools.chain(situations(intents(), (None,)), situations(bought(), SAYS)):
        if situation.resumed:
            continue
        assert situation.record is not None
        with_refused = replace(situation, record=situation.record.with_attempt(refused))
        assert decide(with_refused) == decide(situation)
        # A leg of a try that was refused has nothing to be resumed for.
        assert decide(replace(with_refused, resumed=True)) == decide(situation)


@pytest.mark.parametrize("promises", PROMISES)
@pytest.mark.parametrize("unknown", ["fail", "resubmit"])
def test_without_a_record_only_a_first_try_or_a_lasting_key_submits(promises: str, unknown: Any) -> None:
    for try_number, mode, kind in itertools.product((1, 2), MODES.values(), ("video", "copy")):
        situation = Situation(
            record=None,
            promises=PROMISES[promises],
            policy=Policy(on_unknown_submission=unknown),
            kind=kind,
            epoch=1,
            fingerprint="f",
            fields={},
            now=NOW,
            try_number=try_number,
            **mode,
        )
        decision = decide(situation)
        first = try_number == 1 and not situation.resumed
        allowed = first or promises == "day key" or unknown == "resubmit"
        assert decision.action == (Action.SUBMIT if allowed else Action.STOP)
        if decision.action == Action.STOP:
            sentence_holds(decision)


def test_an_empty_record_is_a_first_submission() -> None:
    situation = Situation(Record(), Promises(), Policy(), "video", 1, "f", {}, NOW, resumed=True, try_number=3)
    assert decide(situation) == Decision(Action.SUBMIT, Why.NOTHING_YET)


def test_every_stop_has_a_sentence_of_its_own() -> None:
    stops = {
        Why.UNRESOLVED,
        Why.NO_RECORD,
        Why.CHANGED_INPUT,
        Why.FAILED,
        Why.CANCELED,
        Why.EXPIRED,
        Why.MISSING_JOB,
        Why.RESULT_LOST,
    }
    texts = {why: sentence(why, why == Why.NO_RECORD, True, ("prompt",)) for why in stops}
    assert len(set(texts.values())) == len(stops)
    assert "prompt" in texts[Why.CHANGED_INPUT]
    # The URL-like and the secret parts are the vendor's to leak, not ours: no sentence shows a key.
    assert not any("k-1" in text for text in texts.values())


def test_a_missing_job_stops_with_the_error_of_a_missing_job() -> None:
    error = stop_error(Decision(Action.STOP, Why.MISSING_JOB, attempt("submitted")), VENDOR, FACTS)
    assert isinstance(error, ApiError) and error.status == 404
