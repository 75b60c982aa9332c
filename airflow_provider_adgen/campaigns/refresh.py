# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A campaign as a group of tasks: from a catalogue to creatives that are stored, shown and published."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import Asset, TaskGroup

from airflow_provider_adgen.campaigns.briefs import Brief
from airflow_provider_adgen.campaigns.checking import OUT, CheckAccountsOperator
from airflow_provider_adgen.campaigns.drafting import DraftCampaignOperator
from airflow_provider_adgen.campaigns.generating import GenerateCampaignOperator
from airflow_provider_adgen.campaigns.planning import ITEMS, PLAN, PlanCampaignOperator
from airflow_provider_adgen.campaigns.publishing import PublishCampaignOperator
from airflow_provider_adgen.campaigns.step import read_flag
from airflow_provider_adgen.campaigns.verdict import CampaignVerdictOperator
from airflow_provider_adgen.operators._option_values import one_of, refused_options, seconds, share_or_word

if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN = frozenset(
    {"task_id", "items", "destination", "conn_id", "plan", "vendor_ids", "is_dry_run", "dry_run", "task_group"}
)
_ENDS_ANYHOW = "all_done"


def campaign_asset(dag_id: str, group_id: str = "campaign") -> Asset:
    """
    Return the asset whose events say that a run of a campaign was published.

    :param dag_id: the campaign's DAG.
    :param group_id: its group of tasks.
    """
    return Asset(f"adgen_campaign.{dag_id}.{group_id}")


def creative_asset(dag_id: str, group_id: str = "campaign") -> Asset:
    """
    Return the asset whose events are about single creatives of a campaign with ``creative_events=True``.

    :param dag_id: the campaign's DAG.
    :param group_id: its group of tasks.
    """
    return Asset(f"adgen_creatives.{dag_id}.{group_id}")


def campaign_refresh(
    *,
    catalogue: Any,
    briefs: Sequence[Brief],
    accounts: Sequence[str],
    destination: str,
    group_id: str = "campaign",
    columns: Mapping[str, str] | str | None = None,
    currency: str | None = None,
    on_bad_row: Literal["fail", "skip"] = "fail",
    limit: int | str | None = None,
    max_credits: Any = None,
    assume_credits: Any = None,
    on_over_budget: Literal["fail", "trim"] = "fail",
    on_account_out: Literal["fail", "drop"] = "fail",
    reuse: bool = False,
    reuse_max_age: float | timedelta | None = None,
    review: bool = False,
    review_timeout: float | timedelta | None = None,
    dry_run: bool | str = False,
    gallery_url: str | None = None,
    fail_when: str | float = "any",
    creative_events: bool = False,
    **batch: Any,
) -> TaskGroup:
    """
    Add a campaign to the DAG: the tasks check, plan, generate, draft, review (if asked for), publish and verdict.

    Only generate pays, and each creative once: a retry, and a clear, go on with what has no result. It needs ``[adgen]
    ledger_path``.

    :param catalogue: the feed: a path or an object-storage path; see :func:`.read_catalogue`. Templated.
    :param briefs: what is to be made of each product. They are never rendered.
    :param accounts: the Airflow connections, in order of preference.
    :param destination: the campaign's folder, of its own: an object-storage path. Templated.
    :param group_id: the group's id; two campaigns in one DAG need two.
    :param columns: the shop's header words; see :func:`.read_catalogue`.
    :param currency: the code (ISO 4217) for prices that name none, as in Shopify's export.
    :param on_bad_row: what to do about rows that cannot be used: ``fail``, or ``skip`` them.
    :param limit: plan only so many products. Templated.
    :param max_credits: the most whole credits that a run may cost, over all tries: a number where there is one
        account, else ``{conn_id: number}``. Templated.
    :param assume_credits: what to count where no price is documented, in the same form; also ``{conn_id: {kind:
        number}}``. Templated.
    :param on_over_budget: what to do with what fits into no account: ``fail``, or ``trim``.
    :param on_account_out: when the vendor refuses an account, or it is known to have no credits: ``fail``, or ``drop``
        it and go on with the others.
    :param reuse: use creatives again that earlier runs made; the library is ``<destination>/_adgen/library``, unless
        ``library`` names another folder.
    :param reuse_max_age: seconds (or a timedelta) for which a creative is used again; None for any time.
    :param review: a person approves before anything is published; needs Airflow 3.1.
    :param review_timeout: seconds (or a timedelta) to wait for that person; None for any time. Without an answer
        nothing is published.
    :param dry_run: check and plan only: a flag, or a template of one. A word that is not clearly true or false is
        refused.
    :param gallery_url: the https address under which people reach ``destination``.
    :param fail_when: when the run fails, after everything else was stored; see :class:`.GenerateBatchOperator`.
    :param creative_events: send an event of :func:`creative_asset` for each creative that is published, at most 100 in
        a run; the manifest's event is sent in any case.
    :param batch: further arguments of :class:`.GenerateBatchOperator`, and of Airflow, for the task that generates.
        Any other name is refused.
    :raises InvalidRequest: an argument is wrong: the DAG is not imported.
    """
    from airflow_provider_adgen.campaigns.arguments import check_values
    from airflow_provider_adgen.campaigns.credits import check_names
    from airflow_provider_adgen.core.errors import InvalidRequest
    from airflow_provider_adgen.core.web_address import linkable

    given: Any = briefs
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, Brief) for one in briefs):
        raise InvalidRequest("briefs must be a list of briefs, and hold at least one.")
    names = [one.name for one in briefs]
    if len(set(names)) < len(names):
        raise InvalidRequest("Two briefs have the same name: a creative's key would not be unique.")
    given = accounts
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, str) for one in given):
        raise InvalidRequest('accounts must be a list of connections: ["adsumo_default"]. It is no template.')
    if not all(one.strip() and "{" not in one for one in accounts):
        raise InvalidRequest(f"accounts must name connections, and is no template: {list(accounts)!r:.80}.")
    if len(set(accounts)) < len(accounts):
        raise InvalidRequest("accounts names a connection twice.")
    for name, value in (("max_credits", max_credits), ("assume_credits", assume_credits)):
        if len(accounts) > 1 and isinstance(value, int):
            raise InvalidRequest(
                f"{name} must name the accounts, because there are several: {{conn_id: number}}. Credits of two "
                "accounts are never added up."
            )
        check_names(name, value, accounts, every=name == "max_credits")
    given = destination
    if not isinstance(given, str) or not given.strip():
        raise InvalidRequest("destination must be an object-storage path, or a template of one.")
    if catalogue is None or not str(catalogue).strip():
        raise InvalidRequest("catalogue must be the path of a feed, or a template of one.")
    if mine := sorted(_OWN & set(batch)):
        raise InvalidRequest(f"{', '.join(mine)} is what the campaign itself says to the batch.")
    if unknown := sorted(set(batch) - _arguments() if batch else ()):
        raise InvalidRequest(f"campaign_refresh has no argument {', '.join(map(repr, unknown))}.")
    _check_reading(columns, currency)
    if "library" in batch and not reuse:
        raise InvalidRequest("A library is used only with reuse=True.")
    if gallery_url is not None and not gallery_url.startswith(("https://", "{{")):
        raise InvalidRequest("gallery_url must begin with https://.")
    if gallery_url is not None and "{{" not in gallery_url and not linkable(gallery_url):
        raise InvalidRequest("gallery_url must hold no user, query or fragment: everybody who sees the task reads it.")
    with refused_options():
        one_of("on_account_out", on_account_out, ("fail", "drop"))
        one_of("on_over_budget", on_over_budget, ("fail", "trim"))
        one_of("on_bad_row", on_bad_row, ("fail", "skip"))
        one_of("reuse", reuse, (True, False))
        one_of("review", review, (True, False))
        one_of("creative_events", creative_events, (True, False))
        share_or_word("fail_when", fail_when, ("any", "all"))
        check_values(
            {**batch, "reuse_max_age": reuse_max_age},
            limit=limit,
            max_credits=max_credits,
            assume_credits=assume_credits,
        )
        if not isinstance(dry_run, str) or "{" not in dry_run:
            read_flag("dry_run", dry_run)
        longest = seconds("submit_timeout", batch.get("submit_timeout", 86400.0))
        longest += seconds("timeout", batch.get("timeout", 7200.0))
        answer_within = None if review_timeout is None else timedelta(seconds=seconds("review_timeout", review_timeout))
    if review_timeout is not None and not review:
        raise InvalidRequest("review_timeout needs review=True.")
    if reuse:
        if batch.get("library") is None:
            batch["library"] = f"{destination.rstrip('/')}/_adgen/library"
        elif not str(batch["library"]).strip():
            raise InvalidRequest("library is empty: leave it out for the one in the destination.")
        batch["reuse_max_age"] = reuse_max_age
    elif reuse_max_age is not None:
        raise InvalidRequest("reuse_max_age needs reuse=True.")

    if isinstance(assume_credits, Mapping):
        # The batch wants to be told of every account that it uses.
        assume_credits = {**{conn_id: {} for conn_id in accounts}, **assume_credits}
    common: dict[str, Any] = {"destination": destination, "is_dry_run": dry_run}
    with TaskGroup(group_id) as group:
        check = CheckAccountsOperator(
            task_id="check", accounts=accounts, on_account_out=on_account_out, longest=longest, **common
        )
        plan = PlanCampaignOperator(
            task_id="plan",
            catalogue=catalogue,
            briefs=briefs,
            accounts=list(accounts),
            out=_xcom(check, OUT),
            columns=columns,
            currency=currency,
            on_bad_row=on_bad_row,
            limit=limit,
            max_credits=max_credits,
            assume_credits=assume_credits,
            on_over_budget=on_over_budget,
            library=batch.get("library"),
            reuse_max_age=reuse_max_age,
            **common,
        )
        generate = GenerateCampaignOperator(
            task_id="generate",
            items=_xcom(plan, ITEMS),
            plan=_xcom(plan, PLAN),
            max_credits=max_credits,
            assume_credits=assume_credits,
            fail_when=fail_when,
            gallery_url=gallery_url,
            **common,
            **batch,
        )
        draft = DraftCampaignOperator(
            task_id="draft",
            generate_task_id=generate.task_id,
            gallery_url=gallery_url,
            trigger_rule=_ENDS_ANYHOW,
            **common,
        )
        approve = None
        if review:
            approve = _review_operator()(
                task_id="review",
                generate_task_id=generate.task_id,
                draft_task_id=draft.task_id,
                library=batch.get("library"),
                gallery_url=gallery_url,
                is_dry_run=dry_run,
                response_timeout=answer_within,
            )
        publish = PublishCampaignOperator(
            task_id="publish",
            generate_task_id=generate.task_id,
            draft_task_id=draft.task_id,
            review_task_id=approve.task_id if approve is not None else None,
            gallery_url=gallery_url,
            asset=campaign_asset(generate.dag_id, group.group_id or group_id),
            creative_asset=creative_asset(generate.dag_id, group.group_id or group_id) if creative_events else None,
            **common,
        )
        verdict = CampaignVerdictOperator(
            task_id="verdict",
            generate_task_id=generate.task_id,
            publish_task_id=publish.task_id,
            review_task_id=approve.task_id if approve is not None else None,
            plan_task_id=plan.task_id,
            trigger_rule=_ENDS_ANYHOW,
            **common,
        )
        check >> plan >> generate >> draft >> publish >> verdict
        if approve is not None:
            draft >> approve >> publish
    return group


@functools.cache
def _arguments() -> frozenset[str]:
    """Return the names of all arguments that the task which generates takes, Airflow's own included."""
    import inspect

    makers = [vars(one)["__init__"] for one in GenerateCampaignOperator.__mro__ if "__init__" in vars(one)]
    taken = [one for maker in makers for one in inspect.signature(maker).parameters.values()]
    return frozenset(one.name for one in taken if one.kind is one.KEYWORD_ONLY)


def _check_reading(columns: Any, currency: Any) -> None:
    """
    Check what says how the catalogue is read; neither is a template.

    :raises InvalidRequest: there are no such columns, or no such currency.
    """
    from airflow_provider_adgen.campaigns._feeds.columns import Columns
    from airflow_provider_adgen.campaigns._feeds.currencies import read_currency
    from airflow_provider_adgen.core.errors import InvalidRequest

    Columns(columns)
    try:
        read_currency(str(currency or ""))
    except ValueError as error:
        raise InvalidRequest(f"currency {error}.") from None


def _xcom(task: Any, key: str) -> Any:
    return task.output[key]


def _review_operator() -> Any:
    """
    Return the class of the step in which a person approves.

    :raises InvalidRequest: this Airflow has no such page.
    """
    from airflow_provider_adgen.core.errors import InvalidRequest

    try:
        from airflow_provider_adgen.campaigns.reviewing import ReviewCampaignOperator
    except Exception as error:  # a version of the standard provider without the module, or one that refuses Airflow 3.0
        raise InvalidRequest(f"review=True needs Airflow 3.1 or later ({error}). The DAG is not imported.") from None
    return ReviewCampaignOperator
