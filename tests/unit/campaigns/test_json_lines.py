# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""JSON Lines of any producer."""

from __future__ import annotations

import json
from typing import Any


def test_values_of_all_kinds_are_text(read: Any):
    row = {
        "id": 7,
        "title": "Lamp \u2028 😀",
        "imageLink": ["https://e.example/a.jpg", "https://e.example/b.jpg"],
        "price": {"value": "29.90", "currency": "USD"},
        "brand": None,
        "new": True,
        "tags": ["oak", "brass", None],
        "size": {"w": 1.50, "h": [2, 3]},
        "missing": float("nan"),
    }
    [product] = read(f"\n{json.dumps(row)}\n\n").products
    assert (product.id, product.title, product.line) == ("7", "Lamp 😀", 2)
    assert product.image_link == "https://e.example/a.jpg"
    assert (str(product.price), product.currency, product.brand) == ("29.90", "USD", "")
    assert product.extra == {
        "new": "true",
        "tags": "oak, brass",
        "size": "w: 1.5, h: 2, 3",
        "missing": "",
        "additional_image_link": "https://e.example/b.jpg",
    }


def test_a_number_is_one_price_and_a_text_is_read_as_people_write(read: Any, problems: Any):
    """The text of a number stays where it is no price."""
    lines = (
        '{"id": 1, "title": "a", "price": 1.299, "size": 1.50}',
        '{"id": 1e3, "title": "b", "price": 1e3}',
        '{"id": 3, "title": "c", "price": {"value": 19.990, "currency": "EUR"}}',
        '{"id": 4, "title": "d", "price": {"amount": 5, "currency": "EUR"}}',
    )
    found = read("\n".join(lines)).products
    assert [(one.id, str(one.price), one.currency) for one in found] == [
        ("1", "1.299", None),
        ("1e3", "1000", None),
        ("3", "19.990", "EUR"),
        ("4", "5", "EUR"),
    ]
    assert found[0].extra == {"size": "1.50"}
    assert {type(text) for one in found for text in (one.id, *one.extra.values())} == {str}
    advice = "write it with two decimals, as 1299.00"
    assert problems(
        '{"id": 1, "title": "a", "price": "1.299"}\n'
        '{"id": 2, "title": "b", "price": -1}\n'
        '{"id": 3, "title": "c", "price": {"value": "1.299", "currency": "EUR"}}\n'
    ) == [
        f"line 1 (1): price can mean 1299 or 1.299; {advice}: '1.299'",
        "line 2 (2): price is not readable as a price: '-1'",
        f"line 3 (3): price can mean 1299 or 1.299; {advice}: '1.299 EUR'",
    ]


def test_rows_may_have_names_of_their_own(read: Any):
    found = read('{"id": "1", "title": "a", "color": "red"}\r\n{"title": "b", "id": "2"}')
    assert [(one.line, one.extra) for one in found.products] == [(1, {"color": "red"}), (2, {})]


def test_lines_that_hold_no_object(read: Any, problems: Any):
    data = (
        '{"id": "1", "title": "a"}\n{"id": "2"\n[1]\n"x"\n{"id": 3, "title": "a"} {}\n'
        + '{"id": 4, "title": '
        + "[" * 100_000
        + "\n"
        + '{"id": 5, "title": "a", "title": "b"}\n{"id": 6, "title": "a", "title": "a"}\n'
    )
    said = problems(data)
    assert said[:3] == [
        "line 2: not readable as JSON at character 11; each line must hold one whole object",
        "line 3: not a JSON object; each line must hold one",
        "line 4: not a JSON object; each line must hold one",
    ]
    assert said[3].startswith("line 5: not readable as JSON at character")
    assert said[4:] == ["line 6: the JSON is nested too deeply", "line 7 (5): title is given more than once"]
    assert problems('{"id": 1, "title": "a", "": "x"}') == ["line 1 (1): a value has no name: 'x'"]
    assert [one.id for one in read(data, on_bad_row="skip").products] == ["1", "6"]


def test_any_depth_of_nesting(read: Any):
    """It is read, or is a problem; Python's own limit is between these."""
    lines = [f'{{"id": {depth}, "title": "a", "x": {"[" * depth}{"]" * depth}}}' for depth in range(5, 1500, 7)]
    found = read("\n".join(lines), on_bad_row="skip")
    assert len(found.products) + len(found.problems) == len(lines)
    assert set(found.problems) == {
        f"line {line}: the JSON is nested too deeply" for line in range(len(found.products) + 1, len(lines) + 1)
    }


def test_half_a_character(read: Any, problems: Any):
    """JSON can name one; nothing that stores text takes it."""
    assert problems('{"id": "a\\ud83d", "title": "x"}') == [r"line 1 (a\ud83d): id has a control character: 'a\ud83d'"]
    [product] = read('{"id": "a", "title": "x\\ud83dy", "color": "\\udc00z", "pair": "\\ud83d\\ude00"}').products
    assert (product.title, product.extra) == ("x y", {"color": "z", "pair": "😀"})


def test_an_array_is_not_json_lines(problems: Any):
    assert problems('[\n{"id": "1"}]') == [
        "line 1: the file is a JSON array; write JSON Lines, one object in each line"
    ]
