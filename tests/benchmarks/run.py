# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One run of one contender: a fresh server, a fresh process, what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.certificate import make_certificate
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.machine import busy_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """
    What the server is like.

    :param first: seconds after which the first job ends.
    :param last: seconds after which the last one ends.
    :param latency: seconds that each request takes.
    :param limit: requests that each window accepts; None for no limit.
    :param window: seconds of a window.
    :param history: jobs that the account made earlier.
    :param oldest_first: lists show the oldest job first.
    :param kind: what the jobs make.
    """

    first: float = 15.0
    last: float = 35.0
    latency: float = 0.15
    limit: int | None = None
    window: float = 1.0
    history: int = 0
    oldest_first: bool = False
    kind: str = "image"

    def arguments(self) -> list[str]:
        """Return it as the server's arguments."""
        said = ["--first", str(self.first), "--last", str(self.last), "--latency", str(self.latency)]
        said += ["--kind", self.kind]
        if self.limit is not None:
            said += ["--limit", str(self.limit), "--window", str(self.window)]
        if self.history:
            said += ["--history", str(self.history)]
        return [*said, *(["--oldest-first"] if self.oldest_first else [])]


@dataclass(frozen=True)
class Plan:
    """
    One run.

    :param contender: who waits.
    :param jobs: for how many jobs.
    :param label: tells it from other runs of the same contender.
    :param server: against what.
    :param ages: seconds since the last and since the first job was submitted; the others lie evenly between.
    :param interval: seconds between polls.
    :param seconds: when to stop.
    :param extra: further fields of the connection's extra.
    """

    contender: str
    jobs: int
    label: str = ""
    server: Server = field(default_factory=Server)
    ages: tuple[float, float] = (0.0, 0.0)
    interval: float = 5.0
    seconds: float = 120.0
    extra: dict[str, Any] = field(default_factory=dict)


class RunFailed(RuntimeError):
    """A run ended without a result."""


def environment(home: Path, trusted: Path) -> dict[str, str]:
    """Return the environment of a contender: an Airflow that knows nothing, and the certificate to trust."""
    foreign = ("AIRFLOW", "PYTHON", "SSL_", "REQUESTS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "SSL_CERT_FILE": str(trusted),
        "REQUESTS_CA_BUNDLE": str(trusted),
        "PYTHONPATH": str(ROOT),
    }


@contextlib.contextmanager
def serving(service: str, server: Server, directory: Path, certificate: Path) -> Iterator[int]:
    """Run the server; yield its port."""
    port_file = directory / "port"
    command = [sys.executable, "-m", "tests.benchmarks.server", "--service", service]
    command += ["--certificate", str(certificate), "--port-file", str(port_file), *server.arguments()]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
    try:
        until = time.monotonic() + 60
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RunFailed(f"The server for {service} did not start.")
            time.sleep(0.05)
        yield int(port_file.read_text())
    finally:
        process.kill()
        process.wait()


def _own_seconds() -> float:
    """Return the CPU seconds of this process and of the servers and contenders that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run(plan: Plan) -> dict[str, Any]:
    """
    Carry out one run.

    :raises RunFailed: it ended without a result.
    """
    contender = CONTENDERS[plan.contender]
    began, busy, own = time.monotonic(), busy_seconds(), _own_seconds()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        certificate, trusted = make_certificate(directory)
        with serving(contender.service, plan.server, directory, certificate) as port:
            spec = {"contender": plan.contender, "port": port, "jobs": plan.jobs, "kind": plan.server.kind}
            spec |= {"youngest": plan.ages[0], "oldest": plan.ages[1]}
            spec |= {"interval": plan.interval, "seconds": plan.seconds}
            env = environment(directory / "airflow", trusted) | contender.environment(HOST, port, **plan.extra)
            out, log = directory / "result.json", directory / "log"
            with log.open("wb") as output:
                done = subprocess.run(
                    [sys.executable, "-m", "tests.benchmarks.drive", json.dumps(spec), str(out)],
                    cwd=ROOT,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=plan.seconds + 180,
                )
        lines = log.read_text(errors="replace").splitlines()
        if done.returncode != 0:
            raise RunFailed(f"{plan.contender} failed:\n" + "\n".join(lines[-40:]))
        result: dict[str, Any] = json.loads(out.read_text())
    others = max(0.0, busy_seconds() - busy - (_own_seconds() - own))
    # Means something only where one run is made at a time.
    result["others_share"] = others / (len(os.sched_getaffinity(0)) * (time.monotonic() - began))
    result["log_lines"] = len(lines)
    if os.environ.get("BENCH_LOGS"):
        Path(os.environ["BENCH_LOGS"], f"{plan.contender}-{plan.label}-{plan.jobs}.log").write_text("\n".join(lines))
    result["label"] = plan.label
    result["server_plan"] = vars(plan.server)
    result["extra"] = plan.extra
    return result


def run_together(plans: Sequence[Plan], at_a_time: int = 1) -> list[dict[str, Any]]:
    """
    Carry out runs, some at the same time where what is counted does not depend on the machine's speed.

    :param plans: in the order of the results.
    :param at_a_time: how many.
    """

    def one(plan: Plan) -> dict[str, Any]:
        began = time.monotonic()
        result = run(plan)
        print(
            f"  {plan.contender}{f' ({plan.label})' if plan.label else ''}: {plan.jobs} jobs, "
            f"{result['cpu_seconds']:.2f} CPU s, {result['server']['requests']} requests, "
            f"{result['server']['refused']} refused, {result['lost']} lost, late p95 {result['late_p95'] or -1:.1f} s, "
            f"+{result['memory_growth_mb']:.0f} MB, block {result['longest_block']:.2f} s "
            f"[{time.monotonic() - began:.0f} s]",
            flush=True,
        )
        return result

    with ThreadPoolExecutor(at_a_time) as pool:
        return list(pool.map(one, plans))
