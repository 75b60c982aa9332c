# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A catalogue is read whole, and everything wrong with it is said at once, with lines."""

from __future__ import annotations

import csv
import io
import json
import logging
import pickle
import random
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_adgen import campaigns
from airflow_provider_adgen.campaigns import Catalogue, CatalogueError, Product, read_catalogue
from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest

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
LAMP = Product(**{**GOOD, "price": Decimal("29.99")}, currency="USD", line=2)  # type: ignore[arg-type]


def write(*rows: dict[str, str], **options: Any) -> str:
    """Return a CSV of rows."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_a_row_becomes_a_product_and_extra_columns_are_kept(read: Any):
    """Extra columns keep the file's own names, and their empty values."""
    [product] = read(write({**GOOD, "Farbe": "grün", "gtin": ""})).products
    assert product == Product(
        **{**GOOD, "price": Decimal("29.99")}, currency="USD", line=2, extra={"Farbe": "grün", "gtin": ""}
    )
    assert json.loads(json.dumps(product.to_dict()))["price"] == "29.99"


@pytest.mark.parametrize(
    "spelling", ["Image Link", "IMAGE_LINK", "image-link", "imageLink", " g:image_link ", "Image  link"]
)
def test_header_words_in_any_spelling(read: Any, spelling: str):
    [product] = read(f"ID,Title,{spelling}\n1,Lamp,https://e.example/a.jpg\n").products
    assert (product.id, product.title, product.image_link) == ("1", "Lamp", "https://e.example/a.jpg")
    assert product.extra == {}


def test_only_id_and_title_are_required(read: Any):
    [product] = read("title,id\nLamp,1\n").products
    assert product == Product("1", "Lamp", line=2)


def test_a_shops_own_words(read: Any, problems: Any):
    """What is not named keeps Google's name; a word that is named is not also Google's."""
    data = "Artikel;Bezeichnung;title;brand;Preis\n1;Lampe;ignored;Nordkraft;1.299,00\n"
    columns = {"id": "artikel", "title": "Bezeichnung", "price": "Preis"}
    [product] = read(data, columns=columns, currency="eur").products
    assert (product.id, product.title, product.brand) == ("1", "Lampe", "Nordkraft")
    assert (product.price, product.currency) == (Decimal("1299.00"), "EUR")
    assert product.extra == {"title": "ignored"}
    assert problems(data, columns={**columns, "link": "URL"}) == [
        "line 1: the header has no column 'URL' (for link); it has 'Artikel', 'Bezeichnung', 'title', 'brand', 'Preis'"
    ]
    assert problems('{"id": 1, "title": "a"}\n', columns={"link": "URL"}) == ["line 1: no product has 'URL' (for link)"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": "magento"}, "There are no ready columns 'magento'; there are google, woocommerce, shopify."),
        ({"columns": ["title"]}, "columns must be a dict or one of google, woocommerce, shopify, not ['title']."),
        ({"columns": {"sku": "SKU"}}, "columns names 'sku', which is no field of a product; the fields are id, title"),
        ({"columns": {"title": ""}}, "columns must give 'title' the header word of one column."),
        ({"columns": {"title": ["a"]}}, "columns must give 'title' the header word of one column."),
        ({"on_bad_row": "ignore"}, "on_bad_row must be 'fail' or 'skip', not 'ignore'."),
        ({"currency": "Euro"}, "currency is no currency code of ISO 4217: 'Euro'."),
    ],
)
def test_wrong_arguments(read: Any, options: dict[str, Any], said: str):
    with pytest.raises(InvalidRequest) as caught:
        read("id,title\n1,Lamp\n", **options)
    assert said in str(caught.value)
    assert not isinstance(caught.value, CatalogueError)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("id", "", "id is missing"),
        ("id", "a\x07b", "id has a control character: 'a\\x07b'"),
        ("title", " ", "title is missing"),
        ("title", "<p>&nbsp;</p>", "title is missing"),
        ("link", "shop.example.com/a", "link is not an http or https address: 'shop.example.com/a'"),
        ("link", "ftp://shop.example.com/a", "link is not an http or https address: 'ftp://shop.example.com/a'"),
        ("link", "https://[::1", "link is not an http or https address: 'https://[::1'"),
        ("link", "javascript:alert(1)", "link is not an http or https address: 'javascript:alert(1)'"),
        ("image_link", "https:///a.jpg", "image_link is not an http or https address: 'https:///a.jpg'"),
        ("image_link", "file:///etc/passwd", "image_link is not an http or https address: 'file:///etc/passwd'"),
        ("image_link", "https://e.example/" + "x" * 2000, "image_link is longer than 2000 characters"),
        ("image_link", "https://e.example/a, b.jpg", ""),
        ("image_link", "https://e.example/a,https://", "image_link is not an http or https address: 'https://'"),
        ("price", "free", "price is not readable as a price: 'free'"),
        ("currency", "Euro", "currency is no currency code of ISO 4217: 'Euro'"),
        ("currency", "EUR", "price is in USD, but currency says EUR"),
    ],
)
def test_a_malformed_value_is_named_with_its_line(read: Any, problems: Any, column: str, value: str, said: str):
    """One wrong value gives one sentence."""
    data = write({**GOOD, "currency": "USD"}, {**GOOD, "currency": "USD", "id": "A-2", column: value})
    if said:
        named = {"": "", "a\x07b": r" (a\x07b)"}[value] if column == "id" else " (A-2)"
        assert problems(data) == [f"line 3{named}: {said}"]
    else:
        assert len(read(data).products) == 2


def test_every_bad_row_is_said_at_once(read: Any):
    """Nobody has to mend a file row by row; a row without an id is no duplicate of another."""
    data = write(
        {**GOOD, "price": "free", "title": ""}, {**GOOD, "id": "A-2"}, {**GOOD, "id": ""}, {**GOOD, "id": "A-2"}
    )
    with pytest.raises(CatalogueError) as caught:
        read(data)
    assert caught.value.problems == [
        "line 2 (A-1): title is missing",
        "line 2 (A-1): price is not readable as a price: 'free'",
        "line 4: id is missing",
        "line 5: id 'A-2' is already used on line 3",
    ]
    message = str(caught.value)
    assert message.startswith("The catalogue shop.feed has 4 problems. Nothing was sent to a vendor and nothing was")
    assert all(problem in message for problem in caught.value.problems)
    assert message.endswith('\nMend them, or leave them out with on_bad_row="skip".')
    assert isinstance(caught.value, InvalidRequest)
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems  # noqa: S301  # our own


def test_the_prices_of_a_feed_say_together_what_a_mark_means(read: Any, problems: Any):
    """Whatever their order; a duplicate changes nothing, and products stay in the file's order."""
    rows = "id;title;price\n1;A;1.299 €\n2;B;5\n1;C;2.500 €\n3;D;1.300\n"
    found = read(rows + "4;E;12,99 €\n5;F;\n", on_bad_row="skip", currency="EUR")
    assert [(one.id, str(one.price), one.currency) for one in found.products] == [
        ("1", "1299", "EUR"),
        ("2", "5", "EUR"),
        ("3", "1300", "EUR"),
        ("4", "12.99", "EUR"),
        ("5", "None", None),
    ]
    assert found.problems == ["line 4: id '1' is already used on line 2"]
    advice = "write it with two decimals, as"
    expected = [
        f"line 2 (1): price can mean 1299 or 1.299; {advice} 1299.00: '1.299 €'",
        "line 4: id '1' is already used on line 2",
        f"line 4 (1): price can mean 2500 or 2.500; {advice} 2500.00: '2.500 €'",
        f"line 5 (3): price can mean 1300 or 1.300; {advice} 1300.00: '1.300'",
        "line 6 (4): title is missing",
    ]
    assert problems(rows + "4;;29.99 €\n") == expected
    found = read(rows + "4;;29.99 €\n", on_bad_row="skip")
    assert ([one.id for one in found.products], found.problems) == (["2"], expected)


def test_bad_rows_can_be_left_out(read: Any, caplog: pytest.LogCaptureFixture):
    """They are told all the same, in the result and in the log."""
    data = write({**GOOD, "price": "free"}, {**GOOD, "id": "A-2"}, {**GOOD, "id": "A-2"})
    with caplog.at_level(logging.WARNING):
        found = read(data, on_bad_row="skip")
    assert [product.id for product in found.products] == ["A-2"]
    assert found.problems == [
        "line 2 (A-1): price is not readable as a price: 'free'",
        "line 4: id 'A-2' is already used on line 3",
    ]
    assert all(problem in caplog.text for problem in found.problems)


def test_bad_rows_alone_are_no_catalogue(problems: Any):
    """A campaign without products is a mistake, not a success that made nothing."""
    assert problems("id,title\n1,\n", on_bad_row="skip") == ["line 2 (1): title is missing"]


def test_the_message_shows_twenty_problems_and_says_how_many_there_are(read: Any):
    with pytest.raises(CatalogueError) as caught:
        read("id,title\n" + "".join(f"{number},\n" for number in range(1500)))
    assert len(caught.value.problems) == 1500
    assert str(caught.value).count("title is missing") == 20
    assert str(caught.value).endswith("\n  line 21 (19): title is missing\n  and 1,480 more")


@pytest.mark.parametrize(("data", "said"), [(b"", "the file is empty"), (b"\xef\xbb\xbf\n \r\n", "the file is empty")])
def test_an_empty_file(problems: Any, data: bytes, said: str):
    assert problems(data) == [f"line 1: {said}"]


@pytest.mark.parametrize("data", ["id,title\n", "id,title", "id,title\n,\n\n"])
def test_a_file_without_products(problems: Any, data: str):
    assert problems(data) == ["line 1: there is no product in the file"]


def test_ids_are_text(read: Any):
    """Nothing is made a number: neither leading zeros nor an exponent get lost."""
    ids = ["00123", "1e5", "1.0", "'0042", "4006381333931000000000", "TRUE", "\u0661", "a/b", "../x", "naïve"]
    assert [one.id for one in read(write(*({**GOOD, "id": one} for one in ids))).products] == ids
    texts = "".join(f'{{"id": {one}, "title": "a"}}\n' for one in ("1e5", "1.0", "4006381333931000000000", '"007"'))
    assert [one.id for one in read(texts).products] == ["1e5", "1.0", "4006381333931000000000", "007"]
    [product] = read('id,title\n"=""00123""",a\n').products
    assert product.id == "00123"


def test_lists_of_pictures(read: Any):
    """The first is the picture, the others are kept; an address may hold commas itself."""
    first, second = "https://e.example/w_1,h_2/a b.jpg", "//e.example/c.jpg?x=1&amp;y=2"
    for between in (", ", ",", " | ", ";", " ", "\n"):
        [product] = read(write({**GOOD, "image_link": f"{first}{between}{second},"})).products
        assert product.image_link == "https://e.example/w_1,h_2/a%20b.jpg"
        assert product.extra == {"additional_image_link": "https://e.example/c.jpg?x=1&y=2"}


def test_a_long_list_of_pictures_takes_no_time(read: Any):
    """Also where it holds nothing but what separates them."""
    started = time.thread_time()
    [product] = read(
        write({**GOOD, "image_link": "https://e.example/a" + ", " * 500_000 + "https://e.example/b"})
    ).products
    assert product.extra == {"additional_image_link": "https://e.example/b"}
    with pytest.raises(CatalogueError):
        read(write({**GOOD, "image_link": "https://e.example/a" + " ," * 500_000 + "b"}))
    assert time.thread_time() - started < 20, "seconds of CPU time"


def test_an_error_never_shows_a_query_string(problems: Any):
    """A link may be signed."""
    [said] = problems(write({**GOOD, "image_link": "mailto://e.example/a.jpg?X-Signature=s3cret"}))
    assert "s3cret" not in said


def test_texts_of_all_kinds(read: Any):
    """Control characters become spaces; markup and entities of other columns go, addresses stay as they are."""
    url = "https://e.example/?a=1&copy=2&amp;b=<i>"
    [product] = read(
        write({**GOOD, "title": "A\x00 <b>lamp</b>\n\u202bשלם\u202c 💡", "notes": "<p>Fine</p> &amp; good", "url": url})
    ).products
    assert product.title == "A lamp \u202bשלם\u202c 💡"
    assert product.extra == {"notes": "Fine\n& good", "url": url}


def test_the_path_is_any_object_storage_path(tmp_path: Path):
    path = tmp_path / "a feed.csv"
    path.write_text("id,title\n1,Lamp\n")
    expected = Catalogue([Product("1", "Lamp", line=2)], columns=("id", "title"))
    for form in (path, str(path), f"file://{path}", ObjectStoragePath(f"file://{path}")):
        assert read_catalogue(form) == expected
    attach("memory", fs=MemoryFileSystem())
    memory = ObjectStoragePath("memory://feeds/feed.csv")
    memory.write_bytes(path.read_bytes())
    assert read_catalogue(memory) == expected


@pytest.mark.parametrize("path", ["", "None", "/nowhere/feed.csv", "file:///nowhere/feed.csv", "s3://nowhere"])
def test_a_path_without_a_file(path: str):
    with pytest.raises(InvalidRequest, match=r"cannot be read"):
        read_catalogue(path)


def test_a_storage_that_fails_half_way_is_worth_a_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And its error shows no signed address."""
    path = tmp_path / "feed.csv"
    path.write_text("id,title\n" + "1,Lamp\n" * 100_000)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("reset by https://bucket.example/feed.csv?X-Amz-Signature=s3cret")
            return super().read(size)

    broken = Broken(path.read_bytes())
    monkeypatch.setattr("airflow_provider_adgen.delivery.sources._opened", lambda _: broken)
    with pytest.raises(AdGenError, match=r"could not be read to its end .* A retry may help") as caught:
        read_catalogue(path)
    assert caught.value.retry_helps
    assert "s3cret" not in str(caught.value)


# In a fresh interpreter: what a DAG file that names the package pays for.
WATCH = """
import json, sys
import airflow_provider_adgen.campaigns as campaigns
before = set(sys.modules)
campaigns.read_catalogue
print(json.dumps([sorted(before), sorted(set(sys.modules) - before)]))
"""


def test_the_package_is_cheap_to_import_and_lends_its_names_later():
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    ours = [name for name in before if name.startswith("airflow_provider_adgen")]
    assert {name.partition(".")[2] for name in ours} <= {"", "campaigns", "core", "core.version"}
    assert not {"airflow", "httpx", "pydantic", "csv", "decimal", "dataclasses"} & set(before)
    assert not {"airflow", "httpx", "pydantic"} & set(after)
    assert set(campaigns.__all__) <= set(dir(campaigns))
    assert all(getattr(campaigns, name) is not None for name in campaigns.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        campaigns.nothing  # noqa: B018


def test_random_catalogues_come_back_as_they_were_written(read: Any):
    """Whatever the csv module writes: quotes, separators, line ends of all kinds, in any cell."""
    chance = random.Random(6)
    for _ in range(200):
        separator = chance.choice(",;|")
        rows = [
            {
                **GOOD,
                "id": f"A-{number}",
                **{
                    name: "".join(chance.choices("a\"é, ;|\n='", k=chance.randrange(8))) + "."
                    for name in ("one", "two", "three")
                },
            }
            for number in range(3)
        ]
        ending = chance.choice(["\n", "\r\n", "\r"])
        # The csv module does not quote a line end that is not its own.
        quoting = csv.QUOTE_ALL if ending == "\r" else chance.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
        found = read(write(*rows, delimiter=separator, lineterminator=ending, quoting=quoting))
        line = 2
        for row, product in zip(rows, found.products, strict=True):
            assert product.line == line
            assert product.extra == {name: row[name].strip() for name in ("one", "two", "three")}
            line += 1 + sum(value.count("\n") for value in row.values())
