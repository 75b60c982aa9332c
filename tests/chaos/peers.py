# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Other providers' operators under some of the same deaths, pointed at a server that counts what was started."""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.benchmarks.certificate import make_certificate
from tools.airflow_stack import AirflowStack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.airflow_api import Run

HERE = Path(__file__).resolve().parent
SECONDS = 3.0
"""How long what was started takes, once it is not held."""

OPERATORS = {"databricks": "DatabricksSubmitRunOperator", "dbt": "DbtCloudRunJobOperator"}

LOST = "Answer lost after accepting"
KILLED = "Worker killed while asking for the job"
TRIGGERER = "Triggerer killed (SIGKILL) and started again"


@dataclass(frozen=True)
class PeerOutcome:
    """
    What became of one operator's task.

    :param scenario: what happened.
    :param way: ``deferrable`` or ``worker``.
    :param operator: whose.
    :param text: in words.
    """

    scenario: str
    way: str
    operator: str
    text: str


def available() -> bool:
    """Whether the other providers are installed here."""
    return all(_installed(f"airflow.providers.{name}") for name in ("databricks", "dbt.cloud"))


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@dataclass
class Counting:
    """
    Serves what two services document of starting a run and asking for it, and counts the runs that were started.

    :param certificate: the file with the key.
    """

    certificate: Path
    started: dict[str, list[int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    born: dict[int, float] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        counting = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args: Any) -> None:
                pass

            def do_GET(self) -> None:
                counting.answer(self)

            do_POST = do_GET

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: Any) -> None:
                pass  # a client that was killed is what this is about

        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request; the first submission whose name says so is accepted and not answered."""
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        value = json.loads(body) if body else dict(parse_qsl(parts.query))
        if handler.command == "POST":
            name = str(value.get("run_name") or value.get("cause"))
            with self._lock:
                number = len(self.born) + 1
                self.born[number], self.names[number] = time.time(), name
                self.started.setdefault(name, []).append(number)
                first = len(self.started[name]) == 1
            if name.startswith("lost:") and first:
                handler.close_connection = True
                handler.connection.close()
                return
        else:
            number = int(value.get("run_id") or parts.path.strip("/").rpartition("/")[2])
            self.asked.add(number)
        self._send(handler, self._databricks(number) if "/jobs/runs/" in parts.path else self._dbt(number))

    def over(self, number: int) -> bool:
        """Whether a run has ended."""
        held = self.names[number].partition(":")[0] in self.held
        return not held and time.time() - self.born[number] > SECONDS

    def _databricks(self, number: int) -> Any:
        over = self.over(number)
        state = {"life_cycle_state": "TERMINATED" if over else "RUNNING", "state_message": ""}
        if over:
            state["result_state"] = "SUCCESS"
        return {"run_id": number, "job_id": 1, "state": state, "run_page_url": "https://x.example/1", "tasks": []}

    def _dbt(self, number: int) -> Any:
        status = 10 if self.over(number) else 3
        return {"data": {"id": number, "href": "https://x.example/1", "status": status, "job_definition_id": 1}}

    def _send(self, handler: BaseHTTPRequestHandler, value: Any) -> None:
        content = json.dumps(value).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def play_peers(work: Path) -> list[PeerOutcome]:
    """Play the scenarios; return what became of each task, in a fixed order."""
    both, trusted = make_certificate(work)
    with Counting(both) as counting:
        host = f"127.0.0.1:{counting.port}"
        connections = {
            "databricks_default": {
                "conn_type": "databricks",
                "host": "https://127.0.0.1",
                "port": counting.port,
                "password": "chaos",
            },
            "dbt_cloud_default": {"conn_type": "dbt_cloud", "host": host, "login": "1", "password": "chaos"},
        }
        trust = {"REQUESTS_CA_BUNDLE": str(trusted), "SSL_CERT_FILE": str(trusted)}
        with AirflowStack(work / "airflow", dags=[HERE / "peer_dags"], connections=connections, env=trust) as stack:
            counting.held |= {"killed", "triggerer"}
            lost = stack.trigger_dag("peers", run_id="lost")
            killed = stack.trigger_dag("peers", run_id="killed")
            for task in ("databricks_worker", "dbt_worker"):
                _kill_while_polling(stack, killed, task, counting)
            counting.held.discard("killed")
            _over(lost)
            _over(killed)
            waiting = stack.trigger_dag("peers", run_id="triggerer")
            for task in ("databricks_deferrable", "dbt_deferrable"):
                waiting.wait_for_task(task, "deferred", timeout=120)
            stack.kill("triggerer", whole=True)
            stack.restart("triggerer", grace=0)
            counting.held.discard("triggerer")
            _over(waiting)
            return [
                *_outcomes(LOST, "worker", lost, counting),
                *_outcomes(LOST, "deferrable", lost, counting),
                *_outcomes(KILLED, "worker", killed, counting),
                *_outcomes(TRIGGERER, "deferrable", waiting, counting),
            ]


def _kill_while_polling(stack: AirflowStack, run: Run, task: str, counting: Counting) -> None:
    deadline = time.monotonic() + 120
    while not (runs := counting.started.get(f"{run.run_id}:{task}")):
        assert time.monotonic() < deadline, f"{task} started nothing"
        time.sleep(0.1)
    while runs[0] not in counting.asked:
        assert time.monotonic() < deadline, f"{task} asked for nothing"
        time.sleep(0.1)
    os.kill(stack.task_process(run, task), signal.SIGKILL)


def _over(run: Run) -> None:
    run.wait(timeout=240)


def _outcomes(scenario: str, way: str, run: Run, counting: Counting) -> Iterator[PeerOutcome]:
    for short, operator in OPERATORS.items():
        task = f"{short}_{way}"
        started = len(counting.started.get(f"{run.run_id}:{task}", []))
        ended = run.task(task)["state"]
        text = f"{started} run{'s' if started != 1 else ''} started, {'succeeded' if ended == 'success' else ended}"
        yield PeerOutcome(scenario, way, operator, text)
