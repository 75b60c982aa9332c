# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib

import pytest

from airflow_provider_adgen.delivery import checksums
from airflow_provider_adgen.delivery.links import BadLink, checked, host
from airflow_provider_adgen.delivery.ranges import Version, content_length

SHA = hashlib.sha256(b"x").digest()
MD5 = hashlib.md5(b"x", usedforsecurity=False).digest()
SHA64, MD564 = base64.b64encode(SHA).decode(), base64.b64encode(MD5).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        ({"content-md5": MD564}, {"md5": MD5}),
        ({"x-goog-hash": f"crc32c=n03x6A==, md5={MD564}"}, {"md5": MD5}),
        ({"x-goog-hash": f"md5={MD564}", "x-goog-stored-content-encoding": "gzip"}, {}),
        ({"x-amz-checksum-sha256": SHA64}, {"sha256": SHA}),
        ({"x-amz-checksum-sha256": f"{SHA64}-3"}, {}),
        ({"repr-digest": f"sha-512=:AAAA:, sha-256=:{SHA64}:"}, {"sha256": SHA}),
        ({"digest": f"SHA-256={SHA64}", "content-md5": MD564}, {"sha256": SHA, "md5": MD5}),
        ({"content-md5": "rubbish", "digest": "sha-256=AAAA", "repr-digest": "=,;", "x-goog-hash": "md5"}, {}),
        ({"content-md5": "ü" * 24}, {}),
    ],
)
def test_checksums_that_hosts_tell(headers, expected):
    assert checksums.announced(headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content-length": "12"}, 12),
        ({"content-length": " 0 "}, 0),
        ({"content-length": "12", "content-encoding": "gzip"}, None),
        ({"content-length": "12", "content-encoding": "Identity"}, 12),
        ({"content-length": "-1"}, None),
        ({"content-length": "²"}, None),
        ({}, None),
    ],
)
def test_content_length(headers, expected):
    assert content_length(headers) == expected


@pytest.mark.parametrize("tag", ['W/"x"', "x", '""', '"ü"'])
def test_a_tag_that_proves_nothing_is_not_used(tag):
    assert Version.of({"etag": tag}).request(5) == {}


def test_nothing_is_asked_for_at_the_start():
    assert Version.of({"etag": '"x"'}).request(0) == {}
    assert Version.of({"etag": '"x"'}).request(5) == {"Range": "bytes=5-", "If-Range": '"x"'}


def test_a_part_must_fit_on():
    version = Version('"x"', 100)
    assert version.continues({"content-range": "bytes 5-99/100"}, 5) == (100, 100)
    assert version.continues({"content-range": "bytes 5-9/100", "etag": '"x"'}, 5) == (10, 100)
    assert Version('"x"', None).continues({"content-range": "bytes 5-9/10"}, 5) == (10, 10)
    for told in ("bytes 4-99/100", "bytes 5-100/100", "bytes 5-4/100", "bytes 5-99/101", "bytes */100", ""):
        assert version.continues({"content-range": told}, 5) is None
    assert version.continues({"content-range": "bytes 5-99/100", "etag": '"y"'}, 5) is None
    assert version.continues({"content-range": "bytes 5-99/100", "content-encoding": "gzip"}, 5) is None


def test_redirects_that_are_followed():
    assert checked("../b?c=d", "https://h/x/a") == "https://h/b?c=d"
    assert checked("//other/b", "https://h/a") == "https://other/b"
    assert checked("http://other/b", "http://h/a") == "http://other/b"
    assert checked("http://127.0.0.1:8/b", "https://h/a") == "http://127.0.0.1:8/b"
    assert checked("https://user:secret@h:8/a") == "https://h:8/a"


@pytest.mark.parametrize("target", ["http://other/b?sig=s3cr3t", "HTTP://other/b"])
def test_a_redirect_from_https_to_http_is_refused(target):
    with pytest.raises(BadLink, match=r"^h redirects from https to plain http on other$"):
        checked(target, "https://h/a")


@pytest.mark.parametrize("url", ["", "file:///x", "javascript:1", "http://", "http://h:x/", "http://[::1", "s3://b/k"])
def test_links_that_are_not_fetched(url):
    with pytest.raises(BadLink):
        checked(url)
    assert "/" not in host(url)
