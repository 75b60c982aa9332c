# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The step of a campaign that pays: one batch over the planned items."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.step import stop_if_dry
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_adgen.campaigns.run_folder import RunFolder
    from airflow_provider_adgen.lifecycle.batch.options import BatchOptions

SENT = "items"
"""XCom with the path of the items that the batch was given."""


class GenerateCampaignOperator(GenerateBatchOperator):
    """
    Make the planned creatives of a campaign: :class:`.GenerateBatchOperator`, with its promise about money.

    Before the first intent it makes sure that each vendor knows the products that its requests are about, and keeps
    their ids for later runs. Items about a product that a vendor refuses go on with their other accounts. Where an
    account cannot be asked, the items that need it wait for a retry; all others are made, and what is paid for is
    collected. Creatives are stored in ``<destination>/<run>/``.

    :param items: the path of the planned items, a list of items, or an XComArg of either.
    :param destination: the campaign's folder.
    :param plan: the path of ``plan.json``, or an XComArg of it; it says which products the vendors must know. None
        where the items need none.
    :param vendor_ids: the folder that remembers the vendors' ids; by default the library, else
        ``<destination>/_adgen``.
    :param gallery_url: the https address under which people reach the campaign's destination.
    :param is_dry_run: make nothing; see :class:`.CampaignStep`.
    """

    template_fields: Sequence[str] = (
        *GenerateBatchOperator.template_fields,
        "plan",
        "vendor_ids",
        "gallery_url",
        "is_dry_run",
    )

    def __init__(
        self,
        *,
        plan: Any = None,
        vendor_ids: str | None = None,
        gallery_url: str | None = None,
        is_dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.vendor_ids = vendor_ids
        self.gallery_url = gallery_url
        self.is_dry_run = is_dry_run
        self._folder: RunFolder | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit, wait, store; return a summary of what became of the items."""
        with no_useless_retry():
            stop_if_dry(self.is_dry_run)
        return super().execute(context)

    def _options(self) -> BatchOptions:
        options = super()._options()
        return options if self._folder is None else replace(options, destination=self._folder.uri)

    def _run(self, context: Context, *, resumed: bool, event: dict[str, Any] | None = None) -> dict[str, Any]:
        from airflow_provider_adgen.campaigns.run_folder import RunFolder

        with no_useless_retry():
            self._folder = RunFolder(self.destination, context["ti"].run_id)
        return super()._run(context, resumed=resumed, event=event)

    def _prepare(self, context: Context) -> None:
        from airflow_provider_adgen.campaigns.run_folder import SENT_ITEMS, RunFolder, json_lines
        from airflow_provider_adgen.core.errors import InvalidRequest

        folder = RunFolder(self.destination, context["ti"].run_id)
        given = self.items if self._given is None else self._given[0]
        if not isinstance(given, str):
            if not isinstance(given, list | tuple):
                raise InvalidRequest(
                    f"items must be a list or the path of a file, not {given!r:.40}. Nothing was sent."
                )
            self.items, self._given = folder.write(SENT_ITEMS, json_lines(given)), None
        context["ti"].xcom_push(key=SENT, value=str(self.items))
        if self.plan:
            self._make_products_known(folder, str(self.plan), context)
            context["ti"].xcom_push(key=SENT, value=str(self.items))

    def _destination_urls(self) -> dict[str, str]:
        return {str(self.destination): self.gallery_url} if self.gallery_url else {}

    def _make_products_known(self, folder: RunFolder, plan_path: str, context: Context) -> None:
        """Put the vendors' own ids of products into the items, or why there are none; may be repeated."""
        from airflow_provider_adgen.campaigns.run_folder import SENT_ITEMS, json_lines, read_items, read_json
        from airflow_provider_adgen.campaigns.sent_before import SentBefore
        from airflow_provider_adgen.campaigns.vendor_ids import VendorIdMap
        from airflow_provider_adgen.campaigns.vendor_products import (
            AccountProducts,
            ensure_account_products,
            of_products,
            sendable,
        )
        from airflow_provider_adgen.core.briefs import products_of
        from airflow_provider_adgen.core.errors import InvalidRequest
        from airflow_provider_adgen.hooks.base import AdGenHook

        told = read_json(plan_path)
        if told is None:
            raise InvalidRequest(f"There is no plan at {plan_path}. Nothing was sent. Clear the task that plans.")
        items = read_items(str(self.items))
        # Between plan and this task, somebody may have left items out, or put others in.
        about: dict[str, set[str]] = {}
        for item in items:
            for choice in item.get("choices", ()):
                if products := products_of(choice["request"]):
                    about.setdefault(choice["conn_id"], set()).update(products.values())
        if not about:
            return
        library = getattr(self, "library", None)
        ids = VendorIdMap(self.vendor_ids or library or f"{str(self.destination).rstrip('/')}/_adgen")
        accounts = {conn_id: AdGenHook(conn_id).account() for conn_id in sorted(about)}
        known = {conn_id: AccountProducts(ids.read(account)) for conn_id, account in accounts.items()}
        vendors = {one["conn_id"]: one["vendor"] for one in told["accounts"]}
        for conn_id, needed in told["vendor_products"].items():
            if conn_id not in about:
                continue
            account = accounts[conn_id]
            found = ensure_account_products(
                vendors[conn_id],
                conn_id,
                of_products(needed, about[conn_id]),
                project=str(context["ti"].dag_id),
                known=known[conn_id].ids,
                doubted=ids.doubtful(account),
                remembered_in=ids.path(account),
                keep=functools.partial(ids.add, account),
            )
            known[conn_id] = found
        before = SentBefore(folder, context, on_clear=self.on_clear)
        for item in (one for one in items if "choices" in one):
            item["choices"] = [
                before.kept(item["key"], sendable(choice, known.get(choice["conn_id"], AccountProducts())), choice)
                for choice in item["choices"]
            ]
        self.items = folder.write(SENT_ITEMS, json_lines(items))
