# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The demo: a sandbox of the vendors and a whole Airflow on this machine, a campaign run twice, and what came of it.

It needs no account and costs nothing. Everything it writes is in ``.demo/``, or in the directory that is its argument;
that is emptied when it starts. Every process it starts is gone when it ends. Environment variables steer it:

``DAG``
    the example to run once, in place of the campaign.
``PORT``
    the port of Airflow's user interface (default: a free one).
``KEEP``
    set to 1, leaves Airflow and the sandbox running until Ctrl-C, to look around.
``REVIEW``
    set to 1, lets each run of the campaign wait until a person has approved it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tools.airflow_api import ApiFailed
from tools.demo_campaign import CAMPAIGN, EXAMPLES, reviewed_examples, show_campaign
from tools.demo_report import say_credits, say_files, shown
from tools.demo_stage import DemoFailed, Stage, open_stage, say
from tools.processes import ROOT, ProcessDied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

HOME = ROOT / ".demo"
_LOCK = "demo.lock"


def main() -> int:
    """
    Run the demo as the environment says.

    :return: the exit status: 0 when all went as it is meant to and the ledgers agree, 130 after Ctrl-C.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    home = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HOME
    try:
        dag_id, port = find_dag(os.environ.get("DAG") or CAMPAIGN), find_port(os.environ.get("PORT", ""))
        keep, review = (os.environ.get(name, "") not in {"", "0"} for name in ("KEEP", "REVIEW"))
        if review and dag_id != CAMPAIGN:
            raise DemoFailed(f"Only the campaign has a review: leave out DAG={dag_id}, or REVIEW=1.")
        with own_folder(home):
            return 0 if show(home, dag_id, port=port, keep=keep, review=review) else 1
    except DemoFailed as error:
        say(f"\n{error}")
        return 1
    except (ApiFailed, ProcessDied, TimeoutError) as error:
        say(f"\nThe demo has failed: {error}\nThe logs are in {shown(home, ROOT)}/.")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Nothing of the demo is running any more.")
        return 130


def show(home: Path, dag_id: str, *, port: int | None, keep: bool, review: bool) -> bool:
    """
    Start everything, run the DAG, say what came of it, end everything; return whether all went as it is meant to.

    :param home: an empty directory for everything that is written.
    :param dag_id: the DAG to run.
    :param port: the user interface's port; None takes a free one.
    :param keep: wait for Ctrl-C before ending.
    :param review: let a person approve what the campaign made.
    """
    say("A sandbox of the vendors and a whole Airflow, both on this machine. Nothing here costs anything.\n")
    with open_stage(home, dags=reviewed_examples(home / "dags") if review else EXAMPLES, port=port) as stage:
        good = show_campaign(stage) if dag_id == CAMPAIGN else show_one(stage, dag_id)
        if keep:
            say(f"\nStill running, to look around; Ctrl-C ends it.\n  Airflow  {stage.airflow.base_url}")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
            say("\nEnding …")
    if not keep:
        say("\nAirflow is stopped, so links to it no longer work. make demo KEEP=1 leaves it running to look around.")
    return good


def show_one(stage: Stage, dag_id: str) -> bool:
    """Run one DAG and say what it made; return whether it went well and the ledgers agree."""
    stage.airflow.airflow.wait_for_dag(dag_id)
    params = stage.airflow.api("GET", f"dags/{dag_id}/details")["params"] or {}
    say(f"Running {dag_id}.")
    ended = stage.run(dag_id, "demo", {"destination": f"file://{stage.creatives}"} if "destination" in params else {})
    if ended.state != "success":
        stage.say_failures(ended)
        return False
    for line in say_files(stage.creatives, ROOT):
        say(f"  {line}")
    say(f"\n  It cost {say_credits(ended.paid)}.")
    return stage.ledgers_agree()


def find_dag(dag_id: str) -> str:
    """
    Return the DAG that was asked for.

    :raises DemoFailed: no example has it; better said now than after Airflow has started.
    """
    files = sorted(EXAMPLES.glob("*.py"))
    if any(re.search(rf"\b{re.escape(dag_id)}\b", path.read_text(encoding="utf-8")) for path in files):
        return dag_id
    raise DemoFailed(
        f"No example has a DAG {dag_id!r}. Try DAG= with one of: {', '.join(path.stem for path in files)}."
    )


def find_port(text: str) -> int | None:
    """
    Return the port that was asked for, None for any.

    :raises DemoFailed: it is no port, or another program has it.
    """
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DemoFailed(f"PORT={text} is no port: give a number from 1 to 65535, or leave it out for a free one.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the API server does; a closed one may linger
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise DemoFailed(
                f"Port {text} cannot be used ({error.strerror}). Choose another, as in make demo PORT=8090, or leave "
                "PORT out for a free one."
            ) from None
    return int(text)


@contextlib.contextmanager
def own_folder(home: Path) -> Iterator[None]:
    """
    Hold an empty directory.

    :raises DemoFailed: another demo has it, or it holds what no demo has written.
    """
    home.mkdir(parents=True, exist_ok=True)
    if not (home / _LOCK).exists() and any(home.iterdir()):
        raise DemoFailed(f"{home} holds files that no demo wrote, so it is not emptied. Choose another directory.")
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed("Another demo of this checkout is running. End it first: Ctrl-C where it runs.") from None
        for old in home.iterdir():
            if old.name == _LOCK:
                continue
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            else:
                old.unlink()
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
