# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a DAG file pays for our operators each time that it is parsed; ``make bench`` measures it in milliseconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_adgen.operators.adsumo import AdsumoTalkingAvatarOperator, AdsumoTextToImageOperator
from airflow_provider_adgen.operators.cinematicads import CinematicAdsWorkflowOperator
from airflow_provider_adgen.operators.cutx import CutxVideoOperator
from airflow_provider_adgen.operators.sume import SumeAdVideoOperator

ROOT = Path(__file__).resolve().parents[3]
OPERATORS = Path("airflow_provider_adgen/operators")

IMPORT = """
import json, sys, time
begun = time.process_time()
from airflow.sdk import DAG, BaseOperator, Asset, task
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
airflow, before = time.process_time() - begun, set(sys.modules)
begun = time.process_time()
import {modules}
print(json.dumps([airflow, time.process_time() - begun, sorted(set(sys.modules) - before)]))
"""


def operator_modules() -> list[str]:
    return [f"airflow_provider_adgen.operators.{path.stem}" for path in sorted((ROOT / OPERATORS).glob("[a-z]*.py"))]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, float, list[str]]:
    """Import all operator modules in a fresh process that already holds what any DAG file imports."""
    home = tmp_path_factory.mktemp("cold")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    env |= {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT)}
    code = textwrap.dedent(IMPORT).format(modules=", ".join(operator_modules()))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=env, check=True, stdout=subprocess.PIPE)
    airflow, ours, modules = json.loads(done.stdout.splitlines()[-1])
    return airflow, ours, modules


def test_operator_modules_import_nothing_that_only_a_running_task_needs(imported):
    _, _, modules = imported
    heavy = ("httpx", "httpx_sse", "pydantic", "tenacity", "starlette", "uvicorn", "av", "PIL", "cryptography")
    own = ("airflow_provider_adgen.sandbox", "airflow_provider_adgen.vendors", "airflow_provider_adgen.core.http")
    assert [name for name in modules if name.startswith(tuple(f"{one}." for one in (*heavy, *own)))] == []
    assert set(modules).isdisjoint({*heavy, *own})


def test_operator_modules_import_little(imported):
    _, _, modules = imported
    # All operators of all vendors together; each module is a file that every parse of every DAG file opens.
    assert len(modules) < 60, modules


def test_importing_operators_is_cheap_beside_importing_airflow(imported):
    airflow, ours, _ = imported
    # Both in CPU time of one process, so a busy machine slows both. It is a few hundredths, or a tenth where ours have
    # to be compiled first.
    assert ours < airflow / 5, (ours, airflow)


def calls_of(work: Callable[[], object]) -> int:
    """Count the Python calls of *work*: what it costs on any machine, however busy."""
    count = 0

    def account(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(account)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (
            AdsumoTextToImageOperator,
            {"prompt": "shoes", "model": "fast", "aspect_ratio": "1:1", "quantity": 2, "max_credits": 10},
        ),
        (
            AdsumoTalkingAvatarOperator,
            {"avatar_id": "a", "avatar_type": "platform", "script": "Hello.", "voice_id": "v"},
        ),
        (CutxVideoOperator, {"project_id": "p", "product_id": "q", "script": "Hello, I am a script."}),
        (SumeAdVideoOperator, {"script": "Hello.", "avatar_id": "a"}),
        (CinematicAdsWorkflowOperator, {"workflow_type": "cinematic", "concept": "shoes"}),
    ],
)
def test_making_an_operator_costs_little_more_than_making_an_empty_one(operator, arguments):
    with DAG("cold", schedule=None):
        for number in range(2):  # what the first of its class prepares is paid once
            operator(task_id=f"first_{number}", **arguments)
            EmptyOperator(task_id=f"empty_{number}")
        empty = calls_of(lambda: EmptyOperator(task_id="empty"))
        ours = calls_of(
            lambda: operator(
                task_id="ours", destination="file:///creatives", poll_interval=30, deferrable=True, **arguments
            )
        )
    # Most of it is Airflow's own work for each argument; validation belongs into execute().
    assert ours < 2.5 * empty, (ours, empty)
