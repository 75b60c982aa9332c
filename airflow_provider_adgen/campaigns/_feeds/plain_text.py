# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""HTML of shops as plain text. All functions take time in proportion to the text, whatever it holds."""

from __future__ import annotations

import html
import re

_INLINE = (
    "a abbr acronym b bdi bdo big center cite code data del dfn em embed font head html i iframe img input ins kbd "
    "label link mark meta object picture q s samp script small source span strike strong style sub sup svg time title "
    "track tt u var video audio body button canvas form noscript path select option textarea wbr"
)
_BLOCK = (
    "address article aside blockquote br caption dd details div dl dt fieldset figcaption figure footer h1 h2 h3 h4 h5 "
    "h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
HTML_TAGS = frozenset(f"{_INLINE} {_BLOCK}".split())
"""Names of HTML's elements. Others in angle brackets, as in ``vector<int>``, are text."""

_BLOCK_TAGS = frozenset(_BLOCK.split())
# With a colon or a dash: what word processors and components leave.
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*+)([:-][\w:-]*+)?(?=[\s/>])[^<>]*+>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_HIDDEN = re.compile(r"<(?:!--|(script|style)\b[^<>]*>)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]")
_ODD = re.compile("[<&\x00-\x1f\x7f-\xa0\ufeff\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Whether a text has neither markup nor characters that are not shown."""
    return _ODD.search(text) is None


def to_text(text: str) -> str:
    """Return a text without HTML: paragraphs become lines, entities characters. Control characters become spaces."""
    if not is_plain(text):
        text = _CONTROL.sub(" ", text)
        # Many exports escape the markup once more.
        for _ in range(2):
            if "<" not in text and "&" not in text:
                break
            text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), _without_tags(text))
        text = _CONTROL.sub(" ", _without_tags(text))
        lines = (" ".join(line.split()) for line in text.split("\n"))
        return "\n".join(filter(None, lines))
    return " ".join(text.split())


def to_line(text: str) -> str:
    """Return a text without HTML in one line."""
    return " ".join(to_text(text).split())


def without_control(text: str) -> str:
    """Return a text as it is, without spaces around it and with spaces for control characters."""
    return _CONTROL.sub(" ", text).replace("\r\n", "\n").replace("\r", "\n").strip()


def has_markup(text: str) -> bool:
    """Whether a text holds HTML's elements or entities."""
    return _ENTITY.search(text) is not None or any(_is_tag(tag) for tag in _TAG.finditer(text))


def _is_tag(tag: re.Match[str]) -> bool:
    return tag[2] is not None or tag[1].lower() in HTML_TAGS


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    return _TAG.sub(_replaced, _without_hidden(text))


def _replaced(tag: re.Match[str]) -> str:
    if not _is_tag(tag):
        return tag[0]
    return "\n" if tag[1].lower() in _BLOCK_TAGS else ""


def _without_hidden(text: str) -> str:
    """Leave out comments, scripts and styles. One that does not end is text."""
    kept: list[str] = []
    position = start = 0
    ends: dict[str, int] = {}
    while hidden := _HIDDEN.search(text, position):
        mark = f"</{hidden[1].lower()}" if hidden[1] else "-->"
        if ends.get(mark, 0) >= 0 and ends.get(mark, 0) < hidden.end():
            ends[mark] = _find(text, mark, hidden.end())
        position = hidden.end()
        if ends[mark] < 0:
            continue
        kept.append(text[start : hidden.start()])
        start = position = ends[mark] + (len(mark) if mark == "-->" else 0)
    kept.append(text[start:])
    return "".join(kept)


def _find(text: str, mark: str, position: int) -> int:
    found = re.compile(re.escape(mark), re.IGNORECASE).search(text, position)
    return found.start() if found else -1
