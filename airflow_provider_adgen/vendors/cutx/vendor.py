# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX in the words that all vendors share: submit, fetch, status words, promises about money."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pendulum

from airflow_provider_adgen.core.calls import Answer, Call, Lane, Sequence, read_model, read_object
from airflow_provider_adgen.core.errors import ApiError, InvalidRequest
from airflow_provider_adgen.core.vendor import Assumption, Idempotency, Problem, Promises, Tracking, Vendor
from airflow_provider_adgen.core.vocabulary import (
    Creative,
    CreditBalance,
    Credits,
    Generation,
    GenerationStatus,
    Kind,
)
from airflow_provider_adgen.vendors.cutx import api
from airflow_provider_adgen.vendors.cutx.models import Job, Submission
from airflow_provider_adgen.vendors.cutx.requests import REQUESTS, CutxRequest

if TYPE_CHECKING:
    from airflow_provider_adgen.core.requests import GenerationRequest

NEARLY_EXPIRED = 24 * 3600.0
"""Seconds before a token's end from which on it is warned about; tokens last 7 days (page Authentication)."""

_KIND_OF_TYPE: dict[str, Kind] = {
    "copy": "copy",
    "static_ad": "image",
    "ugc_video": "video",
    "video": "video",
    "lip_sync": "video",
    "tts": "voice",
}
_FILE_OF_TYPE: dict[str, Literal["image", "video", "audio"]] = {"image": "image", "video": "video", "audio": "audio"}
_FILE_OF_KIND: dict[str, Literal["image", "video", "audio"]] = {"image": "image", "video": "video", "voice": "audio"}


class CutxVendor(Vendor):
    """CutX."""

    name: ClassVar[str] = "cutx"
    title: ClassVar[str] = "CutX"
    default_base_url: ClassVar[str | None] = None
    key_form: ClassVar[str] = "token"
    requests: ClassVar[tuple[type[GenerationRequest], ...]] = REQUESTS
    promises: ClassVar[Promises] = Promises(
        # The key protects only while the first job runs: a video takes at least a minute, copy and images may be over.
        idempotency=Idempotency(seconds=20.0, kinds=frozenset({"video"}), longest_key=128, while_running=True),
        nothing_started=frozenset({400, 401, 402, 403, 404, 429}),
        refunded=frozenset({GenerationStatus.FAILED}),
        lists_jobs=False,
    )
    tracking: ClassVar[Tracking] = Tracking(
        first_look={"image": 5.0, "video": 30.0}, typical={"image": 25.0, "video": 120.0}
    )
    statuses: ClassVar[dict[str, GenerationStatus]] = {
        "pending": GenerationStatus.PENDING,
        "queued": GenerationStatus.QUEUED,
        "reused": GenerationStatus.QUEUED,
        "processing": GenerationStatus.PROCESSING,
        "completed": GenerationStatus.COMPLETED,
        "failed": GenerationStatus.FAILED,
        "canceled": GenerationStatus.CANCELED,
        "expired": GenerationStatus.EXPIRED,
    }
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption("address", "No page names the API's host.", "The connection's host is required."),
        Assumption(
            "token",
            "How a program gets the 7-day token, or a new one, is not documented.",
            "It is put into the connection by a person; the hook warns from a day before it ends.",
        ),
        Assumption(
            "reused",
            "Not in the list of statuses; it hides the state of the job that exists.",
            "Counts as queued; the job is asked for by its id.",
        ),
        Assumption(
            "a key after the job's end",
            "One page implies a new job, another a unique key per user.",
            "An attempt that was answered is followed by a new key; only videos are repeated, within 20 s.",
        ),
        Assumption("failed and expired", "An administrator may set them back to pending.", "They count as final."),
        Assumption("refunds", "Stated for failed only.", "None is assumed for canceled and expired."),
        Assumption(
            "error bodies",
            "Shown once, flat, with error and message.",
            "Nested errors and lists of issues are read too.",
        ),
        Assumption(
            "rate limits",
            "None are documented for generations.",
            "A 429 means that nothing was started; Retry-After is obeyed.",
        ),
        Assumption(
            "links", "How long the files' links live is not documented.", "They are asked for anew before storing."
        ),
        Assumption("several variants", "Five are promised, one is shown.", "As many as come are kept."),
        Assumption("lists", "No pages are documented.", "One request with the limit you give."),
    )

    # --- the token ------------------------------------------------------------------------------------------------

    def warn(self, key: str, now: float) -> str | None:
        """Warn about a token that has ended or ends within a day; it is decoded, not verified."""
        end = _expiry(key)
        if end is None:
            return None
        when = pendulum.from_timestamp(end).to_iso8601_string()
        if end <= now:
            return f"the CutX token ended at {when}. CutX tokens last 7 days: put a new one into the connection."
        if end - now <= NEARLY_EXPIRED:
            return f"the CutX token ends at {when}. CutX tokens last 7 days: put a new one into the connection."
        return None

    def error(self, answer: Answer, endpoint: str, *secrets: str, retry_after: float | None = None) -> ApiError:
        """Return the error for an answer; a 401 says whether the token has ended."""
        error = super().error(answer, endpoint, *secrets, retry_after=retry_after)
        if answer.status == 401 and secrets:
            warning = self.warn(secrets[0], pendulum.now("UTC").timestamp())
            if warning:
                error.args = (f"{error.message} Most likely {warning}",)
        return error

    # --- Vendor ---------------------------------------------------------------------------------------------------

    def problem(self, answer: Answer) -> Problem:
        """Read ``{"error": "...", "message": "..."}``."""
        try:
            value = answer.json()
        except ValueError:  # an error page of a proxy: the status alone must do
            return Problem()
        if not isinstance(value, dict):
            return Problem()
        said, message = value.get("error"), value.get("message")
        if isinstance(said, dict):
            code = said.get("code")
            return Problem(str(said.get("message") or message or ""), str(code) if code else None)
        if isinstance(message, str) and message:
            return Problem(message, said if isinstance(said, str) and said else None)
        return Problem(said if isinstance(said, str) else "")

    def submit(self, request: GenerationRequest, idempotency_key: str | None) -> Call[Generation]:
        """Return the paid POST of *request*; CutX takes the key in the body."""
        if not isinstance(request, CutxRequest):
            raise InvalidRequest(f"CutX has no request {type(request).__name__}. Nothing was sent.")
        endpoint = f"POST {request.path}"
        body = request.body()
        if idempotency_key is not None:
            body["idempotencyKey"] = idempotency_key

        def parse(answer: Answer) -> Generation:
            value = read_object(answer, self.name, endpoint)
            told = read_model(
                Submission, {name: item for name, item in value.items() if item is not None}, self.name, endpoint
            )
            return Generation(
                vendor=self.name,
                id=told.job_id,
                kind=request.makes,
                status=self.status(told.status),
                variants=told.variants,
                credits=Credits(quoted=request.price(), charged=told.credits_used),
            )

        return Call(
            method="POST",
            path=request.path,
            endpoint=endpoint,
            parse=parse,
            body=body,
            lane=Lane.SUBMIT,
            paid=True,
        )

    def fetch(
        self, job_ids: tuple[str, ...], kind: str | None = None, *, patience: float = 0.0
    ) -> Sequence[Generation]:
        """Ask ``GET /api/generate/status`` for the job."""
        job: Job = yield api.job(job_ids[0])
        made = _KIND_OF_TYPE.get(job.type or "") or kind or "video"
        status = self.status(job.status)
        error = job.error.get("message") if isinstance(job.error, dict) else job.error
        return Generation.model_validate(
            {
                "vendor": self.name,
                "id": job.id,
                "kind": made,
                "status": status,
                "creatives": [
                    Creative(
                        kind=_FILE_OF_TYPE.get(asset.type or "") or _FILE_OF_KIND.get(made, "image"), url=asset.url
                    )
                    for asset in job.assets
                    if asset.url and status == GenerationStatus.COMPLETED
                ],
                "variants": job.variants,
                "created_at": job.created_at,
                "completed_at": job.completed_at,
                "error": str(error) if error else None,
                "details": {"type": job.type} if job.type else {},
            }
        )

    def credits(self) -> Call[CreditBalance]:
        """Ask ``GET /api/credits/balance``."""
        return api.get_credits()

    def check(self) -> Call[Any]:
        """Ask ``GET /api/auth/me``."""
        return api.get_me()


def _expiry(token: str) -> float | None:
    """Return the ``exp`` of a JWT, or None where it has none or is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = float(claims["exp"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):  # not a JWT: nothing to say about its end
        return None
    return end if math.isfinite(end) and 0 < end < 1e11 else None


VENDOR = CutxVendor()
