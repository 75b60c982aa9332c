# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Adsumo answers. Fields the vendor adds are kept; only what identifies a thing is required."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field

from airflow_provider_adgen.core.vocabulary import Model, Moment


class Product(Model):
    """
    A product of the account.

    :param id: UUID.
    :param image_url: its picture (the vendor calls it ``image_path`` in the answer to a creation).
    """

    id: str
    name: str | None = None
    description: str | None = None
    category: str | None = None
    image_url: str | None = Field(default=None, validation_alias=AliasChoices("image_url", "image_path"), repr=False)
    price: float | None = None
    currency: str | None = None
    link: str | None = None
    created_at: Moment = None


class Avatar(Model):
    """
    A face for talking-avatar videos.

    :param id: UUID.
    :param avatar_type: ``platform`` or ``custom``.
    """

    id: str
    name: str | None = None
    thumbnail_url: str | None = Field(default=None, repr=False)
    gender: str | None = None
    age_group: str | None = None
    avatar_type: str | None = None
    description: str | None = None
    created_at: Moment = None


class Voice(Model):
    """
    A voice.

    :param id: what ``voice_id`` takes.
    """

    id: str
    name: str | None = None
    gender: str | None = None
    age_group: str | None = None
    accent: str | None = None
    style: str | None = None
    preview_audio_url: str | None = Field(default=None, repr=False)


class GenerationItem(Model):
    """One generation as ``GET /generations`` and ``GET /generations/{id}`` show it."""

    # Something to ask by: ids of one generation are joined by commas.
    id: str = Field(pattern=r"^[^\s,]+$", validation_alias=AliasChoices("id", "generation_id"))
    type: str | None = None
    status: str
    created_at: Moment = None
    completed_at: Moment = None
    result_url: Any = Field(default=None, repr=False)
    details: Any = Field(default=None, repr=False)


class Pagination(Model):
    """Where a page stands in its list."""

    total: int | None = None
    limit: int | None = None
    offset: int | None = None


class Balance(Model):
    """``GET /account/credits``."""

    credits_used: int | None = None
    credits_limit: int | None = None
    credits_remaining: int


class WebhookEvent(Model):
    """
    A notification that Adsumo sent, its signature verified.

    :param event: ``generation.completed`` or ``generation.failed``.
    :param generation_id: the job.
    """

    event: str
    generation_id: str
    type: str | None = None
    status: str | None = None
    result_url: str | None = Field(default=None, repr=False)
    error_message: str | None = None
    created_at: Moment = None
    completed_at: Moment = None
