# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How Sume makes a brief (page API reference)."""

from __future__ import annotations

from airflow_provider_adgen.core.briefs import Recipe
from airflow_provider_adgen.vendors.sume.requests import AdVideo, Image, Video

_PICTURES = "reference_image_urls"

RECIPES: tuple[Recipe, ...] = (
    # How many images a job makes that does not say is not documented.
    Recipe(
        "image",
        Image,
        {"prompt": "prompt", "format": "aspect_ratio"},
        picture=_PICTURES,
        always={"image_count": 1},
    ),
    Recipe("video", Video, {"prompt": "prompt", "format": "aspect_ratio", "duration": "duration"}),
    Recipe(
        "video",
        AdVideo,
        {"script": "script", "avatar": "avatar_id", "locale": "locale", "duration": "duration_seconds"},
        picture=_PICTURES,
        note="It needs `avatar`, unless `options` name `ad_format` `video`. Its locales are `en` and `ko`.",
    ),
)
