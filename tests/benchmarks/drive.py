# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Run one contender's triggers in one event loop and measure this process: ``python -m tests.benchmarks.drive SPEC OUT``.

SPEC is a JSON object, see :class:`Spec`; the result is written to the file OUT. The triggers are made and run as a
triggerer does it, without its supervisor: their own ``run()``, one task each, what they log formatted and written.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import logging
import os
import ssl
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.contenders import CONTENDERS, Waiting
from tests.benchmarks.measure import Loops, forget_peak, mean, peak, percentile, resident

if TYPE_CHECKING:
    from tests.benchmarks.contenders import Contender


@dataclass(frozen=True)
class Spec:
    """
    One run.

    :param contender: who waits.
    :param port: where the server listens.
    :param jobs: how many triggers.
    :param kind: what the jobs make.
    :param youngest: seconds since the last job was submitted, as if another triggerer had waited for it so far.
    :param oldest: seconds since the first job was submitted; the ages of all others lie evenly between.
    :param interval: seconds between polls.
    :param seconds: when to stop, whoever still waits.
    """

    contender: str
    port: int
    jobs: int
    kind: str = "image"
    youngest: float = 0.0
    oldest: float = 0.0
    interval: float = 5.0
    seconds: float = 120.0


@dataclass
class Ends:
    """When which trigger learned what."""

    good: dict[str, float] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)


def ask(port: int, path: str, trusted: str | None = None) -> Any:
    """Ask the server something that is not counted; by the certificate *trusted*, or the environment's."""
    context = ssl.create_default_context(cafile=trusted)
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    connection.request("GET", path)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


async def wait_for(contender: Contender, waiting: Waiting, ends: Ends) -> None:
    """Run one trigger to its end."""
    try:
        trigger = contender.trigger(waiting)
        async for event in trigger.run():
            if contender.good(event.payload):
                ends.good[waiting.job] = time.time()
            else:
                ends.lost[str(event.payload.get("message") or event.payload.get("status"))[:200]] += 1
            return
        ends.lost["no event"] += 1
    except asyncio.CancelledError:
        ends.lost["not ended in time"] += 1
        raise
    except Exception as error:
        ends.lost[f"{type(error).__name__}: {error}"[:200]] += 1


async def run_all(contender: Contender, spec: Spec, begun: dict[str, Any], ends: Ends) -> None:
    """Run all triggers until the last one ends, or the time is over."""
    now = begun["now"]
    tasks = []
    for job, created in begun["jobs"]:
        waiting = Waiting(job, created, now + spec.seconds + 60, spec.interval, spec.kind)
        tasks.append(asyncio.create_task(wait_for(contender, waiting, ends)))
        await asyncio.sleep(0)  # as the triggerer does
    _, left = await asyncio.wait(tasks, timeout=max(0.0, now + spec.seconds - time.time()))
    for task in left:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def import_trigger(contender: Contender) -> None:
    """Import what a triggerer has imported before it runs the first trigger."""
    import airflow.jobs.triggerer_job_runner  # noqa: F401 - only to have it imported

    contender.trigger(Waiting("1", 0.0, 0.0, 5.0))


def main() -> None:
    """Run and report."""
    spec = Spec(**json.loads(sys.argv[1]))
    contender = CONTENDERS[spec.contender]
    import_trigger(contender)
    logging.basicConfig(level=logging.INFO, force=True)
    loops, ends = Loops(), Ends()
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(asyncio.sleep(0))  # so that making the loop is not part of it
        gc.collect()
        begun = ask(spec.port, f"/-/begin?jobs={spec.jobs}&youngest={spec.youngest}&oldest={spec.oldest}")
        forget_peak()
        memory, cpu, files = resident(), time.process_time(), len(os.listdir("/proc/self/fd"))
        loops.selector.reset()
        runner.run(run_all(contender, spec, begun, ends))
        cpu, wall, top = time.process_time() - cpu, time.time() - begun["now"], peak()
        turns = loops.selector
        blocks = {
            "longest_block": turns.longest,
            "longest_block_own": turns.longest_own,
            "longest_collection": turns.longest_collection,
            "blocks": turns.blocks,
        }
        runner.run(asyncio.sleep(0.1))
        left_open = len(os.listdir("/proc/self/fd")) - files
    server = ask(spec.port, "/-/report")
    due = server.pop("ends")
    late = [moment - due[job] for job, moment in ends.good.items()]
    last = server.pop("last_first_told")
    result = {
        "spec": vars(spec),
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "memory_before_mb": memory,
        "memory_growth_mb": top - memory,
        **blocks,
        "files_left_open": left_open,
        "ended": len(ends.good),
        "lost": spec.jobs - len(ends.good),
        "lost_why": dict(ends.lost.most_common(5)),
        "late_mean": mean(late),
        "late_p95": percentile(late, 0.95),
        "late_max": max(late, default=None),
        "early": sum(1 for seconds in late if seconds < 0),
        "first_status_of_last_job": last - begun["now"] if last and server["jobs_told"] >= spec.jobs else None,
        "server": server,
    }
    Path(sys.argv[2]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
