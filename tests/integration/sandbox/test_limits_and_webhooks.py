# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hmac
import json
import threading
import time
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from airflow_provider_adgen.sandbox import Sandbox

VIDEO = {"prompt": "White sneakers", "model": "sora-2"}


@pytest.fixture
def adsumo(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("adsumo")


class TestRateLimits:
    def test_there_are_none_until_set(self, adsumo: httpx.Client) -> None:
        answers = [adsumo.get("/account/credits") for _ in range(150)]
        assert {answer.status_code for answer in answers} == {200}
        assert not any(name.startswith("x-ratelimit") for name in answers[0].headers)

    def test_each_class_has_its_own(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"rate_limits": {"submit": [2, 60], "read": [3, 10]}})
        sent = [adsumo.post("/videos/ai-video", json=VIDEO) for _ in range(3)]
        assert [answer.status_code for answer in sent] == [200, 200, 429]
        assert sent[2].json()["error"]["code"] == "rate_limited"
        assert 58 <= int(sent[2].headers["retry-after"]) <= 60
        assert len(sandbox.charges) == 2
        assert [adsumo.get("/voices").status_code for _ in range(4)] == [200, 200, 200, 429]
        sandbox.advance(10)
        assert adsumo.get("/voices").status_code == 200
        assert adsumo.post("/videos/ai-video", json=VIDEO).status_code == 429
        sandbox.advance(50)
        assert adsumo.post("/videos/ai-video", json=VIDEO).status_code == 200

    def test_each_account_has_its_own(
        self, sandbox: Sandbox, adsumo: httpx.Client, client_for: Callable[..., httpx.Client]
    ) -> None:
        sandbox.settings(adsumo={"rate_limits": {"*": [1, 60]}})
        other = client_for("adsumo", sandbox.add_account("adsumo", "other"))
        assert [adsumo.get("/voices").status_code for _ in range(2)] == [200, 429]
        assert other.get("/voices").status_code == 200

    def test_retry_after_as_a_date_or_not_at_all(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"rate_limits": {"read": [1, 60]}, "retry_after": "date"})
        adsumo.get("/voices")
        moment = parsedate_to_datetime(adsumo.get("/voices").headers["retry-after"]).timestamp()
        assert 50 < moment - time.time() <= 61
        sandbox.settings(adsumo={"retry_after": "none"})
        assert "retry-after" not in adsumo.get("/voices").headers
        sandbox.settings(adsumo={"rate_limits": {"read": None}})
        assert [adsumo.get("/voices").status_code for _ in range(3)] == [200] * 3

    def test_a_replay_of_a_key_counts_as_a_request(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"rate_limits": {"submit": [1, 60]}})
        key = {"Idempotency-Key": "one"}
        statuses = [adsumo.post("/videos/ai-video", json=VIDEO, headers=key).status_code for _ in range(2)]
        assert statuses == [200, 429]


class Receiver:
    """A web server that notes what it is sent."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def wait_for(self, count: int) -> list[tuple[dict[str, str], dict[str, Any], bytes]]:
        deadline = time.monotonic() + 5
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return [(headers, json.loads(body), body) for headers, body in self.received]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class TestWebhooks:
    def test_a_completed_generation_is_told_once_and_signed(
        self, sandbox: Sandbox, adsumo: httpx.Client, receiver: Receiver, media: httpx.Client
    ) -> None:
        secret = sandbox.set_webhook("adsumo", receiver.url)
        made = adsumo.post("/videos/ai-video", json=VIDEO).json()["generation_id"]
        sandbox.advance(100)
        ((headers, event, body),) = receiver.wait_for(1)
        assert headers["x-adsumo-signature"] == hmac.new(secret.encode(), body, sha256).hexdigest()
        assert headers["content-type"] == "application/json"
        assert set(event) == {"event", "generation_id", "type", "status", "result_url", "created_at", "completed_at"}
        assert (event["event"], event["generation_id"]) == ("generation.completed", made)
        assert media.get(event["result_url"]).status_code == 200
        time.sleep(0.15)
        assert len(receiver.received) == 1
        (delivery,) = sandbox.webhooks()
        assert (delivery["status"], delivery["attempts"], delivery["pending"]) == (200, 1, False)

    def test_a_failed_one_is_told_with_its_reason(
        self, sandbox: Sandbox, adsumo: httpx.Client, receiver: Receiver
    ) -> None:
        sandbox.set_webhook("adsumo", receiver.url, secret="chosen")
        sandbox.fail_next("adsumo", message="Content policy", seconds=0)
        adsumo.post("/videos/ai-video", json=VIDEO)
        ((headers, event, body),) = receiver.wait_for(1)
        assert headers["x-adsumo-signature"] == hmac.new(b"chosen", body, sha256).hexdigest()
        assert set(event) == {"event", "generation_id", "type", "status", "error_message", "created_at", "completed_at"}
        assert (event["event"], event["error_message"]) == ("generation.failed", "Content policy")

    def test_only_the_key_that_has_one_is_told(
        self, sandbox: Sandbox, adsumo: httpx.Client, receiver: Receiver, client_for: Callable[..., httpx.Client]
    ) -> None:
        sandbox.settings(adsumo={"job_seconds": 0})
        second = client_for("adsumo", sandbox.add_account("adsumo", "team", key="adsumo_sk_second"))
        sandbox.set_webhook("adsumo", receiver.url, key="adsumo_sk_second")
        adsumo.post("/videos/ai-video", json=VIDEO)
        made = second.post("/videos/ai-video", json=VIDEO).json()["generation_id"]
        ((_, event, _),) = receiver.wait_for(1)
        assert event["generation_id"] == made

    def test_a_receiver_that_fails_is_noted(self, sandbox: Sandbox, adsumo: httpx.Client, receiver: Receiver) -> None:
        receiver.status = 500
        sandbox.settings(adsumo={"job_seconds": 0})
        sandbox.set_webhook("adsumo", receiver.url)
        adsumo.post("/videos/ai-video", json=VIDEO)
        receiver.wait_for(1)
        deadline = time.monotonic() + 5
        while sandbox.webhooks()[0]["status"] is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sandbox.webhooks()[0]["status"] == 500
