# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows of its creatives: the texts of its manifest and of its gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.gallery import render_gallery
from airflow_provider_adgen.campaigns.manifest import build_manifest, manifest_text
from airflow_provider_adgen.campaigns.media import read_all_media

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
    plan: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """
    Return the manifest and the gallery, as texts. The same results give the same texts.

    :param run: what identifies the run.
    :param items: the items of the batch.
    :param results: the lines of its results.
    :param credits: what was quoted, charged and refunded, by account.
    :param approvals: which keys a person approved; None where nobody was asked.
    :param base: the folder that the gallery is kept in.
    :param plan: what ``plan.json`` holds; None where there is none.
    """
    creatives = (one for line in results if line["generation"] for one in line["generation"].get("creatives") or ())
    media = read_all_media(uri for one in creatives if (uri := one.get("uri")))
    manifest = build_manifest(run, items, results, credits=credits, approvals=approvals, media=media, plan=plan)
    return manifest_text(manifest), render_gallery(manifest, base=base)
