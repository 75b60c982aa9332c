# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What one poll request costs, for somebody who works on the wire: ``python -m tests.benchmarks.poll_cost cutx``.

It polls through the trigger's own target and the poll loop's own connection, without the loop's schedule, and prints
CPU milliseconds per request at several numbers of requests under way. The server is another process: its CPU is not
part of it. The first requests, which import, look up and connect, are not part of it either.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from itertools import cycle
from pathlib import Path

from tests.benchmarks.certificate import make_certificate
from tests.benchmarks.contenders import CONTENDERS, OURS, Waiting
from tests.benchmarks.drive import ask
from tests.benchmarks.run import HOST, Server, environment, serving

JOBS = 200


async def measure(contender: str, port: int, requests: int, concurrencies: list[int]) -> None:
    """Poll and print, at one number of requests under way after the other."""
    from airflow_provider_adgen.triggers.connection import LiveConnection
    from airflow_provider_adgen.triggers.generation import GenerationTrigger

    make = CONTENDERS[contender].trigger
    begun = ask(port, f"/-/begin?jobs={JOBS}&youngest=0&oldest=0")
    made = [make(Waiting(job, created, created + 3600, 5.0)) for job, created in begun["jobs"]]
    triggers = [trigger for trigger in made if isinstance(trigger, GenerationTrigger)]
    await triggers[0].prepare()
    connection = LiveConnection(triggers[0].conn_id)
    await connection.look_up()
    wire = connection.wire
    assert wire is not None
    targets = cycle([trigger.target() for trigger in triggers])

    async def poll(times: int) -> None:
        for _ in range(times):
            found = await next(targets).poll(wire)
            assert not found.over, "The jobs ended too soon: poll fewer times."

    print("under way  CPU ms per request  requests a second  new connections")
    for concurrency in concurrencies:
        before = ask(port, "/-/report")
        await asyncio.gather(*(poll(2) for _ in range(concurrency)))
        each = max(1, requests // concurrency)
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(poll(each) for _ in range(concurrency)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        after, polls = ask(port, "/-/report"), concurrency * each
        seen = after["requests"] - before["requests"] - 2 * concurrency
        assert seen == polls, f"The server saw {seen} requests, not {polls}."
        connections = after["connections"] - before["connections"]
        print(f"{concurrency:9}  {1000 * cpu / polls:18.3f}  {polls / wall:17.0f}  {connections:15}", flush=True)
    await connection.aclose()


def main() -> None:
    """Serve, and measure in this process."""
    parser = argparse.ArgumentParser(description="CPU per poll request of our own way to the vendor.")
    parser.add_argument("contender", choices=[name for name in OURS if name != "cinematicads"])
    parser.add_argument("--requests", type=int, default=2000, help="at each number of requests under way")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 64], help="requests under way")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that the server takes")
    given = parser.parse_args()
    contender = CONTENDERS[given.contender]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        certificate, trusted = make_certificate(directory)
        with serving(contender.service, Server(3000, 3600, given.latency), directory, certificate) as port:
            # Before anything of Airflow is imported, which reads it.
            os.environ.update(environment(directory / "airflow", trusted) | contender.environment(HOST, port))
            asyncio.run(measure(given.contender, port, given.requests, given.concurrency))


if __name__ == "__main__":
    main()
