# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Feeds of Google Merchant's XML: RSS 2.0 with ``item``, Atom with ``entry``, with or without the prefix ``g:``.

Expat reads it, so nothing outside the file is ever opened. A file that declares entities of its own is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from airflow_provider_adgen.campaigns._feeds.plain_text import HTML_TAGS
from airflow_provider_adgen.campaigns._feeds.report import (
    LONGEST_ROW,
    LONGEST_TEXT,
    MOST_COLUMNS,
    Pairs,
    Unreadable,
    row_too_long,
    shown,
    text_too_long,
)

_ITEMS = frozenset({"item", "entry"})
_DEEPEST = 32
_GOOGLE = "base.google.com/ns"
_XHTML = "http://www.w3.org/1999/xhtml"
# What XML forbids, and exports hold all the same.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
# What Google calls the description, and Atom's own names of it.
_DESCRIPTION = ("description", "summary", "content")


def read_merchant_xml(pieces: Iterable[str]) -> Iterator[tuple[int, Pairs]]:
    """
    Yield each item with the line it begins on.

    :raises Unreadable: it is no such feed, not well-formed, declares entities, or an item is too long.
    """
    reader = _Reader()
    for piece in pieces:
        yield from reader.feed(piece)
    yield from reader.feed("", last=True)
    if not reader.count:
        raise Unreadable(1, f"there is no <item> and no <entry> in <{reader.root[:60]}>")


@dataclass
class _Element:
    name: str
    namespace: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)
    inner: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """Return the text; of an element that holds others, their names and texts."""
        text = "".join(self.texts).strip()
        if not self.inner and text:
            return text
        members = ", ".join(f"{name.removeprefix('g:')}: {value}" for name, value in self.inner if value)
        # Atom's link and RSS' enclosure say it in an attribute.
        return ", ".join(filter(None, (text, members))) or self.attributes.get("href") or self.attributes.get("url", "")


class _Reader:
    def __init__(self) -> None:
        self.root = ""
        self.count = 0
        self._skipped_lines = 0
        self._started = False
        self._fed = 0
        self._depth = 0
        self._bound: dict[str, list[str]] = {}
        self._declared: list[list[str]] = []
        self._open: list[_Element] = []
        self._line = 0
        self._size = 0
        self._ready: list[tuple[int, Pairs]] = []
        parser = self._parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._skipped

    def feed(self, piece: str, *, last: bool = False) -> list[tuple[int, Pairs]]:
        if not self._started:  # shop software written in PHP often begins with empty lines
            kept = piece.lstrip()
            self._skipped_lines += piece.count("\n") - kept.count("\n")
            piece, self._started = kept, bool(kept)
        data = _FORBIDDEN.sub(" ", piece).encode()
        self._fed += len(data)
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "unknown error")
            raise Unreadable(self._skipped_lines + error.lineno, f"not well-formed XML ({reason})") from None
        # One tag or comment that does not end is read again and again, and kept whole.
        if self._fed - self._parser.CurrentByteIndex > LONGEST_TEXT:
            raise text_too_long(self._here())
        ready, self._ready = self._ready, []
        return ready

    def _here(self) -> int:
        return self._skipped_lines + self._parser.CurrentLineNumber

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > LONGEST_ROW:
            raise row_too_long(self._line)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unreadable(self._here(), f"the XML is nested more than {_DEEPEST} levels deep")
        self.root = self.root or name
        declared = [name for name in attributes if name == "xmlns" or name.startswith("xmlns:")] if attributes else []
        self._declared.append(declared)
        for attribute in declared:
            self._bound.setdefault(attribute[6:], []).append(attributes[attribute])
        if not self._open:
            if _local(name) not in _ITEMS:
                return
            self.count += 1
            self._line, self._size = self._here(), 0
        self._grow(len(name) + sum(map(len, attributes)) + sum(map(len, attributes.values())))
        self._open.append(_Element(name, self._namespace(name), attributes))

    def _namespace(self, name: str) -> str:
        """Return the namespace of an element; of a prefix that is not declared, the prefix."""
        prefix = name.rpartition(":")[0]
        bound = self._bound.get(prefix)
        return bound[-1] if bound else prefix

    def _characters(self, text: str) -> None:
        if self._open:
            self._grow(len(text))
            self._open[-1].texts.append(text)

    def _end(self, name: str) -> None:
        self._depth -= 1
        for attribute in self._declared.pop():
            self._bound[attribute[6:]].pop()
        if not self._open:
            return
        element = self._open.pop()
        if not self._open:
            self._ready.append((self._line, _pairs(element.inner)))
            return
        local = _called(element.name, element.namespace, self._open[0].namespace)
        if local == "link" and element.attributes.get("rel", "alternate") != "alternate":
            local = f"link_{element.attributes['rel']}"
        outer = self._open[-1]
        if local in HTML_TAGS and len(self._open) > 1:  # HTML that was not escaped
            outer.texts.append(f"{element.text()} ")
            return
        outer.inner.append((local, element.text()))
        if len(outer.inner) > MOST_COLUMNS:
            raise Unreadable(self._line, f"the item has more than {MOST_COLUMNS:,} elements")

    def _entity(self, name: str, *_: object) -> None:
        raise Unreadable(self._here(), f"the file declares the entity {shown(name)}, which is refused")

    def _skipped(self, name: str, *_: object) -> None:
        raise Unreadable(self._here(), f"the entity {shown(name)} is not defined")


def _called(name: str, namespace: str, own: str) -> str:
    """Return an element's name: Google's with ``g:``, those of the item's *own* namespace without a prefix."""
    prefix, _, local = name.rpartition(":")
    if _GOOGLE in namespace:
        return f"g:{local}"
    if prefix and namespace not in (own, _XHTML):
        # Nobody else uses the prefix g, and feeds misspell what it stands for.
        return f"g:{local}" if prefix == "g" else name
    return local


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _pairs(inner: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return an item's values by Google's names; the name with Google's prefix counts before the same without."""
    google = {name.removeprefix("g:") for name, value in inner if value and name.startswith("g:")}
    plain = {name for name, value in inner if value and not name.startswith("g:")}
    described = "" if "description" in google else next((word for word in _DESCRIPTION if word in plain), "")
    pairs = []
    for name, value in inner:
        if name.startswith("g:"):
            pairs.append((name.removeprefix("g:"), value))
        elif name not in google:
            pairs.append(("description" if name == described else name, value))
    return pairs
