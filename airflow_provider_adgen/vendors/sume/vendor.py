# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume in the words that all vendors share: submit, fetch, list of jobs, status words, promises about money."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.core.errors import Conflict, NotFound, UnexpectedResponse
from airflow_provider_adgen.core.reading import as_int, is_word, other_fields
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.core.vendor import Assumption, Listed, Problem, Promises, Tracking, Vendor
from airflow_provider_adgen.core.vocabulary import (
    FINISHED,
    Creative,
    Credits,
    Generation,
    GenerationStatus,
    Kind,
)
from airflow_provider_adgen.vendors.sume import api, shapes
from airflow_provider_adgen.vendors.sume.assumptions import ASSUMPTIONS
from airflow_provider_adgen.vendors.sume.briefs import RECIPES
from airflow_provider_adgen.vendors.sume.requests import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

    from airflow_provider_adgen.core.briefs import Recipe
    from airflow_provider_adgen.core.calls import Call, Sequence
    from airflow_provider_adgen.core.endpoint import Endpoint
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.vendors.sume.models import Job

_KIND_OF_TYPE: dict[str, Kind] = {
    "image_generation": "image",
    "video_generation": "video",
    "ad_video_generation": "video",
    "face_swap": "video",
    "reference_analysis": "analysis",
}
_KINDS: dict[str, Kind] = {"image": "image", "video": "video", "analysis": "analysis"}
_PLACED = ("id", "object", "status", "job", "job_id", "jobs", "job_ids", "data", "required_credits")
_LATE = "not available yet"


class SumeVendor(Vendor):
    """Sume, public API v1."""

    name: ClassVar[str] = api.NAME
    title: ClassVar[str] = "Sume"
    default_base_url: ClassVar[str | None] = "https://www.sume.so/api/v1"
    key_shapes: ClassVar[tuple[str, ...]] = (r"sume_(?:live|test)_[\w\-]+",)
    auth_schemes: ClassVar[tuple[str, ...]] = ("bearer", "x-api-key")
    requests: ClassVar[tuple[type[GenerationRequest], ...]] = REQUESTS
    recipes: ClassVar[tuple[Recipe, ...]] = RECIPES
    promises: ClassVar[Promises] = Promises(
        idempotency=None,
        # The documented errors but 5xx ("internal, upstream or provider"), which may come after credits were reserved.
        # Of none of them it is said that nothing was started.
        nothing_started=frozenset({400, 401, 402, 403, 404, 409, 413, 429}),
        inferred=frozenset({400, 401, 402, 403, 404, 409, 413, 429}),
        refunded=frozenset(),
        lists_jobs=True,
    )
    tracking: ClassVar[Tracking] = Tracking(first_look={"image": 2.0, "video": 5.0, "analysis": 5.0})
    tells_in_flight_limit: ClassVar[bool] = True
    statuses: ClassVar[dict[str, GenerationStatus]] = {
        "queued": GenerationStatus.QUEUED,
        "running": GenerationStatus.PROCESSING,
        "processing": GenerationStatus.PROCESSING,
        "completed": GenerationStatus.COMPLETED,
        "failed": GenerationStatus.FAILED,
        "canceled": GenerationStatus.CANCELED,
        "expired": GenerationStatus.EXPIRED,
    }
    credits = staticmethod(api.get_credits)
    check = staticmethod(api.get_me)
    assumptions: ClassVar[tuple[Assumption, ...]] = ASSUMPTIONS

    # --- Vendor ---------------------------------------------------------------------------------------------------

    def auth_headers(self, key: str, auth: str | None = None) -> dict[str, str]:
        """Return the bearer header, or the legacy ``X-Api-Key`` that Sume accepts for existing keys."""
        return {"X-Api-Key": key} if auth == "x-api-key" else super().auth_headers(key)

    def read_problem(self, fields: dict[str, Any]) -> Problem:
        """Read ``{"error": {"code", "message", "details"}, "request_id"}``."""
        said = fields.get("error")
        error = said if isinstance(said, dict) else {}
        message = said if isinstance(said, str) else _word(error.get("message")) or _word(fields.get("message")) or ""
        return Problem(
            message + _amounts(error.get("details")),
            _word(error.get("code")),
            _word(fields.get("request_id")) or _word(error.get("request_id")),
            own_words=all(map(is_word, (error.get("code"), error.get("message"), fields.get("request_id")))),
        )

    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the paid POST of *request*; the vendor has no idempotency keys."""
        at = self.endpoint_of(request)
        return at.submit(lambda answer: self._created(at.object(answer), request, at), request.body())

    def fetch(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation]:
        """Ask ``GET /jobs/{id}`` of every job; once all are over, ``GET /jobs/{id}/result`` of the completed ones."""
        jobs: list[Job] = []
        for job_id in job_ids:
            job = yield api.get_job(job_id)
            jobs.append(job)
        if any(self.status(job.status) not in FINISHED for job in jobs):
            return self._generation(jobs, kind)
        late = False
        for index, job in enumerate(jobs):
            if self.status(job.status) == GenerationStatus.COMPLETED:
                jobs[index] = yield from self._with_output(job)
                late = late or self.status(jobs[index].status) not in FINISHED
        generation = self._generation(jobs, kind)
        if late:
            generation.details["output"] = _LATE
        return generation

    def list_jobs(self) -> Sequence[None]:
        """Emit recent jobs, many per request, each by itself; a row that cannot be read is left out."""
        return api.pages("/jobs", self._listed, {}, page_size=api.PAGE)

    # --- steps ----------------------------------------------------------------------------------------------------

    def _created(self, value: dict[str, Any], request: GenerationRequest, at: Endpoint) -> Generation:
        jobs, unreadable_ones = shapes.job_refs(value)
        if not jobs:
            raise at.unreadable("job.id or job_id", "is missing")
        statuses = [self.status(job.status) if job.status else GenerationStatus.QUEUED for job in jobs]
        details = other_fields(value, *_PLACED)
        if isinstance(value.get("object"), str):
            details["type"] = value["object"]
        if unreadable_ones:
            details["jobs_without_id"] = unreadable_ones
        return Generation(
            vendor=self.name,
            id=jobs[0].id,
            job_ids=[job.id for job in jobs],
            kind=request.result_kind,
            status=_together(statuses),
            credits=Credits(quoted=request.price(), charged=as_int(value.get("required_credits"))),
            details=details,
        )

    def _with_output(self, job: Job) -> Sequence[Job]:
        """Return a completed job with its output; without any it counts as still processing."""
        try:
            found: Job = yield api.get_job_result(job.id)
        except (NotFound, Conflict):
            found = job
        fields = {**job.model_dump(), **{key: item for key, item in found.model_dump().items() if item is not None}}
        merged = job.model_validate(fields)
        if merged.result or shapes.links(merged.model_extra, "video"):
            return merged
        return job.model_copy(update={"status": "processing"})

    def _listed(self, value: Any, at: Endpoint) -> Listed | None:
        job = api.job_id(value)
        return Listed(job, functools.partial(self._row, value, at)) if job is not None else None

    def _row(self, value: Any, at: Endpoint) -> Generation | None:
        try:
            return self._generation([api.read_job(value, at)], None)
        except UnexpectedResponse:  # it says nothing about the other jobs of the page
            return None

    # --- translation ----------------------------------------------------------------------------------------------

    def _generation(self, jobs: Items[Job], kind: str | None) -> Generation:
        told = _kind(jobs[0], kind)
        made = told or "video"
        statuses = [self.status(job.status) for job in jobs]
        status = _together(statuses)
        over = status in FINISHED
        creatives = [
            creative
            for job, one in zip(jobs, statuses, strict=True)
            if over and one == GenerationStatus.COMPLETED and made != "analysis"
            for creative in _creatives(job, made)
        ]
        ended = [job.completed_at for job in jobs if job.completed_at is not None]
        return Generation(
            vendor=self.name,
            id=jobs[0].id,
            job_ids=[job.id for job in jobs],
            kind=made,
            kind_guessed=told is None,
            status=status,
            creatives=creatives,
            created_at=min((job.created_at for job in jobs if job.created_at is not None), default=None),
            completed_at=max(ended, default=None) if over else None,
            error=_trouble(jobs, statuses) if over else _said(jobs[0].error) if len(jobs) == 1 else None,
            details=_details(jobs, statuses, made),
        )


def _together(statuses: Items[GenerationStatus | str]) -> GenerationStatus | str:
    """
    Return what several jobs of one request add up to.

    Nothing is over before all are. Then one completed job makes a result: it is paid for, and failing the whole would
    keep it from its owner, who could only pay for all of them again.
    """
    if len(set(statuses)) == 1:
        return statuses[0]
    if any(status not in FINISHED for status in statuses):
        return GenerationStatus.PROCESSING
    return GenerationStatus.COMPLETED if GenerationStatus.COMPLETED in statuses else GenerationStatus.FAILED


def _trouble(jobs: Items[Job], statuses: Items[GenerationStatus | str]) -> str | None:
    """Say what went wrong: why the one job failed, or which of several did."""
    if len(jobs) == 1:
        return _said(jobs[0].error)
    bad = [(job, status) for job, status in zip(jobs, statuses, strict=True) if status != GenerationStatus.COMPLETED]
    if not bad:
        return None
    each = [f"{job.id} {status}" + (f" ({_said(job.error)})" if job.error else "") for job, status in bad]
    return f"{len(bad)} of {len(jobs)} jobs ended without a result: {', '.join(each)}"


def _said(error: Any) -> str | None:
    if isinstance(error, dict):
        error = error.get("message") or error.get("code")
    return scrub(str(error)) if error else None


def _kind(job: Job, asked: str | None) -> Kind | None:
    """Return what a job makes; None where neither it nor the caller says."""
    # Creations answer with the type as their object; whether jobs do is not documented.
    named = (job.type, (job.model_extra or {}).get("object"))
    words = [word.strip().lower() for word in named if isinstance(word, str)]
    for word in words:
        if word in _KIND_OF_TYPE:
            return _KIND_OF_TYPE[word]
    if asked in _KINDS:
        return _KINDS[asked]
    return next((kind for word in words for name, kind in _KINDS.items() if name in word), None)


def _creatives(job: Job, kind: str) -> list[Creative]:
    found = shapes.links(job.result, kind) or shapes.links(job.model_extra or {}, kind)
    return [Creative(kind=link.kind, url=link.url, expires_at=link.expires_at) for link in found]


def _details(jobs: Items[Job], statuses: Items[GenerationStatus | str], kind: str) -> dict[str, Any]:
    details: dict[str, Any] = {"type": jobs[0].type} if jobs[0].type else {}
    if len(jobs) > 1:
        details["jobs"] = [
            {"id": job.id, "status": str(status), **({"error": _said(job.error)} if job.error else {})}
            for job, status in zip(jobs, statuses, strict=True)
        ]
        return details
    details.update(other_fields(jobs[0], *_PLACED, *shapes.OUTPUT))
    result = jobs[0].result
    if kind == "analysis" and isinstance(result, dict):
        # Field by field: through XCom goes what fits, and one large field must not take the others with it.
        details.update(result)
    elif result is not None:
        details["result"] = result
    return details


def _amounts(details: Any) -> str:
    """Return the numbers among an error's details: how many credits were needed, how large a file may be."""
    if not isinstance(details, dict):
        return ""
    numbers = [
        f"{key}: {item}" for key, item in details.items() if isinstance(item, int) and not isinstance(item, bool)
    ]
    return f" ({', '.join(numbers)})" if numbers else ""


def _word(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value and not isinstance(value, bool) else None


VENDOR = SumeVendor()
