# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds' paid request and its documented prices (https://cinematicads.studio/en/api-docs)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from airflow_provider_adgen.core.requests import PostedRequest, Text, WebUrl

if TYPE_CHECKING:
    from airflow_provider_adgen.core.vocabulary import Kind

CREDITS: dict[str, dict[str, int]] = {
    "cinematic": {"standard": 1, "premium": 2},
    "avatar": {"standard": 2, "premium": 3},
    "factory": {"standard": 3, "premium": 5},
    "clone": {"standard": 3, "premium": 5},
    "influencer": {"standard": 8, "premium": 15},
    "brand": {"standard": 15, "premium": 25},
    "staticad": {"standard": 1, "premium": 1},
    "painpoint": {"standard": 1, "premium": 1},
    "ad-optimizer": {"standard": 1, "premium": 2},
}
"""Credits per workflow, by type and quality. The page names the first four types; the others follow from the labels."""

KIND_OF_TYPE: dict[str, Kind] = {"staticad": "image", "painpoint": "analysis", "ad-optimizer": "analysis"}
"""What a type makes where that is not a video."""

_NEEDS_URL = frozenset({"clone", "factory"})


def _split(value: Any) -> Any:
    """Take formats as a list, or as the wire's string (which a template renders to); each counts once."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, list | tuple):
        return [part for index, part in enumerate(value) if part not in value[:index]]
    return value


Formats = Annotated[
    list[Literal["9:16", "1:1", "16:9"]],
    BeforeValidator(_split),
    Field(min_length=1),
    PlainSerializer(lambda formats: ",".join(formats), return_type=str),
]
"""Aspect ratios; on the wire they are joined by commas."""


class Models(BaseModel):
    """Which AI models to use; the vendor does not document their names."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    image: Text | None = None
    video: Text | None = None
    voice: Text | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.image is None and self.video is None and self.voice is None:
            raise ValueError("give image, video or voice")
        return self


class Workflow(PostedRequest, kind="workflow", path="/api/workflow"):
    """
    One workflow of the video studio. ``POST /api/workflow``.

    ``quality`` is always sent, so that what is quoted is what is asked for. What avatar, influencer, staticad,
    painpoint and ad-optimizer take beside these fields is not documented: ``extra_fields`` sends it. What a field means
    is said at :class:`CinematicAdsWorkflowOperator`; the vendor's name ``type`` is accepted for ``workflow_type``.

    :param asynchronous: the vendor's ``async``; always true, because it documents no answer of a workflow waited for.
    """

    protected: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("async", "asynchronous"), "the vendor documents no answer of a workflow that is waited for"
    )

    workflow_type: Literal[
        "avatar", "cinematic", "clone", "factory", "influencer", "brand", "staticad", "painpoint", "ad-optimizer"
    ] = Field(validation_alias=AliasChoices("workflow_type", "type"), serialization_alias="type")
    url: WebUrl | None = None
    concept: Text | None = None
    quality: Literal["standard", "premium"] = "standard"
    models: Models | None = None
    formats: Formats | None = None
    seasonal: Literal["ramadan", "eid"] | None = None
    framework: Literal["pas", "aida", "sb7", "cialdini", "uvp", "bant"] | None = None
    hitl: bool | None = None
    asynchronous: Literal[True] = Field(
        default=True, validation_alias=AliasChoices("asynchronous", "async"), serialization_alias="async"
    )

    def check_rules(self) -> None:
        """Check that the workflow has its source."""
        if self.workflow_type in _NEEDS_URL and self.url is None:
            raise ValueError(f"a {self.workflow_type} workflow needs url")

    @property
    def result_kind(self) -> Kind:  # type: ignore[override]  # one kind of request here makes several kinds of results
        """What this type results in."""
        return KIND_OF_TYPE.get(str(self.workflow_type), "video")

    def documented_price(self) -> int | None:
        """Return the documented price of type and quality; the number of formats does not change it."""
        return CREDITS[self.workflow_type][self.quality]

    def expected_files(self) -> int | None:
        """Return the number of formats, where they were given and the result is files."""
        return len(self.formats) if self.formats and self.result_kind != "analysis" else None


REQUESTS: tuple[type[PostedRequest], ...] = (Workflow,)
