# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The texts of briefs: with ``{column}`` in them, and filled in from the row of a product."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_adgen.core.briefs import ShopProduct

COLUMNS = ("id", "title", "description", "link", "image_link", "price", "currency", "brand", "product_type")
"""The columns that are attributes of a product; others are in its ``extra``."""

LOCALE, FORMAT = "locale", "format"
"""What a text may name beside columns."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SPACES = re.compile(r"[ \t]{2,}")
_LOOSE = re.compile(r"[ \t]+(?=[.,;:!?])")

TextParts = tuple[tuple[str, str | None], ...]
"""A text, taken apart: pairs of what stands as it is, and the name of the column that follows it (None at the end)."""


class NoColumn(LookupError):
    """
    A row does not have a column.

    :param name: the column.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class EmptyText(ValueError):
    """
    A text that a brief states is empty for a row.

    :param name: what it is: ``prompt``, ``script``, or a field of ``options``.
    :param columns: the columns that it names.
    """

    def __init__(self, name: str, columns: Collection[str]) -> None:
        named = list(dict.fromkeys(columns))
        braced = " and ".join("{" + one + "}" for one in named)
        why = f", because {braced} {'have' if len(named) > 1 else 'has'} no value" if named else ""
        super().__init__(f"{name} is empty for this row{why}")
        self.columns = named


class RowValues(dict[str, str]):
    """
    The values of a row as texts, read when they are asked for.

    :param product: the row.
    :param columns: those of :data:`COLUMNS` that the catalogue has.
    """

    def __init__(self, product: ShopProduct, columns: Collection[str] = COLUMNS) -> None:
        super().__init__()
        self._product = product
        self._columns = columns
        # A product that was not read of a feed has every field, if only empty.
        self._lacks: Collection[str] = getattr(product, "lacks", ())
        self._extra: Mapping[str, Any] = getattr(product, "extra", {})

    def __missing__(self, name: str) -> str:
        if name in self._columns and name not in self._lacks:
            value = getattr(self._product, name)
        elif name in self._extra:
            value = self._extra[name]
        else:
            raise NoColumn(name)
        text = self[name] = _as_text(value)
        return text

    def matching(self, name: str, *, lacking_is_empty: bool) -> str:
        """
        Return a value for a comparison.

        :raises NoColumn: the row does not have it, and that does not count as empty.
        """
        try:
            return self[name]
        except NoColumn:
            if lacking_is_empty:
                return ""
            raise


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


class BriefText:
    """
    A text of a brief for one locale.

    :param name: what it is: ``prompt`` or ``script``.
    :param text: the text; None where the brief states none.
    :param own: it was written for that locale.
    """

    def __init__(self, name: str, text: str | None, *, own: bool) -> None:
        self._name = name
        self._parts: TextParts | None = None if text is None else parse_text(text)
        self.columns: list[str] = [] if self._parts is None else columns_of(self._parts)
        self.in_locale = self._parts is not None and (own or LOCALE in self.columns)

    def filled(self, values: RowValues) -> str | None:
        """
        Return it for a row; None where the brief states none.

        :raises NoColumn: the row does not have a column that it names.
        :raises EmptyText: nothing stands in it.
        """
        if self._parts is None:
            return None
        text = fill_text(self._parts, values.__getitem__)
        if not text.strip():
            raise EmptyText(f"its {self._name}", self.columns)
        return text


class BriefOptions:
    """
    The fields that a brief names for one account.

    :param given: their values, with texts that are not filled in.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.columns = [name for text in texts_in(given) for name in columns_of(parse_text(text))]
        self.in_locale = LOCALE in self.columns
        self._constant = None if self.columns else self._of({})

    def filled(self, values: Mapping[str, str]) -> Mapping[str, Any]:
        """
        Return them for a row.

        :raises NoColumn: the row does not have a column that a text names.
        :raises EmptyText: nothing stands in a text that names columns.
        """
        return self._constant if self._constant is not None else self._of(values)

    def _of(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {name: _filled(name, value, values) for name, value in self._given.items()}


def _filled(name: str, value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        parts = parse_text(value)
        text = fill_text(parts, values.__getitem__)
        if not text.strip() and (columns := columns_of(parts)):
            raise EmptyText(f"{name} of its options", columns)
        return text
    if isinstance(value, Mapping):
        return {inner: _filled(f"{name}.{inner}", one, values) for inner, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(name, one, values) for one in value]
    return value


# --- texts ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def parse_text(text: str) -> TextParts:
    """
    Take a text apart.

    :param text: a text with ``{column}`` in it.
    :raises ValueError: a brace stands alone, or has nothing in it.
    """
    parts: list[tuple[str, str | None]] = []
    before, position = "", 0
    for found in _TOKEN.finditer(text):
        before += text[position : found.start()]
        position = found.end()
        token = found[0]
        if token in ("{{", "}}"):
            before += token[0]
        elif found[1] is None or not found[1].strip():
            raise ValueError(
                f"{_around(text, found.start())} has a brace that belongs to no column; write {{{{ or }}}}"
            )
        else:
            parts.append((before, found[1].strip()))
            before = ""
    return (*parts, (before + text[position:], None))


def _around(text: str, position: int) -> str:
    return repr(text[max(0, position - 20) : position + 20])


def columns_of(parts: TextParts) -> list[str]:
    """Return the columns that a text names."""
    return [name for _, name in parts if name is not None]


def fill_text(parts: TextParts, value_of: Callable[[str], str]) -> str:
    """
    Fill a text in.

    Where a value is empty, spaces are not doubled, and none is left before a full stop or comma.

    :param parts: the text, taken apart.
    :param value_of: returns a column's value; an empty one is left out.
    """
    filled, left_out = [], False
    for before, name in parts:
        filled.append(before)
        if name is not None:
            value = value_of(name)
            filled.append(value)
            left_out = left_out or not value
    text = "".join(filled)
    return _LOOSE.sub("", _SPACES.sub(" ", text)).strip() if left_out else text


def texts_in(value: Any) -> list[str]:
    """Return all texts in a JSON value; names of fields are none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in texts_in(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in texts_in(one)]
    return []
