# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.sandbox.engine.answers import Insufficient
from airflow_provider_adgen.sandbox.engine.clock import Clock, iso
from airflow_provider_adgen.sandbox.engine.jobs import HELD, Which
from airflow_provider_adgen.sandbox.engine.limits import Load
from airflow_provider_adgen.sandbox.engine.state import DEFAULT_ACCOUNT, State
from airflow_provider_adgen.sandbox.engine.store import Store
from airflow_provider_adgen.sandbox.registry import make_vendors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_adgen.sandbox.engine.accounts import Account
    from airflow_provider_adgen.sandbox.engine.jobs import Job


@pytest.fixture
def state() -> Iterator[State]:
    made = State(make_vendors(), credits=100)
    yield made
    made.close()


def account(state: State, vendor: str) -> Account:
    found = state.accounts.find(vendor, DEFAULT_ACCOUNT)
    assert found is not None
    return found


def start(state: State, vendor: str = "cutx", kind: str = "ugc_video", price: int = 40, **options: Any) -> Job:
    key = state.accounts.all_keys()[0]
    return state.start_job(account(state, vendor), key, kind, {"script": "x"}, price, what="a test", **options)


class TestClock:
    def test_it_is_the_machines_plus_what_was_advanced(self) -> None:
        clock = Clock(wall=lambda: 1_000.0)
        assert clock.now() == 1_000.0
        clock.advance(3_600)
        assert clock.now() == 4_600.0
        assert iso(0.25) == "1970-01-01T00:00:00.250Z"

    async def test_advancing_wakes_sleepers(self) -> None:
        clock = Clock()
        sleeper = asyncio.create_task(clock.sleep_until(clock.now() + 3_600))
        await asyncio.sleep(0.01)
        assert not sleeper.done()
        clock.advance(3_600)
        await asyncio.wait_for(sleeper, 1)
        await asyncio.wait_for(clock.sleep_until(clock.now() + 0.01), 1)
        await asyncio.wait_for(clock.sleep_until(clock.now() - 1), 1)


class TestStore:
    def test_a_transaction_is_all_or_nothing(self) -> None:
        store = Store()
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.set_meta("a", 1)
            with store.transaction():
                store.set_meta("b", 2)
            raise ZeroDivisionError
        assert (store.get_meta("a"), store.get_meta("b")) == (None, None)
        with store.transaction():
            store.set_meta("a", [1, {"b": None}])
        assert store.get_meta("a") == [1, {"b": None}]
        store.close()


class TestJobs:
    def test_a_job_that_cannot_be_paid_for_is_not_kept(self, state: State) -> None:
        start(state)
        start(state)
        with pytest.raises(Insufficient) as refusal, state.store.transaction():
            start(state)
        assert (refusal.value.required, refusal.value.available) == (40, 20)
        assert state.jobs.count(Which()) == 2
        assert len(state.ledger.entries()) == 2

    def test_progress_and_status_follow_the_clock(self, state: State) -> None:
        job = start(state, seconds=10)
        now = job.created
        assert [job.status(now), job.progress(now)] == ["processing", 0.0]
        assert job.progress(now + 5) == pytest.approx(0.5)
        assert [job.status(now + 10), job.progress(now + 10)] == ["completed", 1.0]
        state.set_job(job, "processing")
        held = state.jobs.get("cutx", job.id)
        assert held is not None
        assert held.ends == HELD
        assert (held.status(now + 1e9), held.progress(now + 1e9)) == ("processing", 0.5)

    def test_refunds_are_dated_and_ordered_by_the_jobs_ends(self, state: State) -> None:
        late = start(state, seconds=20, outcome="failed")
        early = start(state, seconds=10, outcome="failed")
        state.clock.advance(60)
        state.settle()
        state.settle()
        refunds = state.ledger.entries(kind="refund")
        assert [refund["job_id"] for refund in refunds] == [early.id, late.id]
        assert [refund["balance_after"] for refund in refunds] == [60, 100]
        assert refunds[0]["time"] == iso(early.ends)

    def test_a_refund_is_never_more_than_the_charge(self, state: State) -> None:
        job = start(state, seconds=0, outcome="failed")
        state.settle()
        state.ledger.refund(account(state, "cutx"), 40, job_id=job.id, what="again", moment=0.0)
        assert state.ledger.balance("cutx", DEFAULT_ACCOUNT) == 100
        assert len(state.ledger.entries(kind="refund")) == 1

    def test_lists_and_counts_agree(self, state: State) -> None:
        for number in range(6):
            start(state, "adsumo", ("image", "ai-video")[number % 2], 1, seconds=(0, 60)[number // 3])
        state.settle()
        images = {None: 3, "processing": 1, "completed": 2, "failed": 0}
        everything = {None: 6, "processing": 3, "completed": 3, "failed": 0}
        for kinds, expected in (((), everything), (("image",), images), (("image", "ai-video"), everything)):
            for status, count in expected.items():
                which = Which("adsumo", DEFAULT_ACCOUNT, kinds=kinds, status=status)
                found = state.jobs.page(which, order="oldest")
                assert len(found) == state.jobs.count(which) == count
                for order in ("newest", "oldest", "random"):
                    pages = [state.jobs.page(which, order=order, limit=2, offset=offset) for offset in (0, 2, 4)]
                    assert sorted(job.seq for page in pages for job in page) == [job.seq for job in found]
        assert state.jobs.running("adsumo") == state.jobs.running("adsumo", DEFAULT_ACCOUNT) == 3
        assert state.jobs.running("adsumo", most=2) == 2
        assert state.jobs.running("sume") == 0

    def test_a_job_that_is_held_runs_again(self, state: State) -> None:
        job = start(state, seconds=0)
        state.settle()
        assert state.jobs.running("cutx") == 0
        state.set_job(job, "processing")
        state.clock.advance(1e6)
        state.settle()
        assert state.jobs.page(Which("cutx", status="processing"))[0].id == job.id


class TestLoad:
    def test_the_requests_of_the_last_second_count(self) -> None:
        moments = iter([0.0, 0.5, 0.75, 1.25, 1.5, 9.0])
        load = Load(wall=lambda: next(moments))
        assert [load.add("adsumo") for _ in range(5)] == [0, 1, 2, 2, 2]
        assert load.add("adsumo") == 0

    def test_lateness_grows_with_requests_and_jobs(self, state: State) -> None:
        state.load = Load(wall=lambda: 1.0)
        assert [state.late("cutx") for _ in range(3)] == [0, 0, 0]
        state.change_settings({"cutx": {"slow_per_request": 0.5, "slow_per_job": 2, "slow_at_most": 6}})
        assert [state.late("cutx") for _ in range(2)] == [1.5, 2.0]
        start(state)
        assert state.late("cutx") == 4.5
        start(state)
        assert state.late("cutx") == 6
        assert state.late("adsumo") == 0


class TestState:
    def test_it_is_found_again(self, tmp_path: Path) -> None:
        path = str(tmp_path / "state.sqlite")
        first = State(make_vendors(), state=path, credits=100)
        job = start(first, seconds=30)
        first.advance(1_000)
        link = first.link("cutx", job.id, "asset.mp4", "http://127.0.0.1:1").partition("localhost:1")[2]
        first.close()
        second = State(make_vendors(), state=path, credits=500)
        assert second.ledger.balance("cutx", DEFAULT_ACCOUNT) == 60
        assert second.clock.offset == 1_000
        found = second.jobs.get("cutx", job.id)
        assert found == job
        path_, _, query = link.partition("?")
        assert second.links.problem("GET", path_, dict(part.split("=") for part in query.split("&"))) is None
        assert second.settle() > job.ends
        assert second.jobs.page(Which("cutx", status="completed")) == [job]
        charged = second.accounts.find("cutx", DEFAULT_ACCOUNT)
        assert charged is not None
        assert charged.used == 40
        second.close()

    def test_a_file_of_another_version_is_told(self, tmp_path: Path) -> None:
        path = str(tmp_path / "state.sqlite")
        with closing(sqlite3.connect(path)) as old:
            old.execute("CREATE TABLE jobs (id TEXT)")
        with pytest.raises(ValueError, match="another version of the sandbox wrote"):
            State(make_vendors(), state=path)

    def test_settings_given_at_the_start_win(self, tmp_path: Path) -> None:
        path = str(tmp_path / "state.sqlite")
        first = State(make_vendors(), state=path)
        first.change_settings({"adsumo": {"submit_status": 201, "generations_order": "oldest"}})
        first.close()
        second = State(make_vendors(), state=path, settings={"adsumo": {"submit_status": 202}})
        assert second.settings.get("adsumo", "submit_status") == 202
        assert second.settings.get("adsumo", "generations_order") == "oldest"
        second.close()


def test_job_durations_come_from_the_setting_or_the_speed(state: State) -> None:
    vendor = state.vendors["adsumo"]
    assert state.job_seconds(vendor, "ai-video") == 90
    state.clock.speed = 30
    assert state.job_seconds(vendor, "ai-video") == 3
    state.change_settings({"adsumo": {"job_seconds": {"image": 1}}})
    assert [state.job_seconds(vendor, kind) for kind in ("image", "ai-video")] == [1, 3]
    state.change_settings({"adsumo": {"job_seconds": 7}})
    assert state.job_seconds(vendor, "ai-video") == 7
