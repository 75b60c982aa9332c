# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Runs an operator without Airflow's processes: a context with a store, and deferrals driven to their end."""

from __future__ import annotations

import asyncio
import json
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.compat import TRIGGER_FAILED, TaskDeferred

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEGS = 50


class FakeStore:
    """Airflow's task state store: JSON values by key, shared by all tries of a task."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes: list[Any] = []
        self.broken_reads = False
        self.broken_writes = 0

    def get(self, key: str, default: Any = None) -> Any:
        if self.broken_reads:
            raise RuntimeError("the state store does not answer")
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        if self.broken_writes > 0:
            self.broken_writes -= 1
            raise RuntimeError("the state store does not answer")
        self.values[key] = json.dumps(value)
        self.writes.append(json.loads(self.values[key]))


class FakeTaskInstance:
    """What an operator uses of its task instance."""

    def __init__(self, **values: Any) -> None:
        self.dag_id = "campaign"
        self.run_id = "manual__2026-01-01T00:00:00+00:00"
        self.task_id = "make"
        self.map_index = -1
        self.try_number = 1
        self.max_tries = 1
        self.__dict__.update(values)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        assert value is not None, f"Airflow 3.0 refuses to store None ({key})."
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, key: str, **_of: Any) -> Any:
        return self.xcoms.get(key)


def task_context(store: FakeStore | None = None, **ti: Any) -> dict[str, Any]:
    """Return a context; without a store it is that of Airflow before 3.3."""
    context: dict[str, Any] = {"ti": FakeTaskInstance(**ti)}
    if store is not None:
        context["task_state_store"] = store
    return context


async def first_event(trigger: Any) -> Any:
    """Return a trigger's one event, after sending it through serialisation as Airflow does."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**json.loads(json.dumps(kwargs)))
    events = [event async for event in again.run()]
    assert len(events) == 1, "a trigger fires once"
    return events[0].payload


def run_task(
    operator: Any,
    context: dict[str, Any],
    *,
    passing: Callable[[float], None] | None = None,
    resumed: bool = False,
) -> Any:
    """
    Execute an operator, following every deferral through its trigger.

    :param passing: lets so many seconds pass; given, a trigger that only waits for a moment is not run.
    :param resumed: begin with a leg after a deferral, whose trigger died.
    """
    act, kwargs = operator.execute, {}
    if resumed:
        act = lambda ctx: operator.resume_execution(TRIGGER_FAILED, {}, ctx)  # noqa: E731
    for _ in range(MOST_LEGS):
        try:
            return act(context, **kwargs)
        except TaskDeferred as deferral:
            moment = getattr(deferral.trigger, "moment", None)
            if passing is not None and not getattr(deferral.trigger, "jobs", True):
                # A batch without a job under way waits for the first account that takes something again.
                moment = min((one[1] for one in deferral.trigger.resume if one[2] is None), default=None)
            if moment is not None and passing is not None:
                passing(moment - time.time())
                event: Any = {"id": "", "status": "waited", "over": []}
            else:
                event = asyncio.run(asyncio.wait_for(first_event(deferral.trigger), 60))
            act = lambda ctx, name=deferral.method_name, **kw: operator.resume_execution(name, kw, ctx)  # noqa: E731
            kwargs = {"event": event, **(deferral.kwargs or {})}
    raise AssertionError("the task never came to an end")
