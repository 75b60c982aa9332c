# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of the life of a paid generation share: one sandbox per worker, begun anew for each test."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from datetime import timedelta
from typing import TYPE_CHECKING

if "AIRFLOW_HOME" not in os.environ:
    # Before anything imports Airflow: a test run neither reads nor writes what is in the user's own.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="adgen-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

import pytest
from hypothesis import settings

# The same examples in every run: what passes here passes for everybody.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox
    from tests.support.rig import Rig


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose jobs take a fraction of a second."""
    from airflow_provider_adgen.sandbox import Sandbox

    with Sandbox(speed=300.0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """The shared sandbox, begun anew."""
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture(autouse=True)
def fresh_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process learned of accounts before counts for nothing: a server may get the port of an earlier one."""
    for module, learned in (("hooks.base", "_budgets"), ("core.account", "_states")):
        if (imported := sys.modules.get(f"airflow_provider_adgen.{module}")) is not None:
            monkeypatch.setattr(imported, learned, {})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats of reads, and of writes to a ledger, follow at once; Airflow below 3.3 can keep a fake store's state."""
    import airflow.sdk
    import tenacity

    from airflow_provider_adgen import compat
    from airflow_provider_adgen.core import retrying
    from airflow_provider_adgen.ledger import ledger

    monkeypatch.setattr(retrying, "_backoff", tenacity.wait_fixed(0.01))
    monkeypatch.setattr(ledger, "_WRITE_PAUSES", (0.01, 0.01))
    if not hasattr(airflow.sdk, "NEVER_EXPIRE"):
        monkeypatch.setattr(compat, "never_expire", lambda: timedelta.max)


@pytest.fixture
def make_rig(
    sandbox: Sandbox, quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, diary: Diary
) -> Iterator[Callable[..., Rig]]:
    """Make rigs; whatever they do, no key and no signed link may show up in a log, a record or a stored creative."""
    from tests.support.rig import Rig, leaks

    made: list[Rig] = []

    def make(*, records: str = "state") -> Rig:
        rig = Rig(sandbox, monkeypatch, tmp_path, records=records)
        made.append(rig)
        return rig

    yield make
    assert not leaks(diary.text())
    for rig in made:
        if rig.store is not None:
            assert not leaks(str(rig.store.writes))
    for path in (tmp_path / "ledger").rglob("*.json"):
        assert not leaks(path.read_text())


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """One task with Airflow's state store."""
    return make_rig()


class Diary:
    """Everything that was logged, from DEBUG on: by the standard library's loggers, and by Airflow's own."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
        self._caplog = caplog
        self._capsys = capsys
        self._printed = ""

    def text(self) -> str:
        return "\n".join(self._sources())

    def lines(self, wanted: Callable[[str], bool]) -> list[str]:
        """Return the lines that are wanted, each once: Airflow 3.0 also prints what standard loggers log."""
        return max(([line for line in text.splitlines() if wanted(line)] for text in self._sources()), key=len)

    def _sources(self) -> tuple[str, str]:
        out, err = self._capsys.readouterr()
        self._printed += out + err
        logged = (f"{one.name} {one.levelname} {one.getMessage()}" for one in self._caplog.records)
        return self._printed, "\n".join(logged)


@pytest.fixture
def diary(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Diary:
    """What was logged."""
    caplog.set_level(logging.DEBUG)
    return Diary(caplog, capsys)
