# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which creatives of a plan are in the library already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import products_of, waits_for, with_vendor_ids
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger.library import library_identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.campaigns.vendor_ids import VendorIdMap
    from airflow_provider_adgen.campaigns.vendor_products import VendorIds
    from airflow_provider_adgen.core.identity import CreativeIdentity
    from airflow_provider_adgen.ledger.library import Library


class Identities:
    """
    The identities of a plan's creatives.

    A request about a product that the vendor does not know yet has none: nothing was made of it.

    :param ids: the vendors' own ids of products.
    """

    def __init__(self, ids: VendorIdMap) -> None:
        self._ids = ids
        self._hooks: dict[str, AdGenHook] = {}
        self._known: dict[str, VendorIds] = {}

    def of(self, key: str, choice: Mapping[str, Any]) -> CreativeIdentity | None:
        """Return the identity of an item at one of its choices; None where it can have none."""
        conn_id, request = choice["conn_id"], choice["request"]
        hook = self._hooks.setdefault(conn_id, AdGenHook(conn_id))
        if products_of(request):
            if conn_id not in self._known:
                self._known[conn_id] = self._ids.read(hook.account())
            if waits_for(request, self._known[conn_id]):
                return None
            request = with_vendor_ids(request, self._known[conn_id])
        return library_identity(key, hook.vendor.parse_request(request), hook.account())


class MadeBefore:
    """
    Answers a plan from a library, by names alone: before anything is paid for, the batch looks at the files, too.

    :param library: the library.
    :param ids: the vendors' own ids of products.
    """

    def __init__(self, library: Library, ids: VendorIdMap) -> None:
        self._library = library
        self._identities = Identities(ids)

    def lookup(self, items: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """
        Return which of some items were made before, by key, with the number of the choice that made each, from 0.

        :param items: batch items, with all their choices.
        :raises LibraryUnavailable: it cannot be read; that never means "absent". A retry may help.
        """
        wanted = {
            (item["key"], number): identity
            for item in items
            for number, choice in enumerate(item["choices"])
            if (identity := self._identities.of(item["key"], choice)) is not None
        }
        found = self._library.lookup(wanted.values(), check_files=False)
        made: dict[str, int] = {}
        for (key, number), identity in wanted.items():
            if key not in made and found[identity].usable:
                made[key] = number
        return made
