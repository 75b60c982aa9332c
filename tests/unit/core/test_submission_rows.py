# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The promises about money, each as one row: what is recorded, what happens, what is done and why."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.submission import (
    LOST,
    MISSING,
    Action,
    Policy,
    Situation,
    Why,
    decide,
    repeat_delay,
)
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.core.vendor import Idempotency, Promises
from airflow_provider_adgen.core.vocabulary import GenerationStatus as Status

NOW = 1_000_000.0
HOUR = 3600.0
NONE = Promises()
KEYED = Promises(idempotency=Idempotency(seconds=23 * HOUR))
RUNNING = Promises(idempotency=Idempotency(seconds=20.0, kinds=frozenset({"video"}), while_running=True))
REFUNDS = Promises(refunded=frozenset({Status.FAILED}))


def attempt(phase: str, *, age: float = 600.0, **fields: Any) -> Attempt:
    made: dict[str, Any] = {
        "phase": phase,
        "key": "k",
        "epoch": 1,
        "fingerprint": "same",
        "fields": {"prompt": "1", "model": "1"},
        "kind": "video",
        "intended_at": NOW - age,
        "post_seconds": 60.0,
        "key_tag": "tag",
    }
    return Attempt(**{**made, **fields})


def ask(record: Record | Attempt | list[Attempt] | None, promises: Promises = KEYED, **given: Any) -> Any:
    """Return action and reason for a second try of the same epoch, unless told otherwise."""
    if isinstance(record, Attempt):
        record = [record]
    if isinstance(record, list):
        record = Record(attempts=record)
    policy = Policy(**{name: given.pop(name) for name in list(given) if name.startswith("on_")})
    made: dict[str, Any] = {
        "kind": "video",
        "epoch": 1,
        "fingerprint": "same",
        "fields": {"prompt": "1", "model": "1"},
        "key_tag": "tag",
        "now": NOW,
        "try_number": 2,
    }
    decision = decide(Situation(record=record, promises=promises, policy=policy, **{**made, **given}))
    return decision.action, decision.why


OTHER_INPUT = {"fingerprint": "other", "fields": {"prompt": "2", "model": "1"}}
CLEARED = {"epoch": 3}
POSTED_JUST_NOW = attempt("intent", age=5, statuses=[0], sent_at=NOW - 3)
REFUSED_REPEAT = attempt("intent", statuses=[0, 402, 402, 402], sent_at=NOW - 1)
BOUGHT = attempt("submitted", job_ids=["j"])
DELIVERED = attempt("done", job_ids=["j"], result={"creatives": [{"uri": "s3://b/a.mp4"}]})


@pytest.mark.parametrize(
    ("record", "promises", "given", "action", "why"),
    [
        # --- nothing bought -------------------------------------------------------------------------------------
        (Record(), NONE, {}, Action.SUBMIT, Why.NOTHING_YET),
        (attempt("withdrawn"), NONE, {}, Action.SUBMIT, Why.WITHDRAWN),
        (attempt("withdrawn"), NONE, CLEARED, Action.SUBMIT, Why.WITHDRAWN),
        (attempt("withdrawn"), NONE, OTHER_INPUT, Action.SUBMIT, Why.WITHDRAWN),
        # --- nobody knows ---------------------------------------------------------------------------------------
        (attempt("intent", age=5), NONE, {}, Action.WAIT, Why.YOUNG_INTENT),
        (attempt("intent", age=5), KEYED, {}, Action.WAIT, Why.YOUNG_INTENT),
        (attempt("intent", age=5), NONE, {"on_unknown_submission": "resubmit"}, Action.WAIT, Why.YOUNG_INTENT),
        (attempt("intent"), NONE, {}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent"), NONE, CLEARED, Action.STOP, Why.UNRESOLVED),
        (attempt("intent"), NONE, OTHER_INPUT | {"on_changed_input": "fresh"}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent"), NONE, {"on_unknown_submission": "resubmit"}, Action.SUBMIT, Why.UNKNOWN_RESUBMIT),
        (attempt("intent"), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent"), KEYED, CLEARED, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent", age=24 * HOUR), KEYED, {}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent"), KEYED, {"key_tag": "rotated"}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent"), KEYED, OTHER_INPUT, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", unknown=True), KEYED, {}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", key=None), KEYED, {}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", statuses=[500] * 3, sent_at=NOW - 500), KEYED, {}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", statuses=[500, 502, 500], sent_at=NOW - 500), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent", statuses=[0] * 9, sent_at=NOW - 5000), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent", statuses=[429] * 9, sent_at=NOW - 5000), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent", statuses=[500], sent_at=NOW - 2), KEYED, {}, Action.WAIT, Why.PAUSE),
        (attempt("intent", age=5, statuses=[500], sent_at=NOW - 4), KEYED, {"own": True}, Action.WAIT, Why.PAUSE),
        # The account is out of credits: its refusal of a repeat says nothing, and the key still tells afterwards.
        (REFUSED_REPEAT, KEYED, {"own": True}, Action.STOP, Why.REPEAT_REFUSED),
        (
            attempt("intent", statuses=[0, 402, 402], sent_at=NOW - 500),
            KEYED,
            {"own": True},
            Action.REPEAT,
            Why.KEY_PROTECTS,
        ),
        (REFUSED_REPEAT, KEYED, {"own": True, "on_unknown_submission": "resubmit"}, Action.STOP, Why.REPEAT_REFUSED),
        (REFUSED_REPEAT, KEYED, {"own": True, "waits": True}, Action.WAIT, Why.PAUSE),
        (REFUSED_REPEAT, KEYED, {}, Action.WAIT, Why.PAUSE),
        (attempt("intent", statuses=[0, 402, 402, 402], sent_at=NOW - 500), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent", statuses=[402] * 9, sent_at=NOW - 5000), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (attempt("intent", statuses=[403] * 9, sent_at=NOW - 5000), KEYED, {}, Action.REPEAT, Why.KEY_PROTECTS),
        (
            attempt("intent", statuses=[0, 403, 403, 403]),
            KEYED,
            {"own": True, "waits": True},
            Action.STOP,
            Why.REPEAT_REFUSED,
        ),
        (attempt("intent", age=5, statuses=[0, 402, 402, 402]), RUNNING, {"own": True}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", statuses=[401] * 3, sent_at=NOW - 500), KEYED, {}, Action.STOP, Why.UNRESOLVED),
        (
            attempt("intent", age=24 * HOUR, statuses=[0, 402, 402, 402]),
            KEYED,
            {"own": True},
            Action.STOP,
            Why.UNRESOLVED,
        ),
        (attempt("intent", retry_at=NOW + 30), KEYED, {}, Action.WAIT, Why.PAUSE),
        (attempt("intent", retry_at=NOW + 48 * HOUR), KEYED, {}, Action.STOP, Why.UNRESOLVED),
        # A key that protects only while the job runs: by the process that posted, for seconds.
        (
            attempt("intent", age=5, statuses=[0], sent_at=NOW - 3),
            RUNNING,
            {"own": True},
            Action.REPEAT,
            Why.KEY_PROTECTS,
        ),
        (attempt("intent", age=5, statuses=[0], sent_at=NOW), RUNNING, {"own": True}, Action.WAIT, Why.PAUSE),
        (attempt("intent", age=19.9, statuses=[0], sent_at=NOW), RUNNING, {"own": True}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", age=21, statuses=[0], sent_at=NOW), RUNNING, {"own": True}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", age=5, kind="copy"), RUNNING, {"own": True}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent", age=5), RUNNING, {}, Action.WAIT, Why.YOUNG_INTENT),
        # --- a paid job -----------------------------------------------------------------------------------------
        (BOUGHT, NONE, {}, Action.ASK, Why.RECORDED),
        (BOUGHT, NONE, {"says": Status.PROCESSING}, Action.ATTACH, Why.STILL_RUNNING),
        (BOUGHT, NONE, {"says": "rendering"}, Action.ATTACH, Why.STILL_RUNNING),
        (BOUGHT, NONE, {"says": Status.SUSPENDED}, Action.ATTACH, Why.STILL_RUNNING),
        (BOUGHT, NONE, {"says": Status.COMPLETED}, Action.ATTACH, Why.STILL_RUNNING),
        (BOUGHT, NONE, CLEARED, Action.ASK, Why.RECORDED),
        (BOUGHT, NONE, CLEARED | {"says": Status.COMPLETED}, Action.ATTACH, Why.STILL_RUNNING),
        (BOUGHT, NONE, {"resumed": True}, Action.ATTACH, Why.RECORDED),
        (BOUGHT, NONE, {"says": MISSING}, Action.STOP, Why.MISSING_JOB),
        (BOUGHT, NONE, CLEARED | {"says": MISSING}, Action.STOP, Why.MISSING_JOB),
        (BOUGHT, NONE, {"says": Status.FAILED}, Action.STOP, Why.FAILED),
        (BOUGHT, NONE, {"says": Status.EXPIRED}, Action.STOP, Why.EXPIRED),
        (BOUGHT, NONE, {"says": Status.CANCELED}, Action.STOP, Why.CANCELED),
        (BOUGHT, REFUNDS, {"says": Status.FAILED}, Action.SUBMIT, Why.FAILED_REFUNDED),
        (BOUGHT, REFUNDS, {"says": Status.FAILED, "on_failed": "fail"}, Action.STOP, Why.FAILED),
        (BOUGHT, REFUNDS, {"says": Status.CANCELED}, Action.STOP, Why.CANCELED),
        (BOUGHT, NONE, {"says": Status.FAILED, "on_failed": "resubmit"}, Action.SUBMIT, Why.FAILED_RESUBMIT),
        (BOUGHT, NONE, {"says": Status.CANCELED, "on_failed": "resubmit"}, Action.STOP, Why.CANCELED),
        (BOUGHT, NONE, CLEARED | {"says": Status.FAILED}, Action.SUBMIT, Why.CLEARED),
        (BOUGHT, NONE, CLEARED | {"says": Status.CANCELED}, Action.SUBMIT, Why.CLEARED),
        (BOUGHT, NONE, CLEARED | {"says": Status.FAILED, "on_clear": "reattach"}, Action.STOP, Why.FAILED),
        # --- its input changed ----------------------------------------------------------------------------------
        (BOUGHT, NONE, OTHER_INPUT, Action.STOP, Why.CHANGED_INPUT),
        (BOUGHT, NONE, OTHER_INPUT | {"on_changed_input": "reattach"}, Action.ASK, Why.RECORDED),
        (BOUGHT, NONE, OTHER_INPUT | {"on_changed_input": "fresh"}, Action.SUBMIT, Why.CHANGED_FRESH),
        (BOUGHT, NONE, OTHER_INPUT | CLEARED, Action.SUBMIT, Why.CLEARED_CHANGED),
        (BOUGHT, NONE, {"says": LOST}, Action.STOP, Why.RESULT_LOST),
        (BOUGHT, NONE, CLEARED | {"says": LOST}, Action.SUBMIT, Why.CLEARED_LOST),
        (BOUGHT, NONE, CLEARED | {"says": LOST, "on_clear": "reattach"}, Action.STOP, Why.RESULT_LOST),
        (BOUGHT, NONE, OTHER_INPUT | CLEARED | {"on_clear": "reattach"}, Action.STOP, Why.CHANGED_INPUT),
        (BOUGHT, NONE, OTHER_INPUT | {"resumed": True}, Action.ATTACH, Why.RECORDED),
        # --- delivered ------------------------------------------------------------------------------------------
        (DELIVERED, NONE, {}, Action.RETURN, Why.DELIVERED),
        (DELIVERED, NONE, CLEARED, Action.SUBMIT, Why.CLEARED),
        (DELIVERED, NONE, OTHER_INPUT | CLEARED, Action.SUBMIT, Why.CLEARED_CHANGED),
        (DELIVERED, NONE, CLEARED | {"on_clear": "reattach"}, Action.RETURN, Why.DELIVERED),
        (DELIVERED, NONE, OTHER_INPUT, Action.STOP, Why.CHANGED_INPUT),
        (DELIVERED, NONE, OTHER_INPUT | {"on_changed_input": "fresh"}, Action.SUBMIT, Why.CHANGED_FRESH),
        (DELIVERED, NONE, OTHER_INPUT | {"on_changed_input": "reattach"}, Action.RETURN, Why.DELIVERED),
        (DELIVERED, NONE, CLEARED | {"resumed": True}, Action.RETURN, Why.DELIVERED),
        # --- no record ------------------------------------------------------------------------------------------
        (None, NONE, {"try_number": 1}, Action.SUBMIT, Why.NO_RECORD_FIRST),
        (None, NONE, {}, Action.STOP, Why.NO_RECORD),
        (None, NONE, {"try_number": 1, "resumed": True}, Action.STOP, Why.NO_RECORD),
        (None, NONE, {"on_unknown_submission": "resubmit"}, Action.SUBMIT, Why.NO_RECORD_RESUBMIT),
        (None, KEYED, {}, Action.SUBMIT, Why.NO_RECORD_KEYED),
        (None, RUNNING, {}, Action.STOP, Why.NO_RECORD),
    ],
)
def test_row(record: Any, promises: Promises, given: dict[str, Any], action: Action, why: Why) -> None:
    assert ask(record, promises, **given) == (action, why)


LATER = attempt("withdrawn", age=1.0, uid="later", fingerprint="other", epoch=3, statuses=[402])


@pytest.mark.parametrize(
    ("earlier", "given", "action", "why"),
    [
        # A paid job is not forgotten because a later submission, of whatever, was refused.
        (BOUGHT, {}, Action.ASK, Why.RECORDED),
        (BOUGHT, {"says": Status.PROCESSING} | CLEARED, Action.ATTACH, Why.STILL_RUNNING),
        (BOUGHT, OTHER_INPUT | CLEARED, Action.SUBMIT, Why.CLEARED_CHANGED),
        (attempt("intent"), {}, Action.STOP, Why.UNRESOLVED),
        (attempt("intent"), {"on_unknown_submission": "resubmit"}, Action.SUBMIT, Why.UNKNOWN_RESUBMIT),
        (DELIVERED, CLEARED, Action.SUBMIT, Why.CLEARED),
        (DELIVERED, CLEARED | {"resumed": True}, Action.SUBMIT, Why.CLEARED),
    ],
)
def test_row_behind_a_refused_attempt(earlier: Attempt, given: dict[str, Any], action: Action, why: Why) -> None:
    assert ask([earlier, LATER], NONE, **given) == (action, why)


SPOKEN = {"synchronous": True, "kind": "speech"}
VOICE = attempt("submitted", kind="speech", job_ids=["v"])
VOICE_DONE = attempt("done", kind="speech", job_ids=["v"], result={"creatives": [{"uri": None}]})


@pytest.mark.parametrize(
    ("record", "promises", "given", "action", "why"),
    [
        (VOICE, KEYED, {}, Action.REPEAT, Why.RESULT_BY_KEY),
        (VOICE_DONE, KEYED, {}, Action.REPEAT, Why.RESULT_BY_KEY),
        (VOICE, KEYED, {"resumed": True}, Action.REPEAT, Why.RESULT_BY_KEY),
        (VOICE, KEYED, {"key_tag": "rotated"}, Action.STOP, Why.RESULT_LOST),
        (VOICE, KEYED, {"now": NOW + 24 * HOUR}, Action.STOP, Why.RESULT_LOST),
        (VOICE, KEYED, OTHER_INPUT, Action.STOP, Why.CHANGED_INPUT),
        (VOICE, KEYED, OTHER_INPUT | {"on_changed_input": "reattach"}, Action.STOP, Why.RESULT_LOST),
        (VOICE.model_copy(update={"key": None}), KEYED, {}, Action.STOP, Why.RESULT_LOST),
        (VOICE, NONE, {}, Action.STOP, Why.RESULT_LOST),
        (VOICE_DONE, KEYED, CLEARED, Action.SUBMIT, Why.CLEARED),
        # Copy was kept with the answer.
        (VOICE.model_copy(update={"result": {"variants": [{}]}}), NONE, {}, Action.RETURN, Why.DELIVERED),
        (VOICE.model_copy(update={"result": {"variants": [{}]}}), NONE, CLEARED, Action.RETURN, Why.DELIVERED),
    ],
)
def test_row_of_a_result_that_is_given_once(
    record: Any, promises: Promises, given: dict[str, Any], action: Action, why: Why
) -> None:
    assert ask(record, promises, **SPOKEN, **given) == (action, why)


def test_a_young_intent_is_waited_out_to_its_own_deadline() -> None:
    situation = Situation(
        record=Record(attempts=[attempt("intent", age=18.0)]),
        promises=KEYED,
        policy=Policy(),
        kind="video",
        epoch=1,
        fingerprint="same",
        fields={},
        now=NOW,
        key_tag="tag",
    )
    assert decide(situation).seconds == pytest.approx(42.0)


def test_a_repeat_waits_as_long_as_the_vendor_asked() -> None:
    record = Record(attempts=[attempt("intent", statuses=[429], sent_at=NOW, retry_at=NOW + 33.0)])
    situation = Situation(record, KEYED, Policy(), "video", 1, "same", {}, NOW, key_tag="tag", own=True)
    assert decide(situation).seconds == pytest.approx(33.0)


def test_pauses_grow_to_a_limit() -> None:
    assert [repeat_delay(n) for n in range(1, 5)] == [5.0, 10.0, 20.0, 40.0]
    assert repeat_delay(0) == 5.0
    assert repeat_delay(10_000) == 600.0


def test_the_latest_of_several_attempts_decides() -> None:
    old = attempt("done", age=9000, uid="a", job_ids=["old"], result={"creatives": [{"uri": "s3://b/old"}]})
    new = attempt("submitted", age=100, uid="b", job_ids=["new"], epoch=3)
    situation = Situation(Record(attempts=[old, new]), NONE, Policy(), "video", 3, "same", {}, NOW, says="queued")
    decision = decide(situation)
    assert decision.action == Action.ATTACH and decision.attempt is not None
    assert decision.attempt.job_ids == ["new"]
