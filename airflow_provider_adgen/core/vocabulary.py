# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The words all vendors are translated into: a generation, its creatives, its credits, an account's balance."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal

import pendulum
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainSerializer

from airflow_provider_adgen.core.scrub import scrub, without_urls

SCHEMA = 1
"""Version of the dictionary that goes through XCom."""

DETAILS_LIMIT = 4096
"""Bytes of ``details`` that go through XCom."""

Kind = Literal["video", "image", "voice", "copy", "analysis"]


class GenerationStatus(StrEnum):
    """What a generation is doing. Each vendor maps its own words onto these."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


FINISHED = frozenset(
    {GenerationStatus.COMPLETED, GenerationStatus.FAILED, GenerationStatus.CANCELED, GenerationStatus.EXPIRED}
)
"""The statuses after which a vendor is not asked again."""


class Model(BaseModel):
    """Base of all models: unknown fields are kept, and no input value shows up in a validation error."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, populate_by_name=True)


def read_time(value: Any) -> pendulum.DateTime | None:
    """Read a vendor's timestamp (ISO 8601, or Unix seconds); None where it is absent or unreadable."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, pendulum.DateTime) and value.tzinfo is not None:
        return value
    try:
        if isinstance(value, int | float):
            return pendulum.from_timestamp(value)
        text = str(value)
        # Without a year it is no point in time: pendulum would take "12:00", and "now", for today's.
        parsed = _parsed(text) if text[:4].isdecimal() else None
    except (ValueError, OverflowError, OSError):  # a time is information, never a reason to lose a paid job
        return None
    return parsed if isinstance(parsed, pendulum.DateTime) else None


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Any:
    # Each look at a job shows the same few times again.
    return pendulum.parse(text, tz="UTC")


Moment = Annotated[
    InstanceOf[pendulum.DateTime] | None,
    BeforeValidator(read_time),
    PlainSerializer(lambda moment: moment.isoformat() if moment is not None else None),
]
"""A point in time, always with a zone; read tolerantly, written as ISO 8601."""


class Creative(Model):
    """
    One finished file.

    :param kind: ``image``, ``video``, ``audio`` or ``archive``.
    :param url: where the vendor serves it; signed and short-lived at some vendors, so it is kept out of reprs.
    :param expires_at: when the link stops working, where the vendor says so.
    :param uri: where it was stored.
    :param media_type: MIME type of the stored file.
    :param size: bytes of the stored file.
    :param sha256: hex digest of the stored file.
    """

    kind: Literal["image", "video", "audio", "archive"]
    url: str | None = Field(default=None, repr=False)
    expires_at: Moment = None
    uri: str | None = None
    media_type: str | None = None
    size: int | None = None
    sha256: str | None = None


class Credits(Model):
    """
    What a generation cost, in whole credits; None where the vendor does not tell.

    :param quoted: the documented price before submitting.
    :param charged: what the vendor says it took.
    :param refunded: what a documented refund gave back.
    """

    quoted: int | None = None
    charged: int | None = None
    refunded: int | None = None


def estimate_mark(charged: int, estimated: int) -> str:
    """
    Return what follows a number of credits of which the vendor did not tell that it charged them; else nothing.

    :param charged: the number.
    :param estimated: the part of it that is a price.
    """
    if not estimated:
        return ""
    return " (estimated)" if estimated == charged else f" ({estimated:,} of them estimated)"


class CreditBalance(Model):
    """
    An account's credits; what a vendor does not tell is None, never a guess.

    :param remaining: credits that can still be spent.
    :param used: credits spent in the vendor's billing period.
    :param limit: credits of the plan in that period.
    :param in_flight_limit: generations the account may run at the same time.
    :param details: what else the vendor said of them (plan, monthly and bonus credits); no URLs.
    """

    remaining: int | None = None
    used: int | None = None
    limit: int | None = None
    in_flight_limit: int | None = None
    details: Annotated[dict[str, Any], AfterValidator(without_urls)] = Field(default_factory=dict, repr=False)


class CopyVariant(Model):
    """One variant of ad copy."""

    hook: str | None = None
    body: str | None = None
    cta: str | None = None
    hashtags: list[str] = Field(default_factory=list)


class Generation(Model):
    """
    One paid job at a vendor, in the same shape for every vendor.

    :param vendor: the vendor's name.
    :param id: the vendor's job id (the first one where a request made several).
    :param job_ids: all job ids.
    :param kind: ``video``, ``image``, ``voice``, ``copy`` or ``analysis``.
    :param status: a :class:`GenerationStatus`, or the vendor's own word where it is not known (then not finished).
    :param creatives: the finished files.
    :param variants: ad copy.
    :param credits: quoted, charged, refunded.
    :param created_at: when the vendor made the job, where it says so.
    :param completed_at: when the job ended, where it says so.
    :param error: why it failed, where the vendor says so.
    :param progress: percent, where the vendor says so.
    :param details: what else the vendor said.
    """

    vendor: str
    id: str
    job_ids: list[str] = Field(default_factory=list)
    kind: Kind
    status: GenerationStatus | str
    creatives: list[Creative] = Field(default_factory=list)
    variants: list[CopyVariant] = Field(default_factory=list)
    credits: Credits = Field(default_factory=Credits)
    created_at: Moment = None
    completed_at: Moment = None
    error: str | None = None
    progress: float | None = None
    details: dict[str, Any] = Field(default_factory=dict, repr=False)
    kind_guessed: bool = Field(default=False, exclude=True, repr=False)
    """Neither the vendor nor the caller told its kind. It stays in the process: no XCom and no record has it."""

    def model_post_init(self, _context: Any, /) -> None:
        """Fill in all job ids: a generation always knows them. What went wrong is the vendor's text: it is scrubbed."""
        if not self.job_ids:
            self.job_ids = [self.id]
        if self.error:
            self.error = scrub(self.error)

    @property
    def finished(self) -> bool:
        """Whether the vendor will not change it any more."""
        return self.status in FINISHED

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.status == GenerationStatus.COMPLETED

    def to_xcom(self, *, urls: bool) -> dict[str, Any]:
        """
        Return the JSON dictionary that operators return.

        :param urls: keep links of creatives that were not stored (signed links are secrets: only where the user asked
            for nothing else).
        """
        # What a vendor says beside the fields stays here, but for ad copy.
        parts = {"creatives": {"__all__": set(Creative.model_fields)}, "credits": set(Credits.model_fields)}
        known: Any = {name: parts.get(name, True) for name in Generation.model_fields if name != "details"}
        told = self.model_dump(mode="json", include=known)
        for creative in told["creatives"]:
            if not urls or creative["uri"] is not None:
                creative["url"] = creative["expires_at"] = None
        return {"schema": SCHEMA, **told, "details": _small(without_urls(self.details))}

    @classmethod
    def from_xcom(cls, value: dict[str, Any]) -> Generation:
        """Read back what :meth:`to_xcom` wrote."""
        return cls.model_validate({key: item for key, item in value.items() if key != "schema"})


def _small(details: dict[str, Any]) -> dict[str, Any]:
    """Keep the fields that fit into :data:`DETAILS_LIMIT`, the small ones first, in their own order."""
    sizes = {key: len(json.dumps({key: value}, default=str)) for key, value in details.items()}
    room, kept = DETAILS_LIMIT, set()
    for key in sorted(sizes, key=lambda name: sizes[name]):
        room -= sizes[key]
        if room < 0:
            break
        kept.add(key)
    return {key: value for key, value in details.items() if key in kept}
