# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What CutX answers: camelCase or snake_case names, money and counts as numbers or as strings."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, AliasGenerator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from airflow_provider_adgen.core.vocabulary import CopyVariant, Model, Moment


class CutxModel(Model):
    """Base of CutX's answers: either case of a name is read."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(name, to_camel(name)))
    )


class Project(CutxModel):
    """
    A project: a collection of products.

    :param id: UUID.
    """

    id: str
    name: str | None = None
    description: str | None = None
    status: str | None = None
    product_count: int | None = None
    asset_count: int | None = None
    created_at: Moment = None
    updated_at: Moment = None


class Product(CutxModel):
    """
    A product of a project.

    :param id: UUID.
    :param image_url: its picture; of several pictures, the primary one.
    :param images: all its pictures, where the vendor shows them.
    """

    id: str
    name: str | None = None
    description: str | None = None
    price: float | None = None
    currency: str | None = None
    brand: str | None = None
    category: str | None = None
    source_url: str | None = None
    image_url: str | None = Field(default=None, repr=False)
    features: list[Any] = Field(default_factory=list)
    images: list[dict[str, Any]] = Field(default_factory=list, repr=False)
    created_at: Moment = None

    def model_post_init(self, _context: Any, /) -> None:
        """Fill in the one picture from several."""
        if self.image_url is None and self.images:
            chosen = next((one for one in self.images if one.get("is_primary")), self.images[0])
            self.image_url = chosen.get("url") if isinstance(chosen.get("url"), str) else None


class User(CutxModel):
    """
    The user that the token belongs to.

    :param id: UUID.
    """

    id: str
    email: str | None = Field(default=None, repr=False)
    name: str | None = None
    role: str | None = None
    email_verified: bool | None = None
    created_at: Moment = None


class Balance(CutxModel):
    """``GET /api/credits/balance``."""

    balance: int
    lifetime_purchased: int | None = None
    lifetime_used: int | None = None


class Submission(CutxModel):
    """The answer to a paid request."""

    job_id: str = Field(validation_alias=AliasChoices("jobId", "job_id", "id"))
    status: str = "queued"
    credits_used: int | None = None
    credits_remaining: int | None = None
    variants: list[CopyVariant] = Field(default_factory=list)


class Asset(CutxModel):
    """A file that a job made."""

    id: str | None = None
    type: str | None = None
    url: str | None = Field(default=None, repr=False)


class Job(CutxModel):
    """``GET /api/generate/status``."""

    id: str = Field(validation_alias=AliasChoices("id", "jobId", "job_id"))
    type: str | None = None
    status: str
    assets: list[Asset] = Field(default_factory=list)
    variants: list[CopyVariant] = Field(default_factory=list)
    created_at: Moment = None
    completed_at: Moment = None
    error: Any = Field(default=None, validation_alias=AliasChoices("error", "errorMessage", "error_message"))
