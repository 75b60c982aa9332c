# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.campaign import CampaignRig
from tests.support.rig import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_adgen.sandbox import Sandbox
    from tests.conftest import Diary


@pytest.fixture
def accounts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, quick: None) -> Sandbox:
    """The sandbox, with its four vendors as the default connections."""
    for vendor in ("adsumo", "cinematicads", "cutx", "sume"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", sandbox.connection_json(vendor))
    return sandbox


@pytest.fixture
def campaign(
    sandbox: Sandbox, quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, diary: Diary
) -> Iterator[CampaignRig]:
    """A campaign; whatever it does, no key and no signed link may show up in a log or in a file."""
    yield CampaignRig(sandbox, monkeypatch, tmp_path)
    assert not leaks(diary.text())
    for path in tmp_path.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".html"}:
            assert not leaks(path.read_text())
