# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
A whole Airflow and a sandbox, each in processes of its own, for the tests of one module.

A module says what it needs by overriding :func:`stack_options` (arguments of ``AirflowStack``) and
:func:`sandbox_options` (arguments of the sandbox's command line).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tools.airflow_stack import AirflowStack
from tools.processes import ROOT, Programs
from tools.sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
LONGEST = 300
"""Seconds a test here may take, unless it says otherwise itself."""


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first stack leaves its fresh database for those that follow."""
    return tmp_path_factory.mktemp("airflow") / "fresh.db"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Further arguments of the module's ``AirflowStack``."""
    return {}


@pytest.fixture(scope="module")
def sandbox_options() -> list[str]:
    """Arguments of the module's sandbox."""
    return ["--speed", "20"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, sandbox_options: list[str]) -> Iterator[SandboxProcess]:
    """The module's sandbox."""
    work = tmp_path_factory.mktemp("sandbox")
    with Programs(work) as programs:
        yield SandboxProcess(programs, work, sandbox_options)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    sandbox: SandboxProcess,
    migrated_database: Path,
    stack_options: dict[str, Any],
) -> Iterator[AirflowStack]:
    """The module's Airflow: this directory's DAGs and the examples, a connection to each vendor of the sandbox."""
    connections = {f"{vendor}_default": sandbox.connection(vendor) for vendor in sandbox.overview()["vendors"]}
    options: dict[str, Any] = {"dags": [HERE / "dags", ROOT / "example_dags"], "connections": connections}
    options.update(stack_options)
    with AirflowStack(tmp_path_factory.mktemp("stack"), template=migrated_database, **options) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here, so that ``-m 'not e2e'`` leaves it out, and give it time."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("e2e")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the ends of the components' logs to the report of a test that failed."""
    outcome: Any = yield
    report = outcome.get_result()
    running = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(running, AirflowStack):
        for name in running.programs.names():
            report.sections.append((f"end of {name}'s log", running.tail(name, 40)))
