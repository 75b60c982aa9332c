# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of W6: ``python -m tests.benchmarks.batch_process worker|triggerer``.

Each reads one JSON object per line, does what it says, and answers with one. A worker forks a process for each leg, as
Airflow starts one for each: what our package imports and keeps is the leg's. A triggerer runs all triggers in one loop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measure import forget_peak, peak, resident

if TYPE_CHECKING:
    from collections.abc import Callable

TASK_ID = "make"


def _measured(act: Callable[[], Any]) -> dict[str, Any]:
    """Do something; return what came of it, its seconds, its CPU and how much more memory was held."""
    gc.collect()
    forget_peak()
    memory, began, cpu = resident(), time.monotonic(), time.process_time()
    came = act()
    return {
        "came": came,
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "memory_growth_mb": peak() - memory,
    }


# --- the worker -------------------------------------------------------------------------------------------------------


def _items(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items, as a task before would have made them."""
    request = order["request"]
    return [
        {"key": f"p{number:05d}/hero", "request": {**request, "prompt": f"A bottle of lemonade, number {number}"}}
        for number in range(order["items"])
    ]


def _leg(order: dict[str, Any]) -> dict[str, Any]:
    """Run one leg in this process; return what it waits for, or what the task returned."""
    from airflow_provider_adgen.compat import TaskDeferred
    from airflow_provider_adgen.operators.batch import GenerateBatchOperator
    from tests.support.tasks import task_context

    operator = GenerateBatchOperator(task_id=TASK_ID, items=_items(order), deferrable=True, **order["fields"])
    context = task_context(None, try_number=order["try_number"])
    event = order.get("event")
    try:
        told = operator.execute(context) if event is None else operator.execute_complete(context, event)
    except TaskDeferred as deferral:
        path, arguments = deferral.trigger.serialize()
        return {"trigger": path, "arguments": arguments}
    return {"told": told}


def _forked(order: dict[str, Any]) -> dict[str, Any]:
    """Run one leg in a process of its own."""
    mine, theirs = os.pipe()
    gc.collect()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        os.close(mine)
        os.environ |= order.get("environment", {})
        try:
            if order.get("remote_seconds"):
                from tests.support.remote_disk import remote_disk

                with remote_disk(order["folder"], order["remote_seconds"]) as (_, path):
                    os.environ["AIRFLOW__ADGEN__LEDGER_PATH"] = path
                    answer = _measured(lambda: _leg(order))
            else:
                answer = _measured(lambda: _leg(order))
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:4000]}
        with os.fdopen(theirs, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(mine, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    answer: dict[str, Any] = json.loads(text) if text else {"error": "the leg's process died"}
    return answer


def _prepare_worker() -> None:
    """Import what a worker has imported when it starts a task."""
    for name in ("airflow.sdk.execution_time.task_runner", "airflow_provider_adgen.operators.batch"):
        import_module(name)
    import_module("tests.support.tasks")


# --- the triggerer ----------------------------------------------------------------------------------------------------


def _prepare_triggerer() -> None:
    """Import what a triggerer has imported before it runs the first trigger."""
    for name in ("airflow.jobs.triggerer_job_runner", "airflow_provider_adgen.triggers.batch"):
        import_module(name)


async def _event(order: dict[str, Any]) -> Any:
    module, _, name = order["trigger"].rpartition(".")
    trigger = getattr(import_module(module), name)(**order["arguments"])
    (event,) = [one async for one in trigger.run()]
    return event.payload


def main() -> None:
    """Take orders until there are none."""
    # What Airflow logs goes elsewhere.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = sys.argv[1] == "worker"
    (_prepare_worker if worker else _prepare_triggerer)()
    with asyncio.Runner() as runner:
        if not worker:
            runner.run(asyncio.sleep(0))  # so that making the loop is not part of it
        gc.collect()
        forget_peak()
        memory = resident()
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            if worker:
                answer = _forked(order)
            else:
                cpu = time.process_time()
                answer = {"came": runner.run(_event(order))}
                answer |= {"cpu_seconds": time.process_time() - cpu, "memory_growth_mb": peak() - memory}
            print(json.dumps(answer), file=answers, flush=True)


def folder_of_batch(ledger: Path) -> Path:
    """Return where the frozen items and the snapshots of the one batch in a ledger are."""
    (found,) = ledger.glob(f"*/*/{TASK_ID}/*/batch")
    return found


if __name__ == "__main__":
    main()
