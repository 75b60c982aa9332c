# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo: routes, envelope, settings, webhooks."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.sandbox.adsumo import generations, resources
from airflow_provider_adgen.sandbox.engine.answers import Answer, Insufficient, Refusal
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.engine.vendor import Endpoint, Vendor
from airflow_provider_adgen.sandbox.media.artwork import Artwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.jobs import Job
    from airflow_provider_adgen.sandbox.engine.state import State

# Documented codes by status; 405 and 413 are not documented.
CODES = {
    400: "validation_error",
    401: "unauthorized",
    402: "insufficient_credits",
    403: "forbidden",
    404: "not_found",
    405: "validation_error",
    409: "conflict",
    413: "validation_error",
    429: "rate_limited",
    500: "internal_error",
    502: "external_service_error",
}


class Adsumo(Vendor):
    """Adsumo. Credits are charged when a generation is submitted, and no refund is documented."""

    name = "adsumo"
    prefix = "/adsumo/api/v1"
    default_key = "adsumo_sk_sandbox"
    idempotency_header = "Idempotency-Key"
    forbidden = "API access requires a Starter subscription tier or above."
    seconds = generations.SECONDS
    drawn = staticmethod(generations.artwork)
    settings: ClassVar[Mapping[str, Any]] = {
        # The page has a Retry-After in every 429; the number is the sandbox's own.
        "active_retry_after": 5,
        # Status of an accepted submit; not documented.
        "submit_status": 200,
        # Status of an accepted voiceover; not documented.
        "voiceover_status": 200,
        # newest, oldest or random; not documented.
        "generations_order": "newest",
        # "array" (as the text says) or "data".
        "custom_avatars_shape": "array",
        # "documented" (image_path in the answer to POST, image_url elsewhere), "image_url" or "image_path".
        "product_image_field": "documented",
        # Several images of one generation: "first" (only the first is in result_url), "zip" or "list" (result_urls
        # besides result_url); not documented.
        "multiple_results": "first",
        # Same Idempotency-Key with another request: "replay" (what the text says) or "conflict"; not documented.
        "idempotency_mismatch": "replay",
    }

    def endpoints(self) -> Sequence[Endpoint]:
        """List the routes."""
        return [
            Endpoint("POST", "/videos/talking-avatar", generations.talking_avatar, "submit"),
            Endpoint("POST", "/videos/ai-video", generations.ai_video, "submit"),
            Endpoint("POST", "/videos/generate", generations.template_video, "submit"),
            Endpoint("POST", "/images/text-to-image", generations.text_to_image, "submit"),
            Endpoint("POST", "/images/product-shots", generations.product_shots, "submit"),
            Endpoint("POST", "/voiceovers/text-to-speech", generations.text_to_speech, "submit"),
            Endpoint("GET", "/generations", generations.list_generations),
            Endpoint("GET", "/generations/{id}", generations.get_generation),
            Endpoint("GET", "/products", resources.list_products),
            Endpoint("POST", "/products", resources.create_product, "write"),
            Endpoint("GET", "/products/{id}", resources.get_product),
            Endpoint("DELETE", "/products/{id}", resources.delete_product, "write"),
            Endpoint("GET", "/avatars", resources.list_avatars),
            Endpoint("GET", "/avatars/custom", resources.list_custom_avatars),
            Endpoint("POST", "/avatars/custom", resources.create_custom_avatar, "write"),
            Endpoint("DELETE", "/avatars/custom/{id}", resources.delete_custom_avatar, "write"),
            Endpoint("GET", "/voices", resources.list_voices),
            Endpoint("GET", "/account/credits", resources.get_credits),
        ]

    def envelope(self, refusal: Refusal) -> Any:
        """Build the body of a refusal as documented: ``{"error": {"code", "message"}}``."""
        message = refusal.message
        if isinstance(refusal, Insufficient):
            message = (
                "Your team does not have enough credits for this generation. "
                f"Required: {refusal.required}, available: {refusal.available}."
            )
        code = refusal.code or CODES.get(refusal.status, "internal_error")
        return {"error": {"code": code, "message": message}}

    def replayed(self, answer: Answer, same_request: bool, call: Call) -> Answer:
        """Replay the original response; with the ``conflict`` setting only to the same request."""
        if not same_request and call.setting("idempotency_mismatch") == "conflict":
            raise Refusal(409, "This Idempotency-Key was used with another request.")
        return answer

    def kept(self, state: State, owner: str, name: str) -> Artwork | None:
        """Return a voiceover's sound."""
        voiceover = state.documents.get(self.name, "voiceover", owner)
        if voiceover is None or name != "voiceover.mp3":
            return None
        text, seconds = str(voiceover.data["text"]), float(voiceover.data["duration"])
        return Artwork("mp3", "Adsumo sandbox", text, seed=owner, seconds=seconds)

    def event(self, state: State, job: Job, base_url: str) -> dict[str, Any] | None:
        """Return the documented body of generation.completed or generation.failed."""
        completed = job.outcome == "completed"
        event: dict[str, Any] = {
            "event": "generation.completed" if completed else "generation.failed",
            "generation_id": job.id,
            "type": job.type,
            "status": "completed" if completed else "failed",
        }
        if completed:
            event["result_url"] = generations.result_url(state, job, base_url)
        else:
            event["error_message"] = job.message or "The generation failed"
        return {**event, "created_at": iso(job.created), "completed_at": iso(job.ends)}

    def signature(self, secret: str, body: bytes) -> dict[str, str]:
        """Sign a webhook: hexadecimal HMAC-SHA256 of the raw body."""
        return {"X-Adsumo-Signature": hmac.new(secret.encode(), body, sha256).hexdigest()}
