# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns in a whole Airflow: two vendors, a failure that is made up for, an approval, a dry run."""

from __future__ import annotations

import importlib.util
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_adgen.campaigns import read_results
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

DAG = "adgen_campaign"


@pytest.fixture(scope="module")
def stack_options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    env = {
        "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}",
        "AIRFLOW__ADGEN__DESTINATION_URLS": json.dumps({"file:///": "https://ads.example"}),
    }
    return {"env": env}


def feed(path: Path, *titles: str) -> dict[str, str]:
    rows = [{"id": f"P-{number}", "title": title, "brand": "Lumo"} for number, title in enumerate(titles, 1)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return {"catalogue": str(path), "place": f"file://{path.parent / 'ads'}"}


def states(run: Run) -> dict[str, str]:
    return {one["task_id"].partition(".")[2]: one["state"] for one in run.tasks()}


def read(uri: str) -> Any:
    return json.loads(Path(uri.removeprefix("file://")).read_text())


def test_a_failure_is_red_and_a_clear_makes_what_is_missing(
    stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path
) -> None:
    sandbox.reset()
    sandbox.fail_next("sume", times=1)
    conf = feed(tmp_path / "feed.jsonl", "Lamp {{ 6 * 7 }}", "Chair")
    run = stack.trigger_dag(DAG, conf)
    assert run.wait(timeout=180) == "failed"
    good = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
    assert states(run) == good | {"generate": "failed", "verdict": "failed"}
    assert "creatives are missing" in run.log("campaign.verdict")
    lines = list(read_results(run.xcom("campaign.generate", "results")))
    assert {line["conn_id"] for line in lines} == {"adsumo_default", "sume_default"}, "max_credits moved one"
    prompts = {str(job["request"].get("prompt")) for job in sandbox.jobs()}
    assert "Product photo of Lamp {{ 6 * 7 }} by Lumo. {not a template}" in prompts
    latest = read(f"{conf['place']}/latest.json")
    assert (latest["run_id"], latest["manifest"]) == (run.run_id, run.xcom("campaign.draft")["manifest"])
    results = f"https://ads.example{quote(run.xcom('campaign.generate', 'results').removeprefix('file://'))}"
    assert run.links("campaign.generate") == {"Results": results}, "after a failure, too"
    paid = len(sandbox.charges)

    run.clear("campaign.generate", downstream=True)
    assert run.wait(timeout=180) == "success"
    assert states(run) == good
    assert len(sandbox.charges) == paid + 1
    events = [event["extra"] for event in stack.api("GET", "assets/events", source_dag_id=DAG)["asset_events"]]
    assert [one["counts"] for one in events] == [{"completed": 3, "failed": 1}, {"completed": 4}]
    stack.airflow.wait_for(
        "the DAG that waits for the campaign",
        lambda: [one["state"] for one in stack.api("GET", "dags/adgen_campaign_reader/dagRuns")["dag_runs"]],
        lambda found: "success" in found,
        timeout=60,
    )
    manifest = read(events[-1]["manifest"])
    assert manifest["totals"]["creatives"] == 4
    assert set(manifest["credits"]) == {"adsumo_default", "sume_default"}
    gallery = Path(events[-1]["manifest"].removeprefix("file://")).with_name("gallery.html")
    assert gallery.is_file()
    assert run.links("campaign.publish") == {"Gallery": f"https://ads.example{gallery}"}


def test_a_dry_run_makes_nothing(stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path) -> None:
    sandbox.reset()
    run = stack.trigger_dag(DAG, {**feed(tmp_path / "feed.jsonl", "Lamp"), "dry_run": True})
    assert run.wait(timeout=120) == "success"
    later = dict.fromkeys(("generate", "draft", "publish", "verdict"), "skipped")
    assert states(run) == {"check": "success", "plan": "success", **later}
    assert sandbox.charges == []
    assert run.links("campaign.draft") == {"Gallery": None}
    assert [one["key"] for one in read(run.xcom("campaign.plan")["plan"])["items"]] == ["P-1/hero/1x1", "P-1/hero/9x16"]


@pytest.mark.skipif(
    "library" not in inspect.signature(GenerateBatchOperator.__init__).parameters,
    reason="GenerateBatchOperator has no library= yet",
)
def test_a_second_run_pays_only_for_the_product_that_changed(
    stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path
) -> None:
    sandbox.reset()
    first = stack.trigger_dag(DAG, feed(tmp_path / "feed.jsonl", "Lamp"))
    assert first.wait(timeout=180) == "success"
    paid = len(sandbox.charges)
    second = stack.trigger_dag(DAG, feed(tmp_path / "feed.jsonl", "Lamp", "Chair"))
    assert second.wait(timeout=180) == "success"
    assert len(sandbox.charges) == paid + 2
    third = stack.trigger_dag(DAG, feed(tmp_path / "feed.jsonl", "New lamp", "Chair"))
    assert third.wait(timeout=180) == "success"
    assert len(sandbox.charges) == paid + 4
    counts = third.xcom("campaign.generate")["counts"]
    assert (counts["reused"], counts["completed"]) == (2, 2)


@pytest.mark.skipif(
    importlib.util.find_spec("airflow.sdk.execution_time.hitl") is None, reason="Airflow asks people from 3.1 on"
)
def test_a_person_approves(stack: AirflowStack, sandbox: SandboxClient, tmp_path: Path) -> None:
    sandbox.reset()
    run = stack.trigger_dag("adgen_campaign_review", feed(tmp_path / "feed.jsonl", "Lamp"), run_id="reviewed")
    path = f"{run.path}/taskInstances/ads.review/-1/hitlDetails"
    run.wait_for_task("ads.review", ("awaiting_input", "deferred"), timeout=180)
    asked = stack.api("GET", path)
    # A person is slower: Airflow must have taken in that the leg that asks is over.
    over = "executor event with state success for task instance TaskInstanceKey(dag_id='adgen_campaign_review', "
    over += "task_id='ads.review'"
    stack.airflow.wait_for(
        "the leg that asks to be over", lambda: stack.tail("scheduler", 500), lambda text: over in text, timeout=60
    )
    assert asked["options"] == ["Approve", "Reject"]
    assert "(https://ads.example/spring/reviewed/gallery.html)" in asked["body"]
    stack.api("PATCH", path, {"chosen_options": ["Approve"], "params_input": {"reject_keys": ["P-1/hero/9x16"]}})
    assert run.wait(timeout=180) == "success"
    entries = read(run.xcom("ads.publish")["manifest"])["items"]
    assert {one["key"]: one["approved"] for one in entries} == {"P-1/hero/1x1": True, "P-1/hero/9x16": False}
    assert run.links("ads.review")["Gallery"] == "https://ads.example/spring/reviewed/gallery.html"
