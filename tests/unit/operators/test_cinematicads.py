# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.compat import AirflowFailException, AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow_provider_adgen.core.errors import DownloadError, GenerationFailed, GenerationTimeout
from airflow_provider_adgen.ledger.ledger import task_ledger
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.operators.cinematicads import (
    CinematicAdsBrandOperator,
    CinematicAdsExportProjectsOperator,
    CinematicAdsKnowledgeOperator,
    CinematicAdsWorkflowOperator,
)
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.sensors.cinematicads import BatchSensor
from airflow_provider_adgen.sensors.generation import GenerationSensor
from tests.support.tasks import first_event, run_task, task_context
from tests.support.tiny import Reply, Sse, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB = "wf_abc123xyz"
POST, LIST, STREAM = "POST /api/workflow", "GET /api/user/projects", "GET /api/workflow/stream"
STEP = ("step", {"step": "art_direction", "status": "completed", "progress": 20})
SUSPENDED = ("workflow.suspended", {"message": "Waiting for review"})
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(5000)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    # What tries know of each other, on every Airflow: before 3.3 there is no store of its own.
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path_factory.mktemp('ledger')}")
    with Tiny() as server:
        server.routes[POST] = Reply({"success": True, "jobId": JOB, "message": "Workflow queued", "cost": 2})
        server.routes[LIST] = Reply({"success": True, "data": []})
        server.routes["GET /v.mp4"] = Reply(MP4, headers={"Content-Type": "video/mp4"})
        server.routes["GET /w.mp4"] = Reply(MP4 + b"2", headers={"Content-Type": "video/mp4"})
        value = {"conn_type": "cinematicads", "host": server.url, "password": "ca-key", "extra": {"timeout": 2}}
        monkeypatch.setenv("AIRFLOW_CONN_CINEMATICADS_DEFAULT", json.dumps(value))
        yield server


def result(tiny: Tiny, **more: Any) -> tuple[str, dict[str, Any]]:
    return ("result", {"success": True, "videoUrl": f"{tiny.url}/v.mp4", "duration": 15, **more})


def operator(**fields: Any) -> CinematicAdsWorkflowOperator:
    given = {"workflow_type": "cinematic", "quality": "premium", "concept": "c", "poll_interval": 0.05, **fields}
    return CinematicAdsWorkflowOperator(task_id="make", **given)


def recorded_phase() -> str:
    record = task_ledger(task_context(), TaskFacts.of(task_context()).identity).record()
    assert record is not None and record.last is not None
    return record.last.phase


# --- to success ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
def test_result_from_the_stream_is_stored(tiny: Tiny, tmp_path: Path, deferrable: bool) -> None:
    tiny.routes[STREAM] = Sse([STEP, result(tiny)])
    context = task_context()
    found = run_task(operator(deferrable=deferrable, destination=str(tmp_path)), context)
    assert (found["id"], found["status"], found["kind"]) == (JOB, "completed", "video")
    assert found["credits"] == {"quoted": 2, "charged": 2, "refunded": None}
    (creative,) = found["creatives"]
    assert creative["url"] is None and creative["size"] == len(MP4)
    assert Path(creative["uri"].removeprefix("file://")).read_bytes() == MP4
    assert found["details"]["duration"] == 15
    assert context["ti"].xcoms == {"id": JOB, "uris": [creative["uri"]]}
    assert tiny.paths().count(POST) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_several_videos_of_one_job(tiny: Tiny, tmp_path: Path, deferrable: bool) -> None:
    videos = {"9:16": f"{tiny.url}/v.mp4", "1:1": f"{tiny.url}/w.mp4"}
    tiny.routes[STREAM] = Sse([("result", {"success": True, "videos": videos})])
    found = run_task(
        operator(deferrable=deferrable, destination=str(tmp_path), formats=["9:16", "1:1"]), task_context()
    )
    assert [one["size"] for one in found["creatives"]] == [len(MP4), len(MP4) + 1]
    assert found["details"]["creative_formats"] == ["9:16", "1:1"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_without_any_stream_the_list_is_waited_for(tiny: Tiny, deferrable: bool) -> None:
    running = Reply([{"jobId": JOB, "status": "running"}])
    tiny.routes[STREAM] = Reply({"success": False, "error": "Rate limit exceeded"}, 429)
    done = Reply([{"jobId": JOB, "status": "completed", "videoUrl": f"{tiny.url}/v.mp4"}])
    tiny.routes[LIST] = [running, running, done]
    found = run_task(operator(deferrable=deferrable), task_context())
    assert (found["status"], found["creatives"][0]["url"]) == ("completed", f"{tiny.url}/v.mp4")
    assert tiny.paths().count(STREAM) == 1, "a refused stream is not asked for again at once"


def test_any_vendor_operator_takes_the_vendors_word(tiny: Tiny) -> None:
    tiny.routes[STREAM] = Sse([result(tiny)])
    request = {"kind": "workflow", "type": "avatar", "formats": ["9:16"]}
    task = GenerateOperator(task_id="make", conn_id="cinematicads_default", request=request, poll_interval=0.05)
    assert run_task(task, task_context())["status"] == "completed"
    assert tiny.asked[0].json() == {"type": "avatar", "quality": "standard", "formats": "9:16", "async": True}


def test_submission_alone(tiny: Tiny) -> None:
    found = run_task(operator(wait_for_completion=False), task_context())
    assert (found["id"], found["status"], tiny.paths()) == (JOB, "queued", [POST])


def test_retry_goes_on_with_the_paid_job(tiny: Tiny) -> None:
    tiny.routes[STREAM] = Sse([STEP])
    with pytest.raises(GenerationTimeout):
        run_task(operator(timeout=0.3), task_context())
    tiny.routes[STREAM] = Sse([result(tiny)])
    found = run_task(operator(), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(POST)) == ("completed", 1)


def test_on_the_worker_what_is_said_once_is_enough(tiny: Tiny) -> None:
    tiny.routes[STREAM] = [Sse([result(tiny)]), Sse([])]
    assert run_task(operator(), task_context())["creatives"][0]["url"] == f"{tiny.url}/v.mp4"


@pytest.mark.parametrize("destination", [False, True])
def test_in_the_triggerer_what_is_said_once_is_enough(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: bool
) -> None:
    tiny.routes[STREAM] = [Sse([result(tiny, sig="SIGNED")]), Sse([])]
    events = []

    async def told(trigger: Any) -> Any:
        events.append(await first_event(trigger))
        return events[-1]

    monkeypatch.setattr("tests.support.tasks.first_event", told)
    context = task_context()
    found = run_task(operator(deferrable=True, destination=str(tmp_path) if destination else None), context)
    assert (found["status"], tiny.paths().count(POST)) == ("completed", 1)
    (creative,) = found["creatives"]
    assert creative["size"] == len(MP4) if destination else creative["url"] == f"{tiny.url}/v.mp4"
    (event,) = events
    assert event["id"] == JOB and "v.mp4" not in json.dumps(event), "an event is logged: it shows no link"
    assert "ca-key" not in json.dumps(event)


@pytest.mark.parametrize("deferrable", [False, True])
def test_what_was_said_once_outlives_the_worker_that_could_not_store_it(
    tiny: Tiny, tmp_path: Path, deferrable: bool
) -> None:
    folder = tmp_path / "ads"
    folder.write_text("a file where a folder is needed")
    tiny.routes[STREAM] = [Sse([result(tiny)]), Sse([])]
    with pytest.raises(DownloadError):
        run_task(operator(deferrable=deferrable, destination=str(folder)), task_context())
    folder.unlink()
    found = run_task(operator(deferrable=deferrable, destination=str(folder), timeout=5), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(POST)) == ("completed", 1)
    assert found["creatives"][0]["size"] == len(MP4)


def test_what_was_sealed_with_a_key_that_was_changed_is_asked_for(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.routes[STREAM] = [Sse([result(tiny)]), Sse([])]
    task, context = operator(deferrable=True, timeout=1), task_context()
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    event = asyncio.run(first_event(deferral.value.trigger))
    value = {"conn_type": "cinematicads", "host": tiny.url, "password": "another", "extra": {"timeout": 2}}
    monkeypatch.setenv("AIRFLOW_CONN_CINEMATICADS_DEFAULT", json.dumps(value))
    with pytest.raises(TaskDeferred):
        task.execute_complete(context, event)
    # As soon as the list carries the job, it is collected.
    tiny.routes[LIST] = Reply([{"jobId": JOB, "status": "completed", "videoUrl": f"{tiny.url}/v.mp4"}])
    found = run_task(operator(deferrable=True), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(POST)) == ("completed", 1)


def test_a_sensor_takes_what_its_trigger_heard_once(tiny: Tiny) -> None:
    tiny.routes[STREAM] = [Sse([STEP]), Sse([result(tiny)]), Sse([])]
    sensor = GenerationSensor(
        task_id="wait",
        conn_id="cinematicads_default",
        generation_id=JOB,
        deferrable=True,
        poke_interval=0.05,
        timeout=5,
    )
    found = run_task(sensor, task_context(task_id="wait"))
    assert found["creatives"][0]["url"] == f"{tiny.url}/v.mp4"


# --- review -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("on_suspended", "error"), [("fail", GenerationFailed), ("skip", AirflowSkipException)])
def test_review_ends_the_wait_where_asked(
    tiny: Tiny, deferrable: bool, on_suspended: str, error: type[Exception]
) -> None:
    tiny.routes[STREAM] = Sse([STEP, SUSPENDED])
    with pytest.raises(error, match="suspended"):
        run_task(operator(hitl=True, on_suspended=on_suspended, deferrable=deferrable), task_context())
    assert tiny.asked[0].json()["hitl"] is True


@pytest.mark.parametrize("deferrable", [False, True])
def test_review_is_waited_for(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes[STREAM] = [Sse([STEP, SUSPENDED]), Sse([STEP, SUSPENDED, STEP, result(tiny)])]
    found = run_task(operator(hitl=True, deferrable=deferrable), task_context())
    assert found["status"] == "completed"


# --- failure and refusal ------------------------------------------------------------------------------------------


def test_failed_workflow_says_that_it_is_refunded_and_a_retry_submits_anew(tiny: Tiny) -> None:
    tiny.routes[STREAM] = [
        Sse([("result", {"success": False, "error": "no voice"})]),
        Sse([("result", {"success": False, "error": "no voice"})]),
        Sse([result(tiny)]),
    ]
    with pytest.raises(GenerationFailed, match=r"no voice.*refunds"):
        run_task(operator(max_credits=2), task_context())
    found = run_task(operator(max_credits=2), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(POST)) == ("completed", 2)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "concept is too long"),
        (401, "Token expired"),
        (402, "Insufficient credits. Required: 2, available: 0"),
        (402, "Your trial has expired"),
        (403, "This workflow is reserved"),
    ],
)
def test_refusals_start_nothing(tiny: Tiny, status: int, said: str) -> None:
    tiny.routes[POST] = Reply({"success": False, "error": said}, status)
    with pytest.raises(Exception, match=said) as caught:
        run_task(operator(), task_context())
    if status != 400:
        assert isinstance(caught.value, AirflowFailException)
    assert tiny.paths() == [POST]
    assert recorded_phase() == "withdrawn"


@pytest.mark.parametrize(
    "reply", [Reply({"success": False, "error": "queue"}, 503), Reply({"success": True}), Reply(b"<")]
)
def test_unclear_answers_stop_the_task(tiny: Tiny, reply: Reply) -> None:
    tiny.routes[POST] = reply
    tiny.routes[LIST] = Reply([{"jobId": "wf_candidate", "status": "running", "createdAt": "2999-01-01T00:00:00Z"}])
    with pytest.raises(AirflowFailException, match="wf_candidate"):
        run_task(operator(), task_context())
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        run_task(operator(), task_context(try_number=2))
    assert tiny.paths().count(POST) == 1


def test_far_rate_limit_is_waited_for_in_the_triggerer(tiny: Tiny) -> None:
    tiny.routes[POST] = Reply({"success": False, "error": "Rate limit exceeded"}, 429, {"Retry-After": "1800"})
    with pytest.raises(TaskDeferred) as caught:
        operator(deferrable=True).execute(task_context())
    assert "SubmitQueueTrigger" in caught.value.trigger.serialize()[0]
    assert recorded_phase() == "withdrawn"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"workflow_type": "clone"}, "needs url"),
        ({"workflow_type": "local-audit"}, "workflow_type"),
        ({"formats": "4:5"}, "formats"),
        ({"extra_fields": {"async": False}}, "async"),
        ({"extra_fields": {"hitl": True}, "max_credits": 25}, "assume_credits"),
        ({"max_credits": 1}, "max_credits"),
        ({"idempotency_key": "k"}, "no idempotency keys"),
    ],
)
def test_wrong_input_sends_nothing(tiny: Tiny, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(AirflowFailException, match=named):
        run_task(operator(**fields), task_context())
    assert not tiny.asked


def test_connection_of_another_vendor_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "adsumo", "password": "k", "host": tiny.url}))
    for task in (
        operator(conn_id="other"),
        CinematicAdsBrandOperator(task_id="b", name="N", conn_id="other"),
        CinematicAdsExportProjectsOperator(task_id="e", destination="d", conn_id="other"),
    ):
        with pytest.raises(AirflowFailException, match="cinematicads"):
            run_task(task, task_context())
    assert not tiny.asked


# --- as Airflow uses it -------------------------------------------------------------------------------------------


def test_everything_is_templated_and_mappable() -> None:
    assert set(CinematicAdsWorkflowOperator.request_fields) <= set(CinematicAdsWorkflowOperator.template_fields)
    with DAG("campaign", schedule=None):
        mapped = CinematicAdsWorkflowOperator.partial(
            task_id="make", workflow_type="cinematic", max_credits=2, deferrable=True
        ).expand(concept=["a", "b"])
        CinematicAdsKnowledgeOperator.partial(task_id="know").expand(url=["https://a.example", "https://b.example"])
        BatchSensor.partial(task_id="wait", deferrable=True).expand(batch_id=["a", "b"])
        CinematicAdsBrandOperator.partial(task_id="brand", name="N").expand(tone=["calm"])
        CinematicAdsExportProjectsOperator.partial(task_id="export").expand(destination=["a", "b"])
    assert mapped.operator_class is CinematicAdsWorkflowOperator


def test_strings_from_templates(tiny: Tiny) -> None:
    tiny.routes[STREAM] = Sse([result(tiny)])
    run_task(operator(formats="9:16, 1:1", hitl="false", max_credits="2"), task_context())
    assert tiny.asked[0].json() == {
        "type": "cinematic",
        "concept": "c",
        "quality": "premium",
        "formats": "9:16,1:1",
        "hitl": False,
        "async": True,
    }


# --- resources ----------------------------------------------------------------------------------------------------


def test_brand(tiny: Tiny) -> None:
    tiny.routes["PUT /api/user/brand"] = Reply({"success": True})
    task = CinematicAdsBrandOperator(
        task_id="b", name="N", industry="i", tone="t", target_audience="a", colors={"accent": "#fff"}
    )
    found = run_task(task, task_context())
    assert tiny.paths() == ["POST /api/user/brand", "PUT /api/user/brand"]
    body = {"name": "N", "industry": "i", "tone": "t", "targetAudience": "a", "colors": {"accent": "#fff"}}
    assert tiny.asked[1].json() == body
    assert (found["name"], found["target_audience"], json.loads(json.dumps(found))) == ("N", "a", found)


def test_knowledge(tiny: Tiny, tmp_path: Path) -> None:
    tiny.routes["POST /api/user/brand/knowledge/urls"] = Reply({"data": {"id": "u"}})
    tiny.routes["POST /api/user/brand/knowledge/files"] = Reply({"data": {"id": "f"}})
    (tmp_path / "a.txt").write_text("facts")
    page = CinematicAdsKnowledgeOperator(task_id="u", url="https://a.example")
    file = CinematicAdsKnowledgeOperator(task_id="f", source=str(tmp_path / "a.txt"))
    assert [run_task(task, task_context())["id"] for task in (page, file)] == ["u", "f"]
    for fields in (
        {},
        {"url": "https://a.example", "source": "a.txt"},
        {"source": str(tmp_path / "b.md")},
        {"url": "x"},
    ):
        with pytest.raises(AirflowFailException, match="Nothing was sent"):
            run_task(CinematicAdsKnowledgeOperator(task_id="k", **fields), task_context())
    assert len(tiny.asked) == 2


def test_export(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.routes["GET /api/user/projects/export"] = Reply(b"PK zip", headers={"Content-Type": "application/zip"})
    monkeypatch.setenv("AIRFLOW__ADGEN__DESTINATION_URLS", json.dumps({str(tmp_path): "https://ads.example"}))
    task = CinematicAdsExportProjectsOperator(task_id="e", destination=str(tmp_path))
    found = run_task(task, task_context())
    assert found["uri"] == f"file://{tmp_path}/cinematicads-projects.zip"
    (link,) = task.operator_extra_links
    assert link.get_link(task, ti_key=None) == "https://ads.example/cinematicads-projects.zip"
    assert (found["kind"], found["size"]) == ("archive", 6)
    assert set(found) == {"kind", "uri", "media_type", "size", "sha256"}
    pytest.importorskip("airflow.providers.openlineage.extractors", exc_type=ImportError)
    told = task.get_openlineage_facets_on_complete(None)
    assert [(one.namespace, one.name) for one in told.outputs] == [("file", found["uri"].removeprefix("file://"))]


# --- batches ------------------------------------------------------------------------------------------------------

BATCH = "GET /api/batch/status"


def counts(completed: int, failed: int, active: int = 0, pending: int = 0) -> Reply:
    total = completed + failed + active + pending
    value = {"total": total, "completed": completed, "failed": failed, "active": active, "pending": pending}
    return Reply({"success": True, "data": value})


def sensor(**fields: Any) -> BatchSensor:
    return BatchSensor(task_id="wait", batch_id="b1", poke_interval=0.05, **fields)


@pytest.mark.parametrize("deferrable", [False, True])
def test_batch_is_waited_for(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes[BATCH] = [counts(0, 0, 1, 2), counts(1, 1, 1), counts(2, 1)]
    task = sensor(deferrable=deferrable)
    if deferrable:
        found = run_task(task, task_context())
    else:
        context = task_context()
        pokes = [task.poke(context) for _ in range(3)]
        assert [bool(one) for one in pokes] == [False, False, True]
        found = pokes[-1].xcom_value
    assert found == {"total": 3, "completed": 2, "failed": 1, "pending": 0, "active": 0}
    assert tiny.asked[0].query == {"batchId": "b1"}


@pytest.mark.parametrize("deferrable", [False, True])
def test_batch_with_too_many_failures(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes[BATCH] = [counts(0, 1, 2), counts(0, 2, 1)]
    task = sensor(deferrable=deferrable, max_failed="1")
    with pytest.raises(AirflowFailException, match="2 of 3"):
        if deferrable:
            run_task(task, task_context())
        else:
            assert not task.poke(task_context())
            task.poke(task_context())
    tiny.routes[BATCH] = counts(0, 2, 1)
    with pytest.raises(AirflowSkipException):
        sensor(max_failed=1, soft_fail=True).poke(task_context())


@pytest.mark.parametrize("value", ["few", -1, True, 1.5])
def test_batch_options_are_checked(tiny: Tiny, value: Any) -> None:
    with pytest.raises(AirflowFailException, match="max_failed"):
        sensor(max_failed=value).poke(task_context())
    assert not tiny.asked


def test_batch_that_is_not_known(tiny: Tiny) -> None:
    tiny.routes[BATCH] = Reply({"success": False, "error": "no such batch"}, 404)
    waiting = sensor()
    assert not waiting.poke(task_context()), "it may only be young"
    waiting._poked_at -= 60.0
    with pytest.raises(AirflowFailException, match="no such batch"):
        waiting.poke(task_context())
    tiny.routes[BATCH] = Reply({"success": False, "error": "busy"}, 503)
    assert not sensor().poke(task_context())


def test_batch_deadline(tiny: Tiny) -> None:
    tiny.routes[BATCH] = counts(0, 0, 1)
    with pytest.raises(AirflowSensorTimeout):
        run_task(sensor(deferrable=True, timeout=0.3), task_context())
