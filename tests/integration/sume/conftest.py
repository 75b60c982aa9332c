# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_adgen.hooks.sume import SumeHook

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox


@pytest.fixture(autouse=True)
def account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: None) -> None:
    """Connect ``sume_default`` to the sandbox, and keep records of what is paid."""
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}/ledger")
    monkeypatch.setenv("AIRFLOW_CONN_SUME_DEFAULT", sandbox.connection_json("sume", timeout=10))


@pytest.fixture
def hook(sandbox: Sandbox, account: None) -> SumeHook:
    return SumeHook()


@pytest.fixture
def film(tmp_path: Path) -> str:
    path = tmp_path / "my film.mp4"
    path.write_bytes(b"a film" * 10_000)
    return str(path)
