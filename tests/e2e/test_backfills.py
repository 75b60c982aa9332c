# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A backfill of four weeks: paid once, one run after the other and two at a time, and the newest week stays on top."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.shop import GOOD, PATIENCE, check_files, manifest_of, product, read_json, states, write_feed
from tools.airflow_api import Run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox.client import SandboxClient
    from tools.airflow_stack import AirflowStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DAG = "adgen_weekly_campaign"
PRODUCTS = 12
WRITERS = ("scheduler", "triggerer", "dag-processor")


@pytest.fixture(scope="module")
def stack_options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"env": {**PATIENCE, "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{tmp_path_factory.mktemp('ledger')}"}}


def backfill(
    stack: AirflowStack, conf: dict[str, str], first: str, last: str, at_once: int, *, backwards: bool = False
) -> list[Run]:
    """Let Airflow make up for some weeks; return the runs, the oldest week first, once they are over."""
    stack.airflow.wait_for_dag(DAG)
    # By the API: Airflow 3.0's command takes no configuration. And while nobody else writes: SQLite refuses a writer
    # that has read before another one wrote.
    stack.programs.stop(*WRITERS)
    asked = {"dag_id": DAG, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z", "dag_run_conf": conf}
    newest = stack.api("POST", "backfills", {**asked, "max_active_runs": at_once, "run_backwards": backwards})["id"]
    began = time.time()
    for component in WRITERS:
        stack.launch(component)
    stack.wait_until_healthy(began, WRITERS)
    stack.airflow.wait_for(
        f"backfill {newest}",
        lambda: stack.api("GET", f"backfills/{newest}")["completed_at"],
        lambda ended: ended is not None,
        timeout=1200,
    )
    found = stack.api(
        "GET",
        f"dags/{DAG}/dagRuns",
        logical_date_gte=f"{first}T00:00:00Z",
        logical_date_lte=f"{last}T00:00:00Z",
        limit=100,
    )["dag_runs"]
    runs = [Run(stack.airflow, DAG, one["dag_run_id"]) for one in sorted(found, key=lambda one: one["logical_date"])]
    for run in runs:
        assert (run.run_id, states(run)) == (run.run_id, GOOD)
        check_files(manifest_of(run))
    return runs


def most_at_once(runs: list[Run]) -> int:
    """Return how many of the runs had begun and were not over at the same time."""
    times = [
        (min(one["start_date"] for one in tasks), max(one["end_date"] for one in tasks))
        for tasks in (run.tasks() for run in runs)
    ]
    return max(sum(first <= began < last for first, last in times) for began, _ in times)


@pytest.mark.parametrize(
    ("at_once", "first", "last"),
    [(1, "2024-02-04", "2024-02-25"), (2, "2024-04-07", "2024-04-28")],
    ids=["one-at-a-time-backwards", "two-at-a-time"],
)
def test_a_backfill_pays_once(
    stack: AirflowStack,
    sandbox: SandboxClient,
    tmp_path: Path,
    at_once: int,
    first: str,
    last: str,
) -> None:
    sandbox.reset()
    conf = write_feed(tmp_path / "feed.jsonl", [product(number) for number in range(PRODUCTS)])
    runs = backfill(stack, conf, first, last, at_once, backwards=at_once == 1)
    assert len(runs) == 4
    assert most_at_once(runs) == at_once
    assert len(sandbox.charges) == len(sandbox.jobs()) == PRODUCTS
    manifests = [manifest_of(run) for run in runs]
    made = [one["totals"]["made"] for one in manifests]
    assert sum(made) == PRODUCTS
    assert [one["totals"]["made"] + one["totals"]["reused"] for one in manifests] == [PRODUCTS] * 4
    told = [account for one in manifests for account in one["credits"].values()]
    assert sum(account["quoted"] or 0 for account in told) == PRODUCTS, "the manifests count what was paid once"
    print(f"{at_once} at a time:", made, "made by the four weeks")
    latest = read_json(f"{conf['place']}/latest.json")
    assert latest["run_id"] == runs[-1].run_id, "the newest week is on top, whichever run was the last to publish"

    if at_once > 1:
        # Somebody's own run is newer than every week, and a backfill of older weeks leaves it on top.
        mine = stack.trigger_dag(DAG, conf)
        assert mine.wait(timeout=300) == "success"
        assert read_json(f"{conf['place']}/latest.json")["run_id"] == mine.run_id
        backfill(stack, conf, "2024-03-03", "2024-03-10", 2)
        assert read_json(f"{conf['place']}/latest.json")["run_id"] == mine.run_id
        assert len(sandbox.charges) == PRODUCTS, "all of it was made before"
