# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Every operator with every argument of its own: what is sent is what the vendor's page shows, and is sent once."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.operators import adsumo, cinematicads, cutx, sume
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator
from tests.integration.contract.conftest import KEY, Pages
from tests.support.tasks import FakeStore, run_task, task_context

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
LINK = "https://media.example/result"
PICTURE = "https://shop.example/shoe.jpg"
PRODUCT = {"id": ID, "name": "n", "description": "d", "category": "c", "image_path": PICTURE, "currency": "EUR"}
AVATAR = {"id": ID, "name": "n", "thumbnail_url": PICTURE, "avatar_type": "custom", "description": "d"}
WORKFLOW = {"success": True, "jobId": "wf_abc123xyz", "message": "Workflow queued", "cost": 2}
STREAM = f'event: result\ndata: {{"success":true,"videoUrl":"{LINK}","duration":15}}\n\n'.encode()
INGESTED = {"product": {"id": ID, "name": "n", "price": "29.99", "images": [{"id": "i", "url": LINK}]}}


@dataclass
class Case:
    """
    One operator.

    :param operator: its class.
    :param given: arguments; numbers as text are what a template gives.
    :param path: where its request goes.
    :param sent: the JSON body as the page shows it; None for no body.
    :param answer: what the page says it answers.
    :param method: of the request.
    :param status: of the answer.
    """

    operator: Any
    given: dict[str, Any]
    path: str
    sent: Any
    answer: Any = None
    method: str = "POST"
    status: int = 200


SHOT = {"model": "pro", "aspect_ratio": "16:9", "resolution": "4k"}
AD = {"script": "A new shoe", "ad_format": "video", "locale": "ko"}
SWAP = {"source_video_url": f"{LINK}.mp4", "avatar_ids": ["a", "b"], "aspect_ratio": "21:9"}
FILMED = {"prompt": "a shoe", "aspect_ratio": "9:16", "resolution": "480p"}
DRAWN = {"prompt": "a shoe", "aspect_ratio": "4:5", "resolution": "1k", "quality": "high"}
SPOKEN = {"avatar_id": ID, "avatar_type": "custom", "script": "Hello", "voice_id": "EXAVITQu4vr4xnSDxMaL"}
CREATIVE = {"concept": "Luxury perfume", "quality": "premium", "seasonal": "eid", "framework": "aida"}
BRAND = {
    "name": "B",
    "industry": "i",
    "tone": "t",
    "colors": {"primary": "#000", "secondary": "#111", "accent": "#222"},
}
SHOE = {"name": "n", "description": "d", "category": "c", "image_url": PICTURE, "currency": "EUR", "link": LINK}
REFERENCE = "https://www.tiktok.com/@a/video/1"

CASES: list[Case] = [
    Case(
        adsumo.AdsumoTalkingAvatarOperator,
        {**SPOKEN, "voiceover_id": ID, "lipsync_model": "lipsync-2.0"},
        "/videos/talking-avatar",
        {**SPOKEN, "voiceover_id": ID, "lipsync_model": "lipsync-2.0"},
    ),
    Case(
        adsumo.AdsumoVideoOperator,
        {"model": "sora-2", "prompt": "a shoe", "aspect_ratio": "16:9", "duration": "8"},
        "/videos/ai-video",
        {"model": "sora-2", "prompt": "a shoe", "aspect_ratio": "16:9", "duration": 8},
    ),
    Case(
        adsumo.AdsumoTextToImageOperator,
        {**SHOT, "prompt": "a shoe", "quantity": "4"},
        "/images/text-to-image",
        {**SHOT, "prompt": "a shoe", "quantity": 4},
    ),
    Case(
        adsumo.AdsumoProductShotOperator,
        {**SHOT, "product_id": ID, "style_id": "lifestyle-outdoor", "quantity": "4", "additional_prompt": "sun"},
        "/images/product-shots",
        {**SHOT, "product_id": ID, "style_id": "lifestyle-outdoor", "quantity": 4, "additional_prompt": "sun"},
    ),
    Case(
        adsumo.AdsumoTemplateVideoOperator,
        {"template": "ugc", "product_id": "prod_abc123"},
        "/videos/generate",
        {"template": "ugc", "product_id": "prod_abc123"},
    ),
    Case(
        adsumo.AdsumoTextToSpeechOperator,
        {"text": "Hello", "voice_id": "v", "model": "m", "voice_settings": {"stability": 0.5}},
        "/voiceovers/text-to-speech",
        {"text": "Hello", "voice_id": "v", "model": "m", "voice_settings": {"stability": 0.5}},
        {"id": ID, "status": "completed", "duration": 4.5, "audio_url": LINK},
    ),
    Case(
        adsumo.AdsumoCreateProductOperator,
        {**SHOE, "price": "29.5"},
        "/products",
        {**SHOE, "price": 29.5},
        PRODUCT,
        status=201,
    ),
    Case(
        adsumo.AdsumoDeleteProductOperator,
        {"product_id": ID},
        f"/products/{ID}",
        None,
        b"",
        method="DELETE",
        status=204,
    ),
    Case(
        adsumo.AdsumoCreateAvatarOperator,
        {"name": "n" * 50, "image_url": PICTURE, "description": "d"},
        "/avatars/custom",
        {"name": "n" * 50, "image_url": PICTURE, "description": "d"},
        AVATAR,
        status=201,
    ),
    Case(
        adsumo.AdsumoDeleteAvatarOperator,
        {"avatar_id": ID},
        f"/avatars/custom/{ID}",
        None,
        b"",
        method="DELETE",
        status=204,
    ),
    Case(
        cutx.CutxIngestProductOperator,
        {"url": PICTURE, "project_id": ID},
        "/api/products/ingest",
        {"url": PICTURE, "projectId": ID},
        INGESTED,
        status=201,
    ),
    Case(
        sume.SumeImageOperator,
        {**DRAWN, "image_count": "2", "reference_image_urls": [PICTURE]},
        "/images/generations",
        {**DRAWN, "image_count": 2, "reference_image_urls": [PICTURE]},
    ),
    Case(sume.SumeImageOperator, {"prompt": "a shoe", "n": "2"}, "/images/generations", {"prompt": "a shoe", "n": 2}),
    Case(
        sume.SumeVideoOperator,
        {**FILMED, "duration": "4", "generate_audio": "false"},
        "/videos/generations",
        {**FILMED, "duration": 4, "generate_audio": False},
    ),
    Case(
        sume.SumeAdVideoOperator,
        {**AD, "duration_seconds": "8", "reference_image_urls": [PICTURE], "reference_video_urls": [LINK]},
        "/ads/videos",
        {**AD, "duration_seconds": 8, "reference_image_urls": [PICTURE], "reference_video_urls": [LINK]},
    ),
    Case(
        sume.SumeAdVideoOperator,
        {"script": "Hey", "avatar_id": "a"},
        "/ads/videos",
        {"script": "Hey", "avatar_id": "a"},
    ),
    Case(
        sume.SumeAdVideoOperator,
        {"script": "Hey", "avatar_slug": "anna"},
        "/ads/videos",
        {"script": "Hey", "avatar_slug": "anna"},
    ),
    Case(
        sume.SumeFaceSwapOperator,
        {**SWAP, "duration_seconds": "15", "trim_start_seconds": "0", "trim_end_seconds": "9.5"},
        "/face-swap",
        {**SWAP, "duration_seconds": 15, "trim_start_seconds": 0, "trim_end_seconds": 9.5},
        {"object": "face_swap", "jobs": [{"id": "job_1", "status": "queued"}]},
    ),
    Case(
        sume.SumeReferenceAnalysisOperator,
        {"url": REFERENCE, "url_field": "reference_url"},
        "/reference-analysis",
        {"reference_url": REFERENCE},
        {"object": "reference_analysis", "job_id": "job_1", "required_credits": 5},
    ),
    Case(
        cinematicads.CinematicAdsWorkflowOperator,
        {
            **CREATIVE,
            "workflow_type": "clone",
            "url": LINK,
            "models": {"image": "x", "voice": "y"},
            "formats": ["9:16", "1:1"],
            "hitl": "true",
        },
        "/api/workflow",
        {
            **CREATIVE,
            "type": "clone",
            "url": LINK,
            "models": {"image": "x", "voice": "y"},
            "formats": "9:16,1:1",
            "hitl": True,
            "async": True,
        },
    ),
    Case(
        cinematicads.CinematicAdsBrandOperator,
        {**BRAND, "target_audience": "a"},
        "/api/user/brand",
        {**BRAND, "targetAudience": "a"},
        {"success": True},
    ),
    Case(
        cinematicads.CinematicAdsKnowledgeOperator,
        {"url": LINK},
        "/api/user/brand/knowledge/urls",
        {"url": LINK},
        {"success": True, "data": {"id": "k"}},
    ),
]
# Their bodies are bytes, or their requests several: they have tests of their own.
ELSEWHERE = {
    adsumo.AdsumoEnsureProductOperator: "test_ensured_products",
    cutx.CutxEnsureProductOperator: "test_ensured_products",
    cinematicads.CinematicAdsExportProjectsOperator: "test_cinematicads_pages",
    sume.SumeUploadOperator: "test_sume_pages",
    cutx.CutxCopyOperator: "test_cutx_pages",
    cutx.CutxStaticAdOperator: "test_cutx_pages",
    cutx.CutxVideoOperator: "test_cutx_pages",
}


def _tell(pages: Pages, case: Case) -> None:
    """Answer the request of the case, and what follows it, as the vendor's pages do."""
    started = {
        "adsumo": {"generation_id": ID, "type": "ai-video", "status": "processing"},
        "sume": {"object": "video_generation", "job_id": "job_1", "status": "queued"},
        "cinematicads": WORKFLOW,
        "cutx": None,
    }[pages.vendor]
    pages.say(case.method, case.path, started if case.answer is None else case.answer, case.status)
    done = {"id": ID, "type": "image", "status": "completed", "result_url": LINK, "details": {}}
    pages.say("GET", f"/generations/{ID}", done)
    pages.say("GET", "/jobs/job_1", {"id": "job_1", "object": "job", "status": "completed"})
    result = {"analysis": {"hook": "h"}} if case.path == "/reference-analysis" else {"videos": [{"url": LINK}]}
    pages.say("GET", "/jobs/job_1/result", {"id": "job_1", "status": "completed", "result": result})
    pages.say("GET", "/api/user/projects", {"success": True, "data": []})
    pages.say("GET", "/api/workflow/stream", STREAM, Content_Type="text/event-stream")


def _own(operator: Any) -> set[str]:
    """Return the arguments that an operator has besides the common ones."""
    return set(inspect.signature(operator.__init__).parameters) - {"self", "kwargs", "conn_id", "extra_fields"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operator.__name__}-{'+'.join(case.given)}"[:70])
def test_what_an_operator_sends(pages_of: Callable[[str], Pages], case: Case) -> None:
    pages = pages_of(case.operator.vendor_name)
    _tell(pages, case)
    paid = issubclass(case.operator, GenerateOperator)
    more = {"deferrable": False, "poll_interval": 0.01, "extra_fields": {"x_new": [1]}} if paid else {}

    result = run_task(case.operator(task_id="t", conn_id="page", **case.given, **more), task_context(FakeStore()))

    first, *rest = pages.asked
    assert (first.method, first.path, first.query) == (case.method, case.path, {})
    assert first.body == (case.sent if not paid else {**case.sent, "x_new": [1]})
    assert first.headers["authorization"] == f"Bearer {KEY}"
    keyed = pages.vendor == "adsumo" and case.method == "POST"
    assert ("idempotency-key" in first.headers) == keyed
    if case.sent is not None:
        assert first.headers["content-type"] == "application/json"
    assert [one.method for one in rest if one.method != "GET"] == []
    if paid:
        assert result["status"] == "completed"
        assert bool(result["creatives"]) == (case.path != "/reference-analysis")
    else:
        assert rest == []


def test_a_file_for_the_knowledge_base(pages_of: Callable[[str], Pages], tmp_path: Path) -> None:
    pages = pages_of("cinematicads")
    pages.say("POST", "/api/user/brand/knowledge/files", {"success": True, "data": {"id": "k"}})
    file = tmp_path / "about.txt"
    file.write_bytes(b"what the brand is")
    task = cinematicads.CinematicAdsKnowledgeOperator(task_id="t", conn_id="page", source=str(file))
    run_task(task, task_context(FakeStore()))
    (asked,) = pages.asked
    assert b'form-data; name="file"; filename="about.txt"' in asked.content
    assert b"what the brand is" in asked.content


def test_every_operator_and_every_argument_is_tried() -> None:
    known = {
        value
        for module in (adsumo, cinematicads, cutx, sume)
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, GenerateOperator | ResourceOperator)
        and value not in (GenerateOperator, ResourceOperator)
    }
    tried: dict[Any, set[str]] = {}
    for case in CASES:
        tried.setdefault(case.operator, set()).update(case.given)
    tried[cinematicads.CinematicAdsKnowledgeOperator].add("source")
    assert known == set(tried) | set(ELSEWHERE)
    assert {
        operator.__name__: _own(operator) - given for operator, given in tried.items() if _own(operator) - given
    } == {}
    here = Path(__file__).parent
    assert all((here / f"{module}.py").is_file() for module in ELSEWHERE.values())
