# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A catalogue is read whole, and everything wrong with it is said at once, with lines."""

from __future__ import annotations

import csv
import io
import random

import pytest

from airflow_provider_adgen.campaigns.catalogue import COLUMNS, CatalogueError, Product, parse_catalogue, shorten
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
    assert found[1].startswith("line 3: not readable as CSV; is a quotation mark missing")


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


def test_empty_columns_at_the_end():
    """Spreadsheets write the columns that were used once, and leave out empty cells at the end of a row."""
    data = write(GOOD, {**GOOD, "id": "A-2"}).decode().replace("\r\n", ",,,\r\n").encode()
    data += b"A-3,Lamp,A lamp.,https://e.example/a,https://e.example/a.jpg,1 EUR\r\n"
    products = parse_catalogue(data)
    assert [product.id for product in products] == ["A-1", "A-2", "A-3"]
    assert products[0] == Product(**GOOD, line=2)
    assert (products[2].brand, products[2].product_type) == ("", "")


def test_a_column_without_a_name():
    """Empty ones are ignored, wherever they stand; a value there is a mistake that nobody should pay for."""
    header, row = (",".join(values) for values in (GOOD, GOOD.values()))
    [product] = parse_catalogue(f",,{header}\n,,{row}\n".encode())
    assert product == Product(**GOOD, line=2)
    assert problems(f",,{header}\n,,{row}\n,red,{row}\n".encode()) == [
        "line 3: column 2 has a value, but no name in the header",
        "line 3: id 'A-1' is already used on line 2",
    ]


def test_a_cell_of_any_length():
    """The csv module refuses more than 131,072 characters, for the whole process; that limit is not touched."""
    limit = csv.field_size_limit()
    [product] = parse_catalogue(write({**GOOD, "notes": "x" * 300_000 + "\n"}))
    assert product.extra == {"notes": "x" * 300_000}
    assert problems(write({**GOOD, "description": 'x"' * 100_000}, {**GOOD, "price": "free"})) == [
        "line 2: description has 200000 characters; at most 5000 are allowed",
        "line 3: price must look like '29.99 USD', not 'free'",
        "line 3: id 'A-1' is already used on line 2",
    ]
    assert csv.field_size_limit() == limit


def test_a_quotation_mark_that_never_closes_in_a_large_file():
    """It is found at once, however much follows."""
    data = write({**GOOD, "notes": "n"}) + b'A-2,"Lamp,' + b'd""\n' * 200_000
    [said] = problems(data)
    assert said.startswith("line 3: not readable as CSV")


def test_cells_are_read_as_the_csv_module_reads_them():
    """Whatever it writes: quotes, commas, line ends of all kinds, in any cell."""
    chance = random.Random(6)
    for _ in range(300):
        values = ["".join(chance.choices('a",\r\n \u00e9', k=chance.randrange(8))) for _ in range(3)]
        text = io.StringIO(newline="")
        ending = chance.choice(["\n", "\r\n", "\r"])
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=ending)
        names = ["one", "two", "three"]
        writer.writerows([[*GOOD, *names, "last"], [*GOOD.values(), *values, "."], [*GOOD.values(), *values, "."]])
        with pytest.raises(CatalogueError) as caught:  # the same id twice, to see the line
            parse_catalogue(text.getvalue().encode())
        second = 3 + sum(len(value.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1 for value in values)
        assert caught.value.problems == [f"line {second}: id 'A-1' is already used on line 2"]
        first = text.getvalue().replace("A-1", "A-2", 1).encode()
        assert [product.extra for product in parse_catalogue(first)] == [
            {**dict(zip(names, (value.strip() for value in values), strict=True)), "last": "."}
        ] * 2


@pytest.mark.parametrize("column", ["title", "image_link", "colour"])
def test_a_null_character(column: str):
    """No database takes one."""
    value = {"title": "a\0b", "image_link": "https://e.example/a\0b", "colour": "re\0d"}[column]
    [said] = problems(write({**GOOD, "colour": "red", column: value}))
    assert said.startswith(f"line 2: {column} ")
    assert problems((",".join([*COLUMNS, "col\0ur"]) + "\n").encode()) == [
        "line 1: the column name 'col\\x00ur' has a control character"
    ]


@pytest.mark.parametrize("data", [b"\xed\xa0\xbd", "id,title".encode("utf-16")])
def test_a_surrogate_and_another_encoding(data: bytes):
    """Neither is UTF-8."""
    assert problems(data) == ["line 1: the text is not UTF-8; save the file as UTF-8"]


@pytest.mark.parametrize(
    ("text", "longest", "short"),
    [
        ("A lamp.", 300, "A lamp."),
        ("  A\n lamp.\u3000 ", 7, "A lamp."),
        ("A small lamp for the desk", 20, "A small lamp for…"),
        ("Donaudampfschifffahrt", 10, "Donaudamp…"),
        ("これは机の上で使う小さなランプです", 10, "これは机の上で使う…"),
        ("新 これは机の上で使う小さなランプです", 10, "新 これは机の上で…"),
        ("e\u0301" * 10, 10, "e\u0301" * 4 + "…"),
        ("ก" * 8 + "กี่" * 3, 11, "ก" * 8 + "…"),
        ("ក្ត" * 5, 6, "ក្ត…"),
        ("12345678" + "👩\u200d👩\u200d👧", 12, "12345678…"),
        ("12345678👍🏽👍🏽", 10, "12345678…"),
        ("\u0301" * 30, 10, "\u0301" * 5 + "…"),
    ],
)
def test_a_text_is_cut_where_its_language_allows(text: str, longest: int, short: str):
    """An ellipsis alone says nothing about a product."""
    assert shorten(text, longest) == short
    assert len(short) <= longest
