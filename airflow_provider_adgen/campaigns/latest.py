# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which run's manifest is the latest one of a destination, however many runs publish at once."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.identity import digest
from airflow_provider_adgen.core.scrub import reason, scrub
from airflow_provider_adgen.delivery.places import resolve
from airflow_provider_adgen.ledger.objects import create_object, list_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

LATEST = "latest.json"
_TRIES = 20


class Latest:
    """
    ``<destination>/latest.json``, and the markers that say which runs were published.

    Each run has one marker, whose name begins with the time that the run is about. Who has written ``latest.json``
    lists the markers again, and writes it again where a later one has come: whoever lists last has listed all.

    :param destination: the campaign's folder.
    """

    def __init__(self, destination: str) -> None:
        self._destination = destination.rstrip("/")

    def publish(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """
        Write a run's marker and bring ``latest.json`` up to date; return what is in that file then.

        It may be repeated.

        :param entry: ``{"run_id", "logical_date", "manifest"}``.
        :raises AdGenError: the storage failed, or too many runs publish at once. A retry may help.
        """
        from airflow.sdk import ObjectStoragePath

        try:
            place = ObjectStoragePath(resolve(self._destination).uri)
            fs, root = place.fs, str(place.path).rstrip("/")
            markers = f"{root}/_adgen/published"
            mine = marker_name(entry)
            if mine not in _names(fs, markers):
                create_object(fs, markers, mine, json.dumps(dict(entry)).encode())
            newest = max(_names(fs, markers))
            for _ in range(_TRIES):
                text = fs.cat_file(f"{markers}/{newest}")
                create_object(fs, root, LATEST, text)
                now = max(_names(fs, markers))
                if now == newest:
                    found: dict[str, Any] = json.loads(text)
                    return found
                newest = now
        except Exception as error:  # whatever the storage or its connection raises
            raise AdGenError(
                f"{scrub(self._destination)} could not be published to ({reason(error)}). Nothing was charged; a retry "
                "publishes again."
            ) from None
        raise AdGenError(f"Too many runs publish to {scrub(self._destination)} at once. A retry publishes again.")


def marker_name(entry: Mapping[str, Any]) -> str:
    """Return the name of a run's marker: of two, the later one is of the later run."""
    moment = datetime.fromisoformat(entry["logical_date"])
    return f"{int(moment.timestamp() * 1_000_000):020d}-{digest([entry['run_id'], entry['manifest']])[:16]}.json"


def _names(fs: Any, folder: str) -> list[str]:
    names = (path.rpartition("/")[2] for path in list_objects(fs, folder))
    return [name for name in names if name.endswith(".json") and not name.startswith(".")]
