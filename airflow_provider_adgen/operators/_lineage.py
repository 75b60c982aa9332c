# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a generation reports to OpenLineage. It imports the OpenLineage provider, so only that provider calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = frozenset({"http", "https", "s3", "gs", "file", "abfs", "abfss", "wasb", "wasbs"})


def lineage(request: dict[str, Any], result: dict[str, Any] | None) -> Any:
    """
    Return an ``OperatorLineage``: media referred to as inputs, stored files as outputs, the job as a run facet.

    :param request: the request, templates rendered.
    :param result: the dictionary that the task returned; None before its end.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found,unused-ignore]  # optional
    from openlineage.client.event_v2 import Dataset  # type: ignore[import-not-found,unused-ignore]  # optional

    def datasets(uris: Iterator[str]) -> list[Any]:
        places = dict.fromkeys(place for uri in uris if (place := _place(uri)) is not None)
        return [Dataset(namespace=namespace, name=name) for namespace, name in places]

    stored = (str(one["uri"]) for one in (result or {}).get("creatives", []) if one.get("uri"))
    return OperatorLineage(
        inputs=datasets(_texts(request)),
        outputs=datasets(stored),
        run_facets={"adgen": _facet(request, result)} if result is not None else {},
    )


def _facet(request: dict[str, Any], result: dict[str, Any]) -> Any:
    import attr
    from openlineage.client.facet_v2 import RunFacet  # type: ignore[import-not-found,unused-ignore]  # optional

    @attr.define
    class AdGenRunFacet(RunFacet):  # type: ignore[misc,unused-ignore]  # Any where OpenLineage is not installed
        """One paid generation."""

        vendor: str
        jobIds: list[str]
        kind: str
        request: str
        status: str
        creditsQuoted: int | None
        creditsCharged: int | None

    money = result.get("credits") or {}
    return AdGenRunFacet(
        vendor=str(result.get("vendor", "")),
        jobIds=[str(one) for one in result.get("job_ids", [])],
        kind=str(result.get("kind", "")),
        request=str(request.get("kind", "")),
        status=str(result.get("status", "")),
        creditsQuoted=money.get("quoted"),
        creditsCharged=money.get("charged"),
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _place(uri: str) -> tuple[str, str] | None:
    """Return OpenLineage's namespace and name; never a query (signatures are there), a user or a connection."""
    try:
        parts = urlsplit(uri.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES or any(one.isspace() for one in uri.strip()):
        return None
    if parts.scheme == "file":
        return "file", parts.path
    name = parts.path.strip("/")
    return (f"{parts.scheme}://{host}", name) if host and name else None
