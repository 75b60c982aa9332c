# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One run for somebody who works on the poll loop: ``python -m tests.benchmarks.one cutx 1000 --limit 100``."""

from __future__ import annotations

import argparse
import json

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.run import Plan, Server, run_together


def main() -> None:
    """Run and print everything that is known of it."""
    parser = argparse.ArgumentParser(description="One run of one contender.")
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("jobs", type=int)
    parser.add_argument("--kind", default="image", help="what the jobs make: image, or video of CutX")
    parser.add_argument("--youngest", type=float, default=0.0, help="seconds since the last job was submitted")
    parser.add_argument("--oldest", type=float, help="seconds since the first job was submitted; default: as the last")
    parser.add_argument("--seconds", type=float, default=120.0, help="when to stop")
    parser.add_argument("--interval", type=float, default=5.0, help="poll interval")
    parser.add_argument("--rpm", type=float, help="requests_per_minute in the connection")
    parser.add_argument("--first", type=float, default=15.0)
    parser.add_argument("--last", type=float, default=35.0)
    parser.add_argument("--latency", type=float, default=0.15)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--window", type=float, default=1.0)
    parser.add_argument("--history", type=int, default=0)
    parser.add_argument("--oldest-first", action="store_true")
    given = parser.parse_args()
    server = Server(
        given.first,
        given.last,
        given.latency,
        given.limit,
        given.window,
        given.history,
        given.oldest_first,
        given.kind,
    )
    oldest = given.youngest if given.oldest is None else given.oldest
    extra = {"requests_per_minute": given.rpm} if given.rpm else {}
    plan = Plan(
        given.contender,
        given.jobs,
        server=server,
        ages=(given.youngest, oldest),
        interval=given.interval,
        seconds=given.seconds,
        extra=extra,
    )
    print(json.dumps(run_together([plan])[0], indent=2))


if __name__ == "__main__":
    main()
