# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What CutX answers: names in camelCase or snake_case, money and counts as strings or numbers.

Fields the vendor adds are kept. Only what identifies a thing is required; a field that nobody needs and that came as
something else is None, never an error: after a paid request nothing but the job's id may be missing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator
from pydantic.alias_generators import to_snake

from airflow_provider_adgen.core.reading import (
    Answered,
    Flag,
    JobId,
    Objects,
    OptionalInt,
    OptionalLink,
    OptionalText,
    RequiredId,
    as_int,
    as_text,
)
from airflow_provider_adgen.core.vocabulary import CopyVariant, Moment


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.split()
    return [text for text in map(as_text, value) if text] if isinstance(value, list) else []


Words = Annotated[list[str], BeforeValidator(_words)]


_snake = lru_cache(maxsize=1024)(to_snake)  # the same few names in every answer


class CutxModel(Answered):
    """Base of CutX's answers: either case of a name is read."""

    @model_validator(mode="before")
    @classmethod
    def _either_case(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = _snake(key)
            # A null under one of two names must not hide the other.
            if item is not None:
                found.setdefault(name if name in cls.model_fields else key, item)
        return found


class Project(CutxModel):
    """
    A project: what products and generations belong to.

    :param id: what ``project_id`` takes.
    :param product_count: products in it, where a list tells.
    :param asset_count: files in it, where a list tells.
    """

    id: RequiredId
    name: OptionalText = None
    description: OptionalText = None
    status: OptionalText = None
    user_id: OptionalText = None
    product_count: OptionalInt = None
    asset_count: OptionalInt = None
    created_at: Moment = None
    updated_at: Moment = None


class ProductImage(CutxModel):
    """A picture of a product."""

    id: OptionalText = None
    url: OptionalText = Field(default=None, repr=False)
    is_primary: Flag = None


class Product(CutxModel):
    """
    A product of a project.

    :param id: what ``product_id`` takes.
    :param price: as the vendor writes it, for example ``29.99``.
    :param image_url: its picture; where the vendor shows several (``images``), the primary one.
    :param images: all its pictures, where the vendor shows them.
    """

    id: RequiredId
    name: OptionalText = None
    description: OptionalText = None
    price: OptionalText = None
    currency: OptionalText = None
    brand: OptionalText = None
    category: OptionalText = None
    source_url: OptionalText = None
    image_url: OptionalText = Field(default=None, repr=False)
    features: Annotated[list[Any], BeforeValidator(lambda value: value if isinstance(value, list) else [])] = Field(
        default_factory=list
    )
    images: Annotated[list[ProductImage], Objects] = Field(default_factory=list, repr=False)
    created_at: Moment = None

    def model_post_init(self, _context: Any, /) -> None:
        """Fill in the one picture from several."""
        if self.image_url is None:
            usable = [image for image in self.images if image.url]
            chosen = next((image for image in usable if image.is_primary), usable[0] if usable else None)
            self.image_url = chosen.url if chosen is not None else None


class User(CutxModel):
    """The user that the token belongs to; the role is ``user``, ``admin`` or ``owner``."""

    id: RequiredId
    email: OptionalText = Field(default=None, repr=False)
    name: OptionalText = None
    role: OptionalText = None
    email_verified: Flag = None
    created_at: Moment = None


class Balance(CutxModel):
    """``GET /api/credits/balance``."""

    balance: Annotated[int, BeforeValidator(as_int)]
    lifetime_purchased: OptionalInt = None
    lifetime_used: OptionalInt = None


class SubmitAnswer(CutxModel):
    """
    The answer to a paid request.

    :param job_id: the job.
    :param status: the vendor's word, where it says one; ``reused`` where a job with the same key still runs.
    :param credits_used: what this request took; 0 for a job that exists already.
    :param credits_remaining: what is left.
    """

    job_id: JobId = Field(validation_alias=AliasChoices("job_id", "id"))
    status: OptionalText = None
    credits_used: OptionalInt = None
    credits_remaining: OptionalInt = None


class Asset(CutxModel):
    """A file that a job made; its type is ``image`` or ``video``."""

    id: OptionalText = None
    type: OptionalText = None
    url: OptionalLink = Field(default=None, repr=False)
    expires_at: Moment = None


class Job(CutxModel):
    """
    ``GET /api/generate/status``.

    :param type: ``static_ad``, ``ugc_video``, ``copy`` ...
    :param status: the vendor's own word.
    :param error: why it failed; no page shows a field for it, so the likely ones are read.
    """

    type: OptionalText = None
    status: str
    assets: Annotated[list[Asset], Objects] = Field(default_factory=list)
    created_at: Moment = None
    completed_at: Moment = None
    error: Any = None
    error_message: Any = None
    failure_reason: Any = None
    reason: Any = None
    message: Any = None

    @property
    def said(self) -> str | None:
        """What the vendor says went wrong."""
        for value in (self.error, self.error_message, self.failure_reason, self.reason, self.message):
            if isinstance(value, dict):
                value = value.get("message") or value.get("code")
            if isinstance(value, str) and value.strip():
                return value.strip()
        return None


_VARIANT = ("hook", "body", "cta", "hashtags")
_WRAPPINGS = ("result", "output", "data")


def variants(answer: dict[str, Any]) -> list[CopyVariant]:
    """
    Find the ad copy in an answer, in as many variants as came. Never raises.

    :param answer: the answer to a submission, or to a look at a job.
    """
    found = answer.get("variants")
    for name in _WRAPPINGS:
        inner = answer.get(name)
        if not found and isinstance(inner, dict):
            found = inner.get("variants")
    if isinstance(found, dict):
        found = [found] if set(_VARIANT) & set(found) else list(found.values())
    read = map(_variant, found) if isinstance(found, list) else ()
    return [variant for variant in read if variant is not None]


def _variant(value: Any) -> CopyVariant | None:
    if isinstance(value, str):
        value = {"body": value}
    if not isinstance(value, dict):
        return None
    texts = {name: as_text(value.get(name)) for name in _VARIANT[:3]}
    hashtags = _words(value.get("hashtags"))
    if not hashtags and not any(text and text.strip() for text in texts.values()):
        return None
    return CopyVariant.model_validate({**value, **texts, "hashtags": hashtags})
