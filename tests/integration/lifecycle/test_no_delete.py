# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A ledger_path where nothing may be deleted (object lock, retention, a write-only role): docs say the objects stay."""

from __future__ import annotations

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_adgen.core.errors import GenerationTimeout


@pytest.mark.parametrize("delete", [True, False])
@pytest.mark.parametrize("deferrable", [False, True])
def test_refusals_where_nothing_may_be_deleted(make_rig, monkeypatch, delete, deferrable) -> None:
    rig = make_rig(records="objects")

    def refused(*_a, **_k):
        raise PermissionError("no delete")

    if not delete:
        monkeypatch.setattr(LocalFileSystem, "rm_file", refused)
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=-1, retry_after=200)
    with pytest.raises(GenerationTimeout):
        rig.run(rig.operator(submit_timeout=1500, deferrable=deferrable))
    record = rig.record()
    assert not [a for a in record.attempts if a.reason == "another process was submitting for the same task"]
    assert max(a.refusals for a in record.attempts) == len(rig.posts()) - 1
