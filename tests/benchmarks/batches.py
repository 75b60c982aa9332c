# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""W6: 10,000 items in one task, at the sandbox; and how a leg begins when all of them are recorded."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.benchmarks.batch_process import folder_of_batch
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.run import HOST, ROOT, RunFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_adgen.sandbox.client import SandboxClient

ITEMS = 10_000
IN_FLIGHT = 500
JOB_SECONDS = 10
POLL_INTERVAL = 5.0
REMOTE_SECONDS = 0.02
"""What each request to a storage takes that is not this machine's disk."""

LOCAL, REMOTE, LOST = "local disk", "20 ms a request", "20 ms a request, snapshots lost"

REQUESTS: dict[str, dict[str, Any]] = {
    "adsumo": {"kind": "text-to-image", "model": "fast", "aspect_ratio": "1:1"},
    "cutx": {"kind": "static-ad"},
}
"""A vendor with a list of jobs, and one without."""


class Process:
    """
    A worker or a triggerer.

    :param role: which.
    :param environment: its environment variables.
    :param log: where its output goes.
    """

    def __init__(self, role: str, environment: dict[str, str], log: Path) -> None:
        self._role, self._log = role, log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.batch_process", role],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """
        Let it do something; return its answer.

        :raises RunFailed: it could not.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise RunFailed(f"The {self._role} failed: {answer['error']}\n{self._log.read_text()[-4000:]}")
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RunFailed(f"The {self._role} died.\n{self._log.read_text()[-4000:]}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextlib.contextmanager
def _sandbox(work: Path) -> Iterator[SandboxClient]:
    from airflow_provider_adgen.sandbox.client import SandboxClient

    port_file = work / "sandbox.port"
    command = [sys.executable, "-m", "airflow_provider_adgen.sandbox", "--port", "0", "--port-file", str(port_file)]
    with (work / "sandbox.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while not port_file.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise RunFailed("The sandbox did not start.")
                time.sleep(0.05)
            yield SandboxClient(f"http://{HOST}:{port_file.read_text().strip()}")
        finally:
            process.kill()
            process.wait()


def w6(items: int = ITEMS) -> list[dict[str, Any]]:
    """
    Make so many items at a vendor with a list and at one without.

    :param items: how many; fewer only to try whether it works.
    :raises RunFailed: a process died, or a leg raised.
    """
    return [_one(vendor, items) for vendor in REQUESTS]


def _one(vendor: str, items: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as stack:
        work = Path(name)
        sandbox = stack.enter_context(_sandbox(work))
        sandbox.settings(**{vendor: {"job_seconds": JOB_SECONDS}})
        sandbox.set_credits(vendor, 100 * items)
        environment = _environment(work, vendor, sandbox)
        worker = stack.enter_context(Process("worker", environment, work / "worker.log"))
        triggerer = stack.enter_context(Process("triggerer", environment, work / "triggerer.log"))
        order = {
            "items": items,
            "request": REQUESTS[vendor] | (_subject(sandbox) if vendor == "cutx" else {}),
            "try_number": 1,
            "fields": {
                "conn_id": f"{vendor}_default",
                "destination": f"file://{work / 'out'}",
                "max_in_flight": IN_FLIGHT,
                "poll_interval": POLL_INTERVAL,
            },
        }
        began = time.monotonic()
        legs, waits, told = _run(worker, triggerer, order)
        result = {
            "vendor": vendor,
            "title": CONTENDERS[vendor].title,
            "items": items,
            "in_flight": IN_FLIGHT,
            "job_seconds": JOB_SECONDS,
            "interval": POLL_INTERVAL,
            "wall_seconds": time.monotonic() - began,
            "legs": legs,
            "waits": waits,
            "counts": told["counts"],
            **_totals(items, legs, waits),
        }
        files = [path for path in (work / "out").rglob("*") if path.is_file() and "_adgen" not in path.parts]
        charges = sum(one["charges"] for one in sandbox.ledger_sums(vendor))
        result |= {"files": len(files), "charges": charges}
        # Each item is paid for once, has a result, and its file is stored.
        result["lost"] = max(abs(items - one) for one in (told["counts"]["completed"], len(files), charges))
        result["beginnings"] = _beginnings(worker, order, work / "ledger")
    print(
        f"  {vendor}: {items} items, {result['wall_seconds']:.0f} s, {len(legs)} legs, the longest "
        f"{result['longest_leg']:.0f} s, {result['cpu_ms_per_item']:.1f} CPU ms per item, "
        f"+{result['worker_memory_growth_mb']:.0f} MB and +{result['triggerer_memory_growth_mb']:.0f} MB, "
        f"{result['lost']} lost; "
        + ", ".join(f"{one['where']}: {one['seconds']:.1f} s" for one in result["beginnings"]),
        flush=True,
    )
    return result


def _run(
    worker: Process, triggerer: Process, order: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Run leg after leg, and the triggers between them; return what each took, and what the task returned."""
    legs: list[dict[str, Any]] = []
    waits: list[dict[str, Any]] = []
    event = None
    while True:
        answer = worker.ask({**order, "event": event})
        came = answer.pop("came")
        legs.append(answer)
        if "told" in came:
            return legs, waits, came["told"]
        waited = triggerer.ask(came)
        event = waited.pop("came")
        waits.append(waited)


def _totals(items: int, legs: list[dict[str, Any]], waits: list[dict[str, Any]]) -> dict[str, Any]:
    worker, triggerer = (sum(one["cpu_seconds"] for one in ran) for ran in (legs, waits))
    return {
        "longest_leg": max(one["seconds"] for one in legs),
        "worker_cpu_seconds": worker,
        "triggerer_cpu_seconds": triggerer,
        "cpu_ms_per_item": 1000 * (worker + triggerer) / items,
        "worker_memory_growth_mb": max(one["memory_growth_mb"] for one in legs),
        "triggerer_memory_growth_mb": max((one["memory_growth_mb"] for one in waits), default=0.0),
    }


def _beginnings(worker: Process, order: dict[str, Any], ledger: Path) -> list[dict[str, Any]]:
    """Run whole legs of later tries that find everything recorded and done; return what they took."""
    found = []
    for number, where in enumerate((LOCAL, REMOTE, LOST), 2):
        if where == LOST:
            for path in folder_of_batch(ledger).glob("snapshot-*"):
                path.unlink()
        remote = {} if where == LOCAL else {"remote_seconds": REMOTE_SECONDS, "folder": str(ledger)}
        answer = worker.ask({**order, **remote, "try_number": number})
        if answer.pop("came")["told"]["counts"]["completed"] != order["items"]:
            raise RunFailed(f"A later try ({where}) did not find everything done.")
        found.append({"where": where, **answer})
    return found


def _environment(work: Path, vendor: str, sandbox: SandboxClient) -> dict[str, str]:
    foreign = ("AIRFLOW", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(work / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{work / 'ledger'}",
        f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT": json.dumps(sandbox.connection(vendor)),
    }


def _subject(sandbox: SandboxClient) -> dict[str, str]:
    """Return a project and a product at CutX, which each of its ads needs."""
    import httpx

    host, key = sandbox.host_for("cutx"), sandbox.key_for("cutx")
    with httpx.Client(base_url=host, headers={"Authorization": f"Bearer {key}"}) as client:
        project = client.post("/api/products", json={"name": "Spring"}).raise_for_status().json()["project"]
        body = {"url": "https://shop.example/bottle", "projectId": project["id"]}
        product = client.post("/api/products/ingest", json=body).raise_for_status().json()["product"]
    return {"project_id": project["id"], "product_id": product["id"]}
