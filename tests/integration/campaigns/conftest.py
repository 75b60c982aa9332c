# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox import Sandbox


@pytest.fixture
def accounts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, quick: None) -> Sandbox:
    """The sandbox, with its four vendors as the default connections."""
    for vendor in ("adsumo", "cinematicads", "cutx", "sume"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", sandbox.connection_json(vendor))
    return sandbox
