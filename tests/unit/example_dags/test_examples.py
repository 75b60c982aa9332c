# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Every example: it loads on each Airflow, opens nothing while it does, and asks its vendors for what they take."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from airflow_provider_adgen.operators.generate import GenerateOperator

FOLDER = Path(__file__).resolve().parents[3] / "example_dags"
FILES = sorted(FOLDER.glob("*.py"))
VENDORS = ("adsumo", "cutx", "sume", "cinematicads")


def load(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"{file.stem}_under_test", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dag_of(file: Path) -> Any:
    module = load(file)
    return module.dag if file.stem.startswith("adgen_campaign") else getattr(module, file.stem)()


def test_there_is_one_for_each_vendor_and_one_for_all() -> None:
    assert {file.stem for file in FILES} == {
        "adgen_batch",
        "adgen_campaign_follow",
        "adgen_campaign_refresh",
        "adgen_four_vendors",
        *(f"adgen_{vendor}" for vendor in VENDORS),
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_an_example_to_copy(file: Path) -> None:
    dag = dag_of(file)
    assert dag.dag_id == file.stem
    assert dag.doc_md == ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")), clean=False)
    pays = (GenerateOperator, GenerateBatchOperator)
    paid = [task for task in dag.tasks if issubclass(getattr(task, "operator_class", type(task)), pays)]
    if file.stem == "adgen_campaign_follow":
        assert not paid, "it runs by itself, so it must not spend money"
        return
    assert dag.schedule is None, "an example must not spend money by itself"
    assert "destination" in dag.params
    assert paid and all(task.retries == 2 for task in paid)
    for task in paid:
        before = task.get_flat_relative_ids(upstream=True)
        assert before & {"check_credits", "campaign.check"}, f"{task.task_id} pays unchecked"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_example_uses_its_operators_and_connection_only(vendor: str) -> None:
    dag = dag_of(FOLDER / f"adgen_{vendor}.py")
    used = {str(task.conn_id) for task in dag.tasks if hasattr(task, "conn_id")}
    assert used == {f"{vendor}_default"}
    assert {task.vendor_name for task in dag.tasks if isinstance(task, GenerateOperator)} == {vendor}


def test_the_brief_is_a_request_that_each_vendor_takes() -> None:
    module = load(FOLDER / "adgen_four_vendors.py")
    product = {
        "project_id": "11111111-1111-4111-8111-111111111111",
        "product_id": "22222222-2222-4222-8222-222222222222",
    }
    asked = module.requests_of({"text": "A lamp that rises like the sun.", "cutx": product})
    for name, request in asked.items():
        get_vendor("cutx" if name == "copy" else name).parse_request(request)


def test_the_tasks_send_what_the_check_has_priced() -> None:
    """The request is written twice in that file, for the check and in the operators: they must not drift apart."""
    module = load(FOLDER / "adgen_four_vendors.py")
    dag = module.adgen_four_vendors()
    brief = {"text": "A lamp that rises like the sun.", "cutx": {"project_id": "p", "product_id": "q"}}
    for name, request in module.requests_of(brief).items():
        task = dag.get_task("cutx_copy" if name == "copy" else name)
        assert task.request_kind == request["kind"]
        sent = {field: getattr(task, field) for field in task.request_fields if getattr(task, field) is not None}
        fixed = {
            field: value
            for field, value in sent.items()
            if isinstance(value, (int, float, list)) or "{" not in str(value)
        }
        assert {field: request.get(field, fixed[field]) for field in fixed} == fixed
        assert set(request) - {"kind"} <= set(sent), f"{name} does not send all that was priced"


def test_loading_them_connects_to_nothing() -> None:
    watch = """
import importlib.util, json, sys
from pathlib import Path
def load(file):
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
for file in sys.argv[1:]:
    load(file)
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in ("open", "socket.connect") else None)
for file in sys.argv[1:]:
    load(file)
print(json.dumps([one for one in seen if not one.endswith((".py", ".pyc"))]))
print(json.dumps([name for name in ("httpx", "airflow_provider_adgen.sandbox") if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", watch, *map(str, FILES)], capture_output=True, text=True, check=True
    )
    opened, imported = map(json.loads, done.stdout.splitlines()[-2:])
    assert opened == []
    assert "airflow_provider_adgen.sandbox" not in imported
