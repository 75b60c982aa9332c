# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A sandbox in a process of its own, beside a whole Airflow."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from airflow_provider_adgen.sandbox.client import SandboxClient

if TYPE_CHECKING:
    from pathlib import Path

    from tools.processes import Programs


_PATIENCE = 60


class SandboxProcess(SandboxClient):
    """
    A sandbox in a process of its own, which can be killed and started again with its state.

    :param programs: starts it, and ends it.
    :param work: the folder for its state.
    :param options: arguments of its command line.
    :raises ProcessDied: it has ended at once.
    :raises TimeoutError: it did not start.
    """

    def __init__(self, programs: Programs, work: Path, options: list[str]) -> None:
        self._programs = programs
        self._port_file = work / "sandbox.port"
        self._command = [sys.executable, "-m", "airflow_provider_adgen.sandbox"]
        self._command += ["--state", str(work / "sandbox.db"), "--port-file", str(self._port_file), *options]
        super().__init__(f"http://127.0.0.1:{self.start()}")

    def start(self, port: int = 0) -> int:
        """Start the process; return its port."""
        self._port_file.unlink(missing_ok=True)
        program = self._programs.start("sandbox", [*self._command, "--port", str(port)], os.environ)
        deadline = time.monotonic() + _PATIENCE
        while not self._port_file.exists():
            program.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"The sandbox did not start within {_PATIENCE} s:\n{program.tail()}")
            time.sleep(0.05)
        return int(self._port_file.read_text())

    def restart(self) -> None:
        """Kill the process and start it again, with its state and on its port."""
        port = int(self._port_file.read_text())
        self._programs.stop("sandbox", grace=0)
        self.start(port)
