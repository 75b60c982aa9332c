# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import time

import pytest

from airflow_provider_adgen.delivery.signatures import HEAD, fits, types_of

REST = bytes(range(256)) * 4


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0", "image/tiff"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"\0\0\0\x1cftypheic", "image/heic"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\0\x10mdat", "video/quicktime"),
        (b"\0\0\0\x1cftypM4A ", "audio/mp4"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\x10\0\0\0AVI LIST", "video/x-msvideo"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (b"OggS\0\x02" + bytes(22) + b"OpusHead", "audio/ogg"),
        (b"OggS\0\x02" + bytes(22) + b"\x80theora", "video/ogg"),
        (b"ID3\x04\0", "audio/mpeg"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"%PDF-1.7\n", "application/pdf"),
    ],
)
def test_media_and_archives(head, expected):
    assert types_of(head + REST)[0] == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Not ready", "text/plain"),
        ("Noch nicht fertig: bitte später".encode("latin-1"), "text/plain"),
        ("\ufeff日本語".encode(), "text/plain"),
        ("\ufeff<html>".encode("utf-16-le"), "text/html"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "application/vnd.apple.mpegurl"),
        (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">', "application/dash+xml"),
        (b"\n\n<!DOCTYPE html><title>Sign in</title>", "text/html"),
        (b"<HTML>", "text/html"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html xmlns="x">', "text/html"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "application/xml"),
        (b"<!-- made by x --><svg xmlns='http://www.w3.org/2000/svg'><title>a</title></svg>", "image/svg+xml"),
        (b"<svg:svg/>", "image/svg+xml"),
        (b'{"error": "expired"}', "application/json"),
        (b' [{"error": 1}]', "application/json"),
    ],
)
def test_texts(head, expected):
    assert types_of(head) == (expected,)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"  \n",
        b"\0\0\0",
        b"\x89PNG\r\n\x1a",
        b"\xff\xfb\x90\x64" + REST,  # MPEG audio without a tag: two bytes are too few to refuse a file by
        b"\x0b\x77" + REST,
        b"<!--" + b" a long comment" * 100,
    ],
)
def test_what_is_not_recognized_is_not_named(head):
    assert types_of(head[:HEAD]) == ()


def test_random_bytes_are_not_recognized():
    chance = random.Random(11)
    assert not any(types_of(chance.randbytes(HEAD)) for _ in range(3000))


@pytest.mark.parametrize("piece", ["<??>", "<!---->", " ", "<!doctype >", "<"])
def test_no_text_takes_long(piece):
    text = f"<?{piece * HEAD}".encode()[:HEAD]
    began = time.process_time()
    types_of(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("media_type", "kinds"),
    [
        ("image/png", {"image", "archive"}),
        ("image/svg+xml", {"image", "archive"}),
        ("video/mp4", {"video", "archive"}),
        ("audio/mpeg", {"audio", "archive"}),
        ("application/zip", {"image", "video", "audio", "archive"}),
        ("application/json", {"archive"}),
        ("application/pdf", {"archive"}),
        ("text/html", set()),
        ("text/plain", set()),
        ("application/xml", set()),
        ("application/vnd.apple.mpegurl", set()),
    ],
)
def test_which_kinds_a_type_fits(media_type, kinds):
    assert {kind for kind in ("image", "video", "audio", "archive") if fits(media_type, kind)} == kinds
