# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's paid requests (public API v1, page API reference). No price of any of them is documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from airflow_provider_adgen.core.requests import Count, HttpsUrl, Number, PostedRequest, Text, WebUrl, without_protected

OWNER_FIELDS: dict[str, str] = dict.fromkeys(
    ("workspace_id", "user_id", "email", "owner", "owner_id", "owner_email"),
    "Sume takes workspace and owner from the key",
)
"""What a body must not say, and why (pages API reference, Authentication)."""

WIRE_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
"""What the name of a field may look like."""

Seconds = Annotated[Number, Field(ge=0)]


class SumeRequest(PostedRequest):
    """Base of Sume's requests; what a field means is said at the operator of the same request."""

    protected: ClassVar[Mapping[str, str]] = OWNER_FIELDS


class Image(SumeRequest, kind="image", result_kind="image", path="/images/generations"):
    """Images from a text. ``POST /images/generations``. "May reserve or spend credits"; its price is not documented."""

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


class Video(SumeRequest, kind="video", result_kind="video", path="/videos/generations"):
    """A video from a text. ``POST /videos/generations``. "May reserve or spend credits"; no price is documented."""

    prompt: Text
    aspect_ratio: Text | None = None
    duration: Annotated[Number, Field(gt=0)] | None = None
    generate_audio: bool | None = None
    resolution: Text | None = None


class AdVideo(SumeRequest, kind="ad-video", result_kind="video", path="/ads/videos"):
    """A video ad from a script. ``POST /ads/videos``. Reserves credits before accepting; no price is documented."""

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


class FaceSwap(SumeRequest, kind="face-swap", result_kind="video", path="/face-swap"):
    """
    A video with other faces. ``POST /face-swap``. Reserves credits per avatar and job; no price is documented.

    The vendor may answer with several jobs. All are tracked, and the result has the videos of all of them.
    """

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


def _no_owner(name: str) -> str:
    return "".join(without_protected({name: None}, OWNER_FIELDS))


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


class ReferenceAnalysis(SumeRequest, kind="reference-analysis", result_kind="analysis", path="/reference-analysis"):
    """
    An analysis of a public video. ``POST /reference-analysis``. Requires credits; no price is documented.

    The result has no file; it is in the generation's ``details``.
    """

    protected: ClassVar[Mapping[str, str]] = {
        **SumeRequest.protected,
        "url_field": "it is no field, but the name of one",
    }

    url: Annotated[WebUrl, AfterValidator(_social_video)]
    url_field: Annotated[
        str,
        Field(pattern=WIRE_NAME),
        AfterValidator(lambda name: "".join(without_protected({name: None}, OWNER_FIELDS))),
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
