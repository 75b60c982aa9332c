# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What was charged reaches Airflow's statistics once, whatever becomes of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen import compat

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from tests.support.rig import Rig


class Counters:
    """Stands for Airflow's statistics."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, Mapping[str, str]]] = []

    def incr(self, name: str, number: int, *, tags: Mapping[str, str]) -> None:
        self.told.append((name, number, tags))


def test_credits_are_counted_once_across_a_lost_answer_and_a_retry(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = Counters()
    monkeypatch.setattr(compat, "statistics", lambda: counters)
    rig.sandbox.fault("drop", "adsumo", method="POST", path="/images/*", times=1)
    rig.run(rig.operator(quantity=2))
    rig.retry()
    rig.run(rig.operator(quantity=2))
    tags = {"vendor": "adsumo", "conn_id": "adsumo_default", "kind": "image"}
    assert counters.told == [("adgen.credits.charged", rig.spent, tags)]
    assert rig.spent == 2
