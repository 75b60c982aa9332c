# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the first line of a request's class says of it, and which vendor takes the request."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.requests import PostedRequest, Text, build_request

VENDORS = ("adsumo", "cinematicads", "cutx", "sume")


class Banner(PostedRequest, kind="banner", result_kind="image", path="/banners", credits=2):
    """An invented request."""

    headline: Text


def test_the_first_line_says_kind_path_and_price() -> None:
    assert (Banner.kind, Banner.result_kind, Banner.path, Banner.synchronous) == ("banner", "image", "/banners", False)
    request = build_request(Banner, {"headline": "Socks"})
    assert request.price() == 2 and request.body() == {"headline": "Socks"}


def test_a_replaced_field_leaves_the_path_and_takes_the_price() -> None:
    request: Any = build_request(Banner, {"extra_fields": {"headline": ["a", "b"]}})
    assert (request.path, request.kind, request.price()) == ("/banners", "banner", None)


def test_a_misspelt_word_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="Poster: a request has no class variable pth"):
        type("Poster", (PostedRequest,), {}, pth="/posters")


@pytest.mark.parametrize("vendor", VENDORS)
def test_another_vendors_request_is_refused(vendor: str) -> None:
    title = get_vendor(vendor).title
    with pytest.raises(InvalidRequest, match=rf"^{title} has no request Banner\. Nothing was sent\.$"):
        get_vendor(vendor).submit(Banner(headline="Socks"), None)


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_request_of_a_vendor_has_a_kind_and_a_path_of_its_own(vendor: str) -> None:
    requests: list[Any] = list(get_vendor(vendor).requests)
    assert len({one.kind for one in requests}) == len({one.path for one in requests}) == len(requests)
    assert all(one.path.startswith("/") for one in requests)


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_assumption_has_its_three_parts(vendor: str) -> None:
    for one in get_vendor(vendor).assumptions:
        assert all(part and "|" not in part for part in (one.subject, one.silent, one.decided)), one.subject
