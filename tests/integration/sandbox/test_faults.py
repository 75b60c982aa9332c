# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_adgen.sandbox.client import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.sandbox import Sandbox

VIDEO = {"prompt": "White sneakers", "model": "sora-2"}


@pytest.fixture
def adsumo(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("adsumo")


def send(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/videos/ai-video", json=VIDEO, headers=headers)


class TestDrop:
    @pytest.mark.parametrize("reset", [False, True])
    def test_after_accepting_the_job_runs_and_is_paid_for(
        self, sandbox: Sandbox, adsumo: httpx.Client, reset: bool
    ) -> None:
        sandbox.fault("drop", "adsumo", path="/videos/*", reset=reset)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            send(adsumo, **{"Idempotency-Key": "one"})
        assert [charge["idempotency_key"] for charge in sandbox.charges] == ["one"]
        answer = send(adsumo, **{"Idempotency-Key": "one"})
        assert answer.json()["generation_id"] == sandbox.jobs()[0]["id"]
        assert len(sandbox.charges) == 1
        dropped, answered = sandbox.requests(path="/videos/")
        assert (dropped["status"], dropped["fault"], answered["status"]) == (None, "drop", 200)

    def test_before_accepting_nothing_happens(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("drop", "adsumo", when="before")
        with pytest.raises(httpx.RemoteProtocolError):
            send(adsumo)
        assert sandbox.jobs() == []
        assert send(adsumo).status_code == 200


class TestStatus:
    def test_what_is_asked_for_can_be_singled_out(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", status=400, contains="boots", times=-1)
        assert send(adsumo).status_code == 200
        refused = [adsumo.post("/videos/ai-video", json={**VIDEO, "prompt": f"{word} boots"}) for word in "ab"]
        assert [answer.status_code for answer in refused] == [400, 400]
        assert len(sandbox.charges) == 1

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_before_accepting_nothing_happens(self, sandbox: Sandbox, adsumo: httpx.Client, status: int) -> None:
        sandbox.fault("status", "adsumo", status=status)
        answer = send(adsumo)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"code", "message"}
        assert "retry-after" not in answer.headers
        assert sandbox.charges == []

    def test_after_accepting_the_job_is_paid_for(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", status=502, when="after")
        assert send(adsumo, **{"Idempotency-Key": "one"}).json()["error"]["code"] == "external_service_error"
        assert len(sandbox.charges) == 1
        assert send(adsumo, **{"Idempotency-Key": "one"}).status_code == 200
        assert len(sandbox.charges) == 1

    def test_retry_after_in_seconds_or_as_a_date(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", status=429, retry_after=7)
        sandbox.fault("status", "adsumo", status=503, retry_after=60, http_date=True)
        assert send(adsumo).headers["retry-after"] == "7"
        moment = parsedate_to_datetime(send(adsumo).headers["retry-after"]).timestamp()
        assert 55 < moment - time.time() <= 60

    @pytest.mark.parametrize("text", ["0", "-5", "1893456000", "1893456000000", "315360000", "soon", "1.5"])
    def test_retry_after_with_any_text(self, sandbox: Sandbox, adsumo: httpx.Client, text: str) -> None:
        sandbox.fault("status", "adsumo", status=429, retry_after=text)
        assert send(adsumo).headers["retry-after"] == text

    def test_retry_after_as_a_date_in_the_past(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", status=429, retry_after=-60, http_date=True)
        moment = parsedate_to_datetime(send(adsumo).headers["retry-after"]).timestamp()
        assert -65 < moment - time.time() <= -60

    def test_any_header(self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]) -> None:
        ads = client_for("cinematicads")
        sandbox.fault("status", "cinematicads", status=429, headers={"RateLimit-Reset": "1893456000"})
        assert ads.get("/api/user/credits").headers["ratelimit-reset"] == "1893456000"
        sandbox.fault("patch", "cinematicads", headers={"x-ratelimit-reset": "never"})
        answer = ads.get("/api/user/credits")
        assert (answer.status_code, answer.headers.get_list("x-ratelimit-reset")) == (200, ["never"])

    def test_a_body_of_its_own(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", status=503, body="upstream connect error")
        assert send(adsumo).text == "upstream connect error"


class TestCorruptAnswers:
    def test_slow(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("slow", "adsumo", seconds=15)
        started = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            adsumo.post("/videos/ai-video", json=VIDEO, timeout=0.1)
        assert len(sandbox.charges) == 1
        assert time.monotonic() - started < 15
        sandbox.fault("slow", "adsumo", seconds=0.2, when="before")
        assert send(adsumo).status_code == 200
        assert len(sandbox.charges) == 2

    def test_slow_where_it_is_refused_or_replayed_or_a_file(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client
    ) -> None:
        def lasted(ask: Callable[[], httpx.Response], status: int) -> float:
            sandbox.fault("slow", "adsumo", seconds=0.2)
            begun = time.monotonic()
            assert ask().status_code == status
            return time.monotonic() - begun

        sandbox.settings(adsumo={"job_seconds": 0})
        made = send(adsumo, **{"Idempotency-Key": "one"}).json()
        assert lasted(lambda: send(adsumo, **{"Idempotency-Key": "one"}), 200) >= 0.2
        assert lasted(lambda: adsumo.post("/videos/ai-video", json={}), 400) >= 0.2
        link = adsumo.get(f"/generations/{made['generation_id']}").json()["result_url"]
        assert lasted(lambda: media.get(link), 200) >= 0.2

    def test_a_download_that_stalls(self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client) -> None:
        sandbox.settings(adsumo={"job_seconds": 0})
        made = send(adsumo).json()["generation_id"]
        link = adsumo.get(f"/generations/{made}").json()["result_url"]
        whole = media.get(link).content
        sandbox.fault("slow", "adsumo", path="/media/*", seconds=0.3, bytes=500)
        got = b""
        with pytest.raises(httpx.ReadTimeout), media.stream("GET", link, timeout=0.1) as answer:
            for piece in answer.iter_raw():
                got += piece
        assert got == whole[:500]
        sandbox.fault("slow", "adsumo", path="/media/*", seconds=0.05, bytes=500)
        assert media.get(link).content == whole

    def test_truncated(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("truncate", "adsumo")
        with pytest.raises(httpx.RemoteProtocolError, match=r"peer closed|incomplete"):
            send(adsumo)
        assert len(sandbox.charges) == 1

    def test_not_json(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("not_json", "adsumo", body="<html>")
        answer = send(adsumo)
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "<html>", "text/html")
        assert len(sandbox.charges) == 1

    def test_missing_and_changed_fields(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("missing_fields", "adsumo", fields=["generation_id"])
        assert set(send(adsumo).json()) == {"type", "status"}
        sandbox.fault("missing_fields", "adsumo", path="/generations", fields=["data.id", "pagination.total"])
        listed = adsumo.get("/generations").json()
        assert "id" not in listed["data"][0]
        assert set(listed["pagination"]) == {"limit", "offset"}
        sandbox.fault("patch", "adsumo", path="/generations/*", values={"status": "archived", "details": {"model": 1}})
        found = adsumo.get(f"/generations/{sandbox.jobs()[0]['id']}").json()
        assert (found["status"], found["details"]["model"], found["details"]["prompt"]) == (
            "archived",
            1,
            VIDEO["prompt"],
        )

    def test_values_that_are_hard_to_carry(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        values = {"prompt": "Sip \ud83d", "cost": float("nan"), "limit": float("-inf"), "size": 2**200}
        sandbox.fault("patch", "adsumo", values=values)
        answer = send(adsumo)
        found = answer.json()
        assert answer.content.isascii()
        assert (found["prompt"], found["limit"], found["size"]) == ("Sip \ud83d", float("-inf"), 2**200)
        assert b'"cost": NaN' in answer.content
        assert found["generation_id"] == sandbox.jobs()[0]["id"]

    @pytest.mark.parametrize(
        ("charset", "headers", "content_type", "raw"),
        [
            ("latin-1", {}, "application/json; charset=latin-1", b"cut \xe6\x97"),
            ("latin-1", {"Content-Type": "application/json"}, "application/json", b"cut \xe6\x97"),
            ("utf-8", {}, "application/json; charset=utf-8", b"cut \xc3\xa6\xc2\x97"),
            ("utf-16", {"Content-Type": "application/json"}, "application/json", "cut \xe6\x97".encode("utf-16")[2:]),
        ],
    )
    def test_another_charset(
        self,
        sandbox: Sandbox,
        adsumo: httpx.Client,
        charset: str,
        headers: dict[str, str],
        content_type: str,
        raw: bytes,
    ) -> None:
        sandbox.fault("patch", "adsumo", values={"prompt": "cut \xe6\x97"}, charset=charset, headers=headers)
        answer = send(adsumo)
        assert answer.headers.get_list("content-type") == [content_type]
        assert raw in answer.content
        assert len(sandbox.charges) == 1

    def test_surrogates_as_bytes(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("patch", "adsumo", values={"prompt": "\ud83d"}, charset="utf-8")
        assert b"\xed\xa0\xbd" in send(adsumo).content

    def test_events_are_changed_like_answers(self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]) -> None:
        ads = client_for("cinematicads")
        job = ads.post("/api/workflow", json={"type": "cinematic", "concept": "A shoe"}).json()["jobId"]
        sandbox.advance(1000)
        sandbox.fault("patch", path="/api/workflow/stream", values={"note": "\xe6"}, charset="latin-1")
        events = ads.get("/api/workflow/stream", params={"jobId": job}).content
        data = [line for line in events.split(b"\n") if line.startswith(b"data: ")]
        assert len(data) > 3
        assert all(b'"note": "\xe6"' in line for line in data)
        assert b'"success": true' in data[-1]

    @pytest.mark.parametrize(
        ("content", "kind", "begins"),
        [
            ("html", "text/html", b"<html>"),
            ("text", "text/plain", b"Not ready"),
            ("hls", "application/vnd.apple.mpegurl", b"#EXTM3U"),
            ("svg", "image/svg+xml", b"<svg"),
            ("empty", "application/octet-stream", b""),
        ],
    )
    def test_a_wrong_file(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client, content: str, kind: str, begins: bytes
    ) -> None:
        sandbox.settings(adsumo={"job_seconds": 0})
        link = adsumo.get(f"/generations/{send(adsumo).json()['generation_id']}").json()["result_url"]
        sandbox.fault("wrong_file", path="/media/*", content=content)
        answer = media.get(link, headers={"Range": "bytes=5-"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.content.startswith(begins)
        assert bool(answer.content) == (content != "empty")
        sandbox.fault("wrong_file", path="/media/*", content=content, headers={"Content-Type": "video/mp4"})
        assert media.get(link).headers.get_list("content-type") == ["video/mp4"]
        assert media.get(link).content[4:8] == b"ftyp"

    def test_fewer_files_than_asked_for(self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]) -> None:
        sandbox.settings(
            adsumo={"job_seconds": 0, "multiple_results": "list"},
            sume={"job_seconds": 0},
            cinematicads={"job_seconds": 0, "multiple_videos": "list"},
        )
        adsumo, sume, ads = (client_for(vendor) for vendor in ("adsumo", "sume", "cinematicads"))
        image = {"prompt": "x", "model": "fast", "aspect_ratio": "1:1", "quantity": 8}
        generation = adsumo.post("/images/text-to-image", json=image).json()["generation_id"]
        job = sume.post("/images/generations", json={"prompt": "x", "image_count": 3}).json()["job"]["id"]
        workflow = {"type": "factory", "url": "https://example.com", "formats": "9:16,1:1,16:9"}
        ads.post("/api/workflow", json=workflow)
        sandbox.fault("fewer_files", "adsumo", files=5)
        assert len(adsumo.get(f"/generations/{generation}").json()["result_urls"]) == 5
        assert len(adsumo.get(f"/generations/{generation}").json()["result_urls"]) == 8
        sandbox.fault("fewer_files", "sume", path="/jobs/*")
        assert len(sume.get(f"/jobs/{job}/result").json()["result"]["images"]) == 1
        name = ads.get("/api/user/projects").json()["data"][0]["jobId"]
        sandbox.fault("fewer_files", "cinematicads", files=2)
        stream = ads.get("/api/workflow/stream", params={"jobId": name}).text
        assert len(json.loads(stream.rpartition("data: ")[2])["videos"]) == 2

    def test_a_redirect(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("redirect", "adsumo", status=307, location="http://example.com/elsewhere")
        answer = send(adsumo)
        assert (answer.status_code, answer.headers["location"]) == (307, "http://example.com/elsewhere")
        assert sandbox.charges == []
        sandbox.fault("redirect", "adsumo", when="after", location="/elsewhere")
        assert send(adsumo).status_code == 302
        assert len(sandbox.charges) == 1


class TestWhichRequestsAreStruck:
    def test_only_those_that_match_and_so_many(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", method="GET", path="/generations/*", times=2, skip=1)
        statuses = [adsumo.get("/generations/x").status_code for _ in range(5)]
        assert statuses == [404, 500, 500, 404, 404]
        assert sandbox.faults() == []
        sandbox.fault("status", "cutx")
        assert adsumo.get("/generations").status_code == 200

    def test_all_of_them_until_cleared(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", times=-1)
        assert [adsumo.get("/voices").status_code for _ in range(4)] == [500] * 4
        sandbox.clear_faults()
        assert adsumo.get("/voices").status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": "explode"},
            {"kind": "drop", "when": "never"},
            {"kind": "drop", "x": 1},
            {"kind": "wrong_file", "content": "gif"},
            {"kind": "patch", "charset": "klingon"},
        ],
    )
    def test_a_fault_that_does_not_exist_is_refused(self, sandbox: Sandbox, wrong: dict[str, Any]) -> None:
        with pytest.raises(SandboxError):
            sandbox.fault(**wrong)
