# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading

import pytest

from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.delivery.store import store_generation

FILM = os.urandom(400_000)
YESTERDAY = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.fixture
def fetch(storage, generation, vendor, clock, tmp_path):
    """Store one film and return what the destination then holds."""

    async def run(**options):
        one = generation(storage.url("/a"))
        await store_generation(one, str(tmp_path), refetch=vendor, clock=clock, **options)
        return (tmp_path / "adsumo-gen_1-0.mp4").read_bytes()

    return run


def ranges(storage):
    return [(headers.get("range"), headers.get("if-range")) for headers in storage.asked("/a")]


@pytest.mark.parametrize(
    ("etag", "modified", "validator"),
    [('"v1"', YESTERDAY, '"v1"'), (None, YESTERDAY, YESTERDAY), ('W/"v1"', YESTERDAY, YESTERDAY)],
)
async def test_it_goes_on_where_the_connection_broke(storage, fetch, new_file, clock, etag, modified, validator):
    storage.files["/a"] = new_file(FILM, etag=etag, modified=modified, cuts=[100_000, 50_001])
    assert await fetch() == FILM
    assert ranges(storage) == [(None, None), ("bytes=100000-", validator), ("bytes=150001-", validator)]
    assert len(clock.slept) == 2
    assert all(0 < pause <= 1 for pause in clock.slept)


@pytest.mark.parametrize(
    "options",
    [{"etag": None}, {"etag": 'W/"weak"'}, {"ranges": False, "headers": {"Accept-Ranges": "none"}}],
    ids=["no validator", "a weak one only", "ranges refused"],
)
async def test_it_starts_over_where_nothing_proves_the_same_file(storage, fetch, new_file, options):
    storage.files["/a"] = new_file(FILM, cuts=[100_000], **options)
    assert await fetch() == FILM
    assert ranges(storage) == [(None, None), (None, None)]


async def test_a_host_that_ignores_the_range_is_read_from_the_start(storage, fetch, new_file):
    storage.files["/a"] = new_file(FILM, ranges=False, cuts=[100_000])
    assert await fetch() == FILM
    assert ranges(storage) == [(None, None), ("bytes=100000-", '"v1"')]


async def test_two_versions_are_never_mixed(storage, fetch, new_file):
    other = os.urandom(250_000)

    def change(position):
        if position >= 65_536:
            file.body, file.etag, file.before = other, '"v2"', None

    file = storage.files["/a"] = new_file(FILM, cuts=[100_000], before=change)
    assert await fetch() == other
    assert ranges(storage) == [(None, None), ("bytes=100000-", '"v1"')]


@pytest.mark.parametrize(
    "content_range",
    [
        lambda start, total: f"bytes {start + 1}-{total - 1}/{total}",
        lambda start, total: f"bytes {start}-{total - 1}/{total + 5}",
        lambda start, total: f"bytes {start}-{total - 1}/*",
        lambda start, total: "nonsense",
    ],
)
async def test_a_range_that_does_not_fit_on_is_not_used(storage, fetch, new_file, content_range):
    storage.files["/a"] = new_file(FILM, cuts=[100_000], content_range=content_range)
    assert await fetch() == FILM
    assert ranges(storage) == [(None, None), ("bytes=100000-", '"v1"'), (None, None)]


async def test_a_range_of_another_version_is_not_used(storage, fetch, new_file):
    file = storage.files["/a"] = new_file(FILM, cuts=[100_000])
    # A host that ignores If-Range and answers 206 all the same.
    file.before = lambda position: file.headers.update({"ETag": '"v2"'}) if position >= 65_536 else None
    assert await fetch() == FILM
    assert ranges(storage) == [(None, None), ("bytes=100000-", '"v1"'), (None, None)]


async def test_a_host_that_sends_less_than_was_asked_for_is_asked_for_the_rest(storage, fetch, new_file):
    headers = {"Content-Range": "bytes 100000-149999/400000", "ETag": '"v1"', "Content-Type": "video/mp4"}
    part = (206, headers, FILM[100_000:150_000])
    file = storage.files["/a"] = new_file(FILM, cuts=[100_000])
    file.before = lambda position: file.canned.append(part) if position == 65_536 else None
    assert await fetch() == FILM
    assert ranges(storage) == [(None, None), ("bytes=100000-", '"v1"'), ("bytes=150000-", '"v1"')]


async def test_a_range_that_cannot_be_satisfied_is_asked_for_no_more(storage, fetch, new_file):
    file = storage.files["/a"] = new_file(FILM, cuts=[100_000])
    file.before = lambda position: file.canned.append((416, {}, b"")) if position == 65_536 else None
    file.canned = []
    assert await fetch() == FILM
    assert ranges(storage)[:3] == [(None, None), ("bytes=100000-", '"v1"'), (None, None)]


async def test_a_host_that_sends_a_part_without_being_asked_is_refused(storage, fetch, new_file):
    part = (206, {"Content-Range": "bytes 0-9/400000", "Content-Type": "video/mp4"}, FILM[:10])
    storage.files["/a"] = new_file(FILM, canned=[part] * 9)
    with pytest.raises(DownloadError, match="answered 206 with a range that was not asked for"):
        await fetch()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_trouble_is_waited_out_as_long_as_the_host_asks(storage, fetch, new_file, clock, status):
    wait = {"Retry-After": "7"} if status != 500 else {}
    storage.files["/a"] = new_file(FILM, canned=[(status, wait, b"busy")] * 2)
    assert await fetch() == FILM
    assert clock.slept == [7.0, 7.0] if wait else all(pause <= 1 for pause in clock.slept)


async def test_it_gives_up_after_a_while_and_says_what_to_do(storage, fetch, new_file, clock):
    storage.files["/a"] = new_file(FILM, canned=[(503, {"Retry-After": "86400"}, b"")] * 20)
    with pytest.raises(DownloadError) as caught:
        await fetch()
    assert str(caught.value) == (
        "Creative 0 of adsumo job gen_1 could not be stored: 127.0.0.1 answered 503; it was tried 6 times. It is paid "
        "for; a retry fetches it again and costs nothing."
    )
    assert caught.value.status == 503
    assert len(storage.seen) == 6
    assert clock.slept == [60.0] * 5, "a host may ask for a minute, not for a day"


async def test_a_long_film_survives_more_breaks_than_attempts(storage, fetch, new_file, clock):
    film = os.urandom(10 << 20)
    storage.files["/a"] = new_file(film, cuts=[1 << 20] * 9)
    assert await fetch() == film
    assert len(storage.seen) == 10


async def test_breaking_at_the_same_place_again_and_again_ends(storage, fetch, new_file):
    storage.files["/a"] = new_file(os.urandom(4 << 20), cuts=[3 << 20] * 99, ranges=False)
    with pytest.raises(DownloadError, match="broke after 3145728 of 4194304 bytes"):
        await fetch()
    assert 6 <= len(storage.seen) <= 7


async def test_a_silent_host_counts_as_broken(storage, fetch, new_file):
    silent, over = [True], threading.Event()

    def be_silent(position):
        if position >= 65_536 and silent:
            silent.clear()
            over.wait(10)

    storage.files["/a"] = new_file(FILM, before=be_silent)
    try:
        assert await fetch(timeout=0.3) == FILM
    finally:
        over.set()
    assert ranges(storage)[1] == ("bytes=65536-", '"v1"')


async def test_a_host_that_is_not_there(storage, fetch):
    storage.close()
    with pytest.raises(DownloadError, match=r"could not connect for a GET on 127\.0\.0\.1 \(ConnectError\)"):
        await fetch()
