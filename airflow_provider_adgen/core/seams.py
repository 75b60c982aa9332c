# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Named points in the life of a paid generation at which a chaos test can kill the process.

Off unless the environment variable ``ADGEN_SEAMS`` names a directory when this module is imported: a call is then one
comparison with None.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_ARMED = os.environ.get("ADGEN_SEAMS")


def seam(point: str) -> None:
    """
    Die here by SIGKILL if a test put a file of this name into the directory; the file is used up.

    :param point: the name of this place.
    """
    if _ARMED is None:
        return
    try:
        (Path(_ARMED) / point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
