# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Whoever waits holds no claim; and threads ask Airflow one after the other."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_adgen.lifecycle import resolution
from airflow_provider_adgen.lifecycle.paying import withdrawn_unless_used


class Permit:
    withdrawn = False

    def take(self) -> str:
        return "mine"

    def stands(self) -> bool:
        return True

    def withdraw(self) -> None:
        self.withdrawn = True


@pytest.mark.parametrize(
    ("claim", "phase", "withdrawn"),
    [
        ("mine", "intent", False),
        ("mine", "submitted", False),
        ("mine", "withdrawn", True),
        ("earlier", "submitted", True),
        (None, "submitted", True),
    ],
)
def test_a_claim_is_kept_only_for_its_own_submission(claim: str | None, phase: str, withdrawn: bool) -> None:
    permit, log = Permit(), SimpleNamespace(last=SimpleNamespace(claim=claim, phase=phase))
    with withdrawn_unless_used(permit, "mine", log):  # type: ignore[arg-type]  # all that it looks at
        pass
    assert permit.withdrawn is withdrawn


def test_threads_ask_airflow_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asking, most = 0, 0

    def get(_name: str, **_more: Any) -> None:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        time.sleep(0.01)
        asking -= 1

    monkeypatch.setattr("airflow.sdk.Variable.get", get)
    threads = [threading.Thread(target=resolution.read_resolution, args=(f"{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
