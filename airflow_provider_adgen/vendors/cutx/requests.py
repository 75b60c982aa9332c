# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX's paid requests and their documented prices (pages AI Generation and Credits)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, AliasGenerator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from airflow_provider_adgen.core.requests import PostedRequest, Text, WebUrl

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _uuid(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise ValueError("a UUID is needed")
    return value


Uuid = Annotated[str, AfterValidator(_uuid)]
"""A UUID in its usual form, sent as it was given."""


class CutxRequest(PostedRequest):
    """
    Base of CutX's requests: each is about a product of a project. The three pages that name prices agree on them.

    The wire has camelCase names; a request in JSON may have those, too. What a field means is said at the operator of
    the same request.
    """

    model_config = ConfigDict(
        alias_generator=AliasGenerator(
            validation_alias=lambda name: AliasChoices(name, to_camel(name)), serialization_alias=to_camel
        )
    )

    # Whether a submission may be repeated hangs on the key: it must be known to whoever decides that.
    protected: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("idempotencyKey", "idempotency_key"), "give idempotency_key to the operator or to submit()"
    )

    project_id: Uuid
    product_id: Uuid


class Copy(CutxRequest, kind="copy", result_kind="copy", path="/api/generate/copy", credits=1):
    """
    Ad copy in five variants, answered at once. ``POST /api/generate/copy``, 1 credit.

    The variants come with that answer. Whether they can be asked for again is not documented.
    """

    synchronous: ClassVar[bool] = True
    askable: ClassVar[bool] = True

    platform: Literal["meta", "tiktok", "google", "linkedin", "pinterest", "universal"]
    format: Literal["short", "long", "hook", "story"]
    tone: Literal["professional", "casual", "urgent", "luxe", "playful", "bold"]
    custom_instructions: Annotated[str, Field(max_length=500)] | None = None


class StaticAd(CutxRequest, kind="static-ad", result_kind="image", path="/api/generate/static-ad", credits=3):
    """An ad image. ``POST /api/generate/static-ad``, 3 credits."""

    style: Literal["product_hero", "lifestyle", "minimal", "bold", "seasonal", "modern"] | None = None
    aspect_ratio: Literal["1:1", "9:16", "4:5", "16:9"] | None = None
    prompt: Annotated[str, Field(min_length=5, max_length=1000)] | None = None


class Video(CutxRequest, kind="video", result_kind="video", path="/api/generate/video", credits=40):
    """A video of an avatar that speaks. ``POST /api/generate/video``, 40 credits; takes 1 to 3 minutes."""

    script: Annotated[str, Field(min_length=10, max_length=2000)]
    avatar_url: WebUrl | None = None
    voice_id: Text | None = None
    aspect_ratio: Literal["9:16", "1:1", "16:9"] | None = None


REQUESTS: tuple[type[CutxRequest], ...] = (Copy, StaticAd, Video)
