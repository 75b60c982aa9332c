# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's paid requests (public API v1, page API reference). No price of any of them is documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from airflow_provider_adgen.core.requests import Count, GenerationRequest, HttpsUrl, Number, Text, WebUrl
from airflow_provider_adgen.core.vocabulary import Kind

OWNER_FIELDS = frozenset({"workspace_id", "user_id", "email", "owner", "owner_id", "owner_email"})
"""What a body must not say: Sume takes workspace and owner from the key (pages API reference, Authentication)."""

_OWNER = "Sume takes workspace and owner from the key"

WIRE_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
"""What the name of a field may look like."""

Seconds = Annotated[Number, Field(ge=0)]


def no_owner(fields: dict[str, Any]) -> dict[str, Any]:
    """
    Return *fields*.

    :raises ValueError: they name an owner.
    """
    named = sorted(OWNER_FIELDS & set(fields))
    if named:
        raise ValueError(f"must not hold {', '.join(named)}: {_OWNER}")
    return fields


def _no_owner_name(name: str) -> str:
    no_owner({name: None})
    return name


class SumeRequest(GenerationRequest):
    """
    Base of Sume's requests; what a field means is said at the operator of the same request.

    :cvar path: the endpoint it is posted to.
    """

    path: ClassVar[str]
    protected: ClassVar[Mapping[str, str]] = dict.fromkeys(OWNER_FIELDS, _OWNER)


class Image(SumeRequest):
    """Images from a text. ``POST /images/generations``. "May reserve or spend credits"; its price is not documented."""

    kind: ClassVar[str] = "image"
    result_kind: ClassVar[Kind] = "image"
    path: ClassVar[str] = "/images/generations"

    prompt: Text
    aspect_ratio: Text | None = None
    resolution: Text | None = None
    quality: Text | None = None
    image_count: Annotated[Count, Field(ge=1)] | None = None
    n: Annotated[Count, Field(ge=1)] | None = None
    reference_image_urls: list[HttpsUrl] | None = None

    def check_rules(self) -> None:
        """Check that the number is given under one name."""
        if self.image_count is not None and self.n is not None:
            raise ValueError("give image_count or n, not both")

    def expected_files(self) -> int | None:
        """Return ``image_count`` or ``n``."""
        return self.image_count if self.image_count is not None else self.n


class Video(SumeRequest):
    """A video from a text. ``POST /videos/generations``. "May reserve or spend credits"; no price is documented."""

    kind: ClassVar[str] = "video"
    result_kind: ClassVar[Kind] = "video"
    path: ClassVar[str] = "/videos/generations"

    prompt: Text
    aspect_ratio: Text | None = None
    duration: Annotated[Number, Field(gt=0)] | None = None
    generate_audio: bool | None = None
    resolution: Text | None = None


class AdVideo(SumeRequest):
    """A video ad from a script. ``POST /ads/videos``. Reserves credits before accepting; no price is documented."""

    kind: ClassVar[str] = "ad-video"
    result_kind: ClassVar[Kind] = "video"
    path: ClassVar[str] = "/ads/videos"

    script: Annotated[str, Field(min_length=3, max_length=1800)]
    ad_format: Literal["talking_heads", "ugc_ads", "video"] | None = None
    avatar_id: Text | None = None
    avatar_slug: Text | None = None
    locale: Literal["en", "ko"] | None = None
    duration_seconds: Annotated[Number, Field(gt=0)] | None = None
    reference_image_urls: Annotated[list[HttpsUrl], Field(max_length=9)] | None = None
    reference_video_urls: list[WebUrl] | None = None

    def check_rules(self) -> None:
        """Check that the format has what it needs."""
        if self.avatar_id is not None and self.avatar_slug is not None:
            raise ValueError("give avatar_id or avatar_slug, not both")
        if self.ad_format != "video":
            if self.avatar_id is None and self.avatar_slug is None:
                raise ValueError("avatar_id or avatar_slug is needed unless ad_format is video")
            if self.reference_video_urls:
                raise ValueError("reference_video_urls needs ad_format video")


class FaceSwap(SumeRequest):
    """
    A video with other faces. ``POST /face-swap``. Reserves credits per avatar and job; no price is documented.

    The vendor may answer with several jobs. All are tracked, and the result has the videos of all of them.
    """

    kind: ClassVar[str] = "face-swap"
    result_kind: ClassVar[Kind] = "video"
    path: ClassVar[str] = "/face-swap"

    source_video_url: WebUrl
    avatar_ids: Annotated[list[Text], Field(min_length=1, max_length=5)]
    duration_seconds: Annotated[Number, Field(gt=0, le=15)] | None = None
    trim_start_seconds: Seconds | None = None
    trim_end_seconds: Seconds | None = None
    aspect_ratio: Literal["16:9", "9:16", "1:1", "4:3", "3:4", "21:9"] | None = None

    def check_rules(self) -> None:
        """Check that the cut ends after it starts."""
        end = self.trim_end_seconds
        if end is not None and end <= (self.trim_start_seconds or 0):
            raise ValueError("trim_end_seconds must come after trim_start_seconds")


def _social_video(value: str) -> str:
    parts = urlsplit(value)
    host = (parts.hostname or "").lower()
    if host == "tiktok.com" or host.endswith(".tiktok.com"):
        return value
    if host == "instagram.com" or host.endswith(".instagram.com"):
        if {"reel", "reels"} & set(parts.path.lower().split("/")):
            return value
        raise ValueError("an Instagram URL must be a Reel's (/reel/...)")
    raise ValueError("a public TikTok or Instagram Reel URL is needed")


class ReferenceAnalysis(SumeRequest):
    """
    An analysis of a public video. ``POST /reference-analysis``. Requires credits; no price is documented.

    The result has no file; it is in the generation's ``details``.
    """

    kind: ClassVar[str] = "reference-analysis"
    result_kind: ClassVar[Kind] = "analysis"
    path: ClassVar[str] = "/reference-analysis"

    protected: ClassVar[Mapping[str, str]] = {
        **SumeRequest.protected,
        "url_field": "it is no field, but the name of one",
    }

    url: Annotated[WebUrl, AfterValidator(_social_video)]
    url_field: Annotated[
        str, Field(pattern=WIRE_NAME), AfterValidator(lambda name: "".join(no_owner({name: None})))
    ] = "url"

    @property
    def overrides(self) -> tuple[str, ...]:
        """The fields that ``extra_fields`` replaces: the URL under the name chosen for it, too."""
        return super().overrides or (("url",) if self.url_field in self.extra_fields else ())

    def body(self) -> dict[str, Any]:
        """Return the JSON body: the URL under the name chosen for it."""
        further = dict(self.extra_fields)
        return {self.url_field: further.pop("url", self.url), **further}


REQUESTS: tuple[type[SumeRequest], ...] = (Image, Video, AdVideo, FaceSwap, ReferenceAnalysis)
