# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Keeps Python's full collections of garbage short in a triggerer, where each of them holds up every trigger.

A full collection goes through all that Airflow has imported, some 200,000 objects, on the event loop. Taken out of it
once, they are not gone through again.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

from airflow_provider_adgen.settings import freeze_heap

# What runs in a triggerer that has just started. What is set aside and becomes garbage that refers to itself is never
# freed, so it must not be what many triggers hold.
_FEW_TASKS = 20
# Where it is done: counting what is set aside takes a while.
_done = weakref.WeakSet[asyncio.AbstractEventLoop]()


def freeze_gc() -> None:
    """Take what the process holds by now out of full collections: once, in a triggerer, while little else runs."""
    loop = asyncio.get_running_loop()
    if loop in _done or not freeze_heap():
        return
    tasks = asyncio.all_tasks()
    if len(tasks) <= _FEW_TASKS and any(map(_is_the_triggerers, tasks)):
        _done.add(loop)
        if not gc.get_freeze_count():
            gc.freeze()


def _is_the_triggerers(task: asyncio.Task[Any]) -> bool:
    """Whether this is the task in which Airflow's triggerer, and no test or DAG that tests itself, watches the loop."""
    return getattr(task.get_coro(), "__qualname__", "") == "TriggerRunner.block_watchdog"
