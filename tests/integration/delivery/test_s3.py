# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The real s3fs against a local S3, where both are installed."""

from __future__ import annotations

import gc
import gzip
import os

import pytest

from airflow_provider_adgen.core.errors import DownloadError, InvalidRequest
from airflow_provider_adgen.delivery.store import store_generation

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

FILM = os.urandom(12 << 20)


@pytest.fixture(scope="module")
def s3():
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    fs = s3fs.S3FileSystem(
        key="test",
        secret="test",
        endpoint_url=f"http://{host}:{port}",
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    fs.mkdir("shop")
    yield fs
    server.stop()


@pytest.fixture
def attached(s3):
    from airflow.sdk.io import attach, store

    attach("s3", "adgen_moto", fs=s3)
    yield s3
    del store._STORE_CACHE["s3-adgen_moto"]


def uploads(fs):
    return fs.list_multipart_uploads("shop")


@pytest.mark.parametrize("size", [1000, 5 << 20, len(FILM)])
async def test_an_object_is_whole_typed_and_replaced(storage, generation, vendor, clock, new_file, attached, size):
    film, during = FILM[:size], []
    key = f"shop/{size}/adsumo-gen_1-0.mp4"
    storage.files["/a"] = new_file(film, cuts=[size // 2])
    storage.files["/a"].before = lambda position: during.append(position)
    one = generation(storage.url("/a"))
    for _ in range(2):
        after = await store_generation(one, f"s3://adgen_moto@shop/{size}", refetch=vendor, clock=clock)
    info = attached.info(key, refresh=True)
    assert (info["size"], info["ContentType"]) == (size, "video/mp4")
    assert attached.cat(key) == film
    assert after.creatives[0].uri == f"s3://adgen_moto@{key}"
    assert uploads(attached) == []


async def test_nothing_is_visible_before_the_end_nor_after_a_failure(
    storage, generation, vendor, clock, new_file, attached
):
    seen = []

    def look(position):
        if position % (1 << 20) == 0:
            seen.append(
                (
                    attached.ls("shop/broken", refresh=True) if attached.exists("shop/broken") else [],
                    len(uploads(attached)),
                )
            )

    storage.files["/a"] = new_file(FILM, cuts=[11 << 20] * 99, ranges=False, before=look)
    with pytest.raises(DownloadError, match="broke after"):
        await store_generation(
            generation(storage.url("/a")), "s3://adgen_moto@shop/broken", refetch=vendor, clock=clock
        )
    gc.collect()
    assert {len(listing) for listing, _ in seen} == {0}
    assert max(count for _, count in seen) == 1, "an upload was under way"
    assert uploads(attached) == []
    assert not attached.exists("shop/broken")


async def test_a_bucket_that_does_not_exist(storage, generation, vendor, clock, new_file, attached):
    storage.files["/a"] = new_file(FILM)
    with pytest.raises(DownloadError, match=r"s3://nosuch/… did not take adsumo-gen_1-0.mp4 \(FileNotFoundError"):
        await store_generation(generation(storage.url("/a")), "s3://adgen_moto@nosuch/x", refetch=vendor, clock=clock)


def test_a_feed_is_streamed_from_a_bucket(attached):
    from airflow_provider_adgen.campaigns import read_catalogue

    rows = "".join(f'{{"id": {number}, "title": "Lamp {"x" * 1000}"}}\n' for number in range(8000))
    attached.pipe("shop/feeds/feed.jsonl.gz", gzip.compress(rows.encode(), 1))
    found = read_catalogue("s3://adgen_moto@shop/feeds/feed.jsonl.gz")
    assert [product.id for product in found.products] == [str(number) for number in range(8000)]
    with pytest.raises(InvalidRequest, match=r"cannot be read .*Nothing was sent"):
        read_catalogue("s3://adgen_moto@shop/feeds/nothing.csv")
