# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Campaigns over a product catalogue: the catalogue, the briefs, the plan that is made of them, results, the manifest.

What this package exports is imported when it is first used: Airflow imports DAG files often, and most parses need none
of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_adgen.campaigns.briefs import Brief
    from airflow_provider_adgen.campaigns.catalogue import Catalogue, CatalogueError, read_catalogue
    from airflow_provider_adgen.campaigns.gallery import render_gallery
    from airflow_provider_adgen.campaigns.manifest import build_manifest
    from airflow_provider_adgen.campaigns.media import read_media
    from airflow_provider_adgen.campaigns.plan import Plan, plan_campaign
    from airflow_provider_adgen.campaigns.refresh import campaign_asset, campaign_refresh, creative_asset
    from airflow_provider_adgen.campaigns.results import read_results
    from airflow_provider_adgen.core.product import Product

__all__ = [
    "Brief",
    "Catalogue",
    "CatalogueError",
    "Plan",
    "Product",
    "build_manifest",
    "campaign_asset",
    "campaign_refresh",
    "creative_asset",
    "plan_campaign",
    "read_catalogue",
    "read_media",
    "read_results",
    "render_gallery",
]

_MODULES = {
    "Brief": "campaigns.briefs",
    "build_manifest": "campaigns.manifest",
    "render_gallery": "campaigns.gallery",
    "read_media": "campaigns.media",
    "Plan": "campaigns.plan",
    "plan_campaign": "campaigns.plan",
    "campaign_asset": "campaigns.refresh",
    "campaign_refresh": "campaigns.refresh",
    "creative_asset": "campaigns.refresh",
    "read_results": "campaigns.results",
    "Catalogue": "campaigns.catalogue",
    "CatalogueError": "campaigns.catalogue",
    "Product": "core.product",
    "read_catalogue": "campaigns.catalogue",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"airflow_provider_adgen.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
