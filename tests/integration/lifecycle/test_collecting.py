# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The wait is over, and the vendor stumbles just when the result is collected; the deadline is hours away."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.lifecycle import generation as leg


@pytest.mark.parametrize(
    ("deferrable", "fault"),
    [
        (False, {"kind": "status", "status": 503, "times": 5}),
        (True, {"kind": "status", "status": 503, "times": 5}),
        (False, {"kind": "status", "status": 429, "times": 2, "retry_after": 90}),
        (True, {"kind": "status", "status": 429, "times": 2, "retry_after": 3}),
        (False, {"kind": "not_json", "times": 1}),
        (True, {"kind": "not_json", "times": 1}),
    ],
)
def test_collecting(make_rig, monkeypatch, deferrable, fault) -> None:
    rig = make_rig()
    ask = leg.GenerationLeg._ask
    struck = []

    def asking(self, generation, heard, resumed, submitted_at):
        if not struck:
            struck.append(1)
            given = dict(fault)
            rig.sandbox.fault(given.pop("kind"), "adsumo", method="GET", **given)
        return ask(self, generation, heard, resumed, submitted_at)

    monkeypatch.setattr(leg.GenerationLeg, "_ask", asking)
    assert rig.run(rig.operator(deferrable=deferrable))["status"] == "completed"
