# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs tries of a batch in processes of their own, to be killed while they run.

``python -m tests.support.batch_try`` imports everything once, and forks a process for each try: it reads one JSON
object per line, and answers with the process id of a try that it has started, or with how one ended.
:class:`Tries` drives it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tries:
    """
    The tries of one batch.

    :param folder: for the outcomes.
    :param environment: further variables.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.batch_try"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "tries.log").open("w"),
            text=True,
            env={**os.environ, **environment},
        )
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.wait()

    def start(self, fields: Mapping[str, Any], *, try_number: int, max_tries: int = 1, **ti: Any) -> Try:
        """Start one try of an operator with these arguments."""
        self._number += 1
        outcome = self._folder / f"try-{self._number}.json"
        order = {"fields": dict(fields), "ti": {"try_number": try_number, "max_tries": max_tries, **ti}}
        return Try(self, self.ask({**order, "outcome": str(outcome)}), outcome)

    def ask(self, value: dict[str, Any]) -> int:
        """Send an order, and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks has died; tries.log says why"
        return int(line)


class Try:
    """One try that runs."""

    def __init__(self, tries: Tries, pid: int, outcome: Path) -> None:
        self._tries = tries
        self._pid = pid
        self._outcome = outcome

    def kill(self, after: float, number: int = signal.SIGKILL) -> None:
        """Send a signal after so many seconds; harmless if the try is over."""
        time.sleep(after)
        if not self._outcome.exists():
            os.kill(self._pid, number)

    def wait(self) -> dict[str, Any]:
        """Return how it ended: ``told``, ``error``, or nothing where it was killed."""
        self._tries.ask({"wait": self._pid})
        return json.loads(self._outcome.read_text()) if self._outcome.exists() else {}


def _run(order: dict[str, Any]) -> dict[str, Any]:
    from airflow_provider_adgen.operators.batch import GenerateBatchOperator
    from tests.support.tasks import run_task, task_context

    operator = GenerateBatchOperator(**order["fields"])
    # As Airflow's task runner does it.
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    context = task_context(**order["ti"])
    try:
        return {"told": run_task(operator, context), "error": None}
    except Exception as error:
        return {"told": None, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def main() -> None:
    """Fork a process for each order."""
    import tests.support.tasks  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitpid(order["wait"], 0)[1], flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)  # the standard output is for answers
            outcome = _run(order)
            scratch = Path(order["outcome"] + ".tmp")
            scratch.write_text(json.dumps(outcome))
            scratch.rename(order["outcome"])
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
