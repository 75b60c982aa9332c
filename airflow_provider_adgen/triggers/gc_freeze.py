# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Shorter full garbage collections in a triggerer (``[adgen] freeze_heap``, off by default).

A full collection scans all that Airflow has imported, some 200,000 objects, and stops the event loop for that time.
Frozen objects are not scanned.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

from airflow_provider_adgen.settings import freeze_heap

# A triggerer that has just started runs fewer tasks. A frozen object is never freed if it becomes garbage in a
# reference cycle, so the objects of many triggers must not be frozen.
_FEW_TASKS = 20
# Loops where it was done. Counting the frozen objects takes time.
_done = weakref.WeakSet[asyncio.AbstractEventLoop]()


def freeze_gc() -> None:
    """Freeze all objects of this process: once, in a triggerer, while few other tasks run."""
    loop = asyncio.get_running_loop()
    if loop in _done or not freeze_heap():
        return
    tasks = asyncio.all_tasks()
    if len(tasks) <= _FEW_TASKS and any(map(_is_the_triggerers, tasks)):
        _done.add(loop)
        if not gc.get_freeze_count():
            gc.freeze()


def _is_the_triggerers(task: asyncio.Task[Any]) -> bool:
    """Whether this task is the one in which Airflow's triggerer watches its event loop; only a triggerer has it."""
    return getattr(task.get_coro(), "__qualname__", "") == "TriggerRunner.block_watchdog"
