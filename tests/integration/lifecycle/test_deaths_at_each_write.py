# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A process dies, or a store fails, at each single write and removal while refused attempts are replaced."""

from __future__ import annotations

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger.stores import ObjectStore, StateStore
from tests.integration.lifecycle.conftest import Killed
from tests.support.rig import Rig

MOST = 26
"""Operations of one life, at most."""


class Strike:
    """Hits one operation of many."""

    def __init__(self, patch, how, target):
        self.patch, self.how, self.target, self.count, self.struck = patch, how, target, 0, False
        self.times = {"fails once": 1, "fails thrice": 3}.get(how, 0)

    def wrap(self, cls, name):
        real = getattr(cls, name)

        def act(this, *args, **given):
            at = self.count - self.target
            self.count += 1
            self.struck |= at == 0
            if self.how == "dies before" and at == 0:
                raise Killed
            if 0 <= at < self.times:
                raise OSError("storage")
            found = real(this, *args, **given)
            if self.how == "dies after" and at == 0:
                raise Killed
            return found

        self.patch.setattr(cls, name, act)


def live(rig, then):
    """Return what the task returned, and whether it was delivered before a clear."""
    over = False
    for number in range(6):
        try:
            return rig.run(rig.operator()), over
        except AirflowFailException:
            return None, over
        except (Killed, Exception):
            over = over or "done" in rig.phases
        (rig.clear if then == "clear" and number == 0 else rig.retry)()
        rig.clock.move(120)
    return None, over


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize("how", ["dies before", "dies after", "fails once", "fails thrice"])
@pytest.mark.parametrize("records", ["objects", "both", "state"])
@pytest.mark.parametrize("then", ["retry", "clear"])
def test_each_operation(make_rig, monkeypatch, promising, records, how, keys, then, tmp_path) -> None:
    first = make_rig(records="state")
    if not keys:
        promising()
    for target in range(MOST):
        with monkeypatch.context() as patch:
            here = tmp_path / str(target)
            here.mkdir()
            first.sandbox.reset()
            rig = Rig(first.sandbox, patch, here, records=records)
            base._budgets.clear()
            strike = Strike(patch, how, target)
            strike.wrap(ObjectStore, "write")
            strike.wrap(StateStore, "write")
            strike.wrap(LocalFileSystem, "rm_file")
            if how.startswith("dies"):
                strike.wrap(AdGenHook, "post")
            rig.sandbox.fault("status", "adsumo", method="POST", status=429, times=2, retry_after=0)
            got, over = live(rig, then)
            paid = [charge["job_id"] for charge in rig.charges]
            # A clear after the delivery pays again: a user asked for another one.
            assert len(paid) <= 1 or (over and then == "clear"), (target, rig.phases)
            assert got is None or got["id"] in paid, (target, rig.phases)
            assert got is not None or not keys, (target, rig.phases)
            if not strike.struck:
                assert target > 3  # the life has fewer operations than that
                return
    raise AssertionError("a life has more operations than this test strikes")
