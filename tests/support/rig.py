# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
One task of one account at the sandbox, over real HTTP: run it, retry it, clear it, and read what was paid.

Time is the sandbox's and the worker's together: a worker that sleeps moves both clocks and does not wait.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.clock import SYSTEM
from tests.support.tasks import FakeStore, run_task, task_context

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from airflow_provider_adgen.core.record import Record
    from airflow_provider_adgen.sandbox import Sandbox

KEY = "adsumo_sk_sandbox"
SIGNATURE = "X-Sandbox-Signature"
"""Part of every signed link that the sandbox hands out."""

IMAGE = {"prompt": "A red bottle on a beach", "model": "fast", "aspect_ratio": "1:1"}
"""Fields of a text-to-image request, which costs 1 credit."""


class MovableTime:
    """
    The worker's time: sleeping moves it on at once, and the sandbox's with it.

    :param sandbox: whose time moves along.
    """

    def __init__(self, patch: pytest.MonkeyPatch, sandbox: Sandbox | None = None) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []
        self._sandbox = sandbox
        self._time, self._sleep = time.time, time.sleep
        patch.setattr(time, "time", self.now)
        patch.setattr(time, "sleep", self.sleep)
        monotonic = SYSTEM.monotonic
        patch.setattr(SYSTEM, "monotonic", lambda: monotonic() + self.ahead)

    def now(self) -> float:
        return self._time() + self.ahead

    def sleep(self, seconds: float) -> None:
        if threading.current_thread().name.startswith("adgen-batch"):
            self._sleep(min(seconds, 0.01))  # an item of a batch, whose others go on meanwhile
        elif threading.current_thread() is not threading.main_thread():
            self._sleep(seconds)  # somebody else's thread
            return
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        if seconds <= 0:
            return
        self.ahead += seconds
        if self._sandbox is not None:
            self._sandbox.advance(seconds)


class Rig:
    """
    A task whose tries share a record, an account at the sandbox, and what was paid.

    :param records: where the record is kept: ``state`` (Airflow 3.3), ``objects`` (``ledger_path``), ``both`` or
        ``none`` (Airflow before 3.3 without a ``ledger_path``).
    """

    def __init__(self, sandbox: Sandbox, patch: pytest.MonkeyPatch, folder: Path, *, records: str = "state") -> None:
        self.sandbox = sandbox
        self.patch = patch
        self.folder = folder
        self.destination = f"file://{folder / 'creatives'}"
        self.clock = MovableTime(patch, sandbox)
        self.store = FakeStore() if records in {"state", "both"} else None
        self.try_number, self.max_tries = 1, 1
        self.last_context: dict[str, Any] = {}
        self.ledger_path = f"file://{folder / 'ledger'}" if records in {"objects", "both"} else ""
        patch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", self.ledger_path)
        patch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
        self.connect()

    # --- the account ----------------------------------------------------------------------------------------------

    def connect(self, conn_id: str = "adsumo_default", **changes: Any) -> None:
        """Define a connection to the sandbox; keywords other than its own columns go into ``extra``."""
        value = self.sandbox.connection("adsumo", timeout=1)
        for name in ("conn_type", "host", "password", "port"):
            if name in changes:
                value[name] = changes.pop(name)
        value["extra"].update(changes)
        self.patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))

    @property
    def charges(self) -> list[dict[str, Any]]:
        return self.sandbox.charges

    @property
    def spent(self) -> int:
        return sum(one["credits"] for one in self.charges) - sum(one["credits"] for one in self.sandbox.refunds)

    def posts(self, path: str = "") -> list[dict[str, Any]]:
        """Paid submissions that arrived."""
        return [one for one in self.sandbox.requests("adsumo", method="POST", path=path)]

    # --- the task -------------------------------------------------------------------------------------------------

    def operator(self, cls: Any = None, /, **fields: Any) -> Any:
        """Return an operator; by default one that makes an image."""
        from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator

        given = dict(IMAGE) if cls is None else {}
        given |= {"task_id": "make", "poll_interval": 0.05, "deferrable": False, **fields}
        return (cls or AdsumoTextToImageOperator)(**given)

    def context(self, **ti: Any) -> dict[str, Any]:
        self.last_context = task_context(self.store, try_number=self.try_number, max_tries=self.max_tries, **ti)
        return self.last_context

    def run(self, operator: Any, **ti: Any) -> Any:
        """Run one try to its end, following deferrals; waiting for a moment passes at once."""
        return run_task(operator, self.context(**ti), passing=self.clock.move)

    def retry(self) -> None:
        """Let the next run be a retry."""
        self.try_number += 1

    def clear(self) -> None:
        """Let the next run be one after a user cleared the task."""
        self.try_number += 1
        self.max_tries += 2

    @property
    def xcoms(self) -> dict[str, Any]:
        found: dict[str, Any] = self.last_context["ti"].xcoms
        return found

    def record(self) -> Record:
        from airflow_provider_adgen.core.record import Record
        from airflow_provider_adgen.ledger.ledger import task_ledger
        from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

        context = self.context()
        return task_ledger(context, TaskFacts.of(context).identity).record() or Record()

    @property
    def phases(self) -> list[str]:
        return [attempt.phase for attempt in self.record().attempts]


def leaks(text: str, *secrets: str) -> list[str]:
    """Return which secrets a text holds: the sandbox's key, signatures of links, and what else is given."""
    return [secret for secret in (KEY, SIGNATURE, *secrets) if secret in text]
