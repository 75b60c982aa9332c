# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows of its creatives: the texts of its manifest and of its gallery."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.manifest import build_manifest, describe_product, manifest_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def draft_pages(
    run: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    *,
    credits: Mapping[str, Any],  # noqa: A002 - the word of the results
    approvals: Mapping[str, bool] | None,
    base: str,
) -> tuple[str, str]:
    """
    Return the manifest and the gallery, as texts. The same results give the same texts.

    :param run: what identifies the run.
    :param items: the items of the batch.
    :param results: the lines of its results.
    :param credits: what was quoted, charged and refunded, by account.
    :param approvals: which keys a person approved; None where nobody was asked.
    :param base: the folder that the gallery is kept in.
    """
    requests = {item["key"]: item["choices"] for item in items}
    products: dict[str, list[dict[str, Any]]] = {}
    titles: dict[str, str] = {}
    for line in results:
        meta = line["meta"] or {}
        product = str(meta.get("product_id") or line["key"])
        titles.setdefault(product, str(meta.get("title") or product))
        choices = [one for one in requests.get(line["key"], ()) if one["conn_id"] == line["conn_id"]]
        request = choices[0]["request"] if choices else {}
        [made] = describe_product({}, [(request, line["generation"])])["generations"]
        own = {name: line[name] for name in ("key", "reason", "choice", "conn_id")}
        approved = None if approvals is None else approvals.get(line["key"], False)
        products.setdefault(product, []).append(
            {**made, **own, "status": line["status"], "meta": meta, "approved": approved}
        )
    described = [{"id": product, "title": titles[product], "generations": made} for product, made in products.items()]
    entries = [one for product in described for one in product["generations"]]
    manifest = {**build_manifest(run, described), "credits": dict(credits), "items": entries}
    return manifest_text(manifest), _gallery(manifest, base)


def _gallery(manifest: Mapping[str, Any], base: str) -> str:
    rows = []
    for product in manifest["products"]:
        rows.append(f"<h2>{escape(product['title'])}</h2><ul>")
        for one in product["generations"]:
            files = ", ".join(escape(str(creative["uri"]).removeprefix(f"{base}/")) for creative in one["creatives"])
            why = escape(str(one["reason"] or ""))
            rows.append(f"<li>{escape(one['key'])}: {escape(one['status'])} <code>{files}</code> {why}</li>")
        rows.append("</ul>")
    title = escape(f"{manifest['run']['dag_id']} {manifest['run']['run_id']}")
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    return f"{head}<body><h1>{title}</h1>{''.join(rows)}</body></html>\n"
