# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The second step of a campaign: what is to be made, by whom and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_adgen.campaigns.step import CampaignStep, StoringStep, read_flag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_provider_adgen.campaigns.briefs import Brief
    from airflow_provider_adgen.campaigns.run_folder import RunFolder

ITEMS = "items"
"""XCom with the path of the planned items."""
PLAN = "plan"
"""XCom with the path of ``plan.json``."""

_SHOWN_PROBLEMS = 100
_SHOWN_REASONS = 20


class PlanCampaignOperator(StoringStep):
    """
    Read the catalogue and plan a campaign. Nothing is sent to a vendor and nothing is charged.

    Writes ``plan.json`` (what would be made or reused, by whom, for how much) and ``items.jsonl`` (the items of the
    batch) to ``<destination>/<run>/``. Returns their paths and the sums; the XComs ``items`` and ``plan`` have the
    paths. Briefs are never rendered by Airflow.

    :param catalogue: the feed: a path of this machine, or an object-storage path; see :func:`.read_catalogue`.
    :param briefs: what is to be made of each product.
    :param accounts: the Airflow connections, in order of preference.
    :param out: those of them that take no part, with the reason: they make nothing new, and what they made before is
        used again.
    :param columns: the shop's header words; see :func:`.read_catalogue`.
    :param currency: the code (ISO 4217) for prices that name none.
    :param on_bad_row: what to do about rows that cannot be used: ``fail``, or ``skip`` them.
    :param limit: plan only so many products.
    :param max_credits: the most whole credits to plan: a number where there is one account, else ``{conn_id: number}``.
    :param assume_credits: what to count where no price is documented; see :func:`.plan_campaign`.
    :param on_over_budget: what to do with what fits into no account: ``fail``, or ``trim``.
    :param library: a folder that remembers what was made; what is in it is used again and costs nothing.
    :param reuse_max_age: seconds (or a timedelta) for which a creative is used again.
    :raises AirflowFailException: an argument, the catalogue or a brief is wrong, or it costs too much.
    :raises AdGenError: catalogue or library could not be read. A retry may help, and costs nothing.
    """

    template_fields: Sequence[str] = (
        *CampaignStep.template_fields,
        "catalogue",
        "accounts",
        "out",
        "limit",
        "max_credits",
        "assume_credits",
        "library",
    )
    in_dry_run = True

    def __init__(
        self,
        *,
        catalogue: Any,
        briefs: Sequence[Brief],
        accounts: Any,
        out: Any = None,
        columns: Mapping[str, str] | str | None = None,
        currency: str | None = None,
        on_bad_row: Literal["fail", "skip"] = "fail",
        limit: int | str | None = None,
        max_credits: Any = None,
        assume_credits: Any = None,
        on_over_budget: Literal["fail", "trim"] = "fail",
        library: str | None = None,
        reuse_max_age: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.catalogue = catalogue
        self.briefs = briefs
        self.accounts = accounts
        self.out = out
        self.columns = columns
        self.currency = currency
        self.on_bad_row = on_bad_row
        self.limit = limit
        self.max_credits = max_credits
        self.assume_credits = assume_credits
        self.on_over_budget = on_over_budget
        self.library = library
        self.reuse_max_age = reuse_max_age

    def do(self, context: Context) -> dict[str, Any]:
        """Read, plan, write down."""
        from airflow_provider_adgen.campaigns.catalogue import read_catalogue
        from airflow_provider_adgen.campaigns.plan import plan_campaign
        from airflow_provider_adgen.campaigns.run_folder import ITEMS as ITEMS_FILE
        from airflow_provider_adgen.campaigns.run_folder import PLAN as PLAN_FILE
        from airflow_provider_adgen.campaigns.run_folder import RunFolder, json_lines, pretty
        from airflow_provider_adgen.core.errors import InvalidRequest
        from airflow_provider_adgen.delivery.places import check_destination
        from airflow_provider_adgen.ledger.library import Library

        folder = RunFolder(self.destination, context["ti"].run_id)
        if self.library is not None:
            check_destination(str(self.library), "library")
        run = self._own_run(context, folder)
        columns: Any = self.columns
        catalogue = read_catalogue(self.catalogue, columns=columns, on_bad_row=self.on_bad_row, currency=self.currency)
        plan = plan_campaign(
            catalogue.products,
            self.briefs,
            self.accounts,
            max_credits=self.max_credits,
            assume_credits=self.assume_credits,
            on_over_budget=self.on_over_budget,
            limit=self.limit,
            columns=catalogue.columns,
            read_as=catalogue.read_as,
            out=self.out,
            library=None if self.library is None else Library(str(self.library), reuse_max_age=self.reuse_max_age),
        )
        if not plan.items:
            why = "nothing fits into max_credits" if plan.trimmed else "no product of the catalogue has a brief"
            reasons = "".join(f"\n  {one}" for one in plan.warnings[:_SHOWN_REASONS])
            raise InvalidRequest(f"Nothing is planned: {why}. Nothing was sent and nothing was charged.{reasons}")
        dry = read_flag("dry_run", self.is_dry_run)
        warnings = [*plan.warnings, *catalogue.warnings]
        read = {
            "products": len(catalogue.products),
            "problems": catalogue.problems[:_SHOWN_PROBLEMS],
            "problem_count": len(catalogue.problems),
            "bad_rows": catalogue.bad_rows,
            "warnings": warnings[:_SHOWN_PROBLEMS],
            "warning_count": len(warnings),
        }
        told = {
            **plan.to_dict(),
            "run": run,
            "dry_run": dry,
            "catalogue": read,
            "vendor_products": plan.vendor_products,
        }
        items = folder.write(ITEMS_FILE, json_lines(plan.items))
        path = folder.write(PLAN_FILE, pretty(told))
        self._read, self._written = [str(self.catalogue)], [path, items]
        for key, value in ((ITEMS, items), (PLAN, path)):
            context["ti"].xcom_push(key=key, value=value)
        if dry:
            self.log.info("This is a dry run. %s says what would be made.", path)
        return {
            "plan": path,
            "items": items,
            "count": len(plan.items),
            "reused": len(plan.reused),
            "trimmed": len(plan.trimmed),
            "left_out": {"rows": catalogue.bad_rows, "creatives": len(plan.trimmed)},
            "credits": {one.conn_id: one.credits for one in plan.accounts.values()},
            "dry_run": dry,
        }

    def _own_run(self, context: Context, folder: RunFolder) -> dict[str, Any]:
        """
        Return what identifies the run.

        :raises InvalidRequest: another campaign uses the same folder.
        """
        from airflow_provider_adgen.campaigns.run_folder import PLAN as PLAN_FILE
        from airflow_provider_adgen.campaigns.run_folder import read_json
        from airflow_provider_adgen.core.errors import InvalidRequest
        from airflow_provider_adgen.lifecycle.task_facts import TaskFacts

        identity = TaskFacts.of(context).identity
        run = {
            "dag_id": identity.dag_id,
            "run_id": identity.run_id,
            "task_id": identity.task_id,
            "map_index": identity.map_index,
        }
        before = read_json(folder.uri_of(PLAN_FILE))
        if before is not None and before.get("run") != run:
            other = before.get("run") or {}
            raise InvalidRequest(
                f"{folder.uri} holds the plan of another campaign: run {other.get('run_id')} of task "
                f"{other.get('task_id')} of DAG {other.get('dag_id')}. Each campaign needs a destination of its own. "
                "Nothing was sent and nothing was charged."
            )
        return run
