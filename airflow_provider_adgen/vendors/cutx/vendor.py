# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX in the words that all vendors share: submit, fetch, status words, promises about money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import ApiError, DownloadError
from airflow_provider_adgen.core.reading import FileKind, file_kind, is_link, is_word, other_fields, unwrapped
from airflow_provider_adgen.core.vendor import Assumption, Idempotency, Problem, Promises, Tracking, Vendor
from airflow_provider_adgen.core.vocabulary import (
    FINISHED,
    CopyVariant,
    Creative,
    Credits,
    Generation,
    GenerationStatus,
    Kind,
)
from airflow_provider_adgen.vendors.cutx import api, tokens
from airflow_provider_adgen.vendors.cutx.assumptions import ASSUMPTIONS
from airflow_provider_adgen.vendors.cutx.briefs import RECIPES
from airflow_provider_adgen.vendors.cutx.models import Asset, Job, SubmitAnswer, variants
from airflow_provider_adgen.vendors.cutx.requests import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_adgen.core.briefs import Recipe
    from airflow_provider_adgen.core.calls import Answer, Call, Sequence
    from airflow_provider_adgen.core.endpoint import Endpoint
    from airflow_provider_adgen.core.requests import GenerationRequest

_KIND_OF_TYPE: dict[str, Kind] = {
    "copy": "copy",
    "static_ad": "image",
    "ugc_video": "video",
    "lip_sync": "video",
    "tts": "voice",
}
_KINDS: dict[str, Kind] = {"copy": "copy", "image": "image", "video": "video", "voice": "voice"}
_FILES: dict[str, FileKind] = {"image": "image", "video": "video", "audio": "audio", "voice": "audio"}
_PLACED = ("id", "jobId", "job_id", "variants", "result", "output", "data")
_MOST_ISSUES = 10


class CutxVendor(Vendor):
    """CutX."""

    name: ClassVar[str] = api.NAME
    title: ClassVar[str] = "CutX"
    default_base_url: ClassVar[str | None] = None
    key_form: ClassVar[str] = "token"
    dashboard: ClassVar[str | None] = "/dashboard"
    requests: ClassVar[tuple[type[GenerationRequest], ...]] = REQUESTS
    recipes: ClassVar[tuple[Recipe, ...]] = RECIPES
    promises: ClassVar[Promises] = Promises(
        # A key protects while its job runs: a video takes a minute at least, copy and static ads may be over by then.
        idempotency=Idempotency(seconds=20.0, kinds=frozenset({"video"}), longest_key=128, while_running=True),
        # Documented for generations (400, 401, 402, 404); 403 for suspended accounts and 429 for magic links only.
        nothing_started=frozenset({400, 401, 402, 403, 404, 429}),
        inferred=frozenset({403, 429}),
        refunded=frozenset({GenerationStatus.FAILED}),
        lists_jobs=False,
    )
    tracking: ClassVar[Tracking] = Tracking(
        # A static ad of the vendor's example took 25 s; videos "typically 1-3 minutes".
        first_look={"image": 5.0, "video": 30.0},
        typical={"image": 25.0, "video": (60.0, 180.0)},
    )
    statuses: ClassVar[dict[str, GenerationStatus]] = {
        "pending": GenerationStatus.PENDING,
        "queued": GenerationStatus.QUEUED,
        # Not a state: the answer to a key whose job still runs, whichever state that is in.
        "reused": GenerationStatus.QUEUED,
        "processing": GenerationStatus.PROCESSING,
        "completed": GenerationStatus.COMPLETED,
        "failed": GenerationStatus.FAILED,
        "canceled": GenerationStatus.CANCELED,
        "expired": GenerationStatus.EXPIRED,
    }
    without: ClassVar[tuple[str, ...]] = ("text-to-speech", "image-to-video", "reframe")
    credits = staticmethod(api.get_credits)
    check = staticmethod(api.get_me)
    warn = staticmethod(tokens.warning)
    assumptions: ClassVar[tuple[Assumption, ...]] = ASSUMPTIONS

    # --- the token ------------------------------------------------------------------------------------------------

    def error(self, answer: Answer, endpoint: str, *secrets: str, retry_after: float | None = None) -> ApiError:
        """
        Return the error for an answer with an error status; a 401 says what is wrong with the token, where it tells.

        :param secrets: the token, first.
        """
        error = super().error(answer, endpoint, *secrets, retry_after=retry_after)
        why = tokens.refusal(secrets[0], SYSTEM.now()) if answer.status == 401 and secrets else None
        if why is not None:
            error.advice = f"{error.advice} {why}"
        return error

    # --- Vendor ---------------------------------------------------------------------------------------------------

    def read_problem(self, fields: dict[str, Any]) -> Problem:
        """Read ``{"error": "<title>", "message": "<sentence>"}``, and what else may say what is wrong."""
        said = fields.get("error")
        inner = said if isinstance(said, dict) else {}
        message = _text(inner.get("message")) or _text(fields.get("message"))
        code = _text(inner.get("code")) or (_text(said) if message else "") or _text(fields.get("code"))
        parts = [message or _text(said), *_issues(fields), *_issues(inner)]
        # The one body that any page shows. Other servers add fields of their own to these two.
        own_words = fields.keys() == {"error", "message"} and all(map(is_word, fields.values()))
        return Problem("; ".join(dict.fromkeys(part for part in parts if part)), code or None, own_words=own_words)

    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the paid POST of *request*; CutX takes the key in the body."""
        at = self.endpoint_of(request)
        key = {"idempotencyKey": idempotency_key} if idempotency_key else {}
        return at.submit(lambda answer: self._submitted(at.object(answer), request, at), {**request.body(), **key})

    def fetch(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation]:
        """
        Ask ``GET /api/generate/status`` for the job.

        :raises DownloadError: ad copy is completed, and not shown.
        """
        return self._read((yield api.job(job_ids[0])), job_ids[0], kind)

    def poll(
        self, job_ids: list[str], kind: str | None = None, *, stream_seconds: float = 0.0
    ) -> Sequence[Generation | GenerationStatus | str]:
        """Ask as :meth:`fetch` does, and read nothing but the status while the job runs."""
        value = yield api.job(job_ids[0])
        word = value.get("status")
        if isinstance(word, str) and (status := self.status(word)) not in FINISHED:
            return status
        return self._read(value, job_ids[0], kind)

    def _read(self, value: dict[str, Any], job_id: str, kind: str | None) -> Generation:
        generation = self._generation(job_id, api.read_job(value), variants(value), kind)
        if generation.kind == "copy" and generation.succeeded and not generation.variants:
            raise DownloadError(
                f"CutX job {generation.id} is completed and paid for, but CutX does not show its copy. It came with "
                "the answer to the submission: look in what the task that submitted it returned."
            )
        return generation

    # --- translation ----------------------------------------------------------------------------------------------

    def _submitted(self, value: dict[str, Any], request: GenerationRequest, at: Endpoint) -> Generation:
        value = unwrapped(value, "job")
        told = at.model(SubmitAnswer, value)
        found = variants(value) if request.synchronous else []
        status = self.status(told.status) if told.status else GenerationStatus.QUEUED
        if found and status not in FINISHED - {GenerationStatus.COMPLETED}:
            status = GenerationStatus.COMPLETED
        elif not found and status == GenerationStatus.COMPLETED:
            # The result is not in this answer, so it has to be asked for.
            status = GenerationStatus.PROCESSING
        details = other_fields(told, *_PLACED)
        if told.credits_remaining is not None:
            details["credits_remaining"] = told.credits_remaining
        if told.status and self.spelled(told.status) == "reused":
            details["reused"] = True
        return Generation(
            vendor=self.name,
            id=told.job_id,
            kind=request.result_kind,
            status=status,
            variants=found,
            credits=Credits(quoted=request.price(), charged=told.credits_used),
            details=details,
        )

    def _generation(self, job_id: str, job: Job, copy: list[CopyVariant], asked: str | None) -> Generation:
        made = _KIND_OF_TYPE.get((job.type or "").lower()) or _KINDS.get(asked or "") or _kind_of(job)
        status = self.status(job.status)
        completed = status == GenerationStatus.COMPLETED
        details = {**other_fields(job, *_PLACED), **({"type": job.type} if job.type else {})}
        if completed and (ids := [asset.id for asset in job.assets if asset.id]):
            details["asset_ids"] = ids
        return Generation(
            vendor=self.name,
            id=job_id,
            kind=made,
            status=status,
            creatives=[_creative(asset, made) for asset in job.assets if is_link(asset.url)] if completed else [],
            variants=copy if completed else [],
            created_at=job.created_at,
            completed_at=job.completed_at if status in FINISHED else None,
            error=job.said if status in FINISHED and not completed else None,
            details=details,
        )


def _creative(asset: Asset, made: str) -> Creative:
    kind = _FILES.get((asset.type or "").lower()) or file_kind(asset.url or "") or _FILES.get(made, "video")
    return Creative(kind=kind, url=asset.url, expires_at=asset.expires_at)


def _kind_of(job: Job) -> Kind:
    """Return what a job of an unknown type made, by its files."""
    named = (_KINDS.get(asset.type or "") for asset in job.assets)
    return next((kind for kind in named if kind is not None), "video")


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _issues(value: dict[str, Any]) -> Iterator[str]:
    """Yield what a validation found, field by field: Zod's list of issues or its map of fields, under usual names."""
    for name in ("issues", "details", "errors"):
        found = value.get(name)
        for issue in found[:_MOST_ISSUES] if isinstance(found, list) else ():
            if isinstance(issue, dict) and (text := _text(issue.get("message"))):
                yield from _issue(issue.get("path"), text)
    details = value.get("details")
    for source in (value, details if isinstance(details, dict) else {}):
        fields = source.get("fieldErrors")
        for name, texts in list(fields.items())[:_MOST_ISSUES] if isinstance(fields, dict) else ():
            for text in texts[:1] if isinstance(texts, list) else ():
                yield from _issue(name, _text(text))


def _issue(path: Any, text: str) -> Iterator[str]:
    parts = path if isinstance(path, list) else [path]
    place = ".".join(str(part) for part in parts if isinstance(part, str | int) and part != "")
    if text:
        yield f"{place}: {text}" if place else text


VENDOR = CutxVendor()
