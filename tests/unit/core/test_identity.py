# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Who asks for what: keys that are the same when they must be, and different when they must be."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_adgen.core.identity import (
    TaskIdentity,
    canonical,
    changed_fields,
    digest,
    field_hashes,
    fingerprint,
    idempotency_key,
)

WHO = TaskIdentity("dag", "run", "task")
ACCOUNT = ("adsumo", "www.adsumo.ai", "adsumo_default")
BODY = {"prompt": "a bottle", "image_url": "https://cdn.example/a.png?X-Amz-Signature=1", "quantity": 2}


def key(identity: TaskIdentity = WHO, **changes: Any) -> str:
    given = {"epoch": 1, "fingerprint": "f", "answered": 0, **changes}
    return idempotency_key(identity, **given)


def test_the_same_attempt_has_the_same_key_wherever_it_is_made() -> None:
    # Pinned: a new version of this package must come to the keys of the one before, or a running task pays twice.
    assert key() == key() == "4e711d82-791e-5f01-bc54-e9805a87d4a7"
    assert uuid.UUID(key())


def test_whatever_tells_attempts_apart_is_in_the_key() -> None:
    keys = [
        key(),
        key(replace(WHO, dag_id="other")),
        key(replace(WHO, run_id="other")),
        key(replace(WHO, task_id="other")),
        key(replace(WHO, map_index=0)),
        key(replace(WHO, map_index=1)),
        key(replace(WHO, region="loop/1")),
        key(replace(WHO, slot=1)),
        key(epoch=2),
        key(fingerprint="g"),
        key(answered=1),
        key(seed="summer"),
        key(replace(WHO, map_index=1), seed="summer"),
    ]
    assert len(set(keys)) == len(keys)


def test_names_that_run_together_are_not_confused() -> None:
    assert key(TaskIdentity("a", "b.c", "d")) != key(TaskIdentity("a.b", "c", "d"))
    assert key(TaskIdentity("a", '","', "d")) != key(TaskIdentity('a","', "", "d"))


def test_a_seed_replaces_dag_run_and_task_only() -> None:
    one, other = TaskIdentity("dag", "run 1", "make"), TaskIdentity("other", "run 2", "make too")
    assert key(one, seed="summer") == key(other, seed="summer")
    assert key(one, seed="summer") != key(one, seed="winter")


def test_the_key_of_the_account_is_in_neither_key_nor_fingerprint() -> None:
    # Rotating it must not make a paid job look like another one.
    assert set(fingerprint.__code__.co_varnames) == {"kind", "body", "vendor", "host", "conn_id"}


def test_a_signed_link_that_differs_from_day_to_day_is_the_same_input() -> None:
    tomorrow = {**BODY, "image_url": "https://cdn.example/a.png?X-Amz-Signature=2#x"}
    assert fingerprint("k", BODY, *ACCOUNT) == fingerprint("k", tomorrow, *ACCOUNT)
    other = {**BODY, "image_url": "https://cdn.example/b.png"}
    assert fingerprint("k", BODY, *ACCOUNT) != fingerprint("k", other, *ACCOUNT)


def test_a_prompt_that_begins_with_a_url_is_not_cut_off() -> None:
    red, blue = ({"prompt": f"https://shop.example/p?sku=1 an ad for the {color} bottle"} for color in ("red", "blue"))
    assert fingerprint("k", red, *ACCOUNT) != fingerprint("k", blue, *ACCOUNT)


def test_the_order_of_fields_and_the_form_of_lists_do_not_matter() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": (1, 2), "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest([1, 2]) != digest([2, 1])


def test_each_part_of_the_account_counts() -> None:
    prints = {
        fingerprint(*one)
        for one in [
            ("k", BODY, *ACCOUNT),
            ("other", BODY, *ACCOUNT),
            ("k", BODY, "sume", *ACCOUNT[1:]),
            ("k", BODY, "adsumo", "localhost:1", "adsumo_default"),
            ("k", BODY, "adsumo", "www.adsumo.ai", "adsumo_eu"),
        ]
    }
    assert len(prints) == 5


def test_changed_fields_are_named_without_their_values() -> None:
    old = field_hashes("k", BODY, *ACCOUNT)
    new = field_hashes("k", {"prompt": "a bottle!", "image_url": BODY["image_url"], "model": "pro"}, *ACCOUNT[:2], "eu")
    assert changed_fields(old, new) == ["(connection)", "model", "prompt", "quantity"]
    assert changed_fields(old, old) == []
    assert not any("bottle" in value for value in old.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
odd_urls = st.sampled_from(["http://[", "://", "a://[b", "https://x y/", "https://h:port/?q", "s3://b/k?x#y"])


@given(json_values | odd_urls)
def test_any_json_value_has_a_digest(value: Any) -> None:
    assert digest(value) == digest(canonical(value))


def test_an_identity_reads_as_a_place() -> None:
    assert str(WHO) == "dag.task in run run"
    assert str(replace(WHO, map_index=3)) == "dag.task[3] in run run"


def test_no_two_mapped_tasks_share_a_key() -> None:
    tasks = itertools.product(("run 1", "run 2"), range(-1, 20), (0, 1), (None, "summer"))
    keys = [key(TaskIdentity("dag", run, "task", index, slot=slot), seed=seed) for run, index, slot, seed in tasks]
    # With a seed the run does not count, which halves those.
    assert len(set(keys)) == 2 * 21 * 2 + 21 * 2
