# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A process that replaces its refused attempt removes what another process recorded under that same attempt."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.operators.adsumo import AdsumoTextToImageOperator
from tests.support.rig import IMAGE
from tests.support.tasks import run_task, task_context


@pytest.mark.parametrize("forgets", [True, False], ids=["as it is", "forgetting turned off"])
def test_forget_removes_a_paid_job(make_rig, monkeypatch, forgets) -> None:
    rig = make_rig(records="objects")
    if not forgets:
        from airflow_provider_adgen.ledger.stores import ObjectStore

        monkeypatch.setattr(ObjectStore, "forget", lambda *_: None)
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=1, retry_after=1)
    jobs: list[str] = []
    write = Ledger.write

    def slow(self, attempt, **kw):
        if attempt.phase == "withdrawn" and not jobs:
            jobs.append("")  # the store hangs here; another try begins after the submission's deadline
            rig.clock.move(70)
            operator = AdsumoTextToImageOperator(task_id="make", poll_interval=0.05, deferrable=False, **IMAGE)
            jobs[0] = run_task(operator, task_context(rig.store, try_number=2, max_tries=1))["id"]
        return write(self, attempt, **kw)

    monkeypatch.setattr(Ledger, "write", slow)
    rig.run(rig.operator())
    assert jobs[0] in [j for one in rig.record().attempts for j in one.job_ids], "the paid job is in no record any more"
    assert len(rig.charges) == 1
