# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Prices as people write them; what can be read in two ways is not guessed."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from airflow_provider_adgen.campaigns._feeds.currencies import read_currency
from airflow_provider_adgen.campaigns._feeds.prices import Doubt, Exact, Prices


def read_price(text: str, currency: str | None, *others: str) -> tuple[Decimal | None, str | None]:
    """Read a price in a feed that has other prices, too."""
    prices = Prices(currency)
    price, code = prices.read(text)
    for other in others:
        prices.read(other)
    return prices.settle(price) if isinstance(price, Doubt) else price, code


@pytest.mark.parametrize(
    ("text", "amount", "code"),
    [
        ("29.99 USD", "29.99", "USD"),
        ("USD 29.99", "29.99", "USD"),
        ("29.99USD", "29.99", "USD"),
        ("usd 29.90", "29.90", "USD"),
        ("1.299,00 EUR", "1299.00", "EUR"),
        ("1,299.00", "1299.00", None),
        ("1,299", "1299", None),
        ("1299", "1299", None),
        ("29,9", "29.9", None),
        ("0,125", "0.125", None),
        ("89.0000", "89.0000", None),
        ("1.299.000", "1299000", None),
        ("1.234.567,89 EUR", "1234567.89", "EUR"),
        ("1,00,000.50 INR", "100000.50", "INR"),
        ("CHF 1'299.50", "1299.50", "CHF"),
        ("CHF 1\u2019299.-", "1299", "CHF"),
        ("1.299,\u2013 \u20ac", "1299", "EUR"),
        ("1\u202f299,50\u00a0\u20ac", "1299.50", "EUR"),
        ("1 299,00 z\u0142", "1299.00", "PLN"),
        ("12.500 KWD", "12.500", "KWD"),
        ("\u20ac29.99", "29.99", "EUR"),
        ("\u00a3 5", "5", "GBP"),
        ("$29.99 USD", "29.99", "USD"),
        ("US$5", "5", "USD"),
        ("R$ 1.299,90", "1299.90", "BRL"),
        ("\u0662\u0669\u066b\u0669\u0669 SAR", "29.99", "SAR"),
        ("\uff19\uff19 JPY", "99", "JPY"),
        ("\uff19\uff19.\uff15 JPY", "99.5", "JPY"),
        ("US $29.99", "29.99", "USD"),
        ("29,99 $ CA", "29.99", "CAD"),
        ("USD $29.99", "29.99", "USD"),
        ("29,99 Euro", "29.99", "EUR"),
        ("RM 5.00", "5.00", "MYR"),
        ("S/. 5.00", "5.00", "PEN"),
        ("\u062f.\u0625 5", "5", "AED"),
        ("Fr. 29.90", "29.90", None),
        ("29.99 Dollar", "29.99", None),
        ("199:-", "199", None),
        ("1.299:- kr", "1299", None),
        ("CHF 29.\u2014", "29", "CHF"),
        (".99", "0.99", None),
        ("$.99 USD", "0.99", "USD"),
        ("Rs.99", "99", None),
        ("5.", "5", None),
        ("\n" + " " * 2000 + "5 EUR\n", "5", "EUR"),
        ("5. EUR", "5", "EUR"),
        ("0.999", "0.999", None),
        ("1299.999", "1299.999", None),
        ("1299,999 EUR", "1299.999", "EUR"),
        ("1&nbsp;299,00 &euro;", "1299.00", "EUR"),
        ("<span>5</span> EUR", "5", "EUR"),
        ("Rp 15.000", "15000", "IDR"),
        ("12.800 \u5186", "12800", "JPY"),
        ("12.990 Ft", "12990", "HUF"),
        ("$29", "29", None),
        ("kr 199", "199", None),
        ("0", "0", None),
        ("0.00 USD", "0.00", "USD"),
    ],
)
def test_a_price_is_an_amount_and_a_code(text: str, amount: str, code: str | None):
    """Digits after the point stay as they are written."""
    price, currency = read_price(text, None)
    assert (str(price), currency) == (amount, code)


@pytest.mark.parametrize("text", ["", "  ", "\u00a0"])
def test_a_missing_price_is_none(text: str):
    """It has no currency either."""
    assert read_price(text, "EUR") == (None, None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5", "EUR"),
        ("$5", "CAD"),
        ("5 kr.", "DKK"),
        ("\u00a55", "JPY"),
        ("Rs. 5", "INR"),
        ("Fr. 5.-", "CHF"),
        ("5 dollars", "AUD"),
        ("5 \u5143", "TWD"),
    ],
)
def test_a_price_without_a_code_takes_the_one_that_is_given(text: str, code: str):
    """A sign that several currencies share says too little."""
    assert read_price(text, code) == (Decimal(5), code)
    assert read_price("5 USD", code) == (Decimal(5), "USD")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("free", "is not readable as a price: 'free'"),
        ("-1 USD", "is not readable as a price: '-1 USD'"),
        ("1e5", "is not readable as a price: '1e5'"),
        ("12,34,5", "is not readable as a price: '12,34,5'"),
        ("9" * 16, f"is not readable as a price: '{'9' * 16}'"),
        ("5 USD incl. VAT", "is not readable as a price: '5 USD incl. VAT'"),
        ("19.99 - 29.99 USD", "is a range, and not one price: '19.99 - 29.99 USD'"),
        ("$19.99\u2013$29.99", "is a range, and not one price: '$19.99\u2013$29.99'"),
        ("1.299 EUR", "can mean 1299 or 1.299; write it with two decimals, as 1299.00: '1.299 EUR'"),
        ("EUR 1.299", "can mean 1299 or 1.299; write it with two decimals, as 1299.00: 'EUR 1.299'"),
        ("R$ 19.990", "can mean 19990 or 19.990; write it with two decimals, as 19990.00: 'R$ 19.990'"),
        ("15.000 IQD", "can mean 15000 or 15.000; write it with two decimals, as 15000.00: '15.000 IQD'"),
        ("1,250 KWD", "can mean 1250 or 1.250; write it with three decimals, as 1250.000: '1,250 KWD'"),
        (".", "is not readable as a price: '.'"),
        ("5..", "is not readable as a price: '5..'"),
        ("1,299,00", "is not readable as a price: '1,299,00'"),
        ("99\u00a2", "has no known currency: '99\u00a2'"),
        ("5" + " " * 2000 + "0", "is not readable as a price: '5" + " " * 58 + "\u2026'"),
        ("10 pcs", "has no known currency: '10 pcs'"),
        ("$5 EUR", "has no known currency: '$5 EUR'"),
        ("5 USD?token=s3cret", "is not readable as a price: '5 USD'"),
        ("5 " + "x" * 5000, f"is not readable as a price: '5 {'x' * 57}\u2026'"),
    ],
)
def test_what_is_no_price_is_said(text: str, said: str):
    """The sentence follows the column's name."""
    with pytest.raises(ValueError) as caught:
        read_price(text, None)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "others", "amount"),
    [
        # The others' marks say what this one's means.
        ("1.299 \u20ac", ["12,99 \u20ac"], "1299"),
        ("1.299", ["1.299,00"], "1299"),
        ("1.299", ["1.299.000"], "1299"),
        ("EUR 1.299", ["12,-", "5"], "1299"),
        ("1,299", ["29.99"], "1299"),
        ("1,250 KWD", ["12.5", ".99"], "1250"),
        ("1,250 TND", ["0,5"], "1.250"),
        ("1.250 TND", ["1.299,00"], "1250"),
        ("12.500 KWD", ["12.5", "1,299.00"], "12.500"),
        ("1.299 JPY", ["29,99 EUR", "29.99 USD"], "1299"),
        # A programmer's three decimals are no style that a person reads; nothing is guessed.
        ("1.299", ["29.99"], None),
        ("1.299 EUR", ["1,299.00", "1'299.50"], None),
        ("1.299", ["12,99", "29.99"], None),
        ("1.299 JPY", ["29.99 USD"], None),
        ("1,299", ["12,99"], None),
        ("1,299", ["12,99", "29.99"], None),
        # These tell nothing.
        ("1.299", ["5", "1.500", "1 299", "5.", "199:-"], None),
        ("1,299", ["5", "1,500", "1'299"], "1299"),
    ],
)
def test_the_other_prices_of_a_feed_say_what_a_mark_means(text: str, others: list[str], amount: str | None):
    """Where they contradict each other, or the reading is no price, it stays a problem."""
    if amount is None:
        with pytest.raises(ValueError, match=r"can mean 1299 or 1\.299; write it with two decimals, as 1299\.00"):
            read_price(text, None, *others)
    else:
        assert str(read_price(text, None, *others)[0]) == amount


@pytest.mark.parametrize(
    ("text", "amount", "code"),
    [
        ("1.299", "1.299", None),
        ("19.990 EUR", "19.990", "EUR"),
        ("1e3", "1000", None),
        ("1.5E+3 JPY", "1500", "JPY"),
        ("125e-2", "1.25", None),
        ("0", "0", None),
    ],
)
def test_a_number_of_json_means_one_price(text: str, amount: str, code: str | None):
    price, currency = read_price(Exact(text), None, "12,99", "1.299,00")
    assert (str(price), currency) == (amount, code)


def test_a_number_of_json_tells_nothing_of_how_people_write():
    assert str(read_price("1.299", None, Exact("5.5"), "12,99")[0]) == "1299"


@pytest.mark.parametrize(
    "text", ["-1", "-0.0", "1e99", "1e-99", "1e999999999", "1e99999999999999999999", "0e-99999", "1" * 16]
)
def test_a_number_of_json_that_is_no_price(text: str):
    with pytest.raises(ValueError, match=f"is not readable as a price: '{re.escape(text)}'"):
        read_price(Exact(text), None)


def test_a_sign_that_cannot_mean_the_currency_that_is_given():
    """Dollars are never euros."""
    with pytest.raises(ValueError, match=r"has a currency sign that is not EUR: '\$5'"):
        read_price("$5", "EUR")


def test_a_currency_is_a_code_of_iso_4217():
    """In any case of letters."""
    assert (read_currency(" eur "), read_currency("")) == ("EUR", None)
    with pytest.raises(ValueError, match="is no currency code of ISO 4217: 'Euro'"):
        read_currency("Euro")
