# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.calls import Answer, Call, Event, Sequence
from airflow_provider_adgen.core.errors import (
    ApiError,
    AuthenticationError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from airflow_provider_adgen.core.vocabulary import FINISHED, Generation, GenerationStatus
from airflow_provider_adgen.vendors.cinematicads import VENDOR, api, models, shapes
from airflow_provider_adgen.vendors.cinematicads.tracking import Listener, listed, read_event

JOB = "wf_abc123xyz"


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, {}, value if isinstance(value, bytes) else json.dumps(value).encode())


def submitted(value: Any, **fields: Any) -> Generation:
    request = VENDOR.parse_request({"kind": "workflow", "workflow_type": "cinematic", **fields})
    return VENDOR.submit(request, None).parse(answer(value))


def read_all(steps: Sequence[Any], *answers: Any) -> Any:
    """Drive a sequence with answers (or errors) and return its result."""
    order = next(steps)
    for each in answers:
        try:
            order = steps.throw(each) if isinstance(each, Exception) else steps.send(order.parse(answer(each)))
        except StopIteration as stop:
            return stop.value
    raise AssertionError("it wants more answers")


# --- submission ---------------------------------------------------------------------------------------------------


def test_documented_submission() -> None:
    found = submitted(
        {"success": True, "jobId": JOB, "message": "Workflow queued", "cost": 2},
        concept="Luxury perfume ad with golden tones",
        quality="premium",
        formats="9:16,1:1",
    )
    assert (found.id, found.status, found.kind) == (JOB, "queued", "video")
    assert (found.credits.quoted, found.credits.charged) == (2, 2)
    assert found.details == {"message": "Workflow queued"}


@pytest.mark.parametrize(
    "value",
    [
        {"success": True, "data": {"jobId": JOB, "cost": "2"}},
        {"success": True, "job_id": JOB, "cost": 2.0},
        {"data": {"job": {"id": JOB}, "cost": 2}},
        {"id": JOB, "cost": 2},
    ],
)
def test_submission_in_both_shapes(value: Any) -> None:
    found = submitted(value)
    assert (found.id, found.credits.charged) == (JOB, 2)


def test_part_of_a_credit_is_no_charge() -> None:
    assert submitted({"jobId": JOB, "cost": 1.5}).credits.charged is None


def test_numeric_job_id_is_one() -> None:
    assert submitted({"jobId": 42}).id == "42"


@pytest.mark.parametrize(
    "value", [{}, [], "x", None, {"success": True, "jobId": ""}, {"jobId": None}, {"jobId": True}, {"data": [JOB]}]
)
def test_submission_without_a_job_is_unexpected(value: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        submitted(value)


def test_submission_that_says_no_tells_why_without_links() -> None:
    with pytest.raises(UnexpectedResponse, match=r"queue is full at https://q\.example/…\)"):
        submitted({"success": False, "error": "queue is full at https://q.example/a?sig=s"})


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiError),
        (401, AuthenticationError),
        (402, InsufficientCredits),
        (403, PermissionDenied),
        (404, NotFound),
        (429, RateLimited),
        (500, ServerError),
        (503, ServerError),
    ],
)
def test_documented_errors(status: int, kind: type[ApiError]) -> None:
    error = VENDOR.error(answer({"success": False, "error": "Why it is so"}, status), "POST /api/workflow")
    assert type(error) is kind
    assert "Why it is so" in error.message and str(status) in error.message
    assert (status in VENDOR.promises.nothing_started) is (status < 500)


def test_documented_402_tells_both_amounts() -> None:
    said = {"success": False, "error": "Insufficient credits. Required: 2, available: 0"}
    error = VENDOR.error(answer(said, 402), "POST /api/workflow")
    assert isinstance(error, InsufficientCredits)
    assert (error.required, error.available) == (2, 0)


def test_expired_trial_reaches_the_user() -> None:
    error = VENDOR.error(answer({"success": False, "error": "Your trial has expired"}, 402), "POST /api/workflow")
    assert "Your trial has expired" in error.message
    assert isinstance(error, InsufficientCredits) and error.required is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": {"message": "no", "code": "E1"}}, ("no", "E1")),
        ({"message": "no"}, ("no", None)),
        ({"success": False}, ("", None)),
        ({"data": {"error": "no"}}, ("no", None)),
        (b"<html>", ("", None)),
        (b"\xff\xfe", ("", None)),
        (b"[" * 100_000, ("", None)),
        (b"", ("", None)),
    ],
)
def test_problem_in_any_shape(value: Any, said: tuple[str, str | None]) -> None:
    problem = VENDOR.problem(answer(value, 500))
    assert (problem.message, problem.code) == said


# --- events -------------------------------------------------------------------------------------------------------


def told(*events: tuple[str, Any], kind: str | None = "video") -> Any:
    listener = Listener(JOB, kind, VENDOR.status)
    return listener.hear(
        read_event(Event(name, data if isinstance(data, str) else json.dumps(data))) for name, data in events
    )


STEPS = (
    ("step", {"step": "art_direction", "status": "completed", "progress": 20}),
    ("step", {"step": "video_generation", "status": "completed", "progress": 60}),
)
RESULT = ("result", {"success": True, "videoUrl": "https://cdn.example/v.mp4?sig=1", "duration": 15})


def test_documented_stream() -> None:
    half = told(*STEPS)
    assert (half.status, half.progress, half.details) == ("processing", 60.0, {"step": "video_generation"})
    end = told(*STEPS, RESULT)
    assert (end.status, [link.url for link in end.links]) == ("completed", ["https://cdn.example/v.mp4?sig=1"])
    assert end.details["duration"] == 15


def test_documented_notification_names() -> None:
    assert told(("workflow.started", {"jobId": JOB})).status == "processing"
    assert told(("workflow.step", {"step": "a", "status": "failed"})).status == "processing"
    assert told(("workflow.suspended", {"reason": "review"})).status == "suspended"
    failed = told(("workflow.failed", {"error": "no voice", "creditsRefunded": 2}))
    assert (failed.status, failed.error, failed.refunded) == ("failed", "no voice", 2)
    ready = told(("video.ready", {"url": "https://cdn.example/v.mp4"}))
    assert (ready.status, ready.finished) == ("processing", False)
    done = told(("video.ready", {"url": "https://cdn.example/v.mp4"}), ("workflow.completed", {}))
    assert (done.status, len(done.links)) == ("completed", 1)


def test_result_without_success_is_a_refunded_failure() -> None:
    end = told(("result", {"success": False, "error": "out of ideas"}))
    assert (end.status, end.error) == ("failed", "out of ideas")
    assert GenerationStatus.FAILED in VENDOR.promises.refunded


@pytest.mark.parametrize(
    "error", ["Job not found", "Workflow wf_1 does not exist", "The job is unknown", "No such job"]
)
def test_forgotten_job_is_not_a_failed_one(error: str) -> None:
    assert told(("result", {"success": False, "error": error})).status is None


@pytest.mark.parametrize(
    "event",
    [
        ("error", {"error": "Too many connections"}),
        ("ping", ""),
        ("", "hello"),
        ("result", "not json"),
        ("result", {}),
        ("result", {"success": None}),
        ("workflow.failed", {"jobId": "wf_other"}),
        ("result", {"jobId": "wf_other", "success": True, "videoUrl": "https://cdn.example/o.mp4"}),
    ],
)
def test_events_that_say_nothing_of_the_job(event: tuple[str, Any]) -> None:
    heard = told(event)
    assert heard.status is None and not heard.links


def test_name_inside_the_data() -> None:
    assert told(("", {"type": "result", "success": True, "videoUrl": "https://c.example/v"})).status == "completed"
    assert told(("message", {"event": "workflow:suspended", "data": {}})).status == "suspended"
    assert told(("message", {"type": "cinematic"})).status is None


def test_review_and_what_follows_it() -> None:
    suspended = ("workflow.suspended", {})
    assert told(*STEPS, suspended).status == "suspended"
    assert told(suspended, *STEPS).status == "processing"
    assert told(("step", {"step": "review", "status": "awaiting review"})).status == "suspended"
    assert told(suspended, ("workflow.completed", {}), suspended).status == "completed"


def test_progress_in_any_shape() -> None:
    for data in ({"progress": 40}, {"percent": "40"}, {"progress": {"percent": 40}}, "40"):
        assert told(("progress", data)).progress == 40.0


def test_replayed_and_repeated_links_are_one() -> None:
    again = ("result", {"success": True, "videoUrl": "https://cdn.example/v.mp4?sig=2&Expires=9"})
    end = told(*STEPS, RESULT, *STEPS, again)
    assert [link.url for link in end.links] == ["https://cdn.example/v.mp4?sig=2&Expires=9"]


def test_results_of_several_formats_add_up() -> None:
    end = told(
        ("result", {"success": True, "format": "9:16", "videoUrl": "https://cdn.example/a.mp4"}),
        ("result", {"success": True, "format": "1:1", "videoUrl": "https://cdn.example/b.mp4"}),
    )
    assert [link.url for link in end.links] == ["https://cdn.example/a.mp4", "https://cdn.example/b.mp4"]


A, B = "https://cdn.example/a.mp4", "https://cdn.example/b.mp4"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"videoUrl": A}, [(A, None)]),
        ({"data": {"videoUrl": A}}, [(A, None)]),
        ({"data": {"result": {"video_url": A}}}, [(A, None)]),
        ({"videos": [A, B]}, [(A, None), (B, None)]),
        ({"videos": [{"url": A, "format": "9:16"}, {"videoUrl": B, "aspectRatio": "1:1"}]}, [(A, "9:16"), (B, "1:1")]),
        (
            {"videos": {"9:16": A, "1x1": {"url": B}, "thumbnail": "https://cdn.example/t.jpg"}},
            [(A, "9:16"), (B, "1:1")],
        ),
        ({"formats": {"9:16": A, "1:1": B}, "videoUrl": A}, [(A, "9:16"), (B, "1:1")]),
        ({"formats": "9:16,1:1", "videoUrl": A}, [(A, None)]),
        ({"formats": {"vertical": A}}, [(A, "vertical")]),
        ({"outputs": [{"downloadUrl": A}], "thumbnailUrl": "https://cdn.example/t.jpg"}, [(A, None)]),
        ({"url": "https://shop.example/product", "videoUrl": A}, [(A, None)]),
        ({"url": "https://shop.example/product"}, []),
        ({"url": A}, [(A, None)]),
        ({"images": ["https://cdn.example/key-frame.png"]}, []),
        ({"videoUrl": "pending"}, []),
        ({"videoUrl": "https://[bad"}, []),
        ({"videoUrl": "/relative.mp4"}, []),
        ({"videoUrl": None, "videos": None}, []),
        ({"videos": [f"{A}?id=1", f"{A}?id=2"]}, [(f"{A}?id=1", None), (f"{A}?id=2", None)]),
        ({"videoUrl": f"{A}?k=1", "videos": [f"{A}?k=2", B]}, [(f"{A}?k=2", None), (B, None)]),
        ({"videoUrl": A, "downloadUrl": B}, [(A, None), (B, None)]),
    ],
)
def test_links_in_every_shape(value: Any, found: list[tuple[str, str | None]]) -> None:
    assert [(link.url, link.format) for link in shapes.links(value, "video")] == found


def test_links_of_images() -> None:
    image = "https://cdn.example/a.png"
    assert [link.url for link in shapes.links({"imageUrl": image, "videoUrl": A}, "image")] == [image]
    assert [link.url for link in shapes.links({"videoUrl": image}, "image")] == [image]
    assert [link.url for link in shapes.links({"images": [image], "videoUrl": A}, "analysis")] == [A, image]


def test_no_repr_shows_a_link() -> None:
    event = read_event(Event("result", json.dumps(RESULT[1])))
    shown = [
        event,
        models.project({"id": "p", "jobId": JOB, "videoUrl": A, "deep": {"url": B}}),
        models.Stats.model_validate({"link": A}),
        shapes.OutputFile(A),
        submitted({"jobId": JOB, "status": "completed", "videoUrl": A}),
    ]
    assert "cdn.example" not in repr(shown)


# --- the list -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        {"jobId": JOB},
        {"job_id": JOB},
        {"workflowId": JOB},
        {"id": JOB},
        {"job": {"id": JOB}},
        {"metadata": {"jobId": JOB}},
        {"id": 7, "workflow": {"id": 3, "name": "cinematic"}, "metadata": {"workflow": {"jobId": JOB}}}
        | {"jobId": JOB},
        {"id": JOB, "workflow": {"id": 3}},
    ],
)
def test_project_of_the_job(item: dict[str, Any]) -> None:
    assert shapes.is_about(item, JOB)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"id": "p1"},
        {"title": JOB},
        {"jobId": JOB + "4"},
        {"jobId": "wf_other", "id": JOB},
        {"id": "p1", "parentJobId": JOB},
        {"id": "p1", "source": {"jobId": JOB}},
        {"id": "p1", "user": {"id": JOB}},
    ],
)
def test_project_of_another_job(item: dict[str, Any]) -> None:
    assert not shapes.is_about(item, JOB)


def in_list(*items: dict[str, Any]) -> Any:
    return listed(items, JOB, "video", VENDOR.status)


def test_list_tells_status_links_and_times() -> None:
    found = in_list(
        {"jobId": "wf_other", "status": "failed"},
        {"jobId": JOB, "status": "Completed", "videoUrl": A, "createdAt": "2026-01-02T03:04:05Z", "cost": 2},
    )
    assert (found.status, found.charged, found.created) == ("completed", 2, "2026-01-02T03:04:05Z")
    assert [link.url for link in found.links] == [A]


def test_list_without_the_job_knows_nothing() -> None:
    assert in_list({"id": "p1", "status": "completed", "videoUrl": A}) is None


def test_projects_of_one_job_are_taken_together() -> None:
    done, other = {"jobId": JOB, "status": "completed", "videoUrl": A}, {"jobId": JOB, "videoUrl": B}
    assert (in_list(done, other).status, len(in_list(done, other).links)) == ("completed", 2)
    assert in_list(done, {"jobId": JOB, "status": "running"}).status == "processing"
    assert in_list({"jobId": JOB, "status": "failed"}, done).status == "completed"
    assert in_list({"jobId": JOB, "status": "failed"}, {"jobId": JOB, "status": "failed"}).status == "failed"


def test_project_without_a_status() -> None:
    assert in_list({"jobId": JOB}).status == "processing"
    assert in_list({"jobId": JOB, "videoUrl": A}).status == "completed"


def test_unknown_word_is_kept_and_not_finished() -> None:
    assert in_list({"jobId": JOB, "status": "In Colour Grading"}).status == "In Colour Grading"
    assert VENDOR.status("in-progress") == GenerationStatus.PROCESSING
    assert VENDOR.status("Published") not in FINISHED


@pytest.mark.parametrize(
    "value",
    [
        [{"id": 1}, {"id": 2}],
        {"success": True, "data": [{"id": 1}, {"id": 2}]},
        {"success": True, "projects": [{"id": 1}, {"id": 2}]},
        {"success": True, "data": {"projects": [{"id": 1}, {"id": 2}], "total": 2}},
        {"data": {"items": [{"id": 1}, {"id": 2}]}},
    ],
)
def test_projects_in_every_shape(value: Any) -> None:
    assert [item["id"] for item in api.raw_projects().parse(answer(value))] == [1, 2]


def test_overview_makes_generations_of_projects() -> None:
    steps = VENDOR.list_jobs()
    order = next(steps)
    items = [{"jobId": JOB, "type": "staticad", "status": "completed", "imageUrl": "https://c.example/a.png"}, {"x": 1}]
    emitted = [one.read() for one in steps.send(order.parse(answer(items))).items]
    assert [(one.id, one.kind, one.creatives[0].kind) for one in emitted] == [(JOB, "image", "image")]


@pytest.mark.parametrize(
    ("said", "kind", "guessed"),
    [
        ({"type": "staticad"}, "image", False),
        ({"type": "cinematic"}, "video", False),
        ({"type": "ad-optimizer"}, "analysis", False),
        # No page says what a project calls its type.
        ({"type": "Static Ad"}, "video", True),
        ({}, "video", True),
    ],
)
def test_overview_says_where_the_kind_is_a_guess(said: dict[str, Any], kind: str, guessed: bool) -> None:
    steps = VENDOR.list_jobs()
    (listed_,) = steps.send(next(steps).parse(answer([{"jobId": JOB, **said}]))).items
    found = listed_.read()
    assert (found.kind, found.kind_guessed) == (kind, guessed)


@pytest.mark.parametrize(
    ("said", "created"),
    [
        ({"createdAt": "2026-01-02T03:04:05Z"}, "2026-01-02T03:04:05+00:00"),
        ({"date": "2026-01-02T03:04:05Z"}, "2026-01-02T03:04:05+00:00"),
        # At midnight nothing of that day was made yet: such a job would be taken for an earlier one.
        ({"date": "2026-01-02"}, None),
        ({"createdAt": "2026/01/02"}, None),
    ],
)
def test_a_mere_day_is_no_time(said: dict[str, Any], created: str | None) -> None:
    steps = VENDOR.list_jobs()
    (listed_,) = steps.send(next(steps).parse(answer([{"jobId": JOB, **said}]))).items
    found = listed_.read().created_at
    assert (found.isoformat() if found is not None else None) == created


# --- other answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "remaining"),
    [
        ({"success": True, "credits": 12}, 12),
        ({"success": True, "data": {"balance": 12}}, 12),
        ({"data": {"credits": {"remaining": 12, "used": 3, "total": 15}}}, 12),
        ({"credits": 12.7}, 12),
        ({"credits": "12"}, 12),
        ({"available": 0}, 0),
        ({"success": True, "data": {"currentBalance": 12, "plan": "agency"}}, 12),
        ({"data": {"current_credits": 12}}, 12),
        ({"success": True, "data": 12}, 12),
        (12, 12),
    ],
)
def test_credits_under_any_name(value: Any, remaining: int) -> None:
    assert api.get_credits().parse(answer(value)).remaining == remaining


@pytest.mark.parametrize(
    "value", [{}, [], None, {"credits": None}, {"credits": True}, {"credits": "many"}, {"used": 3}]
)
def test_credits_that_are_not_told(value: Any) -> None:
    with pytest.raises(UnexpectedResponse, match="credits"):
        api.get_credits().parse(answer(value))


COUNTS = {"total": 5, "completed": 2, "failed": 1, "pending": 1, "active": 1}


@pytest.mark.parametrize(
    "value", [COUNTS, {"success": True, "data": COUNTS}, {"batch": COUNTS}, {"data": {"status": COUNTS}}]
)
def test_batch_in_every_shape(value: Any) -> None:
    batch = api.get_batch_status("b1").parse(answer(value))
    assert (batch.total, batch.completed, batch.failed, batch.pending, batch.active) == (5, 2, 1, 1, 1)
    assert not batch.finished


@pytest.mark.parametrize(
    ("counts", "finished"),
    [
        ({"total": 3, "completed": 2, "failed": 1}, True),
        ({"total": 3, "completed": 2, "failed": 1, "pending": 0, "active": 0}, True),
        ({"total": 3, "completed": 2, "failed": 1, "active": 1}, False),
        ({"total": 3, "completed": 2, "failed": 0, "pending": 0, "active": 0}, False),
        ({"total": 0, "completed": 0, "failed": 0, "pending": 0, "active": 0}, False),
    ],
)
def test_when_a_batch_is_over(counts: dict[str, int], finished: bool) -> None:
    assert models.BatchStatus.model_validate(counts).finished is finished


@pytest.mark.parametrize("missing", ["total", "completed", "failed"])
def test_batch_without_a_count(missing: str) -> None:
    with pytest.raises(UnexpectedResponse, match=missing):
        api.get_batch_status("b1").parse(answer({key: item for key, item in COUNTS.items() if key != missing}))


def test_brand_reads_audience_and_writes_target_audience() -> None:
    read = api.get_brand().parse(answer({"success": True, "data": {"name": "N", "audience": "all", "tone": "calm"}}))
    assert (read.name, read.target_audience, read.tone) == ("N", "all", "calm")
    assert api.get_brand().parse(answer({"success": True, "data": None})).name is None
    steps = api.update_brand(name="N", target_audience="all", colors={"primary": "#000"})
    call = next(steps)
    assert (call.method, call.body) == ("POST", {"name": "N", "targetAudience": "all", "colors": {"primary": "#000"}})
    told = call.parse(answer({"success": True, "message": "Saved", "data": {"audience": "adults"}}))
    assert (told.name, told.target_audience, told.colors) == ("N", "adults", {"primary": "#000"})
    assert call.parse(answer(b"")).name == "N"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_brand_is_put_where_post_is_not_known(status: int) -> None:
    unknown = VENDOR.error(answer({}, status), "POST /api/user/brand")
    assert read_all(api.update_brand(name="N"), unknown, {"success": True}).name == "N"


def test_brand_that_is_refused_is_not_put() -> None:
    with pytest.raises(PermissionDenied):
        read_all(api.update_brand(name="N"), VENDOR.error(answer({}, 403), "POST /api/user/brand"))


def test_brand_without_any_method_says_the_first() -> None:
    errors = [VENDOR.error(answer({}, 404), f"{method} /api/user/brand") for method in ("POST", "PUT")]
    with pytest.raises(NotFound, match="POST"):
        read_all(api.update_brand(name="N"), *errors)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: api.get_stats(start_date="2026-1-1"), "start_date"),
        (lambda: api.get_stats(start_date="2026-02-30"), "start_date"),
        (lambda: api.get_stats(end_date="20260101"), "end_date"),
        (lambda: api.get_stats(start_date="2026-02-01", end_date="2026-01-31"), "after end_date"),
        (lambda: api.get_analytics(period="1d"), "period"),
        (lambda: api.update_brand(name=" "), "name"),
        (lambda: api.update_brand(name="N", colors={"border": "#000"}), "colors"),
        (lambda: api.add_knowledge_url("shop.example"), "url"),
        (lambda: api.export_video("http://cdn.example/a.mp4"), "source"),
        (lambda: api.get_batch_status(" "), "id"),
        (lambda: api.workflow_stream(""), "id"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(build: Any, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        build()


def test_filters_go_under_their_wire_names() -> None:
    assert api.get_stats(start_date="2026-01-01", end_date="2026-01-01").query == {
        "startDate": "2026-01-01",
        "endDate": "2026-01-01",
    }
    assert api.get_analytics(period="90d").query == {"period": "90d"}
    assert api.get_stats().query == {} and api.get_analytics().query == {}


def test_success_false_is_no_answer_in_spite_of_its_status() -> None:
    with pytest.raises(UnexpectedResponse, match="not today"):
        api.get_stats().parse(answer({"success": False, "error": "not today"}))


def test_reports_keep_everything() -> None:
    stats = api.get_stats().parse(
        answer({"success": True, "data": {"projectsByType": {"avatar": 2}, "successRate": 0.5}})
    )
    assert stats.model_extra == {"projectsByType": {"avatar": 2}, "successRate": 0.5}
    assert api.get_analytics().parse(answer({"data": [1, 2]})).model_extra == {"data": [1, 2]}
    status = api.get_models_status().parse(
        answer({"success": True, "models": {"text": True, "image": ["a"], "video": {}}})
    )
    assert (status.text, status.image, status.video) == (True, ["a"], {})
    assert api.get_health().parse(answer({"status": "ok", "version": "1.2"})).version == "1.2"


# --- anything at all ----------------------------------------------------------------------------------------------

WORDS = """
success data error jobId job_id id job workflow status videoUrl videos formats url progress cost credits balance total
completed failed projects result brand audience name createdAt type event 9:16 metadata model_config message expiresAt
"""
NAMES = st.sampled_from(WORDS.split())
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from([JOB, A, "https://[", "completed", "9:16", "2026-01-01", "P1Y", "now"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=5),
    max_leaves=20,
)


def calls() -> list[Call[Any]]:
    request = VENDOR.parse_request({"kind": "workflow", "workflow_type": "avatar"})
    return [
        VENDOR.submit(request, None),
        api.raw_projects(),
        api.get_credits(),
        api.get_batch_status("b"),
        api.get_stats(),
        api.get_analytics(),
        api.get_brand(),
        next(api.update_brand(name="N")),
        api.add_knowledge_url("https://a.example"),
        api.get_models_status(),
        api.get_health(),
        VENDOR.check(),
    ]


@given(JSON)
def test_any_json_is_read_or_unexpected(value: Any) -> None:
    for call in calls():
        try:
            call.parse(answer(value))
        except UnexpectedResponse as error:
            assert error.vendor == "cinematicads" and error.endpoint == call.endpoint


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_unexpected(content: bytes) -> None:
    for call in calls():
        with contextlib.suppress(UnexpectedResponse):
            call.parse(answer(content))
    VENDOR.problem(answer(content, 500))


@given(JSON, st.sampled_from([400, 402, 404, 429, 500]))
def test_any_problem_becomes_an_error(value: Any, status: int) -> None:
    assert VENDOR.error(answer(value, status), "GET /x").message


@given(
    st.lists(
        st.tuples(st.sampled_from(["step", "progress", "result", "message", "video.ready", "x"]), JSON), max_size=4
    )
)
def test_any_events_say_something_or_nothing(events: list[tuple[str, Any]]) -> None:
    told(*events)


@given(st.lists(JSON, max_size=4))
def test_any_project_can_be_read(values: list[Any]) -> None:
    items = [value for value in values if isinstance(value, dict)]
    in_list(*items)
    for item in items:
        models.project(item)
    steps = VENDOR.list_jobs()
    for found in list(steps.send(next(steps).parse(answer(items))).items):
        found.read().to_xcom(urls=True)
