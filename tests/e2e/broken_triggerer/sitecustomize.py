# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Breaks triggers, in a triggerer and nowhere else; Python imports this file by itself, being on ``PYTHONPATH``.

A test says what is to break, by files in the directory that ``BROKEN_TRIGGERS`` names:

- ``import-fails``: the next import of the generations' trigger fails, and renames the file to ``import-failed``.
- ``inflate-fails``: a trigger for the vendor named in it cannot be made from its arguments, as after a change of them.
- ``crash``: the trigger of a task named ``crash...`` does nothing until the file is there; then it raises, once.

It is told by a file of the task's name that a task's trigger runs.
"""

from __future__ import annotations

import asyncio
import importlib.machinery
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

SIGNS = Path(os.environ.get("BROKEN_TRIGGERS", os.devnull))
BASE = "airflow_provider_adgen.triggers.base"
GENERATION = "airflow_provider_adgen.triggers.generation"


def break_run(kind: Any) -> None:
    whole = kind.run

    async def run(self: Any) -> AsyncIterator[Any]:
        name = self.task_instance.task_id
        (SIGNS / name).touch()
        crashed = SIGNS / f"{name} has crashed"
        if name.startswith("crash") and not crashed.exists():
            while not (SIGNS / "crash").exists():  # noqa: ASYNC110 - it is told by another process
                await asyncio.sleep(0.1)
            crashed.touch()
            raise RuntimeError(f"A test has broken the trigger of {name}.")
        async for event in whole(self):
            yield event

    kind.run = run


def break_making(kind: Any) -> None:
    whole = kind.__init__

    def init(self: Any, **arguments: Any) -> None:
        refused = SIGNS / "inflate-fails"
        if refused.exists() and refused.read_text() == arguments["vendor"]:
            raise TypeError("A test has broken the arguments.")
        whole(self, **arguments)

    kind.__init__ = init


class Breaker:
    """Finds the two modules, and changes what is in them."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name not in {BASE, GENERATION}:
            return None
        broken = SIGNS / "import-fails"
        if name == GENERATION and broken.exists():
            broken.rename(SIGNS / "import-failed")
            raise ImportError("A test has broken the import.")
        spec: Any = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def changed(module: Any) -> None:
            load(module)
            if name == BASE:
                break_run(module.PollTrigger)
            else:
                break_making(module.GenerationTrigger)

        spec.loader.exec_module = changed
        return spec


if "triggerer" in sys.orig_argv:
    sys.meta_path.insert(0, Breaker)  # type: ignore[arg-type]  # a class will do
