# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Batches at work in virtual time, each history drawn from its seed: nothing is paid twice, nothing that is paid is lost.

``ADGEN_HISTORIES=5000`` runs so many, ``ADGEN_HISTORIES=7:8`` those from 7 on, before 8.
"""

from __future__ import annotations

import os

import pytest

from tests.support.histories.history import History
from tests.support.histories.machine import Memory
from tests.support.library import memory_stores

FIRST, _, LAST = os.environ.get("ADGEN_HISTORIES", "0:50").rpartition(":")
KEPT = {1159}
"""Histories in which something went wrong once: what a refused item had set aside kept others from a budget."""

SEEDS = sorted({*range(int(FIRST or 0), int(LAST))} | KEPT)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_item_is_paid_once_or_a_person_is_asked(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with memory_stores(Memory) as attach:
        history = History(seed, attach, monkeypatch)
        wrong = history.run()
    assert not wrong, "\n".join([*history.machine.told, "", *wrong])
