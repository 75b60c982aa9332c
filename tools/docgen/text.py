# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""From docstrings to Markdown, and tables."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FIELD = re.compile(r":(param|raises|return|cvar)\s*([^:]*):\s*(.*)")
_ROLE = re.compile(r":(?:class|meth|func|data|mod|attr|exc):`([^`]+)`")
_CODE = re.compile(r"(`+[^`]+`+)")


@dataclass
class Doc:
    """
    A docstring, taken apart and written as Markdown.

    :param summary: its first paragraph.
    :param rest: the other paragraphs.
    :param params: the text of each ``:param name:``.
    :param raises: pairs of an error's name and when it is raised.
    """

    summary: str = ""
    rest: list[str] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    raises: list[tuple[str, str]] = field(default_factory=list)

    @property
    def body(self) -> list[str]:
        """All paragraphs."""
        return [part for part in (self.summary, *self.rest) if part]


def markdown(text: str) -> str:
    """Return a line of reStructuredText, as docstrings hold it, as Markdown."""
    text = _ROLE.sub(lambda match: f"`{match[1].removeprefix('~').rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def read_doc(thing: object) -> Doc:
    """Take the docstring of *thing* itself (not of what it inherits from) apart."""
    raw = vars(thing).get("__doc__") if isinstance(thing, type) else getattr(thing, "__doc__", None)
    doc = Doc()
    paragraphs: list[str] = []
    current: list[str] = []
    entry: tuple[str, str, list[str]] | None = None
    entries: list[tuple[str, str, list[str]]] = []
    for line in inspect.cleandoc(raw or "").splitlines():
        if found := _FIELD.match(line):
            entry = (found[1], found[2].strip(), [found[3]])
            entries.append(entry)
        elif entry is not None:
            entry[2].append(line.strip())
        elif line.strip():
            current.append(line.strip())
        elif current:
            paragraphs.append(" ".join(current))
            current = []
    if current:
        paragraphs.append(" ".join(current))
    paragraphs = [markdown(paragraph) for paragraph in paragraphs]
    doc.summary, doc.rest = (paragraphs[0], paragraphs[1:]) if paragraphs else ("", [])
    for kind, name, lines in entries:
        text = markdown(" ".join(part for part in lines if part))
        if kind == "param":
            doc.params[name] = text
        elif kind == "raises":
            doc.raises.append((name, text))
    return doc


def cell(text: object) -> str:
    """Return *text* as it may stand in a table's cell; what is code stays code."""
    parts = _CODE.split(" ".join(str(text).split()))
    return "".join(
        part.replace("|", "\\|") if index % 2 else part.replace("|", "\\|").replace("<", "&lt;")
        for index, part in enumerate(parts)
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(titles)} |", f"| {' | '.join('---' for _ in titles)} |"]
    lines += [f"| {' | '.join(cell(one) or ' ' for one in row)} |" for row in rows]
    return "\n".join(lines)


def bullets(items: Iterable[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {item}" for item in items)


def code(value: object) -> str:
    """Return *value* as inline code."""
    return f"`{value}`"


def codes(values: Iterable[object]) -> str:
    """Return values as inline code, separated by commas."""
    return ", ".join(code(value) for value in values)


def sentence(text: str) -> str:
    """Return *text* with a capital first letter and a full stop."""
    text = text.strip()
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else f"{text}."


def paragraphs(*parts: str) -> str:
    """Join blocks by empty lines, leaving out empty ones."""
    return "\n\n".join(part for part in parts if part)
