# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume: reading jobs and their results; the envelope of lists."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import query_choice, query_number
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.media.artwork import Artwork, file_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.jobs import Job

IMAGE, VIDEO, AD, SWAP = "image_generation", "video_generation", "ad_video_generation", "face_swap"
ANALYSIS = "reference_analysis"
TYPES = (IMAGE, VIDEO, AD, SWAP, ANALYSIS)
# Where each running status begins, as a share of the job's time.
PHASES = {"queued": (0.0, 0.15), "running": (0.15, 0.4), "processing": (0.4, 1.0)}
ENDED = ("completed", "failed", "canceled", "expired")
# Default and maximum of ``limit`` are not documented: the sandbox's own choice.
DEFAULT_LIMIT, LARGEST_LIMIT = 20, 100


def limit_of(call: Call) -> int:
    """Read ``limit``."""
    return query_number(call.query, "limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)


def cursor_of(call: Call) -> int | None:
    """Read ``cursor``: a number that this server wrote, opaque to the client."""
    text = call.query.get("cursor")
    if text is None:
        return None
    try:
        return int(base64.urlsafe_b64decode(text.encode()).decode().removeprefix("after "))
    except ValueError:
        raise Invalid("cursor", "is not a cursor of this list") from None


def listed(items: list[dict[str, Any]], next_number: int | None) -> Answer:
    """Answer one page; ``next_number`` is what the next cursor holds, None on the last page."""
    cursor = None if next_number is None else base64.urlsafe_b64encode(f"after {next_number}".encode()).decode()
    return Answer(200, {"object": "list", "data": items, "has_more": cursor is not None, "next_cursor": cursor})


def page(call: Call, items: Sequence[dict[str, Any]]) -> Answer:
    """Answer one page of a complete list."""
    first, limit = cursor_of(call) or 0, limit_of(call)
    after = first + limit
    return listed(list(items[first:after]), after if after < len(items) else None)


def status_of(job: Job, now: float) -> str:
    """Return the job's status in Sume's words."""
    if job.over(now):
        return job.outcome
    done = job.progress(now)
    return next(word for word, (first, last) in PHASES.items() if first <= done < last or last == 1.0)


def file_names(job: Job) -> list[str]:
    """List a job's files."""
    if job.type == IMAGE:
        return [f"image-{number + 1}.png" for number in range(int(job.request["image_count"]))]
    return [] if job.type == ANALYSIS else ["video.mp4"]


def shown(call: Call, job: Job) -> dict[str, Any]:
    """Show a job. The keys are not documented; ``job_urls`` decides how it shows the URLs of its files."""
    status = status_of(job, call.now)
    ended = status in ENDED
    links = call.links(job.id, file_names(job)) if status == "completed" else []
    how = call.setting("job_urls")
    data: dict[str, Any] = {
        "id": job.id,
        "object": "job",
        "type": job.type,
        "status": status,
        "created_at": iso(job.created),
        "completed_at": iso(job.ends) if ended else None,
        "error": {"code": f"generation_{status}", "message": job.message or f"The generation {status}"}
        if ended and status != "completed"
        else None,
        "result_url": links[0] if links and how != "none" else None,
    }
    if how == "list":
        data["result_urls"] = links
    return data


def list_jobs(call: Call) -> Answer:
    """GET /jobs, newest first."""
    kind = query_choice(call.query, "type", TYPES)
    status = query_choice(call.query, "status", (*PHASES, *ENDED))
    limit = limit_of(call)
    running = status in PHASES
    which = call.which(
        kinds=[kind] if kind else (),
        status="processing" if running else status,
        progress=(call.now, *PHASES[status]) if status is not None and running else None,
    )
    jobs = call.state.jobs.page(which, after=cursor_of(call), limit=limit + 1)
    return listed([shown(call, job) for job in jobs[:limit]], jobs[limit - 1].seq if len(jobs) > limit else None)


def _find(call: Call) -> Job:
    return call.job(call.params["job_id"], "There is no such job in this workspace.")


def get_job(call: Call) -> Answer:
    """GET /jobs/{jobId}."""
    return Answer(200, shown(call, _find(call)))


def get_result(call: Call) -> Answer:
    """GET /jobs/{jobId}/result. What it answers before the job is completed is not documented; a setting decides."""
    job = _find(call)
    data = shown(call, job)
    if data["status"] != "completed":
        if call.setting("early_result") == "conflict":
            raise Refusal(409, "The job is not completed.", "job_not_completed")
        return Answer(200, {**data, "result": None})
    return Answer(200, {**data, "result": _result(call, job)})


def _result(call: Call, job: Job) -> dict[str, Any]:
    if job.type == ANALYSIS:
        return {"analysis": analysis(job)}
    links, form = call.links(job.id, file_names(job)), "image" if job.type == IMAGE else "video"
    shape = call.setting("result_shape")
    if shape == "urls":
        return {"urls": links}
    if shape == "outputs":
        return {"outputs": [{"type": form, "url": link} for link in links]}
    return {f"{form}s": [{"url": link} for link in links]}


def analysis(job: Job) -> dict[str, Any]:
    """Invent the structure of a reference clip."""
    return {
        "source_url": job.request["url"],
        "summary": "A creator shows the product in use and ends with an offer.",
        "hook": "You have been doing this wrong.",
        "structure": [
            {"segment": "hook", "start_time_seconds": 0.0, "end_time_seconds": 2.5},
            {"segment": "demonstration", "start_time_seconds": 2.5, "end_time_seconds": 11.0},
            {"segment": "call_to_action", "start_time_seconds": 11.0, "end_time_seconds": 14.0},
        ],
        "cta_present": True,
    }


def artwork(job: Job, name: str) -> Artwork | None:
    """Return what a job's file shows."""
    request = job.request
    text = str(request.get("prompt") or request.get("script") or f"A face swapped for {request.get('avatar_id')}")
    ratio = str(request.get("aspect_ratio") or ("1:1" if job.type == IMAGE else "9:16"))
    return file_of(job.id, name, file_names(job), f"Sume sandbox / {job.type}", text, ratio)
