# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What could be made: product x brief x locale x format x count, with the request of each account that can make it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_adgen.campaigns.credits import Assumed, CampaignAccount, assumed_for
from airflow_provider_adgen.campaigns.filling import (
    COLUMNS,
    FORMAT,
    LOCALE,
    BriefOptions,
    BriefText,
    EmptyText,
    NoColumn,
    RowValues,
)
from airflow_provider_adgen.campaigns.plan_problems import PlanProblems, PlanWarnings
from airflow_provider_adgen.core.briefs import CannotMake, ShopProduct, checkable, option_names
from airflow_provider_adgen.core.errors import InvalidRequest

if TYPE_CHECKING:
    from airflow_provider_adgen.campaigns.briefs import Brief

LONGEST_KEY = 200
LONGEST_TITLE = 300
"""Characters of a product's title that go into ``meta``; a longer one ends with an ellipsis there."""

_SHOWN_COLUMNS = 40


class CatalogueRow(ShopProduct, Protocol):
    """
    A product as a plan needs it: the attributes of :data:`.filling.COLUMNS`, its line, and all other columns.

    It may have ``lacks``, too; see :class:`.Product`.
    """

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


def _options(brief: Brief, account: CampaignAccount) -> BriefOptions:
    """
    Return the fields that a brief names for one account.

    :raises InvalidRequest: the vendor does not have one of them.
    """
    given = {**brief.options.get(account.vendor.name, {}), **brief.options.get(account.conn_id, {})}
    known = option_names(account.vendor.recipes, brief.kind)
    unknown = sorted(name for name in given if known and name not in known)
    if unknown:
        raise InvalidRequest(
            f"Brief {brief.name!r}: options name {', '.join(unknown)} for {account}, which has no such field in a "
            f"request that makes {brief.kind}; there are: {', '.join(sorted(known))}. Nothing was sent."
        )
    return BriefOptions(given)


class _BriefWriter:
    """One brief, read once for all products."""

    def __init__(self, brief: Brief, accounts: Sequence[CampaignAccount]) -> None:
        self.brief = brief
        self.accounts = [(account, _options(brief, account)) for account in accounts]
        self.locales: list[tuple[str | None, BriefText, BriefText]] = [
            (locale, *brief.texts_of(locale)) for locale in brief.locales or (None,)
        ]
        self.formats: Sequence[str | None] = brief.formats or (None,)

    def columns(self) -> list[str]:
        """Return the columns that it names."""
        texts = [text for _, *both in self.locales for text in both]
        named = [*self.brief.where, *(name for text in texts for name in text.columns)]
        named += [name for _, options in self.accounts for name in options.columns]
        return [name for name in dict.fromkeys(named) if name not in (LOCALE, FORMAT)]

    def option_columns(self, choices: Iterable[DraftChoice]) -> list[str]:
        """Return the columns that its options name for the accounts of some choices."""
        conn_ids = {choice.conn_id for choice in choices}
        return [name for account, options in self.accounts if account.conn_id in conn_ids for name in options.columns]

    def wants(self, values: RowValues, *, lacking_is_empty: bool) -> bool:
        """Whether the brief is for this product."""
        return all(
            fnmatchcase(values.matching(column, lacking_is_empty=lacking_is_empty), glob)
            for column, glob in self.brief.where.items()
        )


class DraftMaker:
    """
    Makes drafts of products, and gathers what is in the way.

    :param briefs: what is to be made.
    :param accounts: who may make it, in order of preference.
    :param assumed: what to count where no price is documented.
    :param columns: the columns that the catalogue has; None where that is not known.
    :param read_as: ``read_as`` of the :class:`.Catalogue`.
    :raises InvalidRequest: two briefs have one name, or options name a field that the vendor does not have.
    """

    def __init__(
        self,
        briefs: Sequence[Brief],
        accounts: Sequence[CampaignAccount],
        assumed: Assumed,
        columns: Collection[str] | None = None,
        read_as: Mapping[str, str] | None = None,
    ) -> None:
        names = [brief.name for brief in briefs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidRequest(f"Two briefs are named {', '.join(twice)}; a name must be unique. Nothing was sent.")
        self._assumed = assumed
        self._known = None if columns is None else list(dict.fromkeys(("id", "title", *columns)))
        self._columns = frozenset(COLUMNS if self._known is None else {*self._known} & {*COLUMNS})
        self._read_as = {word.lower(): name for word, name in (read_as or {}).items()}
        self.problems, self.warnings = PlanProblems(), PlanWarnings()
        self._writers = [writer for brief in briefs if self._fits(writer := _BriefWriter(brief, accounts))]
        self.passed_over: dict[tuple[str, str, str], int] = {}
        """How many creatives an account cannot make although another can, by brief, account and reason."""
        for writer in self._writers:
            self.warnings.look_for(writer.brief.name, writer.brief.where)

    def _fits(self, writer: _BriefWriter) -> bool:
        """Whether the catalogue has all columns that a brief names; if not, that is a problem."""
        if self._known is None:
            return True
        missing = [name for name in writer.columns() if name not in self._known]
        here = {name: self._read_as[name.lower()] for name in missing if name.lower() in self._read_as}
        for name, field in here.items():
            told = f"brief {writer.brief.name!r} uses {_braced([name])}: it is {_braced([field])} here"
            self.problems.add(f"{told}, and {field!r} in where", "the catalogue")
        if unknown := [name for name in missing if name not in here]:
            more = ", ..." if len(self._known) > _SHOWN_COLUMNS else ""
            self.problems.add(
                f"brief {writer.brief.name!r} uses {_braced(unknown)}, which no row of it has; its columns are "
                f"{', '.join(self._known[:_SHOWN_COLUMNS])}{more}",
                "the catalogue",
            )
        return not missing

    def drafts(self, product: CatalogueRow) -> list[Draft]:
        """Return what could be made of a product; what nobody can make goes to the problems."""
        values = RowValues(product, self._columns)
        found: list[Draft] = []
        self.warnings.next_product()
        for writer in self._writers:
            try:
                # If some row has the column, where may be about just those that do.
                if writer.wants(values, lacking_is_empty=self._known is not None):
                    self.warnings.match(writer.brief.name)
                    found.extend(self._of_brief(writer, product, values))
                else:
                    self.warnings.no_match(writer.brief.name, values)
            except NoColumn as missing:
                column = "{" + missing.name + "}"
                self._refuse(writer, product, f"uses {column}, a column that this row does not have", [missing.name])
            values.pop(LOCALE, None)
            values.pop(FORMAT, None)
        return found

    def need_accounts(self, drafts: Iterable[Draft], out: Mapping[str, str]) -> None:
        """
        Refuse creatives that only accounts which take no part could make.

        :param drafts: what is to be made.
        :param out: accounts that take no part, with the reason.
        :raises InvalidRequest: naming them, with the reason of each account.
        """
        for draft in drafts:
            could = [one.conn_id for one in draft.choices]
            if all(conn_id in out for conn_id in could):
                name = draft.meta["brief"]
                reasons = {conn_id: f"it takes no part in this run: {out[conn_id]}" for conn_id in could}
                reasons |= {conn_id: reason for brief, conn_id, reason in self.passed_over if brief == name}
                why = "".join(f"\n    {conn_id}: {reason}" for conn_id, reason in reasons.items())
                self.problems.add(f"no account can make brief {name!r}:{why}", draft.key)
        self.problems.raise_if_any()

    def _refuse(self, writer: _BriefWriter, product: CatalogueRow, why: str, columns: Sequence[str]) -> None:
        filters = ", ".join(f'"{name}": "?*"' for name in columns if self._known and name in self._known)
        advice = f"; to leave such rows out: where={{{filters}}}" if filters else ""
        where = f"line {product.line} (product {product.id})"
        self.problems.add(f"brief {writer.brief.name!r} {why}{advice}", where)

    def _of_brief(self, writer: _BriefWriter, product: CatalogueRow, values: RowValues) -> Iterator[Draft]:
        brief = writer.brief
        for locale, prompt, script in writer.locales:
            if locale is not None:
                values[LOCALE] = locale
            for shape in writer.formats:
                if shape is not None:
                    values[FORMAT] = shape
                key = _key(product, brief, locale, shape)
                try:
                    stated = {
                        "prompt": prompt.filled(values),
                        "script": script.filled(values),
                        "format": shape,
                        "locale": locale,
                        "text_in_locale": prompt.in_locale or script.in_locale,
                    }
                except EmptyText as nothing:
                    self._refuse(writer, product, f"cannot be made: {nothing}", nothing.columns)
                    continue
                choices = self._choices(writer, product, values, stated, key)
                if not choices:
                    continue
                named = [*prompt.columns, *script.columns, *writer.option_columns(choices)]
                if empty := [name for name in dict.fromkeys(named) if not values[name]]:
                    self.warnings.empty(brief.name, empty, product.id, brief.count)
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
        self, writer: _BriefWriter, product: CatalogueRow, values: RowValues, stated: dict[str, Any], key: str
    ) -> tuple[DraftChoice, ...]:
        choices: list[DraftChoice] = []
        reasons: list[tuple[CampaignAccount, str]] = []
        for account, options in writer.accounts:
            try:
                own: dict[str, Any] = {"options": options.filled(values)}
            except EmptyText as empty:
                reasons.append((account, str(empty)))
                continue
            if options.in_locale:
                own["text_in_locale"] = True
            made = account.vendor.request_for(writer.brief.filled(**{**stated, **own}), product)
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
            if writer.brief.product_image == "if_possible" and (why := _why_no_picture(account, made)):
                self.warnings.without_picture(writer.brief.name, account.conn_id, why, product.id, writer.brief.count)
        name = writer.brief.name
        if not choices:
            why = "".join(f"\n    {account}: {reason}" for account, reason in reasons)
            self.problems.add(f"no account can make brief {name!r}:{why}", key)
        else:
            for account, reason in reasons:
                where = (name, account.conn_id, reason)
                self.passed_over[where] = self.passed_over.get(where, 0) + 1
        return tuple(choices)


def _why_no_picture(account: CampaignAccount, request: Mapping[str, Any]) -> str | None:
    """Return why a request has no picture of the product; None where it has one, or where that is not known."""
    for recipe in account.vendor.recipes:
        if recipe.request.kind == request["kind"] and not recipe.shows_product:
            if recipe.picture is None:
                return f"its request {recipe.request.kind} takes none"
            return None if recipe.picture in request else "the product has no image_link that begins with https://"
    return None


def _braced(names: Iterable[str]) -> str:
    return " and ".join("{" + name + "}" for name in names)


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


def need_prices(drafts: Iterable[Draft]) -> None:
    """
    Refuse drafts of which not every choice has a price.

    :raises InvalidRequest: naming the kinds and the accounts without one.
    """
    unknown: dict[str, set[str]] = {}
    for draft in drafts:
        for choice in draft.choices:
            if choice.credits is None:
                unknown.setdefault(choice.conn_id, set()).add(str(choice.request["kind"]))
    if unknown:
        names = ", ".join(f"{kind} at {conn_id}" for conn_id in sorted(unknown) for kind in sorted(unknown[conn_id]))
        of_kinds = {
            conn_id: ", ".join(f'"{kind}": ...' for kind in sorted(kinds)) for conn_id, kinds in sorted(unknown.items())
        }
        wanted = ", ".join(f'"{conn_id}": {{{kinds}}}' for conn_id, kinds in of_kinds.items())
        raise InvalidRequest(
            f"The price is not known: {names}. With max_credits, say in assume_credits how many credits to count for "
            f"one: {{{wanted}}}. The numbers only count against max_credits; what is paid is the vendor's price. "
            "Nothing was sent and nothing was charged."
        )
