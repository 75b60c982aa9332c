# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How long a text and a row may be: the bytes of a text count, however many of them a row holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

LIMIT = 8 * 1024 * 1024


def as_csv(row: dict[str, str]) -> str:
    return f"{','.join(row)}\n{','.join(row.values())}\n"


def as_quoted_csv(row: dict[str, str]) -> str:
    return as_csv({name: f'"{value}"' for name, value in row.items()})


def as_json(row: dict[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def as_xml(row: dict[str, str]) -> str:
    return f"<rss><item>{''.join(f'<{name}>{value}</{name}>' for name, value in row.items())}</item></rss>"


@pytest.mark.parametrize("form", [as_csv, as_quoted_csv, as_json, as_xml])
@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_the_bytes_of_a_text_count(read: Any, problems: Any, form: Callable[[dict[str, str]], str], character: str):
    """Two texts just within the limit stand in one row; one character more is refused, and nothing is cut off."""
    most = LIMIT // len(character.encode())
    row = {"id": "1", "title": "Lamp", "description": character * most, "notes": character * most}
    [product] = read(form(row)).products
    assert (product.description, product.extra["notes"]) == (row["description"], row["notes"])
    line = 1 if form in (as_json, as_xml) else 2
    for name in ("description", "notes"):
        said = problems(form({**row, name: row[name] + character}), on_bad_row="skip")
        assert said == [f"line {line}: a text has more than 8,388,608 bytes"]


def test_a_text_that_json_escapes_may_be_as_long(read: Any):
    text = "😀" * (LIMIT // 4)
    [product] = read(json.dumps({"id": "1", "title": "Lamp", "notes": text})).products
    assert product.extra == {"notes": text}


@pytest.mark.parametrize("form", [as_csv, as_quoted_csv, as_json, as_xml])
def test_a_row_of_very_many_texts_is_refused(problems: Any, form: Callable[[dict[str, str]], str]):
    texts = {f"n{number}": "x" * 1_000_000 for number in range(34)}
    line = 1 if form in (as_json, as_xml) else 2
    assert problems(form({"id": "1", "title": "Lamp", **texts}), on_bad_row="skip") == [
        f"line {line}: a row has more than 33,554,432 characters"
    ]


def test_texts_of_several_lines_stand_in_one_row(read: Any, problems: Any):
    """A quotation mark is only taken for broken where one value is too long."""
    text = "\n".join(["x" * 99_999] * 60)
    [product] = read(f'id,title,a,b\n1,Lamp,"{text}","{text}"\n').products
    assert product.extra == {"a": text, "b": text}
    names = [f"n{number}" for number in range(6)]
    values = ",".join(f'"{text}"' for _ in names)
    [said, *_] = problems(f"id,title,{','.join(names)}\n1,Lamp,{values}\n")
    assert said.startswith("line 2: not readable; is a quotation mark missing")


def test_a_text_that_is_put_together_is_limited_too(problems: Any):
    header, values = ",".join(["tag"] * 9), ",".join(f"{number}{'x' * 1_000_000}" for number in range(9))
    assert problems(f"id,title,{header}\n1,Lamp,{values}\n") == ["line 2: a text has more than 8,388,608 bytes"]


def test_many_values_of_one_column_take_no_time(read: Any):
    """Whether they have a column each, or stand in one list."""
    started = time.thread_time()
    tags = [f"{number:05}{'x' * 750}" for number in range(9_990)]
    [product] = read(
        f"<rss><item><id>1</id><title>a</title><tag>{'</tag><tag>'.join(tags)}</tag></item></rss>"
    ).products
    assert product.extra == {"tag": ", ".join(tags)}
    images = [f"https://e.example/{number}" for number in range(100_000)]
    [product] = read(f'id,title,image_link\n1,a,"{", ".join(images)}"\n').products
    assert product.extra == {"additional_image_link": ", ".join(images[1:])}
    assert time.thread_time() - started < 20, "seconds of CPU time"
