# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which creatives of a plan are in the library already."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import shop_ids
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.ledger.library import Library, library_identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.core.identity import CreativeIdentity

log = logging.getLogger(__name__)


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
    Answers a plan from a library: what is in it and still stored. The batch looks again before anything is paid for.

    :param library: the library.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._identities = Identities()

    @classmethod
    def of(cls, library: Library | str | os.PathLike[str]) -> MadeBefore:
        """Return what answers from a library, or from the one in a folder."""
        opened = library if isinstance(library, Library) else Library(str(library))
        return cls(opened)

    def lookup(self, items: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """
        Return which of some items were made before, by key, with the number of the choice that made each, from 0.

        An item whose entry, or a file of it, cannot be read was perhaps made: it is not among them, and a warning says
        so. The batch stops it, unless it can be read then.

        :param items: batch items, with all their choices.
        :raises LibraryUnavailable: it cannot be read; that never means "absent". A retry may help.
        """
        wanted = [
            (item["key"], [self._identities.of(item["key"], choice) for choice in item["choices"]]) for item in items
        ]
        found = self._library.lookup((one for _, choices in wanted for one in choices), keep_entries=False)
        made: dict[str, int] = {}
        unread: dict[str, str] = {}
        for key, choices in wanted:
            for number, told in enumerate(found[one] for one in choices):
                if told.state == "unreadable" and told.made_at is not None:
                    unread[key] = told.why  # a listing is all that a plan cannot do without
                    break
                if told.usable:
                    made[key] = number
                    break
        if unread:
            key, why = next(iter(unread.items()))
            log.warning("Of %d creatives it is not known whether they are there still. %s: %s", len(unread), key, why)
        return made
