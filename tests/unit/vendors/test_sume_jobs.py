# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    Conflict,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from airflow_provider_adgen.core.vocabulary import FINISHED, Generation, GenerationStatus
from airflow_provider_adgen.vendors.sume import VENDOR
from tests.support.sequences import drive

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "https://media.sume.so/out/a.mp4"
OTHER = "https://media.sume.so/out/b.mp4"


def fetched(job: dict[str, Any], result: Any = None, kind: str | None = "video") -> Generation:
    answers = {"/jobs/job_1": {"id": "job_1", **job}, "/jobs/job_1/result": result}
    found = drive(VENDOR.fetch(("job_1",), kind), answers)
    assert isinstance(found, Generation)
    return found


def completed(result: Any, kind: str | None = "video", **job: Any) -> Generation:
    whole = {"id": "job_1", "status": "completed", **job}
    return fetched({"status": "completed", **job}, {**whole, "result": result}, kind)


def links(found: Generation) -> list[tuple[str, str | None]]:
    return [(one.kind, one.url) for one in found.creatives]


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", GenerationStatus.QUEUED),
        ("running", GenerationStatus.PROCESSING),
        ("processing", GenerationStatus.PROCESSING),
        ("failed", GenerationStatus.FAILED),
        ("canceled", GenerationStatus.CANCELED),
        ("expired", GenerationStatus.EXPIRED),
        (" Failed ", GenerationStatus.FAILED),
    ],
)
def test_the_vendors_words(word: str, status: GenerationStatus) -> None:
    assert fetched({"status": word}).status == status


@pytest.mark.parametrize("word", ["warming_up", "succeeded", "cancelled", "done", ""])
def test_an_unknown_word_is_kept_and_is_not_the_end(word: str) -> None:
    found = fetched({"status": word})
    assert found.status == word
    assert not found.finished


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, None),
        ("No faces found", "No faces found"),
        ({"code": "no_face", "message": "No faces found"}, "No faces found"),
        ({"code": "no_face"}, "no_face"),
        ({}, None),
        ("See https://sume.so/a?sig=1 now", "See https://sume.so/… now"),
    ],
)
def test_why_a_job_failed(error: Any, said: str | None) -> None:
    assert fetched({"status": "failed", "error": error}).error == said


@pytest.mark.parametrize(
    ("job_type", "asked", "kind"),
    [
        ("image_generation", None, "image"),
        ("video_generation", None, "video"),
        ("ad_video_generation", None, "video"),
        ("face_swap", None, "video"),
        ("reference_analysis", None, "analysis"),
        ("image_generation", "video", "image"),
        ("something_new", "image", "image"),
        ("image_upscale", None, "image"),
        (None, "analysis", "analysis"),
        (None, None, "video"),
        ("something_new", None, "video"),
    ],
)
def test_the_kind_of_a_job(job_type: str | None, asked: str | None, kind: str) -> None:
    found = fetched({"status": "queued", "type": job_type}, kind=asked)
    assert found.kind == kind
    assert found.kind_guessed == (asked is None and job_type in (None, "something_new"))


def test_the_kind_of_a_job_follows_from_what_creations_answer_as_their_object() -> None:
    found = fetched({"status": "queued", "object": "image_generation"}, kind=None)
    assert (found.kind, found.kind_guessed) == ("image", False)
    assert fetched({"status": "queued", "object": "job"}, kind=None).kind_guessed


@pytest.mark.parametrize(
    "value",
    [
        {"id": "job_1", "status": "queued", "type": "video_generation"},
        {"object": "job", "job_id": "job_1", "status": "queued"},
        {"job": {"id": "job_1", "status": "queued"}},
        {"data": {"id": "job_1", "status": "queued"}},
        {"data": {"job": {"id": "job_1", "status": "queued"}}},
        {"status": "queued"},
    ],
)
def test_every_shape_of_a_job_is_read(value: dict[str, Any]) -> None:
    found = drive(VENDOR.fetch(("job_1",), "video"), {"/jobs/job_1": value})
    assert (found.id, found.status) == ("job_1", GenerationStatus.QUEUED)


@pytest.mark.parametrize("value", [{}, {"id": "job_1"}, {"id": "job_1", "status": None}, {"status": 5}, [], None, b"x"])
def test_a_job_without_a_status_is_unreadable(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match=r"GET /jobs/\{jobId\}"):
        drive(VENDOR.fetch(("job_1",), "video"), {"/jobs/job_1": value})


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({"media_url": FILE}, [FILE]),
        ({"url": FILE}, [FILE]),
        ({"video_url": FILE}, [FILE]),
        ({"output_url": "https://m.example/x"}, ["https://m.example/x"]),
        (FILE, [FILE]),
        ("https://m.example/x", ["https://m.example/x"]),
        ([FILE, OTHER], [FILE, OTHER]),
        ({"outputs": [{"url": FILE}, {"url": OTHER}]}, [FILE, OTHER]),
        ({"output": FILE}, [FILE]),
        ({"output": {"url": FILE}}, [FILE]),
        ({"results": [FILE, OTHER]}, [FILE, OTHER]),
        ({"videos": [{"url": FILE}]}, [FILE]),
        ({"videos": [FILE]}, [FILE]),
        ({"video": {"url": "https://m.example/x"}}, ["https://m.example/x"]),
        ({"urls": ["https://m.example/x", "https://m.example/y"]}, ["https://m.example/x", "https://m.example/y"]),
        ({"anything": {"deep": [{"final_cut": FILE}]}}, [FILE]),
        # Two addresses of one file.
        ({"media_url": FILE, "url": "https://sume.so/v/1", "thumbnail_url": "https://m.example/t.png"}, [FILE]),
        ({"video_url": FILE, "image_url": "https://m.example/t.png"}, [FILE]),
        ({"url": FILE, "outputs": [{"url": FILE}, {"url": OTHER}]}, [FILE, OTHER]),
        # What went in, and what only shows what came out.
        ({"url": FILE, "source_video_url": OTHER, "reference_image_urls": ["https://m.example/r.png"]}, [FILE]),
        ({"url": FILE, "poster": "https://m.example/p.jpg", "preview_url": OTHER, "input": {"url": OTHER}}, [FILE]),
        # What is no file.
        ({"url": "ftp://m.example/a.mp4"}, []),
        ({"url": "https://www.sume.so/api/v1/jobs/job_1/result"}, []),
        ({"url": "a.mp4", "page": "https://sume.so/watch"}, []),
        ({"url": "https://[broken/a.mp4"}, []),
        ({"url": 5, "urls": {"a": None}}, []),
    ],
)
def test_output_is_found_under_any_likely_name(result: Any, found: list[str]) -> None:
    generation = completed(result)
    assert generation.status == GenerationStatus.COMPLETED
    assert [one.url for one in generation.creatives] == found


@pytest.mark.parametrize(
    ("result", "kind", "file"),
    [
        ({"url": "https://m.example/x"}, "video", "video"),
        ({"url": "https://m.example/x"}, "image", "image"),
        ({"url": "https://m.example/x.PNG?sig=1"}, "video", "image"),
        ({"url": "https://m.example/x.mp3"}, "video", "audio"),
        ({"url": "https://m.example/x.zip"}, "image", "archive"),
        ({"url": "https://m.example/x", "content_type": "image/webp"}, "video", "image"),
        ({"image_url": "https://m.example/x"}, "video", "image"),
        ({"images": ["https://m.example/x"]}, "video", "image"),
        ({"audio_url": "https://m.example/x"}, "video", "audio"),
    ],
)
def test_the_kind_of_a_file(result: Any, kind: str, file: str) -> None:
    assert [one.kind for one in completed(result, kind).creatives] == [file]


def test_an_image_is_preferred_where_an_image_was_asked_for() -> None:
    both = {"image_url": "https://m.example/a.png", "video_url": FILE}
    assert links(completed(both, "image")) == [("image", "https://m.example/a.png")]
    assert links(completed(both, "video")) == [("video", FILE)]


def test_the_expiry_of_a_link_is_read_where_it_is_told() -> None:
    found = completed({"videos": [{"url": FILE, "expires_at": "2026-05-01T10:00:00Z"}, {"url": OTHER}]})
    first, second = found.creatives
    assert first.expires_at is not None and first.expires_at.timestamp() == 1777629600
    assert second.expires_at is None


def test_links_of_the_job_are_taken_where_the_output_has_none() -> None:
    assert links(completed({"note": "see the job"}, result_url=FILE)) == [("video", FILE)]
    assert links(completed(None, media_url=FILE)) == [("video", FILE)]
    assert links(completed({"url": FILE}, result_url=OTHER)) == [("video", FILE)]


def test_an_answer_that_has_only_the_output_is_a_result() -> None:
    for value in ({"result": {"url": FILE}}, {"outputs": [FILE]}, {"data": {"result": FILE}}):
        assert links(fetched({"status": "completed"}, value)) == [("video", FILE)]
    wrapped = {"job": {"id": "job_1", "status": "completed"}, "result": {"url": FILE}}
    assert links(fetched({"status": "completed"}, wrapped)) == [("video", FILE)]


def test_times_and_type_are_read() -> None:
    times = {"created_at": "2026-05-01T10:00:00Z", "completed_at": 1777629660}
    found = completed({"url": FILE}, type="video_generation", **times)
    assert found.created_at is not None and found.completed_at is not None
    assert (found.completed_at - found.created_at).total_seconds() == 60
    assert found.details["type"] == "video_generation"
    assert completed({"url": FILE}, created_at={"at": 5}).created_at is None


def refusal(cls: type[ApiError]) -> ApiError:
    return cls("no", vendor="sume", status=404)


@pytest.mark.parametrize(
    "result",
    [
        refusal(NotFound),
        refusal(Conflict),
        {"id": "job_1", "status": "completed", "result": None},
        {"id": "job_1", "status": "completed", "result": {}},
        {"id": "job_1", "status": "processing"},
        {},
    ],
)
def test_a_completed_job_without_output_is_not_over_yet(result: Any) -> None:
    found = fetched({"status": "completed"}, result)
    assert found.status == GenerationStatus.PROCESSING
    assert (found.creatives, found.completed_at, found.details["output"]) == ([], None, "not available yet")


def test_a_job_that_has_its_link_needs_no_result() -> None:
    found = fetched({"status": "completed", "result_url": FILE}, refusal(NotFound))
    assert (found.status, links(found)) == (GenerationStatus.COMPLETED, [("video", FILE)])


@pytest.mark.parametrize("error", [ServerError("no"), RateLimited("no"), AuthenticationError("no")])
def test_other_troubles_with_the_result_are_told(error: ApiError) -> None:
    with pytest.raises(type(error)):
        fetched({"status": "completed", "result_url": FILE}, error)


def test_an_unknown_job_is_told() -> None:
    with pytest.raises(NotFound):
        drive(VENDOR.fetch(("job_1",), "video"), {"/jobs/job_1": refusal(NotFound)})


def test_an_analysis_is_in_the_details_and_has_no_file() -> None:
    said = {"hook": "A question", "scenes": [1, 2], "video_url": FILE}
    found = completed(said, "analysis", type="reference_analysis")
    assert (found.kind, found.creatives) == ("analysis", [])
    assert found.details == {"type": "reference_analysis", **said}
    assert found.to_xcom(urls=True)["details"] == {
        "type": "reference_analysis",
        "hook": "A question",
        "scenes": [1, 2],
    }
    assert completed("A fine video", "analysis").details["result"] == "A fine video"
    nested = {"id": "job_1", "status": "completed", "analysis": {"hook": "A question"}}
    assert fetched({"status": "completed"}, nested, "analysis").details["hook"] == "A question"


# --- several jobs -----------------------------------------------------------------------------------------------------


def several(*words: str, errors: dict[int, str] | None = None) -> tuple[Generation, list[str]]:
    asked: list[str] = []

    def job(index: int, word: str) -> Callable[[Any], Any]:
        def reply(call: Any) -> Any:
            asked.append(call.path)
            value = {"id": f"job_{index}", "status": word, "type": "face_swap", "error": (errors or {}).get(index)}
            if call.path.endswith("/result"):
                value["result"] = {"video_url": f"https://m.example/{index}.mp4"}
            return value

        return reply

    answers = {f"/jobs/job_{index}": job(index, word) for index, word in enumerate(words)}
    answers |= {f"/jobs/job_{index}/result": job(index, word) for index, word in enumerate(words)}
    ids = [f"job_{index}" for index in range(len(words))]
    return drive(VENDOR.fetch(ids, "video"), answers), asked


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("queued", "queued"), GenerationStatus.QUEUED),
        (("queued", "running"), GenerationStatus.PROCESSING),
        (("completed", "running"), GenerationStatus.PROCESSING),
        (("failed", "queued"), GenerationStatus.PROCESSING),
        (("completed", "warming"), GenerationStatus.PROCESSING),
        (("warming", "warming"), "warming"),
        (("completed", "completed"), GenerationStatus.COMPLETED),
        (("failed", "completed", "expired"), GenerationStatus.COMPLETED),
        (("failed", "failed"), GenerationStatus.FAILED),
        (("canceled", "canceled"), GenerationStatus.CANCELED),
        (("expired", "expired"), GenerationStatus.EXPIRED),
        (("canceled", "expired"), GenerationStatus.FAILED),
    ],
)
def test_what_several_jobs_add_up_to(words: tuple[str, ...], status: Any) -> None:
    found, asked = several(*words)
    assert found.status == status
    assert (found.id, found.job_ids) == ("job_0", [f"job_{index}" for index in range(len(words))])
    over = status in FINISHED
    expected = [f"https://m.example/{i}.mp4" for i, word in enumerate(words) if over and word == "completed"]
    assert [one.url for one in found.creatives] == expected
    # Results are asked for once there is nothing more to wait for.
    assert len([path for path in asked if path.endswith("/result")]) == len(expected)


def test_a_partial_result_says_what_became_of_the_rest() -> None:
    found, _ = several("completed", "failed", "expired", errors={1: "No face in https://m.example/a?sig=1"})
    assert found.succeeded
    assert found.error == (
        "2 of 3 jobs ended without a result: job_1 failed (No face in https://m.example/…), job_2 expired"
    )
    assert found.details["jobs"] == [
        {"id": "job_0", "status": "completed"},
        {"id": "job_1", "status": "failed", "error": "No face in https://m.example/…"},
        {"id": "job_2", "status": "expired"},
    ]
    assert several("completed", "completed")[0].error is None
