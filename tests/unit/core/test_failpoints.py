# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_adgen.core import failpoints

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_seam_does_nothing_unless_it_was_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(failpoints.os, "kill", lambda *_: killed.append(1))
    failpoints.failpoint("before-post")
    assert killed == []


def test_an_armed_seam_kills_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed: list[int] = []
    monkeypatch.setattr(failpoints.os, "kill", lambda *_: killed.append(1))
    monkeypatch.setattr(failpoints, "_ARMED", str(tmp_path))
    (tmp_path / "before-post").touch()
    failpoints.failpoint("after-record")
    assert killed == []
    failpoints.failpoint("before-post")
    failpoints.failpoint("before-post")
    assert killed == [1]


def test_an_order_for_one_task_strikes_that_task_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed: list[int] = []
    monkeypatch.setattr(failpoints.os, "kill", lambda *_: killed.append(1))
    monkeypatch.setattr(failpoints, "_ARMED", str(tmp_path))
    (tmp_path / "before-post@nightly@make").touch()
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "nightly")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "other")
    failpoints.failpoint("before-post")
    assert killed == []
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "make")
    failpoints.failpoint("before-post")
    failpoints.failpoint("before-post")
    assert killed == [1]


def test_a_death_can_come_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    died = threading.Event()
    monkeypatch.setattr(failpoints.os, "kill", lambda *_: died.set())
    monkeypatch.setattr(failpoints, "_ARMED", str(tmp_path))
    (tmp_path / "before-post").write_text("0.05")
    failpoints.failpoint("before-post")
    assert not died.is_set()
    assert died.wait(10)
