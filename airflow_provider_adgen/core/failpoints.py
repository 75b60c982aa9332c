# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Named points in the life of a paid generation at which a chaos test can kill the process.

They are off unless the environment variable ``ADGEN_FAILPOINTS`` names a directory when this module is imported. While
they are off, a call is one comparison with None.

A test kills a process by putting a file into that directory: ``<point>`` for the first process that gets there, or
``<point>@<run id>@<task id>`` for one task. The file may hold a number of seconds: the kill then comes so much later,
and the process goes on meanwhile. The file is removed.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

_ARMED = os.environ.get("ADGEN_FAILPOINTS")


def failpoint(point: str) -> None:
    """
    Die here by SIGKILL if a test ordered it.

    :param point: the name of this place.
    """
    if _ARMED is None:
        return
    # Airflow tells a task's process by its environment which task it is.
    task = f"{os.environ.get('AIRFLOW_CTX_DAG_RUN_ID', '')}@{os.environ.get('AIRFLOW_CTX_TASK_ID', '')}"
    for name in (f"{point}@{task}", point):
        order = Path(_ARMED, name)
        try:
            text = order.read_text()
            order.unlink()
        except FileNotFoundError:
            continue
        if text.strip():
            threading.Timer(float(text), _die).start()
        else:
            _die()
        return


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
