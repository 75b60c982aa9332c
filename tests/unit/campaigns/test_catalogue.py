# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A catalogue is read whole, and everything wrong with it is said at once, with lines."""

from __future__ import annotations

import csv
import io

import pytest

from airflow_provider_adgen.campaigns.catalogue import COLUMNS, CatalogueError, Product, parse_catalogue
from airflow_provider_adgen.core.errors import InvalidRequest

GOOD = {
    "id": "A-1",
    "title": "Lamp",
    "description": "A lamp.",
    "link": "https://shop.example.com/a",
    "image_link": "https://shop.example.com/a.jpg",
    "price": "29.99 USD",
    "brand": "Nordkraft",
    "product_type": "Home > Lamps",
}


def write(*rows: dict[str, str], columns: list[str] | None = None) -> bytes:
    """Return a CSV of rows."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def problems(data: bytes) -> list[str]:
    """Return what is wrong with a catalogue."""
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(data, source="shop.csv")
    return caught.value.problems


def test_a_row_becomes_a_product_and_extra_columns_are_kept():
    """Extra columns keep the file's own names."""
    [product] = parse_catalogue(write({**GOOD, "Farbe": "grün", "gtin": "4006381333931"}))
    assert product == Product(**GOOD, line=2, extra={"Farbe": "grün", "gtin": "4006381333931"})


def test_columns_come_in_any_order_and_in_googles_other_spelling():
    """Google takes "Image link" as well as "image_link"."""
    names = {name: name.replace("_", " ").capitalize() for name in COLUMNS}
    row = {names[name]: GOOD[name] for name in reversed(COLUMNS)}
    [product] = parse_catalogue(write(row))
    assert product == Product(**GOOD, line=2)


def test_brand_and_product_type_may_be_empty():
    """Google asks for neither in every case."""
    [product] = parse_catalogue(write({**GOOD, "brand": "", "product_type": ""}))
    assert (product.brand, product.product_type) == ("", "")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_quoted_commas_and_cells_of_many_lines(ending: str):
    """What spreadsheets write is read; the line of a row is the one it begins on."""
    text = ending.join(
        [
            "\ufeff" + ",".join(COLUMNS),
            'A-1,"Lamp, small","First line',
            'second ""line""",https://e.example/a,https://e.example/a.jpg,1 EUR,,',
            "",
            "A-2,Crème «brûlée»,茶,https://e.example/b,https://e.example/b.jpg,2.50 EUR,,",
            "",
        ]
    )
    first, second = parse_catalogue(text.encode())
    assert first.title == "Lamp, small"
    assert first.description == f'First line{ending}second "line"'
    assert (first.line, second.line) == (2, 5)
    assert (second.title, second.description) == ("Crème «brûlée»", "茶")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("id", "", "id is missing"),
        ("id", "x" * 51, "id has 51 characters; at most 50 are allowed"),
        ("id", "a\x07b", "id has a control character"),
        ("title", " ", "title is missing"),
        ("title", "x" * 151, "title has 151 characters; at most 150 are allowed"),
        ("description", "x" * 5001, "description has 5001 characters; at most 5000 are allowed"),
        ("link", "", "link is missing"),
        ("link", "shop.example.com/a", "link is not an http or https address: 'shop.example.com/a'"),
        ("link", "ftp://shop.example.com/a", "link is not an http or https address: 'ftp://shop.example.com/a'"),
        ("link", "https://[::1", "link is not an http or https address: 'https://[::1'"),
        ("image_link", "https:///a.jpg", "image_link is not an http or https address: 'https:///a.jpg'"),
        ("image_link", "https://e.example/a b", "image_link is not an http or https address: 'https://e.example/a b'"),
        ("image_link", "https://e.example/" + "x" * 2000, "image_link is longer than 2000 characters"),
        ("price", "", "price is missing"),
        ("price", "29.99", "price must look like '29.99 USD', not '29.99'"),
        ("price", "29,99 EUR", "price must look like '29.99 USD', not '29,99 EUR'"),
        ("price", "$29.99", "price must look like '29.99 USD', not '$29.99'"),
        ("price", "-1 USD", "price must look like '29.99 USD', not '-1 USD'"),
        ("brand", "x" * 71, "brand has 71 characters; at most 70 are allowed"),
        ("product_type", "x" * 751, "product_type has 751 characters; at most 750 are allowed"),
    ],
)
def test_a_malformed_value_is_named_with_its_line(column: str, value: str, said: str):
    """One wrong value gives one sentence."""
    assert problems(write(GOOD, {**GOOD, "id": "A-2", column: value})) == [f"line 3: {said}"]


def test_every_bad_row_is_said_at_once():
    """Nobody has to mend a file row by row; a row without an id is no duplicate of another."""
    rows = [
        {**GOOD, "price": "free", "link": ""},
        {**GOOD, "id": "A-2"},
        {**GOOD, "id": ""},
        {**GOOD, "id": "A-2"},
        {**GOOD, "id": ""},
    ]
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(write(*rows), source="shop.csv")
    assert caught.value.problems == [
        "line 2: link is missing",
        "line 2: price must look like '29.99 USD', not 'free'",
        "line 4: id is missing",
        "line 5: id 'A-2' is already used on line 3",
        "line 6: id is missing",
    ]
    message = str(caught.value)
    assert message.startswith("The catalogue shop.csv has 5 problems. Nothing was sent to the vendor")
    assert all(problem in message for problem in caught.value.problems)
    assert isinstance(caught.value, InvalidRequest)


def test_too_few_and_too_many_values():
    """A comma that was not quoted shifts every value, so the row is not looked at further."""
    data = write(GOOD) + b"A-2,Lamp\nA-3,Lamp, small,d,https://e.example,https://e.example/a,1 USD,b,t\n"
    assert problems(data) == [
        "line 3: 2 values for 8 columns",
        "line 4: 9 values for 8 columns; put a value that holds a comma in quotation marks",
    ]


def test_missing_and_repeated_columns():
    """The header is line 1."""
    columns = [name for name in COLUMNS if name not in {"price", "link"}]
    assert problems((",".join([*columns, "gtin", "gtin"]) + "\n").encode()) == [
        "line 1: the header has no column link, price",
        "line 1: the header names 'gtin' more than once",
    ]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_another_separator_is_named(separator: str):
    """The likeliest reason for a header of one column is said."""
    [said] = problems((separator.join(COLUMNS) + "\n").encode())
    assert said.endswith("; columns must be separated by commas")


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_empty_file(data: bytes):
    """Without a header every column is missing."""
    assert problems(data) == [f"line 1: the header has no column {', '.join(COLUMNS)}"]


def test_a_header_alone():
    """A campaign without products is a mistake, not a success that made nothing."""
    assert problems((",".join(COLUMNS) + "\n").encode()) == ["line 1: there is no product after the header"]


def test_text_that_is_not_utf8():
    """The line is the one with the first bad byte."""
    assert problems(write({**GOOD, "title": "Café"}).decode().encode("latin-1")) == [
        "line 2: the text is not UTF-8; save the file as UTF-8"
    ]


def test_a_quotation_mark_that_never_closes():
    """What was found before the file became unreadable is said too."""
    found = problems(write({**GOOD, "price": "free"}) + b'A-2,"Lamp,d\n')
    assert found[0] == "line 2: price must look like '29.99 USD', not 'free'"
    assert found[1].startswith("line 3: not readable as CSV (")


def test_an_error_never_shows_a_query_string():
    """A link may be signed."""
    [said] = problems(write({**GOOD, "image_link": "//e.example/a.jpg?X-Signature=s3cret"}))
    assert "s3cret" not in said


def test_each_product_has_a_folder_of_its_own():
    """An id may hold what a path cannot; no id leads out of the destination."""
    ids = ["LMP-014", "a/b", "a b", "a-b", "..", "茶", "酒", "../../etc"]
    products = parse_catalogue(write(*({**GOOD, "id": one} for one in ids)))
    folders = [product.folder for product in products]
    assert folders[0] == "LMP-014"
    assert len(set(folders)) == len(ids)
    assert not any("/" in folder or folder.startswith(".") for folder in folders)
