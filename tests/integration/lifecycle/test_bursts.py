# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Fifty tasks at once, and a vendor that takes ten an hour: an hour passes in seconds here, and so does a minute."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.compat import TaskDeferred
from airflow_provider_adgen.core.decisions import submission
from airflow_provider_adgen.core.decisions.rates import RateBudget
from airflow_provider_adgen.hooks import base
from airflow_provider_adgen.lifecycle import submit_window
from airflow_provider_adgen.operators.generate import GenerateOperator
from tests.support.tasks import FakeStore, first_event, task_context

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox import Sandbox

HOUR = 5.0
WORKERS = 4
LOOKS = {"*": [100000, HOUR]}

# What each vendor calls the class of endpoint that submits, and a request to submit.
VENDORS: dict[str, tuple[str, dict[str, Any]]] = {
    "cinematicads": ("workflow", {"kind": "workflow", "workflow_type": "staticad", "concept": "a red shoe"}),
}


@dataclass
class Workers:
    """So many task processes at once, and what they did."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WORKERS))
    busy: float = 0.0
    legs: int = 0

    async def live(self, operator: Any, context: dict[str, Any]) -> Any:
        """Run one task to its end: each leg on a worker, each deferral in the one triggerer."""
        act, kwargs = operator.execute, {}
        while True:
            async with self.slots:
                started = time.monotonic()
                try:
                    return await asyncio.to_thread(act, context, **kwargs)
                except TaskDeferred as deferred:
                    deferral = deferred
                finally:
                    self.busy += time.monotonic() - started
                    self.legs += 1
            event = await first_event(deferral.trigger)
            act = lambda ctx, name=deferral.method_name, **kw: operator.resume_execution(name, kw, ctx)  # noqa: E731
            kwargs = {"event": event, **(deferral.kwargs or {})}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Sandbox:
    """An hour of the vendor's passes in moments, and each leg of a task is a process that knows of no other."""
    monkeypatch.setattr(submit_window, "NEAR", HOUR / 60)
    monkeypatch.setattr(submission, "REFUSED_PAUSE", HOUR / 3600)
    monkeypatch.setattr(
        base, "budget_of", lambda account: RateBudget(None, base.get_vendor(account.vendor).rate_limits)
    )
    monkeypatch.setenv("AIRFLOW__ADGEN__FIRST_FIRE_DELAY", "0")
    for vendor in VENDORS:
        monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", sandbox.connection_json(vendor))
    return sandbox


def tasks(vendor: str, number: int, **options: Any) -> list[tuple[Any, dict[str, Any]]]:
    request = VENDORS[vendor][1]
    return [
        (
            GenerateOperator(
                task_id="make",
                conn_id=f"{vendor}_default",
                request=request,
                deferrable=True,
                poll_interval=0.2,
                **options,
            ),
            task_context(FakeStore(), map_index=place),
        )
        for place in range(number)
    ]


def posts(sandbox: Sandbox, vendor: str) -> list[int]:
    return [one["status"] for one in sandbox.requests(vendor, method="POST")]


@pytest.mark.parametrize(("number", "limit", "most"), [(10, 5, 9), pytest.param(50, 10, 55, marks=pytest.mark.slow)])
async def test_a_burst_is_submitted_within_the_limit(hurried: Sandbox, number: int, limit: int, most: int) -> None:
    hurried.settings(
        cinematicads={"rate_limits": {"workflow": [limit, HOUR], **LOOKS}, "job_seconds": 0.1, "retry_after": "seconds"}
    )
    workers, started = Workers(), time.monotonic()
    results = await asyncio.gather(*(workers.live(*task) for task in tasks("cinematicads", number)))
    took = time.monotonic() - started
    assert {one["status"] for one in results} == {"completed"}
    jobs = [charge["job_id"] for charge in hurried.charges]
    assert len(jobs) == number == len(set(jobs))
    assert {one["id"] for one in results} == set(jobs)
    refused = posts(hurried, "cinematicads").count(429)
    assert refused <= most, "each learns it once, and then one in each window"
    assert workers.busy / took < WORKERS / 2, "who waits holds no worker"
