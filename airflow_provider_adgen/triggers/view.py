# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What a poll loop is doing, in the logs of the tasks that wait, for as long as somebody wants to see it.

Asked for by ``log_poll_loop`` in the connection's extra: seconds between two views. It holds ids and numbers, never a
key or a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.triggers.targets import PollUpdate, UpdateKind

if TYPE_CHECKING:
    from airflow_provider_adgen.core.wire import Wire
    from airflow_provider_adgen.triggers.due_queue import WaitingJob
    from airflow_provider_adgen.triggers.loop import PollLoop

NEVER = float("inf")
SHORTEST = 1.0
"""Seconds between two views at least, whatever the connection asks for."""


class View:
    """
    Shows one poll loop to those who wait on it.

    :param loop: the poll loop.
    """

    def __init__(self, loop: PollLoop) -> None:
        self._loop = loop
        self._shown_at = float("-inf")

    def pause(self) -> float:
        """Return the seconds until the next view is due; never, unless the connection asks for views."""
        every = self._every()
        return NEVER if every is None else max(0.0, self._shown_at + every - SYSTEM.monotonic())

    def show(self) -> None:
        """Send each waiter a view, if one is due: what the loop does, and where its own job stands."""
        if self.pause() > 0 or self._loop.connection.wire is None:
            return
        now = self._shown_at = SYSTEM.monotonic()
        whole = self.of_the_loop(self._loop.connection.wire, now)
        for watch in self._loop.watches.values():
            watch.tell(PollUpdate(UpdateKind.VIEW, f"{whole} {self.of_one(watch, now)}"))

    def _every(self) -> float | None:
        wire = self._loop.connection.wire
        every = wire.account.log_poll_loop if wire is not None else None
        return None if every is None else max(SHORTEST, every)

    def of_the_loop(self, wire: Wire, now: float) -> str:
        """Return a sentence or two about the loop."""
        loop = self._loop
        watches = loop.watches.values()
        asking = sum(1 for one in watches if one.task is not None)
        listed = sum(1 for one in watches if one.covered)
        failing = sum(1 for one in watches if one.failures)
        due = sum(1 for one in watches if one.idle and one.due <= now)
        said = [
            f"Poll loop of connection {loop.conn_id} ({wire.vendor.name}): {len(watches)} waited for, {asking} asked "
            f"for singly and {listed} by list just now, {due} due, {failing} failing;",
            f"{wire.tally.requests} requests so far, {wire.tally.refused} of them refused (429).",
        ]
        breaker = loop.outcomes.circuit_breaker
        if breaker.tries:
            said.append(f"The vendor counts as down: tried again in {max(0.0, breaker.closed_until - now):.0f} s.")
        for rate_class in (RateClass.READ, RateClass.STREAM):
            wait = wire.budget.delay(rate_class, now)
            if wait > 0:
                said.append(f"The rate limit lets the next {rate_class} request out in {wait:.0f} s.")
        if now < loop.batches.listing.shy_until:
            said.append("The vendor's list was of no use; it is left alone for a while.")
        return " ".join(said)

    def of_one(self, watch: WaitingJob, now: float) -> str:
        """Return a sentence about one errand."""
        usual = self._loop.outcomes.durations.usual(watch.target.kind)
        known = f" Such jobs end at {usual.begins:.0f} to {usual.ends:.0f} s." if usual is not None else ""
        if watch.task is not None or watch.covered:
            turn = "being asked for"
        elif watch.due < NEVER:
            turn = f"asked for next in {max(0.0, watch.due - now):.0f} s"
        else:
            turn = "over"
        return f"This one: {watch.status or 'not seen yet'}, {watch.looks} looks, {turn}.{known}"
