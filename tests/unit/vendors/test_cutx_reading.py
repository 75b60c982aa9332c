# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_adgen.core.errors import DownloadError, InvalidRequest, NotFound, UnexpectedResponse
from airflow_provider_adgen.core.vocabulary import FINISHED, Generation, GenerationStatus
from airflow_provider_adgen.vendors.cutx import VENDOR, api
from tests.support.sequences import answer, drive

ID = "6f1f9c1e-7b55-4c4e-8a0b-6d1f0a2b3c4d"
SUBJECT = {"project_id": "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11", "product_id": "7c1a4d9e-52b3-4f6a-9b7e-1d2c3b4a5f60"}
COPY = {"kind": "copy", **SUBJECT, "platform": "meta", "format": "short", "tone": "bold"}
AD = {"kind": "static-ad", **SUBJECT}
VIDEO = {"kind": "video", **SUBJECT, "script": "Hey! You need this."}
STATUS = "/api/generate/status"
VARIANT = {
    "hook": "Summer just got hotter.",
    "body": "Our best-selling widget is now 50% off...",
    "cta": "Shop the Sale",
    "hashtags": ["#SummerSale", "#LimitedTime"],
}


def submitted(value: Any, request: dict[str, Any] = AD, status: int = 200) -> Generation:
    return VENDOR.submit(VENDOR.parse_request(request), None).parse(answer(value, status))


def seen(value: Any, kind: str | None = None, job: str = ID) -> Generation:
    found: Generation = drive(VENDOR.fetch((job,), kind), {STATUS: value})
    return found


def polled(value: Any) -> Any:
    return drive(VENDOR.poll((ID,)), {STATUS: value})


# --- submissions --------------------------------------------------------------------------------------------------


def test_the_example_of_copy() -> None:
    value = {"jobId": "uuid", "status": "completed", "creditsUsed": 1, "creditsRemaining": 24, "variants": [VARIANT]}
    found = submitted(value, COPY)
    assert (found.vendor, found.id, found.job_ids, found.kind) == ("cutx", "uuid", ["uuid"], "copy")
    assert found.status == GenerationStatus.COMPLETED and found.succeeded
    assert found.to_xcom(urls=True)["variants"] == [VARIANT]
    assert found.credits.model_dump() == {"quoted": 1, "charged": 1, "refunded": None}
    assert found.details == {"credits_remaining": 24}


@pytest.mark.parametrize(("request_", "used", "remaining", "kind"), [(AD, 3, 21, "image"), (VIDEO, 40, 60, "video")])
def test_the_examples_of_jobs(request_: dict[str, Any], used: int, remaining: int, kind: str) -> None:
    value = {"jobId": "uuid", "status": "queued", "creditsUsed": used, "creditsRemaining": remaining}
    found = submitted(value, request_)
    assert (found.id, found.kind, found.status) == ("uuid", kind, GenerationStatus.QUEUED)
    assert (found.credits.quoted, found.credits.charged) == (used, used)
    assert found.details == {"credits_remaining": remaining}


def test_the_examples_of_a_key() -> None:
    first = submitted({"jobId": "abc", "creditsUsed": 3})
    assert (first.id, first.status, first.credits.charged) == ("abc", GenerationStatus.QUEUED, 3)
    again = submitted({"jobId": "abc", "creditsUsed": 0, "status": "reused"})
    assert (again.id, again.finished, again.credits.charged) == ("abc", False, 0)
    assert again.details == {"reused": True}
    assert "reused" not in {str(status) for status in GenerationStatus}


def test_snake_case_and_strings_are_read_too() -> None:
    value = {"job_id": "abc", "status": "PENDING", "credits_used": "3", "credits_remaining": "21.0"}
    found = submitted(value)
    assert (found.id, found.status, found.credits.charged) == ("abc", GenerationStatus.PENDING, 3)
    assert found.details == {"credits_remaining": 21}
    assert submitted({"id": "abc"}).id == "abc"
    assert submitted({"jobId": None, "job_id": "abc"}).id == "abc"
    assert submitted({"jobId": 7}).id == "7"
    assert submitted({"jobId": "abc"}, status=201).id == "abc"


@pytest.mark.parametrize("count", [0, 1, 3, 5, 8])
def test_as_many_variants_as_come_are_kept(count: int) -> None:
    variants = [{**VARIANT, "hook": f"Hook {number}"} for number in range(count)]
    found = submitted({"jobId": "j", "status": "completed", "variants": variants}, COPY)
    assert [one.hook for one in found.variants] == [f"Hook {number}" for number in range(count)]
    assert found.succeeded == (count > 0)


@pytest.mark.parametrize(
    ("variants", "kept"),
    [
        ([{"hook": "H"}], [("H", None, None, [])]),
        ([{"hook": None, "body": "B", "hashtags": None}], [(None, "B", None, [])]),
        ([{"body": "B", "hashtags": "#a #b"}], [(None, "B", None, ["#a", "#b"])]),
        ([{"body": "B", "hashtags": ["#a", None, {}, 5]}], [(None, "B", None, ["#a", "5"])]),
        ([{"hook": ["H"], "body": "B", "cta": {"text": "C"}}], [(None, "B", None, [])]),
        ([{"hashtags": ["#a"]}], [(None, None, None, ["#a"])]),
        (["Just a line"], [(None, "Just a line", None, [])]),
        (
            [VARIANT, None, 5, {}, {"hook": " "}, []],
            [(VARIANT["hook"], VARIANT["body"], VARIANT["cta"], VARIANT["hashtags"])],
        ),
        ({"hook": "H"}, [("H", None, None, [])]),
        ({"a": {"hook": "H"}, "b": {"hook": "I"}}, [("H", None, None, []), ("I", None, None, [])]),
    ],
)
def test_variants_that_are_not_as_documented_are_not_lost(variants: Any, kept: list[Any]) -> None:
    found = submitted({"jobId": "j", "status": "completed", "creditsUsed": 1, "variants": variants}, COPY)
    assert [(one.hook, one.body, one.cta, one.hashtags) for one in found.variants] == kept
    assert found.succeeded


def test_unknown_fields_of_a_variant_are_kept() -> None:
    found = submitted({"jobId": "j", "variants": [{**VARIANT, "headline": "New"}]}, COPY)
    assert found.to_xcom(urls=False)["variants"] == [{**VARIANT, "headline": "New"}]


@pytest.mark.parametrize("wrapping", ["result", "output", "data"])
def test_variants_may_be_wrapped(wrapping: str) -> None:
    assert submitted({"jobId": "j", wrapping: {"variants": [VARIANT]}}, COPY).variants[0].cta == "Shop the Sale"


@pytest.mark.parametrize("word", [None, "completed", "queued", "processing", "reused", "done", ""])
def test_copy_that_is_there_is_completed_whatever_its_word(word: str | None) -> None:
    value = {"jobId": "j", "variants": [VARIANT], **({} if word is None else {"status": word})}
    assert submitted(value, COPY).succeeded


@pytest.mark.parametrize("word", [None, "completed", "queued", "reused", "done"])
@pytest.mark.parametrize("variants", [None, [], {}, "none", [{}]])
def test_copy_that_is_not_there_has_to_be_asked_for(word: str | None, variants: Any) -> None:
    value = {"jobId": "j", "variants": variants, **({} if word is None else {"status": word})}
    found = submitted(value, COPY)
    assert not found.finished and not found.variants


@pytest.mark.parametrize("word", ["failed", "canceled", "expired"])
def test_a_submission_may_end_at_once(word: str) -> None:
    for request in (COPY, AD):
        assert submitted({"jobId": "j", "status": word}, request).status == GenerationStatus(word)


def test_a_job_that_is_completed_at_once_still_has_to_be_asked_for_its_files() -> None:
    assert not submitted({"jobId": "j", "status": "completed"}).finished


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"status": "queued", "creditsUsed": 3},
        {"jobId": None},
        {"jobId": ""},
        {"jobId": " "},
        {"jobId": {"id": "j"}},
        {"jobId": True},
        {"jobId": "a,b"},
        {"jobId": "a b"},
        {"jobId": "a\nb"},
        [],
        None,
        "abc",
        5,
        b"",
        b"<html>",
    ],
)
def test_a_submission_without_a_job_is_unexpected(value: Any) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        submitted(value)
    assert (caught.value.vendor, caught.value.endpoint) == ("cutx", "POST /api/generate/static-ad")
    if isinstance(value, dict):
        assert caught.value.field == "job_id"


@pytest.mark.parametrize("wrong", [None, [], {}, "x", True, 1e400])
def test_only_the_job_matters_of_a_paid_answer(wrong: Any) -> None:
    value = {"jobId": "j", "creditsUsed": wrong, "creditsRemaining": wrong, "status": wrong, "variants": wrong}
    for request in (COPY, AD, VIDEO):
        assert submitted(json.dumps(value).encode(), request).id == "j"


# --- jobs ---------------------------------------------------------------------------------------------------------

DONE = {
    "id": "uuid",
    "type": "static_ad",
    "status": "completed",
    "assets": [{"id": "uuid", "type": "image", "url": "https://..."}],
    "createdAt": "2026-03-09T10:00:00Z",
    "completedAt": "2026-03-09T10:00:25Z",
}


def test_the_example_of_a_job() -> None:
    found = seen(DONE)
    assert (found.id, found.kind, found.status) == (ID, "image", GenerationStatus.COMPLETED)
    (creative,) = found.creatives
    assert (creative.kind, creative.url, creative.expires_at) == ("image", "https://...", None)
    value = found.to_xcom(urls=False)
    assert (value["created_at"], value["completed_at"]) == ("2026-03-09T10:00:00+00:00", "2026-03-09T10:00:25+00:00")
    assert value["details"] == {"type": "static_ad", "asset_ids": ["uuid"]}
    assert "https://..." not in repr(found)


def test_the_job_is_asked_for_by_its_id() -> None:
    call = next(VENDOR.fetch((ID,)))
    assert (call.method, call.path, dict(call.query)) == ("GET", STATUS, {"jobId": ID})
    assert not call.paid and call.may_repeat
    with pytest.raises(InvalidRequest):
        api.job("a\nb")
    with pytest.raises(InvalidRequest):
        api.job("\ud800")


def test_snake_case_of_a_job() -> None:
    value = {"job_id": "j", "type": "ugc_video", "status": "completed", "created_at": "2026-03-09T10:00:00Z"}
    value |= {"completed_at": 1773050425, "assets": [{"type": "video", "url": "https://m.example/v.mp4?s=1"}]}
    found = seen(value)
    assert found.kind == "video" and found.creatives[0].kind == "video"
    assert found.created_at is not None and found.completed_at is not None
    assert (found.completed_at - found.created_at).total_seconds() == 25


@pytest.mark.parametrize("word", ["pending", "queued", "processing", "completed", "failed", "canceled", "expired"])
def test_every_documented_status(word: str) -> None:
    found = seen({**DONE, "status": word})
    assert found.status == GenerationStatus(word)
    assert found.finished == (word in {"completed", "failed", "canceled", "expired"})
    assert bool(found.creatives) == (word == "completed"), "files count when the job is done"


@pytest.mark.parametrize("word", ["archived", "rendering", "Reticulating splines", "", "reused"])
def test_an_unknown_status_is_not_the_end(word: str) -> None:
    found = seen({**DONE, "status": word})
    assert not found.finished and not found.creatives
    if word != "reused":
        assert found.status == word


def test_a_failed_job_may_return() -> None:
    words = ["failed", "pending", "processing", "completed"]
    assert [seen({**DONE, "status": word}).status in FINISHED for word in words] == [True, False, False, True]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, None),
        ({"error": "no face found"}, "no face found"),
        ({"error": {"message": "no face found", "code": "x"}}, "no face found"),
        ({"error": {"code": "x"}}, "x"),
        ({"errorMessage": "no face found"}, "no face found"),
        ({"error_message": "no face found"}, "no face found"),
        ({"failureReason": "no face found"}, "no face found"),
        ({"error": None, "message": "no face found"}, "no face found"),
        ({"error": 5, "reason": ["x"]}, None),
        ({"error": "see https://m.example/a.png?sig=secret"}, "see https://m.example/…"),
    ],
)
def test_why_a_job_failed(fields: dict[str, Any], error: str | None) -> None:
    assert seen({"id": ID, "type": "ugc_video", "status": "failed", "assets": [], **fields}).error == error
    # A message that comes with a result is no trouble.
    assert seen({**DONE, **fields}).error is None


@pytest.mark.parametrize(
    ("type_", "asked", "kind"),
    [
        ("copy", None, "copy"),
        ("static_ad", "video", "image"),
        ("ugc_video", None, "video"),
        ("lip_sync", None, "video"),
        ("tts", None, "voice"),
        ("STATIC_AD", None, "image"),
        ("reframe", "image", "image"),
        ("reframe", None, "video"),
        (None, "copy", "copy"),
        (None, "image", "image"),
        (None, "something", "video"),
        (5, None, "video"),
    ],
)
def test_the_kind_of_a_job(type_: Any, asked: str | None, kind: str) -> None:
    assert seen({"type": type_, "status": "queued"}, asked).kind == kind


def test_the_files_of_an_unknown_job_say_what_it_made() -> None:
    assert seen({**DONE, "type": "i2i"}).kind == "image"


@pytest.mark.parametrize(
    ("asset", "kind"),
    [
        ({"type": "image", "url": "https://m.example/x"}, "image"),
        ({"type": "VIDEO", "url": "https://m.example/x.png"}, "video"),
        ({"type": "thumbnail", "url": "https://m.example/x.PNG?sig=1"}, "image"),
        ({"url": "https://m.example/x.mp4"}, "video"),
        ({"url": "https://m.example/x.mp3"}, "audio"),
        ({"type": 5, "url": "https://m.example/x"}, "video"),
    ],
)
def test_the_kind_of_a_file(asset: dict[str, Any], kind: str) -> None:
    (creative,) = seen({**DONE, "type": "ugc_video", "assets": [asset]}).creatives
    assert (creative.kind, creative.url) == (kind, asset["url"])


@pytest.mark.parametrize("assets", [None, [], {}, "x", [None, 5, "x"], [{}], [{"url": None}], [{"url": "/r2/x.png"}]])
def test_files_that_cannot_be_read_are_left_out(assets: Any) -> None:
    assert seen({**DONE, "assets": assets}).creatives == []
    assert (
        len(seen({**DONE, "assets": [*(assets if isinstance(assets, list) else []), *DONE["assets"]]}).creatives) == 1
    )


@pytest.mark.parametrize(
    "value", [{}, {"id": ID}, {"status": None}, {"status": 5}, {"status": ["queued"]}, [], None, b"x"]
)
def test_a_job_without_a_status_is_unexpected(value: Any) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        seen(value)
    assert caught.value.endpoint == "GET /api/generate/status"


# --- copy asked for again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "asked"), [("copy", None), (None, "copy"), ("copy", "image")])
def test_copy_that_is_not_shown_again_is_no_empty_success(type_: str | None, asked: str | None) -> None:
    value = {**DONE, "type": type_, "assets": []}
    with pytest.raises(DownloadError, match=f"{ID} is completed and paid for"):
        seen(value, asked)
    for word in ("processing", "failed", "expired"):
        assert seen({**value, "status": word}, asked).kind == "copy"


def test_copy_that_is_shown_again_is_taken() -> None:
    found = seen({**DONE, "type": "copy", "assets": [], "result": {"variants": [VARIANT]}})
    assert found.succeeded and found.variants[0].body == VARIANT["body"]


def test_an_error_of_the_vendor_is_passed_on() -> None:
    error = NotFound("gone", vendor="cutx", status=404)
    with pytest.raises(NotFound):
        drive(VENDOR.fetch((ID,)), {STATUS: error})


# --- polls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["queued", "Processing", "pending", "warming_up"])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"job": value}], ids=["bare", "wrapped"])
def test_of_a_job_that_runs_a_poll_reads_the_status_alone(word: str, wrap: Any) -> None:
    value = wrap({"status": word, "type": "static_ad", "assets": [{"url": "https://a.example/x.png"}]})
    found = polled(value)
    assert not isinstance(found, Generation)
    assert found == seen(value).status


@pytest.mark.parametrize(
    "value",
    [
        {"status": "completed", "type": "static_ad", "assets": [{"type": "image", "url": "https://a.example/x.png"}]},
        {"status": "failed", "type": "ugc_video", "error": "no face"},
        {"status": "completed", "type": "copy", "variants": [VARIANT]},
        {"Status": "queued", "type": "static_ad"},
    ],
    ids=["completed", "failed", "copy", "in another case"],
)
def test_anything_else_a_poll_reads_as_a_fetch_does(value: dict[str, Any]) -> None:
    assert polled(value) == seen(value)


@pytest.mark.parametrize("value", [{}, {"status": None}, {"status": 7}, {"status": ["queued"]}])
def test_a_poll_needs_a_status(value: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedResponse, match="status"):
        polled(value)
