# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a workflow's events, and a project of the list, say about a job. Pure; nothing here raises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.reading import as_number
from airflow_provider_adgen.core.vocabulary import FINISHED, GenerationStatus
from airflow_provider_adgen.vendors.cinematicads import shapes
from airflow_provider_adgen.vendors.cinematicads.models import WorkflowEvent

if TYPE_CHECKING:
    from airflow_provider_adgen.core.calls import Event
    from airflow_provider_adgen.vendors.cinematicads.shapes import OutputFile

_WORDS: dict[GenerationStatus, tuple[str, ...]] = {
    GenerationStatus.QUEUED: ("queued", "waiting"),
    GenerationStatus.PENDING: ("pending",),
    GenerationStatus.PROCESSING: ("active", "started", "running", "processing", "in_progress", "generating"),
    GenerationStatus.SUSPENDED: ("suspended", "paused", "awaiting_review"),
    GenerationStatus.COMPLETED: ("completed", "complete", "success", "succeeded", "done", "finished", "ready"),
    GenerationStatus.FAILED: ("failed", "error"),
    GenerationStatus.CANCELED: ("canceled", "cancelled"),
}
STATUSES: dict[str, GenerationStatus] = {word: status for status, words in _WORDS.items() for word in words}

DOCUMENTED_STATUSES = frozenset({"completed", "failed", "pending", "active", "suspended", "queued"})
"""The words that are on the page: of a step, of a batch, of a notification or of a submission's message."""

_STEP = ("step", "progress", "workflow.step")
_SAID_BY_NAME: dict[str, GenerationStatus] = {
    "workflow.started": GenerationStatus.PROCESSING,
    "workflow.completed": GenerationStatus.COMPLETED,
    "workflow.failed": GenerationStatus.FAILED,
    "workflow.suspended": GenerationStatus.SUSPENDED,
}
_NAMES = frozenset({*_STEP, "result", "video.ready", *_SAID_BY_NAME})
_STATUS = ("status", "state", "workflowstatus", "jobstatus")
_NO_JOB = re.compile(
    r"^\s*(the )?(job|workflow)\b.*\b(not found|unknown|does not exist)|^\s*(unknown|no such|invalid) (job|workflow)",
    re.IGNORECASE | re.DOTALL,
)
_DAY = re.compile(r"\d{4}[-/.]?\d{2}[-/.]?\d{2}")
_COST = ("cost", "creditsused", "creditscharged", "creditcost")
_REFUND = ("refunded", "creditsrefunded", "refundedcredits")
# Fields of a told job that have a place of their own in a generation.
_PLACED = frozenset({"success", "error", "data", "status", "state", "progress", "jobid", "cost"})


@dataclass
class JobFacts:
    """
    What is known of a job.

    :param status: None while nothing said it.
    :param links: its finished files.
    :param error: why it failed.
    :param progress: percent.
    :param charged: credits it took.
    :param refunded: credits given back.
    :param created: when it was made, as the vendor says it.
    :param completed: when it ended, as the vendor says it.
    :param type: type of the workflow.
    :param reviewed: it waits for a person, or did.
    :param formats: how many formats were asked for.
    :param details: what else was said.
    """

    status: GenerationStatus | str | None = None
    links: list[OutputFile] = field(default_factory=list)
    error: str | None = None
    progress: float | None = None
    charged: int | None = None
    refunded: int | None = None
    created: Any = None
    completed: Any = None
    type: str | None = None
    reviewed: bool = False
    formats: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.status in FINISHED

    def complete(self, kind: str | None) -> bool:
        """
        Whether nothing can be missing: it has ended, and there are links to all of its files.

        One link of a job that does not tell its formats may be one of several.
        """
        if self.status != GenerationStatus.COMPLETED or kind == "analysis":
            return self.finished
        return len(self.links) >= (self.formats or 2)

    @property
    def contradicts(self) -> bool:
        """Whether it has files and yet no end: its status may be about something else than the job."""
        return bool(self.links) and not self.finished


def read_event(event: Event) -> WorkflowEvent:
    """Read one server-sent event; one that is not JSON is kept as text."""
    try:
        data = event.json()
    except (ValueError, RecursionError):
        data = event.data
    fields = shapes.plain(shapes.payload(data))
    success = data.get("success") if isinstance(data, dict) else None
    progress = fields.get("progress")
    if isinstance(progress, Mapping):
        progress = shapes.first(shapes.plain(progress), ("percent", "percentage", "progress", "value"))
    if progress is None and _name(event.name, {}) == "progress":
        progress = shapes.first(fields, ("percent", "percentage", "value")) if fields else data
    return WorkflowEvent(
        name=_name(event.name, data),
        step=shapes.as_text(shapes.first(fields, ("step", "stepname", "stage"))),
        status=shapes.as_text(shapes.first(fields, _STATUS)),
        progress=as_number(progress),
        success=success if isinstance(success, bool) else None,
        data=data,
    )


def _name(sent: str, data: Any) -> str:
    """Return the event's name; servers that name no events put it into the data."""
    name = re.sub(r"[:_]", ".", sent.strip().lower())
    if name in _NAMES:
        return name
    if name in {"", "message"} and isinstance(data, dict):
        for key in ("event", "type"):
            inner = data.get(key)
            if isinstance(inner, str) and re.sub(r"[:_]", ".", inner.strip().lower()) in _NAMES:
                return re.sub(r"[:_]", ".", inner.strip().lower())
    return sent


class Listener:
    """
    Follows one job's events, in the order in which they came.

    A stream may tell a late listener all that happened, or nothing: what is said last counts, except that a job with a
    result has one.

    :param job: the job.
    :param kind: kind of the result, if known.
    :param translate: turns a status word into a status.
    """

    def __init__(self, job: str, kind: str | None, translate: Callable[[str], GenerationStatus | str]) -> None:
        self._job = job
        self._kind = kind
        self._translate = translate

    def ends(self, event: WorkflowEvent) -> bool:
        """Whether the job is over with this event; a little may follow (the links of further formats)."""
        return self.hear([event]).finished

    def pauses(self, event: WorkflowEvent) -> bool:
        """Whether the job is over, or waits for a person from this event on."""
        told = self.hear([event])
        return told.finished or told.status == GenerationStatus.SUSPENDED

    def hear(self, events: Iterable[WorkflowEvent]) -> JobFacts:
        """Return what a run of events says."""
        told = JobFacts()
        completed = False
        for event in events:
            another = shapes.as_text(shapes.plain(shapes.payload(event.data)).get("jobid"))
            if event.name not in _NAMES or (another is not None and another != self._job):
                continue
            status = self._status(event)
            completed = completed or status == GenerationStatus.COMPLETED
            told.reviewed = told.reviewed or status == GenerationStatus.SUSPENDED
            told.status = status if status is not None else told.status
            self._add(told, event)
        if completed:
            told.status, told.error = GenerationStatus.COMPLETED, None
        told.links = shapes.distinct(told.links)
        return told

    def _status(self, event: WorkflowEvent) -> GenerationStatus | str | None:
        said = self._translate(event.status) if event.status else None
        if event.name in _STEP:
            # The status of a step is not the status of the job; but a job that waits for a person does so in a step.
            return GenerationStatus.SUSPENDED if said == GenerationStatus.SUSPENDED else GenerationStatus.PROCESSING
        if event.name == "result" or (event.name == "workflow.completed" and event.success is False):
            # What is called completed and says that it did not succeed has no result to return.
            return self._result(event, said)
        if event.name == "video.ready":
            return GenerationStatus.PROCESSING
        return _SAID_BY_NAME[event.name]

    def _result(self, event: WorkflowEvent, said: GenerationStatus | str | None) -> GenerationStatus | str | None:
        error = shapes.told_error(event.data) if isinstance(event.data, dict) else ""
        if event.success is False:
            # A stream of a job that the server has forgotten is no failed job: a refund would be taken for granted.
            return None if _NO_JOB.search(error) else GenerationStatus.FAILED
        if said == GenerationStatus.FAILED:
            return said
        if shapes.links(event.data, self._kind):
            return GenerationStatus.COMPLETED
        if isinstance(said, GenerationStatus):
            return said
        return GenerationStatus.COMPLETED if event.success is True else None

    def _add(self, told: JobFacts, event: WorkflowEvent) -> None:
        told.progress = event.progress if event.progress is not None else told.progress
        if not isinstance(event.data, dict):
            return
        fields = shapes.plain(shapes.payload(event.data))
        if event.step:
            told.details["step"] = event.step
        if event.name in _STEP:
            return
        told.links += shapes.links(event.data, self._kind, own_url=event.name == "video.ready")
        if event.name in {"workflow.failed", "workflow.completed", "result"} and event.success is not True:
            told.error = shapes.told_error(event.data) or told.error
        _money(told, fields)
        if event.name in {"result", "workflow.completed"}:
            told.details |= {
                key: item for key, item in shapes.payload(event.data).items() if key.lower() not in _PLACED
            }


def _money(told: JobFacts, fields: Mapping[str, Any]) -> None:
    charged, refunded = shapes.as_int(shapes.first(fields, _COST)), shapes.as_int(shapes.first(fields, _REFUND))
    told.charged = charged if charged is not None else told.charged
    told.refunded = refunded if refunded is not None else told.refunded


def _time_of_day(value: Any) -> Any:
    """Return a moment; None for a mere day, which would look like midnight: before all that was made on it."""
    return None if isinstance(value, str) and _DAY.fullmatch(value.strip()) else value


def listed(
    projects: Iterable[Mapping[str, Any]],
    job: str,
    kind: str | None,
    translate: Callable[[str], GenerationStatus | str],
) -> JobFacts | None:
    """
    Return what the list of projects says about a job; None where it does not carry the job.

    :param projects: the list.
    :param job: the job.
    :param kind: kind of the result, if known.
    :param translate: turns a status word into a status.
    """
    found = [of_project(one, kind, translate) for one in projects if shapes.is_about(one, job)]
    if not found:
        return None
    told = found[0]
    # One project per format is as likely as one for all of them.
    for other in found[1:]:
        told.links = shapes.distinct([*told.links, *other.links])
        told.status = _together(told.status, other.status)
    return told


def _together(
    one: GenerationStatus | str | None, other: GenerationStatus | str | None
) -> GenerationStatus | str | None:
    for status in (one, other):
        if status not in FINISHED:
            return status
    return GenerationStatus.COMPLETED if GenerationStatus.COMPLETED in (one, other) else one


def of_project(
    value: Mapping[str, Any], kind: str | None, translate: Callable[[str], GenerationStatus | str]
) -> JobFacts:
    """Return what one project says; one without a status word is over when it has files."""
    fields = shapes.plain(shapes.payload(value))
    type_ = shapes.as_text(shapes.first(fields, ("type", "workflowtype", "mode")))
    found = shapes.links(value, kind)
    said = shapes.as_text(shapes.first(fields, _STATUS))
    if said is not None:
        status: GenerationStatus | str = translate(said)
    else:
        status = GenerationStatus.COMPLETED if found else GenerationStatus.PROCESSING
    told = JobFacts(
        status=status,
        links=found,
        error=shapes.told_error(value) or None if status == GenerationStatus.FAILED else None,
        progress=as_number(fields.get("progress")),
        created=_time_of_day(shapes.first(fields, ("createdat", "created", "date"))),
        completed=shapes.first(fields, ("completedat", "finishedat", "endedat")),
        type=type_,
        formats=shapes.count_formats(fields.get("formats")),
        details={key: item for key, item in shapes.payload(value).items() if key.lower() not in _PLACED},
    )
    _money(told, fields)
    return told


def merged(heard: JobFacts | None, found: JobFacts | None) -> JobFacts | None:
    """
    Return what stream and list say together.

    The stream is about this job and no other, and tells what the list may not know of (a review), so it counts first;
    but a job that either of them knows to have a result has one.

    :param heard: what the stream said; None where nothing was heard.
    :param found: what the list said; None where it does not carry the job.
    """
    if heard is None or heard.status is None:
        return found
    if found is None:
        return heard
    status = heard.status
    if GenerationStatus.COMPLETED in (heard.status, found.status):
        status = GenerationStatus.COMPLETED
    elif found.finished and not heard.finished:
        status = found.status or status
    return replace(
        found,
        status=status,
        links=found.links if len(found.links) > len(heard.links) else heard.links,
        error=None if status == GenerationStatus.COMPLETED else heard.error or found.error,
        progress=heard.progress if heard.progress is not None else found.progress,
        charged=heard.charged if heard.charged is not None else found.charged,
        refunded=heard.refunded if heard.refunded is not None else found.refunded,
        details={**found.details, **heard.details},
    )
