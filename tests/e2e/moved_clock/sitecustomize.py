# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Moves this package's clock in every process of an Airflow; Python imports this file by itself, being on ``PYTHONPATH``.

The file that ``ADGEN_MOVED_CLOCK`` names says how many seconds the clock is ahead. It is read at every look at the
clock, so that a test moves the clock of processes that run. Airflow's own clock stays as it is.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import time
from pathlib import Path
from typing import Any

AHEAD = Path(os.environ.get("ADGEN_MOVED_CLOCK", os.devnull))
CLOCK = "airflow_provider_adgen.core.clock"


def now(_clock: Any) -> float:
    return time.time() + float(AHEAD.read_text())


class Mover:
    """Finds the module, and changes what is in it."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name != CLOCK:
            return None
        spec: Any = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def changed(module: Any) -> None:
            load(module)
            module.Clock.now = now

        spec.loader.exec_module = changed
        return spec


if "ADGEN_MOVED_CLOCK" in os.environ:
    sys.meta_path.insert(0, Mover)  # type: ignore[arg-type]  # a class will do
