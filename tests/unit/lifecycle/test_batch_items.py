# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The items of a batch as they are given: what is no item, and what is said of it."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import uuid
from typing import Any

import pytest

from airflow_provider_adgen.core.decisions.batch import ItemStatus, batch_fails
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.lifecycle.batch.items import LARGEST_META, read_items

SIGNED = "https://h.example/x?X-Amz-Signature=TOPSECRET"


@pytest.mark.parametrize(
    "value",
    [
        decimal.Decimal("1.5"),
        datetime.date(2026, 1, 1),
        uuid.UUID(int=1),
        pathlib.PurePath("x"),
        float("nan"),
        b"x",
        {1},
        "half \ud83d",
    ],
)
@pytest.mark.parametrize("where", ["request", "meta"])
def test_what_json_does_not_have_is_told_with_its_name(value: Any, where: str) -> None:
    item = {"key": "a", "request": {"kind": "image"}, where: {"kind": "image", "more": [{"inner": value}]}}
    found, problems = read_items([item], conn_id="ads")
    assert found == []
    assert f"item 0 ('a'): {where}: more.0.inner" in problems.text("")


@pytest.mark.parametrize("text", [f"[{{'key': 'a', 'request': {{'image_url': '{SIGNED}'}}}}]", f'{{"a": "{SIGNED}"}}'])
def test_a_list_that_a_template_made_into_text_is_told_as_that(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"the text of a list.*\.output") as caught:
        read_items(text, conn_id="ads")
    assert "TOPSECRET" not in str(caught.value)


def test_the_path_of_items_shows_no_signature_and_no_password() -> None:
    with pytest.raises(InvalidRequest, match="cannot be read") as caught:
        read_items("https://user:hidden@h.example/x.jsonl?X-Amz-Signature=TOPSECRET", conn_id="ads")
    assert "TOPSECRET" not in str(caught.value) and "hidden" not in str(caught.value)


def test_the_size_of_meta_is_that_of_its_utf8() -> None:
    item = {"key": "a", "request": {"kind": "image"}}
    name = '{"z":""}'
    fits = "日" * ((LARGEST_META - len(name)) // 3)
    assert len(read_items([{**item, "meta": {"z": fits}}], conn_id="ads")[0]) == 1
    assert len(read_items([{**item, "meta": {"z": f"{fits}日"}}], conn_id="ads")[1]) == 1


def test_a_share_without_a_result_may_be_reached_and_not_exceeded() -> None:
    for total in range(1, 201):
        for without in range(total + 1):
            statuses = [ItemStatus.FAILED] * without + [ItemStatus.COMPLETED] * (total - without)
            share = float(f"{without / total:.17g}")
            assert not batch_fails(statuses, share), (without, total)
            assert batch_fails(statuses, max(0.0, share - 1e-9)) == (without > 0), (without, total)
    for without, total, share in ((29, 100, 0.29), (57, 100, 0.57), (58, 100, 0.58), (29, 50, 0.58), (63, 90, 0.7)):
        assert not batch_fails([ItemStatus.FAILED] * without + [ItemStatus.COMPLETED] * (total - without), share)


def test_a_field_without_a_value_is_none_as_a_data_frame_gives_them() -> None:
    row = {"key": "a", "conn_id": None, "request": {"kind": "image"}, "choices": None, "meta": None}
    chosen = {**row, "key": "b", "request": None, "choices": [{"conn_id": "one", "request": {"kind": "image"}}]}
    (first, second), problems = read_items([row, chosen], conn_id="ads")
    assert not len(problems)
    assert [first.choices[0].conn_id, second.choices[0].conn_id] == ["ads", "one"]
    assert "an item has either a request or choices" in read_items([{"key": "a"}], conn_id="ads")[1].text("")
