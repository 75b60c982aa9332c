# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.hooks.cinematicads import CinematicAdsHook
from airflow_provider_adgen.sandbox.pytest_plugin import adgen_sandbox  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox


@pytest.fixture
def adgen_sandbox_options() -> dict[str, Any]:
    return {"speed": 200.0}


@pytest.fixture
def sandbox(
    adgen_sandbox: Sandbox,  # noqa: F811 - the fixture imported above
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Sandbox:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}/ledger")
    connection = adgen_sandbox.connection_json("cinematicads", timeout=3)
    monkeypatch.setenv("AIRFLOW_CONN_CINEMATICADS_DEFAULT", connection)
    return adgen_sandbox


@pytest.fixture
def hook(sandbox: Sandbox) -> CinematicAdsHook:
    return CinematicAdsHook()
