# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CinematicAds: credits, statistics, projects, the brand and its knowledge base."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections import Counter
from datetime import UTC, date, datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_adgen.sandbox.cinematicads.workflows import artwork, enveloped, file_names, project, status_of
from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import query_choice
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.engine.jobs import HELD
from airflow_provider_adgen.sandbox.media.artwork import Artwork

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.call import Call

KNOWLEDGE_FORMS = ("pdf", "docx", "xlsx", "csv", "txt")
LARGEST_KNOWLEDGE = 10 * 1024 * 1024
DAY = 86_400
PERIODS = {"7d": 7, "30d": 30, "90d": 90}


def answered(call: Call, data: Any) -> Answer:
    """Answer data in the documented ``{success, data}``, or at the top level where a setting says so."""
    if isinstance(data, dict):
        return Answer(200, enveloped(data, call.setting("response_shape")))
    return Answer(200, {"success": True, "data": data})


def get_credits(call: Call) -> Answer:
    """GET /api/user/credits. The key's name is not documented; a setting decides."""
    return answered(call, {str(call.setting("credits_key")): call.account.balance})


def _day(call: Call, name: str) -> date | None:
    text = call.query.get(name)
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        if (day := date.fromisoformat(text)).isoformat() == text:
            return day
    raise Invalid(name, "must be a date written YYYY-MM-DD")


def _begin(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def stats(call: Call) -> Answer:
    """GET /api/user/stats."""
    first, last = _day(call, "startDate"), _day(call, "endDate")
    since = 0.0 if first is None else _begin(first)
    until = HELD if last is None else _begin(last) + DAY
    made = call.state.jobs.tally(call.which(), since, until)
    words, types = Counter[str](), Counter[str]()
    for kind, status, _, count, _ in made:
        words[status] += count
        types[kind] += count
    ended = words["completed"] + words["failed"]
    shown = {
        "totalProjects": sum(types.values()),
        "projectsByType": dict(types),
        "creditsUsed": sum(spent for *_, spent in made),
        "successRate": round(words["completed"] / ended, 3) if ended else None,
    }
    return answered(call, shown)


def analytics(call: Call) -> Answer:
    """GET /api/user/analytics."""
    period = query_choice(call.query, "period", tuple(PERIODS)) or "30d"
    days, types, spent, hours = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    since = call.now - PERIODS[period] * DAY
    for kind, _, hour, count, price in call.state.jobs.tally(call.which(), since):
        begun = iso(hour * 3600)
        days[begun[:10]] += count
        hours[begun[11:13]] += count
        types[kind] += count
        spent[kind] += price
    shown = {
        "period": period,
        "trends": [{"date": day, "count": count} for day, count in sorted(days.items())],
        "usageByType": dict(types),
        "creditDistribution": dict(spent),
        "peakHours": dict(hours),
    }
    return answered(call, shown)


def projects(call: Call) -> Answer:
    """GET /api/user/projects: all, newest first, without pages."""
    shown = [project(call, job) for job in call.state.jobs.page(call.which())]
    return answered(call, {"projects": shown} if call.setting("projects_shape") == "named" else shown)


def export_projects(call: Call) -> Answer:
    """GET /api/user/projects/export: a ZIP of videos and metadata."""
    members: list[tuple[str, Artwork | str]] = []
    exported = []
    for job in call.state.jobs.page(call.which()):
        exported.append({**project(call, job), "videoUrl": None})
        if status_of(job, call.now) == "completed":
            for name in file_names(job):
                picture = artwork(job, name)
                if picture is not None:
                    members.append((f"videos/{job.request['project']}-{name}", picture))
    members.append(("metadata.json", json.dumps({"projects": exported}, indent=2)))
    headers = {"content-disposition": 'attachment; filename="projects.zip"'}
    return Answer(200, headers=headers, artwork=Artwork("zip", "projects", "", members=tuple(members)))


def export_video(call: Call) -> Answer:
    """/api/export: a generated video as MP4. Whether ``source`` goes into the query or the body is not documented."""
    source = call.query.get("source") if call.method == "GET" else call.fields().needed("source")
    if not source:
        raise Invalid("source", "is required")
    parts = urlsplit(source)
    own = urlsplit(call.state.media_base(call.base_url))
    if parts.netloc != own.netloc:
        if parts.scheme != "https":
            raise Invalid("source", "must be an https URL")
        raise Refusal(403, "This domain is not allowed")
    pieces = parts.path.split("/")
    owner, name = (pieces[3], pieces[4]) if len(pieces) == 5 and pieces[2] == call.vendor.name else ("", "")
    job = call.state.jobs.get(call.vendor.name, owner, call.account.id)
    film = artwork(job, name) if job is not None else None
    if film is None or film.form != "mp4":
        raise Refusal(404, "Video not found")
    return Answer(200, headers={"content-disposition": 'attachment; filename="video.mp4"'}, artwork=film)


def get_brand(call: Call) -> Answer:
    """GET /api/user/brand. It is read with ``audience`` and written with ``targetAudience``."""
    found = call.state.documents.get(call.vendor.name, "brand", f"brand-{call.account.id}")
    if found is None:
        raise Refusal(404, "No brand profile")
    return answered(call, found.data)


def update_brand(call: Call) -> Answer:
    """POST or PUT /api/user/brand: which one is not documented; both are accepted unless a setting decides."""
    allowed = call.setting("brand_method")
    if allowed not in ("any", call.method):
        raise Refusal(405, f"{call.method} is not allowed here")
    fields = call.fields()
    colors = fields.mapping("colors") or {}
    data = {
        "name": fields.needed("name"),
        "industry": fields.text("industry"),
        "tone": fields.text("tone"),
        "audience": fields.text("targetAudience"),
        "colors": colors,
    }
    if any(
        name not in ("primary", "secondary", "accent") or not isinstance(value, str) for name, value in colors.items()
    ):
        raise Invalid("colors", "may have primary, secondary and accent, each a string")
    call.checked()
    call.store("brand", f"brand-{call.account.id}", data)
    return answered(call, data)


def add_url(call: Call) -> Answer:
    """POST /api/user/brand/knowledge/urls."""
    fields = call.fields()
    url = fields.address("url", required=True)
    call.checked()
    return _known(call, {"kind": "url", "url": url})


def _known(call: Call, data: dict[str, Any]) -> Answer:
    name = f"kb_{uuid.uuid4().hex[:12]}"
    made = call.store("knowledge", name, data)
    return answered(call, {"id": made.id, **data, "createdAt": iso(made.created)})


def add_file(call: Call) -> Answer:
    """POST /api/user/brand/knowledge/files: one file as multipart/form-data."""
    content_type = call.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise Invalid("file", "must be sent as multipart/form-data")
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + call.body
    )
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "file":
            name, content = part.get_filename() or "", part.get_payload(decode=True)
            break
    else:
        raise Invalid("file", "is required")
    if name.rpartition(".")[2].lower() not in KNOWLEDGE_FORMS:
        raise Invalid("file", f"must be one of {', '.join(KNOWLEDGE_FORMS)}")
    size = len(content) if isinstance(content, bytes) else 0
    if size > LARGEST_KNOWLEDGE:
        raise Invalid("file", "must not be larger than 10 MB")
    return _known(call, {"kind": "file", "name": name, "size": size})
