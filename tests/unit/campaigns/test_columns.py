# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A catalogue says which columns it has, and a product which fields its row lacks: what a brief may name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_adgen.campaigns import Product
from airflow_provider_adgen.campaigns._feeds.columns import FIELDS

RSS = '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel>{}</channel></rss>'


def lines(*rows: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_a_header_says_which_columns_there_are(read: Any):
    found = read("id,Farbe,title,brand\n1,,Lamp,\n")
    assert found.columns == ("id", "title", "brand", "Farbe")
    assert found.products[0].lacks == {"description", "link", "image_link", "price", "currency", "product_type"}


def test_a_catalogue_says_which_words_were_read_into_a_field(read: Any):
    rows = "Handle,Title,Vendor,Variant Price,Type,Status,Weight\nlamp,Lamp,Lumo,5,Lamps,active,1\n"
    found = read(rows, columns="shopify")
    words = {"Handle": "id", "Title": "title", "Vendor": "brand", "Variant Price": "price", "Type": "product_type"}
    assert found.read_as == words, "Status and Weight stay columns of their own"
    assert {"Status", "Weight"} <= {*found.columns}
    assert read("id,title,Marke\n1,Lamp,Lumo\n", columns={"brand": "Marke"}).read_as == {"Marke": "brand"}
    assert read(lines({"id": 1, "title": "Lamp"})).read_as == {}


def test_a_column_with_empty_values_is_there(read: Any):
    found = read("id,title,brand,price\n1,Lamp,,\n2,Chair,Lumo,5\n")
    assert {"brand", "price", "currency"} <= {*found.columns}
    assert found.products[0].lacks == found.products[1].lacks == {"description", "link", "image_link", "product_type"}


def test_in_json_lines_each_row_has_its_own(read: Any):
    found = read(
        lines(
            {"id": 1, "title": "Lamp", "brand": None, "size": ""},
            {"id": 2, "title": "Chair", "link": "https://shop.example/2"},
        )
    )
    assert found.columns == ("id", "title", "link", "brand", "size")
    assert [sorted({*FIELDS} - one.lacks) for one in found.products] == [
        ["brand", "id", "title"],
        ["id", "link", "title"],
    ]


def test_in_xml_an_element_that_is_not_there_is_no_empty_one(read: Any):
    items = "<item><g:id>1</g:id><title>A</title><g:brand/></item>", "<item><g:id>2</g:id><title>B</title></item>"
    found = read(RSS.format("".join(items)))
    assert found.columns == ("id", "title", "brand")
    assert ["brand" in one.lacks for one in found.products] == [False, True]


@pytest.mark.parametrize(
    ("header", "options", "has"),
    [
        ("id,title,price", {}, True),
        ("id,title,currency", {}, True),
        ("id,title", {"currency": "EUR"}, True),
        ("id,title", {}, False),
    ],
)
def test_a_price_or_the_caller_may_name_the_currency(read: Any, header: str, options: dict[str, str], has: bool):
    found = read(f"{header}\n1,Lamp{',' * header.count(',', 8)}\n", **options)
    assert ("currency" in found.columns) is has


def test_the_shops_own_words_fill_the_fields(read: Any):
    found = read("Artikel,Name,Marke\n1,Lamp,\n", columns={"id": "Artikel", "title": "Name", "brand": "Marke"})
    assert found.columns == ("id", "title", "brand")
    found = read("Handle,Title,Vendor,Variant SKU,Status\na,Lamp,Lumo,7,active\n", columns="shopify")
    assert found.columns == ("id", "title", "brand", "Variant SKU", "Status")


def test_further_pictures_are_a_column(read: Any):
    found = read(
        'id,title,image_link\n1,A,https://s.example/1.jpg\n2,B,"https://s.example/2.jpg,https://s.example/3.jpg"\n'
    )
    assert found.columns == ("id", "title", "image_link", "additional_image_link")


def test_what_a_row_lacks_is_no_part_of_what_a_product_is(read: Any):
    [product] = read("id,title\n1,Lamp\n").products
    assert product == Product("1", "Lamp", line=2)
    assert Product("1", "Lamp").lacks == frozenset()
    assert "lacks" not in product.to_dict()
