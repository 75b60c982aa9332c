# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""XML of Google Merchant: as it should be, as it is, and as an attacker writes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

ITEM = "<item><g:id>1</g:id><g:title>Lamp</g:title></item>"


def rss(*items: str, start: str = '<?xml version="1.0"?>') -> str:
    body = "\n".join(items)
    return f'{start}\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">\n<channel>\n{body}\n</channel></rss>'


@pytest.mark.parametrize(
    "text",
    [
        rss(ITEM),
        rss(ITEM, start=""),
        rss(ITEM, start='\n\n <?xml version="1.0" encoding="utf-8" standalone="yes"?>'),
        rss(ITEM, start='<?xml version="1.0" encoding="UTF-16"?>'),
        rss(ITEM, start='<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://nowhere.example/rss.dtd">'),
        f"<rss><channel>{ITEM}</channel></rss>",  # the prefix is not declared
        f'<channel xmlns:m="https://base.google.com/ns/1.0/">{ITEM.replace("g:", "m:")}</channel>',
        f'<rss xmlns="http://base.google.com/ns/1.0">{ITEM.replace("g:", "")}</rss>',
        f'<feed xmlns="http://www.w3.org/2005/Atom">{ITEM.replace("item", "entry")}</feed>',
        rss(ITEM.replace("Lamp", "\x0bLamp\x00")),
    ],
)
def test_feeds_of_all_kinds(read: Any, text: str):
    [product] = read(text).products
    assert (product.id, product.title) == ("1", "Lamp")


ATOM, GOOGLE = "http://www.w3.org/2005/Atom", "http://base.google.com/ns/1.0"
ENTRY = """<{a}feed xmlns{a_is}="{atom}" xmlns{g_is}="{google}"><{a}title>Shop</{a}title><{a}entry>
<{a}id>tag:1</{a}id><{g}id>1</{g}id><{a}title>Lamp</{a}title><{a}summary type="xhtml">
<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p>Of <h:b>oak</h:b></h:p></h:div></{a}summary>
<{a}link href="https://e.example/1"/><{a}link rel="self" href="https://e.example/self"/><{g}price>5.00 EUR</{g}price>
<s:season xmlns:s="https://shop.example.com/ns">autumn</s:season></{a}entry></{a}feed>"""


@pytest.mark.parametrize(("atom", "google"), [("", "g"), ("a", "g"), ("a", ""), ("ns0", "ns1"), ("g", "a")])
def test_namespaces_decide_and_not_prefixes(read: Any, atom: str, google: str):
    """Libraries choose prefixes as they like, for Atom's own names, too."""
    names = {
        name: text
        for word, prefix in (("a", atom), ("g", google))
        for name, text in ((word, f"{prefix}:" if prefix else ""), (f"{word}_is", f":{prefix}" if prefix else ""))
    }
    text = ENTRY.format(**names, atom=ATOM, google=GOOGLE)
    [product] = read(text).products
    assert (product.id, product.title, product.description) == ("1", "Lamp", "Of oak")
    assert (product.link, str(product.price), product.currency) == ("https://e.example/1", "5.00", "EUR")
    assert product.extra == {"link_self": "https://e.example/self", "s:season": "autumn"}


def test_a_namespace_counts_where_it_is_declared(read: Any):
    """Also on the element itself; another item's says nothing. Atom's link in an RSS item is not the item's own."""
    found = read(
        f'<rss xmlns:a="{ATOM}"><item><x:id xmlns:x="{GOOGLE}">1</x:id><x:id>tag</x:id><title>Lamp</title>'
        '<link>https://e.example/1</link><a:link href="https://e.example/self"/></item>'
        f'<item xmlns:x="{GOOGLE}"><x:id>2</x:id><x:title>Desk</x:title></item>'
        "<item><x:id>tag</x:id><id>3</id><title>Chair</title></item></rss>"
    )
    assert [(one.id, one.title, one.link, one.extra) for one in found.products] == [
        ("1", "Lamp", "https://e.example/1", {"x:id": "tag", "a:link": "https://e.example/self"}),
        ("2", "Desk", "", {}),
        ("3", "Chair", "", {"x:id": "tag"}),
    ]


def test_lines_are_those_of_the_file(problems: Any):
    """Empty lines before the declaration are not well-formed, and common."""
    assert problems("\n\n" + rss(ITEM, ITEM)) == ["line 7: id '1' is already used on line 6"]
    assert problems("\n\n" + rss(ITEM, "<item>", "</channel>"))[0] == "line 8: not well-formed XML (mismatched tag)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rss(ITEM.replace("Lamp", "Black & Decker")), "line 4: not well-formed XML (not well-formed (invalid token))"),
        (rss(ITEM)[:-20], "line 4: not well-formed XML (unclosed token)"),
        (rss(ITEM.replace("Lamp", "a&nbsp;b")), "line 4: not well-formed XML (undefined entity)"),
        (rss(), "line 1: there is no <item> and no <entry> in <rss>"),
        ("<urlset><url><loc>x</loc></url></urlset>", "line 1: there is no <item> and no <entry> in <urlset>"),
        ("<!DOCTYPE html>\n<html><p>Sign in", "line 1: the file is an HTML page, and not a feed; is a sign-in"),
        ("<rss>" + "<a>" * 100, "line 1: the XML is nested more than 32 levels deep"),
        (rss("<item>" + "<g:a/>" * 10_001 + "</item>"), "line 4: the item has more than 10,000 elements"),
        (rss(ITEM.replace("Lamp", "x" * 9_000_000)), "line 4: a text has more than 8,388,608 bytes"),
        (rss(ITEM, "<!--" + "x" * 20_000_000), "line 5: a text has more than 8,388,608 bytes"),
        (rss(ITEM, f'<item a="{"x" * 20_000_000}"/>'), "line 5: a text has more than 8,388,608 bytes"),
        (
            rss(ITEM, start='<?xml version="1.0" encoding="klingon"?>'),
            "line 1: the encoding klingon is not known; save the file as UTF-8",
        ),
    ],
)
def test_what_is_no_such_feed(problems: Any, text: str, said: str):
    [found] = problems(text, on_bad_row="skip")
    assert found.startswith(said)


def test_other_encodings_that_the_file_declares(read: Any):
    text = rss(ITEM.replace("Lamp", "Лампа €"), start='<?xml version="1.0" encoding="windows-1251"?>')
    [product] = read(text.encode("cp1251")).products
    assert product.title == "Лампа €"
    text = rss(ITEM.replace("Lamp", "Lampe für 5 €"), start='<?xml version="1.0" encoding="ISO-8859-1"?>')
    [product] = read(text.encode("cp1252")).products
    assert product.title == "Lampe für 5 €"


def test_entities_of_its_own_are_refused(problems: Any, tmp_path: Path):
    """Neither a file of this machine nor a billion laughs."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    attacks = [
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]>',
        '<!DOCTYPE r [<!ENTITY x "laugh">]>',
        f'<!DOCTYPE r [<!ENTITY % p SYSTEM "file://{secret}"> %p;]>',
        '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY x "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd" NDATA y>]>',
    ]
    for attack in attacks:
        [said] = problems(rss(ITEM.replace("Lamp", "&x;"), start=attack), on_bad_row="skip")
        assert "declares the entity" in said
        assert "s3cret" not in said
    for outside in (f'<!DOCTYPE r SYSTEM "file://{secret}">', f'<!DOCTYPE r PUBLIC "x" "file://{secret}">'):
        assert problems(rss(ITEM.replace("Lamp", "&x;"), start=outside)) == ["line 4: the entity 'x' is not defined"]


def test_a_tag_that_never_ends_is_given_up_soon(problems: Any):
    started = time.thread_time()
    problems("<rss><" + "a" * 40_000_000)
    assert time.thread_time() - started < 20, "seconds of CPU time"
