# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Adsumo answers. Fields the vendor adds are kept; only what identifies a thing is required."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from airflow_provider_adgen.core.reading import (
    Answered,
    JobId,
    OptionalInt,
    OptionalLink,
    OptionalNumber,
    OptionalText,
    RequiredId,
    as_int,
)
from airflow_provider_adgen.core.vocabulary import Moment


class Product(Answered):
    """
    A product of the account.

    :param image_url: its picture (the vendor calls it ``image_path`` in the answer to a creation).
    """

    id: RequiredId
    name: OptionalText = None
    description: OptionalText = None
    category: OptionalText = None
    image_url: OptionalText = Field(default=None, validation_alias=AliasChoices("image_url", "image_path"), repr=False)
    price: OptionalNumber = None
    currency: OptionalText = None
    link: OptionalText = None
    created_at: Moment = None


class Avatar(Answered):
    """A face for talking-avatar videos; its type is ``platform`` or ``custom``."""

    id: RequiredId
    name: OptionalText = None
    thumbnail_url: OptionalText = Field(default=None, repr=False)
    gender: OptionalText = None
    age_group: OptionalText = None
    avatar_type: OptionalText = None
    description: OptionalText = None
    created_at: Moment = None


class Voice(Answered):
    """A voice; its id is what ``voice_id`` takes."""

    id: RequiredId
    name: OptionalText = None
    gender: OptionalText = None
    age_group: OptionalText = None
    accent: OptionalText = None
    style: OptionalText = None
    preview_audio_url: OptionalText = Field(default=None, repr=False)


class GenerationItem(Answered):
    """One generation as ``GET /generations`` and ``GET /generations/{id}`` show it, and as submissions answer it."""

    id: JobId = Field(validation_alias=AliasChoices("id", "voiceover_id", "generation_id"))
    type: OptionalText = None
    status: str
    created_at: Moment = None
    completed_at: Moment = None
    result_url: Any = Field(default=None, repr=False)
    details: Any = Field(default=None, repr=False)


class Pagination(Answered):
    """Where a page stands in its list."""

    total: OptionalInt = None


class Balance(Answered):
    """``GET /account/credits``."""

    credits_used: OptionalInt = None
    credits_limit: OptionalInt = None
    credits_remaining: Annotated[int, BeforeValidator(as_int)]


class WebhookEvent(Answered):
    """
    A notification that Adsumo sent, its signature verified.

    :param event: ``generation.completed`` or ``generation.failed``.
    :param generation_id: the job.
    """

    event: str
    generation_id: JobId = Field(validation_alias=AliasChoices("generation_id", "id"))
    type: OptionalText = None
    status: OptionalText = None
    result_url: OptionalLink = Field(default=None, repr=False)
    error_message: OptionalText = None
    created_at: Moment = None
    completed_at: Moment = None
