# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Limits on what a task may cost, accounts that are short of credits, and requests that are refused for nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
from airflow_provider_adgen.operators.adsumo import (
    AdsumoProductShotOperator,
    AdsumoTalkingAvatarOperator,
    AdsumoTemplateVideoOperator,
    AdsumoTextToImageOperator,
    AdsumoTextToSpeechOperator,
    AdsumoVideoOperator,
)
from airflow_provider_adgen.operators.generate import GenerateOperator

if TYPE_CHECKING:
    from tests.support.rig import Rig

VOICE = "EXAVITQu4vr4xnSDxMaL"
AVATAR = {"avatar_id": "a1", "avatar_type": "platform"}
IMAGE = {"prompt": "p", "model": "fast", "aspect_ratio": "1:1"}
VIDEO = {"model": "sora-2", "prompt": "p"}

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (AdsumoTextToImageOperator, {**IMAGE, "quantity": 9}, "quantity: Input should be less than or equal to 8"),
    (AdsumoTextToImageOperator, {**IMAGE, "quantity": "0"}, "quantity"),
    (AdsumoTextToImageOperator, {**IMAGE, "quantity": "many"}, "quantity"),
    (AdsumoTextToImageOperator, {**IMAGE, "quantity": 1.5}, "quantity"),
    (AdsumoTextToImageOperator, {**IMAGE, "quantity": True}, "quantity"),
    (AdsumoTextToImageOperator, {**IMAGE, "prompt": ""}, "prompt"),
    (AdsumoTextToImageOperator, {**IMAGE, "prompt": "   "}, "prompt"),
    (AdsumoTextToImageOperator, {**IMAGE, "prompt": None}, "prompt: Field required"),
    (AdsumoTextToImageOperator, {**IMAGE, "model": "turbo"}, "model: Input should be 'fast' or 'pro'"),
    (AdsumoTextToImageOperator, {**IMAGE, "aspect_ratio": "square"}, "aspect_ratio"),
    (AdsumoTextToImageOperator, {**IMAGE, "resolution": "8k"}, "resolution"),
    (AdsumoTextToImageOperator, {**IMAGE, "extra_fields": {"quantity": 99}, "max_credits": 99}, "assume_credits"),
    (AdsumoTalkingAvatarOperator, AVATAR, "give script and voice_id, or voiceover_id"),
    (AdsumoTalkingAvatarOperator, {**AVATAR, "script": "Hello"}, "give script and voice_id"),
    (AdsumoTalkingAvatarOperator, {**AVATAR, "voice_id": VOICE}, "give script and voice_id"),
    (AdsumoTalkingAvatarOperator, {**AVATAR, "avatar_type": "human", "voiceover_id": "v"}, "avatar_type"),
    (AdsumoTalkingAvatarOperator, {**AVATAR, "voiceover_id": "v", "lipsync_model": "x"}, "lipsync_model"),
    (AdsumoVideoOperator, {**VIDEO, "model": "sora-9"}, "model"),
    (AdsumoVideoOperator, {**VIDEO, "duration": 0}, "duration"),
    (AdsumoVideoOperator, {**VIDEO, "duration": "-3"}, "duration"),
    (AdsumoVideoOperator, {**VIDEO, "duration": "inf"}, "duration"),
    (AdsumoVideoOperator, {**VIDEO, "aspect_ratio": "16x9"}, "aspect_ratio"),
    (AdsumoProductShotOperator, {**IMAGE, "prompt": None, "product_id": "", "style_id": "s"}, "product_id"),
    (AdsumoTemplateVideoOperator, {"template": "", "product_id": "p"}, "template"),
    (AdsumoTextToSpeechOperator, {"text": "", "voice_id": VOICE}, "text"),
    (AdsumoTextToSpeechOperator, {"text": "t", "voice_id": VOICE, "voice_settings": "loud"}, "voice_settings"),
    (GenerateOperator, {"conn_id": "adsumo_default"}, 'A request needs a "kind"'),
    (GenerateOperator, {"conn_id": "adsumo_default", "request": {"prompt": "p"}}, 'A request needs a "kind"'),
    (GenerateOperator, {"conn_id": "adsumo_default", "request": {"kind": "poem"}}, "has no request of kind 'poem'"),
    (GenerateOperator, {"conn_id": "adsumo_default", "request": "{'kind': 'ai-video'}"}, "must be a dictionary"),
    (GenerateOperator, {"conn_id": "adsumo_default", "request": {"kind": "ai-video", **VIDEO, "fps": 60}}, "fps"),
]


@pytest.mark.parametrize(("cls", "fields", "said"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_request_is_refused_before_anything_is_sent(rig: Rig, cls: Any, fields: Any, said: str) -> None:
    fields = {name: value for name, value in fields.items() if value is not None or name in cls.request_fields}
    with pytest.raises(AirflowFailException, match=r"Nothing was sent") as caught:
        rig.run(rig.operator(cls, **fields))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert rig.sandbox.requests("adsumo") == []
    assert rig.phases == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_clear": "never"}, "on_clear must be one of 'fresh', 'reattach'"),
        ({"on_unknown_submission": "retry"}, "on_unknown_submission"),
        ({"on_failed": "retry"}, "on_failed"),
        ({"on_changed_input": "ignore"}, "on_changed_input"),
        ({"on_insufficient": "skip"}, "on_insufficient"),
        ({"on_suspended": "ignore"}, "on_suspended"),
        ({"timeout": 0}, "timeout must be more than 0 seconds"),
        ({"timeout": -5}, "timeout"),
        ({"timeout": "soon"}, "timeout must be seconds or a timedelta"),
        ({"timeout": float("nan")}, "timeout"),
        ({"submit_timeout": True}, "submit_timeout"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"max_credits": -1}, "max_credits must not be negative"),
        ({"max_credits": "lots"}, "max_credits must be a whole number of credits"),
        ({"max_credits": 1.5}, "max_credits"),
        ({"max_credits": True}, "max_credits"),
        ({"assume_credits": "x"}, "assume_credits"),
        ({"destination": "file:///x", "wait_for_completion": False}, "destination needs wait_for_completion=True"),
        ({"destination": "nowhere://x"}, "nowhere"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(rig: Rig, options: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=r"Nothing was sent|[Nn]othing was") as caught:
        rig.run(rig.operator(**options))
    assert said in str(caught.value)
    assert rig.sandbox.requests("adsumo") == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"host": "http://ads.example.com/api/v1"}, "would send its key over plain http to ads.example.com"),
        ({"conn_type": "sume"}, "is of type 'sume', but this needs one of type 'adsumo'"),
        ({"password": ""}, "has no password: put the Adsumo API key there"),
        ({"password": "two words"}, "holds characters that no API key has"),
        ({"timeout": -1}, "timeout"),
        ({"headers": {"Authorization": "Bearer x"}}, "must not set Authorization"),
    ],
)
def test_a_wrong_connection_is_refused_before_anything_is_sent(rig: Rig, changes: dict[str, Any], said: str) -> None:
    rig.connect(**changes)
    with pytest.raises(AirflowFailException, match=r"Nothing was sent") as caught:
        rig.run(rig.operator())
    assert said in str(caught.value)
    assert rig.sandbox.requests("adsumo") == []


def test_a_wrong_key_is_one_sentence_and_costs_nothing(rig: Rig, deferrable: bool) -> None:
    rig.connect(password="adsumo_sk_wrong")
    with pytest.raises(AirflowFailException, match=r"Adsumo answered 401 .* Check the connection's password") as caught:
        rig.run(rig.operator(deferrable=deferrable))
    assert "adsumo_sk_wrong" not in str(caught.value)
    assert rig.charges == [] and len(rig.posts()) == 1


def test_five_credits_for_a_job_of_twenty_is_one_sentence_and_costs_nothing(rig: Rig, deferrable: bool) -> None:
    rig.sandbox.set_credits("adsumo", 5)
    with pytest.raises(AirflowFailException) as caught:
        rig.run(rig.operator(AdsumoVideoOperator, **VIDEO, deferrable=deferrable))
    text = str(caught.value)
    assert "Required: 20, available: 5" in text and "Nothing was started" in text and "\n" not in text
    assert rig.charges == [] and rig.sandbox.balance("adsumo") == 5
    assert rig.phases == ["withdrawn"]
    assert rig.sandbox.jobs() == []


def test_an_account_that_may_not_is_one_sentence_and_costs_nothing(rig: Rig) -> None:
    rig.sandbox.set_account("adsumo", status="forbidden")
    with pytest.raises(AirflowFailException, match=r"403 .* Starter subscription"):
        rig.run(rig.operator())
    assert rig.charges == []


# --- waiting for credits ------------------------------------------------------------------------------------------


def test_credits_are_waited_for_on_the_worker(rig: Rig) -> None:
    rig.sandbox.set_credits("adsumo", 0)
    sleep = rig.clock.sleep

    def top_up_after_three(seconds: float) -> None:
        sleep(seconds)
        if len(rig.clock.slept) == 3:
            rig.sandbox.set_credits("adsumo", 5)

    rig.patch.setattr("time.sleep", top_up_after_three)
    assert rig.run(rig.operator(on_insufficient="wait"))["status"] == "completed"
    assert len(rig.charges) == 1
    assert rig.clock.slept[:3] == pytest.approx([300.0] * 3, rel=0.07)


def test_credits_are_waited_for_in_the_triggerer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_adgen.lifecycle import submit_window

    monkeypatch.setattr(submit_window, "CREDIT_PAUSE", 0.05)
    rig.sandbox.set_credits("adsumo", 0)
    timer = threading.Timer(0.4, rig.sandbox.set_credits, ("adsumo", 5))
    timer.start()
    try:
        assert rig.run(rig.operator(on_insufficient="wait", deferrable=True))["status"] == "completed"
    finally:
        timer.join()
    assert len(rig.charges) == 1
    assert len(rig.posts()) == 2, "the balance is asked for, not the submission tried"


@pytest.mark.parametrize("records", ["state", "none"])
def test_credits_are_not_waited_for_for_ever(
    make_rig: Callable[..., Rig], deferrable: bool, records: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_adgen.lifecycle import submit_window

    rig = make_rig(records=records)
    if deferrable:
        monkeypatch.setattr(submit_window, "CREDIT_PAUSE", 0.05)
    rig.sandbox.set_credits("adsumo", 0)
    stream_seconds = 0.3 if deferrable else 3600
    with pytest.raises(GenerationTimeout, match=r"not allowed to submit .*not enough credits.*Nothing was started"):
        rig.run(rig.operator(on_insufficient="wait", deferrable=deferrable, submit_timeout=stream_seconds))
    assert rig.charges == []


# --- limits -------------------------------------------------------------------------------------------------------


def test_a_limit_is_kept_before_anything_is_sent(rig: Rig) -> None:
    with pytest.raises(AirflowFailException, match=r"costs 8 credits .* more than max_credits=7. Nothing was sent"):
        rig.run(rig.operator(quantity=8, max_credits="7"))
    assert rig.posts() == []
    assert rig.run(rig.operator(quantity=8, max_credits="8"))["credits"]["quoted"] == 8


def test_a_limit_is_over_all_tries(rig: Rig) -> None:
    rig.sandbox.fail_next("adsumo", times=9)
    with pytest.raises(GenerationFailed):
        rig.run(rig.operator(max_credits=2, on_failed="resubmit"))
    rig.retry()
    with pytest.raises(GenerationFailed):
        rig.run(rig.operator(max_credits=2, on_failed="resubmit"))
    rig.retry()
    with pytest.raises(AirflowFailException, match=r"earlier attempts of .* may have cost 2: together more than"):
        rig.run(rig.operator(max_credits=2, on_failed="resubmit"))
    assert rig.spent == 2


def test_a_limit_counts_what_nobody_knows(rig: Rig, promising: Callable[..., None]) -> None:
    promising()
    rig.sandbox.fault("drop", "adsumo", method="POST")
    with pytest.raises(AirflowFailException, match=r"may have cost 1"):
        rig.run(rig.operator(max_credits=1, on_unknown_submission="resubmit"))
    assert len(rig.charges) == 1


def test_a_limit_begins_anew_when_the_user_clears(rig: Rig) -> None:
    for _ in range(2):
        rig.run(rig.operator(max_credits=1))
        rig.clear()
    assert rig.spent == 2


def test_a_limit_without_a_documented_price_is_refused_unless_one_is_assumed(rig: Rig) -> None:
    video = {**VIDEO, "max_credits": 30}
    with pytest.raises(AirflowFailException, match=r"documents no price of ai-video requests"):
        rig.run(rig.operator(AdsumoVideoOperator, **video))
    with pytest.raises(AirflowFailException, match=r"costs 31 credits"):
        rig.run(rig.operator(AdsumoVideoOperator, **video, assume_credits=31))
    assert rig.posts() == []
    assert rig.run(rig.operator(AdsumoVideoOperator, **video, assume_credits=20))["status"] == "completed"


def test_a_refused_attempt_costs_nothing_of_the_limit(rig: Rig) -> None:
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, retry_after=1, times=3)
    assert rig.run(rig.operator(max_credits=1))["status"] == "completed"
