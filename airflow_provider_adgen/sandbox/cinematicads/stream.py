# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds: a workflow's events as Server-Sent Events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.cinematicads.workflows import STEPS, file_names, result
from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.jobs import Job

# The event names under "HTTP webhooks or SSE" differ from those in the page's SSE example; a setting decides. Only the
# first set has events for the start, for each finished video and for a failure.
NAMES = {
    "plain": {"step": "step", "progress": "progress", "result": "result", "failed": "result", "suspended": "step"},
    "workflow": {
        "started": "workflow.started",
        "step": "workflow.step",
        "progress": "workflow.step",
        "ready": "video.ready",
        "result": "workflow.completed",
        "failed": "workflow.failed",
        "suspended": "workflow.suspended",
    },
}


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """Write one event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def stream(call: Call) -> Answer:
    """GET /api/workflow/stream."""
    name = call.query.get("jobId")
    if not name:
        raise Invalid("jobId", "is required")
    job = call.job(name, "Workflow not found")
    headers = {"cache-control": "no-cache"}
    return Answer(200, headers=headers, content_type="text/event-stream", stream=_events(call, job.id))


def _schedule(job: Job) -> list[tuple[float, str, dict[str, Any]]]:
    """List a job's step and progress events with the share of its time at which each comes."""
    whole = 20.0 if job.outcome == "suspended" else 100.0
    listed: list[tuple[float, str, dict[str, Any]]] = [(0.0, "started", {"jobId": job.id})]
    for step, percent in STEPS:
        if percent <= whole and not (job.outcome == "suspended" and percent == whole):
            done = {"step": step, "status": "completed", "progress": percent}
            listed.append((percent / whole, "step", done))
            listed.append((min(1.0, (percent + 5) / whole), "progress", {"progress": min(percent + 5, 99)}))
    return listed


async def _events(call: Call, name: str) -> AsyncIterator[bytes]:
    """Yield each event when it is due, and the result at the end.

    The task sleeps between events, so an idle stream costs almost nothing.
    """
    state, vendor = call.state, call.vendor
    names = NAMES[call.setting("sse_names")]
    opened, beat = call.now, float(call.setting("sse_heartbeat"))
    closes = None if call.setting("sse_seconds") is None else opened + float(call.setting("sse_seconds"))
    sent, suspended, replays = set[str](), False, bool(call.setting("sse_replay"))
    next_beat = opened + beat
    while True:
        job = state.jobs.get(vendor.name, name)
        now = state.clock.now()
        if job is None:
            return
        length, upcoming = job.ends - job.created, [job.ends]
        for share, kind, data in _schedule(job):
            moment, key = job.created + share * length, json.dumps([kind, data])
            if key in sent:
                continue
            if now < moment:
                upcoming.append(moment)
                continue
            sent.add(key)
            if kind in names and (replays or moment >= opened):
                yield event(names[kind], data)
        if job.over(now):
            if job.outcome != "suspended":
                for piece in _ending(call, job, names):
                    yield piece
                return
            if not suspended:
                suspended = True
                yield event(names["suspended"], {"step": STEPS[0][0], "status": "suspended", "progress": STEPS[0][1]})
        if closes is not None and now >= closes:
            return
        if now >= next_beat:
            next_beat = now + beat
            yield b": keep-alive\n\n"
        wake = min([moment for moment in upcoming if moment > now] + [next_beat] + ([closes] if closes else []))
        await state.clock.sleep_until(wake)


def _ending(call: Call, job: Job, names: Mapping[str, str]) -> list[bytes]:
    """Write the last events. What a stream sends for a failure is not documented; a setting decides."""
    if job.outcome == "completed":
        films = [name for name in file_names(job) if name.endswith(".mp4")] if "ready" in names else []
        if call.setting("multiple_videos") == "first":
            films = films[:1]
        ready = [event(names["ready"], {"jobId": job.id, "videoUrl": link}) for link in call.links(job.id, films)]
        return [*ready, event(names["result"], {"success": True, **result(call, job)})]
    how = call.setting("sse_failure")
    data = {"success": False, "error": job.message or f"The workflow {job.outcome}"}
    if how == "close":
        return []
    event_names = {"result": names["failed"], "error": "error", "workflow.failed": "workflow.failed"}
    return [event(event_names[how], data)]
