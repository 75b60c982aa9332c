# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds: starting workflows, and their results."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.media.artwork import Artwork, file_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.jobs import Job

# Documented credits by type and quality.
CREDITS = {
    "cinematic": (1, 2),
    "avatar": (2, 3),
    "factory": (3, 5),
    "clone": (3, 5),
    "influencer": (8, 15),
    "brand": (15, 25),
    "staticad": (1, 1),
    "painpoint": (1, 1),
    "ad-optimizer": (1, 2),
}
QUALITIES = ("standard", "premium")
FORMATS = ("9:16", "1:1", "16:9")
SEASONS = ("ramadan", "eid")
FRAMEWORKS = ("pas", "aida", "sb7", "cialdini", "uvp", "bant")
MODELS = ("image", "video", "voice")
# The sandbox's own choice of typical seconds; a video in the page's example lasts 15.
STILLS = ("staticad", "painpoint", "ad-optimizer")
SECONDS = {kind: 30.0 if kind in STILLS else 180.0 for kind in CREDITS}
# The page shows art_direction at 20 and video_generation at 60; the steps between are the sandbox's own.
STEPS = (("art_direction", 20), ("storyboard", 40), ("video_generation", 60), ("voice_over", 80), ("assembly", 95))
VIDEO_SECONDS = 15


def read_formats(value: str | None) -> list[str]:
    """Read the comma-separated formats; none means 9:16 (the default is not documented)."""
    formats = [part.strip() for part in (value or "9:16").split(",")]
    if any(part not in FORMATS for part in formats) or len(set(formats)) != len(formats):
        raise Invalid("formats", f"must be a comma-separated list of {', '.join(FORMATS)}")
    return formats


def start(call: Call) -> Answer:
    """POST /api/workflow."""
    fields = call.fields()
    kind = fields.needed("type", choices=tuple(CREDITS))
    request: dict[str, Any] = {
        "type": kind,
        "url": fields.address("url", required=kind in ("clone", "factory")),
        "concept": fields.text("concept"),
        "quality": fields.text("quality", choices=QUALITIES) or "standard",
        "formats": read_formats(fields.text("formats")),
        "seasonal": fields.text("seasonal", choices=SEASONS),
        "framework": fields.text("framework", choices=FRAMEWORKS),
        "hitl": fields.flag("hitl") or False,
        "project": f"proj_{uuid.uuid4().hex[:12]}",
        # Where batches come from is not documented. The sandbox groups workflows with the same value here.
        "batchId": fields.text("batchId"),
    }
    waits = fields.flag("async") is False
    models = fields.mapping("models") or {}
    if any(name not in MODELS or not isinstance(word, str) for name, word in models.items()):
        raise Invalid("models", f"may have {', '.join(MODELS)}, each a string")
    call.checked()
    if kind in call.setting("reserved_types"):
        raise Refusal(403, "This workflow is reserved")
    if call.account.data.get("trial_expired"):
        raise Refusal(402, "Trial expired")
    price = CREDITS[kind][QUALITIES.index(request["quality"])]
    length = call.state.job_seconds(call.vendor, kind)
    job = call.state.start_job(
        call.account,
        call.key,
        kind,
        request,
        price,
        what=f"{kind}, {request['quality']}",
        job_id=f"wf_{uuid.uuid4().hex[:12]}",
        outcome="suspended" if request["hitl"] else "completed",
        # A suspended workflow stops after art direction.
        seconds=length * STEPS[0][1] / 100 if request["hitl"] else length,
    )
    shown: dict[str, Any] = {"jobId": job.id, "message": "Workflow queued", "cost": price}
    if waits:
        shown = {**shown, "message": f"Workflow {job.outcome}", **_outcome(call, job)}
    answer = Answer(int(call.setting("submit_status")), enveloped(shown, call.setting("workflow_shape")))
    if waits:
        answer.not_before = job.ends
    return answer


def _outcome(call: Call, job: Job) -> dict[str, Any]:
    if job.outcome == "completed":
        return result(call, job)
    return {"error": job.message or f"The workflow {job.outcome}"} if job.outcome != "suspended" else {}


def enveloped(data: Mapping[str, Any], shape: str) -> dict[str, Any]:
    """Put data at the top level (shape ``top``) or into ``data`` (shape ``data``)."""
    return {"success": True, **data} if shape == "top" else {"success": True, "data": dict(data)}


def file_names(job: Job) -> list[str]:
    """List a job's files, one per format."""
    form = "png" if job.type in STILLS else "mp4"
    return [f"{name.replace(':', 'x')}.{form}" for name in job.request["formats"]]


def result(call: Call, job: Job) -> dict[str, Any]:
    """Return what a completed workflow made. Several formats have one ``videoUrl`` in the page's example."""
    names = file_names(job)
    link = call.link(job.id, names[0])
    if job.type in STILLS:
        return {str(call.setting("stills_key")): link}
    shown: dict[str, Any] = {"videoUrl": link, "duration": VIDEO_SECONDS}
    if call.setting("multiple_videos") == "list" and len(names) > 1:
        links = zip(job.request["formats"], call.links(job.id, names), strict=False)
        shown["videos"] = [{"format": ratio, "url": link} for ratio, link in links]
    return shown


def status_of(job: Job, now: float) -> str:
    """Return a job's status as its project shows it (the words are not documented)."""
    word = job.status(now)
    return "queued" if word == "processing" and job.progress(now) < 0.05 else word


def project(call: Call, job: Job) -> dict[str, Any]:
    """Show a job as one of the user's projects (its shape is not documented)."""
    status = status_of(job, call.now)
    shown = {
        "id": job.request["project"],
        "jobId": job.id,
        "type": job.type,
        "quality": job.request["quality"],
        "concept": job.request["concept"],
        "status": status,
        "createdAt": iso(job.created),
        "completedAt": iso(job.ends) if status in ("completed", "failed") else None,
        "videoUrl": call.link(job.id, file_names(job)[0]) if status == "completed" else None,
        "error": (job.message or "The workflow failed") if status == "failed" else None,
        "creditsUsed": job.credits,
    }
    if not call.setting("project_job_id"):
        del shown["jobId"]
    return shown


def artwork(job: Job, name: str) -> Artwork | None:
    """Return what a job's file shows."""
    text = str(job.request["concept"] or job.request["url"] or job.type)
    ratio = name.partition(".")[0].replace("x", ":")
    return file_of(job.id, name, file_names(job), f"CinematicAds sandbox / {job.type}", text, ratio)


def batch(call: Call) -> Answer:
    """GET /api/batch/status."""
    name = call.query.get("batchId")
    if not name:
        raise Invalid("batchId", "is required")
    jobs = call.state.jobs.page(call.which(field=("batchId", name)))
    words = [status_of(job, call.now) for job in jobs]
    if not words:
        raise Refusal(404, "Batch not found")
    counts = {
        "total": len(words),
        "completed": words.count("completed"),
        "failed": sum(word in ("failed", "canceled", "expired") for word in words),
        "pending": words.count("queued"),
        "active": words.count("processing") + words.count("suspended"),
    }
    return Answer(200, enveloped({"batchId": name, **counts}, call.setting("response_shape")))
