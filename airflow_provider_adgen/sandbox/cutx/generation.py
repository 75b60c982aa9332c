# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX: generating copy, static ads and videos."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import is_uuid
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.media.artwork import Artwork, file_of

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.checks import Fields
    from airflow_provider_adgen.sandbox.engine.jobs import Job

# Documented prices in credits, by job type.
CREDITS = {"copy": 1, "static_ad": 3, "ugc_video": 40}
# Typical seconds: a static ad took 25 s in the page's example, a video takes "1 to 3 minutes".
SECONDS = {"copy": 0.0, "static_ad": 25.0, "ugc_video": 120.0}
# The form and the file of what each type makes; copy makes no file.
ASSETS = {"static_ad": ("image", "asset.png"), "ugc_video": ("video", "asset.mp4")}

PLATFORMS = ("meta", "tiktok", "google", "linkedin", "pinterest", "universal")
FORMATS = ("short", "long", "hook", "story")
TONES = ("professional", "casual", "urgent", "luxe", "playful", "bold")
STYLES = ("product_hero", "lifestyle", "minimal", "bold", "seasonal")
STATIC_RATIOS = ("1:1", "9:16", "4:5", "16:9")
VIDEO_RATIOS = ("9:16", "1:1", "16:9")
TERMINAL = ("completed", "failed", "canceled", "expired")

OPENINGS = ("Meet", "Say hello to", "Why wait for", "Your day needs", "Nobody regrets", "Finally here:", "Only now:")


def _subject(call: Call, fields: Fields) -> dict[str, Any]:
    """Read the project and the product of a generation.

    :raises Refusal: 404 when either is not there.
    """
    project = fields.identifier("projectId", required=True) or ""
    product = fields.identifier("productId", required=True) or ""
    return {"projectId": project, "productId": product}


def _start(
    call: Call, kind: str, request: dict[str, Any], key: str | None, seconds: float | None = None
) -> Job | Answer:
    """Start a job, or answer that a job with this key is still running."""
    call.checked()
    call.document("project", request["projectId"], "Project not found")
    product = call.document("product", request["productId"], "Product not found")
    if product.data["project"] != request["projectId"]:
        raise Refusal(404, "Product not found")
    state, vendor, account = call.state, call.vendor.name, call.account.id
    if key is not None:
        running = state.jobs.running_with_key(vendor, account, key)
        if running is not None:
            return Answer(200, {"jobId": running.id, "creditsUsed": 0, "status": "reused"})
        if call.setting("key_after_end") == "conflict" and state.store.number(
            "SELECT count(*) FROM jobs WHERE vendor = ? AND account = ? AND idempotency_key = ?", (vendor, account, key)
        ):
            raise Refusal(409, "A job with this idempotencyKey exists")
    request = {**request, "product": product.data["name"]}
    return state.start_job(
        call.account, call.key, kind, request, CREDITS[kind], what=kind, idempotency_key=key, seconds=seconds
    )


def _started(call: Call, job: Job, status: str, **more: Any) -> Answer:
    remaining = call.state.ledger.balance(job.vendor, job.account)
    shown = {"jobId": job.id, "status": status, "creditsUsed": job.credits, "creditsRemaining": remaining}
    return Answer(200, {**shown, **more})


def copy(call: Call) -> Answer:
    """POST /api/generate/copy, answered when it is done."""
    fields = call.fields()
    request = {
        **_subject(call, fields),
        "platform": fields.needed("platform", choices=PLATFORMS),
        "format": fields.needed("format", choices=FORMATS),
        "tone": fields.needed("tone", choices=TONES),
        "customInstructions": fields.text("customInstructions", longest=500),
    }
    key = fields.text("idempotencyKey", longest=128)
    job = _start(call, "copy", request, key, seconds=float(call.setting("copy_seconds")))
    if isinstance(job, Answer):
        return job
    if job.outcome != "completed":
        answer = Answer(500, {"error": "Generation failed", "message": job.message or "The copy could not be written"})
    else:
        answer = _started(call, job, "completed", variants=variants(job, int(call.setting("copy_variants"))))
    answer.not_before = job.ends
    return answer


def variants(job: Job, count: int) -> list[dict[str, Any]]:
    """Write ad copy about the job's product."""
    request = job.request
    name, tone = str(request["product"]), str(request["tone"])
    word = name.title().replace(" ", "")
    extra = f" {request['customInstructions']}." if request.get("customInstructions") else ""
    length = {"short": 1, "hook": 1, "story": 2, "long": 3}[str(request["format"])]
    return [
        {
            "hook": f"{OPENINGS[number % len(OPENINGS)]} {name}",
            "body": " ".join([f"A {tone} word for {request['platform']}: {name} does what it says.{extra}"] * length),
            "cta": ("Shop now", "See it", "Get yours", "Find out more", "Try it")[number % 5],
            "hashtags": [f"#{word}", f"#{tone.capitalize()}{number + 1}"],
        }
        for number in range(count)
    ]


def static_ad(call: Call) -> Answer:
    """POST /api/generate/static-ad."""
    fields = call.fields()
    # The page's example sends "modern", which its table does not list.
    styles = STYLES if call.setting("strict_style") else (*STYLES, "modern")
    request = {
        **_subject(call, fields),
        "style": fields.text("style", choices=styles),
        "aspectRatio": fields.text("aspectRatio", choices=STATIC_RATIOS) or "1:1",
        "prompt": fields.text("prompt", shortest=5, longest=1000),
    }
    job = _start(call, "static_ad", request, fields.text("idempotencyKey", longest=128))
    return job if isinstance(job, Answer) else _started(call, job, "queued")


def video(call: Call) -> Answer:
    """POST /api/generate/video."""
    fields = call.fields()
    request = {
        **_subject(call, fields),
        "script": fields.needed("script", shortest=10, longest=2000),
        "avatarUrl": fields.address("avatarUrl"),
        "voiceId": fields.text("voiceId") or "male-1",
        "aspectRatio": fields.text("aspectRatio", choices=VIDEO_RATIOS) or "9:16",
    }
    job = _start(call, "ugc_video", request, fields.text("idempotencyKey", longest=128))
    return job if isinstance(job, Answer) else _started(call, job, "queued")


def status(call: Call) -> Answer:
    """GET /api/generate/status."""
    name = call.query.get("jobId", "")
    if not is_uuid(name):
        raise Invalid("jobId", "must be a UUID")
    job = call.job(name, "Job not found")
    word = job.status(call.now)
    if word == "processing":
        word = "queued" if job.progress(call.now) < 0.15 else "processing"
    assets = []
    if word == "completed" and job.type in ASSETS:
        form, file = ASSETS[job.type]
        assets = [{"id": str(uuid.uuid5(uuid.UUID(job.id), file)), "type": form, "url": call.link(job.id, file)}]
    shown = {
        "id": job.id,
        "type": job.type,
        "status": word,
        "assets": assets,
        "createdAt": iso(job.created),
        "completedAt": iso(job.ends) if word in TERMINAL else None,
    }
    field = call.setting("error_field")
    if field and word == "failed":
        shown[field] = job.message or "The generation failed"
    return Answer(200, shown)


def artwork(job: Job, name: str) -> Artwork | None:
    """Return what a job's file shows."""
    request = job.request
    text = str(request.get("script") or request.get("prompt") or request.get("style") or "")
    names = [ASSETS[job.type][1]] if job.type in ASSETS else []
    title, ratio = f"CutX sandbox / {job.type}", str(request.get("aspectRatio"))
    return file_of(job.id, name, names, title, text, ratio, str(request["product"]))
