# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which creatives of a plan are in the library already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import shop_ids
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger.library import library_identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.core.identity import CreativeIdentity
    from airflow_provider_adgen.ledger.library import Library


class Identities:
    """The identities of a plan's creatives, before and after the vendors' own ids of products are in its requests."""

    def __init__(self) -> None:
        self._hooks: dict[str, AdGenHook] = {}

    def of(self, key: str, choice: Mapping[str, Any]) -> CreativeIdentity:
        """Return the identity of an item at one of its choices."""
        conn_id, request = choice["conn_id"], choice["request"]
        hook = self._hooks.setdefault(conn_id, AdGenHook(conn_id))
        request = {**request, **shop_ids(request), **choice.get("reuse_as", {})}
        return library_identity(key, hook.vendor.parse_request(request), hook.account())


class MadeBefore:
    """
    Answers a plan from a library, by names alone: before anything is paid for, the batch looks at the files, too.

    :param library: the library.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._identities = Identities()

    def lookup(self, items: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """
        Return which of some items were made before, by key, with the number of the choice that made each, from 0.

        :param items: batch items, with all their choices.
        :raises LibraryUnavailable: it cannot be read; that never means "absent". A retry may help.
        """
        wanted = [
            (item["key"], [self._identities.of(item["key"], choice) for choice in item["choices"]]) for item in items
        ]
        found = self._library.lookup((one for _, choices in wanted for one in choices), check_files=False)
        made = ((key, next((n for n, one in enumerate(choices) if found[one].usable), None)) for key, choices in wanted)
        return {key: number for key, number in made if number is not None}
