# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds in the words that all vendors share: submit, fetch, list of jobs, status words, promises about money."""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_adgen.core.calls import AccountState, Answer, Call, Emit, Listen, RateClass, Sequence
from airflow_provider_adgen.core.decisions.rates import RateLimit
from airflow_provider_adgen.core.errors import (
    AdGenError,
    ApiError,
    AuthenticationError,
    NotFound,
    UnexpectedResponse,
    WireError,
)
from airflow_provider_adgen.core.reading import file_kind, is_word
from airflow_provider_adgen.core.requests import identifier
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.core.vendor import Listed, Problem, Promises, Vendor
from airflow_provider_adgen.core.vocabulary import Creative, Credits, Generation, GenerationStatus, read_time
from airflow_provider_adgen.vendors.cinematicads import api, shapes
from airflow_provider_adgen.vendors.cinematicads.assumptions import ASSUMPTIONS
from airflow_provider_adgen.vendors.cinematicads.briefs import RECIPES
from airflow_provider_adgen.vendors.cinematicads.requests import CREDITS, KIND_OF_TYPE, REQUESTS
from airflow_provider_adgen.vendors.cinematicads.tracking import (
    DOCUMENTED_STATUSES,
    STATUSES,
    JobFacts,
    Listener,
    listed,
    merged,
    of_project,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.briefs import Recipe
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.core.vendor import Assumption
    from airflow_provider_adgen.core.vocabulary import Kind
    from airflow_provider_adgen.vendors.cinematicads.models import WorkflowEvent

log = logging.getLogger(__name__)

QUICK = 3.0
"""Seconds for which one quick look listens, when the list does not carry the job."""

LINGER = 2.0
"""Seconds for which a stream is still heard after the job has ended: a result per format is possible."""

_MOST_REVIEWS = 1000
_STREAMS_ALONE = "%s Jobs are followed by their streams alone."


class CinematicAdsVendor(Vendor):
    """CinematicAds, as its documentation page of 2026 has it."""

    name: ClassVar[str] = "cinematicads"
    title: ClassVar[str] = "CinematicAds"
    default_base_url: ClassVar[str | None] = "https://cinematicads.studio"
    requests: ClassVar[tuple[type[GenerationRequest], ...]] = REQUESTS
    recipes: ClassVar[tuple[Recipe, ...]] = RECIPES
    promises: ClassVar[Promises] = Promises(
        # The documented errors but 500 and 503, of which it is not said whether anything was queued or charged. Of none
        # of them it is said that nothing was started.
        nothing_started=frozenset({400, 401, 402, 403, 404, 429}),
        inferred=frozenset({400, 401, 402, 403, 404, 429}),
        refunded=frozenset({GenerationStatus.FAILED}),
        lists_jobs=True,
    )
    stream_seconds: ClassVar[float] = 600.0
    rate_limits: ClassVar[Mapping[RateClass, RateLimit]] = {
        RateClass.STREAM: RateLimit(10, 3600.0),
        RateClass.READ: RateLimit(100, 60.0),
    }
    # The page gives "10 requests/hour" without its label; the order of its lines says that it is meant for these.
    submit_ration: ClassVar[RateLimit | None] = RateLimit(10, 3600.0)
    statuses: ClassVar[dict[str, GenerationStatus]] = STATUSES
    likely_statuses: ClassVar[frozenset[str]] = frozenset(STATUSES) - DOCUMENTED_STATUSES
    without: ClassVar[tuple[str, ...]] = ("Local Audit",)
    credits = staticmethod(api.get_credits)
    check = staticmethod(api.check)
    assumptions: ClassVar[tuple[Assumption, ...]] = ASSUMPTIONS

    def read_problem(self, fields: dict[str, Any]) -> Problem:
        """Read ``{"success": false, "error": "..."}``."""
        plain = shapes.plain(fields)
        code = shapes.first(shapes.plain(plain.get("error")), ("code", "type")) or plain.get("code")
        return Problem(
            shapes.told_error(fields),
            shapes.as_text(code),
            shapes.as_text(plain.get("requestid")),
            own_words=fields.get("success") is False and is_word(fields.get("error")),
        )

    def spelled(self, word: str) -> str:
        """``in progress`` and ``in-progress`` are ``in_progress``."""
        return re.sub(r"[\s\-]+", "_", word.strip().lower())

    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the paid ``POST /api/workflow``; the vendor has no idempotency keys."""
        at = self.endpoint_of(request)

        def parse(answer: Answer) -> Generation:
            value = at.object(answer)
            job = shapes.job_id(value)
            if job is None:
                said = scrub(shapes.told_error(value)).rstrip(".")
                raise at.unreadable("jobId", f"is missing{f' ({said})' if said else ''}")
            fields = shapes.plain(shapes.payload(value))
            word = shapes.as_text(fields.get("status"))
            generation = self._generation(
                job,
                request.result_kind,
                JobFacts(
                    status=self.status(word) if word else GenerationStatus.QUEUED,
                    links=shapes.links(value, request.result_kind),
                    charged=shapes.as_int(fields.get("cost")),
                    details={"message": fields["message"]} if isinstance(fields.get("message"), str) else {},
                ),
            )
            generation.credits.quoted = request.price()
            return generation

        return at.submit(parse, request.body())

    def fetch(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation]:
        """
        Look for one job in the list of projects and on its stream; there is no endpoint for one job.

        The list is asked first. Whether a stream repeats what happened before it was opened is not documented; if it
        does not, holding it open for a job that is over would be useless. A job that is in neither counts as running,
        never as an error. Either may name one video of several, so both are asked before one video is taken for all.
        """
        job, state = identifier(job_ids[0]), (yield AccountState())
        # Jobs of which a review was told, and whether it still goes on.
        reviews: dict[str, bool] = state.setdefault("reviews", {})
        found, refused = yield from self._ask_list(job, kind, state)
        if found is not None and self._suffices(found, kind, stream_seconds):
            return self._generation(job, kind, self._with_review(job, None, found, reviews))
        over = found is not None and found.finished
        # A job known to be over gets a quick look for its links only.
        seconds = QUICK if over else max(stream_seconds, QUICK)
        heard, unopened = yield from self._listen(job, kind, seconds, job in reviews)
        failed = heard is not None and heard.finished and heard.status != GenerationStatus.COMPLETED
        if heard is not None and not failed and not over and stream_seconds > 0:
            again, _ = yield from self._ask_list(job, kind, state)
            found = again if again is not None else found
        if unopened and refused is not None and found is None:
            raise refused
        return self._generation(job, kind, self._with_review(job, heard, found, reviews))

    def _suffices(self, found: JobFacts, kind: str | None, stream_seconds: float) -> bool:
        """Whether the stream has nothing to add to what the list says."""
        if found.finished:
            return found.complete(kind)
        if found.contradicts:
            return False
        # While a person reviews, the list can be asked as often as one likes; connections are rationed.
        return stream_seconds <= 0 or found.status == GenerationStatus.SUSPENDED

    def _with_review(
        self, job: str, heard: JobFacts | None, found: JobFacts | None, reviews: dict[str, bool]
    ) -> JobFacts:
        """
        Return what stream and list say together, and keep in mind whether the job waits for a person.

        The review is reported as soon as it begins. But it takes hours, and connections are rationed: from then on
        the stream is held until the job is over, and silence means that nothing has changed.
        """
        told = merged(heard, found)
        if told is None:
            waiting = reviews.get(job, False)
            return JobFacts(status=GenerationStatus.SUSPENDED if waiting else GenerationStatus.PROCESSING)
        if told.finished:
            reviews.pop(job, None)
        elif told.status == GenerationStatus.SUSPENDED or job in reviews or (heard is not None and heard.reviewed):
            if job not in reviews and len(reviews) >= _MOST_REVIEWS:
                reviews.pop(next(iter(reviews)), None)
            reviews[job] = told.status == GenerationStatus.SUSPENDED
        return told

    def _ask_list(
        self, job: str, kind: str | None, state: dict[str, Any]
    ) -> Sequence[tuple[JobFacts | None, AdGenError | None]]:
        """Look the job up in the list; what went wrong comes second, unless it says something of the list alone."""
        try:
            projects: list[dict[str, Any]] = yield api.raw_projects()
        except AuthenticationError:
            raise
        except NotFound:
            return None, None
        except UnexpectedResponse as error:
            # Once, not at each look.
            log.log(logging.DEBUG if state.get("unreadable_list") else logging.WARNING, _STREAMS_ALONE, error.message)
            state["unreadable_list"] = True
            return None, None
        except (ApiError, WireError) as error:
            return None, error
        state["unreadable_list"] = False
        return listed(projects, job, kind, self.status), None

    def _listen(
        self, job: str, kind: str | None, seconds: float, in_review: bool
    ) -> Sequence[tuple[JobFacts | None, bool]]:
        """Listen to the job's stream; second comes whether opening it failed (rate limit, unknown job, broken)."""
        listener = Listener(job, kind, self.status)
        try:
            events: list[WorkflowEvent] = yield Listen(
                api.workflow_stream(job),
                seconds=seconds,
                enough=listener.ends if in_review else listener.pauses,
                linger=LINGER,
            )
        except AuthenticationError:
            raise
        except (ApiError, WireError, UnexpectedResponse) as error:
            log.debug("The stream of job %s tells nothing: %s", job, error.message)
            return None, True
        return listener.hear(events), False

    def list_jobs(self) -> Sequence[None]:
        """Emit all projects that have an id: the list has no pages, and an account may have thousands."""
        projects: list[dict[str, Any]] = yield api.raw_projects()
        named = [(shapes.job_id(one), one) for one in projects]
        yield Emit([Listed(job, functools.partial(self._project, job, one)) for job, one in named if job])

    def _project(self, job: str, project: Mapping[str, Any]) -> Generation:
        return self._generation(job, None, of_project(project, None, self.status))

    def _generation(self, job: str, kind: str | None, told: JobFacts) -> Generation:
        status = told.status if told.status is not None else GenerationStatus.PROCESSING
        # What a project calls its type is not documented: only a word that a request has says what was made.
        known = told.type if told.type in CREDITS else None
        made: Kind | str = kind or (KIND_OF_TYPE.get(known or "") or "video")
        done = status == GenerationStatus.COMPLETED
        shapes_of = [link.format for link in told.links]
        return Generation.model_validate(
            {
                "vendor": self.name,
                "id": job,
                "kind": made,
                "kind_guessed": kind is None and known is None,
                "status": status,
                "creatives": [_creative(link, made) for link in told.links] if done else [],
                "credits": Credits(charged=told.charged, refunded=told.refunded),
                "created_at": told.created,
                "completed_at": told.completed,
                "error": told.error,
                "progress": told.progress,
                "details": {**told.details, **({"creative_formats": shapes_of} if done and any(shapes_of) else {})},
            }
        )


def _creative(link: shapes.OutputFile, kind: str) -> Creative:
    default: Literal["image", "video"] = "image" if kind == "image" else "video"
    return Creative(kind=file_kind(link.url) or default, url=link.url, expires_at=read_time(link.expires))


VENDOR = CinematicAdsVendor()
