# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of one run of a campaign, and the files in it that the steps hand to each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.errors import AdGenError, InvalidRequest
from airflow_provider_adgen.core.scrub import reason, scrub
from airflow_provider_adgen.delivery.names import safe
from airflow_provider_adgen.delivery.places import check_destination, resolve
from airflow_provider_adgen.lifecycle.batch.results import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ITEMS = "items.jsonl"
SENT_ITEMS = "items_with_vendor_products.jsonl"
PLAN = "plan.json"
MANIFEST = "manifest.json"
GALLERY = "gallery.html"
_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "html": "text/html; charset=utf-8"}


class RunFolder:
    """
    ``<destination>/<run>/``.

    :param destination: the campaign's destination, as it was rendered.
    :param run_id: the DAG run.
    :raises InvalidRequest: the destination cannot work. Nothing was sent.
    """

    def __init__(self, destination: str, run_id: str) -> None:
        check_destination(destination)
        self._place = resolve(destination)
        self._name = safe(run_id)

    @property
    def uri(self) -> str:
        """Its path, without a slash at the end."""
        return self._place.uri_of(self._name)

    def uri_of(self, name: str) -> str:
        """Return the path of one of its files."""
        return self._place.uri_of(f"{self._name}/{name}")

    def write(self, name: str, text: str | Iterable[str]) -> str:
        """
        Replace a file, whole; return its path.

        :param name: the file.
        :param text: what is in it, or pieces of it.
        :raises DownloadError: it cannot be written.
        """
        pieces = [text] if isinstance(text, str) else text
        media_type = _TYPES[name.rpartition(".")[2]]
        return write_whole(self._place, f"{self._name}/{name}", media_type, (piece.encode() for piece in pieces))


def read_file(uri: str) -> bytes | None:
    """
    Return what is in a file; None where there is no such file.

    :param uri: its path, for ``ObjectStoragePath``.
    :raises AdGenError: the storage cannot be read. A retry may help.
    """
    from airflow.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(uri)
        content: bytes = path.fs.cat_file(str(path.path))
        return content
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever the storage or its connection raises
        raise AdGenError(f"{scrub(uri)} cannot be read ({reason(error)}). Nothing was sent.") from None


def read_json(uri: str) -> Any:
    """
    Return the JSON in a file; None where there is no such file.

    :raises InvalidRequest: it is no JSON.
    :raises AdGenError: the storage cannot be read.
    """
    content = read_file(uri)
    if content is None:
        return None
    try:
        return json.loads(content)
    except ValueError:
        raise InvalidRequest(f"{scrub(uri)} is no JSON. Nothing was sent.") from None


def read_items(uri: str) -> list[dict[str, Any]]:
    """
    Return the items of a JSONL file.

    :raises InvalidRequest: there is no such file, or a line is no JSON.
    :raises AdGenError: the storage cannot be read.
    """
    content = read_file(uri)
    if content is None:
        raise InvalidRequest(f"There are no items at {scrub(uri)}. Nothing was sent. Clear the task that plans.")
    try:
        return [json.loads(line) for line in content.decode().split("\n") if line.strip()]
    except ValueError:
        raise InvalidRequest(f"A line of {scrub(uri)} is no JSON object. Nothing was sent.") from None


def json_lines(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield items as JSON, one on each line."""
    return (f"{json.dumps(item, separators=(',', ':'))}\n" for item in items)


def pretty(value: Any) -> Iterator[str]:
    """Yield JSON for people, in pieces."""
    yield from json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value)
    yield "\n"
