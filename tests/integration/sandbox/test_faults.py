# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

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

    def test_a_body_of_its_own(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.fault("status", "adsumo", status=503, body="upstream connect error")
        assert send(adsumo).text == "upstream connect error"


class TestSpoiltAnswers:
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
        "wrong", [{"kind": "explode"}, {"kind": "drop", "when": "never"}, {"kind": "drop", "x": 1}]
    )
    def test_a_fault_that_does_not_exist_is_refused(self, sandbox: Sandbox, wrong: dict[str, Any]) -> None:
        with pytest.raises(SandboxError):
            sandbox.fault(**wrong)
