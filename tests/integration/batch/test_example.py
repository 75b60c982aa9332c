# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The example of a batch, its tasks run one after the other against the sandbox (tests/e2e has a whole Airflow)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.execution_time.context import set_current_context

from tests.support.tasks import run_task

if TYPE_CHECKING:
    from tests.support.batch import BatchRig

FILE = Path(__file__).resolve().parents[3] / "example_dags" / "adgen_batch.py"


@pytest.fixture
def dag() -> Any:
    spec = importlib.util.spec_from_file_location("adgen_batch_under_test", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.adgen_batch()


def run(dag: Any, batch: BatchRig, **given: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Run its tasks; return what the batch and the report returned."""
    params = {name: param.value if hasattr(param, "value") else param for name, param in dag.params.items()} | given
    context: Any = {**batch.context(), "params": params, "run_id": "manual__2026-01-01T00:00:00+00:00"}
    with set_current_context(context):
        planned = dag.get_task("plan").python_callable()
        check = dag.get_task("check_credits")
        check.requests = planned["requests"]
        assert run_task(check, context)["sufficient"]
        generate = dag.get_task("generate")
        # As Airflow does it: the items are pulled, the other arguments are rendered.
        generate.items = planned["items"]
        generate.destination = batch.destination
        generate.poll_interval = 0.05
        generate.render_template_fields(context)
        made = run_task(generate, context, passing=batch.clock.move)
        return made, dag.get_task("report").python_callable(made)


def test_each_image_is_made_once_by_the_first_vendor(dag: Any, batch: BatchRig) -> None:
    made, report = run(dag, batch)
    assert made["counts"]["completed"] == made["items"] == 6
    assert made["credits"] == {"adsumo_default": {"quoted": 6, "charged": 6, "refunded": 0}}
    assert made["estimated"] == {"adsumo_default": 6}
    assert sorted(report) == ["BTL-002", "LMP-014", "SHO-113"]
    for product, files in report.items():
        assert len(files) == 2
        for uri in files:
            assert f"/{product}/" in uri
            assert Path(uri.removeprefix("file://")).read_bytes()


def test_what_it_refuses_is_the_second_vendors(dag: Any, batch: BatchRig) -> None:
    batch.sandbox.fault("status", "adsumo", method="POST", status=400, times=1, message="Not allowed", skip=1)
    products = [{"id": "A-1", "title": "Lamp {{ 6 * 7 }}", "scene": "at night"}]
    made, report = run(dag, batch, products=products, formats=["1:1", "9:16", "16:9"])
    assert made["counts"]["completed"] == 3
    assert sorted(made["credits"]) == ["adsumo_default", "sume_default"]
    assert len(report["A-1"]) == 3
    for vendor in ("adsumo", "sume"):
        for one in batch.sandbox.requests(vendor, method="POST"):
            assert "Lamp {{ 6 * 7 }}" in one["body"], "what a catalogue says is text"
