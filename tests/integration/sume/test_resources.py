# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Account, library and uploads against a server that speaks Sume's API; both wires see the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_adgen.core.errors import ApiError, Conflict, InvalidRequest, NotFound, PayloadTooLarge
from airflow_provider_adgen.operators.sume import SumeUploadOperator
from airflow_provider_adgen.sensors.sume import AssetSensor
from airflow_provider_adgen.vendors.sume import Image
from tests.support.tasks import run_task, task_context
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from airflow_provider_adgen.hooks.sume import SumeHook
    from airflow_provider_adgen.sandbox import Sandbox


@pytest.fixture(params=WIRES)
def both(request: pytest.FixtureRequest, hook: SumeHook) -> Both:
    return caller(hook, request.param)


def test_account(both: Both) -> None:
    me = both("get_me")
    assert me.user and me.workspace and me.api_key["prefix"] == "sume_live_"
    assert both("test_connection") == (True, "Sume accepted the key.")


@pytest.mark.parametrize("shape", ["flat", "short", "nested"])
def test_credits_in_every_shape(sandbox: Sandbox, both: Both, shape: str) -> None:
    sandbox.settings(sume={"credits_shape": shape})
    found = both("get_credits")
    assert (found.remaining, found.in_flight_limit) == (1000, 100)


def test_brands_and_avatars(both: Both) -> None:
    current = both("get_current_brand")
    assert both("list_brands", domain=current.domain) == [current]
    assert both("list_brands", domain="other.example") == []
    assert all(image.reference_url for image in current.images)
    avatars = both("list_avatars", limit=5)
    assert len({one.id for one in avatars}) == len(avatars) == 12
    assert both("get_avatar", avatars[0].id) == avatars[0]
    with pytest.raises(NotFound) as found:
        both("get_avatar", "nobody")
    assert str(found.value.request_id).startswith("req_")


def test_jobs_are_listed_page_by_page(sandbox: Sandbox, hook: SumeHook, both: Both) -> None:
    made = [hook.submit(Image(prompt="A shoe")).id for _ in range(5)]
    assert [job.id for job in both("list_jobs", limit=2, type="image_generation")] == made[::-1]
    assert both("list_jobs", type="face_swap") == []
    with pytest.raises(ApiError):
        both("list_jobs", status="no such word")
    with pytest.raises((Conflict, NotFound)):
        sandbox.set_job(made[0], "processing")
        both("get_job_result", made[0])
    sandbox.set_job(made[0], "completed")
    sandbox.advance(60)
    assert both("get_job_result", made[0]).result["images"]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("early", ["processing", "not_found"])
@pytest.mark.parametrize("address", ["media_url", "clip_url"])
def test_a_video_is_uploaded_taken_in_and_found(
    sandbox: Sandbox, hook: SumeHook, film: str, deferrable: bool, early: str, address: str
) -> None:
    sandbox.settings(sume={"early_asset": early, "ingest_seconds": 1, "scene_url": address})
    context = task_context()
    uploaded = SumeUploadOperator(
        task_id="up", source=f"file://{film}", purpose="asset_library_video", asset_fields={"title": "Launch"}
    ).execute(context)
    asset_id = context["ti"].xcoms["asset_id"]
    assert uploaded["asset_id"] == asset_id
    sensor = AssetSensor(task_id="wait", asset_id=asset_id, poke_interval=0.2, timeout=30, deferrable=deferrable)
    found = run_task(sensor, task_context())
    assert getattr(found, "xcom_value", found)["id"] == asset_id
    scenes = list(hook.list_assets(q="demonstration", search_mode="text"))
    assert scenes and scenes[0].media_url
    content = httpx.get(scenes[0].media_url, trust_env=False).content
    assert content == Path(film).read_bytes()


def test_storage_sees_no_key(sandbox: Sandbox, both: Both, film: str) -> None:
    done = both("upload", film, "face_swap_source_video")
    assert done.media_url
    (put,) = sandbox.requests(method="PUT")
    assert "authorization" not in put["headers"]
    assert int(put["headers"]["content-length"]) == done.size


def test_uploads_that_are_refused(sandbox: Sandbox, both: Both, film: str, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    with pytest.raises(ApiError, match="content_type"):
        both("upload", text, "asset_library_video")
    with pytest.raises(InvalidRequest):
        both("upload", film, "fun")
    sandbox.settings(sume={"upload_max_bytes": 5})
    with pytest.raises(PayloadTooLarge):
        both("upload", film, "asset_library_video")
    sandbox.settings(sume={"upload_max_bytes": 10**9, "upload_seconds": 0})
    with pytest.raises(ApiError) as found:
        both("upload", film, "asset_library_video")
    assert found.value.status == 403 and "Signature" not in str(found.value)
