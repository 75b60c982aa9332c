# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Files shaped like what shops export: WooCommerce, Shopify, Google Merchant as tab-separated text, RSS and Atom."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_adgen.campaigns import Catalogue, CatalogueError, Product, read_catalogue

FEEDS = Path(__file__).with_name("feeds")
CDN = "https://cdn.shopify.com/s/files/1/0001/products"


@pytest.fixture
def woocommerce() -> dict[str, Product]:
    found = read_catalogue(FEEDS / "woocommerce.csv", columns="woocommerce", currency="EUR")
    return {product.id: product for product in found.products}


def test_woocommerce_has_a_product_for_each_row_that_can_be_bought(woocommerce: dict[str, Product]):
    """The id is the SKU, else the ID. Neither parents and groups nor drafts are bought."""
    assert [(one.id, one.line) for one in woocommerce.values()] == [
        ("LMP-014", 2),
        ("TEE-1-RED", 3),
        ("53", 5),
        ("BOOK-9", 7),
        ("63", 9),
        ("LOST-1", 10),
    ]


def test_woocommerces_simple_product(woocommerce: dict[str, Product]):
    lamp = woocommerce["LMP-014"]
    assert lamp.description == 'Light & quiet\nOak, linen, brass.\n350 lm\n5" base'
    assert lamp.image_link == "https://shop.example.com/wp-content/uploads/lamp.jpg"
    assert (lamp.price, lamp.currency, lamp.brand) == (Decimal(89), "EUR", "Nordkraft")
    assert lamp.product_type == "Home > Lighting, Gifts"
    assert lamp.extra["additional_image_link"] == "https://shop.example.com/wp-content/uploads/lamp%202.jpg"
    assert (lamp.extra["Short description"], lamp.extra["Sale price"]) == ("Dimmable.", "79")
    assert (lamp.extra["In stock?"], lamp.extra["Tags"]) == ("1", "autumn, oak")


def test_woocommerces_parents_lend_what_a_variation_lacks(woocommerce: dict[str, Product]):
    """By SKU or by ``id:``, before or after them in the file; what a variation has is kept."""
    red, blue = woocommerce["TEE-1-RED"], woocommerce["53"]
    for shirt in (red, blue):
        assert shirt.description == "A T-shirt of heavy cotton 👕"
        assert (shirt.brand, shirt.product_type) == ("Harbour & Sons", "Clothing > T-shirts")
        assert (str(shirt.price), shirt.extra["Type"]) == ("19.90", "variation")
    assert (red.title, red.image_link) == ("Harbour T-shirt - Red", "https://shop.example.com/red.jpg")
    assert (blue.title, blue.image_link) == ("Harbour T-shirt - Blue", "https://shop.example.com/tee.jpg")
    assert (red.extra["Attribute 1 value(s)"], blue.extra["Attribute 1 value(s)"]) == ("Red", "Blue")
    assert (red.extra["In stock?"], blue.extra["In stock?"]) == ("1", "0")


def test_woocommerces_guarded_cells_and_right_to_left_text(woocommerce: dict[str, Product]):
    """WooCommerce puts an apostrophe before what a spreadsheet would take for a formula."""
    assert woocommerce["BOOK-9"].title == "-20 degrees"
    assert woocommerce["BOOK-9"].link == "https://books.example.com/b?a=1&b=2"
    assert (woocommerce["63"].title, woocommerce["63"].price) == ("شال حرير أخضر", None)


def test_woocommerces_rows_that_are_left_out_are_told():
    found = read_catalogue(FEEDS / "woocommerce.csv", columns="woocommerce")
    assert found.problems == []
    assert found.warnings == [
        "line 8: left out: it is not published",
        "line 10: its parent 'GONE' is not in the file, so it lends nothing",
        "line 12: left out: its parent is not published",
    ]


def test_woocommerces_parent_is_named_by_its_sku(problems: Any):
    text = (
        '{"Type": "variable", "SKU": "TEE-1", "Name": "Tee", "Name": "Shirt"}\n'
        '{"Type": "simple", "SKU": "MUG", "Name": "Mug", "Regular price": "free"}\n'
    )
    assert problems(text, columns="woocommerce") == [
        "line 1 (TEE-1): the parent product: Name is given more than once",
        "line 2 (MUG): price is not readable as a price: 'free'",
    ]


GERMAN = """ID;Typ;SKU;Name;Veröffentlicht;Regulärer Preis;Bilder;Übergeordnetes Produkt
44;variable;V;T-Shirt;1;;https://e.example/1.jpg;
46;variation;V-R;T-Shirt Rot;1;20,00;;V
51;simple;D;Entwurf;-1;9,00;;
"""
OWN_WORDS = 'name the words of this file: columns={"id": ..., "title": ...}'


def test_woocommerces_export_in_another_language_is_refused(read: Any, problems: Any):
    """Its parents and drafts cannot be told, and would be paid for. With words of one's own each row is a product."""
    has = "'ID', 'Typ', 'SKU', 'Name', 'Veröffentlicht', 'Regulärer Preis', 'Bilder', 'Übergeordnetes Produkt'"
    advice = (
        "is it in another language? Switch the language of your account to English and export again, or "
        f"{OWN_WORDS}; then each row is a product"
    )
    missing = "column 'Type' (to tell parents from what is bought)"
    for on_bad_row in ("fail", "skip"):
        assert problems(GERMAN, columns="woocommerce", on_bad_row=on_bad_row) == [
            f"line 1: the header has no {missing}; it has {has}; {advice}"
        ]
    french = GERMAN.replace("Typ;SKU;Name", "Type;UGS;Nom")
    [said] = problems(french, columns="woocommerce")
    assert said.startswith("line 1: the header has no column 'Name' (for title); it has 'ID', 'Type', 'UGS', 'Nom'")
    assert said.endswith(advice)
    lines = '{"SKU": "V", "Typ": "variable", "Name": "T-Shirt"}\n'
    assert problems(lines, columns="woocommerce") == [
        f"line 1: no product has 'Type' (to tell parents from what is bought); {advice}"
    ]
    assert len(read(GERMAN, columns={"id": "SKU", "title": "Name", "price": "Regulärer Preis"}).products) == 3


def test_a_shops_export_without_what_names_a_product_is_refused(problems: Any):
    assert problems("Title,Vendor\nTee,Harbour\n", columns="shopify") == [
        "line 1: the header has no column 'Handle' or 'URL handle' (for id); it has 'Title', 'Vendor'; is it Shopify's "
        f"export of products? Export it again with all its columns, or {OWN_WORDS}; then each row is a product"
    ]
    assert problems("SKU,Type,Name\nA,simple,Tee\n", columns="shopify")[0].endswith(
        'is it an export of woocommerce? Then give columns="woocommerce"'
    )
    for columns in (None, "google"):
        assert problems("Nr,Titel\n1,Tee\n", columns=columns) == [
            f"line 1: the header has no column id, title; it has 'Nr', 'Titel'; {OWN_WORDS}"
        ]


def test_a_shops_export_without_columns_that_it_always_has_is_told(read: Any):
    """In the export's own dialogue columns can be left out; nothing is lost in silence."""
    assert read("Type,SKU,Name\nsimple,A,Tee\n", columns="woocommerce").warnings == [
        "line 1: the header has no column 'Published', so drafts are not told from what is for sale",
        "line 1: the header has no column 'Parent', so variations take nothing from their parents",
        "line 1: the header has no column 'Regular price' (for price), so no product has a price",
        "line 1: the header has no column 'Images' (for image_link), so no product has a picture",
    ]
    assert read('{"Handle": "tee", "Title": "Tee", "Price": 5}\n', columns="shopify").warnings == [
        "line 1: no product has 'Published' or 'Published on online store' and no 'Status', so drafts are not told "
        "from what is for sale",
        "line 1: no product has 'Image Src' or 'Product image URL' (for image_link), so no product has a picture",
    ]
    assert read("id,title\n1,Tee\n").warnings == []


def test_woocommerces_line_ends_are_line_ends_in_every_text(read: Any):
    """The export writes them as a backslash and an n; a prompt would show that."""
    text = (
        "Type,SKU,Name,Brands,Description,Short description,Purchase note,Images,Parent\n"
        "variable,T\\n1,Tee,,,,From\\nthe parent,,\n"
        "variation,A,Tee\\nred,Harbour\\nSons,One\\ntwo,Short\\n<b>and</b>\\nsweet,,https://e.example/\\n.jpg,T\\n1\n"
        "simple,B,Tee,,,Only\\nshort,C:\\\\new,,\n"
    )
    red, plain = read(text, columns="woocommerce").products
    assert (red.title, red.brand, red.description) == ("Tee red", "Harbour Sons", "One\ntwo")
    assert (red.extra["Short description"], red.extra["Purchase note"]) == ("Short\nand\nsweet", "From\nthe parent")
    assert red.image_link == r"https://e.example/\n.jpg"
    assert (plain.description, plain.extra["Short description"]) == ("Only\nshort", "Only\nshort")
    assert plain.extra["Purchase note"] == r"C:\\new"


@pytest.mark.parametrize(
    ("parent", "child"), [("variable", "variation"), ("variable-subscription", "subscription_variation")]
)
def test_woocommerces_plugins_have_parents_of_their_own(read: Any, parent: str, child: str):
    text = f"Type,SKU,Name,Categories,Parent\n{parent},TEE,Tee,Shirts,\n{child},TEE-R,Red tee,,TEE\n"
    [product] = read(text, columns="woocommerce").products
    assert (product.id, product.product_type) == ("TEE-R", "Shirts")


def test_shopify_has_a_product_for_each_handle():
    """Pictures by their position, the first price, and the values of all variants; archived and hidden ones are out."""
    found = read_catalogue(FEEDS / "shopify.csv", columns="shopify", currency="USD")
    tee, mug = found.products
    assert (tee.id, tee.title, tee.line) == ("harbour-tee", "Harbour Tee", 2)
    assert tee.description == "Heavy cotton.\nMade in Porto \u2014 washed"
    assert (str(tee.price), tee.currency, tee.brand, tee.product_type) == ("24.00", "USD", "Harbour & Sons", "T-Shirts")
    assert tee.image_link == f"{CDN}/tee-front.jpg?v=1600000000"
    assert tee.extra["additional_image_link"] == f"{CDN}/tee-back.jpg?v=1600000000, {CDN}/tee-side.jpg"
    assert (tee.extra["Option1 Value"], tee.extra["Product Category"]) == (
        "S, M, L",
        "Apparel & Accessories > Clothing",
    )
    # The rows of one handle need not stand together.
    assert (mug.id, mug.title, str(mug.price), mug.image_link) == ("mug", "Mug, 350 ml ☕", "18.50", "")
    assert found.warnings == [
        "line 8: left out: its status is 'archived'",
        "line 9: left out: it is not published",
    ]


def test_shopifys_newer_header_words(read: Any):
    found = read(
        "Title,URL handle,Description,Vendor,Type,Published on online store,Status,SKU,Price,Product image URL\n"
        "Tee,tee,<p>Cotton</p>,Harbour,Shirts,TRUE,Active,T-1,24.00,https://e.example/t.jpg\n"
        ",tee,,,,,,T-2,26.00,https://e.example/u.jpg\n",
        columns="shopify",
    )
    [tee] = found.products
    assert (tee.id, tee.title, tee.description, str(tee.price)) == ("tee", "Tee", "Cotton", "24.00")
    assert (tee.image_link, tee.extra["SKU"]) == ("https://e.example/t.jpg", "T-1, T-2")


@pytest.mark.parametrize("word", ["Link", "link", "URL", "Product URL"])
def test_a_shops_export_may_have_the_page_of_each_product_added(read: Any, word: str):
    page = "https://shop.example.com/products/tee"
    [tee] = read(
        f"Handle,Title,Image Src,{word}\ntee,Tee,,\ntee,,https://e.example/t.jpg,{page}\n", columns="shopify"
    ).products
    assert (tee.link, tee.image_link) == (page, "https://e.example/t.jpg")
    sold = f"SKU,Type,Name,External URL,{word}\nT-1,,Tee,,{page}\nB-1,,Book,https://books.example.com/b,{page}\n"
    assert [one.link for one in read(sold, columns="woocommerce").products] == [page, "https://books.example.com/b"]


def test_shopify_rows_that_contradict_each_other(problems: Any):
    assert problems("Handle,Title,Variant Price\ntee,Tee,1\ntee,Shirt,1\n,Lost,1\nmug,,5\n", columns="shopify") == [
        "line 2 (tee): line 3 gives the same product another title",
        "line 4: id is missing",
        "line 5 (mug): title is missing",
    ]


def test_shopifys_variants_with_unreadable_prices_are_told(read: Any):
    """The product has the price of its first variant, so it is used. What is not for sale is not looked at."""
    text = (
        "Handle,Title,Variant Price,Status,Image Src,Published\n"
        "tee,Tee,,active,,\ntee,,29.00,,,\ntee,,oops,,,\ntee,,1.500,,,\ntee,,30,,,\n"
        "mug,Mug,5,draft,,\nmug,,oops,,,\ncup,Cup,1.300,,,\n"
    )
    found = read(text, columns="shopify", on_bad_row="skip")
    assert [(one.id, str(one.price)) for one in found.products] == [("tee", "29.00")]
    assert found.warnings == [
        "line 4: price is not readable as a price: 'oops'; the product 'tee' has the price of its first variant",
        "line 5: price can mean 1500 or 1.500; write it with two decimals, as 1500.00: '1.500'; the product 'tee' has "
        "the price of its first variant",
        "line 7: left out: its status is 'draft'",
    ]
    assert found.problems == [
        "line 9 (cup): price can mean 1300 or 1.300; write it with two decimals, as 1300.00: '1.300'"
    ]
    # The price of a variant tells, too, how people write.
    found = read(text.replace("tee,,30", 'tee,,"1.299,00"').replace("29.00", "29"), columns="shopify")
    assert [(one.id, str(one.price)) for one in found.products] == [("tee", "29"), ("cup", "1300")]
    assert len(found.warnings) == 2


def test_googles_tab_separated_text():
    """Nothing is quoted there, header words have spaces, and the header ends in empty columns."""
    lamp, tea = read_catalogue(FEEDS / "google.tsv", columns="google").products
    assert (lamp.id, lamp.title) == ("00123", '"Best" lamp 12"')
    assert (lamp.description, str(lamp.price), lamp.currency) == ("Dimmable oak lamp & shade", "89.00", "EUR")
    assert lamp.link == "https://shop.example.com/p/1?utm_source=google&utm_medium=cpc"
    assert (lamp.extra["custom label 0"], lamp.extra["gtin"]) == ("autumn", "4006381333931")
    assert (tea.id, tea.title, tea.price, tea.currency) == ("1e5", "高山茶", None, None)


def test_googles_rss():
    """Names with ``g:`` count before those without; CDATA, entities and nested elements are read."""
    lamp, table = read_catalogue(FEEDS / "google_rss.xml").products
    assert (lamp.id, lamp.title, lamp.line) == ("00123", "Halden <desk> lamp & shade", 8)
    assert lamp.description == "Oak, linen & brass.\n350 lm"
    assert lamp.link == "https://shop.example.com/p/1?a=1&b=2"
    assert (str(lamp.price), lamp.currency, lamp.product_type) == ("1299.00", "EUR", "Home > Lighting")
    assert lamp.extra == {
        "additional_image_link": "https://shop.example.com/i/1b.jpg, https://shop.example.com/i/1c.jpg",
        "availability": "in_stock",
        "shipping": "country: DE, price: 4.90 EUR",
        "c:season": "autumn",
    }
    assert (table.id, table.title, table.description, table.price) == ("1e5", "שולחן עץ 🪵", "Solid oak table", None)


def test_googles_atom():
    """With a prefix of its own, Atom's summary and Atom's link."""
    [lamp] = read_catalogue(FEEDS / "google_atom.xml").products
    assert (lamp.id, lamp.title, lamp.description) == ("LMP-014", "Halden desk lamp", "A lamp of oak.")
    assert (lamp.link, str(lamp.price), lamp.currency) == ("https://shop.example.com/p/1", "89.00", "EUR")
    assert lamp.extra == {"link_enclosure": "https://shop.example.com/manual.pdf"}


@pytest.mark.parametrize("name", ["woocommerce.csv", "shopify.csv", "google.tsv", "google_rss.xml", "google_atom.xml"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_each_export_in_each_encoding_packed_or_not(name: str, encoding: str, read: Any):
    """The file's name says nothing; its bytes do."""
    columns = name.partition(".")[0] if name in {"woocommerce.csv", "shopify.csv"} else None
    expected = read_catalogue(FEEDS / name, columns=columns)
    data = (FEEDS / name).read_bytes().decode("utf-8-sig").encode(encoding)
    if encoding == "utf-16-le":
        data = gzip.compress(data[:1000]) + gzip.compress(data[1000:])  # two parts, as log rotation makes them
    assert read(data, columns=columns) == expected


@pytest.mark.parametrize(("name", "shop"), [("woocommerce.csv", "woocommerce"), ("shopify.csv", "shopify")])
def test_an_export_without_its_columns_is_recognised(name: str, shop: str):
    with pytest.raises(CatalogueError, match=f'is it an export of {shop}\\? Then give columns="{shop}"'):
        read_catalogue(FEEDS / name)


def test_the_same_product_in_every_format_is_the_same(read: Any):
    row = {"id": "A-1", "title": "Lamp, small", "price": "29.99 USD", "color": "oak"}
    texts = [
        sep.join(row) + "\n" + sep.join(f'"{value}"' for value in row.values()) + "\n" for sep in (",", ";", "\t", "|")
    ]
    texts.append('{"id": "A-1", "title": "Lamp, small", "price": "29.99 USD", "color": "oak"}\n')
    items = "".join(f"<g:{name}>{value}</g:{name}>" for name, value in row.items())
    texts.append(f"<rss><channel><item>{items}</item></channel></rss>")
    for text in texts:
        found: Catalogue = read(text)
        [product] = found.products
        assert {**product.to_dict(), "line": 0} == {
            "id": "A-1",
            "title": "Lamp, small",
            "description": "",
            "link": "",
            "image_link": "",
            "price": "29.99",
            "currency": "USD",
            "brand": "",
            "product_type": "",
            "line": 0,
            "extra": {"color": "oak"},
        }
