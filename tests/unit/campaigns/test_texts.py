# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Texts are cut where their language allows, and HTML becomes text in time that does not explode."""

from __future__ import annotations

import time

import pytest

from airflow_provider_adgen.campaigns._feeds.plain_text import to_line, to_text
from airflow_provider_adgen.campaigns.texts import shorten


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


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("A lamp.", "A lamp."),
        ("  A \t lamp\u00a0here \r\n\r\n of oak ", "A lamp here\nof oak"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("One<br>Two<BR/>Three<br />Four", "One\nTwo\nThree\nFour"),
        ("<ul><li>Oak</li>\n<li>Brass</li></ul>", "Oak\nBrass"),
        ('<a href="https://e.example?a=1&copy=2">A <b>bold</b> word</a>', "A bold word"),
        ("Caf&eacute; &amp; tea &#8211; &#x1F375;&nbsp;5&quot;", 'Café & tea \u2013 🍵 5"'),
        ("&lt;p&gt;Escaped twice &amp;amp; more&lt;/p&gt;", "Escaped twice & more"),
        ("AT&T, 5 < 6 > 4, <3, a < b, R&D; x", "AT&T, 5 < 6 > 4, <3, a < b, R&D; x"),
        ("a vector<int> of <o:p>words</o:p><my-tag x=1>", "a vector<int> of words"),
        ("Seen<!-- not > seen --> seen", "Seen seen"),
        ("A<script>if (a < b) { alert('<p>x</p>') }</script>B<STYLE type=x>p { }</style >C", "ABC"),
        ("<!-- never ends", "<!-- never ends"),
        ("<script>never ends", "never ends"),
        ("<p", "<p"),
        ("a\x00b\x0bc\ufeffd\x9fe", "a b c d e"),
        ("&#0;&#xD800;&bogus;&#99999999;", "\ufffd\ufffd&bogus;&#99999999;"),
        ("שלום <b>עולם</b>\u200f!", "שלום עולם\u200f!"),
        ("👩\u200d👩\u200d👧 <i>👍🏽</i>", "👩\u200d👩\u200d👧 👍🏽"),
        ("a\ud83dc", "a c"),
        ("", ""),
    ],
)
def test_html_becomes_text(markup: str, text: str):
    """What is no HTML stays."""
    assert to_text(markup) == text
    assert to_line(markup) == " ".join(text.split())


@pytest.mark.parametrize("piece", ["<", "<!--", "<script>", "<a ", "<a b='", "&", "&#", "</", "<p>", "<style><script>"])
def test_no_text_takes_long(piece: str):
    """A megabyte of the worst takes seconds at most, where a naive pattern would take hours."""
    started = time.thread_time()
    to_text(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - started < 10, "seconds of CPU time"
