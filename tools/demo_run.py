# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The demo: a sandbox of the vendors and a whole Airflow on this machine, a campaign run, and what came of it.

It needs no account and costs nothing. Everything it writes is in ``.demo/``, or in the directory that is its argument;
that is emptied when it starts. Every process it starts is gone when it ends. Environment variables steer it:

``DAG``
    the DAG to run (default ``adgen_campaign_refresh``).
``PORT``
    the port of Airflow's user interface (default: a free one).
``KEEP``
    set to 1, leaves Airflow and the sandbox running until Ctrl-C, to look around.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.core.wire import Wire
from airflow_provider_adgen.sandbox.client import SandboxClient
from tools.airflow_api import FINISHED, ApiFailed, Run
from tools.airflow_stack import AirflowStack
from tools.demo_report import audit, collect, say_failures, say_made, shown, write_gallery
from tools.processes import ROOT, ProcessDied, Programs
from tools.progress import Progress, clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

DEFAULT_DAG = "adgen_campaign_refresh"
HOME = ROOT / ".demo"
SPEED = 20
"""How many times faster the sandbox's jobs are than real ones."""

_LONGEST = 600.0
"""Seconds a run may take."""

_LOCK = "demo.lock"


class DemoFailed(Exception):
    """The demo cannot go on; the text says why and what to do."""


def main() -> int:
    """
    Run the demo as the environment says.

    :return: the exit status: 0 when the run succeeded and the ledger agrees, 130 after Ctrl-C.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    home = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HOME
    try:
        dag_id, port = find_dag(os.environ.get("DAG") or DEFAULT_DAG), find_port(os.environ.get("PORT", ""))
        with own_folder(home):
            return Demo(home, dag_id).run(port=port, keep=os.environ.get("KEEP", "") not in {"", "0"})
    except DemoFailed as error:
        _say(f"\n{error}")
        return 1
    except (ApiFailed, ProcessDied, TimeoutError) as error:
        _say(f"\nThe demo has failed: {error}\nThe logs are in {shown(home, ROOT)}/.")
        return 1
    except KeyboardInterrupt:
        _say("\nStopped. Nothing of the demo is running any more.")
        return 130


class Demo:
    """
    One demo.

    :param home: an empty directory for everything that is written.
    :param dag_id: the DAG to run.
    """

    def __init__(self, home: Path, dag_id: str) -> None:
        self._home = home
        self._dag_id = dag_id

    def run(self, *, port: int | None, keep: bool) -> int:
        """
        Start everything, run the DAG, say what came of it, end everything.

        :param port: the user interface's port; None takes a free one.
        :param keep: wait for Ctrl-C before ending.
        """
        _say("A sandbox of the vendors and a whole Airflow, both on this machine. Nothing here costs anything.\n")
        with Programs(self._home / "output") as programs:
            began = time.monotonic()
            sandbox = self._start_sandbox(programs)
            _say(f"  Sandbox  {sandbox.url}  (after {time.monotonic() - began:.0f} s)")
            connections = _connections(sandbox)
            stack = AirflowStack(
                self._home / "airflow",
                dags=[ROOT / "example_dags"],
                connections={f"{vendor}_default": one for vendor, one in connections.items()},
                # Looking as often as the sandbox is fast; at a vendor's own pace the default is right.
                env={
                    "AIRFLOW__ADGEN__POLL_INTERVAL": "1",
                    "AIRFLOW__ADGEN__FIRST_FIRE_DELAY": "3",
                    "AIRFLOW__ADGEN__LEDGER_PATH": f"file://{self._home / 'ledger'}",
                },
                serve_logs=True,
                port=port,
            )
            _say("  Airflow  is starting; this takes about half a minute …")
            with stack:
                _say(f"  Airflow  {stack.base_url}  (after {time.monotonic() - began:.0f} s)\n")
                good = self._campaign(stack, sandbox, connections)
                if keep:
                    _say(f"\nStill running, to look around; Ctrl-C ends it.\n  Airflow  {stack.base_url}")
                    with contextlib.suppress(KeyboardInterrupt):
                        signal.pause()
                    _say("\nEnding …")
                else:
                    _say("\nKEEP=1 make demo leaves Airflow running to look around.")
        return 0 if good else 1

    def _start_sandbox(self, programs: Programs) -> SandboxClient:
        port_file = self._home / "sandbox.port"
        command = ["-m", "airflow_provider_adgen.sandbox", "--speed", str(SPEED), "--port-file", str(port_file)]
        programs.start("sandbox", [sys.executable, *command], os.environ)
        deadline = time.monotonic() + 30
        while not port_file.exists():
            programs.check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"The sandbox did not start within 30 s:\n{programs['sandbox'].tail()}")
            time.sleep(0.05)
        return SandboxClient(f"http://127.0.0.1:{port_file.read_text().strip()}")

    def _campaign(
        self, stack: AirflowStack, sandbox: SandboxClient, connections: Mapping[str, Mapping[str, Any]]
    ) -> bool:
        stack.airflow.wait_for_dag(self._dag_id)
        dag = stack.api("GET", f"dags/{self._dag_id}/details")
        before = _credits(connections)
        conf = {"destination": f"file://{self._home / 'creatives'}"} if "destination" in (dag["params"] or {}) else {}
        run = stack.trigger_dag(self._dag_id, conf)
        _say(f"Running {self._dag_id}: {stack.base_url}/dags/{self._dag_id}/runs/{run.run_id}")
        began = time.monotonic()
        state = self._follow(stack, run)
        _say("")
        if state != "success":
            _say(f"The run has ended as {state}.")
            for line in say_failures(run, stack.work / "logs", ROOT):
                _say(line)
            _say(f"\nAll logs are in {shown(stack.work / 'logs', ROOT)}/.")
            return False
        _say(f"Done in {clock(time.monotonic() - began)}.\n")
        return self._report(run, sandbox, before, _credits(connections))

    def _follow(self, stack: AirflowStack, run: Run) -> str:
        tasks = stack.api("GET", f"dags/{self._dag_id}/tasks")["tasks"]
        view = Progress(sys.stdout, in_order({one["task_id"]: one["downstream_task_ids"] for one in tasks}))
        began = time.monotonic()
        while True:
            state = run.state()
            view.update(time.monotonic() - began, run.tasks())
            if state in FINISHED:
                return state
            stack.programs.check()
            if time.monotonic() - began > _LONGEST:
                raise DemoFailed(f"The run is still {state} after {clock(_LONGEST)}. The logs are in {stack.work}.")
            time.sleep(0.5)

    def _report(
        self, run: Run, sandbox: SandboxClient, before: Mapping[str, int | None], after: Mapping[str, int | None]
    ) -> bool:
        made = collect(run)
        charges = sandbox.charges
        refunds = sandbox.refunds
        manifest = made.described(self._dag_id)
        for line in say_made(manifest, ROOT):
            _say(f"  {line}")
        _say("")
        for vendor, left in after.items():
            if left != before[vendor]:
                _say(f"  {get_vendor(vendor).title} says: {before[vendor]} credits before, {left} after.")
        spent = sum(charge["credits"] for charge in charges) - sum(refund["credits"] for refund in refunds)
        wrong = audit(made.generations, charges)
        if wrong:
            _say("  The sandbox's ledger does NOT agree: " + "; ".join(wrong) + ".")
        else:
            _say(
                f"  The sandbox's ledger has {len(charges)} charges, {spent} credits in all, for "
                f"{len(made.generations)} generations: each was paid for once."
            )
        gallery = self._home / "gallery.html"
        write_gallery(gallery, manifest, charges)
        _say("")
        if made.manifest is not None:
            _say(f"  Manifest  {shown(made.manifest[0], ROOT)}")
        _say(f"  Gallery   {gallery.as_uri()}")
        return not wrong


def in_order(downstream: Mapping[str, list[str]]) -> list[str]:
    """Return tasks so that each comes after those before it, otherwise as they came."""
    left = dict(downstream)
    found: list[str] = []
    while left:
        waiting = {task for after in left.values() for task in after}
        ready = [task for task in left if task not in waiting] or list(left)
        found += ready
        for task in ready:
            del left[task]
    return found


def _connections(sandbox: SandboxClient) -> dict[str, dict[str, Any]]:
    return {vendor: sandbox.connection(vendor) for vendor in sandbox.overview()["vendors"]}


def _credits(connections: Mapping[str, Mapping[str, Any]]) -> dict[str, int | None]:
    """Ask each vendor's API for the account's balance; None where it does not tell."""

    async def ask(name: str, connection: Mapping[str, Any]) -> int | None:
        key = Secret(connection["password"])
        account = Account(vendor=name, conn_id="demo", base_url=connection["host"], key=key)
        try:
            vendor = get_vendor(name)
            async with Wire(vendor, account) as wire:
                return (await wire.call(vendor.credits())).remaining
        except AdGenError:
            return None

    async def ask_all() -> list[int | None]:
        return list(await asyncio.gather(*(ask(name, one) for name, one in connections.items())))

    return dict(zip(connections, asyncio.run(ask_all()), strict=True))


def find_dag(dag_id: str) -> str:
    """
    Return the DAG that was asked for.

    :raises DemoFailed: no example has it; better said now than after Airflow has started.
    """
    files = sorted((ROOT / "example_dags").glob("*.py"))
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
                f"Port {text} cannot be used ({error.strerror}). Choose another, as in PORT=8090 make demo, or leave "
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


def _say(text: str) -> None:
    print(text, flush=True)
