# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Adsumo: submitting generations, and reading them."""

from __future__ import annotations

import math
import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.adsumo.catalogue import AVATARS, VOICES
from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid, Refusal
from airflow_provider_adgen.sandbox.engine.checks import is_uuid, query_choice, query_number
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.media.artwork import Artwork, file_of, reading_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.checks import Fields
    from airflow_provider_adgen.sandbox.engine.jobs import Job
    from airflow_provider_adgen.sandbox.engine.state import State

# Documented on the images page: credits per image by model and resolution.
IMAGE_CREDITS = {
    "fast": {"1k": 1, "2k": 2, "4k": 2},
    "pro": {"1k": 2, "2k": 2, "4k": 4},
}
# Documented (voiceovers page).
VOICEOVER_CREDITS = 1

# The sandbox's own choice: the pages that name these prices could not be read.
AI_VIDEO_CREDITS = {"sora-2": 20, "sora-2-pro": 40, "veo-3.1": 40, "veo-3.1-fast": 20, "kling-2.6": 15}
TEMPLATE_VIDEO_CREDITS = 30

# The sandbox's own choice of typical seconds, by job type.
SECONDS = {"image": 15.0, "ai-video": 90.0, "talking-avatar": 120.0}

TYPES = ("talking-avatar", "ai-video", "image")
STATUSES = ("processing", "completed", "failed")
VIDEO_MODELS = tuple(AI_VIDEO_CREDITS)
IMAGE_MODELS = ("fast", "pro")
RESOLUTIONS = ("1k", "2k", "4k")
AVATAR_TYPES = ("platform", "custom", "product")
LIPSYNC_MODELS = ("heygen-avatar4", "lipsync-2.0")
# What a generation's `details` show, by type, as documented.
DETAILS = {
    "talking-avatar": ("avatar_id", "script", "voice_id", "template", "duration"),
    "ai-video": ("prompt", "model", "duration", "aspect_ratio"),
    "image": ("prompt", "model", "aspect_ratio", "resolution", "quantity"),
}


def avatar_price(script: str) -> int:
    """Return the documented price: 20 credits for each 250 characters begun, from 20 to 160."""
    return min(160, max(20, 20 * math.ceil(len(script) / 250)))


def image_price(model: str, resolution: str, quantity: int) -> int:
    """Return the documented price of text-to-image. Product shots cost the same: the sandbox's own choice."""
    return IMAGE_CREDITS[model][resolution] * quantity


def _ratio(fields: Fields, *, required: bool) -> str | None:
    """Read an aspect ratio. The documented ones are examples, so any plausible ratio is accepted."""
    value = fields.text("aspect_ratio", required=required)
    if value is not None:
        match = re.fullmatch(r"([1-9]\d?):([1-9]\d?)", value)
        if match is None or not 0.25 <= int(match[1]) / int(match[2]) <= 4:
            raise Invalid("aspect_ratio", "must be a ratio such as 1:1, 16:9 or 9:16")
    return value


def _product(call: Call, fields: Fields, *, examples: bool = False) -> tuple[str, str]:
    """Read a product's id and find its name. With *examples*, the overview's example id ``prod_...`` is accepted."""
    product_id = fields.needed("product_id")
    if examples and product_id.startswith("prod_"):
        return product_id, product_id
    if not is_uuid(product_id):
        raise Invalid("product_id", "must be a UUID")
    found = call.document("product", product_id, "Product not found")
    return product_id, str(found.data["name"])


def check_voice(voice_id: str) -> None:
    """Refuse a voice that is neither in the catalogue nor written as an ElevenLabs id (the docs show both)."""
    if voice_id not in VOICES and not re.fullmatch(r"[A-Za-z0-9]{20}", voice_id):
        raise Refusal(404, "Voice not found")


def _check_avatar(call: Call, avatar_id: str, avatar_type: str) -> None:
    if avatar_type != "platform":
        # No page says where product avatars come from; the id of a product is accepted.
        call.document("avatar" if avatar_type == "custom" else "product", avatar_id, "Avatar not found")
    elif avatar_id not in AVATARS:
        raise Refusal(404, "Avatar not found")


def _submit(call: Call, kind: str, request: dict[str, Any], price: int, what: str) -> Answer:
    call.checked()
    key = call.headers.get("idempotency-key")
    job = call.state.start_job(call.account, call.key, kind, request, price, what=what, idempotency_key=key)
    data = {"generation_id": job.id, "type": kind, "status": "processing"}
    return Answer(int(call.setting("submit_status")), data)


def talking_avatar(call: Call) -> Answer:
    """POST /videos/talking-avatar."""
    fields = call.fields()
    avatar_id = fields.identifier("avatar_id", required=True) or ""
    avatar_type = fields.needed("avatar_type", choices=AVATAR_TYPES)
    script, voice_id = fields.text("script"), fields.text("voice_id")
    voiceover_id = fields.identifier("voiceover_id")
    lipsync = fields.text("lipsync_model", choices=LIPSYNC_MODELS) or "heygen-avatar4"
    if voiceover_id is None and (script is None or voice_id is None):
        raise Invalid("", "Either script and voice_id, or voiceover_id, is required")
    _check_avatar(call, avatar_id, avatar_type)
    spoken = script or ""
    if voiceover_id is not None:
        # "If both are supplied voiceover_id wins."
        voiceover = call.document("voiceover", voiceover_id, "Voiceover not found")
        spoken = str(voiceover.data["text"])
    else:
        check_voice(voice_id or "")
    request = {
        "avatar_id": avatar_id,
        "avatar_type": avatar_type,
        "script": spoken,
        "voice_id": voice_id,
        "voiceover_id": voiceover_id,
        "lipsync_model": lipsync,
        "template": None,
        "duration": reading_seconds(spoken),
    }
    return _submit(call, "talking-avatar", request, avatar_price(spoken), "talking avatar")


def ai_video(call: Call) -> Answer:
    """POST /videos/ai-video. The page is readable up to ``prompt``; the rest follows the overview's example."""
    fields = call.fields()
    model = fields.needed("model", choices=VIDEO_MODELS)
    request = {
        "model": model,
        "prompt": fields.needed("prompt"),
        "aspect_ratio": _ratio(fields, required=False) or "16:9",
        "duration": fields.number("duration", above=0, most=60) or 8,
    }
    return _submit(call, "ai-video", request, AI_VIDEO_CREDITS[model], f"ai video, {model}")


def template_video(call: Call) -> Answer:
    """POST /videos/generate, which only the overview's idempotency example shows."""
    fields = call.fields()
    template = fields.needed("template")
    product_id, product = _product(call, fields, examples=True)
    request = {"template": template, "product_id": product_id, "product": product, "duration": 8}
    return _submit(call, "talking-avatar", request, TEMPLATE_VIDEO_CREDITS, f"template video, {template}")


def _image_fields(fields: Fields) -> dict[str, Any]:
    return {
        "model": fields.needed("model", choices=IMAGE_MODELS),
        "aspect_ratio": _ratio(fields, required=True),
        "quantity": int(fields.number("quantity", least=1, most=8, whole=True) or 1),
        "resolution": fields.text("resolution", choices=RESOLUTIONS) or "1k",
    }


def text_to_image(call: Call) -> Answer:
    """POST /images/text-to-image."""
    fields = call.fields()
    request = {"prompt": fields.needed("prompt"), **_image_fields(fields)}
    price = image_price(request["model"], request["resolution"], request["quantity"])
    return _submit(call, "image", request, price, "text to image")


def product_shots(call: Call) -> Answer:
    """POST /images/product-shots."""
    fields = call.fields()
    image = _image_fields(fields)
    style = fields.needed("style_id")
    extra = fields.text("additional_prompt")
    product_id, product = _product(call, fields)
    prompt = f"{style}: {extra}" if extra else style
    request = {"prompt": prompt, "product_id": product_id, "product": product, "style_id": style, **image}
    return _submit(
        call, "image", request, image_price(image["model"], image["resolution"], image["quantity"]), "product shots"
    )


def text_to_speech(call: Call) -> Answer:
    """POST /voiceovers/text-to-speech, the one synchronous endpoint."""
    fields = call.fields()
    text, voice_id = fields.needed("text"), fields.needed("voice_id")
    fields.text("model")
    fields.mapping("voice_settings")
    call.checked()
    check_voice(voice_id)
    voiceover_id, seconds = str(uuid.uuid4()), reading_seconds(text)
    call.state.ledger.charge(
        call.account,
        VOICEOVER_CREDITS,
        job_id=voiceover_id,
        what="voiceover",
        idempotency_key=call.headers.get("idempotency-key"),
    )
    data = {"text": text, "voice_id": voice_id, "duration": seconds}
    call.store("voiceover", voiceover_id, data)
    url = call.link(voiceover_id, "voiceover.mp3")
    shown = {"id": voiceover_id, "status": "completed", "duration": seconds, "audio_url": url}
    return Answer(int(call.setting("voiceover_status")), shown)


def result_names(job: Job) -> list[str]:
    """List a job's files. How several images are returned is not documented; a setting decides."""
    if job.type != "image":
        return ["result.mp4"]
    return [f"result-{number + 1}.png" for number in range(int(job.request.get("quantity", 1)))]


def artwork(job: Job, name: str) -> Artwork | None:
    """Return what one of a job's files shows."""
    names = result_names(job)
    request = job.request
    title = f"Adsumo sandbox / {job.type}"
    text = str(request.get("prompt") or request.get("script") or request.get("template") or "")
    ratio, product = str(request.get("aspect_ratio") or "9:16"), str(request.get("product") or "")
    if name == "results.zip" and len(names) > 1:
        members = tuple((member, artwork(job, member) or "") for member in names)
        return Artwork("zip", title, text, members=members)
    return file_of(job.id, name, names, title, text, ratio, product)


def result_url(state: State, job: Job, base_url: str, *, expired: bool = False) -> str:
    """Make a fresh link to a completed job's result."""
    names = result_names(job)
    several = len(names) > 1 and state.settings.get("adsumo", "multiple_results") == "zip"
    return state.link("adsumo", job.id, "results.zip" if several else names[0], base_url, expired=expired)


def status_of(job: Job, now: float) -> str:
    """Return the job's status in Adsumo's three words."""
    status = job.status(now)
    return status if status in STATUSES else "failed" if status in ("canceled", "expired") else "processing"


def _shown(call: Call, job: Job) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": job.id,
        "type": job.type,
        "status": status_of(job, call.now),
        "created_at": iso(job.created),
        "result_url": None,
    }
    if shown["status"] == "completed":
        shown["result_url"] = result_url(call.state, job, call.base_url, expired=call.expired_links)
        names = result_names(job)
        if len(names) > 1 and call.setting("multiple_results") == "list":
            shown["result_urls"] = call.links(job.id, names)
    return shown


def list_generations(call: Call) -> Answer:
    """GET /generations."""
    limit, offset = page_of(call.query)
    kind, status = query_choice(call.query, "type", TYPES), query_choice(call.query, "status", STATUSES)
    which, order = call.which(kinds=[kind] if kind else (), status=status), str(call.setting("generations_order"))
    jobs = call.state.jobs.page(which, order=order, limit=limit, offset=offset)
    return listed([_shown(call, job) for job in jobs], call.state.jobs.count(which), limit, offset)


def get_generation(call: Call) -> Answer:
    """GET /generations/{id}."""
    job = call.job(call.params["id"], "Generation not found")
    details = {name: job.request.get(name) for name in DETAILS[job.type]}
    return Answer(200, {**_shown(call, job), "details": details})


def page_of(query: Mapping[str, str]) -> tuple[int, int]:
    """Read ``limit`` (1 to 100, default 20) and ``offset`` (default 0)."""
    return query_number(query, "limit", 20, 1, 100), query_number(query, "offset", 0, 0)


def listed(items: list[dict[str, Any]], total: int, limit: int, offset: int) -> Answer:
    """Answer one page of a list."""
    return Answer(200, {"data": items, "pagination": {"total": total, "limit": limit, "offset": offset}})
