# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Paid generations against a server that speaks Sume's API, in each of the shapes that its pages leave open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import GenerationFailed
from airflow_provider_adgen.operators.sume import (
    SumeAdVideoOperator,
    SumeFaceSwapOperator,
    SumeImageOperator,
    SumeReferenceAnalysisOperator,
    SumeVideoOperator,
)
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from airflow_provider_adgen.hooks.sume import SumeHook
    from airflow_provider_adgen.sandbox import Sandbox

PNG, MP4 = b"\x89PNG\r\n\x1a\n", b"ftyp"
REEL = "https://www.instagram.com/reel/abc/"


def run(cls: Any, try_number: int = 1, **fields: Any) -> Any:
    return run_task(cls(task_id="make", poll_interval=0.1, **fields), task_context(try_number=try_number))


def stored(found: dict[str, Any]) -> list[bytes]:
    return [Path(one["uri"].removeprefix("file://")).read_bytes() for one in found["creatives"]]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("cls", "fields", "kind", "count"),
    [
        (SumeImageOperator, {"prompt": "A shoe", "image_count": 2, "aspect_ratio": "4:5"}, "image", 2),
        (SumeVideoOperator, {"prompt": "A shoe", "duration": 4, "generate_audio": False}, "video", 1),
        (SumeAdVideoOperator, {"script": "You need this shoe.", "avatar_id": "avatar_nora"}, "video", 1),
    ],
)
def test_pays_once_and_stores(
    sandbox: Sandbox, tmp_path: Path, deferrable: bool, cls: Any, fields: dict[str, Any], kind: str, count: int
) -> None:
    found = run(cls, deferrable=deferrable, destination=str(tmp_path / "ads"), **fields)
    assert (found["status"], found["kind"], len(found["creatives"])) == ("completed", kind, count)
    assert all((PNG if kind == "image" else MP4) in content[:16] for content in stored(found))
    assert [one["job_id"] for one in sandbox.charges] == [found["id"]]


SHAPES: list[dict[str, Any]] = [
    {"create_shape": "job"},
    {"create_shape": "job_id", "submit_status": 201},
    {"result_shape": "urls", "job_urls": "none"},
    {"result_shape": "outputs", "job_urls": "list"},
    {"early_result": "empty"},
]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_every_shape(sandbox: Sandbox, tmp_path: Path, deferrable: bool, shape: dict[str, Any]) -> None:
    sandbox.settings(sume=shape)
    found = run(SumeImageOperator, prompt="A shoe", n=2, deferrable=deferrable, destination=str(tmp_path / "ads"))
    assert [content[:8] for content in stored(found)] == [PNG, PNG]
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("shape", ["jobs", "job_ids", "primary"])
def test_all_jobs_of_a_face_swap(
    sandbox: Sandbox, hook: SumeHook, tmp_path: Path, film: str, deferrable: bool, shape: str
) -> None:
    sandbox.settings(sume={"face_swap_shape": shape})
    source = hook.upload(film, "face_swap_source_video").media_url
    found = run(
        SumeFaceSwapOperator,
        source_video_url=source,
        avatar_ids=["avatar_nora", "avatar_idris"],
        trim_end_seconds=3,
        deferrable=deferrable,
        destination=str(tmp_path / "ads"),
    )
    assert found["job_ids"] == [one["job_id"] for one in sandbox.charges]
    assert (found["id"], len(found["job_ids"]), found["error"]) == (found["job_ids"][0], 2, None)
    assert all(MP4 in content[:16] for content in stored(found))
    assert len({one["uri"] for one in found["creatives"]}) == 2


def test_the_finished_part_of_a_face_swap_is_kept(sandbox: Sandbox, hook: SumeHook, tmp_path: Path, film: str) -> None:
    source = hook.upload(film, "face_swap_source_video").media_url
    fields: dict[str, Any] = {"source_video_url": source, "avatar_ids": ["avatar_nora", "avatar_idris"]}
    submitted = run(SumeFaceSwapOperator, wait_for_completion=False, **fields)
    sandbox.set_job(submitted["job_ids"][0], "failed", message="No face found")
    found = run(SumeFaceSwapOperator, try_number=2, destination=str(tmp_path / "ads"), **fields)
    assert (found["status"], len(stored(found))) == ("completed", 1)
    assert found["error"].startswith(f"1 of 2 jobs ended without a result: {submitted['job_ids'][0]} failed")
    assert len(sandbox.charges) == 2


def test_an_analysis(sandbox: Sandbox) -> None:
    found = run(SumeReferenceAnalysisOperator, url=REEL)
    assert (found["kind"], found["creatives"], found["credits"]["charged"]) == ("analysis", [], 5)
    assert found["details"]["analysis"]
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("field", ["url", "video_url"])
def test_the_name_of_an_analysis_url_can_be_chosen(sandbox: Sandbox, field: str) -> None:
    assert run(SumeReferenceAnalysisOperator, url=REEL, url_field=field)["status"] == "completed"
    with pytest.raises(Exception, match="answered 400"):
        run(SumeReferenceAnalysisOperator, url=REEL, url_field="unheard_of", on_changed_input="fresh")
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("word", ["failed", "canceled", "expired"])
def test_a_job_that_ends_badly_is_not_paid_for_again(sandbox: Sandbox, word: str) -> None:
    sandbox.fail_next("sume", status=word, message="The model gave up", seconds=0)
    for try_number in (1, 2):
        with pytest.raises(GenerationFailed, match="The model gave up"):
            run(SumeVideoOperator, try_number, prompt="A shoe")
    assert len(sandbox.charges) == 1


def test_an_answer_that_is_lost_is_never_paid_for_twice(sandbox: Sandbox) -> None:
    sandbox.fault("drop", "sume", method="POST", when="after")
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException) as found:
            run(SumeVideoOperator, try_number, prompt="A shoe")
        (charge,) = sandbox.charges
        assert f"{charge['job_id']} (" in str(found.value)


def test_too_few_credits_are_told(sandbox: Sandbox) -> None:
    sandbox.set_credits("sume", 3)
    with pytest.raises(AirflowFailException, match=r"required: 4, available: 3.*Request id: req_"):
        run(SumeImageOperator, prompt="A shoe")
    assert sandbox.charges == []
