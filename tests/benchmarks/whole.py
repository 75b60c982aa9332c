# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""W5: many creatives on a whole Airflow: mapped deferrable tasks, ours and databricks', and one batch."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.certificate import make_certificate
from tests.benchmarks.contenders import CONTENDERS, Contender
from tests.benchmarks.drive import ask
from tests.benchmarks.run import HOST, Server, serving
from tools.airflow_stack import AirflowStack

JOB_SECONDS = 60
PARALLELISM = 4
DAGS = Path(__file__).resolve().parent / "dags"
MAPPED, BATCH = "mapped tasks", "one batch"
RUNS = (
    ("adsumo", MAPPED, "bench_adgen", "adgen"),
    ("adsumo", BATCH, "bench_batch", "adgen"),
    ("databricks", MAPPED, "bench_databricks", "databricks"),
)
COMPONENTS = ("scheduler", "triggerer", "api-server", "dag-processor")
_BLOCKED = "async thread was blocked"
_TICKS = os.sysconf("SC_CLK_TCK")


class ComponentUsage(threading.Thread):
    """
    Follows the CPU and the memory of a component's processes.

    The processes of tasks are children of the scheduler, because its executor is the LocalExecutor. Most last a second
    or two, so what they took is read from their parents, who are told when a child has ended.
    """

    def __init__(self, stack: AirflowStack, component: str) -> None:
        super().__init__(daemon=True)
        self._stack, self._component = stack, component
        self._ending = threading.Event()
        self.peak_mb = 0.0
        self._before = self._after = self._look()

    def _look(self) -> float:
        """Read all processes once; return the CPU seconds of those that run and of their ended children."""
        memory = cpu = 0.0
        for pid in self._stack.processes(self._component):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # it has ended meanwhile
            cpu += sum(int(field) for field in fields[11:15]) / _TICKS
            memory += next((int(line.split()[1]) / 1024 for line in status.splitlines() if "VmRSS" in line), 0.0)
        self.peak_mb = max(self.peak_mb, memory)
        return cpu

    def run(self) -> None:
        """Read them every other second."""
        while not self._ending.wait(2.0):
            self._look()

    def end(self) -> None:
        """Read them a last time."""
        self._ending.set()
        self.join()
        self._after = self._look()

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds between the first look and the last."""
        return self._after - self._before


def w5(tasks: int, kept: Path) -> list[dict[str, Any]]:
    """
    Run each DAG once, one after the other.

    :param tasks: mapped tasks, or items of a batch, of each.
    :param kept: where Airflow's output is kept.
    """
    return [_one(CONTENDERS[name], how, dag_id, DAGS / folder, tasks, kept) for name, how, dag_id, folder in RUNS]


def _one(contender: Contender, how: str, dag_id: str, dags: Path, tasks: int, kept: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        certificate, trusted = make_certificate(directory)
        server = Server(first=JOB_SECONDS, last=JOB_SECONDS)
        with serving(contender.service, server, directory, certificate) as port:
            env = {
                "SSL_CERT_FILE": str(trusted),
                "REQUESTS_CA_BUNDLE": str(trusted),
                "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{directory / 'ledger'}",
                "BENCH_TASKS": str(tasks),
                "BENCH_DESTINATION": f"file://{directory / 'creatives'}",
                **contender.environment(HOST, port),
            }
            stack = AirflowStack(
                directory / "airflow", dags=[dags], env=env, parallelism=PARALLELISM, start_timeout=300, swift=False
            )
            with stack:
                result = _measured(stack, dag_id, tasks)
                report = ask(port, "/-/report", str(trusted))
            result |= _logs(directory / "airflow")
            out = kept / dag_id
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(directory / "airflow" / "output", out)
        files = sum(path.is_file() for path in (directory / "creatives").rglob("*.png"))
    made = files if contender.ours else result["succeeded"]
    result |= {
        "contender": contender.name,
        "title": contender.title,
        "how": how,
        "ours": contender.ours,
        "tasks": tasks,
        "lost": tasks - made if result["state"] == "success" else tasks,
        "job_seconds": JOB_SECONDS,
        "parallelism": PARALLELISM,
        "requests": report["requests"],
        "refused": report["refused"],
        "connections": report["connections"],
        "by_endpoint": report["by_endpoint"],
    }
    print(f"  {contender.name}, {how}: {result}", flush=True)
    return result


def _measured(stack: AirflowStack, dag_id: str, tasks: int) -> dict[str, Any]:
    stack.airflow.wait_for_dag(dag_id)
    usages = {component: ComponentUsage(stack, component) for component in COMPONENTS}
    for usage in usages.values():
        usage.start()
    began = time.monotonic()
    run = stack.trigger_dag(dag_id)
    # Two legs of a few seconds each per task, and the jobs' own time.
    state = run.wait(timeout=JOB_SECONDS + 300 + 10 * tasks)
    seconds = time.monotonic() - began
    for usage in usages.values():
        usage.end()
    states = [task["state"] for task in run.tasks()]
    return {
        "state": state,
        "wall_seconds": seconds,
        "cpu_seconds": {component: usage.cpu_seconds for component, usage in usages.items()},
        "peak_mb": {component: usage.peak_mb for component, usage in usages.items()},
        "succeeded": states.count("success"),
    }


def _logs(work: Path) -> dict[str, Any]:
    text = (work / "output" / "triggerer.log").read_text(errors="replace")
    of_triggers = [path.read_text(errors="replace").count("\n") for path in (work / "logs").rglob("*trigger*.log")]
    return {
        "blocked_warnings": text.count(_BLOCKED),
        "triggerer_log_lines": text.count("\n") + sum(of_triggers),
    }
