# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Paid generations against a server that speaks CutX's API, in each of the ways that its pages leave open."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import DownloadError, GenerationFailed
from airflow_provider_adgen.operators.cutx import CutxCopyOperator, CutxStaticAdOperator, CutxVideoOperator
from tests.support.tasks import run_task, task_context

if TYPE_CHECKING:
    from airflow_provider_adgen.hooks.cutx import CutxHook
    from airflow_provider_adgen.sandbox import Sandbox

Subject = dict[str, str]
COPY_FIELDS = {"platform": "tiktok", "format": "hook", "tone": "playful"}


def copy(subject: Subject, **fields: Any) -> CutxCopyOperator:
    return CutxCopyOperator(task_id="make", **subject, **{**COPY_FIELDS, **fields})


def ad(subject: Subject, **fields: Any) -> CutxStaticAdOperator:
    return CutxStaticAdOperator(task_id="make", poll_interval=0.1, **subject, **fields)


def video(subject: Subject, **fields: Any) -> CutxVideoOperator:
    given = {"script": "You need to see this shoe.", "poll_interval": 0.2, **fields}
    return CutxVideoOperator(task_id="make", **subject, **given)


def stored(found: dict[str, Any]) -> list[bytes]:
    return [Path(one["uri"].removeprefix("file://")).read_bytes() for one in found["creatives"]]


def paid(sandbox: Sandbox) -> list[int]:
    return [one["credits"] for one in sandbox.charges]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_static_ad_is_paid_once_and_stored(
    sandbox: Sandbox, subject: Subject, tmp_path: Path, deferrable: bool
) -> None:
    task = ad(subject, style="seasonal", aspect_ratio="4:5", prompt="A red shoe", deferrable=deferrable)
    task.destination = str(tmp_path / "ads")
    found = run_task(task, task_context())
    (picture,) = stored(found)
    assert picture.startswith(b"\x89PNG")
    assert (found["status"], found["kind"], found["credits"]["charged"]) == ("completed", "image", 3)
    assert [(one["job_id"], one["credits"]) for one in sandbox.charges] == [(found["id"], 3)]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_video_is_paid_once_and_stored(sandbox: Sandbox, subject: Subject, tmp_path: Path, deferrable: bool) -> None:
    task = video(subject, voice_id="male-1", aspect_ratio="1:1", deferrable=deferrable, destination=str(tmp_path / "v"))
    found = run_task(task, task_context())
    (film,) = stored(found)
    assert film[4:8] == b"ftyp"
    assert (found["status"], found["kind"], paid(sandbox)) == ("completed", "video", [40])


@pytest.mark.parametrize("count", [5, 3, 8])
def test_copy_is_there_at_once(sandbox: Sandbox, subject: Subject, tmp_path: Path, count: int) -> None:
    sandbox.settings(cutx={"copy_variants": count})
    task = copy(subject, custom_instructions="Say sale", destination=str(tmp_path / "copy"), deferrable=True)
    found = run_task(task, task_context())
    assert (found["status"], len(found["variants"]), paid(sandbox)) == ("completed", count, [1])
    (text,) = stored(found)
    assert json.loads(text)["variants"] == found["variants"]
    assert run_task(task, task_context(try_number=2)) == found
    assert paid(sandbox) == [1]


@pytest.mark.parametrize("shape", ["flat", "bare", "nested"])
def test_refusals_in_every_shape(sandbox: Sandbox, subject: Subject, shape: str) -> None:
    sandbox.settings(cutx={"error_shape": shape, "strict_style": True})
    with pytest.raises(AirflowFailException, match="style"):
        run_task(ad(subject, style="modern"), task_context())
    stranger = {**subject, "product_id": subject["project_id"]}
    with pytest.raises(AirflowFailException, match="Product not found"):
        run_task(copy(stranger), task_context(task_id="b"))
    sandbox.set_credits("cutx", 39)
    with pytest.raises(AirflowFailException, match="402"):
        run_task(video(subject), task_context(task_id="c"))
    assert paid(sandbox) == []


# --- a lost answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("fault", "how"), [("drop", {}), ("status", {"status": 502}), ("status", {"status": 500}), ("truncate", {})]
)
def test_a_video_is_found_again_by_its_key(
    sandbox: Sandbox, subject: Subject, deferrable: bool, fault: str, how: dict[str, Any]
) -> None:
    sandbox.fault(fault, "cutx", path="*/generate/video", when="after", **how)
    found = run_task(video(subject, deferrable=deferrable), task_context())
    assert (found["status"], paid(sandbox)) == ("completed", [40])
    posts = sandbox.requests("cutx", method="POST", path="/generate/video")
    assert len({json.loads(one["body"])["idempotencyKey"] for one in posts}) == 1 and len(posts) == 2
    assert [one["job_id"] for one in sandbox.charges] == [found["id"]]


@pytest.mark.parametrize("make", [ad, copy])
def test_what_may_be_over_soon_stops_the_task(sandbox: Sandbox, subject: Subject, make: Any) -> None:
    sandbox.fault("drop", "cutx", path="*/generate/*", method="POST", when="after")
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            run_task(make(subject), task_context(try_number=try_number))
    assert len(paid(sandbox)) == 1


def test_an_answer_that_cannot_be_read_is_not_followed_by_another_payment(sandbox: Sandbox, subject: Subject) -> None:
    sandbox.fault("missing_fields", "cutx", path="*/generate/video", fields=["jobId"])
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            run_task(video(subject), task_context(try_number=try_number))
    assert paid(sandbox) == [40]


def test_a_resubmission_finds_the_static_ad_that_still_runs(sandbox: Sandbox, subject: Subject) -> None:
    sandbox.settings(cutx={"job_seconds": 60})
    sandbox.fault("drop", "cutx", path="*/generate/static-ad", when="after")
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        run_task(ad(subject), task_context())
    (job,) = sandbox.jobs("cutx")
    task = ad(subject, on_unknown_submission="resubmit", wait_for_completion=False)
    assert run_task(task, task_context(try_number=2))["id"] == job["id"]
    sandbox.set_job(job["id"], "completed")
    found = run_task(ad(subject), task_context(try_number=3))
    assert (found["id"], found["status"], paid(sandbox)) == (job["id"], "completed", [3])


# --- the vendor's key ---------------------------------------------------------------------------------------------


def test_a_key_protects_while_the_job_runs(sandbox: Sandbox, hook: CutxHook, subject: Subject) -> None:
    request = hook.vendor.parse_request({"kind": "static-ad", **subject})
    first = hook.submit(request, idempotency_key="one")
    again = hook.submit(request, idempotency_key="one")
    assert (again.id, again.finished, again.credits.charged) == (first.id, False, 0)
    assert str(hook.get_generation(again.id).status) in {"queued", "processing"}
    sandbox.set_job(first.id, "completed")
    other = hook.submit(request, idempotency_key="one")
    assert other.id != first.id and paid(sandbox) == [3, 3]


def test_a_key_of_copy_protects_while_it_is_written(sandbox: Sandbox, hook: CutxHook, subject: Subject) -> None:
    sandbox.settings(cutx={"copy_seconds": 0.5})
    request = hook.vendor.parse_request({"kind": "copy", **subject, **COPY_FIELDS})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hook.submit, request, idempotency_key="one")
        deadline = time.monotonic() + 10
        while not sandbox.jobs("cutx") and time.monotonic() < deadline:
            time.sleep(0.01)
        again = hook.submit(request, idempotency_key="one")
        done = first.result()
    assert (again.id, again.finished, again.variants) == (done.id, False, [])
    assert done.succeeded and len(done.variants) == 5
    with pytest.raises(DownloadError, match="copy"):
        hook.get_generation(again.id)
    assert paid(sandbox) == [1]


# --- how jobs end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("after_end", ["new", "conflict"])
def test_a_failed_job_is_refunded_and_a_retry_pays_for_another(
    sandbox: Sandbox, subject: Subject, deferrable: bool, after_end: str
) -> None:
    # With "conflict" a key is never taken twice: the retry must bring a new one.
    sandbox.settings(cutx={"error_field": "error", "key_after_end": after_end})
    sandbox.fail_next("cutx", message="no face found")
    with pytest.raises(GenerationFailed, match=r"no face found.*refunds"):
        run_task(ad(subject, deferrable=deferrable, max_credits=3), task_context())
    assert sandbox.balance("cutx") == 1000
    found = run_task(ad(subject, deferrable=deferrable, max_credits=3), task_context(try_number=2))
    assert (found["status"], paid(sandbox), sandbox.balance("cutx")) == ("completed", [3, 3], 997)


def test_a_repeat_that_comes_after_the_end_of_its_job_proves_nothing(sandbox: Sandbox, subject: Subject) -> None:
    sandbox.settings(cutx={"job_seconds": 0, "key_after_end": "conflict"})
    sandbox.fault("drop", "cutx", method="POST", when="after")
    with pytest.raises(AirflowFailException, match="Nothing more is sent until a person decides"):
        run_task(video(subject), task_context())
    assert paid(sandbox) == [40]


def test_a_failed_job_that_is_set_back_is_waited_for(sandbox: Sandbox, subject: Subject) -> None:
    sandbox.fail_next("cutx")
    with pytest.raises(GenerationFailed):
        run_task(ad(subject), task_context())
    (job,) = sandbox.jobs("cutx")
    sandbox.set_job(job["id"], "completed", after=0.5)
    found = run_task(ad(subject), task_context(try_number=2))
    assert (found["id"], found["status"], len(paid(sandbox))) == (job["id"], "completed", 1)


@pytest.mark.parametrize("word", ["canceled", "expired"])
def test_other_ends_are_not_refunded_and_not_paid_for_again(sandbox: Sandbox, subject: Subject, word: str) -> None:
    sandbox.fail_next("cutx", status=word)
    for try_number in (1, 2):
        with pytest.raises(GenerationFailed, match=word):
            run_task(ad(subject), task_context(try_number=try_number))
    assert (paid(sandbox), sandbox.balance("cutx")) == ([3], 997)


def test_copy_that_fails_is_unknown_and_not_paid_for_again(sandbox: Sandbox, subject: Subject) -> None:
    sandbox.fail_next("cutx", seconds=0)
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            run_task(copy(subject), task_context(try_number=try_number))
    assert paid(sandbox) == [1]


def test_a_word_of_tomorrow_is_no_end(sandbox: Sandbox, subject: Subject) -> None:
    sandbox.fault("patch", "cutx", path="*/generate/status", values={"status": "reticulating"}, times=2)
    assert run_task(ad(subject), task_context())["status"] == "completed"
