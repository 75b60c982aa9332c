# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Prices as people write them. What can be read in two ways is not guessed."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from airflow_provider_adgen.campaigns._feeds.currencies import (
    NO_DECIMALS,
    THREE_DECIMALS,
    common,
    currencies_of,
)
from airflow_provider_adgen.campaigns._feeds.plain_text import is_plain, to_line
from airflow_provider_adgen.campaigns._feeds.report import shown

# Up to two words. A point belongs to an abbreviation, or to the number: "Fr.5", "$.99".
_SIDE = r"(?:[^\d\s.,:+-]+(?:(?<=[\w/])\.[^\d\s.,:+-]*)*\s*){0,2}"
_PRICE = re.compile(
    rf"(?P<before>{_SIDE})(?P<number>(?:(?<!\w)[.,])?\d(?:[\d\s.,'\u2019]*\d)?)"
    rf"(?P<end>[.,:][-\u2013\u2014]+|[.,])?\s*(?P<after>{_SIDE})"
)
_RANGE = re.compile(r"\d\s*(?:\w{3}|[^\w\s])?\s*(?:-|\u2013|\u2014|to|bis|à)\s*\D{0,5}\d")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<mark>[.,' ])\d{3})(?:(?P=mark)\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")
_FIRST_GROUP = re.compile(r"[1-9]\d{0,2}")
_OTHER = {".": ",", ",": "."}
_LONGEST = 40
_LONGEST_MARKUP = 1000
_MOST_DIGITS = 15


class Exact(str):
    """A price that begins with a number of JSON: its point separates decimals, and nothing separates thousands."""

    __slots__ = ()


class Doubt(NamedTuple):
    """
    A price with two meanings.

    :param text: as in the feed.
    :param currency: its currency.
    :param mark: its only mark.
    :param thousands: what it means if the mark separates thousands.
    :param decimals: what it means if the mark separates decimals.
    """

    text: str
    currency: str | None
    mark: str
    thousands: Decimal
    decimals: Decimal


class Prices:
    """
    The prices of one feed. What one of them leaves open, the others may tell.

    :param currency: the code for a price that names none, or only a sign that several currencies share.
    """

    def __init__(self, currency: str | None = None) -> None:
        self.currency = currency
        self._decimal_marks: set[str] = set()

    def read(self, text: str, currency: str | None = None) -> tuple[Decimal | Doubt | None, str | None]:
        """
        Return a price and its currency; None for both where the text is empty.

        :param text: as in the feed: ``29.99 USD``, ``1.299,00 EUR``, ``€ 29``.
        :param currency: the code that the row names.
        :raises ValueError: it cannot be read; the message follows the column's name.
        """
        found = _found(text)
        if found is None:
            return None, None
        code = _code(found, currency or self.currency, text)
        number = _plain_digits(found["number"])
        marks = [mark for mark in number if not mark.isdecimal()]
        units, mark, decimals = number.rpartition(marks[-1]) if marks else (number, "", "")
        end = (found["end"] or "").rstrip("-\u2013\u2014")
        dash = len(found["end"] or "") > len(end)
        if dash or mark not in _OTHER or marks.count(mark) > 1:  # "1.299,-" has no decimals
            price = _decimal(number, "", text)
            told = end if dash and end in _OTHER else _OTHER.get(mark, "")
        else:
            price = _decimal(units, decimals, text)
            told = mark
            if len(marks) == 1 and len(decimals) == 3 and _FIRST_GROUP.fullmatch(units) and not isinstance(text, Exact):
                whole = _decimal(number, "", text)
                return Doubt(text, code, mark, whole, price), code
        if told and not isinstance(text, Exact):
            self._decimal_marks.add(told)
        return price, code

    def settle(self, doubt: Doubt) -> Decimal:
        """
        Return what a price with two meanings means, after all were read.

        :raises ValueError: neither the other prices nor its currency tell; the message follows the column's name.
        """
        three = doubt.currency in THREE_DECIMALS
        told = self._decimal_marks
        if told == {doubt.mark}:
            if three:
                return doubt.decimals
        elif told == {_OTHER[doubt.mark]} or doubt.currency in NO_DECIMALS:
            return doubt.thousands
        elif not told and three and doubt.mark == ".":
            return doubt.decimals
        elif not told and not three and doubt.mark == ",":  # programs write three decimals with a point
            return doubt.thousands
        advice = (
            f"write it with {'three' if three else 'two'} decimals, as {doubt.thousands}.{'000' if three else '00'}"
        )
        raise ValueError(f"can mean {doubt.thousands} or {doubt.decimals}; {advice}: {shown(doubt.text)}")


def _found(text: str) -> re.Match[str] | None:
    """Find the parts of a price; None for an empty text."""
    plain = text.strip()
    found = None
    if len(plain) <= _LONGEST_MARKUP:
        if isinstance(text, Exact):
            plain = _written_out(plain)
        elif not is_plain(plain):
            plain = to_line(plain)
        plain = unicodedata.normalize("NFKC", plain).replace("\u066b", ".").replace("\u066c", "'").strip()
        if not plain:
            return None
        found = _PRICE.fullmatch(plain) if len(plain) <= _LONGEST else None
    if found is None:
        why = "is a range, and not one price" if _RANGE.search(plain[: _LONGEST * 2]) else "is not readable as a price"
        raise ValueError(f"{why}: {shown(text)}")
    return found


def _code(found: re.Match[str], currency: str | None, text: str) -> str | None:
    codes = common((currencies_of(found["before"]), currencies_of(found["after"])))  # two in "$29.99 USD"
    if codes is None:
        return currency
    if not codes:
        raise ValueError(f"has no known currency: {shown(text)}")
    if len(codes) == 1:
        return next(iter(codes))
    if currency and currency not in codes:
        raise ValueError(f"has a currency sign that is not {currency}: {shown(text)}")
    return currency


def _written_out(text: str) -> str:
    """Return a number of JSON and what follows it without an exponent: ``1000 EUR`` for ``1e3 EUR``."""
    number, _, rest = text.partition(" ")
    try:
        value = Decimal(number)
    except InvalidOperation:  # its exponent has twenty digits
        return text
    return f"{value:f} {rest}" if abs(value.adjusted()) <= _MOST_DIGITS else text


def _plain_digits(number: str) -> str:
    """Return a number with ASCII's digits, and one kind each of spaces and of apostrophes."""
    if number.isascii() and number.isdecimal():
        return number
    number = "".join(str(int(mark)) if mark.isdecimal() else mark for mark in number)
    return re.sub(r"\s", " ", number).replace("\u2019", "'")


def _decimal(units: str, decimals: str, text: str) -> Decimal:
    digits = re.sub(r"[.,' ]", "", units)
    if (digits != units and not _GROUPED.fullmatch(units)) or len(digits) > _MOST_DIGITS:
        raise ValueError(f"is not readable as a price: {shown(text)}")
    return Decimal(f"{digits or '0'}.{decimals}" if decimals else digits)
