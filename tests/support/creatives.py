# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Items of a campaign and what became of them, for tests of its manifest and gallery."""

from __future__ import annotations

from typing import Any


def creative(kind: str, uri: str | None, **fields: Any) -> dict[str, Any]:
    """Return a stored file, as an operator returns it."""
    told = {"kind": kind, "url": None, "expires_at": None, "uri": uri, "media_type": f"{kind}/x"}
    return {**told, "size": 12345, "sha256": "ab" * 32, **fields}


def generation(kind: str, *creatives: dict[str, Any], vendor: str = "adsumo", **fields: Any) -> dict[str, Any]:
    """Return what an operator returns."""
    return {
        "schema": 1,
        "vendor": vendor,
        "id": f"job-{kind}",
        "job_ids": [f"job-{kind}"],
        "kind": kind,
        "status": "completed",
        "created_at": "2026-01-01T00:00:00+00:00",
        "completed_at": "2026-01-01T00:01:00+00:00",
        "creatives": list(creatives),
        "variants": [],
        "credits": {"quoted": None, "charged": None, "refunded": None},
        "error": None,
        "progress": None,
        "details": {"result_url": "https://cdn.example.com/x?signature=s3cret"},
        **fields,
    }


def item(key: str, *, request: dict[str, Any] | None = None, conn_id: str = "adsumo_default", **meta: Any) -> Any:
    """Return an item of a plan; its key begins with the product's id and the brief's name."""
    product, _, rest = key.partition("/")
    asked = request or {"kind": "text-to-image", "prompt": f"A photo of {product}."}
    told = {"product_id": product, "title": f"Title of {product}", "brief": rest.partition("/")[0], **meta}
    return {"key": key, "choices": [{"conn_id": conn_id, "request": asked}], "meta": told}


def result(item_: dict[str, Any], status: str, made: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return an item's line of the results."""
    return {
        "key": item_["key"],
        "status": status,
        "reason": None,
        "choice": 0,
        "conn_id": item_["choices"][0]["conn_id"],
        "generation": made,
        "meta": item_["meta"],
        **fields,
    }
