# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How CutX makes a brief (pages AI Generation, Products): each request is about a product of a project."""

from __future__ import annotations

from airflow_provider_adgen.core.briefs import Recipe, VendorProduct
from airflow_provider_adgen.vendors.cutx.requests import Copy, StaticAd, Video

# CutX makes a product of the shop's page and of nothing else.
_PRODUCT = VendorProduct(("project_id", "product_id"), needs=("link",))

RECIPES: tuple[Recipe, ...] = (
    Recipe("image", StaticAd, {"prompt": "prompt", "format": "aspect_ratio"}, product=_PRODUCT),
    Recipe(
        "video",
        Video,
        {"script": "script", "voice": "voice_id", "avatar": "avatar_url", "format": "aspect_ratio"},
        product=_PRODUCT,
    ),
    Recipe(
        "copy",
        Copy,
        {"prompt": "custom_instructions", "platform": "platform", "format": "format", "tone": "tone"},
        product=_PRODUCT,
    ),
)
