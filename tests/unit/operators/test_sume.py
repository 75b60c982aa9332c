# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.sume import (
    SumeAdVideoOperator,
    SumeFaceSwapOperator,
    SumeImageOperator,
    SumeReferenceAnalysisOperator,
    SumeUploadOperator,
    SumeVideoOperator,
)
from airflow_provider_adgen.sensors.generation import GenerationSensor
from airflow_provider_adgen.vendors.sume import VENDOR
from tests.support.tasks import run_task, task_context
from tests.support.tiny import Reply, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(3000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
ERROR = {"error": {"code": "nope", "message": "Not today.", "details": {}}, "request_id": "req_1"}
SWAP: dict[str, Any] = {"source_video_url": "https://media.sume.so/a.mp4", "avatar_ids": ["av_1", "av_2", "av_3"]}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    # What tries know of each other, on every Airflow: before 3.3 there is no store of its own.
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path_factory.mktemp('ledger')}")
    with Tiny() as server:
        server.routes = {
            "POST /images/generations": Reply({"object": "image_generation", "job": {"id": "job_1"}}, 202),
            "POST /videos/generations": Reply({"object": "video_generation", "job_id": "job_1"}, 202),
            "POST /ads/videos": Reply({"object": "ad_video_generation", "job_id": "job_1"}, 202),
            "POST /reference-analysis": Reply({"job_id": "job_1", "required_credits": 5}, 202),
            "GET /a.mp4": Reply(MP4, headers={"Content-Type": "video/mp4"}),
            "GET /b.mp4": Reply(MP4 + b"b", headers={"Content-Type": "video/mp4"}),
            "GET /a.png": Reply(PNG, headers={"Content-Type": "image/png"}),
        }
        value = {"conn_type": "sume", "host": server.url, "password": "sume_live_k", "extra": {"timeout": 2}}
        monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", json.dumps(value))
        yield server


def job(tiny: Tiny, name: str, *statuses: str, result: Any = None, **more: Any) -> None:
    """Let a job go through statuses, and then have a result."""
    tiny.routes[f"GET /jobs/{name}"] = [Reply({"id": name, "status": word, **more}) for word in statuses]
    if result is not None:
        tiny.routes[f"GET /jobs/{name}/result"] = Reply({"id": name, "status": "completed", "result": result})


def contents(found: dict[str, Any]) -> list[bytes]:
    return [Path(one["uri"].removeprefix("file://")).read_bytes() for one in found["creatives"]]


def video(**fields: Any) -> SumeVideoOperator:
    return SumeVideoOperator(task_id="make", **{"prompt": "A shoe", "poll_interval": 0.05, **fields})


# --- to success ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("cls", "fields", "path", "kind", "file", "content"),
    [
        (SumeImageOperator, {"prompt": "A shoe", "n": "1"}, "/images/generations", "image", "a.png", PNG),
        (SumeVideoOperator, {"prompt": "A shoe", "duration": "5"}, "/videos/generations", "video", "a.mp4", MP4),
        (SumeAdVideoOperator, {"script": "Buy", "avatar_slug": "nora"}, "/ads/videos", "video", "a.mp4", MP4),
    ],
)
def test_pays_once_and_stores(
    tiny: Tiny,
    tmp_path: Path,
    deferrable: bool,
    cls: Any,
    fields: dict[str, Any],
    path: str,
    kind: str,
    file: str,
    content: bytes,
) -> None:
    job(tiny, "job_1", "queued", "running", "completed", result={"media_url": f"{tiny.url}/{file}?sig=1"})
    context = task_context()
    operator = cls(task_id="make", poll_interval=0.05, deferrable=deferrable, destination=str(tmp_path), **fields)
    found = run_task(operator, context)
    assert (found["id"], found["kind"], found["status"]) == ("job_1", kind, "completed")
    assert contents(found) == [content]
    assert found["creatives"][0]["url"] is None
    assert found["credits"] == {"quoted": None, "charged": None, "refunded": None}
    assert context["ti"].xcoms == {"id": "job_1", "uris": [found["creatives"][0]["uri"]]}
    assert tiny.paths().count(f"POST {path}") == 1
    post = next(one for one in tiny.asked if one.method == "POST")
    assert "idempotency-key" not in post.headers
    assert "sig=1" not in json.dumps(found)


@pytest.mark.parametrize("deferrable", [False, True])
def test_all_jobs_of_a_face_swap_are_waited_for(tiny: Tiny, tmp_path: Path, deferrable: bool) -> None:
    tiny.routes["POST /face-swap"] = Reply({"object": "face_swap", "jobs": [{"id": "job_1"}, {"id": "job_2"}]}, 202)
    job(tiny, "job_1", "completed", result={"url": f"{tiny.url}/a.mp4"})
    job(tiny, "job_2", "queued", "running", "running", "completed", result={"url": f"{tiny.url}/b.mp4"})
    operator = SumeFaceSwapOperator(
        task_id="make", poll_interval=0.05, deferrable=deferrable, destination=str(tmp_path), **SWAP
    )
    found = run_task(operator, task_context())
    assert (found["id"], found["job_ids"], found["error"]) == ("job_1", ["job_1", "job_2"], None)
    assert contents(found) == [MP4, MP4 + b"b"]
    assert tiny.paths().count("POST /face-swap") == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_finished_part_of_a_face_swap_is_delivered(
    tiny: Tiny, tmp_path: Path, deferrable: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.routes["POST /face-swap"] = Reply({"job_ids": ["job_1", "job_2", "job_3"]}, 202)
    job(tiny, "job_1", "failed", error={"message": "No face found"})
    job(tiny, "job_2", "running", "completed", result={"url": f"{tiny.url}/a.mp4"})
    job(tiny, "job_3", "expired")
    fields = {"poll_interval": 0.05, "deferrable": deferrable, "destination": str(tmp_path), **SWAP}
    found = run_task(SumeFaceSwapOperator(task_id="make", **fields), task_context())
    said = "2 of 3 jobs ended without a result: job_1 failed (No face found), job_3 expired"
    assert (found["status"], found["error"], contents(found)) == ("completed", said, [MP4])
    assert [one["status"] for one in found["details"]["jobs"]] == ["failed", "completed", "expired"]
    assert said in caplog.text + "".join(capsys.readouterr())
    # Another try hands out what is stored, and pays for nothing.
    again = run_task(SumeFaceSwapOperator(task_id="make", **fields), task_context(try_number=2))
    assert again["creatives"] == found["creatives"]
    assert tiny.paths().count("POST /face-swap") == 1


def test_an_analysis_is_in_the_details(tiny: Tiny) -> None:
    job(tiny, "job_1", "completed", type="reference_analysis", result={"hook": "A question", "score": 4})
    url = "https://www.tiktok.com/@a/video/1"
    operator = SumeReferenceAnalysisOperator(task_id="make", poll_interval=0.05, url=url, url_field="reference_url")
    found = run_task(operator, task_context())
    assert (found["kind"], found["creatives"], found["credits"]["charged"]) == ("analysis", [], 5)
    assert found["details"] == {"type": "reference_analysis", "hook": "A question", "score": 4}
    assert tiny.asked[0].json() == {"reference_url": url}


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_output_that_comes_late_is_waited_for(tiny: Tiny, tmp_path: Path, deferrable: bool) -> None:
    job(tiny, "job_1", "completed")
    ready = Reply({"id": "job_1", "status": "completed", "result": {"url": f"{tiny.url}/a.mp4"}})
    tiny.routes["GET /jobs/job_1/result"] = [Reply(ERROR, 409), Reply(ERROR, 404), ready]
    found = run_task(video(deferrable=deferrable, destination=str(tmp_path)), task_context())
    assert contents(found) == [MP4]


def test_any_vendors_operator_can_be_used(tiny: Tiny) -> None:
    job(tiny, "job_1", "completed", result={"url": f"{tiny.url}/a.mp4"})
    request = {"kind": "video", "prompt": "A shoe", "aspect_ratio": "9:16"}
    found = run_task(
        GenerateOperator(task_id="make", conn_id="sume_default", request=request, poll_interval=0.05), task_context()
    )
    assert [one["url"] for one in found["creatives"]] == [f"{tiny.url}/a.mp4"]


def test_submitted_here_and_waited_for_there(tiny: Tiny) -> None:
    tiny.routes["POST /face-swap"] = Reply({"job_ids": ["job_1", "job_2"]}, 202)
    operator = SumeFaceSwapOperator(task_id="make", wait_for_completion=False, **SWAP)
    submitted = run_task(operator, task_context())
    assert (submitted["status"], submitted["job_ids"]) == ("queued", ["job_1", "job_2"])
    for name in submitted["job_ids"]:
        job(tiny, name, "completed", result={"url": f"{tiny.url}/{name}.mp4"})
    sensor = GenerationSensor(
        task_id="wait", conn_id="sume_default", generation_id=",".join(submitted["job_ids"]), poke_interval=0.05
    )
    found = run_task(sensor, task_context())
    value = getattr(found, "xcom_value", found)
    assert [one["url"] for one in value["creatives"]] == [f"{tiny.url}/job_1.mp4", f"{tiny.url}/job_2.mp4"]


# --- to an end without a result -----------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("word", ["failed", "canceled", "expired"])
def test_a_job_that_ends_badly_is_not_paid_for_again(tiny: Tiny, deferrable: bool, word: str) -> None:
    job(tiny, "job_1", "running", word, error="The model gave up")
    for try_number in (1, 2):
        with pytest.raises(GenerationFailed, match=rf"(?s)job_1.*{word}.*The model gave up"):
            run_task(video(deferrable=deferrable), task_context(try_number=try_number))
    assert tiny.paths().count("POST /videos/generations") == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_lost_submission_is_not_repeated_and_names_what_it_could_be(tiny: Tiny, status: int) -> None:
    tiny.routes["POST /videos/generations"] = Reply(ERROR, status)
    rows = [
        {"id": "job_old", "type": "video_generation", "status": "queued", "created_at": "2020-01-01T00:00:00Z"},
        {"id": "job_it", "type": "video_generation", "status": "queued", "created_at": "2099-01-01T00:00:00Z"},
        {"id": "job_img", "type": "image_generation", "status": "queued", "created_at": "2099-01-01T00:00:00Z"},
    ]
    tiny.routes["GET /jobs"] = Reply({"object": "list", "data": rows, "has_more": False, "next_cursor": None})
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException) as found:
            run_task(video(), task_context(try_number=try_number))
        said = str(found.value)
        assert "job_it (queued" in said and "2099-01-01T00:00:00" in said
        assert "job_old" not in said and "job_img" not in said
        assert "undocumented number of credits" in said
    assert "req_1" in said
    assert tiny.paths().count("POST /videos/generations") == 1


def test_a_lost_submission_names_jobs_of_which_nobody_says_what_they_make(tiny: Tiny) -> None:
    # Which field of a job in the list names its type is not documented.
    tiny.routes["POST /images/generations"] = Reply(ERROR, 503)
    later = {"status": "queued", "created_at": "2099-01-01T00:00:00Z"}
    rows = [
        {"id": "job_it", "object": "job", **later},
        {"id": "job_new", "type": "something_new", **later},
        {"id": "job_of", "object": "image_generation", **later},
        {"id": "job_vid", "object": "video_generation", **later},
    ]
    tiny.routes["GET /jobs"] = Reply({"object": "list", "data": rows, "has_more": False, "next_cursor": None})
    with pytest.raises(AirflowFailException) as found:
        run_task(SumeImageOperator(task_id="make", prompt="A shoe", poll_interval=0.05), task_context())
    said = str(found.value)
    assert all(f"{name} (queued" in said for name in ("job_it", "job_new", "job_of"))
    assert "job_vid" not in said


def test_an_acceptance_without_a_job_id_is_not_repeated(tiny: Tiny) -> None:
    tiny.routes["POST /videos/generations"] = Reply({"object": "video_generation", "ok": True}, 202)
    tiny.routes["GET /jobs"] = Reply({"object": "list", "data": [], "has_more": False, "next_cursor": None})
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException, match=r"job\.id or job_id"):
            run_task(video(), task_context(try_number=try_number))
    assert tiny.paths().count("POST /videos/generations") == 1


@pytest.mark.parametrize("status", [400, 404, 409, 413])
def test_a_refusal_started_nothing_and_may_be_tried_again(tiny: Tiny, tmp_path: Path, status: int) -> None:
    ready = tiny.routes["POST /videos/generations"]
    tiny.routes["POST /videos/generations"] = [Reply(ERROR, status), ready]
    with pytest.raises(Exception, match=rf"answered {status} .*Not today.*req_1"):
        run_task(video(), task_context())
    job(tiny, "job_1", "completed", result={"url": f"{tiny.url}/a.mp4"})
    assert run_task(video(), task_context(try_number=2))["status"] == "completed"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_a_retry_cannot_help_fails_at_once(tiny: Tiny, status: int) -> None:
    tiny.routes["POST /videos/generations"] = Reply(ERROR, status)
    with pytest.raises(AirflowFailException, match=f"answered {status}"):
        run_task(video(), task_context())
    assert tiny.paths() == ["POST /videos/generations"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_that_takes_too_long_is_waited_for_by_the_next_try(tiny: Tiny, deferrable: bool) -> None:
    job(tiny, "job_1", "running")
    with pytest.raises(GenerationTimeout, match="job_1"):
        run_task(video(deferrable=deferrable, timeout=0.3), task_context())
    job(tiny, "job_1", "completed", result={"url": f"{tiny.url}/a.mp4"})
    found = run_task(video(deferrable=deferrable), task_context(try_number=2))
    assert found["status"] == "completed"
    assert tiny.paths().count("POST /videos/generations") == 1


def test_wrong_requests_are_refused_before_anything_is_sent(tiny: Tiny) -> None:
    operators: list[Any] = [
        SumeImageOperator(task_id="a", prompt=""),
        SumeVideoOperator(task_id="a", prompt="p", duration="soon"),
        SumeAdVideoOperator(task_id="a", script="Buy"),
        SumeFaceSwapOperator(task_id="a", source_video_url="https://m.example/a.mp4", avatar_ids=[]),
        SumeReferenceAnalysisOperator(task_id="a", url="https://example.com"),
        video(max_credits=5),
        video(idempotency_key="k"),
        video(destination="/tmp/x", wait_for_completion=False),  # noqa: S108 - nothing is written
    ]
    for operator in operators:
        with pytest.raises(AirflowFailException, match="Nothing was sent"):
            run_task(operator, task_context())
    assert tiny.asked == []


def test_assumed_credits_let_a_limit_be_kept(tiny: Tiny) -> None:
    job(tiny, "job_1", "completed", result={"url": f"{tiny.url}/a.mp4"})
    assert run_task(video(max_credits=5, assume_credits=5), task_context())["status"] == "completed"
    with pytest.raises(AirflowFailException, match="more than max_credits"):
        run_task(video(max_credits=5, assume_credits=6), task_context(task_id="other"))


# --- uploads ------------------------------------------------------------------------------------------------------


@pytest.fixture
def film(tiny: Tiny, tmp_path: Path) -> str:
    tiny.routes |= {
        "POST /uploads/presign": Reply(
            {
                "upload_url": f"{tiny.url}/put?sig=secret",
                "object_key": "uploads/k",
                "media_url": "https://media.sume.so/k.mp4",
                "required_headers": {"Content-Type": "video/mp4"},
            }
        ),
        "PUT /put": Reply(b""),
        "POST /assets": Reply({"object": "asset_upload", "asset_id": "as_1", "status": "processing"}, 202),
    }
    (tmp_path / "a.mp4").write_bytes(MP4)
    return f"file://{tmp_path}/a.mp4"


def test_an_upload_for_the_library_hands_on_its_asset(tiny: Tiny, film: str) -> None:
    context = task_context()
    found = SumeUploadOperator(
        task_id="up", source=film, purpose="asset_library_video", asset_fields={"title": "Launch"}
    ).execute(context)
    assert found == {
        "purpose": "asset_library_video",
        "file_name": "a.mp4",
        "content_type": "video/mp4",
        "size": len(MP4),
        "media_url": None,
        "asset_id": "as_1",
        "job_ids": [],
        "status": "processing",
    }
    assert context["ti"].xcoms == {"asset_id": "as_1"}
    assert tiny.paths() == ["POST /uploads/presign", "PUT /put", "POST /assets"]
    assert tiny.asked[1].body == MP4
    assert "authorization" not in tiny.asked[1].headers


def test_an_upload_for_a_face_swap_hands_on_its_url(tiny: Tiny, film: str) -> None:
    context = task_context()
    found = SumeUploadOperator(
        task_id="up", source=film, purpose="face_swap_source_video", field_names={"size": "size_bytes"}
    ).execute(context)
    assert (found["media_url"], found["asset_id"]) == ("https://media.sume.so/k.mp4", None)
    assert context["ti"].xcoms == {"media_url": "https://media.sume.so/k.mp4"}
    assert tiny.asked[0].json()["size_bytes"] == len(MP4)
    assert "secret" not in json.dumps(found) and "uploads/k" not in json.dumps(found)


@pytest.mark.parametrize("status", [401, 403, 404, 413])
def test_an_upload_that_a_retry_cannot_help_fails_at_once(tiny: Tiny, film: str, status: int) -> None:
    tiny.routes["POST /uploads/presign"] = Reply(ERROR, status)
    with pytest.raises(AirflowFailException, match="Not today"):
        SumeUploadOperator(task_id="up", source=film, purpose="asset_library_video").execute(task_context())


def test_a_wrong_upload_is_refused_before_anything_is_sent(tiny: Tiny, film: str) -> None:
    for source, purpose in ((film, "fun"), ("file:///none/a.mp4", "asset_library_video")):
        with pytest.raises(AirflowFailException, match="Nothing was sent"):
            SumeUploadOperator(task_id="up", source=source, purpose=purpose).execute(task_context())
    assert tiny.asked == []


# --- in a DAG -----------------------------------------------------------------------------------------------------

TYPED = [
    SumeImageOperator,
    SumeVideoOperator,
    SumeAdVideoOperator,
    SumeFaceSwapOperator,
    SumeReferenceAnalysisOperator,
]


@pytest.mark.parametrize("cls", TYPED)
def test_every_field_of_the_request_is_an_argument_and_templated(cls: type[GenerateOperator]) -> None:
    fields = set(VENDOR.request_class(cls.request_kind).model_fields)
    assert set(cls.request_fields) == fields
    assert fields <= set(cls.template_fields)
    assert cls.vendor_name == "sume"
    for name in fields:
        assert f":param {name}:" in (cls.__doc__ or "")


def test_operators_can_be_mapped() -> None:
    with DAG("d", schedule=None):
        mapped = [
            SumeImageOperator.partial(task_id="a").expand(prompt=["x", "y"]),
            SumeVideoOperator.partial(task_id="b", duration=5).expand(prompt=["x"]),
            SumeAdVideoOperator.partial(task_id="c", avatar_id="a").expand(script=["x"]),
            SumeFaceSwapOperator.partial(task_id="d", avatar_ids=["a"]).expand(source_video_url=["x"]),
            SumeReferenceAnalysisOperator.partial(task_id="e", url_field="link").expand(url=["x"]),
            SumeUploadOperator.partial(task_id="f", purpose="asset_library_video").expand(source=["x"]),
        ]
    assert len(mapped) == 6


def test_templates_are_rendered() -> None:
    with DAG("d", schedule=None):
        swap = SumeFaceSwapOperator(task_id="a", source_video_url="{{ url }}", avatar_ids=["{{ face }}"])
        up = SumeUploadOperator(task_id="b", source="{{ url }}", purpose="asset_library_video")
    context: Any = {"url": "https://m.example/a.mp4", "face": "av_1"}
    swap.render_template_fields(context)
    up.render_template_fields(context)
    assert (swap.source_video_url, swap.avatar_ids) == ("https://m.example/a.mp4", ["av_1"])
    assert up.source == "https://m.example/a.mp4"
