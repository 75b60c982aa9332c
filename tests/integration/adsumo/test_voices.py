# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Voiceovers: the result comes once, with the answer to the submission, behind a link of an hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen import metrics
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import AdGenError, DownloadError, RateLimited, ServerError
from airflow_provider_adgen.lifecycle import generation, submission
from airflow_provider_adgen.operators.adsumo import AdsumoTextToSpeechOperator

if TYPE_CHECKING:
    from tests.support.rig import Rig


class Killed(BaseException):
    pass


@pytest.fixture(params=["state", "objects"])
def rig(request: pytest.FixtureRequest, make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(records=request.param)


def speak(rig: Rig, **fields: Any) -> dict[str, Any]:
    given = {"text": "Hello there", "voice_id": "EXAVITQu4vr4xnSDxMaL", **fields}
    result: dict[str, Any] = rig.run(rig.operator(AdsumoTextToSpeechOperator, **given))
    return result


def die_at(rig: Rig, monkeypatch: pytest.MonkeyPatch, point: str, **fields: Any) -> None:
    def failpoint(here: str) -> None:
        if here == point:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(submission, "failpoint", failpoint)
        patch.setattr(generation, "failpoint", failpoint)
        with pytest.raises(Killed):
            speak(rig, **fields)


@pytest.mark.parametrize("deferrable", [False, True])
def test_it_is_stored_at_once(rig: Rig, deferrable: bool) -> None:
    result = speak(rig, destination=rig.destination, deferrable=deferrable)
    (creative,) = result["creatives"]
    assert creative["kind"] == "audio" and creative["media_type"] == "audio/mpeg" and creative["url"] is None
    assert Path(creative["uri"].removeprefix("file://")).stat().st_size == creative["size"] > 1000
    assert result["kind"] == "voice" and result["credits"]["quoted"] == 1
    assert len(rig.charges) == 1
    assert [one for one in rig.sandbox.requests("adsumo", method="GET") if "/generations" in one["path"]] == []


def test_without_a_destination_its_link_is_returned(rig: Rig) -> None:
    (creative,) = speak(rig)["creatives"]
    assert creative["url"].startswith("http") and creative["expires_at"]
    assert "url': 'http" not in str(rig.record())


@pytest.mark.parametrize("point", ["before-record", "after-record", "before-store", "before-done", "after-done"])
def test_a_try_that_died_is_collected_by_its_key(rig: Rig, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    die_at(rig, monkeypatch, point, destination=rig.destination)
    rig.retry()
    result = speak(rig, destination=rig.destination)
    assert result["creatives"][0]["uri"]
    assert len(rig.charges) == 1
    assert len({post["headers"]["idempotency-key"] for post in rig.posts()}) == 1


def test_a_delivery_without_a_destination_is_collected_again_by_its_key(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    def count(name: str, number: int, _tags: object) -> None:
        counted.extend([number] if name == "adgen.credits.charged" else [])

    monkeypatch.setattr(metrics, "count", count)
    first = speak(rig)
    rig.retry()
    again = speak(rig)
    assert sum(counted) == rig.spent == 1
    assert again["id"] == first["id"] and again["creatives"][0]["url"]
    assert len(rig.charges) == 1 and rig.phases == ["done"]


def test_a_day_later_it_is_lost_and_said_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(rig, monkeypatch, "before-store", destination=rig.destination)
    rig.clock.move(24 * 3600)
    rig.retry()
    with pytest.raises(DownloadError, match=r"gave the result of job .* once.* It is paid for. Clear the task"):
        speak(rig, destination=rig.destination)
    assert len(rig.charges) == 1 and len(rig.posts()) == 1


def test_its_link_has_expired_and_the_key_gives_the_same_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(rig, monkeypatch, "before-store", destination=rig.destination)
    rig.clock.move(2 * 3600)
    rig.retry()
    # Adsumo documents that a repeat has the original answer, so the link in it is as old as the voiceover.
    with pytest.raises(DownloadError):
        speak(rig, destination=rig.destination)
    assert len(rig.charges) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 500}, ServerError),
        ({"kind": "status", "status": 429, "retry_after": 1}, RateLimited),
        ({"kind": "status", "status": 402}, AirflowFailException),
        ({"kind": "drop"}, AdGenError),
        ({"kind": "not_json"}, AdGenError),
    ],
)
def test_collecting_that_goes_wrong_is_tried_once_per_try(rig: Rig, fault: dict[str, Any], kind: Any) -> None:
    first = speak(rig)
    rig.retry()
    strikes = {"method": "POST", "times": -1, **fault}
    rig.sandbox.fault(strikes.pop("kind"), "adsumo", **strikes)
    with pytest.raises(kind):
        speak(rig)
    assert len(rig.posts()) == 2
    assert rig.phases == ["done"], "what was bought stays bought"
    rig.sandbox.clear_faults()
    rig.retry()
    assert speak(rig)["id"] == first["id"]
    assert len(rig.charges) == 1


@pytest.mark.parametrize("kind", ["drop", "truncate"])
def test_a_lost_answer_is_asked_for_again_with_its_key(rig: Rig, kind: str) -> None:
    rig.sandbox.fault(kind, "adsumo", method="POST")
    assert speak(rig, destination=rig.destination)["creatives"][0]["uri"]
    assert len(rig.charges) == 1


def test_another_key_of_the_account_cannot_collect_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(rig, monkeypatch, "before-store", destination=rig.destination)
    rig.connect(password=rig.sandbox.add_account("adsumo", "team", key="adsumo_sk_other"))
    rig.retry()
    with pytest.raises(DownloadError, match=r"It is paid for"):
        speak(rig, destination=rig.destination)
    assert len(rig.charges) == 1


@pytest.mark.parametrize("records", ["none"])
def test_without_a_record_the_key_collects_it_too(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, records: str
) -> None:
    rig = make_rig(records=records)
    die_at(rig, monkeypatch, "before-store", destination=rig.destination)
    rig.retry()
    assert speak(rig, destination=rig.destination)["creatives"][0]["uri"]
    assert len(rig.charges) == 1


def test_an_acceptance_without_the_audio_is_no_success(rig: Rig) -> None:
    rig.sandbox.fault("missing_fields", "adsumo", method="POST", fields=["audio_url"])
    with pytest.raises((AirflowFailException, AdGenError)):
        speak(rig)
    assert len(rig.charges) == 1
