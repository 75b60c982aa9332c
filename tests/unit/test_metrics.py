# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics reach Airflow's statistics with names and tags, and never stand in anybody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen import compat, metrics
from airflow_provider_adgen.core.decisions.polling import Schedule
from airflow_provider_adgen.core.wire import Tally
from airflow_provider_adgen.triggers.meter import EVERY, Meter
from airflow_provider_adgen.triggers.targets import PollResult, PollTarget
from airflow_provider_adgen.triggers.waiting_jobs import WaitingJob

if TYPE_CHECKING:
    import pytest


class Backend:
    """Stands for Airflow's statistics and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float, dict[str, str]]] = []

    def __getattr__(self, how: str) -> Any:
        return lambda name, value, *, tags: self.told.append((how, name, value, tags))


class StandIn:
    """As much of a wire as is counted."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.vendor = type("Vendor", (), {"name": "adsumo"})


def job(last_running: float | None = None) -> WaitingJob:
    async def poll(_wire: Any) -> PollResult:
        raise NotImplementedError

    target = PollTarget(key="job", poll=poll, schedule=Schedule(1.0), since=50.0, kind="video")
    return WaitingJob(target, last_running=last_running)


def test_a_loop_reports_what_changed_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, wire, meter = Backend(), StandIn(), Meter("main")
    monkeypatch.setattr(compat, "statistics", lambda: backend)
    tags, plain = {"vendor": "adsumo", "conn_id": "main", "kind": "video"}, {"vendor": "adsumo", "conn_id": "main"}
    meter.joined(job())
    meter.joined(job())
    wire.tally.requests, wire.tally.refused = 7, 2
    meter.report(wire, 0.0)  # type: ignore[arg-type]  # as much of a wire as is counted
    assert backend.told == [
        ("gauge", "adgen.waiting", 2, tags),
        ("incr", "adgen.requests", 7, plain),
        ("incr", "adgen.rate_limited", 2, plain),
    ]
    backend.told.clear()
    wire.tally.requests = 10
    meter.joined(job(), -2)
    meter.report(wire, EVERY / 2)  # type: ignore[arg-type]
    assert backend.told == []
    meter.report(wire, EVERY / 2, last=True)  # type: ignore[arg-type]
    assert backend.told == [("gauge", "adgen.waiting", 0, tags), ("incr", "adgen.requests", 3, plain)]


def test_lateness_counts_from_the_vendors_time_or_else_from_the_last_poll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend, meter = Backend(), Meter("main")
    monkeypatch.setattr(compat, "statistics", lambda: backend)
    meter.noticed(job(28.5), PollResult("completed", True, 90.0), 43.5)
    meter.noticed(job(28.5), PollResult("completed", True), 43.5)
    meter.noticed(job(), PollResult("completed", True), 43.5)
    assert [(name, value, tags["since"]) for _, name, value, tags in backend.told] == [
        ("adgen.lateness", 3500.0, "vendor"),
        ("adgen.lateness", 15000.0, "last_poll"),
    ]


def test_statistics_that_fail_are_complained_about_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise OSError("no route to statsd")

    metrics._warn_once.cache_clear()
    monkeypatch.setattr(compat, "statistics", broken)
    for _ in range(5):
        metrics.gauge("adgen.waiting", 1, {})
    assert caplog.text.count("OSError") == 1


def test_airflow_takes_them_as_they_are() -> None:
    stats = compat.statistics()
    assert stats is not None
    metrics._warn_once.cache_clear()
    metrics.count(metrics.REQUESTS, 1, {"vendor": "adsumo"})
    metrics.gauge(metrics.WAITING, 1, {"vendor": "adsumo"})
    metrics.timing(metrics.LATENESS, 1.0, {"vendor": "adsumo"})
    assert metrics._warn_once.cache_info().currsize == 0
