# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Currencies: codes of ISO 4217, and the signs and words that people write for them."""

from __future__ import annotations

from collections.abc import Iterable

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

THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies whose prices have three decimals."""

_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF COP HUF IDR"
NO_DECIMALS = frozenset(_WHOLE.split())
"""Currencies whose prices have no decimals: ISO 4217 gives them none, or their small coins are gone."""

_DOLLARS = "USD AUD CAD NZD SGD HKD TWD MXN ARS CLP COP UYU BBD BMD BND BSD BZD FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD"
_FRANCS = "CHF BIF CDF DJF GNF KMF RWF XAF XOF XPF"
_CROWNS = "SEK NOK DKK ISK"
_RUPEES = "INR PKR LKR NPR MUR"
# In small letters, without a point at the end. A sign that several currencies share says nothing of its own.
_SIGNS = {
    sign: frozenset(codes.split())
    for sign, codes in {
        "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "руб": "RUB", "₺": "TRY",  # noqa: RUF001  # Cyrillic
        "tl": "TRY", "₪": "ILS", "₩": "KRW", "원": "KRW", "₫": "VND", "đ": "VND", "₴": "UAH", "грн": "UAH",
        "₱": "PHP", "₦": "NGN", "฿": "THB", "₡": "CRC", "₲": "PYG", "₵": "GHS", "₸": "KZT", "₾": "GEL", "₼": "AZN",
        "₮": "MNT", "₭": "LAK", "৳": "BDT", "zł": "PLN", "kč": "CZK", "ft": "HUF", "лв": "BGN", "lei": "RON MDL",
        "rm": "MYR", "rp": "IDR", "r": "ZAR", "s/": "PEN", "ksh": "KES", "د.إ": "AED", "ر.س": "SAR", "dh": "AED MAD",
        "dhs": "AED MAD", "fcfa": "XAF XOF", "sfr": "CHF", "fr": _FRANCS, "kr": _CROWNS, "rs": _RUPEES,
        "us$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "nz$": "NZD", "hk$": "HKD", "nt$": "TWD",
        "mx$": "MXN", "s$": "SGD", "r$": "BRL", "$": _DOLLARS, "dollar": _DOLLARS, "dollars": _DOLLARS,
        "¥": "JPY CNY", "円": "JPY", "yen": "JPY", "元": "CNY TWD HKD", "yuan": "CNY",
    }.items()
}  # fmt: skip


def read_currency(text: str) -> str | None:
    """
    Return the currency of a text that holds nothing else; None for an empty one.

    :raises ValueError: it is no code of ISO 4217; the message follows the column's name.
    """
    code = text.strip().upper()
    if code and code not in CURRENCIES:
        raise ValueError(f"is no currency code of ISO 4217: {shown(text)}")
    return code or None


def currencies_of(text: str) -> frozenset[str] | None:
    """Return the currencies that one side of a price can mean: ``US $``, ``EUR``; None where it is empty."""
    words = [word.rstrip(".").lower() for word in text.split()]
    whole = _meant("".join(words)) or _meant("".join(reversed(words)))  # "$ US" in Canada
    return whole or common(_meant(word) for word in words)


def common(meanings: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """Return what all of several words can mean; None where there is none of them."""
    codes: frozenset[str] | None = None
    for meant in meanings:
        if meant is not None:
            codes = meant if codes is None else codes & meant
    return codes


def _meant(word: str) -> frozenset[str]:
    code = word.upper()
    return frozenset({code}) if code in CURRENCIES else _SIGNS.get(word, frozenset())
