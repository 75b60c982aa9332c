# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import av
import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.sandbox import Sandbox

AD = {"type": "cinematic", "concept": "Luxury perfume"}
EVERY_TYPE = ["avatar", "cinematic", "clone", "factory", "influencer", "brand", "staticad", "painpoint", "ad-optimizer"]
PRICES = {
    "cinematic": (1, 2),
    "avatar": (2, 3),
    "factory": (3, 5),
    "clone": (3, 5),
    "influencer": (8, 15),
    "brand": (15, 25),
    "staticad": (1, 1),
    "painpoint": (1, 1),
    "ad-optimizer": (1, 2),
}


@pytest.fixture
def ads(sandbox: Sandbox, client_for: Callable[..., httpx.Client]) -> httpx.Client:
    """A client, without the rate limits that tests of other things would run into."""
    sandbox.settings(cinematicads={"rate_limits": {"workflow": None, "stream": None, "*": None}})
    return client_for("cinematicads")


def start(client: httpx.Client, **body: Any) -> str:
    answer = client.post("/api/workflow", json=AD | body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["jobId"])


def refused(answer: httpx.Response, status: int, part: str = "") -> str:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"success", "error"}
    assert answer.json()["success"] is False
    assert part in answer.json()["error"]
    return str(answer.json()["error"])


def events(client: httpx.Client, job: str) -> list[tuple[str, dict[str, Any]]]:
    """Read a whole stream."""
    answer = client.get("/api/workflow/stream", params={"jobId": job})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            assert lines[0].startswith("event: ")
            assert lines[1].startswith("data: ")
            found.append((lines[0][7:], json.loads(lines[1][6:])))
    return found


class TestStart:
    @pytest.mark.parametrize("kind", EVERY_TYPE)
    @pytest.mark.parametrize("quality", ["standard", "premium"])
    def test_every_type_has_its_price(self, sandbox: Sandbox, ads: httpx.Client, kind: str, quality: str) -> None:
        body = {"type": kind, "quality": quality, "url": "https://example.com", "formats": "9:16,1:1", "async": True}
        answer = ads.post("/api/workflow", json=body)
        made = answer.json()
        price = PRICES[kind][quality == "premium"]
        assert answer.status_code == 200
        assert made == {"success": True, "jobId": made["jobId"], "message": "Workflow queued", "cost": price}
        assert made["jobId"].startswith("wf_")
        assert [(charge["credits"], charge["job_id"]) for charge in sandbox.charges] == [(price, made["jobId"])]

    def test_its_shape_can_be_chosen(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"workflow_shape": "data", "submit_status": 202})
        answer = ads.post("/api/workflow", json=AD)
        assert answer.status_code == 202
        assert set(answer.json()) == {"success", "data"}
        assert set(answer.json()["data"]) == {"jobId", "message", "cost"}

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"type": None}, "type"),
            ({"type": "local-audit"}, "type"),
            ({"type": "clone"}, "url"),
            ({"type": "factory"}, "url"),
            ({"url": "example"}, "url"),
            ({"quality": "best"}, "quality"),
            ({"formats": "4:5"}, "formats"),
            ({"formats": ["9:16"]}, "formats"),
            ({"formats": "9:16,9:16"}, "formats"),
            ({"formats": ""}, "formats"),
            ({"seasonal": "easter"}, "seasonal"),
            ({"framework": "swot"}, "framework"),
            ({"hitl": "yes"}, "hitl"),
            ({"async": 1}, "async"),
            ({"models": "best"}, "models"),
            ({"models": {"music": "x"}}, "models"),
            ({"concept": 5}, "concept"),
        ],
    )
    def test_what_breaks_a_rule_is_refused_and_costs_nothing(
        self, sandbox: Sandbox, ads: httpx.Client, change: dict[str, Any], field: str
    ) -> None:
        refused(ads.post("/api/workflow", json=AD | change), 400, field)
        assert sandbox.charges == []

    def test_all_fields_are_taken(self, ads: httpx.Client) -> None:
        start(
            ads,
            quality="premium",
            models={"image": "a", "video": "b", "voice": "c"},
            formats="9:16, 1:1,16:9",
            seasonal="eid",
            framework="aida",
            hitl=False,
        )

    def test_too_few_credits_start_nothing(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.set_credits("cinematicads", 0)
        answer = ads.post("/api/workflow", json=AD | {"quality": "premium"})
        assert refused(answer, 402) == "Insufficient credits. Required: 2, available: 0"
        assert sandbox.jobs() == []

    def test_other_refusals(self, sandbox: Sandbox, ads: httpx.Client, client_for: Callable[..., httpx.Client]) -> None:
        sandbox.settings(cinematicads={"reserved_types": ["brand"]})
        refused(ads.post("/api/workflow", json=AD | {"type": "brand"}), 403, "reserved")
        sandbox.set_account("cinematicads", data={"trial_expired": True})
        refused(ads.post("/api/workflow", json=AD), 402, "Trial expired")
        refused(client_for("cinematicads", None).post("/api/workflow", json=AD), 401)
        refused(client_for("cinematicads", "x").get("/api/user/credits"), 401)
        refused(ads.get("/api/nothing"), 404)
        sandbox.set_account("cinematicads", status="forbidden")
        refused(ads.get("/api/user/credits"), 403)

    def test_no_idempotency_is_documented(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        for _ in range(2):
            ads.post("/api/workflow", json=AD, headers={"Idempotency-Key": "k"})
        assert len(sandbox.charges) == 2

    def test_a_synchronous_one_answers_when_it_is_done(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"job_seconds": 0.3})
        begun = time.monotonic()
        made = ads.post("/api/workflow", json=AD | {"async": False}).json()
        assert time.monotonic() - begun >= 0.3
        assert {"jobId", "videoUrl", "duration"} <= set(made)
        sandbox.fail_next("cinematicads", message="No")
        made = ads.post("/api/workflow", json=AD | {"async": False}).json()
        assert made["error"] == "No"


class TestStream:
    def test_it_tells_steps_progress_and_the_result(
        self, sandbox: Sandbox, ads: httpx.Client, media: httpx.Client
    ) -> None:
        sandbox.settings(cinematicads={"job_seconds": 0.5})
        job = start(ads, formats="16:9,1:1")
        found = events(ads, job)
        assert {name for name, _ in found} == {"step", "progress", "result"}
        assert ("step", {"step": "art_direction", "status": "completed", "progress": 20}) in found
        assert ("step", {"step": "video_generation", "status": "completed", "progress": 60}) in found
        progress = [data["progress"] for _, data in found[:-1]]
        assert progress == sorted(progress)
        name, result = found[-1]
        assert name == "result"
        assert set(result) == {"success", "videoUrl", "duration"}
        with av.open(io.BytesIO(media.get(result["videoUrl"]).content)) as film:
            assert (film.streams.video[0].width, film.streams.video[0].height) == (640, 360)

    def test_events_come_as_time_passes(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        job = start(ads)
        got: list[str] = []
        done = threading.Event()

        def read() -> None:
            with ads.stream("GET", "/api/workflow/stream", params={"jobId": job}) as answer:
                got.extend(line[7:] for line in answer.iter_lines() if line.startswith("event: "))
            done.set()

        thread = threading.Thread(target=read)
        thread.start()

        def count(name: str, wanted: int) -> bool:
            deadline = time.monotonic() + 5
            while got.count(name) < wanted and time.monotonic() < deadline:
                time.sleep(0.01)
            return got.count(name) == wanted

        while not sandbox.requests(path="/stream"):
            time.sleep(0.01)
        assert got == []
        sandbox.advance(37)
        assert count("step", 1)
        sandbox.advance(73)
        assert count("step", 3)
        assert not done.is_set()
        sandbox.advance(80)
        assert count("result", 1)
        thread.join(5)
        assert done.is_set()
        assert got[-1] == "result"

    @pytest.mark.parametrize(
        ("how", "last"),
        [("result", "result"), ("error", "error"), ("workflow.failed", "workflow.failed"), ("close", "progress")],
    )
    def test_a_failure_is_told_and_refunded(self, sandbox: Sandbox, ads: httpx.Client, how: str, last: str) -> None:
        sandbox.settings(cinematicads={"sse_failure": how})
        sandbox.fail_next("cinematicads", message="No actors", seconds=0)
        found = events(ads, start(ads))
        assert found[-1][0] == last
        if how != "close":
            assert found[-1][1] == {"success": False, "error": "No actors"}
        assert [refund["credits"] for refund in sandbox.refunds] == [1]

    def test_event_names_can_be_chosen(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"sse_names": "workflow", "job_seconds": 0})
        job = start(ads)
        found = events(ads, job)
        assert found[0] == ("workflow.started", {"jobId": job})
        assert {name for name, _ in found[1:-2]} == {"workflow.step"}
        assert [name for name, _ in found[-2:]] == ["video.ready", "workflow.completed"]
        assert found[-2][1]["videoUrl"].partition("?")[0] == found[-1][1]["videoUrl"].partition("?")[0]
        sandbox.fail_next("cinematicads", message="No actors", seconds=0)
        assert events(ads, start(ads))[-1] == ("workflow.failed", {"success": False, "error": "No actors"})

    def test_each_video_is_told_when_it_is_ready(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"sse_names": "workflow", "multiple_videos": "list", "job_seconds": 0})
        found = events(ads, start(ads, formats="9:16,1:1"))
        assert [name for name, _ in found[-3:]] == ["video.ready", "video.ready", "workflow.completed"]

    def test_several_formats(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"multiple_videos": "list", "job_seconds": 0})
        _, result = events(ads, start(ads, formats="9:16,1:1"))[-1]
        assert [video["format"] for video in result["videos"]] == ["9:16", "1:1"]

    def test_a_still(self, sandbox: Sandbox, ads: httpx.Client, media: httpx.Client) -> None:
        sandbox.settings(cinematicads={"job_seconds": 0})
        _, result = events(ads, start(ads, type="staticad"))[-1]
        assert media.get(result["videoUrl"]).headers["content-type"] == "image/png"
        sandbox.settings(cinematicads={"stills_key": "imageUrl"})
        _, result = events(ads, start(ads, type="staticad"))[-1]
        assert set(result) == {"success", "imageUrl"}

    def test_a_late_listener_is_told_what_happened_or_only_what_comes(
        self, sandbox: Sandbox, ads: httpx.Client
    ) -> None:
        sandbox.settings(cinematicads={"job_seconds": 0})
        job = start(ads)
        assert len(events(ads, job)) > 5
        sandbox.settings(cinematicads={"sse_replay": False})
        assert [name for name, _ in events(ads, job)] == ["result"]

    def test_the_server_may_end_a_stream_and_keep_it_alive(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"sse_seconds": 0.5, "sse_heartbeat": 0.1})
        answer = ads.get("/api/workflow/stream", params={"jobId": start(ads)})
        assert 1 <= answer.text.count(": keep-alive\n\n") <= 5
        assert "event: result" not in answer.text

    def test_a_stream_can_be_cut(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.settings(cinematicads={"job_seconds": 0})
        sandbox.fault("truncate", "cinematicads", path="/api/workflow/stream", bytes=120)
        job = start(ads)
        got = b""
        with (
            pytest.raises(httpx.RemoteProtocolError),
            ads.stream("GET", "/api/workflow/stream", params={"jobId": job}) as answer,
        ):
            for piece in answer.iter_raw():
                got += piece
        assert len(got) == 120
        assert events(ads, job)[-1][0] == "result"

    def test_many_streams_are_cheap(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        job = start(ads)
        with ThreadPoolExecutor(60) as pool:
            streams = [pool.submit(events, ads, job) for _ in range(60)]
            while len(sandbox.requests(path="/stream")) < 60:
                time.sleep(0.02)
            begun = time.monotonic()
            for _ in range(20):
                assert ads.get("/api/user/credits").status_code == 200
            assert time.monotonic() - begun < 2
            sandbox.advance(200)
            assert all(stream.result()[-1][0] == "result" for stream in streams)

    def test_a_listener_that_goes_away_is_noticed(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        job = start(ads)
        before = sandbox.overview()["connections"]
        with (
            httpx.Client(base_url=ads.base_url, headers=ads.headers) as other,
            other.stream("GET", "/api/workflow/stream", params={"jobId": job}),
        ):
            assert sandbox.overview()["connections"] == before + 1
        deadline = time.monotonic() + 5
        while sandbox.overview()["connections"] > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sandbox.overview()["connections"] == before

    def test_an_unknown_job_is_refused(
        self, sandbox: Sandbox, ads: httpx.Client, client_for: Callable[..., httpx.Client]
    ) -> None:
        refused(ads.get("/api/workflow/stream"), 400, "jobId")
        refused(ads.get("/api/workflow/stream", params={"jobId": "wf_none"}), 404)
        other = client_for("cinematicads", sandbox.add_account("cinematicads", "other"))
        refused(other.get("/api/workflow/stream", params={"jobId": start(ads)}), 404)


class TestHumanInTheLoop:
    @pytest.mark.parametrize(("names", "word"), [("plain", "step"), ("workflow", "workflow.suspended")])
    def test_it_waits_after_art_direction(self, sandbox: Sandbox, ads: httpx.Client, names: str, word: str) -> None:
        sandbox.settings(cinematicads={"job_seconds": 100, "sse_names": names, "sse_seconds": 0.3})
        job = start(ads, hitl=True)
        sandbox.advance(21)
        name, data = events(ads, job)[-1]
        assert (name, data["status"]) == (word, "suspended")
        assert ads.get("/api/user/projects").json()["data"][0]["status"] == "suspended"
        sandbox.advance(10_000)
        assert events(ads, job)[-1][1]["status"] == "suspended"
        sandbox.set_job(job, "completed")
        assert events(ads, job)[-1][1]["success"] is True
        assert sandbox.refunds == []


class TestRateLimits:
    def test_workflows_streams_and_the_rest_have_the_documented_numbers(
        self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]
    ) -> None:
        client = client_for("cinematicads")
        sandbox.settings(cinematicads={"job_seconds": 0})
        started = [client.post("/api/workflow", json=AD) for _ in range(11)]
        assert [answer.status_code for answer in started] == [200] * 10 + [429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in started[:3]] == ["9", "8", "7"]
        assert started[0].headers["x-ratelimit-limit"] == "10"
        reset = int(started[10].headers["x-ratelimit-reset"])
        assert 3590 < reset - time.time() <= 3601
        assert "retry-after" not in started[10].headers
        refused(started[10], 429)
        assert len(sandbox.charges) == 10
        job = started[0].json()["jobId"]
        streams = [client.get("/api/workflow/stream", params={"jobId": job}).status_code for _ in range(11)]
        assert streams == [200] * 10 + [429]
        read = [client.get("/api/user/credits") for _ in range(101)]
        assert [answer.status_code for answer in read] == [200] * 100 + [429]
        assert read[99].headers["x-ratelimit-remaining"] == "0"
        sandbox.advance(61)
        assert client.get("/api/user/credits").status_code == 200
        assert client.post("/api/workflow", json=AD).status_code == 429
        sandbox.advance(3600)
        assert client.post("/api/workflow", json=AD).status_code == 200


class TestBatch:
    @pytest.mark.parametrize("shape", ["data", "top"])
    def test_its_status_counts_workflows(self, sandbox: Sandbox, ads: httpx.Client, shape: str) -> None:
        sandbox.settings(cinematicads={"response_shape": shape})
        sandbox.fail_next("cinematicads", seconds=1)
        for _ in range(3):
            start(ads, batchId="b1")
        start(ads)
        sandbox.advance(100)
        start(ads, batchId="b1")
        found = ads.get("/api/batch/status", params={"batchId": "b1"}).json()
        counts = found["data"] if shape == "data" else found
        assert {name: counts[name] for name in ("total", "completed", "failed", "pending", "active")} == {
            "total": 4,
            "completed": 0,
            "failed": 1,
            "pending": 1,
            "active": 2,
        }
        sandbox.advance(200)
        found = ads.get("/api/batch/status", params={"batchId": "b1"}).json()
        assert (found["data"] if shape == "data" else found)["completed"] == 3

    def test_an_unknown_one_is_refused(self, ads: httpx.Client) -> None:
        refused(ads.get("/api/batch/status"), 400, "batchId")
        refused(ads.get("/api/batch/status", params={"batchId": "x"}), 404)


class TestUser:
    def test_credits(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        assert ads.get("/api/user/credits").json() == {"success": True, "data": {"credits": 1000}}
        sandbox.settings(cinematicads={"credits_key": "balance", "response_shape": "top"})
        assert ads.get("/api/user/credits").json() == {"success": True, "balance": 1000}

    def test_projects(self, sandbox: Sandbox, ads: httpx.Client, media: httpx.Client) -> None:
        first = start(ads)
        sandbox.advance(181)
        second = start(ads)
        found = ads.get("/api/user/projects").json()["data"]
        assert [(item["jobId"], item["status"]) for item in found] == [(second, "queued"), (first, "completed")]
        assert media.get(found[1]["videoUrl"]).status_code == 200
        assert found[0]["videoUrl"] is None
        sandbox.settings(cinematicads={"project_job_id": False, "projects_shape": "named"})
        hidden = ads.get("/api/user/projects").json()["data"]["projects"]
        assert [item["id"] for item in hidden] == [item["id"] for item in found]
        assert "jobId" not in hidden[0]
        assert first not in json.dumps(hidden[0])

    def test_export_of_projects(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        start(ads, formats="9:16,1:1")
        sandbox.advance(181)
        start(ads)
        answer = ads.get("/api/user/projects/export")
        assert answer.headers["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            films = [name for name in archive.namelist() if name.endswith(".mp4")]
            assert len(films) == 2
            assert len(json.loads(archive.read("metadata.json"))["projects"]) == 2
            with av.open(io.BytesIO(archive.read(films[0]))) as film:
                assert film.streams.video[0].width == 360

    def test_export_of_a_video(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        start(ads)
        sandbox.advance(181)
        source = ads.get("/api/user/projects").json()["data"][0]["videoUrl"]
        answer = ads.get("/api/export", params={"source": source})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
        assert ads.post("/api/export", json={"source": source}).content == answer.content
        refused(ads.get("/api/export"), 400, "source")
        refused(ads.get("/api/export", params={"source": "http://example.com/a.mp4"}), 400, "https")
        refused(ads.get("/api/export", params={"source": "https://example.com/a.mp4"}), 403)
        refused(ads.get("/api/export", params={"source": source.replace("wf_", "wf_0")}), 404)

    def test_stats(self, sandbox: Sandbox, ads: httpx.Client) -> None:
        sandbox.fail_next("cinematicads", seconds=0)
        start(ads)
        start(ads, quality="premium")
        sandbox.advance(181)
        found = ads.get("/api/user/stats").json()["data"]
        assert found == {"totalProjects": 2, "projectsByType": {"cinematic": 2}, "creditsUsed": 3, "successRate": 0.5}
        assert ads.get("/api/user/stats", params={"endDate": "2020-01-01"}).json()["data"]["totalProjects"] == 0
        assert ads.get("/api/user/stats", params={"startDate": "2020-01-01"}).json()["data"]["totalProjects"] == 2
        for wrong in ("yesterday", "2026-13-01", "2026-1-1"):
            refused(ads.get("/api/user/stats", params={"startDate": wrong}), 400, "startDate")

    def test_analytics(self, ads: httpx.Client) -> None:
        start(ads)
        found = ads.get("/api/user/analytics").json()["data"]
        assert (found["period"], found["usageByType"]) == ("30d", {"cinematic": 1})
        assert ads.get("/api/user/analytics", params={"period": "7d"}).json()["data"]["period"] == "7d"
        refused(ads.get("/api/user/analytics", params={"period": "1d"}), 400, "period")

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_the_brand(self, sandbox: Sandbox, ads: httpx.Client, method: str) -> None:
        refused(ads.get("/api/user/brand"), 404)
        body = {
            "name": "N",
            "industry": "Shoes",
            "tone": "warm",
            "targetAudience": "runners",
            "colors": {"primary": "#fff"},
        }
        assert ads.request(method, "/api/user/brand", json=body).status_code == 200
        assert ads.get("/api/user/brand").json()["data"] == {
            "name": "N",
            "industry": "Shoes",
            "tone": "warm",
            "audience": "runners",
            "colors": {"primary": "#fff"},
        }
        refused(ads.request(method, "/api/user/brand", json={"tone": "x"}), 400, "name")
        refused(ads.request(method, "/api/user/brand", json=body | {"colors": {"other": "x"}}), 400, "colors")
        other = "PUT" if method == "POST" else "POST"
        sandbox.settings(cinematicads={"brand_method": other})
        refused(ads.request(method, "/api/user/brand", json=body), 405)

    def test_knowledge(self, ads: httpx.Client) -> None:
        added = ads.post("/api/user/brand/knowledge/urls", json={"url": "https://example.com"}).json()
        assert added["data"]["url"] == "https://example.com"
        refused(ads.post("/api/user/brand/knowledge/urls", json={}), 400, "url")
        path = "/api/user/brand/knowledge/files"
        file = {"file": ("facts.csv", b"a,b\r\n1,2\r\n", "text/csv")}
        assert ads.post(path, files=file).json()["data"] | {"id": "", "createdAt": ""} == {
            "kind": "file",
            "name": "facts.csv",
            "size": 10,
            "id": "",
            "createdAt": "",
        }
        refused(ads.post(path, files={"file": ("a.exe", b"x")}), 400, "pdf")
        refused(ads.post(path, files={"other": ("a.txt", b"x")}), 400, "required")
        refused(ads.post(path, json={"file": "x"}), 400, "multipart")
        big = {"file": ("a.pdf", b"x" * (10 * 1024 * 1024 + 1))}
        refused(ads.post(path, files=big), 400, "10 MB")
        exact = {"file": ("a.pdf", b"x" * (10 * 1024 * 1024))}
        assert ads.post(path, files=exact).status_code == 200

    def test_what_needs_no_key(self, client_for: Callable[..., httpx.Client]) -> None:
        bare = client_for("cinematicads", None)
        assert bare.get("/api/health").json()["status"] == "ok"
        assert set(bare.get("/api/models/status").json()["data"]) == {"text", "image", "video"}
