# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Under which address people reach a stored file, and what is never linked to."""

from __future__ import annotations

import pytest

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.web_address import linkable, parse_destination_urls, web_address

URLS = {
    "s3://bucket": "https://files.example/",
    "s3://conn@bucket/ads/": "https://ads.example/a",
    "/mnt/ads": "http://nas.example",
}


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("s3://bucket/x/1.png", "https://files.example/x/1.png"),
        ("s3://conn@bucket/x/1.png", "https://files.example/x/1.png"),
        ("s3://other@bucket/ads/spring/1.png", "https://ads.example/a/spring/1.png"),
        ("s3://bucket/ads", "https://ads.example/a"),
        ("s3://bucket/ads-old/1.png", "https://files.example/ads-old/1.png"),
        ("s3://bucket-2/1.png", None),
        ("gs://bucket/1.png", None),
        ("file:///mnt/ads/a b/é#?.png", "http://nas.example/a%20b/%C3%A9%23%3F.png"),
        ("/mnt/ads/1.png", "http://nas.example/1.png"),
        ("/mnt/1.png", None),
    ],
)
def test_the_longest_path_that_holds_a_file_counts(uri: str, address: str | None) -> None:
    assert web_address(uri, URLS) == address


def test_the_root_of_a_file_system_may_have_an_address() -> None:
    assert web_address("file:///tmp/1.png", {"file:///": "https://disk.example"}) == "https://disk.example/tmp/1.png"


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "file:///tmp",
        "ads.example",
        "javascript:alert(1)",
        "https://",
        "https://user:word@ads.example",
        "https://ads.example?X-Amz-Signature=abc",
        "https://ads.example#part",
        "https://[ads.example",
        "{{ var.value.url }}",
        "",
    ],
)
def test_only_plain_web_addresses_are_linked_to(url: str) -> None:
    assert not linkable(url)
    assert web_address("s3://bucket/1.png", {"s3://bucket": url}) is None
    with pytest.raises(InvalidRequest, match="cannot be linked to"):
        parse_destination_urls(f'{{"s3://bucket": "{url}"}}')


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"s3://bucket": 7}', '"https://ads.example"'])
def test_a_setting_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\[adgen\] destination_urls cannot be read"):
        parse_destination_urls(text)


def test_the_setting_is_a_json_object() -> None:
    assert parse_destination_urls('{"s3://b": "https://ads.example"}') == {"s3://b": "https://ads.example"}
