# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.errors import DownloadError, GenerationFailed, GenerationTimeout
from airflow_provider_adgen.ledger.ledger import task_ledger
from airflow_provider_adgen.lifecycle.task_facts import TaskFacts
from airflow_provider_adgen.operators.cutx import (
    CutxCopyOperator,
    CutxIngestProductOperator,
    CutxStaticAdOperator,
    CutxVideoOperator,
)
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.sensors.generation import GenerationSensor
from tests.support.tasks import run_task, task_context
from tests.support.tiny import Reply, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
PRODUCT = "7c1a4d9e-52b3-4f6a-9b7e-1d2c3b4a5f60"
JOB = "6f1f9c1e-7b55-4c4e-8a0b-6d1f0a2b3c4d"
SUBJECT = {"project_id": PROJECT, "product_id": PRODUCT}
COPY_FIELDS = {**SUBJECT, "platform": "meta", "format": "short", "tone": "bold"}
COPY, AD, VIDEO = (f"POST /api/generate/{path}" for path in ("copy", "static-ad", "video"))
STATUS = "GET /api/generate/status"
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(5000)
VARIANTS = [{"hook": f"Hook {n}", "body": "Body", "cta": "Shop", "hashtags": ["#a", "#b"]} for n in range(5)]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    # What tries know of each other, on every Airflow: before 3.3 there is no store of its own.
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path_factory.mktemp('ledger')}")
    monkeypatch.setattr("airflow_provider_adgen.core.decisions.submission._SHORT_PAUSE", 0.05)
    with Tiny() as server:
        answer = {"jobId": JOB, "status": "completed", "creditsUsed": 1, "creditsRemaining": 24, "variants": VARIANTS}
        server.routes[COPY] = Reply(answer)
        server.routes[AD] = Reply({"jobId": JOB, "status": "queued", "creditsUsed": 3, "creditsRemaining": 21})
        server.routes[VIDEO] = Reply({"jobId": JOB, "status": "queued", "creditsUsed": 40, "creditsRemaining": 60})
        server.routes["GET /f.mp4"] = Reply(MP4, headers={"Content-Type": "video/mp4"})
        value = {"conn_type": "cutx", "host": server.url, "password": "a-token", "extra": {"timeout": 1}}
        monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", json.dumps(value))
        yield server


def job(word: str, tiny: Tiny | None = None, type_: str = "ugc_video", **more: Any) -> Reply:
    assets = [{"id": "a1", "type": "video", "url": f"{tiny.url}/f.mp4"}] if tiny is not None else []
    value = {"id": JOB, "type": type_, "status": word, "assets": assets, "createdAt": "2026-03-09T10:00:00Z"}
    return Reply({**value, "completedAt": None, **more})


def copy(**fields: Any) -> CutxCopyOperator:
    return CutxCopyOperator(**{"task_id": "make", "poll_interval": 0.05, **COPY_FIELDS, **fields})


def ad(**fields: Any) -> CutxStaticAdOperator:
    return CutxStaticAdOperator(**{"task_id": "make", "poll_interval": 0.05, **SUBJECT, **fields})


def video(**fields: Any) -> CutxVideoOperator:
    given = {"task_id": "make", "poll_interval": 0.05, **SUBJECT, "script": "Hey! You need this.", **fields}
    return CutxVideoOperator(**given)


def keys(tiny: Tiny) -> list[str]:
    return [one.json()["idempotencyKey"] for one in tiny.asked if one.method == "POST"]


def last_attempt() -> Any:
    record = task_ledger(task_context(), TaskFacts.of(task_context()).identity).record()
    assert record is not None and record.last is not None
    return record.last


# --- videos and static ads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_video_is_waited_for_and_stored(tiny: Tiny, tmp_path: Path, deferrable: bool) -> None:
    tiny.routes[STATUS] = [job("queued"), job("processing"), job("completed", tiny)]
    context = task_context()
    found = run_task(video(deferrable=deferrable, destination=str(tmp_path)), context)
    assert (found["vendor"], found["id"], found["kind"], found["status"]) == ("cutx", JOB, "video", "completed")
    assert found["credits"] == {"quoted": 40, "charged": 40, "refunded": None}
    (creative,) = found["creatives"]
    assert Path(creative["uri"].removeprefix("file://")).read_bytes() == MP4
    assert found["details"] == {"type": "ugc_video", "asset_ids": ["a1"]}
    assert context["ti"].xcoms == {"id": JOB, "uris": [creative["uri"]]}
    assert tiny.paths().count(VIDEO) == 1
    file = next(one for one in tiny.asked if one.path == "/f.mp4")
    assert "authorization" not in file.headers, "a storage host never sees the token"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_static_ad(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes[STATUS] = job("completed", tiny, "static_ad")
    found = run_task(ad(style="modern", aspect_ratio="4:5", prompt="A red shoe", deferrable=deferrable), task_context())
    assert (found["kind"], found["status"], found["credits"]["charged"]) == ("image", "completed", 3)
    assert found["creatives"][0]["url"] == f"{tiny.url}/f.mp4"
    assert tiny.asked[0].json() == {
        "projectId": PROJECT,
        "productId": PRODUCT,
        "style": "modern",
        "aspectRatio": "4:5",
        "prompt": "A red shoe",
        "idempotencyKey": keys(tiny)[0],
    }


def test_any_vendor_operator(tiny: Tiny) -> None:
    tiny.routes[STATUS] = job("completed", tiny)
    request = {"kind": "video", "projectId": PROJECT, "productId": PRODUCT, "script": "Hey! You need this."}
    task = GenerateOperator(task_id="make", conn_id="cutx_default", request=request, poll_interval=0.05)
    assert run_task(task, task_context())["status"] == "completed"


def test_submission_alone_and_a_sensor(tiny: Tiny) -> None:
    found = run_task(video(wait_for_completion=False), task_context())
    assert (found["id"], found["status"], tiny.paths()) == (JOB, "queued", [VIDEO])
    tiny.routes[STATUS] = [job("processing"), job("completed", tiny)]
    sensor = GenerationSensor(task_id="wait", conn_id="cutx_default", generation_id=found["id"], poke_interval=0.05)
    assert [bool(sensor.poke(task_context())) for _ in range(2)] == [False, True]


def test_a_retry_goes_on_with_the_paid_job(tiny: Tiny) -> None:
    tiny.routes[STATUS] = job("processing")
    with pytest.raises(GenerationTimeout, match="paid for"):
        run_task(video(timeout=0.2), task_context())
    tiny.routes[STATUS] = job("completed", tiny)
    found = run_task(video(), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(VIDEO)) == ("completed", 1)


# --- a lost answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("lost", [Reply(b"", 502), Reply({"error": "Internal"}, 500)])
def test_a_video_is_repeated_with_its_key(tiny: Tiny, deferrable: bool, lost: Reply) -> None:
    tiny.routes[VIDEO] = [lost, Reply({"jobId": JOB, "creditsUsed": 0, "status": "reused"})]
    tiny.routes[STATUS] = job("completed", tiny)
    found = run_task(video(deferrable=deferrable), task_context())
    assert (found["id"], found["status"]) == (JOB, "completed")
    first, second = keys(tiny)
    assert first == second


def test_a_video_that_stays_unknown_stops_the_task(tiny: Tiny) -> None:
    tiny.routes[VIDEO] = Reply(b"", 502)
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            run_task(video(), task_context(try_number=try_number))
    assert len(set(keys(tiny))) == 1 and len(keys(tiny)) == 3, "the same error three times settles it"


@pytest.mark.parametrize(("task", "route"), [(ad, AD), (copy, COPY)])
def test_what_may_be_over_soon_is_never_repeated_by_itself(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, task: Any, route: str
) -> None:
    # Outside of a task Airflow 3.0 cannot say that there is no Variable: nobody has said anything.
    monkeypatch.setattr("airflow.sdk.Variable.get", lambda _key, default=None, **_: default)
    answer = tiny.routes[route]
    tiny.routes[route] = [Reply(b"", 502), answer]
    tiny.routes[STATUS] = job("completed", tiny, "static_ad")
    for try_number in (1, 2):
        with pytest.raises(AirflowFailException, match="Nobody knows"):
            run_task(task(), task_context(try_number=try_number))
    assert tiny.paths() == [route]
    found = run_task(task(on_unknown_submission="resubmit"), task_context(try_number=3))
    assert (found["status"], tiny.paths().count(route)) == ("completed", 2)


@pytest.mark.parametrize("status", [409, 422])
def test_a_refusal_on_no_page_proves_nothing(tiny: Tiny, status: int) -> None:
    tiny.routes[AD] = Reply({"error": "A job with this idempotencyKey exists"}, status)
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        run_task(ad(), task_context())
    assert last_attempt().phase == "intent"


# --- how jobs end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failed_job_is_refunded_and_a_retry_submits_anew(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes[STATUS] = job("failed", error="no face found")
    with pytest.raises(GenerationFailed, match=r"no face found\. CutX documents that it refunds"):
        run_task(video(deferrable=deferrable, max_credits=40), task_context())
    tiny.routes[STATUS] = [job("failed"), job("completed", tiny)]
    found = run_task(video(deferrable=deferrable, max_credits=40), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(VIDEO)) == ("completed", 2)
    assert len(set(keys(tiny))) == 2, "an answered attempt is followed by a new key"


def test_a_failed_job_that_runs_again_is_waited_for(tiny: Tiny) -> None:
    tiny.routes[STATUS] = job("failed")
    with pytest.raises(GenerationFailed):
        run_task(video(), task_context())
    # An administrator set it back.
    tiny.routes[STATUS] = [job("pending"), job("processing"), job("completed", tiny)]
    found = run_task(video(), task_context(try_number=2))
    assert (found["status"], tiny.paths().count(VIDEO)) == ("completed", 1)


@pytest.mark.parametrize("word", ["canceled", "expired"])
def test_other_ends_are_not_refunded_and_not_submitted_anew(tiny: Tiny, word: str) -> None:
    tiny.routes[STATUS] = job(word)
    for try_number in (1, 2):
        with pytest.raises(GenerationFailed, match="Whether CutX refunds it is not documented"):
            run_task(video(), task_context(try_number=try_number))
    assert tiny.paths().count(VIDEO) == 1


def test_an_expired_job_is_submitted_anew_where_the_dag_says_so(tiny: Tiny) -> None:
    tiny.routes[STATUS] = job("expired")
    with pytest.raises(GenerationFailed):
        run_task(video(), task_context())
    tiny.routes[STATUS] = [job("expired"), job("completed", tiny)]
    task = video(on_failed="resubmit", max_credits=80)
    assert run_task(task, task_context(try_number=2))["status"] == "completed"
    with pytest.raises(AirflowFailException, match="max_credits"):
        run_task(video(max_credits=39), task_context(try_number=1, task_id="other"))


def test_an_unknown_word_is_no_end(tiny: Tiny) -> None:
    tiny.routes[STATUS] = [job("reticulating"), job("completed", tiny)]
    assert run_task(video(), task_context())["status"] == "completed"


# --- copy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True])
def test_copy_is_there_at_once(tiny: Tiny, deferrable: bool) -> None:
    context = task_context()
    found = run_task(copy(deferrable=deferrable, custom_instructions="Sale"), context)
    assert (found["kind"], found["status"], found["variants"]) == ("copy", "completed", VARIANTS)
    assert found["credits"] == {"quoted": 1, "charged": 1, "refunded": None}
    assert tiny.paths() == [COPY]
    assert context["ti"].xcoms == {"id": JOB, "uris": []}


def test_copy_is_stored_as_json(tiny: Tiny, tmp_path: Path) -> None:
    found = run_task(copy(destination=str(tmp_path)), task_context())
    (file,) = found["creatives"]
    stored = json.loads(Path(file["uri"].removeprefix("file://")).read_text())
    assert stored == {"vendor": "cutx", "id": JOB, "variants": VARIANTS}
    assert found["variants"] == VARIANTS


@pytest.mark.parametrize("count", [1, 7])
def test_fewer_or_more_variants_are_kept(tiny: Tiny, count: int) -> None:
    tiny.routes[COPY] = Reply({"jobId": JOB, "status": "completed", "variants": (VARIANTS * 2)[:count]})
    assert len(run_task(copy(), task_context())["variants"]) == count


def test_copy_that_was_paid_is_returned_again(tiny: Tiny) -> None:
    first = run_task(copy(), task_context())
    assert run_task(copy(), task_context(try_number=2)) == first
    assert tiny.paths() == [COPY]


def test_copy_that_cannot_be_stored_is_not_lost(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "ads"
    folder.write_text("a file where a folder is needed")
    with pytest.raises(DownloadError):
        run_task(copy(destination=str(folder)), task_context())
    folder.unlink()
    found = run_task(copy(destination=str(folder)), task_context(try_number=2))
    assert len(found["creatives"]) == 1 and found["variants"] == VARIANTS
    assert tiny.paths() == [COPY]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    "answer", [{"status": "reused", "creditsUsed": 0}, {"status": "completed", "variants": []}, {"status": "queued"}]
)
def test_copy_without_variants_is_no_success(tiny: Tiny, deferrable: bool, answer: dict[str, Any]) -> None:
    tiny.routes[COPY] = Reply({"jobId": JOB, **answer})
    tiny.routes[STATUS] = [job("processing", type_="copy"), job("completed", type_="copy")]
    for try_number in (1, 2):
        with pytest.raises(DownloadError, match=f"{JOB}.* paid for"):
            run_task(copy(deferrable=deferrable), task_context(try_number=try_number))
    assert tiny.paths().count(COPY) == 1, "it is not paid for again"


@pytest.mark.parametrize("deferrable", [False, True])
def test_copy_that_was_queued_is_asked_for_by_a_retry(tiny: Tiny, deferrable: bool) -> None:
    tiny.routes[COPY] = Reply({"jobId": JOB, "status": "queued", "creditsUsed": 1})
    tiny.routes[STATUS] = job("processing", type_="copy")
    with pytest.raises(GenerationTimeout):
        run_task(copy(deferrable=deferrable, timeout=0.2), task_context())
    tiny.routes[STATUS] = [
        job("processing", type_="copy"),
        Reply({"id": JOB, "type": "copy", "status": "completed", "variants": VARIANTS}),
    ]
    found = run_task(copy(deferrable=deferrable), task_context(try_number=2))
    assert (found["status"], found["variants"]) == ("completed", VARIANTS)
    assert tiny.paths().count(COPY) == 1


def test_copy_that_failed_at_once_is_refunded_and_a_retry_submits_anew(tiny: Tiny) -> None:
    tiny.routes[COPY] = [
        Reply({"jobId": JOB, "status": "failed", "creditsUsed": 1}),
        Reply({"jobId": "b", "status": "completed", "creditsUsed": 1, "variants": VARIANTS}),
    ]
    tiny.routes[STATUS] = job("failed", type_="copy")
    with pytest.raises(GenerationFailed, match="refunds"):
        run_task(copy(max_credits=1), task_context())
    found = run_task(copy(max_credits=1), task_context(try_number=2))
    assert (found["id"], found["variants"]) == ("b", VARIANTS)


def test_copy_that_is_lost_is_written_anew_only_after_a_clear(tiny: Tiny) -> None:
    tiny.routes[COPY] = Reply({"jobId": JOB, "status": "queued", "creditsUsed": 1})
    tiny.routes[STATUS] = job("completed", type_="copy")
    for try_number in (1, 2):
        with pytest.raises(DownloadError):
            run_task(copy(), task_context(try_number=try_number))
    assert tiny.paths().count(COPY) == 1
    tiny.routes[COPY] = Reply({"jobId": "b", "status": "completed", "creditsUsed": 1, "variants": VARIANTS})
    assert run_task(copy(), task_context(try_number=3, max_tries=5))["id"] == "b"


def test_a_sensor_on_copy_says_where_it_is(tiny: Tiny) -> None:
    tiny.routes[STATUS] = job("completed", type_="copy")
    sensor = GenerationSensor(task_id="wait", conn_id="cutx_default", generation_id=JOB)
    with pytest.raises(DownloadError, match="the task that submitted it"):
        sensor.poke(task_context())


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "cls", "said"),
    [
        (400, AirflowFailException, "Project not found"),
        (401, AirflowFailException, "password"),
        (402, AirflowFailException, "Top up"),
        (403, AirflowFailException, "403"),
        (404, AirflowFailException, "Project not found"),
    ],
)
def test_documented_refusals_start_nothing(tiny: Tiny, status: int, cls: type[Exception], said: str) -> None:
    tiny.routes[VIDEO] = Reply({"error": "Bad", "message": "Project not found"}, status)
    with pytest.raises(cls, match=said):
        run_task(video(), task_context())
    assert last_attempt().phase == "withdrawn"
    tiny.routes[VIDEO] = Reply({"jobId": JOB})
    tiny.routes[STATUS] = job("completed", tiny)
    assert run_task(video(), task_context(try_number=2))["status"] == "completed"


@pytest.mark.parametrize(
    ("task", "fields", "named"),
    [
        (copy, {"platform": "radio"}, "platform"),
        (copy, {"product_id": "p1"}, "product_id"),
        (copy, {"extra_fields": {"idempotencyKey": "k"}}, "idempotency_key"),
        (ad, {"prompt": "four"}, "prompt"),
        (ad, {"extra_fields": {"style": "x"}, "max_credits": 3}, "assume_credits"),
        (ad, {"max_credits": "2"}, "costs 3 credits"),
        (video, {"script": "short"}, "script"),
        (video, {"avatar_url": "face.jpg"}, "avatar_url"),
        (video, {"wait_for_completion": False, "destination": "x"}, "destination"),
    ],
)
def test_wrong_input_sends_nothing(tiny: Tiny, task: Any, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(AirflowFailException, match=named):
        run_task(task(**fields), task_context())
    assert not tiny.asked


def test_a_connection_that_cannot_be_used_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "sume", "password": "k", "host": tiny.url}))
    monkeypatch.setenv("AIRFLOW_CONN_HOMELESS", json.dumps({"conn_type": "cutx", "password": "k"}))
    ingest = CutxIngestProductOperator(task_id="i", url="https://shop.example/x", conn_id="other")
    for task in (copy(conn_id="other"), ad(conn_id="other"), video(conn_id="other"), ingest):
        with pytest.raises(AirflowFailException, match="cutx"):
            run_task(task, task_context())
    with pytest.raises(AirflowFailException, match="documents no address"):
        run_task(copy(conn_id="homeless"), task_context())
    assert not tiny.asked


# --- as Airflow uses it -------------------------------------------------------------------------------------------


def test_everything_is_templated_and_mappable() -> None:
    for cls in (CutxCopyOperator, CutxStaticAdOperator, CutxVideoOperator):
        assert set(cls.request_fields) <= set(cls.template_fields)
    with DAG("campaign", schedule=None):
        CutxCopyOperator.partial(task_id="copy", **COPY_FIELDS, max_credits=5, deferrable=True).expand(
            custom_instructions=["a", "b"]
        )
        CutxStaticAdOperator.partial(task_id="ad", project_id=PROJECT).expand(product_id=["a", "b"])
        mapped = CutxVideoOperator.partial(task_id="video", **SUBJECT).expand(script=["a", "b"])
        CutxIngestProductOperator.partial(task_id="ingest", project_id=PROJECT).expand(url=["https://a.example"])
    assert mapped.operator_class is CutxVideoOperator


def test_a_seed_of_the_users_own_is_in_the_key(tiny: Tiny) -> None:
    for number, seed in enumerate(("campaign-7", "campaign-7", "campaign-8")):
        run_task(copy(idempotency_key=seed, task_id=f"t{number}"), task_context(task_id=f"t{number}"))
    first, second, third = keys(tiny)
    assert first == second != third
    assert all(len(key) <= 128 for key in keys(tiny))
