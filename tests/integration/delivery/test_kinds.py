# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are not what their link, their header or the vendor says."""

from __future__ import annotations

import gzip
import os

import pytest

from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.delivery.store import store_generation

MP4 = b"\0\0\0\x18ftypmp42" + os.urandom(3000)
M4A = b"\0\0\0\x1cftypM4A " + os.urandom(3000)
PNG = b"\x89PNG\r\n\x1a\n" + os.urandom(3000)
WAV = b"RIFF\x10\0\0\0WAVEfmt " + os.urandom(3000)
ZIP = b"PK\x03\x04" + os.urandom(3000)
UNKNOWN = b"\0\x01\x02 no signature of this is known " + os.urandom(3000)
HTML = b"<!DOCTYPE html><html><h1>Please log in</h1></html>"


@pytest.fixture
def store(vendor, clock, tmp_path):
    async def run(generation):
        return await store_generation(generation, str(tmp_path), refetch=vendor, clock=clock)

    return run


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("header", ["video/mp4", "application/octet-stream", None])
@pytest.mark.parametrize(
    ("body", "came"),
    [
        (b"Not ready", "text/plain"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\nsegment0.ts\n", "application/vnd.apple.mpegurl"),
        (HTML, "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b'{"error": {"code": "not_ready"}}', "application/json"),
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "application/xml"),
        (b"", "an empty file"),
        (b"\0\0\0\x18ft", "6 bytes"),
        (PNG, "image/png"),
        (M4A, "audio/mp4"),
        (WAV, "audio/wav"),
        (b"%PDF-1.7\n" + os.urandom(3000), "application/pdf"),
    ],
)
async def test_what_is_evidently_no_video_is_refused(
    storage, generation, vendor, new_file, store, tmp_path, header, body, came
):
    storage.files["/a.mp4"] = new_file(body, header)
    vendor.answers = [generation(storage.url("/a.mp4", sig="s3cr3t"))]
    with pytest.raises(DownloadError) as caught:
        await store(generation(storage.url("/a.mp4", sig="s3cr3t")))
    assert str(caught.value) == (
        f"Creative 0 of adsumo job gen_1 could not be stored: 127.0.0.1 sent {came} where a file of kind video is "
        "expected, also with fresh links. It is paid for; a retry fetches it again and costs nothing."
    )
    assert caught.value.status == 200
    assert vendor.asked == 2
    assert names(tmp_path) == []


async def test_a_fresh_link_may_lead_to_the_file(storage, generation, vendor, new_file, store, tmp_path):
    storage.files["/a"] = new_file(MP4, canned=[(200, {"Content-Type": "video/mp4"}, b"Not ready")])
    vendor.answers = [generation(storage.url("/a", sig="new"))]
    after = await store(generation(storage.url("/a", sig="old")))
    assert after.creatives[0].size == len(MP4)
    assert [seen.query for seen in storage.seen] == ["sig=old", "sig=new"]
    assert names(tmp_path) == ["adsumo-gen_1-0.mp4"]


@pytest.mark.parametrize(
    ("kind", "body", "header", "name", "media_type"),
    [
        ("video", MP4, "text/html", "0.mp4", "video/mp4"),
        ("video", MP4, "video/quicktime", "0.mov", "video/quicktime"),
        ("image", PNG, "image/jpeg", "0.png", "image/png"),
        ("image", PNG, "text/plain", "0.png", "image/png"),
        ("audio", MP4, "application/octet-stream", "0.m4a", "audio/mp4"),
        ("audio", WAV, "audio/mpeg", "0.wav", "audio/wav"),
        ("image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "0.svg", "image/svg+xml"),
        ("video", UNKNOWN, "video/x-unheard-of", "0.mp4", "video/x-unheard-of"),
        ("video", UNKNOWN, "application/x-unheard-of", "0.mp4", "video/mp4"),
        ("archive", PNG, "application/zip", "0.png", "image/png"),
        ("archive", b"[]", "application/json", "0.json", "application/json"),
    ],
)
async def test_the_bytes_name_the_file_where_they_tell(
    storage, generation, new_file, store, tmp_path, kind, body, header, name, media_type
):
    storage.files["/a"] = new_file(body, header)
    (creative,) = (await store(generation(storage.url("/a"), creative=kind))).creatives
    assert names(tmp_path) == [f"adsumo-gen_1-{name}"]
    assert (creative.kind, creative.media_type, creative.size) == (kind, media_type, len(body))


async def test_an_archive_may_hold_what_was_asked_for(storage, generation, new_file, store, tmp_path):
    storage.files["/a.png"] = new_file(ZIP, "image/png")
    (creative,) = (await store(generation(storage.url("/a.png"), creative="image"))).creatives
    assert (creative.kind, creative.media_type) == ("archive", "application/zip")
    assert names(tmp_path) == ["adsumo-gen_1-0.zip"]


@pytest.mark.parametrize("header", ["text/html", "application/json", "application/xml"])
async def test_the_header_decides_where_the_bytes_do_not_tell(storage, generation, vendor, new_file, store, header):
    storage.files["/a"] = new_file(UNKNOWN, header)
    vendor.answers = [generation(storage.url("/a"))]
    with pytest.raises(DownloadError, match=f"sent {header} where a file of kind video is expected"):
        await store(generation(storage.url("/a")))


@pytest.mark.parametrize(("body", "header"), [(HTML, "text/html"), (b"Not ready", "application/zip"), (b"", None)])
async def test_an_archive_is_no_page_and_no_text(storage, generation, vendor, new_file, store, tmp_path, body, header):
    storage.files["/a.zip"] = new_file(body, header)
    vendor.answers = [generation(storage.url("/a.zip"), creative="archive")]
    with pytest.raises(DownloadError, match="where a file of kind archive is expected"):
        await store(generation(storage.url("/a.zip"), creative="archive"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("cut", [3, 500, 1024, 2000])
async def test_a_break_within_the_first_bytes(storage, generation, vendor, new_file, store, tmp_path, cut):
    storage.files["/a"] = new_file(PNG, "video/mp4", cuts=[cut])
    (creative,) = (await store(generation(storage.url("/a"), creative="image"))).creatives
    assert (tmp_path / "adsumo-gen_1-0.png").read_bytes() == PNG
    assert (creative.media_type, creative.size) == ("image/png", len(PNG))

    storage.files["/b"] = new_file(HTML * 100, "video/mp4", cuts=[cut])
    vendor.answers = [generation(storage.url("/b"))]
    with pytest.raises(DownloadError, match="sent text/html where"):
        await store(generation(storage.url("/b")))
    assert names(tmp_path) == ["adsumo-gen_1-0.png"]


async def test_another_file_after_a_break_is_looked_at_anew(storage, generation, vendor, new_file, store, tmp_path):
    file = storage.files["/a"] = new_file(MP4 * 100, "application/octet-stream", cuts=[100_000])
    # The host has another version by then: what came of the first one is dropped, its name too.
    file.before = lambda position: (setattr(file, "etag", '"v2"'), setattr(file, "body", MP4.replace(b"mp42", b"qt  ")))
    (creative,) = (await store(generation(storage.url("/a")))).creatives
    assert creative.media_type == "video/quicktime"
    assert names(tmp_path) == ["adsumo-gen_1-0.mov"]


async def test_an_encoded_body_is_looked_at_after_decoding(storage, generation, vendor, new_file, store, tmp_path):
    encoded = {"Content-Encoding": "gzip"}
    storage.files["/a"] = new_file(gzip.compress(PNG), "image/jpeg", headers=encoded)
    await store(generation(storage.url("/a"), creative="image"))
    assert names(tmp_path) == ["adsumo-gen_1-0.png"]
    storage.files["/a"] = new_file(gzip.compress(b"Not ready"), "video/mp4", headers=encoded)
    vendor.answers = [generation(storage.url("/a"))]
    with pytest.raises(DownloadError, match="sent text/plain where"):
        await store(generation(storage.url("/a")))


async def test_a_redirect_to_a_login_page(storage, generation, vendor, new_file, store, tmp_path):
    storage.files["/a.mp4"] = new_file(canned=[(302, {"Location": "/login"}, b"")] * 9)
    storage.files["/login"] = new_file(HTML, "application/octet-stream")
    vendor.answers = [generation(storage.url("/a.mp4"))]
    with pytest.raises(DownloadError, match="sent text/html where"):
        await store(generation(storage.url("/a.mp4")))
    assert names(tmp_path) == []
