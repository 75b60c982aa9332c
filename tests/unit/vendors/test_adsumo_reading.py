# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Adsumo answers: the documented examples, fields that are missing, and anything at all."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_adgen.core.calls import Answer
from airflow_provider_adgen.core.errors import ApiError, InsufficientCredits, UnexpectedResponse, error_class
from airflow_provider_adgen.core.vocabulary import Generation, GenerationStatus
from airflow_provider_adgen.vendors.adsumo import VENDOR, api
from tests.support.sequences import answer, drive

ACCEPTED = {
    "generation_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "type": "ai-video",
    "status": "processing",
}
SHOWN = {
    "id": "g-1",
    "type": "ai-video",
    "status": "completed",
    "created_at": "2026-01-15T12:00:00Z",
    "result_url": "https://cdn.adsumo.ai/g-1.mp4?X-Amz-Signature=s3cr3t",
    "details": {"prompt": "p", "model": "sora-2", "duration": 30, "aspect_ratio": "9:16"},
}
SPOKEN = {"id": "v-1", "status": "completed", "duration": 4.5, "audio_url": "https://cdn/v.mp3?sig=s3cr3t"}
VIDEO = VENDOR.parse_request({"kind": "ai-video", "model": "sora-2", "prompt": "p"})
VOICE = VENDOR.parse_request({"kind": "text-to-speech", "text": "t", "voice_id": "v"})


def submitted(value: Any, request: Any = VIDEO) -> Generation:
    found: Generation = VENDOR.submit(request, None).parse(answer(value))
    return found


def fetched(value: Any, kind: str | None = None) -> Generation:
    found: Generation = drive(VENDOR.fetch(("g-1",), kind), {"/generations/g-1": value})
    return found


def test_an_acceptance() -> None:
    found = submitted(ACCEPTED)
    assert (found.id, found.kind, found.status) == (ACCEPTED["generation_id"], "video", GenerationStatus.PROCESSING)
    assert not found.finished and found.creatives == []


@pytest.mark.parametrize("value", [{"id": "g"}, {"generation_id": "g"}, {"id": "g", "status": None}])
def test_an_acceptance_needs_no_more_than_an_id(value: dict[str, Any]) -> None:
    assert (submitted(value).id, submitted(value).kind) == ("g", "video")


@pytest.mark.parametrize("value", [{}, {"generation_id": None}, {"generation_id": True}, {"id": []}, [], None, "g", 7])
def test_an_acceptance_without_an_id_is_unreadable(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match="POST /videos/ai-video"):
        submitted(value)


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"data": one}])
@pytest.mark.parametrize("name", ["generation_id", "id"])
def test_an_id_may_be_a_number_or_wrapped(name: str, wrap: Any) -> None:
    assert submitted(wrap({name: 7})).id == "7"


@pytest.mark.parametrize("identity", ["", "  ", "a,b", "a b", "\n"])
def test_what_cannot_be_asked_by_is_no_id(identity: str) -> None:
    with pytest.raises(UnexpectedResponse):
        submitted({"generation_id": identity})


def test_a_generation() -> None:
    found = fetched(SHOWN)
    assert (found.id, found.kind, found.succeeded) == ("g-1", "video", True)
    assert [one.url for one in found.creatives] == [SHOWN["result_url"]]
    assert found.created_at is not None and found.created_at.isoformat() == "2026-01-15T12:00:00+00:00"
    assert found.details["model"] == "sora-2"
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("processing", GenerationStatus.PROCESSING),
        ("completed", GenerationStatus.COMPLETED),
        ("COMPLETED", GenerationStatus.COMPLETED),
        (" failed ", GenerationStatus.FAILED),
        ("rendering", "rendering"),
    ],
)
def test_status_words(word: str, status: str) -> None:
    assert fetched({**SHOWN, "status": word}).status == status


def test_an_unknown_word_is_not_the_end() -> None:
    assert not fetched({**SHOWN, "status": "archived"}).finished


@pytest.mark.parametrize("word", ["processing", "failed", "rendering"])
def test_a_link_counts_only_when_it_is_completed(word: str) -> None:
    assert fetched({**SHOWN, "status": word}).creatives == []


@pytest.mark.parametrize("field", ["id", "status"])
@pytest.mark.parametrize("value", [..., None, True, []])
def test_what_we_need_of_a_generation(field: str, value: Any) -> None:
    shown = {name: item for name, item in SHOWN.items() if name != field}
    if value is not ...:
        shown[field] = value
    with pytest.raises(UnexpectedResponse, match=r"GET /generations/\{id\}"):
        fetched(shown)


A, A2, B = "https://c/a", "https://c/a?2", "https://c/b"


@pytest.mark.parametrize(
    ("fields", "links"),
    [
        ({"result_url": "https://c/a?1"}, ["https://c/a?1"]),
        ({"result_url": ["https://c/a", "https://c/b"]}, ["https://c/a", "https://c/b"]),
        ({"result_url": None, "result_urls": ["https://c/a", "https://c/b"]}, ["https://c/a", "https://c/b"]),
        ({"result_url": "https://c/a?1", "result_urls": ["https://c/a?2", "https://c/b"]}, [A2, B]),
        ({"result_url": "https://c/a", "images": [{"url": "https://c/a"}, {"url": "https://c/b"}]}, [A, B]),
        ({"result_url": "https://c/a", "images": ["https://other/input.png"]}, ["https://c/a"]),
        ({"result_url": None, "outputs": [{"result_url": "https://c/a"}]}, ["https://c/a"]),
        ({"result_url": None, "outputs": "https://c/a"}, ["https://c/a"]),
        ({"result_url": ["", None, 7, {}]}, []),
        ({"result_url": {"url": "https://c/a"}}, ["https://c/a"]),
    ],
)
def test_several_files_wherever_they_are_told(fields: dict[str, Any], links: list[str]) -> None:
    found = fetched({**SHOWN, "type": "image", **fields})
    assert [one.url for one in found.creatives] == links


@pytest.mark.parametrize(
    ("fields", "kind", "result_kind", "file"),
    [
        ({"type": "image"}, None, "image", "image"),
        ({"type": "talking-avatar"}, None, "video", "video"),
        ({"type": None}, "image", "image", "image"),
        ({"type": "localization"}, "voice", "voice", "audio"),
        ({"type": "face-swap"}, None, "video", "video"),
        ({"type": "image", "result_url": "https://c/all.ZIP?x"}, None, "image", "archive"),
    ],
)
def test_what_kind_of_file_it_is(fields: dict[str, Any], kind: str | None, result_kind: str, file: str) -> None:
    found = fetched({**SHOWN, **fields}, kind)
    assert (found.kind, found.creatives[0].kind) == (result_kind, file)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"error_message": "content policy"}, "content policy"),
        ({"error": "content policy"}, "content policy"),
        ({"error": {"message": "content policy"}}, "content policy"),
        ({"error": {"code": "policy"}}, "policy"),
        ({"error": {}}, None),
        ({}, None),
        ({"error_message": "see https://c/a?X-Amz-Signature=s3cr3t"}, "see https://c/…"),
    ],
)
def test_why_it_failed(fields: dict[str, Any], error: str | None) -> None:
    assert fetched({**SHOWN, "status": "failed", **fields}).error == error


def test_a_voiceover() -> None:
    found = submitted(SPOKEN, VOICE)
    assert (found.id, found.kind, found.succeeded) == ("v-1", "voice", True)
    assert [(one.kind, one.url) for one in found.creatives] == [("audio", SPOKEN["audio_url"])]
    assert found.details == {"duration": 4.5} and found.credits.quoted == 1


@pytest.mark.parametrize("field", ["id", "audio_url"])
@pytest.mark.parametrize("value", [..., None, "", True])
def test_what_we_need_of_a_voiceover(field: str, value: Any) -> None:
    spoken = {name: item for name, item in SPOKEN.items() if name != field}
    if value is not ...:
        spoken[field] = value
    with pytest.raises(UnexpectedResponse) as caught:
        submitted(spoken, VOICE)
    assert caught.value.field == field


def test_a_balance() -> None:
    found = api.get_credits().parse(answer({"credits_used": 150, "credits_limit": 600, "credits_remaining": 450}))
    assert (found.used, found.limit, found.remaining, found.in_flight_limit) == (150, 600, 450, None)
    with pytest.raises(UnexpectedResponse, match="credits_remaining"):
        api.get_credits().parse(answer({"credits_used": 150, "credits_limit": 600}))


# --- lists --------------------------------------------------------------------------------------------------------


def listed(pages: list[Any]) -> list[Any]:
    left = list(pages)
    found: list[Any] = drive(VENDOR.list_jobs(), {"/generations": lambda _call: left.pop(0)})
    assert left == []
    return found


def page(*ids: str, total: int | None = None) -> dict[str, Any]:
    rows = [{**SHOWN, "id": one} for one in ids]
    return {"data": rows, **({"pagination": {"total": total}} if total is not None else {})}


def test_pages_until_the_total() -> None:
    assert [one.id for one in listed([page("a", "b", total=3), page("c", total=3)])] == ["a", "b", "c"]


def test_a_page_that_is_not_full_ends_a_list_without_a_total() -> None:
    assert [one.id for one in listed([page("a", "b")])] == ["a", "b"]


def test_a_total_that_lies_does_not_go_on_for_ever() -> None:
    assert [one.id for one in listed([page("a", total=99), page(total=99)])] == ["a"]


def test_a_list_without_rows_is_unreadable() -> None:
    for value in ({}, {"data": None}, {"data": {}}, "x"):
        with pytest.raises(UnexpectedResponse):
            listed([value])


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "validation_error"),
        (401, "unauthorized"),
        (402, "insufficient_credits"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (429, "rate_limited"),
        (500, "internal_error"),
        (502, "external_service_error"),
    ],
)
def test_every_documented_error(status: int, code: str) -> None:
    said = "Your team does not have enough credits for this generation. Required: 20, available: 5."
    error = VENDOR.error(answer({"error": {"code": code, "message": said}}, status), "POST /x", retry_after=3.0)
    assert type(error) is error_class(status)
    assert (error.status, error.code, error.retry_after, error.vendor) == (status, code, 3.0, "adsumo")
    assert f"Adsumo answered {status} to POST /x ({code}): {said}" in str(error)
    if isinstance(error, InsufficientCredits):
        assert (error.required, error.available) == (20, 5)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"[]", b'{"error": null}', b'{"error": 7}', b"\xff\xfe", b"[" * 99_999]
)
def test_an_error_of_another_shape_is_an_error(body: bytes) -> None:
    assert str(VENDOR.error(Answer(500, {}, body), "GET /x")) == "Adsumo answered 500 to GET /x."


def test_an_error_that_is_a_text() -> None:
    assert "too bad" in str(VENDOR.error(answer({"error": "too bad"}, 500), "GET /x"))


# --- anything at all ----------------------------------------------------------------------------------------------

FIELDS = ["id", "generation_id", "type", "status", "result_url", "result_urls", "images", "details", "created_at"]
FIELDS += ["completed_at", "error", "error_message", "audio_url", "duration", "data", "pagination", "total", "code"]
words = st.sampled_from(["completed", "image"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=10,
)
rows = st.dictionaries(st.sampled_from(FIELDS), values, max_size=6).map(
    lambda row: {"id": "g-1", "status": "completed", **row}
)


@settings(deadline=None)
@given(values | rows)
def test_any_json_is_read_or_unreadable_and_nothing_else(value: Any) -> None:
    for read in (
        lambda: submitted(value),
        lambda: submitted(value, VOICE),
        lambda: fetched(value),
        lambda: api.get_credits().parse(answer(value)),
        lambda: drive(api.list_voices(), {"/voices": value}) if not isinstance(value, dict) else None,
        lambda: drive(api.list_custom_avatars(), {"/avatars/custom": value}),
    ):
        with contextlib.suppress(UnexpectedResponse):
            found = read()
            if isinstance(found, Generation):
                json.dumps(found.to_xcom(urls=True))


@settings(deadline=None)
@given(st.binary(max_size=60) | values.map(lambda value: json.dumps({"error": value}).encode()), st.integers(400, 599))
def test_any_error_is_an_error_and_nothing_else(body: bytes, status: int) -> None:
    assert isinstance(VENDOR.error(Answer(status, {}, body), "GET /x"), ApiError)
