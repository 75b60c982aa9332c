# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Keys and signed links leave no text, and a key shows itself nowhere."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.account import Account
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.core.scrub import Secret, holds_url, scrub, without_urls

SIGNED = "https://bucket.s3.amazonaws.com/out/a.mp4?X-Amz-Signature=deadbeef&X-Amz-Expires=3600"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"could not fetch {SIGNED}", "deadbeef"),
        (f"could not fetch ({SIGNED}).", "deadbeef"),
        (f'{{"url":"{SIGNED}"}}', "deadbeef"),
        (f"{SIGNED} and {SIGNED}", "deadbeef"),
        ("S3://user:pass@bucket/key?sig=deadbeef", "deadbeef"),
        ("see https://cdn.example/ad(1).mp4?X-Amz-Signature=deadbeef now", "deadbeef"),
        ("see https://cdn.example/it's[1].png?code=deadbeef", "deadbeef"),
        ("see https://cdn.example/my ad.mp4?X-Amz-Expires=3600&X-Amz-Signature=deadbeef", "deadbeef"),
        (r"{\"url\": \"https:\/\/cdn.example\/a.png?sig=deadbeef\"}", "deadbeef"),
        ("goto=https%3A%2F%2Fcdn.example%2Fa.png%3Fsig%3Ddeadbeef", "deadbeef"),
        ("goto=https%3A%2F%2Fcdn.example%2Fa%3Fcode%3Ddeadbeef", "deadbeef"),
        ("goto%3Dhttps%253A%252F%252Fcdn.example%252Fdeadbeef", "deadbeef"),
        (r"\"https:\/\/cdn.example\/deadbeef\/a.png\"", "deadbeef"),
        (r"https://cdn.example/a.png?x=1\u0026code\u003ddeadbeef", "deadbeef"),
        (r"my ad.mp4?x=1\u0026sig=deadbeef", "deadbeef"),
        (r"my ad.mp4?sig\u003ddeadbeef", "deadbeef"),
        ("my ad.mp4%253Fsig%253Ddeadbeef", "deadbeef"),
        ("saved_as_https://cdn.example/deadbeef", "deadbeef"),
        ("https%3A%2F%2Fuser%3Ahunter2%40host%2Fpath", "hunter2"),
        ("https://user:hunter2@host/path", "hunter2"),
        ("HTTPS://HOST/?SIG=DEADBEEF", "DEADBEEF"),
        ("wrong key adsumo_sk_0123456789abcdef", "0123456789abcdef"),
        ("wrong key sume_live_0123456789abcdef", "0123456789abcdef"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl expired", "c2lnbmF0dXJl"),
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("authorization: bearer abc123==", "abc123"),
    ],
)
def test_it_takes_secrets_out(text: str, secret: str) -> None:
    for vendor in ("adsumo", "sume"):
        get_vendor(vendor)  # loads it: from then on the form of its keys is known
    assert secret not in scrub(text)


def test_it_takes_the_connections_own_key_out_whatever_it_looks_like() -> None:
    assert scrub("the key plain-key-1 is wrong: plain-key-1", "plain-key-1") == "the key *** is wrong: ***"
    # Something so short would blacken ordinary words.
    assert scrub("a b c", "b") == "a b c"
    assert scrub("text", "") == "text"


@pytest.mark.parametrize(
    "told",
    [
        "PLAIN/KEY+1-2-3",
        "plain%2Fkey%2B1-2-3",
        "cGxhaW4va2V5KzEtMi0z",
        "plain/key\n  +1-2-3",
    ],
)
def test_it_takes_the_key_out_however_it_is_written(told: str) -> None:
    assert scrub(f"bad key {told}!", "plain/key+1-2-3") == "bad key ***!"


def test_it_keeps_what_helps() -> None:
    assert scrub(SIGNED) == "https://bucket.s3.amazonaws.com/…"
    assert scrub("Prompt is empty.") == "Prompt is empty."
    assert scrub("{'url': 'https://host/a?b=c', 'id': 'job-1'}") == "{'url': 'https://host/…', 'id': 'job-1'}"
    assert scrub("(see https://host/a), design=flat") == "(see https://host/…), design=flat"
    assert scrub("x" * 900) == "x" * 499 + "…"


@given(st.text(), st.text(alphabet="abcdef0123456789", min_size=8, max_size=40))
def test_no_text_around_it_saves_a_secret(text: str, secret: str) -> None:
    assert secret not in scrub(f"{text}{secret}{text}", secret)


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (SIGNED, True),
        ("//cdn/a", True),
        ("/a.mp4?X-Signature=1", True),
        ([1, {"a": [SIGNED]}], True),
        ({SIGNED: 1}, True),
        ({"a": ["no", 1, None]}, False),
        (3, False),
    ],
)
def test_urls_are_found_anywhere(value: Any, held: bool) -> None:
    assert holds_url(value) is held


def test_urls_are_dropped_and_the_rest_is_kept() -> None:
    value = {"a": SIGNED, "b": [SIGNED, 1, {"c": SIGNED, "d": 2}], "e": "text", SIGNED: 3, "f": "a.mp4?Signature=x"}
    assert without_urls(value) == {"b": [1, {"d": 2}], "e": "text"}
    assert not holds_url(without_urls(value))


class TestSecret:
    secret = Secret("hunter2-hunter2")

    @pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r}".format, lambda one: f"{[one]}", "%s".__mod__])
    def test_it_does_not_show_itself(self, show: Any) -> None:
        assert "hunter2" not in show(self.secret)

    @pytest.mark.parametrize("keep", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
    def test_it_is_not_serialised(self, keep: Any) -> None:
        with pytest.raises(TypeError) as caught:
            keep(self.secret)
        assert "hunter2" not in str(caught.value)

    def test_nor_is_what_holds_it(self) -> None:
        account = Account(
            "adsumo", "c", "https://h", self.secret, headers={"X-Team": "hunter2"}, webhook_secret=self.secret
        )
        assert "hunter2" not in repr(account) + str(account)
        with pytest.raises(TypeError):
            pickle.dumps(account)

    def test_it_knows_whether_there_is_one(self) -> None:
        assert self.secret
        assert not Secret("")
        assert self.secret.reveal() == "hunter2-hunter2"
