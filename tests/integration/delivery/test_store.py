# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import os
import threading
import tracemalloc

import pytest

from airflow_provider_adgen.core import blocking
from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.delivery.store import AT_A_TIME, store_generation

FILM = os.urandom(300_000)


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_a_creative_is_stored_whole_and_described(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a/film.mp4"] = new_file(FILM)
    before = generation(storage.url("/a/film.mp4", sig="s3cr3t"), credits={"charged": 20})
    after = await store_generation(before, f"{tmp_path}/out/", refetch=vendor, clock=clock)

    (creative,) = after.creatives
    path = tmp_path / "out" / "adsumo-gen_1-0.mp4"
    assert creative.model_dump() == {
        "kind": "video",
        "url": None,
        "expires_at": None,
        "uri": f"file://{path}",
        "media_type": "video/mp4",
        "size": len(FILM),
        "sha256": hashlib.sha256(FILM).hexdigest(),
    }
    assert path.read_bytes() == FILM
    (tmp_path / "ordinary").touch()
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    (tmp_path / "ordinary").unlink()
    assert names(tmp_path) == ["adsumo-gen_1-0.mp4"]
    assert (after.id, after.credits.charged, vendor.asked) == ("gen_1", 20, 0)
    assert before.creatives[0].url is not None, "the caller's own generation is not changed"


async def test_a_storage_host_sees_no_header_but_these(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a"] = new_file(FILM, cuts=[1000])
    await store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
    allowed = {"host", "accept", "accept-encoding", "connection", "user-agent", "range", "if-range"}
    for headers in storage.asked("/a"):
        assert set(headers) <= allowed
        assert headers["accept-encoding"] == "identity"


async def test_it_can_be_run_by_blocking_callers(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a"] = new_file(FILM)
    job = store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
    stored = await asyncio.to_thread(blocking.run, job)
    assert stored.creatives[0].size == len(FILM)


async def test_an_earlier_file_stays_until_the_new_one_is_whole(storage, generation, vendor, clock, new_file, tmp_path):
    final = tmp_path / "adsumo-gen_1-0.mp4"
    final.write_bytes(b"of an earlier try")
    during = []
    storage.files["/a"] = new_file(FILM, before=lambda _: during.append((names(tmp_path), final.read_bytes())))
    await store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
    assert final.read_bytes() == FILM
    assert len(during) > 3
    assert {content for _, content in during} == {b"of an earlier try"}
    assert names(tmp_path) == ["adsumo-gen_1-0.mp4"]


async def test_nothing_is_left_when_it_fails(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a"] = new_file(FILM, cuts=[100_000] * 20, ranges=False)
    with pytest.raises(DownloadError, match="broke after 100000 of 300000 bytes"):
        await store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
    assert names(tmp_path) == []
    assert len(storage.asked("/a")) == 6


async def test_nothing_is_left_when_it_is_cancelled(storage, generation, vendor, clock, new_file, tmp_path):
    go_on = threading.Event()

    def stall(position):
        if position >= 655_360:
            go_on.wait(10)

    storage.files["/a"] = new_file(FILM * 3, before=stall)
    job = asyncio.create_task(
        store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
    )
    try:
        async with asyncio.timeout(10):
            while not names(tmp_path):  # noqa: ASYNC110 - a file system tells nobody
                await asyncio.sleep(0.005)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    finally:
        go_on.set()
    assert names(tmp_path) == []


async def test_several_creatives_three_at_a_time_in_their_order(storage, generation, vendor, clock, new_file, tmp_path):
    bodies = [os.urandom(2000 + index) for index in range(8)]
    together = threading.Barrier(AT_A_TIME)

    def meet(_position):
        # Three have to be there at once for any to go on: fewer at a time would break the barrier.
        together.wait(10)

    for index, body in enumerate(bodies[:6]):
        storage.files[f"/{index}"] = new_file(body, "image/png", before=meet)
    for index, body in enumerate(bodies[6:], 6):
        storage.files[f"/{index}"] = new_file(body, "image/png")
    urls = [storage.url(f"/{index}") for index in range(8)]
    after = await store_generation(
        generation(*urls, kind="image", creative="image"), str(tmp_path), refetch=vendor, clock=clock
    )
    assert [creative.size for creative in after.creatives] == [len(body) for body in bodies]
    for index, body in enumerate(bodies):
        assert (tmp_path / f"adsumo-gen_1-{index}.png").read_bytes() == body
    assert storage.busiest == AT_A_TIME


async def test_the_others_are_stored_when_one_cannot_be(storage, generation, vendor, clock, new_file, tmp_path):
    for index in (0, 2):
        storage.files[f"/{index}"] = new_file(FILM)
    storage.files["/1"] = new_file(b"", canned=[(405, {}, b"no")] * 9)
    one = generation(*(storage.url(f"/{index}", sig="s3cr3t") for index in range(3)))
    with pytest.raises(DownloadError) as caught:
        await store_generation(one, str(tmp_path), refetch=vendor, clock=clock)
    assert str(caught.value) == (
        "Creative 1 of adsumo job gen_1 could not be stored: 127.0.0.1 answered 405. It is paid for; a retry fetches "
        "it again and costs nothing. Of 3 creatives, 2 were stored."
    )
    assert caught.value.status == 405
    assert names(tmp_path) == ["adsumo-gen_1-0.mp4", "adsumo-gen_1-2.mp4"]


async def test_copy_is_stored_as_json(generation, vendor, clock, tmp_path):
    one = generation(kind="copy", variants=[{"hook": "Größe «zählt»", "body": "b", "cta": "c", "hashtags": ["#x"]}])
    after = await store_generation(one, str(tmp_path), refetch=vendor, clock=clock)
    content = (tmp_path / "adsumo-gen_1-copy.json").read_bytes()
    assert json.loads(content) == {
        "vendor": "adsumo",
        "id": "gen_1",
        "variants": [{"hook": "Größe «zählt»", "body": "b", "cta": "c", "hashtags": ["#x"]}],
    }
    (creative,) = after.creatives
    assert (creative.kind, creative.media_type, creative.size) == ("archive", "application/json", len(content))
    assert creative.uri == f"file://{tmp_path}/adsumo-gen_1-copy.json"
    assert creative.sha256 == hashlib.sha256(content).hexdigest()

    again = await store_generation(after, str(tmp_path), refetch=vendor, clock=clock)
    assert again == after
    assert vendor.asked == 0


async def test_an_id_cannot_lead_out_of_the_destination(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a"] = new_file(FILM)
    out = tmp_path / "out"
    one = generation(storage.url("/a"), id="../../etc/cron.d/x", vendor="a/../b")
    after = await store_generation(one, str(out), refetch=vendor, clock=clock)
    (name,) = names(tmp_path)
    assert (out / name).is_file()
    assert after.creatives[0].uri == f"file://{out}/{name}"


async def test_a_stored_creative_is_left_alone(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a"] = new_file(FILM)
    once = await store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
    twice = await store_generation(once, str(tmp_path), refetch=vendor, clock=clock)
    assert twice == once
    assert len(storage.seen) == 1


async def test_a_generation_without_creatives_is_asked_for_again(
    storage, generation, vendor, clock, new_file, tmp_path
):
    storage.files["/a"] = new_file(FILM)
    vendor.answers = [generation(storage.url("/a"))]
    after = await store_generation(generation(), str(tmp_path), refetch=vendor, clock=clock)
    assert after.creatives[0].size == len(FILM)

    vendor.answers = [generation(status="processing")]
    with pytest.raises(DownloadError, match=r"The result of adsumo job gen_1 .* lists none \(status processing\)"):
        await store_generation(generation(), str(tmp_path), refetch=vendor, clock=clock)


@pytest.mark.parametrize(
    ("content_type", "path", "creative", "name", "media_type"),
    [
        ("image/jpeg; charset=binary", "/x.png", "image", "adsumo-gen_1-0.jpg", "image/jpeg"),
        ("application/octet-stream", "/x.webm", "video", "adsumo-gen_1-0.webm", "video/webm"),
        (None, "/x", "audio", "adsumo-gen_1-0.mp3", "audio/mpeg"),
        ("video/x-unheard-of", "/x.php", "video", "adsumo-gen_1-0.mp4", "video/x-unheard-of"),
        ("application/json", "/x", "archive", "adsumo-gen_1-0.json", "application/json"),
    ],
)
async def test_names_follow_the_host_then_the_link_then_the_kind(
    storage, generation, vendor, clock, new_file, tmp_path, content_type, path, creative, name, media_type
):
    storage.files[path] = new_file(FILM, content_type)
    one = generation(storage.url(path), creative=creative)
    after = await store_generation(one, str(tmp_path), refetch=vendor, clock=clock)
    assert names(tmp_path) == [name]
    assert after.creatives[0].media_type == media_type


async def test_an_encoded_body_is_decoded_and_its_length_not_compared(
    storage, generation, vendor, clock, new_file, tmp_path
):
    picture = b"<svg/>" * 200_000
    headers = {"Content-Encoding": "gzip"}
    storage.files["/a"] = new_file(gzip.compress(picture), "image/svg+xml", headers=headers, cuts=[1500])
    one = generation(storage.url("/a"), creative="image")
    after = await store_generation(one, str(tmp_path), refetch=vendor, clock=clock)
    assert (tmp_path / "adsumo-gen_1-0.svg").read_bytes() == picture
    assert after.creatives[0].size == len(picture)
    assert all("range" not in headers for headers in storage.asked("/a")), "ranges count encoded bytes"

    storage.files["/a"].headers = {"Content-Encoding": "br"}
    with pytest.raises(DownloadError, match=r"encoding that was not asked for \(br\)"):
        await store_generation(one, str(tmp_path / "br"), refetch=vendor, clock=clock)


async def test_a_checksum_that_the_host_tells_is_compared(storage, generation, vendor, clock, new_file, tmp_path):
    right = base64.b64encode(hashlib.md5(FILM, usedforsecurity=False).digest()).decode()
    storage.files["/a"] = new_file(FILM, headers={"x-goog-hash": f"crc32c=AAAAAA==, md5={right}"}, cuts=[1000])
    await store_generation(generation(storage.url("/a")), str(tmp_path / "a"), refetch=vendor, clock=clock)
    wrong = base64.b64encode(hashlib.sha256(b"another file").digest()).decode()
    storage.files["/b"] = new_file(FILM, headers={"Repr-Digest": f"sha-256=:{wrong}:"})
    with pytest.raises(DownloadError, match="does not have the sha256 checksum"):
        await store_generation(generation(storage.url("/b")), str(tmp_path / "b"), refetch=vendor, clock=clock)
    assert names(tmp_path / "b") == []


async def test_a_destination_that_cannot_be_written(storage, generation, vendor, clock, new_file, tmp_path):
    storage.files["/a"] = new_file(FILM)
    (tmp_path / "occupied").write_text("a file where a folder is needed")
    with pytest.raises(DownloadError) as caught:
        await store_generation(
            generation(storage.url("/a", sig="s3cr3t")), f"{tmp_path}/occupied/out", refetch=vendor, clock=clock
        )
    text = str(caught.value)
    assert "did not take adsumo-gen_1-0.mp4 (NotADirectoryError" in text
    assert "Check the destination" in text
    assert "s3cr3t" not in text
    with pytest.raises(DownloadError, match="destination is empty"):
        await store_generation(generation(storage.url("/a")), " ", refetch=vendor, clock=clock)


async def test_two_hundred_megabytes_pass_through_a_few(storage, generation, vendor, clock, new_file, tmp_path):
    size = 200 << 20
    body = memoryview(bytes(1 << 16))

    class Endless(bytes):
        """Zeros that take no memory."""

        def __len__(self):
            return size

    file = new_file(Endless())
    storage.files["/a"] = file

    def send(handler, _file, _asked):
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp4")
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        for _ in range(size // len(body)):
            handler.wfile.write(body)

    storage._file = send
    tracemalloc.start()
    try:
        after = await store_generation(generation(storage.url("/a")), str(tmp_path), refetch=vendor, clock=clock)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after.creatives[0].size == size == (tmp_path / "adsumo-gen_1-0.mp4").stat().st_size
    assert peak < 4 << 20, f"{peak} bytes were held"
