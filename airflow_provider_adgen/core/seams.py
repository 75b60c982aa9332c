# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Named points in the life of a paid generation at which a chaos test can kill the process.

Off unless the environment variable ``ADGEN_SEAM`` is set when this module is imported; then a call is one comparison
with None.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_ARMED = os.environ.get("ADGEN_SEAM")


def seam(point: str) -> None:
    """
    Die here by SIGKILL if a test asked for it: ``ADGEN_SEAM=<point>=<marker file>``, once per marker file.

    :param point: the name of this place.
    """
    if _ARMED is None:
        return
    wanted, _, marker = _ARMED.partition("=")
    if wanted != point:
        return
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:  # it already happened once: this is the try that must survive
        return
    os.kill(os.getpid(), signal.SIGKILL)
