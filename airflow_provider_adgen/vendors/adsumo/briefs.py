# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How Adsumo makes a brief (pages Videos, Images, Voiceovers, Resources)."""

from __future__ import annotations

from airflow_provider_adgen.core.briefs import Recipe, VendorProduct
from airflow_provider_adgen.vendors.adsumo.requests import (
    AiVideo,
    ProductShots,
    TalkingAvatar,
    TemplateVideo,
    TextToImage,
    TextToSpeech,
)

# What POST /products requires.
_PRODUCT = VendorProduct(("product_id",), needs=("title", "description", "product_type", "image_link"))

RECIPES: tuple[Recipe, ...] = (
    Recipe("image", TextToImage, {"prompt": "prompt", "format": "aspect_ratio"}),
    Recipe(
        "image",
        ProductShots,
        {"prompt": "additional_prompt", "format": "aspect_ratio"},
        product=_PRODUCT,
        shows_product=True,
    ),
    Recipe("video", AiVideo, {"prompt": "prompt", "format": "aspect_ratio", "duration": "duration"}),
    Recipe(
        "video",
        TalkingAvatar,
        {"script": "script", "voice": "voice_id", "avatar": "avatar_id"},
        note="It needs `script` and `voice`, unless `options` name `voiceover_id`.",
    ),
    Recipe("video", TemplateVideo, {}, product=_PRODUCT),
    Recipe("voice", TextToSpeech, {"script": "text", "voice": "voice_id"}),
)
