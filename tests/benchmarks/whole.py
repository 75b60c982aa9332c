# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""W5: mapped deferrable tasks on a whole Airflow with one triggerer of default capacity, ours beside databricks'."""

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
RUNS = (("adsumo", "bench_adgen", "adgen"), ("databricks", "bench_databricks", "databricks"))
_BLOCKED = "async thread was blocked"
_TICKS = os.sysconf("SC_CLK_TCK")


class WaitingJob(threading.Thread):
    """Follows the CPU and the memory of a component's processes, as long as they last."""

    def __init__(self, stack: AirflowStack, component: str) -> None:
        super().__init__(daemon=True)
        self._stack, self._component = stack, component
        self._ending = threading.Event()
        self._cpu: dict[int, float] = {}
        self._begun: dict[int, float] = {}
        self.peak_mb = 0.0

    def look(self) -> None:
        """Read all processes once."""
        memory = 0.0
        for pid in self._stack.processes(self._component):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # it has ended meanwhile
            cpu = (int(fields[11]) + int(fields[12])) / _TICKS
            self._begun.setdefault(pid, cpu)
            self._cpu[pid] = cpu
            memory += next((int(line.split()[1]) / 1024 for line in status.splitlines() if "VmRSS" in line), 0.0)
        self.peak_mb = max(self.peak_mb, memory)

    def run(self) -> None:
        """Read them every other second."""
        while not self._ending.wait(2.0):
            self.look()

    def end(self) -> None:
        """Read them a last time."""
        self._ending.set()
        self.join()
        self.look()

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds since it was first looked at."""
        return sum(cpu - self._begun[pid] for pid, cpu in self._cpu.items())


def w5(tasks: int, kept: Path) -> list[dict[str, Any]]:
    """
    Run each DAG once, one after the other.

    :param tasks: mapped tasks of each.
    :param kept: where Airflow's output is kept.
    """
    return [_one(CONTENDERS[name], dag_id, DAGS / folder, tasks, kept) for name, dag_id, folder in RUNS]


def _one(contender: Contender, dag_id: str, dags: Path, tasks: int, kept: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        certificate, trusted = make_certificate(directory)
        server = Server(first=JOB_SECONDS, last=JOB_SECONDS)
        with serving(contender.service, server, directory, certificate) as port:
            env = {
                "SSL_CERT_FILE": str(trusted),
                "REQUESTS_CA_BUNDLE": str(trusted),
                "BENCH_TASKS": str(tasks),
                **contender.environment(HOST, port),
            }
            stack = AirflowStack(
                directory / "airflow", dags=[dags], env=env, parallelism=PARALLELISM, start_timeout=300
            )
            with stack:
                result = _measured(stack, dag_id, tasks)
                report = ask(port, "/-/report", str(trusted))
            result |= _logs(directory / "airflow")
            out = kept / contender.name
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(directory / "airflow" / "output", out)
    result |= {
        "contender": contender.name,
        "title": contender.title,
        "ours": contender.ours,
        "tasks": tasks,
        "job_seconds": JOB_SECONDS,
        "parallelism": PARALLELISM,
        "requests": report["requests"],
        "refused": report["refused"],
        "connections": report["connections"],
        "by_endpoint": report["by_endpoint"],
    }
    print(f"  {contender.name}: {result}", flush=True)
    return result


def _measured(stack: AirflowStack, dag_id: str, tasks: int) -> dict[str, Any]:
    stack.airflow.wait_for_dag(dag_id)
    watch = WaitingJob(stack, "triggerer")
    watch.look()
    watch.start()
    began = time.monotonic()
    run = stack.trigger_dag(dag_id)
    # Two legs of a few seconds each per task, and the jobs' own time.
    state = run.wait(timeout=JOB_SECONDS + 300 + 10 * tasks)
    seconds = time.monotonic() - began
    watch.end()
    states = [task["state"] for task in run.tasks()]
    return {
        "state": state,
        "wall_seconds": seconds,
        "triggerer_cpu_seconds": watch.cpu_seconds,
        "triggerer_memory_mb": watch.peak_mb,
        "succeeded": states.count("success"),
        "failed": tasks - states.count("success"),
    }


def _logs(work: Path) -> dict[str, Any]:
    text = (work / "output" / "triggerer.log").read_text(errors="replace")
    of_triggers = [path.read_text(errors="replace").count("\n") for path in (work / "logs").rglob("*trigger*.log")]
    return {
        "blocked_warnings": text.count(_BLOCKED),
        "triggerer_log_lines": text.count("\n") + sum(of_triggers),
    }
