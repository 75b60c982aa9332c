# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Briefs: what is to be made for each product of a catalogue, whichever vendor makes it.

A DAG file makes them, so this module imports nothing heavy, and a wrong brief is refused when the DAG is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.campaigns.filling import (
    FORMAT,
    LOCALE,
    BriefOptions,
    BriefText,
    EmptyText,
    NoColumn,
    RowValues,
    parse_text,
    texts_in,
)
from airflow_provider_adgen.core.errors import InvalidRequest

if TYPE_CHECKING:
    from airflow_provider_adgen.core.briefs import FilledBrief, ShopProduct

KINDS = ("image", "video", "voice", "copy")
PRODUCT_IMAGE = ("no", "if_possible", "required")
MOST = 1000
"""How many of each creative a brief may ask for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FORMAT = re.compile(r"[1-9]\d{0,3}:[1-9]\d{0,3}|[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_LOCALE = re.compile(r"[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True)
class Brief:
    """
    What is to be made of each product.

    ``{column}`` in a text stands for the value that the product's row has there: ``{title}``, ``{brand}``, any further
    column of the catalogue, and ``{locale}`` and ``{format}`` of the creative. A value that is empty is left out. A
    column that the catalogue or the row does not have is an error of the plan, and so is a prompt or script of which
    nothing is left. ``{{`` and ``}}`` stand for braces. Nothing else is special: briefs are no templates, and Airflow
    does not render them.

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

    def texts_of(self, locale: str | None) -> tuple[BriefText, BriefText]:
        """Return prompt and script for a locale, to be filled in."""
        prompt, script = self.texts(locale)
        own = locale in self.prompts
        return BriefText("prompt", prompt, own=own), BriefText("script", script, own=own)

    def filled(self, **own: Any) -> FilledBrief:
        """
        Return the brief of one creative.

        :param own: what differs from creative to creative: ``prompt``, ``script``, ``format``, ``locale``,
            ``text_in_locale`` and ``options``, filled in.
        """
        from airflow_provider_adgen.core.briefs import FilledBrief

        return FilledBrief(
            kind=self.kind,
            duration=self.duration,  # type: ignore[arg-type]  # seconds, since __post_init__
            tone=self.tone,
            platform=self.platform,
            voice=self.voice,
            avatar=self.avatar,
            product_image=self.product_image,
            **own,
        )

    def fill(self, product: ShopProduct, vendor: str) -> FilledBrief:
        """
        Return the brief of one product's only creative, as a vendor takes it. ``where`` and ``count`` do not matter.

        :param product: the row of the catalogue.
        :param vendor: the vendor's name, for its ``options``; those of connections are left out.
        :raises InvalidRequest: the brief is for several locales or formats, the row lacks a column that it names, or a
            text is empty for this row.
        """
        for name, several in (("locales", self.locales), ("formats", self.formats)):
            self._need(
                len(several) < 2,
                f"it is for {len(several)} {name}, and a request is for one; take one with "
                f"dataclasses.replace(brief, {name}=[{', '.join(map(repr, several[:1]))}]), or plan_campaign for all",
            )
        locale, shape = next(iter(self.locales), None), next(iter(self.formats), None)
        values = RowValues(product)
        values.update({name: value for name, value in ((LOCALE, locale), (FORMAT, shape)) if value is not None})
        prompt, script = self.texts_of(locale)
        options = BriefOptions(self.options.get(vendor, {}))
        try:
            return self.filled(
                prompt=prompt.filled(values),
                script=script.filled(values),
                format=shape,
                locale=locale,
                text_in_locale=prompt.in_locale or script.in_locale or options.in_locale,
                options=options.filled(values),
            )
        except NoColumn as missing:
            self._need(False, f"it uses {{{missing.name}}}, a column that product {product.id} does not have")
            raise
        except EmptyText as empty:
            self._need(False, f"product {product.id}: {empty}")
            raise

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
