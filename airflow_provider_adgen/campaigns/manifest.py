# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The manifest of a campaign: which creatives were made for which product, where they are and what they cost.

Other programs read it, so its shape has a version. It never holds a signed URL.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.scrub import without_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA = 1
"""Version of the manifest's shape. It is raised when a field is removed or changes its meaning."""

_CREATIVE = ("kind", "uri", "media_type", "size", "sha256")
_GENERATION = ("vendor", "id", "kind", "status", "created_at", "completed_at", "credits", "variants")
_CREDITS = ("quoted", "charged", "refunded")
_NONE: dict[str, Any] = {"status": "missing"}


def describe_product(
    product: Mapping[str, Any], made: Iterable[tuple[Mapping[str, Any], Mapping[str, Any] | None]]
) -> dict[str, Any]:
    """
    Return a product's part of the manifest.

    :param product: the product, as its catalogue row has it.
    :param made: for each of its generations the request, and the dictionary that the operator returned; None where its
        task has no result, which the manifest shows as ``missing``.
    """
    generations = []
    for request, result in made:
        generation = result or _NONE
        generations.append(
            {
                **{name: generation.get(name) for name in _GENERATION},
                "request": without_urls(request),
                "creatives": [
                    {name: creative.get(name) for name in _CREATIVE} for creative in generation.get("creatives") or ()
                ],
            }
        )
    return {**product, "generations": generations}


def build_manifest(run: Mapping[str, Any], products: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return the manifest of one run, with its totals.

    A sum of credits adds up what the vendor reported; it is None where nothing was reported. ``untold`` is the number
    of generations that each sum leaves out. There are sums over all generations (``totals``) and for each vendor
    (``totals["vendors"]``).

    :param run: what identifies the run: DAG, run id, connection, catalogue, time.
    :param products: the results of :func:`describe_product`, in the order of the catalogue.
    """
    described = list(products)
    generations = [generation for product in described for generation in product["generations"]]
    creatives = [creative for generation in generations for creative in generation["creatives"]]
    vendors: dict[str, list[Mapping[str, Any]]] = {}
    for generation in generations:
        vendors.setdefault(generation["vendor"] or "unknown", []).append(generation)
    return {
        "schema": SCHEMA,
        "run": dict(run),
        "totals": {
            "products": len(described),
            "generations": len(generations),
            "creatives": len(creatives),
            "bytes": sum(creative["size"] or 0 for creative in creatives),
            **_costs(generations),
            "vendors": {name: {"generations": len(its), **_costs(its)} for name, its in sorted(vendors.items())},
        },
        "products": described,
    }


def _costs(generations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    told = {
        name: [value for generation in generations if (value := (generation["credits"] or {}).get(name)) is not None]
        for name in _CREDITS
    }
    return {
        "credits": {name: sum(values) if values else None for name, values in told.items()},
        "untold": {name: len(generations) - len(values) for name, values in told.items()},
    }


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return the manifest as indented JSON."""
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
