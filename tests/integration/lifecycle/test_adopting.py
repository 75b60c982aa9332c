# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A resumed leg writes its own job, recorded already, onto another process's submission that is under way."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.compat import TaskDeferred
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt
from airflow_provider_adgen.ledger.ledger import task_ledger


@pytest.mark.parametrize("records", ["objects", "both"])
def test_a_recorded_job_is_not_written_onto_anothers_intent(make_rig, records) -> None:
    rig = make_rig(records=records)
    operator, context = rig.operator(deferrable=True), rig.context()
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    mine = rig.record().last
    identity = TaskIdentity(context["ti"].dag_id, context["ti"].run_id, "make")
    other = Attempt(
        **{
            **mine.model_dump(),
            "uid": "another",
            "phase": "intent",
            "job_ids": [],
            "submitted_at": None,
            "answered": False,
            "try_number": 2,
            "intended_at": rig.clock.now(),
            "key": "k2",
        }
    )
    task_ledger(context, identity).write(other)  # another try is submitting just now
    rig.clock.move(60)
    operator.execute_complete(context, {"id": ",".join(mine.job_ids), "status": "completed"})
    # The other process's job arrives.
    task_ledger(context, identity).write(
        other.model_copy(update={"phase": "submitted", "job_ids": ["J2"], "answered": True})
    )
    found = {one.uid: (one.phase, one.job_ids) for one in rig.record().attempts}
    assert "J2" in found["another"][1], "the other process's paid job is in no record"
