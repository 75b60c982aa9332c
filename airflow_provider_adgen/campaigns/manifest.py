# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The manifest of a campaign: which creatives there are for which product, where they are and what they cost.

Other programs read it, so its shape has a version. It never holds a signed URL.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_adgen.core.scrub import holds_url, scrub

SCHEMA = 2
"""Version of the manifest's shape. It is raised when a field is removed or changes its meaning."""

_NAMED = ("product_id", "title", "brief", "locale", "format")
_GENERATION = ("id", "created_at", "completed_at")
_CREATIVE = ("kind", "uri", "media_type", "size", "sha256")
_MEDIA = ("width", "height", "seconds")
_CREDITS = ("quoted", "charged", "refunded")
_LINK = re.compile(r"([a-z][a-z0-9+.-]*://)(?:([^/?#\s]*)@)?([^?#\s]*)[^\s]*", re.IGNORECASE)
_WEB = ("http://", "https://")
_MOST_SKIPPED = 100
"""Reasons of what was left out that are kept of each sort; all are counted."""
_LONGEST = 100_000
"""Characters of a text that are kept: more than any vendor takes as a prompt."""


def build_manifest(
    run: Mapping[str, Any],
    items: Iterable[Mapping[str, Any]],
    results: Iterable[Mapping[str, Any]],
    *,
    credits: Mapping[str, Mapping[str, int]] | None = None,  # noqa: A002 - what everybody calls them here
    approvals: Mapping[str, bool] | None = None,
    media: Mapping[str, Mapping[str, Any]] | None = None,
    plan: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Return the manifest of one run.

    It has one entry per item, in the order of *items*, then one for each result whose item is not among them (it left
    the list, the plan left it out, or nobody gave it a key). An item without a line in *results* has the status
    ``missing``. Credits are summed for each account alone. A value that no vendor told is None, never 0; ``untold`` is
    the number of generations of which the vendor did not tell it, and ``estimated`` the part of ``charged`` that is a
    price.

    Links lose their query, their fragment and their user name where they enter; a longer text keeps only the host of a
    link in it. A creative that has no other place than a web address counts as not stored.

    :param run: what identifies the run: DAG, run id, catalogue, time. Its values are JSON.
    :param items: the items of the plan, or of any batch: ``{"key", "choices", "meta"}``. Of ``meta``, ``product_id``,
        ``title``, ``brief``, ``locale`` and ``format`` become fields of the entry; the rest stays in its ``meta``.
    :param results: what became of them, as :func:`.read_results` yields it.
    :param credits: what each account was charged, by connection, as the batch returns it: it also counts submissions
        that brought no result. By default the sums over *results*, without what is reused.
    :param approvals: what a person decided, by key; an item that is not named has ``approved`` None.
    :param media: ``width``, ``height`` and ``seconds`` by uri, as :func:`.read_media` returns them.
    :param plan: what ``plan.json`` holds, or ``Plan.to_dict()``: why rows of the catalogue were skipped and creatives
        trimmed, and what the plan warns of. Of each the first 100 reasons are kept, and their number.
    :raises ValueError: *approvals* names an item that is not in the manifest.
    """
    lines = {line["key"]: line for line in results}
    listed = {item["key"]: item for item in items if item.get("key")}
    keys = [*listed, *(key for key in lines if key not in listed)]
    decided = approvals or {}
    if unknown := sorted(decided.keys() - {*keys}):
        raise ValueError(f"approvals names items that the campaign does not have: {', '.join(unknown[:5])}.")
    vendors = {
        line["conn_id"]: line["generation"]["vendor"]
        for line in lines.values()
        if line.get("conn_id") and line.get("generation")
    }
    entries = [_entry(key, listed.get(key, {}), lines.get(key), vendors, decided.get(key), media or {}) for key in keys]
    return {
        "schema": SCHEMA,
        "run": _plain(run),
        "totals": _totals(entries),
        "credits": _credits(entries, credits),
        "missing": [
            {name: entry[name] for name in ("key", "status", "reason")} for entry in entries if entry["origin"] is None
        ],
        "skipped": _skipped(plan or {}),
        "warnings": _warnings(plan or {}),
        "items": entries,
    }


def result_of(item: Mapping[str, Any], generation: Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return the line of results for an item that a task of its own made, and no batch.

    :param item: the item, with one choice.
    :param generation: what its operator returned; None where its task has no result.
    """
    return {
        "key": item["key"],
        "status": "completed" if generation else "failed",
        "reason": None if generation else "Its task has no result.",
        "choice": 0,
        "conn_id": item["choices"][0]["conn_id"],
        "generation": generation,
        "meta": item.get("meta") or {},
    }


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return the manifest as indented JSON."""
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"


def _entry(
    key: str,
    item: Mapping[str, Any],
    line: Mapping[str, Any] | None,
    vendors: Mapping[str, str],
    approved: bool | None,
    media: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    told = line or {"status": "missing", "reason": "The results say nothing of it."}
    generation = told.get("generation") or {}
    meta = _plain(item.get("meta") or told.get("meta") or {})
    creatives = [_creative(one, media) for one in generation.get("creatives") or ()]
    variants = [_plain(one) for one in generation.get("variants") or ()]
    stored = any(one["uri"] for one in creatives) or bool(variants)
    conn_id, choice = told.get("conn_id"), told.get("choice")
    choices = item.get("choices") or [{"request": item.get("request")}]
    chosen = choices[choice] if choice is not None and choice < len(choices) else {}
    reason = told.get("reason")
    return {
        "key": key,
        "product": {"id": meta.get("product_id"), "title": meta.get("title")},
        "brief": meta.get("brief"),
        "locale": meta.get("locale"),
        "format": meta.get("format"),
        "kind": generation.get("kind"),
        "status": told["status"],
        "reason": scrub(reason) if reason else None,
        "origin": ("reused" if told["status"] == "reused" else "made") if stored else None,
        "approved": approved,
        "vendor": generation.get("vendor") or vendors.get(conn_id or ""),
        "conn_id": conn_id,
        "choice": choice,
        **{name: generation.get(name) for name in _GENERATION},
        "credits": {name: (generation.get("credits") or {}).get(name) for name in _CREDITS},
        "request": _plain(chosen.get("request") or {}),
        "creatives": creatives,
        "variants": variants,
        "meta": {name: value for name, value in meta.items() if name not in _NAMED},
    }


def _creative(creative: Mapping[str, Any], media: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    uri = creative.get("uri")
    if uri is not None and uri.lower().startswith(_WEB):
        uri = None
    known = media.get(uri, {}) if uri is not None else {}
    return {
        **{name: creative.get(name) for name in _CREATIVE},
        "uri": uri,
        **{name: known.get(name) for name in _MEDIA},
    }


def _totals(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    creatives = [creative for entry in entries for creative in entry["creatives"] if creative["uri"]]
    origins = Counter(entry["origin"] for entry in entries)
    return {
        "items": len(entries),
        "made": origins["made"],
        "reused": origins["reused"],
        "missing": origins[None],
        "products": len({entry["product"]["id"] for entry in entries} - {None}),
        "creatives": len(creatives),
        "bytes": sum(creative["size"] or 0 for creative in creatives),
        "statuses": dict(sorted(Counter(entry["status"] for entry in entries).items())),
    }


def _skipped(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    read, trimmed = plan.get("catalogue") or {}, plan.get("trimmed") or ()
    problems = read.get("problems") or ()
    left_out = [f"{one['key']}: {one['reason']}" for one in trimmed[:_MOST_SKIPPED]]
    return {
        "rows": {
            "problems": read.get("problem_count", len(problems)),
            "reasons": [scrub(one) for one in problems[:_MOST_SKIPPED]],
        },
        "creatives": {
            "count": len(trimmed),
            "keys": [one["key"] for one in trimmed[:_MOST_SKIPPED]],
            "reasons": [scrub(one) for one in left_out],
        },
    }


def _warnings(plan: Mapping[str, Any]) -> dict[str, Any]:
    read = plan.get("catalogue") or {}
    told = read.get("warnings") or ()
    return {"count": read.get("warning_count", len(told)), "texts": [scrub(one) for one in told[:_MOST_SKIPPED]]}


def _credits(
    entries: Iterable[Mapping[str, Any]], given: Mapping[str, Mapping[str, int]] | None
) -> dict[str, dict[str, Any]]:
    paid: dict[str, list[Mapping[str, Any]]] = {conn_id: [] for conn_id in given or ()}
    for entry in entries:
        if entry["conn_id"] and entry["id"] and entry["origin"] != "reused":
            paid.setdefault(entry["conn_id"], []).append(entry["credits"])
    found = {}
    for conn_id, costs in sorted(paid.items()):
        told = {name: [cost[name] for cost in costs if cost[name] is not None] for name in _CREDITS}
        sums: dict[str, Any] = {name: sum(values) if values else None for name, values in told.items()}
        sums["estimated"] = 0
        if given is not None:
            sums |= given.get(conn_id, {})
        found[conn_id] = {**sums, "untold": {name: len(costs) - len(values) for name, values in told.items()}}
    return found


def _plain(value: Any) -> Any:
    """Return a JSON value with nothing in it that opens anything."""
    if isinstance(value, str):
        if link := _LINK.fullmatch(value):
            # The connection's id in an object-storage path is no secret; a password would be.
            user = f"{link[2]}@" if link[2] and ":" not in link[2] and not value.lower().startswith(_WEB) else ""
            return f"{link[1]}{user}{link[3]}"
        return scrub(value, longest=_LONGEST)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if not holds_url(key)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
