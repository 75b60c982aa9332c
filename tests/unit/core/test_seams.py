# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.core import seams

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_seam_does_nothing_unless_it_was_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(seams.os, "kill", lambda *_: killed.append(1))
    seams.seam("before-post")
    assert killed == []


def test_an_armed_seam_kills_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed: list[int] = []
    monkeypatch.setattr(seams.os, "kill", lambda *_: killed.append(1))
    monkeypatch.setattr(seams, "_ARMED", str(tmp_path))
    (tmp_path / "before-post").touch()
    seams.seam("after-record")
    assert killed == []
    seams.seam("before-post")
    seams.seam("before-post")
    assert killed == [1]
