# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume: routes, envelope, settings, account, brand and avatars."""

from __future__ import annotations

import uuid
from http.client import responses
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.sandbox.engine.answers import Answer, Insufficient, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.vendor import Endpoint, Vendor
from airflow_provider_adgen.sandbox.sume import creates, jobs, uploads
from airflow_provider_adgen.sandbox.sume.creates import AVATARS, BRAND
from airflow_provider_adgen.sandbox.sume.jobs import page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.documents import Document

# Only `insufficient_credits` is documented. Codes that are missing here follow the name of the HTTP status.
CODES = {400: "validation_error", 402: "insufficient_credits", 413: "payload_too_large", 429: "rate_limited"}


class Sume(Vendor):
    """Sume. Credits are reserved when a job is accepted; no idempotency and no refund is documented."""

    name = "sume"
    prefix = "/sume/api/v1"
    default_key = "sume_live_sandbox"
    forbidden = "The workspace has no access to the API."
    active_code = "active_generation_limit"
    seconds = creates.SECONDS
    kept = staticmethod(uploads.blob)
    uploaded = staticmethod(uploads.uploaded)
    drawn = staticmethod(jobs.artwork)
    settings: ClassVar[Mapping[str, Any]] = {
        # Status of an accepted create; not documented.
        "submit_status": 202,
        # Status of a presigned upload; not documented.
        "presign_status": 200,
        # "documented" (image: job.id; the others: job_id), "job" or "job_id" for all.
        "create_shape": "documented",
        # "jobs" (a list of objects), "job_ids" (a list of ids, and the first as job_id) or "primary" (job and jobs).
        "face_swap_shape": "jobs",
        # URLs in GET /jobs/{id}: "result_url", "list" (result_urls too) or "none" (only in the result).
        "job_urls": "result_url",
        # "typed" (images or videos), "urls" or "outputs".
        "result_shape": "typed",
        # GET /jobs/{id}/result before completion: "conflict" or "empty".
        "early_result": "conflict",
        # GET /assets/{id} before ingest is done: "processing" or "not_found".
        "early_asset": "processing",
        # "media_url" or "clip_url" (with source_media_url).
        "scene_url": "media_url",
        # "flat", "short" or "nested"; the keys are not documented.
        "credits_shape": "flat",
        # A limit is documented; how high it is, and the code of its 429, are the sandbox's own.
        "active_limit": 100,
        # Seconds until an uploaded video is searchable; None: 30 divided by the speed.
        "ingest_seconds": None,
        # The largest upload (413 beyond); not documented.
        "upload_max_bytes": 200 * 1024 * 1024,
        # How long a presigned upload URL is valid.
        "upload_seconds": 900,
        # The field names that are accepted for the URL of a reference analysis.
        "reference_fields": list(creates.REFERENCE_FIELDS),
    }

    def endpoints(self) -> Sequence[Endpoint]:
        """List the routes."""
        return [
            Endpoint("GET", "/me", self.me),
            Endpoint("GET", "/credits", self.credits),
            Endpoint("GET", "/brand", self.brands),
            Endpoint("GET", "/brand/current", self.current_brand),
            Endpoint("GET", "/avatars", self.avatars),
            Endpoint("GET", "/avatars/{avatar_id}", self.avatar),
            Endpoint("GET", "/jobs", jobs.list_jobs),
            Endpoint("GET", "/jobs/{job_id}", jobs.get_job),
            Endpoint("GET", "/jobs/{job_id}/result", jobs.get_result),
            Endpoint("POST", "/images/generations", creates.image, "submit"),
            Endpoint("POST", "/videos/generations", creates.video, "submit"),
            Endpoint("POST", "/ads/videos", creates.ad, "submit"),
            Endpoint("POST", "/face-swap", creates.face_swap, "submit"),
            Endpoint("POST", "/reference-analysis", creates.reference_analysis, "submit"),
            Endpoint("POST", "/uploads/presign", uploads.presign, "write"),
            Endpoint("POST", "/assets", uploads.finalize, "write"),
            Endpoint("GET", "/assets", uploads.list_assets),
            Endpoint("GET", "/assets/{asset_id}", uploads.get_asset),
        ]

    def token(self, headers: Mapping[str, str]) -> str | None:
        """Read the key: bearer, or the legacy ``X-Api-Key``."""
        return super().token(headers) or headers.get("x-api-key")

    def envelope(self, refusal: Refusal) -> Any:
        """Build the body of a refusal as documented, with ``request_id`` at the top level."""
        message, details = refusal.message, dict[str, Any]()
        if isinstance(refusal, Insufficient):
            message = "Not enough credits for this request."
            details = {"required": refusal.required, "available": refusal.available}
        elif isinstance(refusal, Invalid) and refusal.field:
            details = {"field": refusal.field}
        name = responses.get(refusal.status, "Internal error").lower().replace(" ", "_")
        code = refusal.code or CODES.get(refusal.status, name)
        error = {"code": code, "message": message, "details": details}
        return {"error": error, "request_id": f"req_{uuid.uuid4().hex[:24]}"}

    def fixtures(self, account: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Give a new workspace its Brand DNA."""
        return [("brand", f"brand_{account}", BRAND)]

    def me(self, call: Call) -> Answer:
        """GET /me."""
        name = call.account.id
        return Answer(
            200,
            {
                "object": "account",
                "user": {"id": f"user_{name}", "name": name.capitalize()},
                "workspace": {"id": f"workspace_{name}", "name": name.capitalize()},
                "api_key": {"prefix": call.key.key[:10], "scopes": ["generate", "read"]},
            },
        )

    def credits(self, call: Call) -> Answer:
        """GET /credits. The keys are not documented; a setting decides between three shapes.

        The account's data may set ``plan`` and ``bonus``.
        """
        monthly, remaining = call.account.credit_limit, call.account.balance
        plan, bonus = call.account.data.get("plan", "pro"), call.account.data.get("bonus", 0)
        active, limit = call.state.jobs.running(self.name, call.account.id), call.state.active_limit(call.account)
        shape = call.setting("credits_shape")
        if shape == "nested":
            amounts = {"monthly": monthly, "bonus": bonus, "remaining": remaining}
            capacity = {"active": active, "limit": limit}
            return Answer(200, {"object": "credits", "plan": {"name": plan}, "credits": amounts, "capacity": capacity})
        shown = {
            "object": "credits",
            "plan": plan,
            "monthly_credits": monthly,
            "bonus_credits": bonus,
            "remaining" if shape == "short" else "remaining_credits": remaining,
            "active_generations": active,
            "active_generation_limit": limit,
        }
        return Answer(200, shown)

    def _brand(self, call: Call, brand: Document) -> dict[str, Any]:
        data = {key: value for key, value in brand.data.items() if key != "pictures"}
        images = [{"reference_url": call.picture("brand", f"{name}.png")} for name in brand.data["pictures"]]
        return {"id": brand.id, "object": "brand", **data, "images": images}

    def brands(self, call: Call) -> Answer:
        """GET /brand."""
        found = call.documents("brand")
        domain = call.query.get("domain")
        return page(call, [self._brand(call, brand) for brand in found if domain in (None, brand.data["domain"])])

    def current_brand(self, call: Call) -> Answer:
        """GET /brand/current."""
        found = call.documents("brand", limit=1)
        if not found:
            raise Refusal(404, "The workspace has no brand.")
        return Answer(200, self._brand(call, found[0]))

    def _avatar(self, call: Call, name: str) -> dict[str, Any]:
        avatar = AVATARS[name]
        picture = call.picture("avatar", f"{avatar['name']}.png")
        return {"id": name, "object": "avatar", **avatar, "media": {"thumbnail_url": picture}}

    def avatars(self, call: Call) -> Answer:
        """GET /avatars."""
        return page(call, [self._avatar(call, name) for name in AVATARS])

    def avatar(self, call: Call) -> Answer:
        """GET /avatars/{avatarId}."""
        if call.params["avatar_id"] not in AVATARS:
            raise Refusal(404, "There is no such avatar in this workspace.")
        return Answer(200, self._avatar(call, call.params["avatar_id"]))
