# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The cold path: what a DAG file pays for importing our operators, each time that it is parsed.

Every number is the median over fresh processes, the compared ones taken in turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
TASKS = 100
ROUNDS = 5

OPERATORS = ("adsumo", "cutx", "sume", "cinematicads", "generate", "credits", "download")
"""Our operator modules."""

UNWANTED = ("httpx", "httpx_sse", "airflow_provider_adgen.sandbox", "airflow_provider_adgen.vendors", "starlette", "av")
"""What no import of an operator module may pull in by itself."""

# Everything that a DAG file with any operator has imported before: it is not ours.
_BEFORE = """
import sys, time
from airflow.sdk import DAG, task, BaseOperator, Asset
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.common.compat.sdk import conf
"""

_IMPORT = (
    _BEFORE
    + """
before = set(sys.modules)
cpu = time.process_time()
import {module}
cpu = time.process_time() - cpu
new = sorted(set(sys.modules) - before)
import json
print(json.dumps({{"seconds": cpu, "modules": new}}))
"""
)

_PARSE = """
import json, sys, time
cpu, wall = time.process_time(), time.perf_counter()
from airflow.dag_processing.dagbag import DagBag
imported = time.process_time() - cpu
parse = time.process_time()
bag = DagBag({folder!r})
parse = time.process_time() - parse
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
print(json.dumps({{"import": imported, "parse": parse, "total": time.process_time() - cpu, "tasks": len(dag.tasks)}}))
"""

EMPTY = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("cold"):
    for number in range({tasks}):
        EmptyOperator(task_id=f"task_{{number}}")
"""

OURS = """
from airflow.sdk import DAG
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator

with DAG("cold"):
    for number in range({tasks}):
        AdsumoTextToImageOperator(
            task_id=f"task_{{number}}",
            prompt="A minimalist product shot of white sneakers",
            model="fast",
            aspect_ratio="1:1",
            quantity=2,
            poll_interval=30,
            max_credits=10,
            destination="file:///tmp/creatives",
            deferrable=True,
        )
"""


def _python(code: str, home: Path) -> Any:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    env |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=env, cwd=home, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def imported(module: str, home: Path) -> dict[str, Any]:
    """Import a module after what any DAG file imports; return its CPU seconds and the modules that it pulled in."""
    found: dict[str, Any] = _python(_IMPORT.format(module=module), home)
    return found


def parsed(source: str, home: Path, tasks: int = TASKS) -> dict[str, Any]:
    """Parse one DAG file in a fresh process; return CPU seconds."""
    folder = home / "dags"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cold.py").write_text(source.format(tasks=tasks))
    found: dict[str, Any] = _python(_PARSE.format(folder=str(folder)), home)
    assert found["tasks"] == tasks
    return found


def measure(rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Measure imports and parsing; return one record per operator module and one for parsing."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as name:
        home = Path(name)
        for operator in OPERATORS:
            module = f"airflow_provider_adgen.operators.{operator}"
            runs = [imported(module, home) for _ in range(3)]
            modules = runs[0]["modules"]
            results.append(
                {
                    "what": "import",
                    "module": module,
                    "seconds": statistics.median(run["seconds"] for run in runs),
                    "modules": len(modules),
                    "own_modules": sum(1 for one in modules if one.startswith("airflow_provider_adgen")),
                    "unwanted": unwanted(modules),
                }
            )
            print(f"  import {module}: {results[-1]['seconds'] * 1000:.0f} ms, {len(modules)} modules", flush=True)
        pairs = [(parsed(EMPTY, home), parsed(OURS, home)) for _ in range(rounds)]
        parse: dict[str, Any] = {"what": "parse", "tasks": TASKS}
        for place, who in enumerate(("empty", "ours")):
            for which in ("import", "parse", "total"):
                parse[f"{who}_{which}"] = statistics.median(pair[place][which] for pair in pairs)
        parse["ratio"] = statistics.median(ours["total"] / empty["total"] for empty, ours in pairs)
        results.append(parse)
        print(f"  parse {TASKS} operators: {parse['ratio']:.2f} times EmptyOperator's", flush=True)
    return results


def unwanted(modules: list[str]) -> list[str]:
    """Return those of *modules* that must not be there."""
    return [one for one in modules if any(one == name or one.startswith(name + ".") for name in UNWANTED)]
