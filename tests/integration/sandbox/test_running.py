# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_adgen.sandbox import Sandbox, SandboxClient
from airflow_provider_adgen.sandbox.client import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = {"prompt": "White sneakers", "model": "fast", "aspect_ratio": "1:1"}
COMMAND = [sys.executable, "-m", "airflow_provider_adgen.sandbox"]


class Process:
    """A sandbox in a process of its own."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.client = SandboxClient(self.url)

    def post(self, path: str, body: dict[str, object], **headers: str) -> httpx.Response:
        key = {"Authorization": f"Bearer {self.client.key_for('adsumo')}"}
        return httpx.post(self.client.host_for("adsumo") + path, json=body, headers=key | headers)

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_prints_its_url_and_ends_cleanly(self, started: list[Process], number: int, tmp_path: Path) -> None:
        process = Process("--port-file", str(tmp_path / "port"), "--credits", "77")
        started.append(process)
        assert process.url.startswith("http://127.0.0.1:")
        assert process.client.balance("adsumo") == 77
        assert (tmp_path / "port").read_text().strip() == process.url.rpartition(":")[2]
        assert os.listdir(tmp_path) == ["port"]
        status, out, err = process.end(number)
        assert (status, err) == (0, "")
        name, _, value = out.splitlines()[0].removeprefix("export ").partition("=")
        connection = json.loads(value.strip("'"))
        assert name == "AIRFLOW_CONN_ADSUMO_DEFAULT"
        assert connection == {
            "conn_type": "adsumo",
            "host": process.url + "/adsumo/api/v1",
            "password": "adsumo_sk_sandbox",
            "extra": {},
        }

    def test_it_is_quiet_unless_asked(self, started: list[Process]) -> None:
        process = Process("--access-log")
        started.append(process)
        process.post("/images/text-to-image", IMAGE)
        _, _, err = process.end(signal.SIGTERM)
        assert "POST /adsumo/api/v1/images/text-to-image 200" in err
        assert "adsumo_sk" not in err

    def test_what_it_answered_survives_being_killed(self, started: list[Process], tmp_path: Path) -> None:
        state = ["--state", str(tmp_path / "state.sqlite"), "--settings", '{"adsumo": {"job_seconds": 50}}']
        first = Process(*state)
        started.append(first)
        answers = [first.post("/images/text-to-image", IMAGE, **{"Idempotency-Key": str(n)}) for n in range(5)]
        first.client.advance(20)
        first.client.settings(adsumo={"submit_status": 202})
        moment = first.client.overview()["offset"]
        first.end(signal.SIGKILL)
        second = Process(*state)
        started.append(second)
        assert [charge["job_id"] for charge in second.client.charges] == [
            answer.json()["generation_id"] for answer in answers
        ]
        assert second.client.balance("adsumo") == 995
        assert second.client.overview()["offset"] == moment
        replay = second.post("/images/text-to-image", IMAGE, **{"Idempotency-Key": "0"})
        assert (replay.status_code, replay.content) == (200, answers[0].content)
        assert second.post("/images/text-to-image", IMAGE).status_code == 202
        second.client.advance(40)
        assert [job["status"] for job in second.client.jobs()] == ["completed"] * 5 + ["processing"]

    def test_wrong_settings_are_refused(self) -> None:
        for value in ("nonsense", "[]", '{"adsumo": {"nonsense": 1}}', '{"nobody": {}}'):
            ended = subprocess.run([*COMMAND, "--settings", value], capture_output=True, text=True, timeout=20)
            assert ended.returncode != 0
            assert "Traceback" not in ended.stderr
            assert ended.stderr

    def test_it_shows_its_settings(self) -> None:
        ended = subprocess.run([*COMMAND, "--show-settings"], capture_output=True, text=True, timeout=20, check=True)
        shown = json.loads(ended.stdout)
        assert set(shown) == {"media", "adsumo", "cutx", "sume", "cinematicads"}
        with Sandbox() as sandbox:
            assert sandbox.settings() == shown


class TestInProcess:
    def test_it_listens_on_another_address(self) -> None:
        everywhere = "0.0.0.0"  # noqa: S104 - what the test is about
        for host, name in ((everywhere, "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")):
            if ":" in host and not socket.has_ipv6:
                continue
            with Sandbox(host=host) as sandbox:
                assert sandbox.url == f"http://{name}:{sandbox.port}"
                key = {"Authorization": f"Bearer {sandbox.key_for('adsumo')}"}
                found = httpx.get(sandbox.host_for("adsumo") + "/avatars", headers=key).json()["data"][0]
                expected = "localhost" if name == "127.0.0.1" else name
                assert found["thumbnail_url"].startswith(f"http://{expected}:{sandbox.port}/media/")

    def test_two_run_side_by_side_and_stop(self) -> None:
        with Sandbox() as one, Sandbox(credits=5) as two:
            assert one.url != two.url
            assert (one.balance("adsumo"), two.balance("adsumo")) == (1000, 5)
            url = two.url
        with pytest.raises(httpx.ConnectError):
            httpx.get(url + "/_sandbox/")

    def test_it_is_stopped_and_started_again(self, tmp_path: Path) -> None:
        sandbox = Sandbox(state=str(tmp_path / "state.sqlite"))
        sandbox.start()
        url = sandbox.url
        sandbox.set_credits("cutx", 7)
        sandbox.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        sandbox.start()
        assert (sandbox.url, sandbox.balance("cutx")) == (url, 7)
        sandbox.stop()

    def test_a_port_in_use_is_said(self) -> None:
        with Sandbox() as one, pytest.raises(OSError, match="in use"):
            Sandbox(port=one.port).start()

    def test_a_wrong_setting_is_said(self) -> None:
        with pytest.raises(ValueError, match="nonsense"):
            Sandbox(settings={"adsumo": {"nonsense": 1}}).start()

    def test_it_stops_at_once_in_the_middle_of_a_slow_answer(self) -> None:
        sandbox = Sandbox()
        sandbox.start()
        sandbox.fault("slow", seconds=30, when="before")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(httpx.get, sandbox.url + "/adsumo/api/v1/voices")
            while not sandbox.requests():
                time.sleep(0.01)
            begun = time.monotonic()
            sandbox.stop()
            assert time.monotonic() - begun < 2
            with pytest.raises(httpx.TransportError):
                asked.result()

    def test_speed_divides_typical_durations(self) -> None:
        with Sandbox(speed=100) as sandbox:
            key = {"Authorization": f"Bearer {sandbox.key_for('adsumo')}"}
            httpx.post(sandbox.host_for("adsumo") + "/images/text-to-image", json=IMAGE, headers=key)
            (job,) = sandbox.jobs()
            assert job["ends"] - job["created"] == pytest.approx(0.15)


class TestControl:
    def test_a_connection_for_airflow(self, sandbox: Sandbox) -> None:
        found = json.loads(sandbox.connection_json("adsumo", timeout=5))
        assert found == sandbox.connection("adsumo", timeout=5)
        assert found["host"] == f"{sandbox.url}/adsumo/api/v1"
        assert found["extra"] == {"timeout": 5}

    def test_requests_are_logged_whole(self, sandbox: Sandbox) -> None:
        key = {"Authorization": f"Bearer {sandbox.key_for('adsumo')}", "X-Extra": "1"}
        httpx.post(sandbox.host_for("adsumo") + "/images/text-to-image?a=b", json=IMAGE, headers=key)
        httpx.get(sandbox.host_for("adsumo") + "/voices", headers={"Authorization": "Bearer somebodys-real-key"})
        first, second = sandbox.requests()
        assert (first["method"], first["path"], first["query"]) == (
            "POST",
            "/adsumo/api/v1/images/text-to-image",
            "a=b",
        )
        assert json.loads(first["body"]) == IMAGE
        assert (first["status"], first["account"], first["headers"]["x-extra"]) == (200, "team", "1")
        assert first["headers"]["authorization"] == "Bearer adsumo_sk_sandbox"
        assert second["status"] == 401
        assert second["headers"]["authorization"] == "(hidden)"
        assert [entry["seq"] for entry in sandbox.requests(since=first["seq"])] == [second["seq"]]
        assert sandbox.requests(vendor="sume") == []

    def test_reset_begins_anew(self, sandbox: Sandbox) -> None:
        key = {"Authorization": f"Bearer {sandbox.key_for('adsumo')}"}
        httpx.post(sandbox.host_for("adsumo") + "/images/text-to-image", json=IMAGE, headers=key)
        sandbox.settings(adsumo={"submit_status": 201})
        sandbox.fault("drop")
        sandbox.advance(1000)
        sandbox.reset()
        assert (sandbox.jobs(), sandbox.charges, sandbox.requests(), sandbox.faults()) == ([], [], [], [])
        assert sandbox.settings()["adsumo"]["submit_status"] == 200
        assert sandbox.overview()["offset"] == 0
        assert httpx.get(sandbox.host_for("adsumo") + "/voices", headers=key).status_code == 200

    def test_mistakes_are_said(self, sandbox: Sandbox) -> None:
        with pytest.raises(SandboxError, match="no setting"):
            sandbox.settings(adsumo={"nonsense": 1})
        with pytest.raises(SandboxError, match="unknown section"):
            sandbox.settings(nobody={})
        with pytest.raises(SandboxError, match="no such job"):
            sandbox.set_job("nothing", "failed")
        with pytest.raises(SandboxError, match="cannot become"):
            sandbox.fail_next(status="strange")
        with pytest.raises(SandboxError, match="unknown vendor"):
            sandbox.set_credits("nobody", 1)
        assert httpx.get(sandbox.url + "/_sandbox/nonsense").status_code == 404
        assert httpx.get(sandbox.url + "/nonsense").status_code == 404

    def test_the_ledger_is_exact(self, sandbox: Sandbox) -> None:
        sandbox.fail_next("adsumo", refund=True, seconds=5)
        key = {"Authorization": f"Bearer {sandbox.key_for('adsumo')}"}
        body = IMAGE | {"quantity": 8}
        made = httpx.post(sandbox.host_for("adsumo") + "/images/text-to-image", json=body, headers=key).json()
        sandbox.advance(60)
        sandbox.set_credits("adsumo", 3)
        charge, refund, grant = sandbox.ledger()
        assert (charge["kind"], charge["credits"], charge["balance_after"]) == ("charge", 8, 992)
        assert (refund["kind"], refund["credits"], refund["balance_after"]) == ("refund", 8, 1000)
        assert (grant["kind"], grant["credits"], grant["balance_after"]) == ("grant", -997, 3)
        assert charge["job_id"] == refund["job_id"] == made["generation_id"]
        assert sandbox.ledger(job_id=made["generation_id"], kind="refund") == [refund]
        # The refund is dated when the job ended, not when somebody looked.
        (job,) = sandbox.jobs()
        assert job["ends"] - job["created"] == pytest.approx(5)


class TestLoad:
    def test_many_jobs_and_requests(self, sandbox: Sandbox) -> None:
        sandbox.set_credits("adsumo", 100_000)
        key = {"Authorization": f"Bearer {sandbox.key_for('adsumo')}"}

        def submit(count: int) -> None:
            with httpx.Client(base_url=sandbox.host_for("adsumo"), headers=key, timeout=30) as client:
                for _ in range(count):
                    assert client.post("/images/text-to-image", json=IMAGE).status_code == 200

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(submit, [75] * 4))
        charges = sandbox.charges
        assert len({charge["job_id"] for charge in charges}) == 300
        assert [charge["balance_after"] for charge in charges] == list(range(99_999, 99_699, -1))
        assert sandbox.balance("adsumo") == 99_700


def test_the_fixture_works_in_somebody_elses_tests(tmp_path: Path) -> None:
    if not entry_points(group="pytest11", name="adgen_sandbox"):
        # The package is not installed here but only to be imported: pytest does not know its plugin by itself.
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["airflow_provider_adgen.sandbox.pytest_plugin"]\n')
    (tmp_path / "test_theirs.py").write_text(
        "import urllib.request\n"
        "def test_fresh(adgen_sandbox):\n"
        "    assert adgen_sandbox.balance('sume') == 1000\n"
        "    adgen_sandbox.set_credits('sume', 1)\n"
        "def test_fresh_again(adgen_sandbox):\n"
        "    assert adgen_sandbox.balance('sume') == 1000\n"
        "    assert adgen_sandbox.connection('sume')['conn_type'] == 'sume'\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=with_package())
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr


def with_package() -> dict[str, str]:
    """The environment, with this package to be found from any directory."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
