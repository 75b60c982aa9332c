# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Adsumo's paid requests and their documented prices (API v1: pages Overview, Videos, Images, Voiceovers).

What a field means is said at the operator of the same request.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from airflow_provider_adgen.core.requests import Count, Number, PostedRequest, Ratio, Text

CREDITS_PER_IMAGE: dict[str, dict[str, int]] = {
    "fast": {"1k": 1, "2k": 2, "4k": 2},
    "pro": {"1k": 2, "2k": 2, "4k": 4},
}
"""Text-to-image, credits per image by model and resolution (page Images)."""

AVATAR_CREDITS_PER_BLOCK = 20
AVATAR_BLOCK_CHARACTERS = 250
AVATAR_MOST_CREDITS = 160
"""Talking avatar: 20 credits per 250 characters of script, at least 20, at most 160 (page Videos)."""


class TalkingAvatar(PostedRequest, kind="talking-avatar", result_kind="video", path="/videos/talking-avatar"):
    """
    A video of an avatar that speaks. ``POST /videos/talking-avatar``.

    Needs ``script`` and ``voice_id``, or ``voiceover_id``; where both are given the vendor takes the voiceover.
    """

    avatar_id: Text
    avatar_type: Literal["platform", "custom", "product"]
    script: Text | None = None
    voice_id: Text | None = None
    voiceover_id: Text | None = None
    lipsync_model: Literal["heygen-avatar4", "lipsync-2.0"] | None = None

    def check_rules(self) -> None:
        """Check that there is something to say."""
        if self.voiceover_id is None and (self.script is None or self.voice_id is None):
            raise ValueError("give script and voice_id, or voiceover_id")

    def documented_price(self) -> int | None:
        """Return the price of the script, by its length; no price is documented with a voiceover (None)."""
        if self.voiceover_id is not None or self.script is None:
            return None
        blocks = max(1, math.ceil(len(self.script) / AVATAR_BLOCK_CHARACTERS))
        return min(AVATAR_MOST_CREDITS, AVATAR_CREDITS_PER_BLOCK * blocks)


class AiVideo(PostedRequest, kind="ai-video", result_kind="video", path="/videos/ai-video"):
    """A video from a text. ``POST /videos/ai-video``. Its price is not documented."""

    model: Literal["sora-2", "sora-2-pro", "veo-3.1", "veo-3.1-fast", "kling-2.6"]
    prompt: Text
    aspect_ratio: Ratio | None = None
    duration: Annotated[Number, Field(gt=0)] | None = None


class ImageRequest(PostedRequest, result_kind="image"):
    """Base of the requests for images."""

    model: Literal["fast", "pro"]
    aspect_ratio: Ratio
    quantity: Annotated[Count, Field(ge=1, le=8)] = 1
    resolution: Literal["1k", "2k", "4k"] = "1k"

    def expected_files(self) -> int | None:
        """Return ``quantity``."""
        return self.quantity


class TextToImage(ImageRequest, kind="text-to-image", path="/images/text-to-image"):
    """
    Images from a text. ``POST /images/text-to-image``.

    ``quantity`` and ``resolution`` are always sent, so that what is quoted is what is asked for.
    """

    prompt: Text

    def documented_price(self) -> int | None:
        """Return credits per image times quantity."""
        return CREDITS_PER_IMAGE[self.model][self.resolution] * self.quantity


class ProductShots(ImageRequest, kind="product-shots", path="/images/product-shots"):
    """Product photographs in a style. ``POST /images/product-shots``. Its price is not documented."""

    product_id: Text
    style_id: Text
    additional_prompt: Text | None = None


class TemplateVideo(PostedRequest, kind="template-video", result_kind="video", path="/videos/generate"):
    """A video of a product from a template. ``POST /videos/generate``, known from one example of the Overview only."""

    template: Text
    product_id: Text


class TextToSpeech(
    PostedRequest, kind="text-to-speech", result_kind="voice", path="/voiceovers/text-to-speech", credits=1
):
    """A voiceover, answered at once. ``POST /voiceovers/text-to-speech``, 1 credit."""

    synchronous: ClassVar[bool] = True

    text: Text
    voice_id: Text
    model: Text | None = None
    voice_settings: dict[str, Any] | None = None


REQUESTS: tuple[type[PostedRequest], ...] = (
    TalkingAvatar,
    AiVideo,
    TextToImage,
    ProductShots,
    TemplateVideo,
    TextToSpeech,
)
