# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest

from airflow_provider_adgen.core.vocabulary import Generation
from airflow_provider_adgen.delivery.names import FileNames, describe, media_type, safe


@pytest.mark.parametrize("text", ["gen_1", "6f1c9c3e-1b2d-4d0c-9a41-0d7f3c2b1a00", "A.b", "x" * 80])
def test_an_ordinary_id_is_kept(text):
    assert safe(text) == text


@pytest.mark.parametrize(
    "text",
    ["..", ".", "../../etc/passwd", "a/b", "a\\b", "a\0b", ".hidden", "-rf", "", "x" * 81, "ünïcode", "a b", "\ud800"],
)
def test_anything_else_is_made_harmless(text):
    name = safe(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", name)
    assert ".." not in name.split("/")
    assert safe(text) == name, "the same on every try"


def test_different_ids_never_share_a_name():
    ids = ["a/b", "a-b", "a\\b", "a b", "../a/b", "x" * 81, "x" * 82, "ä", "ö", ".", ".."]
    assert len({safe(text) for text in ids}) == len(ids)


def test_the_usual_name_of_a_file():
    made = Generation(vendor="adsumo", id="gen_1", kind="video", status="completed")
    assert FileNames().name(made, 0, "mp4", "video") == "adsumo-gen_1-0.mp4"


def test_names_of_a_users_own():
    made = Generation(vendor="adsumo", id="a/../b", kind="video", status="completed")
    names = FileNames("{market}/{key}-{id}-{n}.{ext}", {"key": "LMP-014/hero/1x1", "market": "../d e"})
    name = names.name(made, "copy", "json", "archive")
    assert re.fullmatch(r"d-e-[0-9a-f]{8}/LMP-014/hero/1x1-a-\.\.-b-[0-9a-f]{8}-copy\.json", name)


def test_the_authors_own_text_is_made_safe_and_no_part_is_too_long_for_a_disk():
    made = Generation(vendor="v", id="j" * 70, kind="video", status="completed")
    fields = {name: name * 70 for name in "abcd"}
    name = FileNames('x "y?/{a}-{b}-{c}-{d}-{id}-{n}.{ext}', fields).name(made, 0, "mp4", "video")
    folder, file = name.split("/")
    assert folder == "x-y-"
    assert len(file) <= 200 and re.search(r"-[0-9a-f]{8}\.mp4$", file)
    assert file != FileNames("x/{a}-{b}-{c}-{d}-{id}-{n}.{ext}", fields).name(made, 1, "mp4", "video").split("/")[1]


@pytest.mark.parametrize(
    ("told", "url", "kind", "expected"),
    [
        ("Video/MP4; codecs=x", "", "video", ("mp4", "video/mp4")),
        ("audio/wav", "https://x/y.mp3", "audio", ("wav", "audio/wav")),
        ("", "https://x/y.JPEG?z=a.png#b.gif", "image", ("jpg", "image/jpeg")),
        ("text/plain", "https://x/a%2Emp4", "video", ("mp4", "video/mp4")),
        ("application/octet-stream", "https://x/y.exe", "archive", ("zip", "application/zip")),
        ("image/heic", "https://x/y", "image", ("heic", "image/heic")),
        ("image/x-unheard-of", "https://x/y", "image", ("png", "image/x-unheard-of")),
        ("image/png", "https://x/y", "video", ("mp4", "video/mp4")),
        ("", "https://x/y.json", "video", ("mp4", "video/mp4")),
        ("", "https://x/y.zip", "image", ("zip", "application/zip")),
        ("", "https://x/..%2F..%2Fetc", "video", ("mp4", "video/mp4")),
    ],
)
def test_extension_and_type(told, url, kind, expected):
    assert describe(told, url, kind) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("Video/MP4", "video/mp4"), ("audio/x-wav", "audio/wav"), ("image/jpg; charset=binary", "image/jpeg"), ("", "")],
)
def test_a_header_in_the_common_spelling(header, expected):
    assert media_type(header) == expected
