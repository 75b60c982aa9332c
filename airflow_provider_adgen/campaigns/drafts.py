# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What could be made: product x brief x locale x format x count, with the request of each account that can make it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_adgen.campaigns.briefs import TextParts, columns_of, fill_text, parse_text, texts_in
from airflow_provider_adgen.campaigns.credits import Assumed, CampaignAccount, assumed_for
from airflow_provider_adgen.core.briefs import (
    CannotMake,
    FilledBrief,
    ShopProduct,
    checkable,
    option_names,
)
from airflow_provider_adgen.core.errors import InvalidRequest

if TYPE_CHECKING:
    from airflow_provider_adgen.campaigns.briefs import Brief

LONGEST_KEY = 200
LONGEST_TITLE = 300
"""Characters of a product's title that go into ``meta``; a longer one ends with an ellipsis there."""

COLUMNS = ("id", "title", "description", "link", "image_link", "price", "currency", "brand", "product_type")
"""The columns that every product has; others are in ``extra``."""

_LOCALE, _FORMAT = "locale", "format"
_SHOWN = 20


class CatalogueRow(ShopProduct, Protocol):
    """A product as a plan needs it: the attributes of :data:`COLUMNS`, its line, and all other columns."""

    @property
    def line(self) -> int:
        """The line of the catalogue on which it begins."""

    @property
    def extra(self) -> Mapping[str, Any]:
        """The values of all other columns, by the names that the catalogue gives them."""


@dataclass(frozen=True, slots=True)
class DraftChoice:
    """
    One account that can make a creative.

    :param conn_id: the account.
    :param request: the request as JSON; see :func:`.core.briefs.with_vendor_ids`.
    :param credits: its price, or what is counted for it; None where nothing is known.
    """

    conn_id: str
    request: dict[str, Any]
    credits: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as a batch takes it."""
        return {"conn_id": self.conn_id, "request": self.request}


@dataclass(frozen=True, slots=True)
class Draft:
    """
    One creative that could be made.

    :param key: names it, in every run.
    :param priority: the higher, the sooner.
    :param choices: who can make it, in the order of the accounts.
    :param meta: what the manifest says of it.
    """

    key: str
    priority: int
    choices: tuple[DraftChoice, ...]
    meta: dict[str, Any]


class _NoColumn(LookupError):
    """A row does not have a column."""


class _Values(dict[str, str]):
    """The values of a row as texts, read when they are asked for."""

    def __init__(self, product: CatalogueRow, columns: Collection[str]) -> None:
        super().__init__()
        self._product = product
        self._columns = columns

    def __missing__(self, name: str) -> str:
        if name in self._columns:
            value = getattr(self._product, name)
        elif name in self._product.extra:
            value = self._product.extra[name]
        else:
            raise _NoColumn(name)
        text = self[name] = _as_text(value)
        return text


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


@dataclass
class PlanProblems:
    """What is wrong with a plan, gathered, so that one error names it all; what is alike is counted."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, sentence: str, where: str) -> None:
        """Note a problem, and where it was met."""
        count, first = self.found.get(sentence, (0, where))
        self.found[sentence] = (count + 1, first)

    def raise_if_any(self) -> None:
        """
        Refuse the plan if anything was noted.

        :raises InvalidRequest: naming the first 20 problems, and how often and where first each was met.
        """
        if not self.found:
            return
        lines = []
        for sentence, (count, first) in list(self.found.items())[:_SHOWN]:
            more = f" and {count - 1} more" if count > 1 else ""
            lines.append(f"\n  {first}{more}: {sentence}")
        if len(self.found) > _SHOWN:
            lines.append(f"\n  ... and {len(self.found) - _SHOWN} other problems")
        raise InvalidRequest(
            f"The campaign cannot be planned. Nothing was sent and nothing was charged.{''.join(lines)}"
        )


class _Text:
    """
    A text of a brief for one locale.

    :param own: it was written for that locale.
    """

    def __init__(self, text: str | None, *, own: bool) -> None:
        self._parts: TextParts | None = None if text is None else parse_text(text)
        self.in_locale = own or (self._parts is not None and _LOCALE in columns_of(self._parts))

    def filled(self, values: _Values) -> str | None:
        return None if self._parts is None else fill_text(self._parts, values.__getitem__) or None


class _Options:
    """The fields that a brief names for one account."""

    def __init__(self, brief: Brief, account: CampaignAccount) -> None:
        self._given = {
            **brief.options.get(account.vendor.name, {}),
            **brief.options.get(account.conn_id, {}),
        }
        known = option_names(account.vendor.recipes, brief.kind)
        unknown = sorted(name for name in self._given if known and name not in known)
        if unknown:
            raise InvalidRequest(
                f"Brief {brief.name!r}: options name {', '.join(unknown)} for {account}, which has no such field in a "
                f"request that makes {brief.kind}; there are: {', '.join(sorted(known))}. Nothing was sent."
            )
        columns = [name for text in texts_in(self._given) for name in columns_of(parse_text(text))]
        self.in_locale = _LOCALE in columns
        self._constant = None if columns else self._of({})

    def filled(self, values: Mapping[str, str]) -> Mapping[str, Any]:
        return self._constant if self._constant is not None else self._of(values)

    def _of(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {name: _filled(value, values) for name, value in self._given.items()}


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill_text(parse_text(value), values.__getitem__)
    if isinstance(value, Mapping):
        return {name: _filled(one, values) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, values) for one in value]
    return value


class _BriefWriter:
    """One brief, read once for all products."""

    def __init__(self, brief: Brief, accounts: Sequence[CampaignAccount]) -> None:
        self.brief = brief
        self.accounts = [(account, _Options(brief, account)) for account in accounts]
        self.locales: list[tuple[str | None, _Text, _Text]] = []
        for locale in brief.locales or (None,):
            prompt, script = (_Text(text, own=locale in brief.prompts) for text in brief.texts(locale))
            self.locales.append((locale, prompt, script))
        self.formats: Sequence[str | None] = brief.formats or (None,)

    def wants(self, values: _Values) -> bool:
        """Whether the brief is for this product."""
        return all(fnmatchcase(values[column], glob) for column, glob in self.brief.where.items())


class DraftMaker:
    """
    Makes drafts of products, and gathers what is in the way.

    :param briefs: what is to be made.
    :param accounts: who may make it, in order of preference.
    :param assumed: what to count where no price is documented.
    :param columns: those of :data:`COLUMNS` that the catalogue has; None means all.
    :raises InvalidRequest: two briefs have one name, or options name a field that the vendor does not have.
    """

    def __init__(
        self,
        briefs: Sequence[Brief],
        accounts: Sequence[CampaignAccount],
        assumed: Assumed,
        columns: Collection[str] | None = None,
    ) -> None:
        names = [brief.name for brief in briefs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidRequest(f"Two briefs are named {', '.join(twice)}; a name must be unique. Nothing was sent.")
        self._writers = [_BriefWriter(brief, accounts) for brief in briefs]
        self._assumed = assumed
        self._columns = frozenset(COLUMNS if columns is None else {"id", "title", *columns} & {*COLUMNS})
        self.problems = PlanProblems()
        self.passed_over: dict[tuple[str, str, str], int] = {}
        """How many creatives an account cannot make although another can, by brief, account and reason."""

    def drafts(self, product: CatalogueRow) -> list[Draft]:
        """Return what could be made of a product; what nobody can make goes to the problems."""
        values = _Values(product, self._columns)
        found: list[Draft] = []
        for writer in self._writers:
            try:
                if writer.wants(values):
                    found.extend(self._of_brief(writer, product, values))
            except _NoColumn as missing:
                column = "{" + str(missing.args[0]) + "}"
                self.problems.add(
                    f"brief {writer.brief.name!r} uses {column}, a column that this row does not have",
                    f"line {product.line} (product {product.id})",
                )
            values.pop(_LOCALE, None)
            values.pop(_FORMAT, None)
        return found

    def _of_brief(self, writer: _BriefWriter, product: CatalogueRow, values: _Values) -> Iterator[Draft]:
        brief = writer.brief
        for locale, prompt, script in writer.locales:
            if locale is not None:
                values[_LOCALE] = locale
            for shape in writer.formats:
                if shape is not None:
                    values[_FORMAT] = shape
                key = _key(product, brief, locale, shape)
                shown, said = prompt.filled(values), script.filled(values)
                stated = {
                    "kind": brief.kind,
                    "prompt": shown,
                    "script": said,
                    "format": shape,
                    "locale": locale,
                    "duration": brief.duration,
                    "tone": brief.tone,
                    "platform": brief.platform,
                    "voice": brief.voice,
                    "avatar": brief.avatar,
                    "product_image": brief.product_image,
                    # A text that is empty for this product says nothing in any language.
                    "text_in_locale": (shown and prompt.in_locale) or (said and script.in_locale) or False,
                }
                choices = self._choices(writer, product, values, stated, key)
                if not choices:
                    continue
                meta = _meta(product, brief, locale, shape)
                for number in range(1, brief.count + 1):
                    own = f"{key}/{number}" if brief.count > 1 else key
                    if len(own) > LONGEST_KEY:
                        self.problems.add(
                            f"the keys of brief {brief.name!r} are the product's id and more, and have more than "
                            f"{LONGEST_KEY} characters; give the product a shorter id",
                            f"line {product.line} (product {product.id[:50]}...)",
                        )
                        break
                    yield Draft(own, brief.priority, choices, meta)

    def _choices(
        self, writer: _BriefWriter, product: CatalogueRow, values: _Values, stated: dict[str, Any], key: str
    ) -> tuple[DraftChoice, ...]:
        choices: list[DraftChoice] = []
        reasons: list[tuple[CampaignAccount, str]] = []
        for account, options in writer.accounts:
            own = {"options": options.filled(values), "text_in_locale": stated["text_in_locale"] or options.in_locale}
            brief = FilledBrief(**{**stated, **own})
            made = account.vendor.request_for(brief, product)
            if isinstance(made, CannotMake):
                reasons.append((account, made.reason))
                continue
            try:
                price = account.vendor.parse_request(checkable(made)).price()
            except InvalidRequest as error:
                reasons.append((account, error.happened.rstrip(".")))
                continue
            if price is None:
                price = assumed_for(self._assumed, account.conn_id, made["kind"])
            choices.append(DraftChoice(account.conn_id, made, price))
        name = writer.brief.name
        if not choices:
            why = "".join(f"\n    {account}: {reason}" for account, reason in reasons)
            self.problems.add(f"no account can make brief {name!r}:{why}", key)
        else:
            for account, reason in reasons:
                where = (name, account.conn_id, reason)
                self.passed_over[where] = self.passed_over.get(where, 0) + 1
        return tuple(choices)


def _key(product: CatalogueRow, brief: Brief, locale: str | None, shape: str | None) -> str:
    parts = [product.id, brief.name]
    if locale is not None:
        parts.append(locale)
    if shape is not None:
        parts.append(shape.replace(":", "x"))
    return "/".join(parts)


def _meta(product: CatalogueRow, brief: Brief, locale: str | None, shape: str | None) -> dict[str, Any]:
    title = product.title
    meta = {
        "product_id": product.id,
        "title": title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…",
        "brief": brief.name,
    }
    if locale is not None:
        meta["locale"] = locale
    if shape is not None:
        meta["format"] = shape
    return meta
