# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CSV as it comes: with any separator, with what spreadsheets leave out and add, with broken quotation marks."""

from __future__ import annotations

import csv
import time
from typing import Any

import pytest

BROKEN = "is a quotation mark missing, or not doubled, or a value longer than 8,388,608 bytes?"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found_out(read: Any, separator: str, ending: str):
    """A byte order mark, quoted separators and cells of many lines; the line of a row is the one it begins on."""
    rows = [
        ["id", "title", "description"],
        ["A-1", f'"Lamp{separator} small"', f'"First{ending}second ""line"""'],
        ["", "", ""],
        ["A-2", "Crème «brûlée»", "5 , ; | "],
    ]
    found = read("\ufeff" + ending.join(separator.join(row) for row in rows[: 3 if separator in ",;|" else 4]) + ending)
    first = found.products[0]
    assert (first.line, first.title) == (2, " ".join(f"Lamp{separator} small".split()))
    assert first.description == 'First\nsecond "line"'
    if separator == "\t":
        assert (found.products[1].line, found.products[1].description) == (5, "5 , ; |")


def test_the_separator_is_the_one_that_makes_known_columns(read: Any):
    """Header words may hold other separators."""
    [product] = read("id;title;price, with tax, in EUR, of today\n1;Lamp;5\n").products
    assert product.extra == {"price, with tax, in EUR, of today": "5"}
    [product] = read('sep=|\r\n"id"|"title, long"|title\r\n1|a|Lamp\r\n').products
    assert (product.title, product.line) == ("Lamp", 3)


def test_a_header_of_several_lines(read: Any):
    [product] = read('id,title,"price\n(with tax)"\n1,Lamp,5\n').products
    assert (product.line, product.extra) == (3, {"price\n(with tax)": "5"})


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "price,link",
            "the header has no column id, title; it has 'price', 'link'; name the words of this file: "
            'columns={"id": ..., "title": ...}',
        ),
        ("id,title,TITLE", "the header names both 'title' and 'TITLE'"),
        ("id,title,title", "the header names 'title' more than once"),
        ("id,title,col\0ur", "the column name 'col\\x00ur' has a control character"),
        ('id,"title', f"the header is not readable; {BROKEN}"),
        ("id,title" + ",x" * 10_000, "the header has 10,002 columns; at most 10,000 are read"),
    ],
)
def test_a_header_that_cannot_be_used(problems: Any, header: str, said: str):
    assert problems(f"{header}\n1,Lamp,a\n") == [f"line 1: {said}"]


def test_other_columns_of_one_name_are_put_together(read: Any):
    """Some exports have a column for each picture or tag."""
    [product] = read("id,title,tag,tag,tag\n1,Lamp,oak,,brass\n").products
    assert product.extra == {"tag": "oak, brass"}


def test_too_few_and_too_many_values(problems: Any):
    """A comma that was not quoted shifts every value, so the row is not looked at further."""
    assert problems("id,title,price,color\nA-2,Lamp\nA-3,Lamp, small,1 USD,oak\n") == [
        "line 2: 2 values for 4 columns",
        "line 3: 5 values for 4 columns; a value that holds a comma needs quotation marks",
    ]


def test_empty_columns_at_the_end(read: Any):
    """Spreadsheets write the columns that were used once, and leave out empty cells at the end of a row."""
    found = read("id,title,price,brand,color,,\nA-1,Lamp,1 EUR,b,oak,,\nA-2,Lamp,2 EUR\nA-3,Lamp,3 EUR,b,,,,,,\n")
    assert [(one.id, one.brand, one.extra) for one in found.products] == [
        ("A-1", "b", {"color": "oak"}),
        ("A-2", "", {"color": ""}),
        ("A-3", "b", {"color": ""}),
    ]


def test_a_column_without_a_name(read: Any, problems: Any):
    """Empty ones are ignored, wherever they stand; a value there is a mistake that nobody should pay for."""
    [product] = read(",,id,title\n, ,1,Lamp\n").products
    assert product.extra == {}
    assert problems(",,id,title\n,,1,Lamp\n,red,2,Lamp\n") == [
        "line 3: column 2 has a value, but no name in the header"
    ]


def test_a_cell_of_any_length(read: Any):
    """The csv module refuses more than 131,072 characters, for the whole process; that limit is not touched."""
    limit = csv.field_size_limit()
    doubled = '""' * 300_000
    [product] = read(f'id,title,notes\n1,Lamp,"{"x" * 200_000}\n{doubled}"\n').products
    assert product.extra == {"notes": "x" * 200_000 + "\n" + '"' * 300_000}
    assert csv.field_size_limit() == limit


def test_quotation_marks_inside_a_value(read: Any):
    """A value that does not begin with one may hold them; spaces may stand around a quoted value."""
    found = read('id,title,color\n1,5" lamp, "oak, dark" \n2,the "best" lamp,"oak"\n')
    assert [(one.title, one.extra["color"]) for one in found.products] == [
        ('5" lamp', "oak, dark"),
        ('the "best" lamp', "oak"),
    ]


def test_a_broken_quotation_mark_costs_one_row(read: Any, problems: Any):
    """It neither swallows the rows after it nor ends the file."""
    data = 'id,title\nA-1,"The "best" lamp"\nA-2,"Lamp\nA-3,"Desk, small"\nA-4,Chair\nA-5,"Table\n'
    broken = f"not readable; {BROKEN}"
    assert problems(data) == [f"line {line}: {broken}" for line in (2, 3, 6)]
    assert [(one.id, one.line) for one in read(data, on_bad_row="skip").products] == [("A-3", 4), ("A-4", 5)]


def test_quotation_marks_between_tabs_are_text(read: Any):
    """Such files seldom quote anything; two rows with one mark each do not become one."""
    found = read(
        'id\ttitle\tcolor\n1\t"Best" lamp\toak\n2\t"12 inch pan\tred\n3\tpan 5"\tblue\n4\t"Lamp"\tx\n'
        '5\tBowl\t"red\n6\tCup 5"\tblue\n7\t"of two\nlines"\tx\n8\t"with ""marks"""\tx\n'
    )
    assert [(one.id, one.title) for one in found.products] == [
        ("1", '"Best" lamp'),
        ("2", '"12 inch pan'),
        ("3", 'pan 5"'),
        ("4", "Lamp"),
        ("5", "Bowl"),
        ("6", 'Cup 5"'),
        ("7", "of two lines"),
        ("8", 'with "marks"'),
    ]


def test_a_text_over_the_limit_is_refused(problems: Any):
    """Eight million bytes, in one line or in many."""
    assert problems("id,title\n1,Lamp\n2," + "x" * 9_000_000, on_bad_row="skip") == [
        "line 3: a text has more than 8,388,608 bytes"
    ]
    for text in ("x" * 999, "é" * 499 + "x"):
        rows = "".join(f"{number},{text}\n" for number in range(3, 9003))
        assert problems(f'id,title\n1,Lamp\n2,"{rows}') == [f"line 3: not readable; {BROKEN}"]


def test_a_quotation_mark_without_its_twin_costs_one_row_of_a_large_file(read: Any):
    """However much follows; between tabs it costs none."""
    rows = "".join(f"{number},{'x' * 999}\n" for number in range(3, 9003))
    found = read(f'id,title\n1,Lamp\n2,"{rows}', on_bad_row="skip")
    assert (len(found.products), found.problems) == (9000, [f"line 3: not readable; {BROKEN}"])
    found = read(f'id,title\n1,Lamp\n2,"2\n{rows}'.replace(",", "\t"))
    assert (len(found.products), found.products[1].title) == (9002, '"2')


@pytest.mark.parametrize("header", ["id,title", "id\ttitle"])
@pytest.mark.parametrize(
    "piece", ['\t"\n', 'x\n"', '"', ',"', '""', '"x', ',"x\n', '"\n', '",\n', '",x\n"', ',"a\n"",']
)
def test_no_file_takes_long(problems: Any, header: str, piece: str):
    """A few megabytes of the worst take seconds at most."""
    started = time.thread_time()
    problems(f"{header}\n" + piece * (2_000_000 // len(piece)), on_bad_row="skip")
    assert time.thread_time() - started < 20, "seconds of CPU time"
