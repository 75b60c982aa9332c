# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which requests are for the same creative: signatures do not count, everything else does."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.identity import canonical, creative_identity, unsigned
from airflow_provider_adgen.core.scrub import Secret
from airflow_provider_adgen.ledger.library import library_identity
from airflow_provider_adgen.vendors.adsumo.requests import TextToImage

SHOP = "https://shop.example/a.jpg"


def identity(key: str = "k", kind: str = "video", vendor: str = "v", host: str = "h", **body: Any) -> str:
    return creative_identity(key, kind, body, vendor, host).digest


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&X-Amz-Date=1&X-Amz-Expires=9&X-Amz-Signature=f",
        "x-goog-algorithm=a&X-Goog-Credential=b&X-Goog-Date=c&X-Goog-Expires=1&X-Goog-SignedHeaders=h&X-Goog-Signature=s",
        "AWSAccessKeyId=A&Expires=1700000000&Signature=abc%3D",
        "GoogleAccessId=a%40b&Expires=17&Signature=x",
        "Expires=17&Policy=eyJ&Signature=x&Key-Pair-Id=K1",
        "sv=2024-01-01&st=a&se=b&sr=b&sp=r&sig=x%3D&spr=https",
        "token=abc",
        "access_token=abc",
        "sig=abc",
        "SIGNATURE=abc",
        "signature",
        "%73ig=abc",
    ],
)
def test_signatures_do_not_count(query: str) -> None:
    assert unsigned(f"{SHOP}?{query}") == SHOP
    assert unsigned(f"{SHOP}?v=3&{query}&w=10") == f"{SHOP}?v=3&w=10"
    assert identity(image=f"{SHOP}?{query}") == identity(image=SHOP)


@pytest.mark.parametrize(
    "query", ["v=3", "width=100&height=200", "sp=1&sv=2", "policy=b", "id=a%2Fb&id=c", "se=x&sr=y"]
)
def test_the_rest_of_a_query_counts(query: str) -> None:
    assert unsigned(f"{SHOP}?{query}") == f"{SHOP}?{query}"
    assert identity(image=f"{SHOP}?{query}") != identity(image=SHOP)
    assert canonical(f"{SHOP}?{query}") == SHOP, "a fingerprint has no query at all"


def test_a_new_version_of_a_picture_is_another_creative() -> None:
    assert identity(image=f"{SHOP}?v=2&token=a") != identity(image=f"{SHOP}?v=3&token=a")
    assert identity(image=f"{SHOP}?v=2&token=a#x") == identity(image=f"{SHOP}?token=b&v=2")


def test_addresses_are_found_wherever_they_are_and_texts_stay_as_they_are() -> None:
    body = {"a": [{"b": f"{SHOP}?token=1"}], "text": f"See {SHOP}?token=1 now", "odd": "http://[", "n": 1.5}
    assert unsigned(body) == {**body, "a": [{"b": SHOP}]}


def test_everything_that_makes_another_picture_makes_another_identity() -> None:
    different = [
        identity(),
        identity(key="l"),
        identity(kind="image"),
        identity(vendor="w"),
        identity(host="i"),
        identity(prompt="a"),
        identity(prompt="b"),
    ]
    assert len(set(different)) == len(different)
    assert identity(key=f"{SHOP}?token=1") != identity(key=f"{SHOP}?token=2"), "a key is no address"
    assert identity(host="H") == identity(host="h")
    assert identity(a=1, b=2) == identity(b=2, a=1)


def test_it_is_the_same_in_every_process_and_version() -> None:
    assert identity(prompt="Lámpa") == "56faaba8492549d1b3585e5764641ea0c55b8a2af924bce00b6af04b8f8a5084"


def test_the_identity_of_a_request() -> None:
    request = TextToImage(prompt="A lamp", model="fast", aspect_ratio="1:1")
    account = Account("adsumo", "adsumo_eu", "https://www.adsumo.ai/api/v1", Secret("adsumo_sk_1"))
    found = library_identity("LMP/hero", request, account)
    assert (found.key, found.vendor, found.host) == ("LMP/hero", "adsumo", "www.adsumo.ai")
    assert found.digest == creative_identity("LMP/hero", "text-to-image", request.body(), "adsumo", found.host).digest
    other = Account("adsumo", "adsumo_us", "https://www.adsumo.ai/api/v1", Secret("adsumo_sk_2"))
    assert library_identity("LMP/hero", request, other) == found, "neither connection nor key are part of it"
