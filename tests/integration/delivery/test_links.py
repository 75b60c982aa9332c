# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

from airflow_provider_adgen.core.errors import DownloadError, NotFound
from airflow_provider_adgen.delivery.store import store_generation

FILM = os.urandom(200_000)


@pytest.fixture
def store(vendor, clock, tmp_path):
    async def run(generation):
        return await store_generation(generation, str(tmp_path), refetch=vendor, clock=clock)

    return run


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_expired_link_is_fetched_anew(storage, generation, vendor, new_file, store, tmp_path, status):
    storage.files["/a"] = new_file(FILM, signatures={"new"}, refusal=status)
    vendor.answers = [generation(storage.url("/a", sig="new"))]
    after = await store(generation(storage.url("/a", sig="old")))
    assert after.creatives[0].size == len(FILM)
    assert vendor.asked == 1


async def test_a_download_goes_on_where_its_link_expired(storage, generation, vendor, new_file, store, tmp_path):
    file = storage.files["/a"] = new_file(FILM, signatures={"old"}, cuts=[100_000])
    file.before = lambda position: setattr(file, "signatures", {"new"}) if position >= 65_536 else None
    vendor.answers = [generation(storage.url("/a", sig="new"))]
    await store(generation(storage.url("/a", sig="old")))
    assert (tmp_path / "adsumo-gen_1-0.mp4").read_bytes() == FILM
    assert [(seen.query, seen.headers.get("range")) for seen in storage.seen] == [
        ("sig=old", None),
        ("sig=old", "bytes=100000-"),
        ("sig=new", "bytes=100000-"),
    ]


async def test_a_link_past_its_time_is_not_even_tried(storage, generation, vendor, clock, new_file, store):
    storage.files["/a"] = new_file(FILM)
    before = generation(storage.url("/a", sig="old"))
    before.creatives[0].expires_at = clock.moment().subtract(seconds=1)
    vendor.answers = [generation(storage.url("/a", sig="new"))]
    await store(before)
    assert [seen.query for seen in storage.seen] == ["sig=new"]


async def test_the_host_has_the_last_word_on_an_expired_link(storage, generation, vendor, clock, new_file, store):
    storage.files["/a"] = new_file(FILM)
    before = generation(storage.url("/a", sig="old"))
    before.creatives[0].expires_at = clock.moment().subtract(hours=1)
    vendor.answers = [NotFound("Adsumo answered 404.", status=404)]
    after = await store(before)
    assert after.creatives[0].size == len(FILM)
    assert vendor.asked == 1

    vendor.answers = [before]  # a vendor that goes on telling a time that is over
    await store(before)
    assert vendor.asked == 2


async def test_one_question_serves_all_creatives(storage, generation, vendor, new_file, store):
    for index in range(5):
        storage.files[f"/{index}"] = new_file(FILM, signatures={"new"})
    fresh = [storage.url(f"/{index}", sig="new") for index in range(5)]
    vendor.answers = [generation(*fresh)]
    await store(generation(*(storage.url(f"/{index}", sig="old") for index in range(5))))
    assert vendor.asked == 1


async def test_fresh_links_may_come_in_another_order(storage, generation, vendor, new_file, store, tmp_path):
    bodies = [os.urandom(1000), os.urandom(2000)]
    for index, body in enumerate(bodies):
        storage.files[f"/{index}"] = new_file(body, signatures={"new"})
    vendor.answers = [generation(storage.url("/1", sig="new"), storage.url("/0", sig="new"))]
    after = await store(generation(storage.url("/0", sig="old"), storage.url("/1", sig="old")))
    assert [creative.size for creative in after.creatives] == [1000, 2000]


async def test_links_that_differ_in_their_query_only_go_by_their_place(
    storage, generation, vendor, new_file, store, tmp_path
):
    storage.files["/get"] = new_file(FILM, signatures={"new-a", "new-b"})
    vendor.answers = [generation(storage.url("/get", sig="new-a"), storage.url("/get", sig="new-b"))]
    await store(generation(storage.url("/get", sig="a"), storage.url("/get", sig="b")))
    assert sorted(seen.query for seen in storage.seen) == ["sig=a", "sig=b", "sig=new-a", "sig=new-b"]


async def test_a_link_that_was_left_out_is_asked_for(storage, generation, vendor, new_file, store):
    storage.files["/a"] = new_file(FILM)
    vendor.answers = [generation(storage.url("/a"))]
    assert (await store(generation(None))).creatives[0].size == len(FILM)


async def test_it_ends_when_fresh_links_do_not_help(storage, generation, vendor, new_file, store):
    storage.files["/a"] = new_file(FILM, signatures=set())
    vendor.answers = [generation(storage.url("/a", sig="s3cr3t-2"))]
    with pytest.raises(DownloadError) as caught:
        await store(generation(storage.url("/a", sig="s3cr3t")))
    assert str(caught.value) == (
        "Creative 0 of adsumo job gen_1 could not be stored: 127.0.0.1 answered 403, also with fresh links. It is "
        "paid for; a retry fetches it again and costs nothing."
    )
    assert caught.value.status == 403
    assert (vendor.asked, len(storage.seen)) == (2, 3)


async def test_the_vendors_own_words_are_told_when_it_gives_no_link(storage, generation, vendor, new_file, store):
    storage.files["/a"] = new_file(FILM, signatures=set(), refusal=410)
    vendor.answers = [NotFound("Adsumo answered 404 to GET /generations/{id}: gone.", status=404)]
    with pytest.raises(DownloadError, match="answered 410, and a fresh link could not be fetched: Adsumo answered 404"):
        await store(generation(storage.url("/a")))
    vendor.answers = [generation()]
    with pytest.raises(DownloadError, match="answered 410, and the vendor gives no other"):
        await store(generation(storage.url("/a")))


async def test_a_redirect_to_another_host_takes_no_credentials_along(storage, generation, new_file, store, tmp_path):
    target = storage.url("/real.webm", name="localhost").replace("//", "//user:password@")
    storage.files["/a"] = new_file(canned=[(302, {"Location": target}, b"")] * 9)
    storage.files["/real.webm"] = new_file(FILM, "binary/octet-stream", cuts=[50_000])
    after = await store(generation(storage.url("/a").replace("//", "//user:password@")))
    assert after.creatives[0].uri == f"file://{tmp_path}/adsumo-gen_1-0.webm"
    assert (tmp_path / "adsumo-gen_1-0.webm").read_bytes() == FILM
    assert [headers.get("range") for headers in storage.asked("/real.webm")] == [None, "bytes=50000-"]
    for seen in storage.seen:
        assert "authorization" not in seen.headers
        assert "cookie" not in seen.headers


async def test_a_relative_redirect_is_followed_and_a_circle_is_left(storage, generation, new_file, store):
    storage.files["/a/b"] = new_file(canned=[(307, {"Location": "../c?sig=1"}, b"")])
    storage.files["/c"] = new_file(FILM, signatures={"1"})
    assert (await store(generation(storage.url("/a/b")))).creatives[0].size == len(FILM)

    storage.files["/circle"] = new_file(canned=[(301, {"Location": "/circle"}, b"")] * 99)
    with pytest.raises(DownloadError, match="redirected more than 5 times"):
        await store(generation(storage.url("/circle")))
    assert len(storage.asked("/circle")) == 6


@pytest.mark.parametrize("bad", ["file:///etc/passwd", "ftp://x/y", "gopher:x", "http://[::1", "https:///nohost", ""])
async def test_only_http_is_fetched(generation, vendor, store, tmp_path, bad):
    vendor.answers = [generation(bad)]
    with pytest.raises(DownloadError, match=r"the link (is not http or https|cannot be read)"):
        await store(generation(bad))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", ["file:///etc/passwd", "ftp://x/y"])
async def test_only_http_is_followed(storage, generation, new_file, store, tmp_path, bad):
    storage.files["/a"] = new_file(canned=[(302, {"Location": bad}, b"")] * 9)
    with pytest.raises(DownloadError, match="the link is not http or https"):
        await store(generation(storage.url("/a")))
    assert list(tmp_path.iterdir()) == []
    assert len(storage.seen) == 1


async def test_nothing_signed_reaches_the_logs(storage, generation, vendor, new_file, store, caplog):
    caplog.set_level(0)
    storage.files["/a"] = new_file(FILM, signatures={"s3cr3t-2"}, cuts=[70_000])
    vendor.answers = [generation(storage.url("/a", sig="s3cr3t-2"))]
    await store(generation(storage.url("/a", sig="s3cr3t-1")))
    own = [record for record in caplog.records if record.name.startswith("airflow_provider_adgen")]
    assert len(own) == 2
    # The libraries' own too: httpx logs every URL at INFO.
    assert not any("s3cr3t" in record.getMessage() for record in caplog.records)
