# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What all triggers of this package have in common: a deadline, a first-fire delay, one event, then the end.

Airflow imports a trigger's module in the event loop of all triggers, so these modules import little. The poll loop, the
client and the vendor are imported in a thread, for the first who waits.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import importlib
import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.decisions.polling import TIMEOUT, UNREACHABLE
from airflow_provider_adgen.core.decisions.retry_delay import retry_delay
from airflow_provider_adgen.triggers.targets import UpdateKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_adgen.triggers.targets import PollTarget

_imported: set[tuple[type, str]] = set()
_importing: dict[tuple[type, str], asyncio.Task[None]] = {}

WAITED = "waited"
"""Status of an event: the time has come."""


def event(subject: str, status: str, sealed: str = "") -> TriggerEvent:
    """Return an event. Airflow logs it whole: an id, a status, and what only a holder of the key can read."""
    more = {"sealed": sealed} if sealed else {}
    return TriggerEvent({"id": subject, "status": status, **more})  # type: ignore[no-untyped-call]  # not annotated


@dataclass(kw_only=True, eq=False, repr=False)
class AdGenTrigger(BaseTrigger):
    """A trigger whose fields are its arguments: no key, no link."""

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow does not annotate it

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, as JSON values."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
        )


@dataclass(kw_only=True, eq=False, repr=False)
class DeadlineTrigger(AdGenTrigger):
    """
    Waits until a deadline at most, yields one event and returns.

    :param conn_id: the connection.
    :param since: Unix time at which the waiting began.
    :param until: Unix time at which to give up; it comes before Airflow's own deadline for the deferral.
    :param first_fire_delay: seconds before it may fire first; the scheduler may still be closing the first leg.
    """

    conn_id: str
    since: float
    until: float
    first_fire_delay: float = 2.0

    def subject(self) -> str:
        """Return the id the event carries; empty where it is about no job."""
        return ""

    @abc.abstractmethod
    async def wait(self) -> tuple[str, str]:
        """Wait without a deadline; return the status and the sealed result of the event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield one event."""
        began = SYSTEM.monotonic()
        status, sealed = await self.wait_for_end()
        if (rest := self.first_fire_delay - (SYSTEM.monotonic() - began)) > 0:
            await SYSTEM.sleep(rest)
        yield event(self.subject(), status, sealed)

    async def wait_for_end(self) -> tuple[str, str]:
        """Wait until it is over, the time is, or the vendor cannot be asked; return a status and a sealed result."""
        status, sealed = TIMEOUT, ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self.until - SYSTEM.now())):
                status, sealed = await self.wait()
        if status == UNREACHABLE:
            now = SYSTEM.now()
            await SYSTEM.sleep(min(retry_delay(now - self.since), self.until - now))
        return status, sealed


@dataclass(kw_only=True, eq=False, repr=False)
class PollTrigger(DeadlineTrigger):
    """
    Waits for one target of the connection's shared poll loop.

    Its event has id and status; and, sealed with the account's key, a result that the vendor may tell only once. If
    only this process cannot reach the vendor or read the connection, the worker is told after a delay that grows, so
    that the task does not come and go every few seconds. Being cancelled only unsubscribes it: nothing is cancelled at
    the vendor.

    :param poll_interval: seconds between polls.
    """

    poll_interval: float

    status_level: ClassVar[int] = logging.INFO
    """At which a change of the status is logged."""

    @abc.abstractmethod
    def target(self) -> PollTarget:
        """Return what to wait for; what that needs is imported here."""

    async def _prepare(self) -> None:
        """Import what waiting needs, in a thread: once, however many begin to wait at the same time."""
        if (first := (type(self), self.conn_id)) in _imported:
            return
        task = _importing.get(first)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            # In the event loop it would hold up all triggers.
            task = _importing[first] = asyncio.create_task(asyncio.to_thread(self._import))
        try:
            await asyncio.shield(task)
        finally:
            if task.done():
                _importing.pop(first, None)
        _imported.add(first)

    def _import(self) -> None:
        importlib.import_module("airflow_provider_adgen.triggers.loop")
        self.target()

    async def wait(self) -> tuple[str, str]:
        """Wait for the target."""
        try:
            await self._prepare()
            from airflow_provider_adgen.triggers.loop import poll_loop

            updates = poll_loop(self.conn_id).follow(self.target())
            async with contextlib.aclosing(updates):
                async for update in updates:
                    if update.kind == UpdateKind.OVER:
                        return update.text, update.sealed
                    if update.kind == UpdateKind.UNREACHABLE:
                        self.log.warning("%s", update.text)
                        return UNREACHABLE, ""
                    self.log.log(self.status_level, "%s is %s.", self.subject() or self.conn_id, update.text)
        except Exception as error:  # whatever a secrets backend raises; the worker may be able to read it
            if SYSTEM.now() >= self.until:
                return TIMEOUT, ""  # what the deadline cancelled may raise an error of its own
            self.log.warning("Connection %s cannot be used here (%s).", self.conn_id, type(error).__name__)
        return UNREACHABLE, ""


@dataclass(kw_only=True, eq=False, repr=False)
class WaitTrigger(AdGenTrigger):
    """
    Fires at a point in time.

    :param moment: Unix time.
    """

    moment: float

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, then yield one event."""
        await SYSTEM.sleep(self.moment - SYSTEM.now())
        yield event("", WAITED)
