# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.errors import AuthenticationError, NotFound, PermissionDenied, RateLimited
from airflow_provider_adgen.operators.cinematicads import (
    CinematicAdsBrandOperator,
    CinematicAdsExportProjectsOperator,
    CinematicAdsKnowledgeOperator,
)
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.core.vocabulary import Generation
    from airflow_provider_adgen.hooks.cinematicads import CinematicAdsHook
    from airflow_provider_adgen.sandbox import Sandbox


def finished(sandbox: Sandbox, hook: CinematicAdsHook, **fields: Any) -> Generation:
    request = hook.vendor.parse_request({"kind": "workflow", "workflow_type": "cinematic", **fields})
    job = hook.submit(request)
    sandbox.set_job(job.id, "completed")
    return hook.get_generation(job.id)


@pytest.mark.parametrize("key", ["credits", "balance", "remaining"])
@pytest.mark.parametrize("shape", ["top", "data"])
def test_credits(sandbox: Sandbox, hook: CinematicAdsHook, key: str, shape: str) -> None:
    sandbox.settings(cinematicads={"credits_key": key, "response_shape": shape})
    sandbox.set_credits("cinematicads", 42)
    assert hook.get_credits().remaining == 42
    assert asyncio.run(hook.aget_credits()).remaining == 42


def test_test_button(sandbox: Sandbox, hook: CinematicAdsHook) -> None:
    assert hook.test_connection()[0]
    sandbox.set_key("cinematicads", status="revoked")
    accepted, said = hook.test_connection()
    assert not accepted and "401" in said
    with pytest.raises(AuthenticationError):
        hook.get_credits()


@pytest.mark.parametrize("shape", ["top", "data"])
def test_reading(sandbox: Sandbox, hook: CinematicAdsHook, shape: str) -> None:
    sandbox.settings(cinematicads={"response_shape": shape})
    job = finished(sandbox, hook)
    (project,) = hook.list_projects()
    assert (project.job_id, project.status) == (job.id, "completed")
    assert hook.get_stats(start_date="2020-01-01", end_date="2099-12-31").model_extra
    assert hook.get_analytics(period="90d").model_extra
    status = hook.get_models_status()
    assert status.text is not None and status.image is not None and status.video is not None
    health = hook.get_health()
    assert health.status and health.version


def test_events(sandbox: Sandbox, hook: CinematicAdsHook) -> None:
    job = finished(sandbox, hook)
    events = list(hook.stream_workflow(job.id))
    assert {event.name for event in events} <= {"step", "progress", "result"}
    assert events[-1].name == "result" and events[-1].success is True
    with pytest.raises(NotFound):
        list(hook.stream_workflow("wf_of_nobody"))


@pytest.mark.parametrize("method", ["any", "POST", "PUT"])
def test_brand(sandbox: Sandbox, hook: CinematicAdsHook, method: str) -> None:
    sandbox.settings(cinematicads={"brand_method": method})
    task = CinematicAdsBrandOperator(
        task_id="b", name="N", industry="i", tone="calm", target_audience="adults", colors={"primary": "#102030"}
    )
    written = run_task(task, task_context())
    read = hook.get_brand()
    assert (read.name, read.industry, read.tone, read.target_audience) == ("N", "i", "calm", "adults")
    assert read.colors["primary"] == "#102030"
    assert (written["name"], written["target_audience"]) == ("N", "adults")


def test_knowledge(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text("a,b\n1,2\n")
    run_task(CinematicAdsKnowledgeOperator(task_id="u", url="https://a.example/about"), task_context())
    run_task(CinematicAdsKnowledgeOperator(task_id="f", source=str(tmp_path / "facts.csv")), task_context())
    asked = sandbox.requests("cinematicads", method="POST", path="/knowledge/")
    assert [one["status"] for one in asked] in ([200, 200], [201, 201])


def test_export_of_projects(sandbox: Sandbox, hook: CinematicAdsHook, tmp_path: Path) -> None:
    finished(sandbox, hook)
    task = CinematicAdsExportProjectsOperator(task_id="e", destination=str(tmp_path / "exports"))
    found = run_task(task, task_context())
    with zipfile.ZipFile(found["uri"].removeprefix("file://")) as archive:
        assert archive.testzip() is None
        assert any(name.endswith(".mp4") for name in archive.namelist())


def test_export_of_a_video(sandbox: Sandbox, hook: CinematicAdsHook, tmp_path: Path) -> None:
    with pytest.raises(PermissionDenied):
        hook.export_video("https://elsewhere.example/v.mp4", str(tmp_path))
    assert list(tmp_path.glob("*.mp4")) == []


def test_batch_of_nobody(sandbox: Sandbox, hook: CinematicAdsHook) -> None:
    with pytest.raises(NotFound):
        hook.get_batch_status("b_of_nobody")


def test_rate_limit_tells_when_to_come_back(sandbox: Sandbox, hook: CinematicAdsHook) -> None:
    sandbox.settings(cinematicads={"rate_limits": {"workflow": [1, 3600]}})
    request = hook.vendor.parse_request({"kind": "workflow", "workflow_type": "avatar"})
    hook.submit(request)
    with pytest.raises(RateLimited) as caught:
        hook.submit(request)
    assert caught.value.retry_after is not None and 0 < caught.value.retry_after <= 3601
    assert len(sandbox.charges) == 1
