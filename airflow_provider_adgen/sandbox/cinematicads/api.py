# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds: routes, envelope, settings, rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.sandbox.cinematicads import stream, user, workflows
from airflow_provider_adgen.sandbox.engine.answers import Answer, Refusal
from airflow_provider_adgen.sandbox.engine.vendor import Endpoint, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.limits import Window


class CinematicAds(Vendor):
    """CinematicAds. A failed workflow's credits are refunded, as documented. No idempotency is documented."""

    name = "cinematicads"
    prefix = "/cinematicads"
    default_key = "ca_sandbox"
    refunded = frozenset({"failed"})
    seconds = workflows.SECONDS
    drawn = staticmethod(workflows.artwork)
    settings: ClassVar[Mapping[str, Any]] = {
        # The readable page has three limits without their names. The sandbox uses them for starting workflows, for
        # streams, and for everything else.
        "rate_limits": {"workflow": [10, 3600], "stream": [10, 3600], "*": [100, 60]},
        # Retry-After is not documented; X-RateLimit-Reset is.
        "retry_after": "none",
        # Status of an accepted workflow.
        "submit_status": 200,
        # The answer to POST /api/workflow: "top" (as the example) or "data" (as the text).
        "workflow_shape": "top",
        # The other answers: "data" or "top".
        "response_shape": "data",
        # GET /api/user/projects: "list" (data is the list) or "named" (projects in it).
        "projects_shape": "list",
        # Whether a project carries the jobId of its workflow; not documented.
        "project_job_id": True,
        # The key of the balance in GET /api/user/credits; not documented.
        "credits_key": "credits",
        # A workflow of several formats: "first" (one videoUrl) or "list" (videos too).
        "multiple_videos": "first",
        # The key of what is a picture and no video (staticad, painpoint, ad-optimizer): only videoUrl is documented.
        "stills_key": "videoUrl",
        # Event names: "plain" (step, progress, result) or "workflow" (workflow.step, ...).
        "sse_names": "plain",
        # A failure on the stream: "result" (with success false; "workflow.failed" among those names), "error",
        # "workflow.failed" or "close".
        "sse_failure": "result",
        # Whether a new connection receives the events from before it was opened.
        "sse_replay": True,
        # Seconds between comments that keep a connection alive.
        "sse_heartbeat": 15,
        # Seconds after which the server ends a stream; None: never.
        "sse_seconds": None,
        # The method that writes the brand: "any", "POST" or "PUT"; not documented.
        "brand_method": "any",
        # Types that answer 403.
        "reserved_types": [],
    }

    def endpoints(self) -> Sequence[Endpoint]:
        """List the routes."""
        return [
            Endpoint("POST", "/api/workflow", workflows.start, "workflow"),
            Endpoint("GET", "/api/workflow/stream", stream.stream, "stream"),
            Endpoint("GET", "/api/batch/status", workflows.batch),
            Endpoint("GET", "/api/user/credits", user.get_credits),
            Endpoint("GET", "/api/user/stats", user.stats),
            Endpoint("GET", "/api/user/analytics", user.analytics),
            Endpoint("GET", "/api/user/projects", user.projects),
            Endpoint("GET", "/api/user/projects/export", user.export_projects),
            Endpoint("GET", "/api/user/brand", user.get_brand),
            Endpoint("POST", "/api/user/brand", user.update_brand),
            Endpoint("PUT", "/api/user/brand", user.update_brand),
            Endpoint("POST", "/api/user/brand/knowledge/urls", user.add_url),
            Endpoint("POST", "/api/user/brand/knowledge/files", user.add_file),
            Endpoint("GET", "/api/export", user.export_video),
            Endpoint("POST", "/api/export", user.export_video),
            Endpoint("GET", "/api/models/status", self.models, public=True),
            Endpoint("GET", "/api/health", self.health, public=True),
        ]

    def envelope(self, refusal: Refusal) -> Any:
        """Build the body of a refusal as documented: ``{"success": false, "error": "..."}``."""
        return {"success": False, "error": refusal.message}

    def limit_headers(self, window: Window) -> dict[str, str]:
        """Return the documented headers; Reset is in seconds since the epoch."""
        return {
            "X-RateLimit-Limit": str(window.limit),
            "X-RateLimit-Remaining": str(window.remaining),
            "X-RateLimit-Reset": str(int(-(-window.ends // 1))),
        }

    def models(self, call: Call) -> Answer:
        """GET /api/models/status."""
        ready = {"available": True}
        return user.answered(call, {"text": ready, "image": ready, "video": ready})

    def health(self, call: Call) -> Answer:
        """GET /api/health."""
        return Answer(200, {"success": True, "status": "ok", "version": "sandbox"})
