# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The time to submit is over, and it pays all the same."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from airflow_provider_adgen.compat import TaskDeferred
from airflow_provider_adgen.core.errors import GenerationTimeout
from airflow_provider_adgen.hooks import base


@pytest.mark.parametrize("records", ["state", "none"])
def test_execution_timeout_while_waiting_for_credits(make_rig, monkeypatch, promising, records) -> None:
    """The last poll for credits is at the worker's own deadline; what it submits then can never be waited for."""
    rig = make_rig(records=records)
    promising()  # no keys, as Sume and CinematicAds
    rig.sandbox.settings(adsumo={"job_seconds": 600})
    rig.sandbox.set_credits("adsumo", 0)
    began, sleep = rig.clock.now(), rig.clock.sleep

    def topped_up(seconds):  # somebody tops the account up before the last poll
        sleep(seconds)
        if rig.clock.now() - began > 1130:
            rig.sandbox.set_credits("adsumo", 50)

    monkeypatch.setattr(time, "sleep", topped_up)
    with pytest.raises(GenerationTimeout):
        rig.run(rig.operator(on_insufficient="wait", execution_timeout=timedelta(seconds=1200)))
    assert not rig.charges


def test_submit_timeout_is_over_and_it_submits(make_rig) -> None:
    """The trigger says "timeout": submit_timeout is over. The leg posts a paid request all the same."""
    rig = make_rig()
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=1, retry_after=900)
    operator, context = rig.operator(deferrable=True, submit_timeout=1000), rig.context()
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    rig.clock.move(5000)  # the triggerer was down for an hour
    base._budgets.clear()  # the next leg is another process
    operator.deferrable = False
    with pytest.raises(GenerationTimeout):
        operator.execute_complete(context, {"id": "", "status": "timeout"})
    assert not rig.charges
