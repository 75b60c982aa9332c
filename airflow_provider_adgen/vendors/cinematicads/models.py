# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
What CinematicAds answers. The vendor documents what an answer tells and hardly any field's name.

Whatever came is kept: fields that have no place here are in ``model_extra`` under the vendor's names.
"""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field

from airflow_provider_adgen.core.reading import Answered
from airflow_provider_adgen.core.vocabulary import Moment
from airflow_provider_adgen.vendors.cinematicads import shapes


class WorkflowEvent(Answered):
    """
    One event of a workflow's stream.

    :param name: ``step``, ``progress``, ``result`` or whatever the vendor calls it.
    :param step: the step it is about.
    :param status: the step's status, or the workflow's.
    :param progress: percent.
    :param success: of a result: whether there is one.
    :param data: all that came with it; it may hold links, so it is kept out of reprs.
    """

    name: str
    step: str | None = None
    status: str | None = None
    progress: float | None = None
    success: bool | None = None
    data: Any = Field(default=None, repr=False)


class Project(Answered):
    """
    A project of the account. What fields it has is not documented; those that are found are named here.

    :param id: its own id.
    :param job_id: the workflow that made it, where it says so.
    :param type: type of the workflow.
    :param status: the vendor's word.
    :param video_urls: links to its finished files.
    """

    id: Any = None
    job_id: str | None = None
    type: Any = None
    status: Any = None
    created_at: Moment = None
    video_urls: list[str] = Field(default_factory=list, repr=False)


class BatchStatus(Answered):
    """
    How far a batch of workflows is.

    :param total: workflows in the batch.
    :param completed: those with a result.
    :param failed: those without.
    :param pending: those that have not begun.
    :param active: those under way.
    """

    total: int
    completed: int
    failed: int
    pending: int | None = None
    active: int | None = None

    @property
    def finished(self) -> bool:
        """Whether all workflows have ended; an empty batch has not begun."""
        ended = self.completed + self.failed >= self.total > 0
        return ended and not self.pending and not self.active


class Brand(Answered):
    """
    The brand profile that generations use.

    :param target_audience: ``audience`` where the vendor reads it, ``targetAudience`` where it is written.
    :param colors: primary, secondary, accent.
    """

    name: str | None = None
    industry: str | None = None
    tone: str | None = None
    target_audience: Any = Field(
        default=None, validation_alias=AliasChoices("target_audience", "targetAudience", "audience")
    )
    colors: Any = None


class KnowledgeItem(Answered):
    """What was added to the brand's knowledge base; the vendor documents no answer."""

    id: Any = None
    status: Any = None


class Stats(Answered):
    """Statistics: projects by type, credits used, success rate; the vendor documents no field names."""


class Analytics(Answered):
    """Trends, usage by type, credit distribution, peak hours; the vendor documents no field names."""


class ModelsStatus(Answered):
    """Which capabilities are available."""

    text: Any = None
    image: Any = None
    video: Any = None


class Health(Answered):
    """The service's own state."""

    status: Any = None
    version: Any = None


def project(value: dict[str, Any]) -> Project:
    """Read a project, whatever shape it has."""
    fields = shapes.plain(value)
    known = {
        "id": shapes.first(fields, ("id", "projectid", "uuid")),
        "job_id": shapes.named_job(value),
        "type": shapes.first(fields, ("type", "workflowtype", "mode")),
        "status": shapes.first(fields, ("status", "state", "workflowstatus", "jobstatus")),
        "created_at": shapes.first(fields, ("createdat", "created", "date")),
        "video_urls": [link.url for link in shapes.links(value, None)],
    }
    return Project.model_validate({**value, **known})
