# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume: creating images, videos, ads, face swaps and reference analyses; the avatars and the brand that they use."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_adgen.sandbox.engine.answers import Answer, Insufficient, Invalid, Refusal
from airflow_provider_adgen.sandbox.sume.jobs import AD, ANALYSIS, IMAGE, SWAP, VIDEO

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.checks import Fields
    from airflow_provider_adgen.sandbox.engine.jobs import Job

# The sandbox's own choice: no price is documented. Image: each. Video: each second. Face swap: each avatar.
CREDITS = {IMAGE: 4, VIDEO: 3, AD: 60, SWAP: 25, ANALYSIS: 5}
# The sandbox's own choice of typical seconds.
SECONDS = {IMAGE: 30.0, VIDEO: 120.0, AD: 180.0, SWAP: 120.0, ANALYSIS: 60.0}

AD_FORMATS = ("talking_heads", "ugc_ads", "video")
LOCALES = ("en", "ko")
SWAP_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
# "Request bodies should not include workspace_id or user_id."
FORBIDDEN_FIELDS = ("workspace_id", "user_id", "email", "owner")
# The name of the one field of a reference analysis is not documented.
REFERENCE_FIELDS = ("url", "reference_url", "source_url", "video_url")
REFERENCE_HOSTS = ("tiktok.com", "instagram.com")


_NAMES = ("Nora", "Idris", "Paula", "Kenji", "Amara", "Luca", "Sofie", "Mateo", "Hana", "Viktor", "Zoe", "Elias")


def _avatar(number: int, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "slug": name.lower(),
        "visibility": "public",
        "capabilities": {
            # Every third avatar cannot swap faces and every fourth cannot be in a UGC ad, so that both occur.
            "talking_head": True,
            "ugc_ad_video": number % 4 != 3,
            "face_swap": number % 3 != 2,
        },
    }


AVATARS: dict[str, dict[str, Any]] = {
    f"avatar_{name.lower()}": _avatar(number, name) for number, name in enumerate(_NAMES)
}

BRAND: dict[str, Any] = {
    "name": "Northpeak",
    "domain": "northpeak.example",
    "tagline": "Made to be worn out",
    "tone": "warm, plain-spoken",
    "colors": ["#14342b", "#f2c14e"],
    "pictures": ["northpeak-logo", "northpeak-trail"],
}


def body_of(call: Call) -> Fields:
    """Read the body.

    :raises Invalid: when it names a user or a workspace: the key decides that.
    """
    fields = call.fields()
    for name in FORBIDDEN_FIELDS:
        if name in fields.data:
            raise Invalid(name, "must not be sent: the API key decides it")
    return fields


def _start(call: Call, kind: str, requests: list[dict[str, Any]], price: int) -> list[Job]:
    """Start one job per request, all or none."""
    call.checked()
    state, name = call.state, call.vendor.name
    state.admit(call.account, len(requests))
    balance = state.ledger.balance(name, call.account.id)
    if price * len(requests) > balance:
        raise Insufficient(price * len(requests), balance)
    return [
        state.start_job(call.account, call.key, kind, request, price, what=kind, job_id=f"job_{uuid.uuid4().hex[:24]}")
        for request in requests
    ]


def _created(call: Call, kind: str, job: Job, nested: bool, **more: Any) -> Answer:
    """Answer with the job. Two shapes are documented: ``job.id`` (image) and ``job_id`` (video, analysis)."""
    shape = call.setting("create_shape")
    nested = nested if shape == "documented" else shape == "job"
    shown = {"job": {"id": job.id, "status": "queued"}} if nested else {"job_id": job.id, "status": "queued"}
    return Answer(int(call.setting("submit_status")), {"object": kind, **shown, **more})


def image(call: Call) -> Answer:
    """POST /images/generations."""
    fields = body_of(call)
    prompt = fields.needed("prompt")
    ratio = fields.text("aspect_ratio")
    resolution, quality = fields.text("resolution"), fields.text("quality")
    count, alias = (fields.number(name, least=1, most=10, whole=True) for name in ("image_count", "n"))
    if count is not None and alias is not None and count != alias:
        raise Invalid("n", "must not differ from image_count")
    fields.texts("reference_image_urls", addresses=True, https=True)
    number = int(count or alias or 1)
    request = {
        "prompt": prompt,
        "aspect_ratio": ratio,
        "resolution": resolution,
        "quality": quality,
        "image_count": number,
    }
    (job,) = _start(call, IMAGE, [request], CREDITS[IMAGE] * number)
    return _created(call, IMAGE, job, nested=True)


def video(call: Call) -> Answer:
    """POST /videos/generations."""
    fields = body_of(call)
    prompt = fields.needed("prompt")
    request = {
        "prompt": prompt,
        "aspect_ratio": fields.text("aspect_ratio"),
        "duration": fields.number("duration", above=0, most=60) or 5,
        "generate_audio": fields.flag("generate_audio"),
        "resolution": fields.text("resolution"),
    }
    fields.texts("reference_image_urls", addresses=True, https=True)
    (job,) = _start(call, VIDEO, [request], CREDITS[VIDEO] * int(-(-float(request["duration"] or 5) // 1)))
    return _created(call, VIDEO, job, nested=False)


def ad(call: Call) -> Answer:
    """POST /ads/videos."""
    fields = body_of(call)
    script = fields.needed("script", shortest=3, longest=1800)
    ad_format = fields.text("ad_format", choices=AD_FORMATS) or "talking_heads"
    avatar_id, slug = fields.text("avatar_id"), fields.text("avatar_slug")
    locale = fields.text("locale", choices=LOCALES)
    seconds = fields.number("duration_seconds", above=0)
    fields.texts("reference_image_urls", most=9, addresses=True, https=True)
    films = fields.texts("reference_video_urls", addresses=True, https=True)
    if films is not None and ad_format != "video":
        raise Invalid("reference_video_urls", "is only supported for ad_format video")
    if ad_format != "video":
        if avatar_id is None and slug is None:
            raise Invalid("avatar_id", f"or avatar_slug is required for {ad_format}")
        capability = "talking_head" if ad_format == "talking_heads" else "ugc_ad_video"
        avatar_id = check_avatar(avatar_id, slug, capability)
    # "Sume may clamp to supported durations by ad format": from 5 to 60 seconds here.
    length = None if seconds is None else min(60.0, max(5.0, seconds))
    request = {
        "script": script,
        "ad_format": ad_format,
        "avatar_id": avatar_id,
        "locale": locale,
        "duration_seconds": length,
    }
    (job,) = _start(call, AD, [request], CREDITS[AD])
    return _created(call, AD, job, nested=False)


def check_avatar(avatar_id: str | None, slug: str | None, capability: str) -> str:
    """Find an avatar by id or slug.

    :raises Refusal: 404 when there is none; 409 when it lacks the capability.
    """
    for known, avatar in AVATARS.items():
        if known == avatar_id or (avatar_id is None and avatar["slug"] == slug):
            if not avatar["capabilities"][capability]:
                raise Refusal(409, f"Avatar {known} does not support {capability}.")
            return known
    raise Refusal(404, "There is no such avatar in this workspace.")


def face_swap(call: Call) -> Answer:
    """POST /face-swap: a job per avatar."""
    fields = body_of(call)
    source = fields.address("source_video_url", required=True) or ""
    avatars = fields.texts("avatar_ids", required=True, least=1, most=5) or []
    seconds = fields.number("duration_seconds", above=0, most=15)
    start, end = fields.number("trim_start_seconds", least=0), fields.number("trim_end_seconds", above=0)
    if end is not None and end <= (start or 0):
        raise Invalid("trim_end_seconds", "must be after trim_start_seconds")
    ratio = fields.text("aspect_ratio", choices=SWAP_RATIOS)
    if len(set(avatars)) != len(avatars):
        raise Invalid("avatar_ids", "must not repeat an avatar")
    _check_source(call, source)
    for avatar in avatars:
        check_avatar(avatar, None, "face_swap")
    common = {"source_video_url": source.partition("?")[0], "duration_seconds": seconds, "aspect_ratio": ratio}
    jobs = _start(call, SWAP, [{**common, "avatar_id": avatar} for avatar in avatars], CREDITS[SWAP])
    each = [{"id": job.id, "avatar_id": job.request["avatar_id"], "status": "queued"} for job in jobs]
    shape = call.setting("face_swap_shape")
    shown: dict[str, Any] = {"jobs": each}
    if shape == "job_ids":
        shown = {"job_id": jobs[0].id, "job_ids": [job.id for job in jobs], "status": "queued"}
    elif shape == "primary":
        shown = {"job": {"id": jobs[0].id, "status": "queued"}, "jobs": each}
    return Answer(int(call.setting("submit_status")), {"object": SWAP, **shown})


def _check_source(call: Call, url: str) -> None:
    """Refuse what is not the media URL of a finished upload made for face swaps."""
    parts = urlsplit(url).path.split("/")
    upload = None
    if len(parts) == 5 and parts[1:3] == ["media", call.vendor.name]:
        upload = call.state.documents.get(call.vendor.name, "upload", parts[3], call.account.id)
    if upload is None or upload.data["purpose"] != "face_swap_source_video":
        raise Invalid("source_video_url", "must be the media_url of an upload for face_swap_source_video")
    if not upload.data["done"]:
        raise Refusal(409, "The source video was not uploaded yet.")


def reference_analysis(call: Call) -> Answer:
    """POST /reference-analysis."""
    fields = body_of(call)
    names = [name for name in REFERENCE_FIELDS if name in fields.data and name in call.setting("reference_fields")]
    if len(names) != 1:
        raise Invalid(call.setting("reference_fields")[0], "is required")
    url = fields.address(names[0], required=True) or ""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    known = any(host == name or host.endswith("." + name) for name in REFERENCE_HOSTS)
    if not known or ("instagram" in host and not parts.path.startswith(("/reel/", "/reels/"))):
        raise Invalid(names[0], "must be a public TikTok or Instagram Reel URL")
    (job,) = _start(call, ANALYSIS, [{"url": url}], CREDITS[ANALYSIS])
    return _created(call, ANALYSIS, job, nested=False, required_credits=job.credits)
