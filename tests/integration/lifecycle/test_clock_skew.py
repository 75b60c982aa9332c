# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A refused attempt by a worker whose clock is ahead stretches the 20 s in which CutX's key protects."""

from __future__ import annotations

import contextlib

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import WireError
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.operators.generate import GenerateOperator


@pytest.mark.parametrize("ahead", [0, 300])
def test_cutx_video(make_rig, monkeypatch, ahead) -> None:
    rig = make_rig()
    rig.patch.setenv("AIRFLOW_CONN_CUTX_DEFAULT", rig.sandbox.connection_json("cutx"))
    rig.sandbox.settings(cutx={"job_seconds": 70})
    hook = CutxHook()
    request = {"kind": "video", "script": "Shoes. Now."}
    request["project_id"] = next(iter(hook.list_projects())).id
    request["product_id"] = next(iter(hook.list_products(request["project_id"]))).id

    def make():
        given = {"conn_id": "cutx_default", "request": dict(request), "poll_interval": 0.05, "deferrable": False}
        return GenerateOperator(task_id="make", **given)

    # Try 1, on a worker whose clock is ahead, is refused.
    rig.sandbox.fault("status", "cutx", method="POST", path="/api/generate*", status=402, times=1)
    now = SYSTEM.now
    monkeypatch.setattr(SYSTEM, "now", lambda: now() + ahead)
    with pytest.raises(AirflowFailException):
        rig.run(make())
    monkeypatch.setattr(SYSTEM, "now", now)
    rig.clear()
    # Try 2, on another worker: each answer is lost, after 60 s.
    post, lost = AdGenHook.post, []

    def unanswered(self, *a, **k):
        found = post(self, *a, **k)
        lost.append(found.id)
        rig.clock.move(60)
        if len(lost) < 4:
            raise WireError("No answer within 60 s.", sent=True)
        return found

    monkeypatch.setattr(AdGenHook, "post", unanswered)
    with contextlib.suppress(AirflowFailException):  # it may ask a person; it may not pay twice
        rig.run(make())
    assert len(rig.charges) == 1
