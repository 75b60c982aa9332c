# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The examples of the vendors and of a batch on a whole Airflow, all at once: each ends well, stores and pays once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.ledger.records import read_records
from tools.demo_report import audit, read_log

if TYPE_CHECKING:
    from tests.e2e.conftest import SandboxProcess
    from tools.airflow_api import Run
    from tools.airflow_stack import AirflowStack

VENDORS = ("adsumo", "cutx", "sume", "cinematicads")
BRIEF = "A shoe for {{ 6 * 7 }} kilometres. {% raw %} Nothing here is a template."
MORE = {"adgen_four_vendors": {"text": BRIEF}}
EXAMPLES = ("adgen_batch", "adgen_four_vendors", *(f"adgen_{vendor}" for vendor in VENDORS))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"file://{tmp_path_factory.mktemp('ledger')}"


@pytest.fixture(scope="module")
def stack_options(ledger: str) -> dict[str, Any]:
    return {
        "env": {
            "AIRFLOW__ADGEN__POLL_INTERVAL": "1",
            "AIRFLOW__ADGEN__FIRST_FIRE_DELAY": "3",
            "AIRFLOW__ADGEN__LEDGER_PATH": ledger,  # a batch needs it
        }
    }


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("creatives")


@pytest.fixture(scope="module")
def runs(stack: AirflowStack, destination: Path) -> dict[str, Run]:
    """One run of each example, gone well; the tests look at what they left."""
    started = {
        name: stack.trigger_dag(
            name, {"destination": f"file://{destination}/{name}", **MORE.get(name, {})}, run_id="first"
        )
        for name in EXAMPLES
    }
    ended = {name: run.wait(timeout=200) for name, run in started.items()}
    assert ended == dict.fromkeys(EXAMPLES, "success")
    return started


def texts(sandbox: SandboxProcess, vendor: str) -> list[str]:
    """Return the texts of all that was submitted to a vendor."""
    bodies = [json.loads(one["body"]) for one in sandbox.requests(vendor, method="POST") if one["body"]]
    return [body[name] for body in bodies for name in ("prompt", "script", "concept") if name in body]


def test_each_vendor_has_made_its_video_of_the_same_brief(
    runs: dict[str, Run], stack: AirflowStack, sandbox: SandboxProcess, destination: Path
) -> None:
    run = runs["adgen_four_vendors"]
    shapes = set()
    for vendor in VENDORS:
        made = run.xcom(vendor)
        shapes.add(tuple(made))
        assert (made["vendor"], made["kind"], made["status"]) == (vendor, "video", "completed")
        assert made["creatives"]
        for creative in made["creatives"]:
            data = Path(creative["uri"].removeprefix("file://")).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (creative["size"], creative["sha256"])
            assert creative["url"] is None
    assert len(shapes) == 1, "the same dictionary, whichever vendor made it"
    assert len(run.xcom("cutx_copy")["variants"]) == 5
    logs = stack.work / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
    for vendor in VENDORS:
        said = read_log(logs / f"task_id={vendor}" / "attempt=1.log")
        assert any("DEFERRED" in line for line in said), f"{vendor} held a worker"

    path = destination / "adgen_four_vendors" / "first" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    assert [one["vendor"] for one in manifest["items"]] == [*VENDORS, "cutx"]
    sent = [body for vendor in VENDORS for body in texts(sandbox, vendor)]
    assert sent.count(BRIEF) == len(VENDORS), "braces in a brief are text"
    assert set(manifest["credits"]) == {f"{vendor}_default" for vendor in VENDORS}
    assert len(manifest["items"][-1]["variants"]) == 5
    assert all(f'"link":"{vendor}/' in path.with_name("gallery.html").read_text(encoding="utf-8") for vendor in VENDORS)


def test_every_example_pays_once_for_what_it_returns(
    runs: dict[str, Run], sandbox: SandboxProcess, ledger: str
) -> None:
    records = read_records(ledger)
    made = [one.result for record in records.found.values() for one in record.attempts if one.result]
    assert {one[0] for one in records.found} == set(runs)
    assert Counter(one["vendor"] for one in made) == {"adsumo": 9, "cutx": 5, "sume": 3, "cinematicads": 2}
    assert audit(records, sandbox.charges) == []
    assert all(creative["uri"] for one in made for creative in one["creatives"])
