# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a campaign: which creatives are to be made, by whom and for how much. It sends nothing to a vendor."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_adgen.campaigns.briefs import Brief
from airflow_provider_adgen.campaigns.credits import AccountPlan, CampaignAccount, read_assumed, read_max_credits
from airflow_provider_adgen.campaigns.drafts import CatalogueRow, Draft, DraftChoice, DraftMaker, need_prices
from airflow_provider_adgen.core.briefs import PRODUCT_ARGUMENTS, products_of
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.wording import counted

if TYPE_CHECKING:
    from airflow_provider_adgen.core.vendor import Vendor
    from airflow_provider_adgen.ledger.library import Library

log = logging.getLogger(__name__)

_OVER_BUDGET = ("fail", "trim")
_SHOWN = 5
_SHOWN_WARNINGS = 20


class LibraryLookup(Protocol):
    """What was made before and is still there."""

    def lookup(self, items: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        """
        Return which of some items were made before, by key, with the number of the choice that made each, from 0.

        :param items: batch items, with all their choices.
        """


@dataclass(frozen=True)
class Plan:
    """
    What a campaign is to make.

    :param items: items for a batch, the highest priority first: ``{"key", "choices", "meta"}``. The first choice is the
        one that is planned; the others are for the case that it fails.
    :param accounts: what each account has to do, by connection.
    :param credits: by key what the planned choice costs; 0 for what is reused, None where no price is known.
    :param reused: by key the account that made it before, for what is used again.
    :param trimmed: what is left out because it fits into no account's ``max_credits``: ``{"key", "reason"}``.
    :param passed_over: accounts that cannot make a brief that another one makes:
        ``{"brief", "conn_id", "reason", "items"}``.
    :param vendor_products: by connection the products that the vendor itself must know before anything is sent:
        ``{"fields": [...], "project_id": ..., "products": {<shop's id>: <arguments of ensure_product>},
        "other_links": [...]}``. ``fields`` are those of the requests that wait for the vendor's ids; ``other_links``
        are those of the other products. See :func:`.vendor_products.ensure_vendor_products`.
    :param warnings: what a person should know: briefs that no product is for, and texts that name a column which is
        empty for a product; one sentence each.
    """

    items: list[dict[str, Any]]
    accounts: dict[str, AccountPlan]
    credits: dict[str, int | None] = field(default_factory=dict)
    reused: dict[str, str] = field(default_factory=dict)
    trimmed: list[dict[str, str]] = field(default_factory=list)
    passed_over: list[dict[str, Any]] = field(default_factory=list)
    vendor_products: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return what would be made, by whom and for how much, as JSON; without the requests."""
        return {
            "schema": 1,
            "accounts": [asdict(account) for account in self.accounts.values()],
            "items": [
                {
                    "key": item["key"],
                    "conn_id": self.reused.get(item["key"], item["choices"][0]["conn_id"]),
                    "kind": item["choices"][0]["request"]["kind"],
                    "credits": self.credits[item["key"]],
                    "reused": item["key"] in self.reused,
                    "meta": item["meta"],
                }
                for item in self.items
            ],
            "trimmed": self.trimmed,
            "passed_over": self.passed_over,
        }


def plan_campaign(
    products: Iterable[CatalogueRow],
    briefs: Sequence[Brief],
    accounts: Sequence[str],
    *,
    max_credits: Any = None,
    assume_credits: Any = None,
    on_over_budget: str = "fail",
    limit: int | str | None = None,
    library: LibraryLookup | Library | str | os.PathLike[str] | None = None,
    columns: Collection[str] | None = None,
    read_as: Mapping[str, str] | None = None,
    vendors: Mapping[str, Vendor] | None = None,
    out: Mapping[str, str] | None = None,
) -> Plan:
    """
    Plan a campaign: product x brief x locale x format x count.

    Nothing is sent to a vendor and nothing is charged. Each creative has the key
    ``<product id>/<brief>[/<locale>][/<format as 1x1>][/<number>]``; the number is there where ``count`` is more than
    1. In order of priority, each gets the first account that has room in ``max_credits``; the accounts after that stay
    for the case that it fails, but for those whose ``max_credits`` is less than its price.

    :param products: the rows of the catalogue.
    :param briefs: what is to be made of each.
    :param accounts: connections, in order of preference.
    :param max_credits: the most whole credits to plan: a number where there is one account, else
        ``{conn_id: number}``. What is reused costs nothing, so an account with 0 makes nothing new.
    :param assume_credits: what to count for a generation without a documented price: a number where there is one
        account, else ``{conn_id: number}`` or ``{conn_id: {kind: number}}``.
    :param on_over_budget: what to do with what fits into no account: ``fail``, or ``trim``, which leaves it out; the
        lowest priority is left out first.
    :param limit: plan only so many products: the first for which there is a brief.
    :param library: what was made before: the folder (an object-storage path), a :class:`.Library`, or what else answers
        to ``lookup`` for items.
    :param columns: ``columns`` of the :class:`.Catalogue`: a brief that names another one is refused, and in ``where``
        a column that a row lacks counts as empty. None: only the rows tell which columns there are.
    :param read_as: ``read_as`` of the :class:`.Catalogue`: the error about a header word that was read into a field
        names the field.
    :param vendors: the vendor of each account, where it is known already; by default the connection's type tells it.
    :param out: accounts that take no part, with the reason. They make nothing new. What they made before is used again,
        and kept where a run is planned anew: their choices stand behind the others, and cannot be sent.
    :raises InvalidRequest: an argument is wrong, a creative can be made by no account, a text uses a column that a row
        does not have, a key is not unique or too long, a price is not known, or it does not fit into ``max_credits``.
        A retry does not help.
    """
    if on_over_budget not in _OVER_BUDGET:
        raise InvalidRequest(f"on_over_budget must be one of {', '.join(_OVER_BUDGET)}. Nothing was sent.")
    if not isinstance(briefs, list | tuple) or not briefs or not all(isinstance(one, Brief) for one in briefs):
        raise InvalidRequest("briefs must be a list of briefs, and hold at least one. Nothing was sent.")
    known = _accounts(accounts, vendors)
    limits = read_max_credits(max_credits, known)
    maker = DraftMaker(briefs, known, read_assumed(assume_credits, known), columns, read_as)
    drafts, rows = _all_drafts(maker, products, _read_limit(limit))
    maker.problems.raise_if_any()
    drafts.sort(key=lambda draft: -draft.priority)  # stable: the catalogue's order within a priority

    plans = {
        one.conn_id: AccountPlan(
            one.conn_id,
            one.vendor.name,
            max_credits=(limits or {}).get(one.conn_id),
            out=(out or {}).get(one.conn_id),
        )
        for one in known
    }
    made = _lookup_in(library).lookup(_Items(drafts)) if library is not None else {}
    if limits is not None:
        need_prices(draft for draft in drafts if draft.key not in made)
    maker.need_accounts((draft for draft in drafts if draft.key not in made), out or {})
    plan = Plan(
        items=[],
        accounts=plans,
        passed_over=[
            {"brief": brief, "conn_id": conn_id, "reason": reason, "items": count}
            for (brief, conn_id, reason), count in maker.passed_over.items()
        ],
        warnings=maker.warnings.told(),
    )
    for draft in drafts:
        if draft.key in made:
            _reuse(plan, draft, made[draft.key])
        else:
            _give(plan, draft)
    if plan.trimmed and on_over_budget == "fail":
        raise InvalidRequest(_over_budget(plan))
    _add_vendor_products(plan, rows)
    _log(plan)
    return plan


def _accounts(accounts: Sequence[str], vendors: Mapping[str, Vendor] | None) -> list[CampaignAccount]:
    if isinstance(accounts, str) or not accounts:
        raise InvalidRequest('accounts must be a list of connections: ["adsumo_default"]. Nothing was sent.')
    if len(set(accounts)) < len(accounts):
        raise InvalidRequest("accounts names a connection twice. Nothing was sent.")
    given = vendors or {}
    return [
        CampaignAccount(conn_id, given[conn_id] if conn_id in given else _vendor_of(conn_id)) for conn_id in accounts
    ]


def _vendor_of(conn_id: str) -> Vendor:
    from airflow_provider_adgen.hooks.base import AdGenHook

    return AdGenHook(conn_id).vendor


def _lookup_in(library: LibraryLookup | Library | str | os.PathLike[str]) -> LibraryLookup:
    from airflow_provider_adgen.campaigns.made_before import MadeBefore
    from airflow_provider_adgen.ledger.library import Library

    return MadeBefore.of(library) if isinstance(library, str | os.PathLike | Library) else library


def _read_limit(limit: int | str | None) -> int | None:
    if limit is None or not str(limit).strip():
        return None
    number = int(str(limit)) if str(limit).strip().isdecimal() else 0
    if number < 1:
        none = ". A template of None renders the word None: write {{ ... or '' }}" if limit == "None" else ""
        raise InvalidRequest(f"limit must be a whole number of products, at least 1{none}. Nothing was sent.")
    return number


def _all_drafts(
    maker: DraftMaker, products: Iterable[CatalogueRow], limit: int | None
) -> tuple[list[Draft], dict[str, CatalogueRow]]:
    """Return all drafts, and the products that they are of, by id."""
    found: list[Draft] = []
    rows: dict[str, CatalogueRow] = {}
    keys: set[str] = set()
    for product in products:
        if limit is not None and len(rows) >= limit:
            break
        drafts = maker.drafts(product)
        if not drafts:
            continue
        before = len(keys)
        keys.update(draft.key for draft in drafts)
        if len(keys) - before < len(drafts):
            first = rows.get(product.id)
            twice = f"the id is already used on line {first.line}" if first else "its keys are those of another product"
            maker.problems.add(f"{twice}; each creative needs a key of its own", f"line {product.line} ({product.id})")
        rows.setdefault(product.id, product)
        found += drafts
    return found, rows


def _item(draft: Draft, choices: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"key": draft.key, "choices": list(choices), "meta": draft.meta}


def _choice(choice: DraftChoice, account: AccountPlan) -> dict[str, Any]:
    """Return a choice as a batch takes it; that of an account that takes no part cannot be sent."""
    if account.out is None:
        return choice.to_dict()
    why = f"Connection {account.conn_id!r} takes no part in this run: {account.out}"
    return {**choice.to_dict(), "obstacle": {"reason": why, "moves": True, "retry_helps": False}}


class _Items(Sequence[dict[str, Any]]):
    """The items of drafts, each made when it is looked at: all of them together take as much as the drafts."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self._drafts = drafts

    def __len__(self) -> int:
        return len(self._drafts)

    def __getitem__(self, index: Any) -> Any:
        some = self._drafts[index]
        if isinstance(index, slice):
            return _Items(some)
        return _item(some, (choice.to_dict() for choice in some.choices))


def _reuse(plan: Plan, draft: Draft, number: int) -> None:
    choice = draft.choices[number]
    account = plan.accounts[choice.conn_id]
    account.reused += 1
    account.reused_credits += choice.credits or 0
    plan.items.append(_item(draft, (_choice(one, plan.accounts[one.conn_id]) for one in draft.choices)))
    plan.credits[draft.key] = 0
    plan.reused[draft.key] = choice.conn_id


def _give(plan: Plan, draft: Draft) -> None:
    able = [one for one in draft.choices if plan.accounts[one.conn_id].out is None]
    for number, choice in enumerate(able):
        account = plan.accounts[choice.conn_id]
        if account.has_room(choice.credits):
            account.take(choice.credits)
            later = [one for one in able[number + 1 :] if plan.accounts[one.conn_id].allows(one.credits)]
            # By these an earlier try of this run may have made it.
            others = [one for one in draft.choices if plan.accounts[one.conn_id].out is not None]
            told = [_choice(one, plan.accounts[one.conn_id]) for one in (choice, *later, *others)]
            plan.items.append(_item(draft, told))
            plan.credits[draft.key] = choice.credits
            return
    reasons = []
    for choice in able:
        account = plan.accounts[choice.conn_id]
        reasons.append(
            f"{choice.conn_id}: it costs {choice.credits}, and {account.credits} of {account.max_credits} credits are "
            "planned already"
        )
    plan.trimmed.append({"key": draft.key, "reason": "; ".join(reasons)})


def _over_budget(plan: Plan) -> str:
    first = ", ".join(one["key"] for one in plan.trimmed[:_SHOWN])
    more = f" and {len(plan.trimmed) - _SHOWN} more" if len(plan.trimmed) > _SHOWN else ""
    used = ", ".join(f"{one.conn_id} {one.credits} of {one.max_credits}" for one in plan.accounts.values())
    return (
        f"{len(plan.trimmed)} of {len(plan.trimmed) + len(plan.items)} creatives do not fit into max_credits: {first}"
        f"{more}. Credits planned for the others: {used}. Raise max_credits, plan fewer (limit, where, count), or let "
        'the plan leave them out with on_over_budget="trim". Nothing was sent and nothing was charged.'
    )


def _add_vendor_products(plan: Plan, rows: Mapping[str, CatalogueRow]) -> None:
    for item in plan.items:
        made_by = plan.reused.get(item["key"])
        for choice in item["choices"]:
            waiting = products_of(choice["request"])
            # Who made it before makes it again where its files turn out to be gone.
            if not waiting or made_by not in (None, choice["conn_id"]) or "obstacle" in choice:
                continue
            project = choice["request"].get("project_id") if "project_id" not in waiting else None
            needed = plan.vendor_products.setdefault(
                choice["conn_id"], {"fields": sorted(waiting), "project_id": project, "products": {}}
            )
            if needed["project_id"] != project:
                raise InvalidRequest(
                    f"The briefs name two projects for {choice['conn_id']}: {needed['project_id'] or 'none'} and "
                    f"{project or 'none'}. Name one project_id in all of its options. Nothing was sent."
                )
            for product_id in waiting.values():
                row = rows[product_id]
                needed["products"][product_id] = {
                    argument: value for argument, name in PRODUCT_ARGUMENTS.items() if (value := getattr(row, name))
                }
    for needed in plan.vendor_products.values():
        needed["other_links"] = [one.link for name, one in rows.items() if one.link and name not in needed["products"]]


def _log(plan: Plan) -> None:
    for account in plan.accounts.values():
        unpriced = f", {account.unpriced} of them without a known price" if account.unpriced else ""
        log.info(
            "Planned for %s: %s for %s%s; %d reused.",
            account.conn_id,
            counted(account.items, "creative"),
            counted(account.credits, "credit"),
            unpriced,
            account.reused,
        )
    for one in plan.passed_over:
        log.info(
            "%s does not make %s of brief %s: %s.",
            one["conn_id"],
            counted(one["items"], "creative"),
            one["brief"],
            one["reason"],
        )
    for sentence in plan.warnings[:_SHOWN_WARNINGS]:
        log.warning("%s%s.", sentence[0].upper(), sentence[1:])
    if len(plan.warnings) > _SHOWN_WARNINGS:
        log.warning("There are %d more warnings of the plan.", len(plan.warnings) - _SHOWN_WARNINGS)
    if plan.trimmed:
        log.warning("Left out, because max_credits has no room: %s.", counted(len(plan.trimmed), "creative"))
