# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What an accountant found: one store of two fails, clocks that differ, refused attempts after a paid one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.errors import GenerationFailed, GenerationTimeout
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.stores import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.support.rig import Rig

    KillAt = Callable[[str], AbstractContextManager[None]]


class At(Clock):
    """A clock that stands still, and does not sleep."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds or time.time()

    def sleep_blocking(self, seconds: float) -> None:
        pass


class Memory(Store):
    """A store that fails when told to."""

    def __init__(self) -> None:
        self.kept = Record()
        self.broken = False

    def read(self) -> Record:
        return self.kept

    def write(self, attempt: Attempt, record: Record) -> None:
        if self.broken:
            raise RuntimeError("the store does not answer")
        self.kept = self.kept.with_attempt(attempt)

    def forget(self, attempt: Attempt) -> None:
        self.kept = self.kept.without(attempt.uid)


def attempt(**values: Any) -> Attempt:
    return Attempt(**{"phase": "intent", "epoch": 1, "fingerprint": "f", "kind": "k", "post_seconds": 1, **values})


@pytest.mark.parametrize("broken", [0, 1])
def test_what_became_of_a_submission_reaches_the_store_that_works(broken: int) -> None:
    stores = [Memory(), Memory()]
    ledger = Ledger(list(stores), clock=At(0.0))
    kept = ledger.write(attempt(intended_at=1.0))
    stores[broken].broken = True
    with pytest.raises(RuntimeError):
        ledger.write(kept.model_copy(update={"phase": "submitted", "job_ids": ["j"]}), retrying=True)
    found = Ledger(list(stores)).record()
    assert found is not None
    assert found.last is not None
    assert (found.last.phase, found.last.job_ids) == ("submitted", ["j"])


def test_a_job_is_found_again_if_one_store_failed_when_it_was_accepted(
    make_rig: Callable[..., Rig], promising: Callable[..., None], monkeypatch: pytest.MonkeyPatch, killed: KillAt
) -> None:
    promising()
    rig = make_rig(records="both")
    assert rig.store is not None
    store, submit = rig.store, Ledger.write

    def write(self: Ledger, one: Attempt, **how: Any) -> Attempt:
        store.broken_writes = 99 if one.phase == "submitted" else 0
        return submit(self, one, **how)

    with monkeypatch.context() as patch, killed("after-record"):
        patch.setattr(Ledger, "write", write)
        rig.run(rig.operator())
    store.broken_writes = 0
    rig.retry()
    assert rig.run(rig.operator())["id"] == rig.charges[0]["job_id"]
    assert len(rig.charges) == 1


def test_the_word_of_a_worker_whose_clock_is_behind_counts_all_the_same() -> None:
    store = Memory()
    kept = Ledger([store], clock=At(1000.0)).write(attempt(intended_at=1000.0, phase="submitted"))
    behind = Ledger([store], clock=At(700.0))
    behind.write(kept.model_copy(update={"epoch": 3}))
    behind.write(kept.model_copy(update={"epoch": 3, "ended": "failed"}))
    assert store.kept.last is not None
    assert (store.kept.last.epoch, store.kept.last.ended) == (3, "failed")


@pytest.mark.parametrize("records", ["state", "objects"])
def test_a_job_taken_up_after_a_clear_is_not_cleared_again_by_a_slow_clock(
    make_rig: Callable[..., Rig], promising: Callable[..., None], killed: KillAt, records: str
) -> None:
    promising()
    rig = make_rig(records=records)
    rig.sandbox.settings(adsumo={"job_seconds": 3600})
    with killed("after-record"):
        rig.run(rig.operator())
    rig.clear()
    rig.clock.ahead -= 300.0
    with pytest.raises(GenerationTimeout):
        rig.run(rig.operator(timeout=5, poll_interval=1))
    rig.sandbox.set_job(rig.charges[0]["job_id"], "failed")
    rig.retry()
    with pytest.raises(GenerationFailed):
        rig.run(rig.operator())
    assert len(rig.charges) == 1


@pytest.mark.parametrize("records", ["state", "objects"])
def test_a_paid_job_is_closed_although_an_attempt_after_it_was_refused(
    make_rig: Callable[..., Rig], killed: KillAt, records: str
) -> None:
    rig = make_rig(records=records)
    with killed("after-record"):
        rig.run(rig.operator())
    rig.retry()
    rig.sandbox.fault("status", "adsumo", method="POST", status=402)
    with pytest.raises(AirflowFailException):
        rig.run(rig.operator(prompt="A blue bottle", on_changed_input="fresh"))
    rig.retry()
    result = rig.run(rig.operator())
    assert result["id"] == rig.charges[0]["job_id"]
    assert "earlier_submissions" not in result["details"]
    assert rig.phases == ["done", "withdrawn"]
    rig.clear()
    assert rig.run(rig.operator())["id"] != result["id"]
    assert len(rig.charges) == 2


def test_what_an_unknown_submission_may_have_cost_counts_after_a_clear(
    rig: Rig, promising: Callable[..., None], killed: KillAt
) -> None:
    promising()
    with killed("before-record"):
        rig.run(rig.operator())
    rig.clear()
    rig.clock.move(120)
    with pytest.raises(AirflowFailException, match="more than max_credits=1"):
        rig.run(rig.operator(on_unknown_submission="resubmit", max_credits=1))
    assert len(rig.charges) == 1


@pytest.mark.parametrize("kind", ["not_json", "drop"])
def test_a_try_accepts_paying_twice_once(
    recorded: Rig, promising: Callable[..., None], kind: str, deferrable: bool
) -> None:
    promising()
    recorded.sandbox.fault(kind, "adsumo", method="POST", when="after", times=5)
    with pytest.raises(AirflowFailException, match="Nobody knows"):
        recorded.run(recorded.operator(on_unknown_submission="resubmit", deferrable=deferrable))
    assert len(recorded.charges) == 2
    assert recorded.phases == ["intent", "intent"]
    recorded.sandbox.clear_faults()
    recorded.clear()
    recorded.clock.move(60)
    assert recorded.run(recorded.operator(on_unknown_submission="resubmit"))["status"] == "completed"
    assert len(recorded.charges) == 3


@pytest.mark.parametrize(("on_clear", "paid"), [("reattach", 1), ("fresh", 2)])
def test_without_a_record_a_clear_that_reattaches_keeps_its_key(
    make_rig: Callable[..., Rig], killed: KillAt, on_clear: str, paid: int
) -> None:
    rig = make_rig(records="none")
    with killed("before-record"):
        rig.run(rig.operator(on_clear=on_clear))
    rig.clear()
    assert rig.run(rig.operator(on_clear=on_clear))["status"] == "completed"
    assert len(rig.charges) == paid
