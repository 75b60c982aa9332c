# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Airflow's ``execution_timeout`` and a paid submission: a real SIGALRM during a slow POST."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.lifecycle import submission
from airflow_provider_adgen.lifecycle.sigalrm import sigalrm_deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.rig import Rig


class TimedOut(BaseException):
    """What Airflow's handler raises is a BaseException, too."""


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Let a real SIGALRM come after so many seconds; its handler raises."""

    def ring(*_: Any) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def test_an_alarm_rings_at_the_end_of_the_block(alarm: Any) -> None:
    done: list[str] = []
    with pytest.raises(TimedOut), sigalrm_deferred():
        alarm(0.01)
        spin(0.05)
        done.append("the rest of the block")
    assert done == ["the rest of the block"]


def test_without_an_alarm_nothing_happens(alarm: Any) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with sigalrm_deferred():
        assert signal.getsignal(signal.SIGALRM) is not before
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_error_passes_and_the_handler_is_put_back(alarm: Any) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyError), sigalrm_deferred():
        raise KeyError("x")
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_alarm_is_not_swallowed_by_an_error(alarm: Any) -> None:
    with pytest.raises(TimedOut) as caught, sigalrm_deferred():
        alarm(0.01)
        spin(0.05)
        raise KeyError("x")
    assert isinstance(caught.value.__context__, KeyError)


def test_an_alarm_after_the_block_rings_at_once(alarm: Any) -> None:
    with sigalrm_deferred():
        pass
    alarm(0.01)
    with pytest.raises(TimedOut):
        spin(5.0)


def test_in_another_thread_there_is_nothing_to_hold() -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with sigalrm_deferred():
                pass
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert failed == []


@pytest.mark.parametrize("point", ["after-intent", "before-post", "before-record"])
def test_a_timeout_during_the_submission_comes_after_the_job_is_recorded(rig: Rig, alarm: Any, point: str) -> None:
    def ring(reached: str) -> None:
        if reached == point:
            signal.raise_signal(signal.SIGALRM)

    rig.connect(timeout=5)
    with rig.patch.context() as patch:
        patch.setattr(submission, "failpoint", ring)
        with pytest.raises(TimedOut):
            rig.run(rig.operator())
    assert rig.phases == ["submitted"]
    assert len(rig.charges) == 1
    rig.retry()
    assert rig.run(rig.operator())["status"] == "completed"
    assert len(rig.charges) == 1


def test_a_timeout_while_the_vendor_answers_comes_after_the_job_is_recorded(rig: Rig, alarm: Any) -> None:
    rig.connect(timeout=30)
    rig.sandbox.fault("slow", "adsumo", method="POST", seconds=0.5)

    def ring_at_the_post() -> None:
        while not rig.sandbox.requests("adsumo", method="POST"):
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    operator, thread = rig.operator(), threading.Thread(target=ring_at_the_post, daemon=True)
    thread.start()
    with pytest.raises(TimedOut):
        rig.run(operator)
    thread.join()
    assert rig.phases == ["submitted"]
    assert len(rig.charges) == 1


def test_a_timeout_while_waiting_for_a_rate_limit_is_not_held(rig: Rig, alarm: Any) -> None:
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, retry_after=5, times=-1)

    def ring(_seconds: float) -> None:
        signal.raise_signal(signal.SIGALRM)

    rig.clock.sleep = ring  # type: ignore[method-assign]
    rig.patch.setattr(time, "sleep", ring)
    with pytest.raises(TimedOut):
        rig.run(rig.operator())
    assert rig.phases == ["withdrawn"]
    assert rig.charges == []
