# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Prices as people write them; what can be read in two ways is not guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_adgen.campaigns._feeds.prices import read_currency, read_price


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
    ("text", "code"), [("5", "EUR"), ("$5", "CAD"), ("5 kr.", "DKK"), ("\u00a55", "JPY"), ("Rs. 5", "INR")]
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
        ("1.299 EUR", "can mean two prices, so write it with two decimals: '1.299 EUR'"),
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


def test_a_sign_that_cannot_mean_the_currency_that_is_given():
    """Dollars are never euros."""
    with pytest.raises(ValueError, match=r"has a currency sign that is not EUR: '\$5'"):
        read_price("$5", "EUR")


def test_a_currency_is_a_code_of_iso_4217():
    """In any case of letters."""
    assert (read_currency(" eur "), read_currency("")) == ("EUR", None)
    with pytest.raises(ValueError, match="is no currency code of ISO 4217: 'Euro'"):
        read_currency("Euro")
