# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The step of a campaign that pays: one batch over the planned items."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.step import read_flag, stop_if_dry
from airflow_provider_adgen.compat import AirflowNotFoundException
from airflow_provider_adgen.operators._option_values import Arguments
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

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit, wait, store; return a summary of what became of the items."""
        from airflow_provider_adgen.core.errors import InvalidRequest

        with contextlib.suppress(InvalidRequest):  # a flag that is not clear is one of the options that are wrong
            stop_if_dry(self.is_dry_run)
        return super().execute(context)

    def _options(self, context: Context) -> BatchOptions:
        options, arguments = super()._options(context), Arguments()
        arguments.read(False, read_flag, "dry_run", self.is_dry_run)
        destination = arguments.read(options.destination, lambda: self._folder(context).uri)
        return replace(options, destination=destination, problem=options.problem or arguments.problem)

    def _folder(self, context: Context) -> RunFolder:
        from airflow_provider_adgen.campaigns.run_folder import RunFolder

        return RunFolder(self.destination, context["ti"].run_id)

    def _destination_urls(self) -> dict[str, str]:
        return {str(self.destination): self.gallery_url} if self.gallery_url else {}

    def _items_of_try(self, context: Context) -> Any:
        """Return the items with the vendors' own ids of products in them, or with why there are none: as a path."""
        from airflow_provider_adgen.campaigns.run_folder import SENT_ITEMS, json_lines, read_items
        from airflow_provider_adgen.lifecycle.batch import items as batch_items

        given = super()._items_of_try(context)
        if isinstance(given, str):
            context["ti"].xcom_push(key=SENT, value=given)
            sent = self._with_vendor_products(read_items(given), context) if self.plan else None
            if sent is None:
                return given
        else:
            told = list(given) if isinstance(given, Iterable) else given
            if not isinstance(told, list) or len(batch_items.read_items(told, conn_id=self.conn_id or None)[1]):
                return told  # the batch says what is wrong with them
            sent = (self._with_vendor_products(told, context) if self.plan else None) or told
        self.items, self._given = self._folder(context).write(SENT_ITEMS, json_lines(sent)), None
        context["ti"].xcom_push(key=SENT, value=self.items)
        return self.items

    def _with_vendor_products(self, items: list[dict[str, Any]], context: Context) -> list[dict[str, Any]] | None:
        """
        Return items with the vendors' own ids of products, or with why there are none; may be repeated.

        None where no item needs one.
        """
        from airflow_provider_adgen.campaigns.run_folder import read_json
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

        told = read_json(str(self.plan))
        if told is None:
            raise InvalidRequest(f"There is no plan at {self.plan}. Nothing was sent. Clear the task that plans.")
        waiting = [item for item in items if any(products_of(one["request"]) for one in item.get("choices", ()))]
        if not waiting:
            return None
        if not all(item.get("key") for item in waiting):
            raise InvalidRequest("Items about products that a vendor must know need keys. Nothing was sent.")
        # Between plan and this task, somebody may have left items out, or put others in.
        about: dict[str, set[str]] = {}
        for choice in (one for item in waiting for one in item["choices"]):
            if products := products_of(choice["request"]):
                about.setdefault(choice["conn_id"], set()).update(products.values())
        ids = VendorIdMap(self.vendor_ids or self.library or f"{str(self.destination).rstrip('/')}/_adgen")
        try:
            accounts = {conn_id: AdGenHook(conn_id).account() for conn_id in sorted(about)}
        except AirflowNotFoundException as error:
            raise InvalidRequest(f"{error}. Nothing was sent.") from None
        known = {conn_id: AccountProducts(ids.read(account)) for conn_id, account in accounts.items()}
        vendors = {one["conn_id"]: one["vendor"] for one in told["accounts"]}
        for conn_id, account in accounts.items():
            if conn_id not in told["vendor_products"]:
                continue
            known[conn_id] = ensure_account_products(
                vendors[conn_id],
                conn_id,
                of_products(told["vendor_products"][conn_id], about[conn_id]),
                project=str(context["ti"].dag_id),
                known=known[conn_id].ids,
                doubted=ids.doubtful(account),
                remembered_in=ids.path(account),
                keep=functools.partial(ids.add, account),
            )
        before = SentBefore(context, on_clear=self.on_clear)
        for item in waiting:
            item["choices"] = [
                before.kept(item["key"], sendable(choice, known.get(choice["conn_id"], AccountProducts())), choice)
                for choice in item["choices"]
            ]
        return items
