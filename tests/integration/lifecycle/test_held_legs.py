# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Waits before any intent, and their trigger dies."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.compat import TRIGGER_FAILED, TaskDeferred
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.hooks.base import AdGenHook


def test_trigger_dies_while_a_cleared_task_waits_for_its_budget(make_rig, monkeypatch) -> None:
    rig = make_rig()
    first = rig.run(rig.operator(prompt="old"))
    rig.clear()
    monkeypatch.setattr(AdGenHook, "submit_delay", lambda self: 100.0)
    operator, context = rig.operator(prompt="new", deferrable=True), rig.context()
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    monkeypatch.setattr(AdGenHook, "submit_delay", lambda self: 0.0)
    with pytest.raises(TaskDeferred):
        operator.resume_execution(TRIGGER_FAILED, {"error": "x"}, context)
    last = rig.record().last
    assert last.phase == "submitted"
    assert last.job_ids != [first["id"]], "the user cleared the task for another prompt, and gets the old picture"


def test_trigger_dies_while_waiting_to_submit_without_a_record(make_rig, promising) -> None:
    rig = make_rig(records="none")
    promising()
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=1, retry_after=200)
    operator, context = rig.operator(deferrable=True), rig.context()
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    rig.clock.move(300)
    base._budgets.clear()
    operator.deferrable = False
    assert operator.resume_execution(TRIGGER_FAILED, {"error": "x"}, context)["status"] == "completed"
