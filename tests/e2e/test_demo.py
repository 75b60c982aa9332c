# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The demo as a newcomer starts it: what it says, what it leaves to look at, and that it leaves nothing running."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tools.airflow_api import AirflowApi
from tools.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def running_in(home: Path) -> list[str]:
    """Return the processes whose command or environment names the demo's folder."""
    needle = str(home).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if needle in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue  # it has ended meanwhile
    return found


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a demo; what is given goes into its environment."""
    with ExitStack() as stack:

        def begin(**given: str) -> subprocess.Popen[str]:
            env = {name: value for name, value in os.environ.items() if name not in {"DAG", "PORT", "KEEP", "REVIEW"}}
            command = [sys.executable, "-m", "tools.demo", str(tmp_path / "demo")]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            process = subprocess.Popen(command, cwd=ROOT, env={**env, **given}, text=True, **pipes)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield begin


def cards(page: Path) -> list[dict[str, Any]]:
    """Return what a gallery shows."""
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = json.loads(data)["cards"]
    return found


@pytest.mark.timeout(600)
def test_the_demo_shows_what_fails_and_that_the_next_run_pays_for_changes_only(start: Start, tmp_path: Path) -> None:
    demo = start()
    said, _ = demo.communicate(timeout=540)
    assert demo.returncode == 0, said
    assert "The run is red" in said
    [failed] = re.findall(r"Failed: (\S+/reel/9x16) .*could not be rendered", said)
    moved = re.findall(r"Moved to Sume: (\S+) .*not allowed in ads", said)
    assert {*moved} == {"MUG-202/hero/1x1", "MUG-202/reel/9x16"} - {failed}, "any job of Sume may be the one that fails"
    assert re.findall(r"Paid for, because its product has changed: (\S+)", said) == [
        "LMP-014/hero/1x1",
        "LMP-014/reel/9x16",
    ]
    assert re.findall(r"Paid for, because it was missing: (\S+)", said) == [failed]
    assert "Used again, for nothing: the other 5 creatives" in said
    assert "The sandbox's ledger agrees: it has 11 charges" in said
    galleries = [Path(unquote(one)) for one in re.findall(r"^ +file://(\S+gallery\.html)$", said, re.MULTILINE)]
    assert [path.parent.name for path in galleries] == ["first", "second"]
    for page, with_file in zip(galleries, (7, 8), strict=True):
        links = [page.parent / unquote(file["link"]) for card in cards(page) for file in card.get("files", ())]
        assert len(links) == with_file and all(link.stat().st_size for link in links)
    assert running_in(tmp_path / "demo") == []


@pytest.mark.skipif(
    importlib.util.find_spec("airflow.sdk.execution_time.hitl") is None, reason="Airflow asks people from 3.1 on"
)
def test_a_demo_with_a_review_waits_for_a_person_and_leaves_nothing_running(start: Start, tmp_path: Path) -> None:
    demo = start(REVIEW="1")
    assert demo.stdout is not None
    for run_id in ("first", "second"):
        page = where = ""
        for line in demo.stdout:
            if "waits until somebody has looked at" in line:
                page = line.split("file://")[1].strip()
            if line.rstrip().endswith("/required_actions"):
                where = line.strip()
                break
        assert Path(page).is_file() and f"/runs/{run_id}/" in where
        base, _, rest = where.partition("/dags/")
        dag, _, run, _, task, _ = rest.split("/")
        airflow = AirflowApi(base)
        if run_id == "first":
            answer(airflow, tmp_path / "demo", f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails")
        airflow.close()
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert "Nothing of the demo is running any more" in said
    assert running_in(tmp_path / "demo") == []


def answer(airflow: AirflowApi, home: Path, path: str) -> None:
    """Approve, once Airflow has taken in that somebody is asked: a person is slower than a test."""
    over = "executor event with state success for task instance TaskInstanceKey(dag_id='adgen_campaign_refresh', "
    log = home / "airflow" / "output" / "scheduler.log"
    airflow.wait_for(
        "the leg that asks to be over",
        lambda: log.read_text(encoding="utf-8"),
        lambda text: f"{over}task_id='campaign.review'" in text,
        timeout=60,
    )
    airflow.api("PATCH", path, {"chosen_options": ["Approve"], "params_input": {"reject_keys": []}})


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")
def test_an_interrupted_demo_leaves_nothing_running(start: Start, tmp_path: Path) -> None:
    demo = start()
    assert demo.stdout is not None
    for line in demo.stdout:
        if "is starting" in line:
            break
    # The demo, the sandbox and the database's migration come first; more than those means that Airflow is starting.
    deadline = time.monotonic() + 90
    while len(running_in(tmp_path / "demo")) < 5:
        assert demo.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert "Nothing of the demo is running any more" in said
    assert running_in(tmp_path / "demo") == []
