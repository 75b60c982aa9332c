# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Briefs: what is to be made for each product of a catalogue, whichever vendor makes it.

A DAG file makes them, so this module imports nothing heavy, and a wrong brief is refused when the DAG is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from airflow_provider_adgen.core.errors import InvalidRequest

KINDS = ("image", "video", "voice", "copy")
PRODUCT_IMAGE = ("no", "if_possible", "required")
MOST = 1000
"""How many of each creative a brief may ask for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FORMAT = re.compile(r"[1-9]\d{0,3}:[1-9]\d{0,3}|[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_LOCALE = re.compile(r"[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,3}")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SPACES = re.compile(r"[ \t]{2,}")
_LOOSE = re.compile(r"[ \t]+(?=[.,;:!?])")

TextParts = tuple[tuple[str, str | None], ...]
"""A text, taken apart: pairs of what stands as it is, and the name of the column that follows it (None at the end)."""


@dataclass(frozen=True)
class Brief:
    """
    What is to be made of each product.

    ``{column}`` in a text stands for the value that the product's row has there: ``{title}``, ``{brand}``, any further
    column of the catalogue, and ``{locale}`` and ``{format}`` of the creative. A value that is empty is left out. A
    column that the row does not have is an error of the plan. ``{{`` and ``}}`` stand for braces. Nothing else is
    special: briefs are no templates, and Airflow does not render them.

    A field that is stated must be honoured: an account whose vendor has nothing for it does not make the brief. The
    documentation has a table of who takes what.

    :param name: unique in its campaign: letters, digits, ``.``, ``_`` and ``-``, at most 64. It is part of the key of
        each creative, so a new name pays anew.
    :param kind: ``image``, ``video``, ``voice`` or ``copy``.
    :param prompt: what the creative shows or says, in words for the vendor.
    :param script: what is spoken, word for word.
    :param formats: one creative for each: aspect ratios such as ``9:16``; for ad copy words such as ``short``.
    :param locales: one creative for each, such as ``de`` or ``en-GB``.
    :param duration: length in seconds, or a timedelta.
    :param count: creatives of each, at least 1; each is a generation of its own and paid for.
    :param tone: such as ``playful``.
    :param platform: such as ``meta``.
    :param voice: the vendor's name of a voice.
    :param avatar: the vendor's name of an avatar, or the link of a picture where the vendor takes one.
    :param product_image: whether the product's picture is given to the vendor: ``no``, ``if_possible`` (else without)
        or ``required`` (else the vendor cannot make it).
    :param prompts: texts by locale, in place of ``script`` if the brief states one or is of kind ``voice``, else of
        ``prompt``.
    :param where: only for products whose column matches: ``{"product_type": "Lamps*"}``. All must match; upper and
        lower case differ.
    :param options: fields of the vendor's request, by vendor or by connection: ``{"adsumo": {"model": "fast"}}``.
        Those of a connection count more than those of its vendor, and both more than the brief. Texts in them are
        filled in like prompts. Those for accounts that take no part are ignored.
    :param priority: what is made first, and given up last, if not all can be paid for: the higher number.
    :raises InvalidRequest: a field is wrong. Nothing was sent.
    """

    name: str
    kind: Literal["image", "video", "voice", "copy"]
    prompt: str | None = None
    _: KW_ONLY
    script: str | None = None
    formats: Sequence[str] = ()
    locales: Sequence[str] = ()
    duration: float | timedelta | None = None
    count: int = 1
    tone: str | None = None
    platform: str | None = None
    voice: str | None = None
    avatar: str | None = None
    product_image: Literal["no", "if_possible", "required"] = "no"
    prompts: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    priority: int = 0

    def __post_init__(self) -> None:
        # A DAG file is not type-checked: whatever stands in one is looked at.
        given: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        name, count, options = given["name"], given["count"], given["options"]
        self._need(isinstance(name, str) and _NAME.fullmatch(name), "its name may hold letters, digits, . _ -")
        self._need(given["kind"] in KINDS, f"kind must be one of {', '.join(KINDS)}")
        for one in ("prompt", "script", "tone", "platform", "voice", "avatar"):
            text = given[one]
            self._need(text is None or (isinstance(text, str) and text.strip()), f"{one} must be a text")
        self._set("formats", self._words("formats", _FORMAT, "1:1"))
        self._set("locales", self._words("locales", _LOCALE, "de"))
        seconds = self.duration.total_seconds() if isinstance(self.duration, timedelta) else self.duration
        self._need(seconds is None or _positive(seconds), "duration must be seconds, more than 0")
        # However the same length is written, it makes the same request.
        self._set("duration", int(seconds) if seconds is not None and seconds == int(seconds) else seconds)
        whole = isinstance(count, int) and _positive(count) and count <= MOST
        self._need(whole, f"count must be a whole number from 1 to {MOST}")
        self._need(given["product_image"] in PRODUCT_IMAGE, f"product_image must be one of {', '.join(PRODUCT_IMAGE)}")
        self._need(isinstance(given["priority"], int), "priority must be a whole number")
        for one in ("prompts", "where"):
            pairs = given[one]
            sound = isinstance(pairs, Mapping) and all(isinstance(text, str) for pair in pairs.items() for text in pair)
            self._need(sound, f"{one} must be a dictionary of texts")
        nested = isinstance(options, Mapping) and all(isinstance(one, Mapping) for one in options.values())
        self._need(nested, 'options must be fields by vendor or connection: {"adsumo": {"model": "fast"}}')
        self._check_texts()

    def _check_texts(self) -> None:
        unknown = [locale for locale in self.prompts if locale not in self.locales]
        self._need(not unknown, f"prompts has {', '.join(unknown)}, which locales does not have")
        if self.prompts and self._base() is None:
            missing = [locale for locale in self.locales if locale not in self.prompts]
            self._need(not missing, f"there is no text for {', '.join(missing)}")
        for text in (self.prompt, self.script, *self.prompts.values(), *texts_in(self.options)):
            if text is not None:
                try:
                    parse_text(text)
                except ValueError as error:
                    self._need(False, str(error))

    def _base(self) -> str | None:
        return self.script if self.speaks else self.prompt

    @property
    def speaks(self) -> bool:
        """Whether ``prompts`` stands in place of ``script``."""
        return self.script is not None or self.kind == "voice"

    def texts(self, locale: str | None) -> tuple[str | None, str | None]:
        """Return prompt and script for a locale, not filled in."""
        own = self.prompts.get(locale) if locale is not None else None
        if own is None:
            return self.prompt, self.script
        return (self.prompt, own) if self.speaks else (own, self.script)

    # --- what is checked --------------------------------------------------------------------------------------------

    def _need(self, sound: object, sentence: str) -> None:
        if not sound:
            raise InvalidRequest(f"Brief {self.name!r}: {sentence}. Nothing was sent.")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _words(self, name: str, form: re.Pattern[str], example: str) -> tuple[str, ...]:
        given = getattr(self, name)
        sound = isinstance(given, list | tuple) and all(isinstance(one, str) and form.fullmatch(one) for one in given)
        self._need(sound, f"{name} must be a list of words such as {example!r}")
        self._need(len(set(given)) == len(given), f"{name} names one twice")
        return tuple(given)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9


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
