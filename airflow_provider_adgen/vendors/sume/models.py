# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What Sume answers. Fields the vendor adds are kept; only what identifies a thing is required.

Few key names are documented, so a field that nobody needs and that came as something else is None, never an error.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from airflow_provider_adgen.core.reading import Answered, Fields, Objects, OptionalNumber, OptionalText, RequiredId
from airflow_provider_adgen.core.vocabulary import Moment


def _headers(value: Any) -> dict[str, str]:
    """Read headers from an object, or from a list of names with values."""
    if isinstance(value, list):
        value = {one.get("name") or one.get("key"): one.get("value") for one in value if isinstance(one, dict)}
    if not isinstance(value, dict):
        return {}
    return {str(name): str(text) for name, text in value.items() if name and text is not None}


class KeyOwner(Answered):
    """
    Whom a key belongs to.

    :param user: the user.
    :param workspace: the workspace that everything happens in.
    :param api_key: what may be said about the key: its prefix, its scopes.
    """

    user: Fields = Field(default_factory=dict, repr=False)
    workspace: Fields = Field(default_factory=dict, repr=False)
    api_key: Fields = Field(default_factory=dict, repr=False)


class BrandImage(Answered):
    """A picture of a brand; its URL is what ``reference_image_urls`` of an image request takes."""

    reference_url: OptionalText = Field(default=None, repr=False)


class Brand(Answered):
    """A brand profile ("Brand DNA")."""

    id: OptionalText = None
    name: OptionalText = None
    domain: OptionalText = None
    images: Annotated[list[BrandImage], Objects] = Field(default_factory=list)


class Avatar(Answered):
    """
    A face for ads and face swaps.

    :param id: what ``avatar_id`` and ``avatar_ids`` take.
    :param capabilities: what it can be used for (talking heads, UGC ads, face swap); its shape is not documented.
    """

    id: RequiredId
    slug: OptionalText = None
    name: OptionalText = None
    capabilities: Any = None


class Job(Answered):
    """
    One job.

    :param type: for example ``video_generation``.
    :param status: the vendor's own word.
    :param error: why it failed; a text, or an object with ``code`` and ``message``.
    :param result: its output, where it was asked for; the shape differs by type and is not documented.
    """

    id: RequiredId
    type: OptionalText = None
    status: str
    created_at: Moment = None
    completed_at: Moment = None
    error: Any = None
    result: Any = Field(default=None, repr=False)


class Upload(Answered):
    """
    Permission to upload one file. Everything in it is sensitive, as the vendor says.

    :param upload_url: where the bytes are put; signed and short-lived.
    :param object_key: what the file is called when it is finalised.
    :param media_url: what a face swap takes as its source.
    :param required_headers: the headers to send to ``upload_url``, and no others.
    """

    upload_url: str = Field(repr=False, pattern=r"^https?://[^\s/]+")
    object_key: OptionalText = Field(default=None, repr=False)
    media_url: OptionalText = Field(default=None, repr=False)
    required_headers: Annotated[dict[str, str], BeforeValidator(_headers)] = Field(default_factory=dict, repr=False)


class AssetUpload(Answered):
    """
    An uploaded video that the Asset Library takes in.

    :param asset_id: the asset to wait for; None where the vendor answered with a job only.
    :param job_ids: the jobs that take it in, where the vendor told any.
    :param status: the vendor's own word.
    """

    asset_id: OptionalText = None
    job_ids: list[str] = Field(default_factory=list)
    status: OptionalText = None


class Uploaded(Answered):
    """
    What became of an upload.

    :param purpose: what it is for.
    :param media_url: where it is; what ``source_video_url`` of a face swap takes.
    :param asset: what the Asset Library said, for the purpose ``asset_library_video``.
    """

    purpose: str
    file_name: str
    content_type: str
    size: int
    object_key: str | None = Field(default=None, repr=False)
    media_url: str | None = Field(default=None, repr=False)
    asset: AssetUpload | None = None

    @property
    def asset_id(self) -> str | None:
        """The asset to wait for."""
        return self.asset.asset_id if self.asset is not None else None


class Asset(Answered):
    """
    One scene of the Asset Library.

    :param media_url: the scene's video (one page calls it ``clip_url``).
    :param status: how far it was taken in, where the vendor says so.
    """

    id: RequiredId
    title: OptionalText = None
    status: Annotated[
        OptionalText, Field(validation_alias=AliasChoices("status", "ingest_status", "processing_status", "state"))
    ] = None
    media_url: OptionalText = Field(default=None, validation_alias=AliasChoices("media_url", "clip_url"), repr=False)
    thumbnail_url: OptionalText = Field(default=None, repr=False)
    source_media_url: OptionalText = Field(default=None, repr=False)
    start_time_seconds: OptionalNumber = None
    end_time_seconds: OptionalNumber = None
    metadata: Fields = Field(default_factory=dict)
    search: Fields = Field(default_factory=dict)
