# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
``python -m tests.benchmarks [w1 w2 w3 w4 w6 cold | w5 | report]``: measure, keep what came of it, write the page.

Each part's results are kept in ``build/bench/<part>.json``; the page is written from all that are there, so a part can
be measured anew by itself. ``w1`` stands for its three parts, ``w1-0``, ``w1-150`` and ``w1-500``. ``report`` only
writes the page. ``--draft --jobs 100`` tries whether W1 or W6 works; such results never get on the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.batches import w6
from tests.benchmarks.machine import machine
from tests.benchmarks.run import ROOT, RunFailed
from tests.benchmarks.workloads import LATENCIES, WORKLOADS, w1

KEPT = ROOT / "build" / "bench"
PARTS = ("w1", *WORKLOADS, "w5", "report")


def main() -> int:
    """Measure what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(description="Measure what waiting costs, beside other providers.")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all but w5 and report")
    parser.add_argument("--tasks", type=int, default=500, help="mapped tasks of w5")
    parser.add_argument("--draft", action="store_true", help="keep results and page apart, in build/bench/draft")
    parser.add_argument("--jobs", type=int, default=1000, help="jobs of w1 and items of w6, for a draft")
    given = parser.parse_args()
    if given.jobs != 1000 and not given.draft:
        parser.error("--jobs needs --draft: the page is of 1,000 jobs.")
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"There is no part {', '.join(sorted(unknown))}.")
    kept_in = KEPT / "draft" if given.draft else KEPT
    kept_in.mkdir(parents=True, exist_ok=True)
    parts = [one for part in given.parts or WORKLOADS for one in (LATENCIES if part == "w1" else (part,))]
    for part in parts:
        if part == "report":
            continue
        print(f"{part} ...", flush=True)
        began = time.time()
        try:
            results: list[dict[str, Any]]
            if part == "w5":
                from tests.benchmarks.whole import w5

                results = w5(given.tasks, kept_in / "w5")
            elif part in LATENCIES:
                results = w1(part, given.jobs)
            elif part == "w6" and given.draft:
                results = w6(given.jobs)
            else:
                results = WORKLOADS[part]()
        except RunFailed as error:
            print(error, file=sys.stderr)
            return 1
        seconds = time.time() - began
        kept = {"part": part, "made": began, "seconds": seconds, "machine": machine(), "results": results}
        (kept_in / f"{part}.json").write_text(json.dumps(kept, indent=1))
        print(f"{part}: {seconds:.0f} s", flush=True)
    for path in report.write(kept_in, kept_in if given.draft else ROOT / "docs"):
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
