# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's paid requests and their documented prices (pages AI Generation and Credits)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from airflow_provider_adgen.core.requests import GenerationRequest, Text, WebUrl
from airflow_provider_adgen.core.vocabulary import Kind

COPY_CREDITS = 1
STATIC_AD_CREDITS = 3
VIDEO_CREDITS = 40


def _uuid(value: str) -> str:
    try:
        UUID(value)
    except ValueError:
        raise ValueError("a UUID is needed") from None
    return value


Uuid = Annotated[str, AfterValidator(_uuid)]
"""A UUID, sent as it was given."""


class CutxRequest(GenerationRequest):
    """
    Base of CutX's requests: each is about a product of a project.

    :cvar path: the endpoint it is posted to.
    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    """

    path: ClassVar[str]
    credits: ClassVar[int]

    project_id: Uuid = Field(serialization_alias="projectId")
    product_id: Uuid = Field(serialization_alias="productId")

    def price(self) -> int | None:
        """Return the documented price."""
        return self.credits


class Copy(CutxRequest):
    """
    Five variants of ad copy, answered at once. ``POST /api/generate/copy``, 1 credit.

    :param platform: ``meta``, ``tiktok``, ``google``, ``linkedin``, ``pinterest`` or ``universal``.
    :param format: ``short``, ``long``, ``hook`` or ``story``.
    :param tone: ``professional``, ``casual``, ``urgent``, ``luxe``, ``playful`` or ``bold``.
    :param custom_instructions: at most 500 characters.
    """

    kind: ClassVar[str] = "copy"
    makes: ClassVar[Kind] = "copy"
    path: ClassVar[str] = "/api/generate/copy"
    synchronous: ClassVar[bool] = True
    credits: ClassVar[int] = COPY_CREDITS

    platform: Literal["meta", "tiktok", "google", "linkedin", "pinterest", "universal"]
    format: Literal["short", "long", "hook", "story"]
    tone: Literal["professional", "casual", "urgent", "luxe", "playful", "bold"]
    custom_instructions: Annotated[str, Field(max_length=500)] | None = Field(
        default=None, serialization_alias="customInstructions"
    )


class StaticAd(CutxRequest):
    """
    An ad image. ``POST /api/generate/static-ad``, 3 credits.

    :param style: ``product_hero``, ``lifestyle``, ``minimal``, ``bold`` or ``seasonal``.
    :param aspect_ratio: ``1:1`` (the vendor's default), ``9:16``, ``4:5`` or ``16:9``.
    :param prompt: 5 to 1000 characters.
    """

    kind: ClassVar[str] = "static-ad"
    makes: ClassVar[Kind] = "image"
    path: ClassVar[str] = "/api/generate/static-ad"
    credits: ClassVar[int] = STATIC_AD_CREDITS

    style: Literal["product_hero", "lifestyle", "minimal", "bold", "seasonal"] | None = None
    aspect_ratio: Literal["1:1", "9:16", "4:5", "16:9"] | None = Field(default=None, serialization_alias="aspectRatio")
    prompt: Annotated[str, Field(min_length=5, max_length=1000)] | None = None


class Video(CutxRequest):
    """
    A video of an avatar that speaks. ``POST /api/generate/video``, 40 credits.

    :param script: 10 to 2000 characters.
    :param avatar_url: a picture of an avatar of your own.
    :param voice_id: the voice (the vendor's default is ``male-1``; it lists no others).
    :param aspect_ratio: ``9:16`` (the vendor's default), ``1:1`` or ``16:9``.
    """

    kind: ClassVar[str] = "video"
    makes: ClassVar[Kind] = "video"
    path: ClassVar[str] = "/api/generate/video"
    credits: ClassVar[int] = VIDEO_CREDITS

    script: Annotated[str, Field(min_length=10, max_length=2000)]
    avatar_url: WebUrl | None = Field(default=None, serialization_alias="avatarUrl")
    voice_id: Text | None = Field(default=None, serialization_alias="voiceId")
    aspect_ratio: Literal["9:16", "1:1", "16:9"] | None = Field(default=None, serialization_alias="aspectRatio")


REQUESTS: tuple[type[CutxRequest], ...] = (Copy, StaticAd, Video)
