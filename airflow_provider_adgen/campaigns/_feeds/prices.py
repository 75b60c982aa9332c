# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Prices as people write them."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from airflow_provider_adgen.campaigns._feeds.report import shown

_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
    "LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR "
    "PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
CURRENCIES = frozenset(_CODES.split())
"""Codes of ISO 4217."""

_DOLLARS = "USD AUD CAD NZD SGD HKD TWD MXN ARS CLP COP UYU BBD BMD BND BSD BZD FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD"
# A sign that several currencies share says nothing of its own.
_SIGNS: dict[str, tuple[str, ...]] = {
    "€": ("EUR",),
    "£": ("GBP",),
    "₹": ("INR",),
    "₽": ("RUB",),
    "₺": ("TRY",),
    "₪": ("ILS",),
    "₩": ("KRW",),
    "₫": ("VND",),
    "₴": ("UAH",),
    "₱": ("PHP",),
    "₦": ("NGN",),
    "฿": ("THB",),
    "zł": ("PLN",),
    "kč": ("CZK",),
    "ft": ("HUF",),
    "us$": ("USD",),
    "a$": ("AUD",),
    "au$": ("AUD",),
    "c$": ("CAD",),
    "ca$": ("CAD",),
    "nz$": ("NZD",),
    "hk$": ("HKD",),
    "nt$": ("TWD",),
    "mx$": ("MXN",),
    "s$": ("SGD",),
    "r$": ("BRL",),
    "$": tuple(_DOLLARS.split()),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "kr.": ("DKK", "SEK", "NOK", "ISK"),
    "rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "rs.": ("INR", "PKR", "LKR", "NPR", "MUR"),
}
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_PRICE = re.compile(
    r"(?P<before>[^\d\s.,+-]*\.?)\s*(?P<number>\d[\d\s.,'\u2019]*?)"
    r"(?P<dash>[.,][-\u2013\u2014]+)?\s*(?P<after>[^\d\s,+-]*)"
)
_RANGE = re.compile(r"\d\s*(?:\w{3}|[^\w\s])?\s*(?:-|\u2013|\u2014|to|bis|à)\s*\D{0,5}\d")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<mark>[.,' ])\d{3})(?:(?P=mark)\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")
_LONGEST = 40


def read_currency(text: str) -> str | None:
    """
    Return the currency of a text that holds nothing else; None for an empty one.

    :raises ValueError: it is no code of ISO 4217; the message follows the column's name.
    """
    code = text.strip().upper()
    if code and code not in CURRENCIES:
        raise ValueError(f"is no currency code of ISO 4217: {shown(text)}")
    return code or None


def read_price(text: str, currency: str | None) -> tuple[Decimal | None, str | None]:
    """
    Return a price and its currency; None for both where the text is empty.

    :param text: as in the feed: ``29.99 USD``, ``1.299,00 EUR``, ``€ 29``.
    :param currency: the code for a price that names none, or only a sign that several currencies share.
    :raises ValueError: it cannot be read, or has two meanings; the message follows the column's name.
    """
    text = unicodedata.normalize("NFKC", text[: _LONGEST * 2]).replace("\u066b", ".").replace("\u066c", "'").strip()
    if not text:
        return None, None
    found = _PRICE.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        why = "is a range, and not one price" if _RANGE.search(text) else "is not readable as a price"
        raise ValueError(f"{why}: {shown(text)}")
    code = _currency([word for word in (found["before"], found["after"]) if word], currency, text)
    return _amount(found["number"], code, text, whole=bool(found["dash"])), code


def _currency(words: list[str], currency: str | None, text: str) -> str | None:
    codes: set[str] | None = None
    for word in words:  # two of them in "$29.99 USD"
        meant = {word.upper()} & CURRENCIES or set(_SIGNS.get(word.lower(), ()))
        codes = meant if codes is None else codes & meant
    if codes is None:
        return currency
    if not codes:
        raise ValueError(f"has no known currency: {shown(text)}")
    if len(codes) == 1:
        return codes.pop()
    if currency and currency not in codes:
        raise ValueError(f"has a currency sign that is not {currency}: {shown(text)}")
    return currency


def _amount(number: str, currency: str | None, text: str, *, whole: bool) -> Decimal:
    number = re.sub(r"\s", " ", number.strip()).replace("\u2019", "'")
    marks = [mark for mark in number if not mark.isdigit()]
    units, decimals = number, ""
    # The last mark separates decimals, unless the number reads as groups of thousands. "1.299,-" has no decimals.
    if not whole and marks and marks[-1] in ".,":
        rest = number.rpartition(marks[-1])
        single = marks.count(marks[-1]) == 1
        thousands = len(rest[2]) == 3 and rest[0] not in {"", "0"}
        if single and (len(marks) > 1 or not thousands or currency in _THREE_DECIMALS):
            units, decimals = rest[0], rest[2]
        elif single and marks == ["."]:
            raise ValueError(f"can mean two prices, so write it with two decimals: {shown(text)}")
    digits = re.sub(r"[.,' ]", "", units)
    if not digits.isdecimal() or (digits != units and not _GROUPED.fullmatch(units)) or len(digits) > 15:
        raise ValueError(f"is not readable as a price: {shown(text)}")
    return Decimal(f"{digits}.{decimals}" if decimals else digits)
