# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.hooks.cutx import CutxHook

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox


@pytest.fixture
def adgen_sandbox_options() -> dict[str, Any]:
    # A video takes 2 s, so that a key still protects it when a lost answer is followed up.
    return {"speed": 60.0}


@pytest.fixture
def sandbox(adgen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}/ledger")
    monkeypatch.setattr("airflow_provider_adgen.core.decisions.submission._SHORT_PAUSE", 0.05)
    monkeypatch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", adgen_sandbox.connection_json("cutx", timeout=2))
    return adgen_sandbox


@pytest.fixture
def hook(sandbox: Sandbox) -> CutxHook:
    return CutxHook()


@pytest.fixture
def subject(hook: CutxHook) -> dict[str, str]:
    """The project and the product that every account of the sandbox has."""
    project = next(iter(hook.list_projects())).id
    product = next(iter(hook.list_products(project))).id
    return {"project_id": project, "product_id": product}
