# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Paid workflows against a server that speaks CinematicAds' API, in each of the shapes that its page leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException, AirflowSkipException
from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from airflow_provider_adgen.hooks.cinematicads import CinematicAdsHook
    from airflow_provider_adgen.sandbox import Sandbox


def operator(**fields: Any) -> CinematicAdsWorkflowOperator:
    given = {"workflow_type": "cinematic", "quality": "premium", "concept": "c", "poll_interval": 0.1, **fields}
    return CinematicAdsWorkflowOperator(task_id="make", **given)


def stored(found: dict[str, Any]) -> list[bytes]:
    return [Path(one["uri"].removeprefix("file://")).read_bytes() for one in found["creatives"]]


@pytest.mark.parametrize("deferrable", [False, True])
def test_pays_once_and_stores_the_film(sandbox: Sandbox, tmp_path: Path, deferrable: bool) -> None:
    found = run_task(operator(deferrable=deferrable, destination=str(tmp_path / "ads")), task_context())
    (film,) = stored(found)
    assert film[4:8] == b"ftyp"
    assert (found["status"], found["kind"], found["credits"]["charged"]) == ("completed", "video", 2)
    assert [(one["job_id"], one["credits"]) for one in sandbox.charges] == [(found["id"], 2)]


SHAPES: list[dict[str, Any]] = [
    {"project_job_id": False},
    {"sse_replay": False},
    {"workflow_shape": "data", "response_shape": "top", "projects_shape": "named"},
    {"sse_names": "workflow", "submit_status": 202},
    {"sse_names": "workflow", "project_job_id": False},
    {"sse_seconds": 2, "sse_heartbeat": 1},
    {"rate_limits": {"stream": [0, 3600]}},
]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_every_shape(sandbox: Sandbox, tmp_path: Path, deferrable: bool, shape: dict[str, Any]) -> None:
    sandbox.settings(cinematicads=shape)
    found = run_task(operator(deferrable=deferrable, destination=str(tmp_path / "ads")), task_context())
    assert (found["status"], len(stored(found)), len(sandbox.charges)) == ("completed", 1, 1)


def test_on_the_worker_what_the_stream_says_once_is_enough(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.settings(cinematicads={"sse_replay": False, "project_job_id": False, "job_seconds": 1})
    found = run_task(operator(destination=str(tmp_path / "ads"), poll_interval=0.01), task_context())
    assert (found["status"], len(stored(found))) == ("completed", 1)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    "shape", [{"multiple_videos": "list"}, {"multiple_videos": "list", "project_job_id": False}], ids=str
)
def test_several_formats(sandbox: Sandbox, tmp_path: Path, deferrable: bool, shape: dict[str, Any]) -> None:
    sandbox.settings(cinematicads=shape)
    task = operator(formats=["9:16", "1:1", "16:9"], deferrable=deferrable, destination=str(tmp_path / "ads"))
    found = run_task(task, task_context())
    films = stored(found)
    assert len(films) == 3 and len({one["sha256"] for one in found["creatives"]}) == 3
    assert found["credits"]["charged"] == 2


@pytest.mark.parametrize("key", ["videoUrl", "imageUrl"])
def test_pictures(sandbox: Sandbox, tmp_path: Path, key: str) -> None:
    sandbox.settings(cinematicads={"stills_key": key})
    found = run_task(operator(workflow_type="staticad", destination=str(tmp_path / "ads")), task_context())
    (picture,) = stored(found)
    assert picture.startswith(b"\x89PNG")
    assert (found["kind"], found["creatives"][0]["kind"]) == ("image", "image")


@pytest.mark.parametrize("type_", ["painpoint", "ad-optimizer"])
def test_types_whose_result_is_not_documented(sandbox: Sandbox, tmp_path: Path, type_: str) -> None:
    found = run_task(operator(workflow_type=type_, destination=str(tmp_path / "ads")), task_context())
    assert (found["status"], found["kind"]) == ("completed", "analysis")
    assert all(one["size"] for one in found["creatives"])


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("how", ["result", "workflow.failed", "close", "error"])
def test_failure_is_refunded_and_a_retry_pays_for_another(sandbox: Sandbox, deferrable: bool, how: str) -> None:
    sandbox.settings(cinematicads={"sse_failure": how})
    sandbox.fail_next("cinematicads", message="no voice")
    with pytest.raises(GenerationFailed, match="refunds"):
        run_task(operator(deferrable=deferrable, max_credits=2), task_context())
    assert sandbox.balance("cinematicads") == 1000
    found = run_task(operator(deferrable=deferrable, max_credits=2), task_context(try_number=2))
    assert (found["status"], len(sandbox.charges), sandbox.balance("cinematicads")) == ("completed", 2, 998)


def test_failure_that_nobody_tells_is_no_failure(sandbox: Sandbox) -> None:
    # An "error" event may be about the stream; taken for a failed job, the next try would pay again.
    sandbox.settings(cinematicads={"sse_failure": "error", "project_job_id": False})
    sandbox.fail_next("cinematicads")
    with pytest.raises(GenerationTimeout, match="paid for"):
        run_task(operator(timeout=4), task_context())
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("on_suspended", "error"), [("fail", GenerationFailed), ("skip", AirflowSkipException)])
def test_review(sandbox: Sandbox, deferrable: bool, on_suspended: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="suspended"):
        run_task(operator(hitl=True, deferrable=deferrable, on_suspended=on_suspended), task_context())
    (job,) = sandbox.jobs("cinematicads")
    sandbox.set_job(job["id"], "completed")
    found = run_task(operator(hitl=True, deferrable=deferrable), task_context(try_number=2))
    assert (found["id"], found["status"], len(sandbox.charges)) == (job["id"], "completed", 1)


def test_too_few_credits(sandbox: Sandbox) -> None:
    sandbox.set_credits("cinematicads", 1)
    with pytest.raises(AirflowFailException, match="Required: 2, available: 1"):
        run_task(operator(), task_context())
    assert not sandbox.charges


def test_reserved_workflow(sandbox: Sandbox) -> None:
    sandbox.settings(cinematicads={"reserved_types": ["brand"]})
    with pytest.raises(AirflowFailException, match="403"):
        run_task(operator(workflow_type="brand"), task_context())
    assert not sandbox.charges


def test_lost_answer_stops_the_task_and_names_the_job(sandbox: Sandbox) -> None:
    sandbox.fault("drop", "cinematicads", method="POST", path="/api/workflow", when="after")
    with pytest.raises(AirflowFailException, match="Nobody knows") as caught:
        run_task(operator(), task_context())
    (job,) = sandbox.jobs("cinematicads")
    assert job["id"] in str(caught.value)
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        run_task(operator(), task_context(try_number=2))
    assert len(sandbox.charges) == 1


def test_ten_connections_an_hour_are_kept(sandbox: Sandbox, hook: CinematicAdsHook) -> None:
    sandbox.settings(cinematicads={"project_job_id": False})
    request = hook.vendor.parse_request({"kind": "workflow", "workflow_type": "avatar"})
    job = hook.submit(request)
    sandbox.set_job(job.id, "completed")
    statuses = [str(hook.get_generation(job.id).status) for _ in range(12)]
    assert statuses == ["completed"] * 10 + ["processing"] * 2
    assert len(sandbox.requests("cinematicads", path="/api/workflow/stream")) == 10
