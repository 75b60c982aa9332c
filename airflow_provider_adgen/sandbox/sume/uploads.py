# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume: presigned uploads and the Asset Library."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import query_choice
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.media.artwork import Blob
from airflow_provider_adgen.sandbox.media.host import problem
from airflow_provider_adgen.sandbox.sume.creates import body_of
from airflow_provider_adgen.sandbox.sume.jobs import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.state import State

PURPOSES = ("asset_library_video", "face_swap_source_video")
# The names of these fields could not be read; these are accepted.
NAME_FIELDS = ("file_name", "filename")
SIZE_FIELDS = ("size", "size_bytes", "file_size", "content_length")
SEARCH_MODES = ("auto", "text")
SORTS = ("relevance", "created_at_desc", "created_at_asc", "duration_desc")
SEGMENTS = ("hook", "demonstration", "call_to_action")
SCENE_SECONDS = 4.2
# A second required header, so that a client must send all required headers and not only a content type.
CHECK_HEADER = "x-amz-meta-upload"


def _one_of(call: Call, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in call.fields().data), names[0])


def presign(call: Call) -> Answer:
    """POST /uploads/presign."""
    fields = body_of(call)
    name = fields.needed(_one_of(call, NAME_FIELDS), longest=200)
    content_type = fields.needed("content_type")
    if not content_type.startswith("video/"):
        raise Invalid("content_type", "must be a video type")
    size = fields.number(_one_of(call, SIZE_FIELDS), required=True, least=1, whole=True) or 0
    purpose = fields.needed("purpose", choices=PURPOSES)
    call.checked()
    if size > int(call.setting("upload_max_bytes")):
        raise Refusal(413, "The media is too large.")
    upload_id = f"upload_{uuid.uuid4().hex[:24]}"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    headers = {"Content-Type": content_type, CHECK_HEADER: upload_id}
    data = {"purpose": purpose, "name": safe, "size": int(size), "headers": headers, "done": False, "asset": None}
    call.store("upload", upload_id, data)
    path = f"/upload/{call.vendor.name}/{upload_id}/{safe}"
    signed = call.state.links.sign(
        path, float(call.setting("upload_seconds")) if not call.expired_links else -1.0, "PUT"
    )
    shown = {
        "object": "upload",
        "upload_url": call.state.media_base(call.base_url) + signed,
        "object_key": f"{upload_id}/{safe}",
        "media_url": call.link(upload_id, safe),
        "required_headers": headers,
    }
    return Answer(int(call.setting("presign_status")), shown)


def uploaded(state: State, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Accept the bytes of a presigned upload with exactly the required headers."""
    upload_id, _, _ = name.partition("/")
    upload = state.documents.get("sume", "upload", upload_id)
    if upload is None:
        return problem(404, "NoSuchKey", "There is no such place to upload to")
    for header, value in upload.data["headers"].items():
        if headers.get(header.lower()) != value:
            return problem(403, "SignatureDoesNotMatch", f"The header {header} is not the one that was signed")
    if len(body) != upload.data["size"]:
        return problem(400, "EntitySizeMismatch", "The body is not as long as was announced")
    state.store.run(
        "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?)", (upload_id, upload.data["headers"]["Content-Type"], body)
    )
    state.documents.put("sume", upload.account, "upload", upload_id, {**upload.data, "done": True})
    return Answer(200, body=b"", content_type="application/xml")


def blob(state: State, owner: str, name: str) -> Blob | None:
    """Return an uploaded file; *owner* is its upload."""
    row = state.store.row("SELECT content_type, data FROM blobs WHERE name = ?", (owner,))
    return None if row is None else Blob(row["data"], row["content_type"])


def finalize(call: Call) -> Answer:
    """POST /assets: start to ingest an uploaded video into the Asset Library."""
    fields = body_of(call)
    key = fields.needed("object_key")
    title = fields.text("title") or fields.text("name") or key.partition("/")[2]
    upload = call.document("upload", key.partition("/")[0], "There is no such upload in this workspace.")
    if upload.data["purpose"] != "asset_library_video":
        raise Invalid("object_key", "must be of an upload for asset_library_video")
    if not upload.data["done"]:
        raise Refusal(409, "The video was not uploaded yet.")
    if upload.data["asset"]:
        raise Refusal(409, "The upload was finalized before.", "duplicate")
    seconds = call.setting("ingest_seconds")
    ready = call.now + (30.0 / call.state.clock.speed if seconds is None else float(seconds))
    asset_id = f"asset_{uuid.uuid4().hex[:24]}"
    for number, segment in enumerate(SEGMENTS):
        data = {
            "title": f"{title}, scene {number + 1}",
            "upload": upload.id,
            "file": upload.data["name"],
            "ready": ready,
            "number": number,
            "segment": segment,
        }
        name = asset_id if number == 0 else f"{asset_id}_{number + 1}"
        call.store("asset", name, data)
    call.store("upload", upload.id, {**upload.data, "asset": asset_id})
    shown = {"object": "asset_upload", "id": upload.id, "asset_id": asset_id, "status": "processing"}
    return Answer(int(call.setting("submit_status")), shown)


def _scene(call: Call, name: str, created: float, data: Mapping[str, Any]) -> dict[str, Any]:
    start = round(data["number"] * SCENE_SECONDS, 1)
    ready = call.now >= data["ready"]
    link = call.link(data["upload"], data["file"]) if ready else None
    scene = {
        "id": name,
        "object": "asset",
        "status": "ready" if ready else "processing",
        "title": data["title"],
        "media_url": link,
        "thumbnail_url": call.picture("scene", f"{data['title'].replace(' ', '-')}.png"),
        "source_type": "upload",
        "start_time_seconds": start,
        "end_time_seconds": round(start + SCENE_SECONDS, 1),
        "created_at": iso(created),
        "metadata": {
            "visual_summary": f"A {data['segment'].replace('_', ' ')} with the product in view",
            "segment_type": data["segment"],
            "cta_present": data["segment"] == "call_to_action",
            "brand": "Northpeak",
            "product": "trail shoe",
            "tags": ["outdoor", data["segment"]],
            "keywords": ["shoe", "trail"],
        },
    }
    if call.setting("scene_url") == "clip_url":
        scene["clip_url"] = scene.pop("media_url")
        scene["source_media_url"] = link
    return scene


def get_asset(call: Call) -> Answer:
    """GET /assets/{assetId}. What it answers before the ingest is done is not documented; a setting decides."""
    asset = call.state.documents.get(call.vendor.name, "asset", call.params["asset_id"], call.account.id)
    if asset is None or (call.now < asset.data["ready"] and call.setting("early_asset") == "not_found"):
        raise Refusal(404, "There is no such asset in this workspace.")
    return Answer(200, _scene(call, asset.id, asset.created, asset.data))


def list_assets(call: Call) -> Answer:
    """GET /assets: scenes of ingested videos, filtered, searched and sorted."""
    query = call.query
    text, mode = query.get("q"), query_choice(query, "search_mode", SEARCH_MODES) or "text"
    sort = query_choice(query, "sort", SORTS) or ("relevance" if text else "created_at_desc")
    found = call.documents("asset")
    scenes = [_scene(call, asset.id, asset.created, asset.data) for asset in found if call.now >= asset.data["ready"]]
    kept = []
    for scene in scenes:
        score = _score(scene, text)
        if score is not None and _matches(scene, query):
            search = {"mode": mode, "score": score, "query": text} if text else None
            kept.append({**scene, "search": search})
    if sort == "relevance":
        kept.sort(key=lambda scene: -(scene["search"] or {"score": 0})["score"])
    elif sort == "created_at_desc":
        kept.reverse()
    return page(call, kept)


def _score(scene: dict[str, Any], text: str | None) -> float | None:
    if not text:
        return 0.0
    searched = f"{scene['title']} {scene['metadata']['visual_summary']}".lower()
    words = text.lower().split()
    hits = sum(word in searched for word in words)
    return round(hits / len(words), 2) if hits else None


def _matches(scene: dict[str, Any], query: Mapping[str, str]) -> bool:
    about = scene["metadata"]
    wanted = {
        "source_type": scene["source_type"],
        "segment_type": about["segment_type"],
        "brand": about["brand"],
        "product": about["product"],
    }
    if any(name in query and query[name] != value for name, value in wanted.items()):
        return False
    if any(query[name] not in about[f"{name}s"] for name in ("tag", "keyword") if name in query):
        return False
    cta = query_choice(query, "cta_present", ("true", "false"))
    if cta is not None and (cta == "true") != about["cta_present"]:
        return False
    return _in_time(scene, query)


def _in_time(scene: dict[str, Any], query: Mapping[str, str]) -> bool:
    length = scene["end_time_seconds"] - scene["start_time_seconds"]
    least, most = (_number(query, name) for name in ("min_duration_seconds", "max_duration_seconds"))
    if (least is not None and length < least) or (most is not None and length > most):
        return False
    made = _moment("created_at", scene["created_at"])
    after, before = (
        _moment(name, query[name]) if name in query else None for name in ("created_after", "created_before")
    )
    return (after is None or made > after) and (before is None or made < before)


def _number(query: Mapping[str, str], name: str) -> float | None:
    try:
        return float(query[name]) if name in query else None
    except ValueError:
        raise Invalid(name, "must be a number") from None


def _moment(name: str, text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Invalid(name, "must be an ISO 8601 moment") from None
