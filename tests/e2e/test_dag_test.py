# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""``dag.test()``, as an author runs a DAG file by hand: deferring and waiting on the worker give the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import SandboxProcess

DAG_FILE = """
import json
import sys

from airflow.sdk import DAG

from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator

with DAG("by_hand", schedule=None) as dag:
    for deferrable in (True, False):
        AdsumoTextToImageOperator(
            task_id=f"make_{deferrable}",
            prompt="a sneaker",
            model="pro",
            aspect_ratio="1:1",
            deferrable=deferrable,
            poll_interval=0.5,
        )

if __name__ == "__main__":
    run = dag.test()
    results = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in run.get_task_instances()}
    with open(sys.argv[1], "w") as file:
        json.dump({"state": str(run.state), **results}, file)
"""

# What differs between two generations of the same request.
_OWN = {"id", "job_ids", "created_at", "completed_at", "creatives"}


def test_both_paths_give_the_same_dictionary(sandbox: SandboxProcess, tmp_path: Path) -> None:
    sandbox.reset()
    (tmp_path / "dags").mkdir()
    file = tmp_path / "dags" / "by_hand.py"
    file.write_text(DAG_FILE)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_ADSUMO_DEFAULT": sandbox.connection_json("adsumo"),
    }
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=env, check=True, capture_output=True, timeout=120)
    said = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "out.json")],
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert said.returncode == 0, said.stdout[-4000:] + said.stderr[-4000:]

    found: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    assert found["state"].endswith("success")
    deferred, waited = found["make_True"], found["make_False"]
    assert deferred["status"] == "completed"
    assert {key: deferred[key] for key in deferred if key not in _OWN} == {
        key: waited[key] for key in waited if key not in _OWN
    }
    assert [set(one) for one in deferred["creatives"]] == [set(one) for one in waited["creatives"]]
    assert len(sandbox.charges) == 2
