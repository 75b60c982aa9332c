# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The DAGs that the page about batches shows, run against the sandbox; only places and poll intervals are replaced."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.execution_time.context import set_current_context

from airflow_provider_adgen.operators.batch import GenerateBatchOperator
from tests.support.batch import item
from tests.support.tasks import FakeTaskInstance, run_task
from tests.unit.docs.test_pages import DAGS, OPERATORS

if TYPE_CHECKING:
    from tests.support.batch import BatchRig

SHOWN = {str(one): one for one in (*DAGS, *OPERATORS) if one.page.name == "many-at-once.md"}


class Instance(FakeTaskInstance):
    """A task instance that pulls what the tasks before it have pushed."""

    def __init__(self, pushed: dict[tuple[str, str], Any], task_id: str) -> None:
        super().__init__(task_id=task_id)
        self._pushed = pushed

    def xcom_push(self, key: str, value: Any) -> None:
        super().xcom_push(key, value)
        self._pushed[self.task_id, key] = self.xcoms[key]

    def xcom_pull(self, task_ids: Any = None, *, key: str = "return_value", **_of: Any) -> Any:
        wanted = task_ids if isinstance(task_ids, str) else (task_ids or [self.task_id])[0]
        return self._pushed.get((wanted, key))


def run(dag: DAG, batch: BatchRig) -> dict[str, Any]:
    """Run its tasks in their order, as Airflow does it: arguments rendered, results pushed; return the results."""
    pushed: dict[tuple[str, str], Any] = {}
    params = {name: getattr(value, "value", value) for name, value in dag.params.items()}
    returned: dict[str, Any] = {}
    for task in dag.topological_sort():
        if isinstance(task, GenerateBatchOperator):
            task.destination = batch.destination
            task.poll_interval = 0.05
        ti = Instance(pushed, task.task_id)
        context: Any = {"ti": ti, "params": {**params, "folder": batch.destination}, "run_id": ti.run_id, "task": task}
        with set_current_context(context):
            task.render_template_fields(context)
            returned[task.task_id] = run_task(task, context, passing=batch.clock.move)
        if returned[task.task_id] is not None:
            ti.xcom_push("return_value", returned[task.task_id])
    return returned


def test_the_page_shows_three_dags_and_two_operators() -> None:
    assert [("with DAG(" in one.text) for one in SHOWN.values()].count(True) == 3
    assert len(SHOWN) == 5


@pytest.mark.parametrize("name", [name for name, one in SHOWN.items() if one in DAGS])
def test_every_dag_shown_makes_all_its_items(batch: BatchRig, name: str) -> None:
    (batch.folder / "creatives").mkdir()
    returned = run(SHOWN[name].run()["dag"], batch)
    (made,) = [one for one in returned.values() if isinstance(one, dict) and "counts" in one]
    assert made["counts"]["completed"] == made["items"] == len(batch.charges) >= 2
    assert made["failures"] == []
    assert len(batch.files()) == made["items"] + ("items.jsonl" in batch.files())
    if "report" in returned:
        assert sorted(returned["report"]) == ["cool", "warm"]
        for (uri,) in returned["report"].values():
            assert Path(uri.removeprefix("file://")).read_bytes()


def test_the_operator_with_a_fallback_falls_back(batch: BatchRig) -> None:
    (block,) = [one for one in SHOWN.values() if "with_a_fallback" in one.text]
    operator = block.run()["with_a_fallback"]
    operator.destination, operator.poll_interval = batch.destination, 0.05
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, message="Not allowed")
    made = batch.run(operator)
    assert made["counts"]["completed"] == 1
    (line,) = batch.lines().values()
    assert (line["choice"], line["conn_id"]) == (1, "sume_default")


def test_the_long_weekend_is_long_enough(batch: BatchRig) -> None:
    (block,) = [one for one in SHOWN.values() if "a_long_weekend" in one.text]
    operator = block.run()["a_long_weekend"]
    request = {"kind": "workflow", "workflow_type": "cinematic", "concept": "An ad"}
    path = batch.folder / "films.jsonl"
    path.write_text("".join(json.dumps({"key": f"k{n}", "request": request}) + "\n" for n in range(500)))
    operator.items, operator.destination = f"file://{path}", batch.destination
    batch.sandbox.fault("status", "cinematicads", method="POST", status=401, times=1000, message="No")
    with pytest.raises(Exception, match="500 items: 500 waiting"):  # not refused for its length
        batch.run(operator)
    assert batch.charges == []


def test_mapped_items_are_not_rendered(batch: BatchRig) -> None:
    with DAG("mapped", schedule=None) as dag:
        GenerateBatchOperator.partial(task_id="make", destination=batch.destination, poll_interval=0.05).expand(
            items=[[item("a")], [item("b", prompt="{{ 6 * 7 }} {% raw %}")]]
        )
    ti = FakeTaskInstance(map_index=1)
    context: Any = {"ti": ti, "dag": dag, "dag_run": SimpleNamespace(conf={}), "params": {}}
    mapped: Any = dag.get_task("make")
    mapped.render_template_fields(context)
    operator = context["task"]
    assert isinstance(operator, GenerateBatchOperator)
    assert operator.items == "1 item", "what Airflow shows and keeps as rendered"
    assert run_task(operator, context, passing=batch.clock.move)["counts"]["completed"] == 1
    (sent,) = batch.sandbox.requests("adsumo", method="POST")
    assert json.loads(sent["body"])["prompt"] == "{{ 6 * 7 }} {% raw %} b"


@pytest.mark.parametrize("how", ["given", "returned", "local"])
def test_a_path_of_items_may_be_a_path(batch: BatchRig, how: str) -> None:
    """Airflow renders an ObjectStoragePath in any other templated argument, and tasks return it."""
    file = batch.folder / "items-7.jsonl"
    file.write_text(json.dumps(item("a", prompt="{{ 6 * 7 }}")) + "\n")
    path: Any = ObjectStoragePath(f"file://{batch.folder}/items-{{{{ params.day }}}}.jsonl")
    if how == "local":
        path = file
    elif how == "returned":
        path = SimpleNamespace(resolve=lambda context: ObjectStoragePath(f"file://{file}"))
    with DAG("path", schedule=None) as dag:
        operator = batch.batch(path)
    context: Any = batch.context()
    context |= {"dag": dag, "params": {"day": 7}}
    operator.render_template_fields(context)
    assert operator.items == f"file://{file}" or how == "local"
    assert run_task(operator, context, passing=batch.clock.move)["counts"]["completed"] == 1
    (sent,) = batch.sandbox.requests("adsumo", method="POST")
    assert json.loads(sent["body"])["prompt"] == "{{ 6 * 7 }} a"
