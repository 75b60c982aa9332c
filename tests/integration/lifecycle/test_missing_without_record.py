# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""No record (Airflow before 3.3), and the XCom adgen_wait is not there: a missing job has no end."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.decisions import polling
from tests.support.tasks import FakeTaskInstance


@pytest.mark.parametrize("xcom", [True, False])
def test_a_missing_job_ends(make_rig, monkeypatch, xcom) -> None:
    rig = make_rig(records="none")
    monkeypatch.setattr(polling, "_YOUNG", 0.3)
    if not xcom:
        monkeypatch.setattr(FakeTaskInstance, "xcom_pull", lambda self, **_: None)
    rig.sandbox.fault("status", "adsumo", method="GET", status=404, times=-1)
    with pytest.raises(AirflowFailException):
        rig.run(rig.operator(deferrable=True, timeout=2))
