# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The demo as a newcomer starts it: what it says, what it leaves to look at, and that it leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

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


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    env = {name: value for name, value in os.environ.items() if name not in {"DAG", "PORT", "KEEP"}}
    with subprocess.Popen(
        [sys.executable, "-m", "tools.demo", str(tmp_path / "demo")],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_the_demo_runs_the_campaign_and_shows_what_it_made(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    said, _ = demo.communicate(timeout=180)
    assert demo.returncode == 0, said
    assert "write_manifest: 1 done" in said
    [before, after] = map(int, re.findall(r"Adsumo says: (\d+) credits before, (\d+) after", said)[0])
    found = re.findall(
        r"ledger has (\d+) charges, (\d+) credits in all, for (\d+) generations: each was paid for once", said
    )
    charges, spent, generations = map(int, found[0])
    assert (charges, spent) == (generations, before - after)
    home = tmp_path / "demo"
    page = (home / "gallery.html").read_text(encoding="utf-8")
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    shown = [unquote(file["link"]) for card in json.loads(data)["cards"] for file in card["files"]]
    assert len(shown) == generations and all((home / link).stat().st_size for link in shown)
    assert all(f"{path.parent.name}/{path.name}" in said for path in (home / "creatives").rglob("*.mp4"))
    assert running_in(home) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")
def test_an_interrupted_demo_leaves_nothing_running(demo: subprocess.Popen[str], tmp_path: Path) -> None:
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
