# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The poll loop against a vendor over HTTP: what it asks, whom it believes, and what it leaves behind."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.core.decisions import polling
from airflow_provider_adgen.triggers import connection, loop, poll_results
from airflow_provider_adgen.triggers.generation import GenerationTrigger
from tests.support.tiny import Reply, Sse, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST = "GET /generations"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    poll_results.durations_of.cache_clear()
    with Tiny() as server:
        connect(monkeypatch, server)
        yield server


def connect(patch: pytest.MonkeyPatch, server: Tiny, vendor: str = "adsumo", **fields: Any) -> None:
    extra = {"timeout": 5, **fields.pop("extra", {})}
    value = {"conn_type": vendor, "host": server.url, "password": "key-one", "extra": extra, **fields}
    patch.setenv("AIRFLOW_CONN_VENDOR", json.dumps(value))


def row(job: str, status: str = "processing") -> dict[str, Any]:
    return {"id": job, "type": "video", "status": status}


def listing(*rows: dict[str, Any], total: int | None = None) -> Reply:
    return Reply({"data": list(rows), "pagination": {"total": len(rows) if total is None else total}})


def single(tiny: Tiny, job: str, *statuses: str) -> None:
    tiny.routes[f"{LIST}/{job}"] = [Reply({"data": row(job, status)}) for status in statuses]


def trigger(
    job: str, *, vendor: str = "adsumo", interval: float = 0.2, seconds: float = 20.0, age: float = 100.0
) -> GenerationTrigger:
    now = time.time()
    # Handed over, unless a test says otherwise: it began long ago, so that polls follow at once.
    return GenerationTrigger(
        vendor=vendor,
        job_ids=[job],
        kind="voice",
        conn_id="vendor",
        poll_interval=interval,
        since=now - age,
        until=now + seconds,
        first_fire_delay=0,
    )


async def wait(one: GenerationTrigger) -> str:
    async for event in one.run():
        return str(event.payload["status"])
    raise AssertionError("no event")


async def wait_all(*jobs: str, **fields: Any) -> list[str]:
    """Wait for jobs together: none is polled before all wait, however slow the machine is."""
    shared = loop.poll_loop("vendor")
    shared.results.rng = random.Random(1)
    start_due = shared._start_due

    async def once_all_wait() -> None:
        if len(shared.jobs) == len(jobs):
            shared._start_due = start_due
            await start_due()

    shared._start_due = once_all_wait
    return await asyncio.gather(*(wait(trigger(job, **fields)) for job in jobs))


def asked(tiny: Tiny, path: str = "/generations") -> int:
    return sum(1 for one in tiny.asked if one.path == path)


# --- lists --------------------------------------------------------------------------------------------------------

JOBS = [f"job-{number}" for number in range(50)]


async def test_one_request_asks_for_many_jobs(tiny: Tiny) -> None:
    tiny.routes[LIST] = [listing(*(row(job) for job in JOBS)), listing(*(row(job, "completed") for job in JOBS))]
    assert await wait_all(*JOBS) == ["completed"] * 50
    assert asked(tiny) == len(tiny.asked) <= 3


async def test_a_lone_job_is_asked_for_by_itself(tiny: Tiny) -> None:
    single(tiny, "lone", "processing", "completed")
    assert await wait_all("lone") == ["completed"]
    assert asked(tiny) == 0


async def test_a_job_the_list_does_not_show_is_asked_for_by_itself_and_believed_alone(tiny: Tiny) -> None:
    """The list has not caught up, or the job has fallen off the pages that are read."""
    tiny.routes[LIST] = listing(*(row(job, "completed") for job in JOBS))
    single(tiny, "hidden", "processing", "processing", "completed")
    assert await wait_all(*JOBS, "hidden") == ["completed"] * 51
    assert asked(tiny, "/generations/hidden") == 3


async def test_a_job_that_only_others_with_like_names_have_ended_goes_on(tiny: Tiny) -> None:
    tiny.routes[LIST] = listing(
        *(row(f"{job}x", "completed") for job in JOBS), *(row(f"x{job}", "failed") for job in JOBS)
    )
    for job in JOBS[:5]:
        single(tiny, job, "processing", "completed")
    assert await wait_all(*JOBS[:5]) == ["completed"] * 5
    assert all(asked(tiny, f"/generations/{job}") == 2 for job in JOBS[:5])


async def test_a_list_that_always_shows_the_same_page_is_read_no_further(tiny: Tiny) -> None:
    tiny.routes[LIST] = listing(*(row(f"old-{number}") for number in range(100)), total=10_000)
    for job in JOBS[:10]:
        single(tiny, job, "completed")
    assert await wait_all(*JOBS[:10]) == ["completed"] * 10
    assert asked(tiny) == 2


async def test_a_page_that_moved_shows_a_job_twice(tiny: Tiny) -> None:
    first = [*(row(job, "completed") for job in JOBS[:30]), row(JOBS[30])]
    second = [row(JOBS[30], "completed"), *(row(job, "completed") for job in JOBS[31:])]
    tiny.routes[LIST] = [listing(*first, total=50), listing(*second, total=50)] * 5
    single(tiny, JOBS[30], "completed")
    assert await wait_all(*JOBS) == ["completed"] * 50


@pytest.mark.parametrize("reply", [Reply({"data": 5}), Reply({"error": {"code": "forbidden"}}, 403)])
async def test_a_list_that_cannot_be_had_is_left_alone_and_jobs_are_asked_for_singly(tiny: Tiny, reply: Reply) -> None:
    tiny.routes[LIST] = reply
    for job in JOBS[:10]:
        single(tiny, job, "processing", "processing", "completed")
    assert await wait_all(*JOBS[:10]) == ["completed"] * 10
    assert asked(tiny) == 1


async def test_a_cursor_that_repeats_itself_ends_the_pass(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, tiny, "sume")
    page = {"data": [{"object": "job", "id": "job_1", "status": "running"}], "has_more": True, "next_cursor": "again"}
    tiny.routes["GET /jobs"] = Reply(page)
    jobs = [f"job_{number}" for number in range(1, 9)]
    for job in jobs:
        tiny.routes[f"GET /jobs/{job}"] = Reply({"object": "job", "id": job, "status": "failed"})
    assert await wait_all(*jobs, vendor="sume") == ["failed"] * 8
    assert asked(tiny, "/jobs") <= 3


async def test_a_row_that_cannot_be_read_says_nothing_about_its_job_or_the_others(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, tiny, "sume")
    jobs = [f"job_{number}" for number in range(8)]
    rows = [{"object": "job", "id": job, "status": "failed"} for job in jobs[1:]]
    tiny.routes["GET /jobs"] = Reply({"data": [{"object": "job", "id": jobs[0]}, *rows], "has_more": False})
    tiny.routes[f"GET /jobs/{jobs[0]}"] = Reply({"object": "job", "id": jobs[0], "status": "canceled"})
    assert await wait_all(*jobs, vendor="sume") == ["canceled"] + ["failed"] * 7
    assert [one.path for one in tiny.asked] == ["/jobs", f"/jobs/{jobs[0]}"]


# --- limits -------------------------------------------------------------------------------------------------------


async def test_a_429_stops_everybody_and_nobody_is_lost(tiny: Tiny) -> None:
    tiny.routes[LIST] = [
        Reply({"error": {"code": "rate_limited"}}, 429, {"Retry-After": "1"}),
        listing(*(row(job, "completed") for job in JOBS)),
    ]
    began = time.monotonic()
    assert await wait_all(*JOBS) == ["completed"] * 50
    assert time.monotonic() - began >= 1.0
    assert len(tiny.asked) == 2


async def test_a_429_to_one_single_poll_stops_the_others(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling.Listing, "worth", lambda *_: False)
    monkeypatch.setenv("AIRFLOW__ADGEN__MAX_CONCURRENT_REQUESTS", "1")
    refused = Reply({"error": {"code": "rate_limited"}}, 429, {"Retry-After": "1"})
    for job in JOBS:
        tiny.routes[f"{LIST}/{job}"] = Reply({"data": row(job, "completed")})
    tiny.routes[f"{LIST}/{JOBS[0]}"] = [refused, Reply({"data": row(JOBS[0], "completed")})]
    assert await wait_all(*JOBS) == ["completed"] * 50
    assert len(tiny.asked) == 51


class Noting(dict[str, Any]):
    """Completes every job, and notes when it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.times.append(time.monotonic())
        return Reply({"data": row(key.rsplit("/", 1)[1], "completed")})


async def test_few_that_are_due_together_need_not_wait_for_each_other(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling.Listing, "worth", lambda *_: False)
    tiny.routes = noting = Noting()
    assert await wait_all(*JOBS, interval=8.0, age=0.0) == ["completed"] * 50
    assert len(noting.times) == 50
    # Half an interval for all that are still there at each step would be 3.5 s; a 400th each is 1 s, jitter 0.4 s.
    assert max(noting.times) - min(noting.times) < 2.4


async def test_a_thousand_handed_over_at_once_make_no_herd(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling.Listing, "worth", lambda *_: False)
    jobs = [f"job-{number}" for number in range(300)]
    tiny.routes = noting = Noting()
    assert await wait_all(*jobs, interval=3.0) == ["completed"] * 300
    times = noting.times
    busiest = max(sum(1 for one in times if start <= one < start + 0.5) for start in times)
    assert len(times) == 300 and busiest <= 120


# --- keys ---------------------------------------------------------------------------------------------------------

REFUSED = Reply({"error": {"code": "unauthorized"}}, 401)


async def test_a_refused_key_is_read_again_once_for_all_and_then_fails(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling.Listing, "worth", lambda *_: False)
    tiny.routes = {f"{LIST}/{job}": REFUSED for job in JOBS}
    reads = count_reads(monkeypatch)
    assert await wait_all(*JOBS) == ["unreachable"] * 50
    assert len(reads) == 2
    assert len(tiny.asked) <= 50 + 32 + 1


async def test_a_rotated_key_goes_on(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.routes[LIST] = [REFUSED, listing(*(row(job, "completed") for job in JOBS))]
    reads = count_reads(monkeypatch, then=lambda: connect(monkeypatch, tiny, password="key-two"))
    assert await wait_all(*JOBS) == ["completed"] * 50
    assert len(reads) == 2
    assert [one.headers["authorization"] for one in tiny.asked] == ["Bearer key-one", "Bearer key-two"]


def count_reads(patch: pytest.MonkeyPatch, then: Any = lambda: None) -> list[str]:
    reads, real = [], connection.AdGenHook.aaccount

    async def counting(self: Any, **fields: Any) -> Any:
        reads.append(self.conn_id)
        found = await real(self, **fields)
        then()
        return found

    patch.setattr(connection.AdGenHook, "aaccount", counting)
    return reads


async def test_a_connection_that_was_edited_is_noticed_without_a_401(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALE", 0.3)
    single(tiny, "lone", *["processing"] * 6, "completed")
    count_reads(monkeypatch, then=lambda: connect(monkeypatch, tiny, password="key-two"))
    assert await wait_all("lone") == ["completed"]
    keys = [one.headers["authorization"] for one in tiny.asked]
    assert keys[0] == "Bearer key-one" and keys[-1] == "Bearer key-two"


# --- troubles -----------------------------------------------------------------------------------------------------


async def test_an_unreachable_vendor_is_ridden_out_until_the_deadline(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, tiny, host="http://127.0.0.1:9")
    assert await wait_all("lone", seconds=2.0) == ["timeout"]


async def test_a_vendor_that_is_back_is_asked_for_all_within_an_interval(tiny: Tiny) -> None:
    down = [Reply({"error": {"code": "internal"}}, 500)] * 4
    tiny.routes[LIST] = [*down, listing(*(row(job, "completed") for job in JOBS))]
    assert await wait_all(*JOBS) == ["completed"] * 50
    assert len(tiny.asked) <= 8


async def test_one_job_that_always_fails_holds_nobody_up(tiny: Tiny) -> None:
    tiny.routes[f"{LIST}/broken"] = Reply({"error": {"code": "internal"}}, 500)
    single(tiny, "sound", *["processing"] * 5, "completed")
    began = time.monotonic()
    assert await wait_all("broken", "sound", seconds=3.0) == ["timeout", "completed"]
    assert time.monotonic() - began < 5


async def test_a_loop_that_dies_is_started_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_RESTART_PAUSE", 0.05)
    real, died = loop.PollLoop._start, []

    def dying(self: Any, *args: Any) -> bool:
        if not died:
            died.append(1)
            raise RuntimeError("a defect")
        return real(self, *args)

    monkeypatch.setattr(loop.PollLoop, "_start", dying)
    tiny.routes[LIST] = listing(*(row(job, "completed") for job in JOBS))
    for job in JOBS:
        # They come back one by one: the first ones may be too few for the list.
        single(tiny, job, "completed")
    assert await wait_all(*JOBS) == ["completed"] * 50


async def test_a_loop_that_dies_before_its_first_pass_has_begun_reads_the_list_again(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_RESTART_PAUSE", 0.05)
    real, died = loop.PollLoop._start, []

    def dying(self: Any, *args: Any) -> bool:
        started = real(self, *args)
        if not died:
            died.append(1)
            raise RuntimeError("a defect")
        return started

    monkeypatch.setattr(loop.PollLoop, "_start", dying)
    tiny.routes[LIST] = listing(*(row(job, "completed") for job in JOBS))
    for job in JOBS:
        single(tiny, job, "completed")
    assert await wait_all(*JOBS, seconds=5.0) == ["completed"] * 50


async def test_a_defect_in_reading_one_job_stops_nobody_and_is_ridden_out(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = GenerationTrigger.target, []

    def broken(self: GenerationTrigger) -> Any:
        target = real(self)

        async def poll(wire: Any) -> Any:
            if self.job_ids == ["broken"] and len(failed) < 3:
                failed.append(1)
                raise RuntimeError("a defect")
            return await target.poll(wire)

        return dataclasses.replace(target, poll=poll, job_id=None)

    monkeypatch.setattr(GenerationTrigger, "target", broken)
    single(tiny, "broken", "processing", "completed")
    single(tiny, "sound", "completed")
    assert await wait_all("broken", "sound") == ["completed"] * 2
    assert len(failed) == 3


# --- what is left behind ------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def settled(tasks: int, fds: int) -> None:
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks or descriptors() > fds:  # noqa: ASYNC110 - nothing tells of these
            await asyncio.sleep(0.01)


async def test_ten_thousand_waits_leave_nothing_behind(tiny: Tiny) -> None:
    jobs = [f"job-{number}" for number in range(1000)]
    tiny.routes[LIST] = listing(*(row(job, "completed") for job in jobs))
    for job in jobs:
        single(tiny, job, "completed")  # the last few of a round may be fewer than a list is read for
    logging.disable(logging.INFO)
    try:
        await wait_all(*jobs)  # what is made once, is
        await asyncio.sleep(0.1)
        gc.collect()
        tasks, fds, things = len(asyncio.all_tasks()), descriptors() + 4, len(gc.get_objects())
        for _ in range(10):
            assert await wait_all(*jobs) == ["completed"] * 1000
        await settled(tasks, fds)
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()
    assert len(gc.get_objects()) - things < 5000
    assert loop._loops.get(asyncio.get_running_loop()) == {}


async def test_a_held_stream_ends_when_its_trigger_leaves(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, tiny, "cinematicads")
    tiny.routes["GET /api/user/projects"] = Reply({"success": True, "data": []})
    stream = Sse([("step", {"step": "one"})], hang=True)

    class AnyStream(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key, stream if "stream" in key else default)

    tiny.routes = AnyStream(tiny.routes)
    tasks = len(asyncio.all_tasks())
    fds = descriptors()
    leaving = asyncio.create_task(wait(trigger("job-1", vendor="cinematicads")))
    staying = asyncio.create_task(wait(trigger("job-2", vendor="cinematicads")))
    async with asyncio.timeout(10):
        while sum("stream" in one.path for one in tiny.asked) < 2:  # noqa: ASYNC110 - it is another thread that answers
            await asyncio.sleep(0.01)
    held = len(loop.poll_loop("vendor")._streams)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert (held, len(loop.poll_loop("vendor")._streams)) == (2, 1)
    staying.cancel()
    await asyncio.gather(staying, return_exceptions=True)
    await settled(tasks, fds + 4)


async def test_rationed_streams_leave_the_list_to_all_others(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """CinematicAds allows ten streams an hour; the list of projects tells of thirty jobs in one request."""
    connect(monkeypatch, tiny, "cinematicads")
    jobs = [f"job-{number}" for number in range(30)]
    done = [{"jobId": job, "status": "completed", "videoUrl": f"https://files.example/{job}.mp4"} for job in jobs]
    running = [{"jobId": job, "status": "processing"} for job in jobs]
    tiny.routes["GET /api/user/projects"] = [Reply({"success": True, "data": running})] * 25 + [
        Reply({"success": True, "data": done})
    ]
    assert await wait_all(*jobs, vendor="cinematicads") == ["completed"] * 30
    assert sum("stream" in one.path for one in tiny.asked) <= 10


# --- the view -----------------------------------------------------------------------------------------------------


async def test_the_connection_can_ask_for_a_view_of_the_loop(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    single(tiny, "lone", *["processing"] * 3, "completed")
    await wait_all("lone")
    assert "Poll loop of" not in caplog.text
    while loop._loops[asyncio.get_running_loop()]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # it is closing its connections; whoever came now would use it with what it knows
    connect(monkeypatch, tiny, extra={"log_poll_loop": 1})
    single(tiny, "lone", *["processing"] * 8, "completed")
    await wait_all("lone")
    assert "Poll loop of connection vendor (adsumo): 1 waited for" in caplog.text
    assert "This one: processing" in caplog.text
    assert "key-one" not in caplog.text
