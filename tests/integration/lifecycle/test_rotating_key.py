# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The backend hands out another key at each reading, and the vendor refuses them all: no pause, no deadline."""

from __future__ import annotations

import itertools

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.hooks.base import AdGenHook


def test_it_pauses(make_rig, monkeypatch) -> None:
    rig = make_rig()
    rig.sandbox.settings(adsumo={"job_seconds": 600})
    count, changed, reads = itertools.count(), AdGenHook.changed_key, []

    def rotating(self):
        reads.append(1)
        assert len(reads) < 100, "it asks without a pause"
        rig.connect(password=f"adsumo_sk_wrong_{next(count)}")
        return changed(self)

    monkeypatch.setattr(AdGenHook, "changed_key", rotating)
    rig.sandbox.fault("status", "adsumo", method="GET", status=401, times=-1)
    with pytest.raises(AirflowFailException):
        rig.run(rig.operator(timeout=30))
