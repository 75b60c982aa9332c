# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Remembers which ids the vendors gave to a shop's products, so that no run makes them again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.run_folder import read_json
from airflow_provider_adgen.core.clock import SYSTEM, Clock
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.identity import digest
from airflow_provider_adgen.core.scrub import reason, scrub
from airflow_provider_adgen.ledger.objects import create_object

if TYPE_CHECKING:
    from airflow_provider_adgen.core.account import Account

VendorIds = dict[str, dict[str, str]]
"""
For each of the shop's ids the vendor's ids, by the name of the request's field: ``product_id``, ``project_id``; and
what the vendor's product was ``found_by``.
"""


YOUNG = 600.0
"""Seconds for which an id is not doubted: a vendor's list may be behind."""


class VendorIdMap:
    """
    The ids by account, one file for each below ``<base>/vendor_products/``.

    Two runs that write at once may lose what one of them wrote: it is then found in the vendor's list again.

    :param base: a folder: the library, or one that all runs of the campaign share.
    :param clock: time, injected.
    """

    def __init__(self, base: str, clock: Clock = SYSTEM) -> None:
        self._base = base.rstrip("/")
        self._clock = clock

    def _file(self, account: Account) -> tuple[str, str]:
        mark = digest([account.vendor, account.host, account.conn_id])[:32]
        return f"{self._base}/vendor_products", f"{mark}.json"

    def read(self, account: Account) -> VendorIds:
        """
        Return what is known at an account.

        :raises AdGenError: it cannot be read. A retry may help.
        """
        products: VendorIds = self._load(account).get("products", {})
        return products

    def path(self, account: Account) -> str:
        """Return the path of an account's file."""
        return "/".join(self._file(account))

    def _load(self, account: Account) -> dict[str, Any]:
        return read_json(self.path(account)) or {}

    def doubtful(self, account: Account) -> set[str]:
        """
        Return the products whose ids have been known for a while: the vendor may have lost them meanwhile.

        :raises AdGenError: it cannot be read. A retry may help.
        """
        told = self._load(account)
        until = self._clock.now() - YOUNG
        return {product for product in told.get("products", {}) if told.get("since", {}).get(product, 0.0) < until}

    def add(self, account: Account, ids: VendorIds) -> None:
        """
        Remember ids.

        :raises AdGenError: they cannot be written. A retry may help, and makes no product again.
        """
        told = self._load(account)
        known = told.get("products", {})
        new = [product for product, one in ids.items() if known.get(product) != one]
        if not new:
            return
        since = {**told.get("since", {}), **dict.fromkeys(new, self._clock.now())}
        folder, name = self._file(account)
        text = json.dumps({"schema": 1, "conn_id": account.conn_id, "products": {**known, **ids}, "since": since})
        try:
            from airflow.sdk import ObjectStoragePath

            place = ObjectStoragePath(folder)
            create_object(place.fs, str(place.path), name, text.encode())
        except Exception as error:  # whatever the storage or its connection raises
            raise AdGenError(f"{scrub(folder)} cannot be written ({reason(error)}). Nothing was charged.") from None
