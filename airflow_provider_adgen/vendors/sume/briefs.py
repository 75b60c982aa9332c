# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How Sume makes a brief (page API reference)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import FilledBrief, Recipe
from airflow_provider_adgen.vendors.sume.requests import AdVideo, Image, Video

if TYPE_CHECKING:
    from collections.abc import Mapping

_PICTURES = "reference_image_urls"
_RATIO = re.compile(r"\d+:\d+")


def _objection(brief: FilledBrief, fields: Mapping[str, Any]) -> str | None:
    # Which words the vendor takes is not documented; a brief's words are those of ad copy.
    if brief.format is not None and not _RATIO.fullmatch(brief.format):
        return f"format {brief.format} is no aspect ratio such as 9:16"
    return None


RECIPES: tuple[Recipe, ...] = (
    # How many images a job makes that does not say is not documented.
    Recipe(
        "image",
        Image,
        {"prompt": "prompt", "format": "aspect_ratio"},
        picture=_PICTURES,
        always={"image_count": 1},
        objection=_objection,
    ),
    Recipe(
        "video",
        Video,
        {"prompt": "prompt", "format": "aspect_ratio", "duration": "duration"},
        objection=_objection,
    ),
    Recipe(
        "video",
        AdVideo,
        {"script": "script", "avatar": "avatar_id", "locale": "locale", "duration": "duration_seconds"},
        picture=_PICTURES,
        note="It needs `avatar`, unless `options` name `ad_format` `video`. Its locales are `en` and `ko`.",
    ),
)
